"""What a build may take in all: memory of all its processes, files wherever they are, processes. It fails with the reason, and another build beside it goes on."""
import os, pathlib, re, shutil, subprocess, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import buildkit  # noqa: E402
from ashcli import ASHLAR  # noqa: E402


def setUpModule():
    global KIT, EATER
    if not shutil.which("cc"):
        raise unittest.SkipTest("no compiler")
    KIT = buildkit.BuildKit()
    EATER = KIT.kit.dir / "eater"
    subprocess.run(["cc", "-static", "-O1", "-o", EATER, pathlib.Path(__file__).parent.parent / "lib/eater.c"], check=True)


def tearDownModule():
    KIT.close()


class Limits(unittest.TestCase):
    maxDiff = 4000
    number = 0

    def one(self, build, keys='build.memory = "200M"', timeout=15, more=""):
        Limits.number += 1
        p = KIT.project(f"p{Limits.number}", timeout=timeout, more=more)
        p.component("one", keys, tags="Source0: eater\nBuildArch: noarch", build=f"cp %{{SOURCE0}} eater; chmod +x eater\n{build}")
        shutil.copy2(EATER, p.path / "specs/one/eater")
        p.lock()
        return p

    def fails(self, p, pattern):
        """The build fails with this reason, none of its processes is left, and another one that was begun meanwhile is made."""
        q = KIT.project(f"{p.path.name}beside")
        q.component("other", build="sleep 2")
        q.lock()
        before = self.memory()
        start = time.monotonic()
        bad = subprocess.Popen([ASHLAR, "-C", p.path, "component", "build", "one"], env=p.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        q.build("other")
        out = bad.communicate(timeout=100)[0]
        self.assertEqual(bad.returncode, 1, out)
        self.assertRegex(out, pattern)
        self.assertLess(time.monotonic() - start, 30)
        self.assertNotIn("./eater", subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout)
        self.assertLess(before - self.memory(), 600 << 20)  # bytes: what it took is free again. Others use this machine, too
        self.assertFalse((p.path / "ashlar.built").exists())
        return out

    def memory(self):
        return int(re.search(r"MemAvailable: *(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) << 10

    def test_memory(self):
        """No process of it takes much."""
        for how in ("own", "files", "mapped", "shared", "segments"):
            with self.subTest(how):
                out = self.fails(self.one(f"./eater {how} 20 30"), r"failed in %build: its processes took more than 200 MiB of memory together, and were ended")
                self.assertIn("build.memory", out)

    def test_memory_of_the_project(self):
        p = self.one("./eater own 20 30", keys="", more='memory = "150M"')
        self.fails(p, "took more than 150 MiB of memory together")
        p.component("one", 'build.memory = "1G"', build="true")  # a component has the last word
        p.build("one")

    def test_shared_memory_counts_once(self):
        p = self.one("./eater share 120 10")
        p.build("one")

    def test_files(self):
        """All that it writes has one limit, wherever that is."""
        for where in ("$PWD", "/tmp", "/var/tmp", "/dev/shm", "/builddir"):
            with self.subTest(where):
                out = self.fails(self.one(f"dd if=/dev/zero of={where}/big bs=1M"), "it filled its disk of 256 MiB")
                self.assertIn("build.disk", out)
        out = self.fails(self.one("for d in $PWD /tmp /var/tmp /dev/shm; do dd if=/dev/zero of=$d/part bs=1M count=80; done"), "it filled its disk of 256 MiB")
        self.assertIn("part", out)

    def test_names(self):
        for where in ("$PWD", "/tmp", "/dev/shm", "/var/tmp"):
            with self.subTest(where):
                out = self.fails(self.one(f"e=$PWD/eater; cd {where}; $e names 0 3000000"), "it made as many files as its disk of 256 MiB may hold")
                self.assertIn("build.disk", out)

    def test_processes(self):
        """It goes on, though nothing can be forked any more: it is ended."""
        out = self.fails(self.one("(bomb() { bomb & bomb & sleep 60; }; bomb) 2>/dev/null & sleep 100", keys=""), r"it reached the limit on processes \(2048|it took longer than 15 s")

    def test_between_runs(self):
        """What one run of rpmbuild left in /tmp is not there in the next, and takes nothing of its room."""
        p = KIT.project("between")
        p.component("one", prep="true\n%generate_buildrequires\ntest ! -e /tmp/mark -a ! -e /var/tmp/mark -a ! -e /dev/shm/mark || exit 9\ndd if=/dev/zero of=/tmp/mark bs=1M count=90; mkdir -p /var/tmp/mark/sub; echo x > /dev/shm/mark; echo extra-devel",
                    build="rm /tmp/mark; dd if=/dev/zero of=/var/tmp/x bs=1M count=120")
        p.lock()
        p.build("one")

    def test_measured(self):
        """What all of it took is what the next plan counts with."""
        p = self.one("./eater own 30 5 & sleep 3", keys='build.memory = "900M"')
        p.build("one")
        costs = [f.read_bytes() for f in (KIT.store / "cache/build-cost-all").rglob("*") if f.is_file()]
        self.assertTrue(any(150 << 20 < int(c.split()[1]) < 400 << 20 for c in costs), costs)


if __name__ == "__main__":
    unittest.main()
