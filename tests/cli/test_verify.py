"""component rebuild --verify: what a second build has otherwise is in no package, or is shown: where in which."""
import json, os, pathlib, re, subprocess, sys, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import buildkit  # noqa: E402

VARIED = ["time", "processors", "path", "host", "user", "umask", "timezone"]
# What embeds each, and what is said of it.
EMBEDDED = {
    "time": ("date +%Y", r"line 1: '\d{4}' / '\d{4}'$"),
    "processors": ("nproc", r"line 1: '\d+' / '1'$"),
    "path": ("pwd", r"line 1: '/builddir/build/BUILD' / '/builddir/second/build-in-another-place/BUILD'$"),
    "host": ("uname -n", r"line 1: 'localhost' / 'another.example.org'$"),
    "user": ("id -un; id -u; echo $HOME", r"line 1: 'mockbuild' / 'second'$"),
    "timezone": ("date -d @0 +%H", r"line 1: '00' / '14'$"),
}


def setUpModule():
    global KIT
    KIT = buildkit.BuildKit()


def tearDownModule():
    KIT.close()


class Verify(unittest.TestCase):
    maxDiff = 4000
    number = 0

    def one(self, keys="", **parts):
        Verify.number += 1
        p = KIT.project(f"p{Verify.number}")
        p.component("one", keys, **parts)
        p.lock()
        return p

    def verify(self, p, *args, status=0):
        return p.ashlar("component", "rebuild", "--verify", "one", *args, status=status)

    def differs(self, p, *args):
        """The result as JSON of one that does."""
        return json.loads(p.ashlar("--json", "component", "rebuild", "--verify", "one", *args, status=5).stdout)[0]

    def test_same(self):
        """A build may ask for all of that, as long as it is in no package."""
        asks = "nproc > cpus; date > date; pwd > place; uname -a > host; id > user; umask > mask; env > environment; touch $HOME/here"
        p = self.one(build=asks, install="echo x > %{buildroot}/usr/share/one; touch -d 2030-01-01 %{buildroot}/usr/share/one")
        said = self.verify(p).stderr
        self.assertRegex(said, "'one' is reproducible: built again 400 days later, with one processor, in /builddir/second/.*, its 2 packages are the same, byte for byte, but for the name of the build directory")
        self.assertFalse((p.path / "out/work/one.verify").exists())
        self.assertRegex(self.verify(p, "--vary=-path").stderr, "(?m)its 2 packages are the same, byte for byte$")
        got = json.loads(p.ashlar("--json", "component", "rebuild", "--verify", "one").stdout)[0]
        self.assertEqual((got["varied"], got["reproducible"], got["differences"]), (VARIED, True, []))
        # Where it is built on the host: another project, another store.
        q = self.one(build=asks, install="echo x > %{buildroot}/usr/share/one; touch -d 2030-01-01 %{buildroot}/usr/share/one")
        own = {**q.env, "ASHLAR_STORE": str(q.path / "a/store/elsewhere"), "TMPDIR": str(q.path)}
        digests = [[k["sha256"] for k in json.loads(r.stdout)[0]["packages"]] for r in (p.ashlar("--json", "component", "build", "one"), q.ashlar("--json", "component", "build", "one", env=own))]
        self.assertEqual(digests[0], digests[1])

    def test_each(self):
        """What is embedded is found when it is varied, and only then."""
        for what, (command, shown) in EMBEDDED.items():
            if what == "processors" and len(os.sched_getaffinity(0)) < 2:
                continue
            p = self.one(install=f"({command}) > %{{buildroot}}/usr/share/one")
            said = self.verify(p, status=5)
            self.assertRegex(said.stdout, r"(?m)^one-1.0-1.noarch: file /usr/share/one: .*content, " + shown, what)
            self.assertEqual(len(said.stdout.splitlines()), 1, said.stdout)
            self.assertIn("'one' is not reproducible", said.stderr)
            self.assertEqual(self.differs(p, "--vary", what)["varied"], [what])
            self.verify(p, f"--vary=-{what}" if what != "time" else "--vary=-time,-timezone")
            self.verify(p, "--vary=none")
        p = self.one(tags="BuildArch: noarch\nVendor: %(umask)")
        said = self.differs(p)
        self.assertIn("one-1.0-1.noarch: tag VENDOR: 0022 / 0077", said["differences"])
        self.verify(p, "--vary=-umask")
        self.assertIn("--vary knows no 'colour'", self.verify(p, "--vary", "colour", status=2).stderr)
        self.assertIn("--vary needs --verify", p.ashlar("component", "rebuild", "one", "--vary", "path", status=2).stderr)

    def test_host_path(self):
        """Where the build is on the host is another place each time, and seen in the table of mounts."""
        p = self.one(install="cat /proc/self/mountinfo > %{buildroot}/usr/share/one")
        self.assertRegex(self.differs(p, "--vary", "none")["differences"][0], "file /usr/share/one: .*content, line 1: ")

    def test_where(self):
        """Tags, long ones too; objects by section; what is packed; what only one build has. Both lie beside each other with their logs."""
        p = self.one(tags="BuildArch: noarch\nVendor: %(date +%Y)")
        self.assertRegex(self.differs(p)["differences"][0], r"one-1.0-1.noarch: tag VENDOR: \d{4} / \d{4}$")
        long = "x" * 500
        p = self.one(tags=f"AutoReqProv: no\nVendor: {long}%(date +%Y){long}",
                     install="d=%{buildroot}/usr/share/one; mkdir -p $d; (echo same; echo same; date +%Y) | gzip > $d/text.gz; echo same | gzip > $d/time.gz; head -c 5000 /dev/zero > $d/bytes; date +%s | head -c 9 | tail -c 4 >> $d/bytes; "
                             "cp /usr/bin/true $d/true; printf \"$(date +%Y)\" | dd of=$d/true bs=1 seek=$(grep -abo 'GNU coreutils' $d/true | head -n1 | cut -d: -f1) conv=notrunc; echo x > $d/only-$(date +%Y)",
                     files="/usr/share/one")
        got = self.differs(p)
        said = "\n".join(got["differences"])
        self.assertRegex(said, r"tag VENDOR: \.\.\.x+\d{4}x+ / \.\.\.x+\d{4}x+\n")
        self.assertRegex(said, r"file /usr/share/one/text.gz: .*content, unpacked, line 3: '\d{4}' / '\d{4}'\n")
        self.assertNotIn("time.gz", said)  # from a pipe: no time in it
        self.assertRegex(said, r"file /usr/share/one/bytes: content, byte 500\d: ")
        self.assertRegex(said, r"file /usr/share/one/true: content, section \.rodata, byte \d+: '\d{4}coreutils.*' / '\d{4}coreutils")
        self.assertRegex(said, r"file /usr/share/one/only-\d{4}: only in the first build\n.*only-\d{4}: only in the second build")
        first, second = pathlib.Path(got["first"]), pathlib.Path(got["second"])
        self.assertEqual((first.parent, first.name, second.name), (p.path / "out/work/one.verify", "first", "second"))
        for side in (first, second):
            self.assertIn("one-1.0-1.x86_64.rpm", [f.name for f in side.iterdir()])
            KIT.kit.run("rpm", "-K", "--nosignature", side / "one-1.0-1.x86_64.rpm")
            self.assertIn("Executing(%install)", side.with_suffix(".log").read_text())
        vendors = [KIT.kit.run("rpm", "-qp", "--nosignature", "--qf", "%{VENDOR}", side / "one-1.0-1.x86_64.rpm").stdout for side in (first, second)]
        self.assertNotEqual(vendors[0], vendors[1])
        said = self.verify(p, status=5).stderr
        self.assertIn(f"'diffoscope {first} {second}'", said)
        self.assertIn(f"{first}.log and {second}.log", said)

    def test_second_fails(self):
        """It is said that it was the second one."""
        said = self.verify(self.one(check="test $(id -un) = mockbuild"), status=1).stderr
        self.assertIn("failed in %check", said)
        self.assertIn("in the second build, 400 days later", said)
        self.assertIn("--vary", said)


if __name__ == "__main__":
    unittest.main()
