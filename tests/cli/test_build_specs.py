"""Unmodified specs of Azure Linux (corpus/specs), built with ashlar-rpm-config in roots of imported Debian packages, %check included; what came out is judged by rpm, readelf and a run of it.

Without arguments the four that CI builds, a machine that has them and the CVE drill; with "rest" the other eight, and a machine. Needs the archive of the apt upstream: ASHLAR_TEST_STORE may name a store that has the packages
already; without network and store the tests are skipped. ASHLAR_KEEP keeps the directory."""
import json, os, pathlib, re, shutil, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import builtmachine  # noqa: E402
import hardening  # noqa: E402
from ashcli import ASHLAR  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
SPECS = pathlib.Path(os.environ.get("ASHLAR_SHARED", "/nonexistent")) / "corpus/specs"
DRILL = 120  # seconds from an overlay to the image, the compile included
CI = ["lz4", "xxhash", "jansson", "sed"]
REST = ["bzip2", "attr", "findutils", "flex", "gzip", "libseccomp", "patch", "file"]
# What each brings under names of Fedora's that imported packages ask for by Debian's: its package, the imported one, and that one's epoch.
REPLACES = {"lz4": ("libs", "liblz4-1", ""), "xxhash": ("libs", "libxxhash0", ""), "jansson": (None, "libjansson4", ""), "file": ("libs", "libmagic1t64", "1:"),
            "attr": ("libattr", "libattr1", "1:"), "libseccomp": (None, "libseccomp2", ""), "bzip2": ("libs", "libbz2-1.0", "")}
# How many tests of upstream's pass at the least, by what their suites say at the end. lz4's spec runs none.
CHECKS = {"xxhash": 40000, "jansson": 1, "sed": 200, "attr": 1, "bzip2": 6, "file": 80, "findutils": 850, "flex": 110, "gzip": 28, "libseccomp": 7000, "patch": 45}
PASSED = (r"# PASS: +(\d+)", r"# of expected passes\s+(\d+)", r" tests passed: +(\d+)", r"OK\. \(passes (\d+) tests\)", r"Doing (\d+) tests \(3 compress, 3 uncompress\) \.\.\.")
FAILED = (r"# (?:FAIL|ERROR|XPASS): +(\d+)", r"# of unexpected (?:failures|successes)\s+(\d+)", r" tests (?:failed|errored): +(\d+)")


def counted(log):
    """Tests that passed, and that did not. A suite that does not count ends the build when one fails."""
    passed, failed = (sum(int(n) for pattern in patterns for n in re.findall(f"(?m)^{pattern}$", log)) for patterns in (PASSED, FAILED))
    return passed + len(re.findall(r"(?m)^Running test: \S+$", log)), failed


PROJECT = """[distros.azurelinux]
description = "Specs of Azure Linux"
default-version = "4.0"
source-upstreams = ["debian-13"]
allow-missing-signatures = true
[distros.azurelinux.versions."4.0"]
release-ver = "4.0"

[images.specs]
kind = "archive"
formats = ["tar"]
arches = ["x86_64"]
upstreams = ["built", "debian-13"]
packages = ["bash", "coreutils", "apt", %s]
"""
COMPONENT = """[components.%s]
spec = { type = "upstream", upstream-distro = { name = "azurelinux", version = "4.0" } }
"""
REPLACE = """[[components.%s.overlays]]
type = "spec-add-tag"
tag = "%s"
value = "%s"
%sdescription = "stands in place of the imported package"
"""


def run(*args, check=True, **kw):
    p = subprocess.run([*map(str, args)], capture_output=True, text=True, **kw)
    if check and p.returncode:
        raise AssertionError(f"{args}\n{p.stdout}{p.stderr}")
    return p


def binary(path):
    with open(path, "rb") as f:
        head = f.read(18)
    return head[:4] == b"\x7fELF" and head[16] in (2, 3)


# Programs of Debian's are linked with its library under another name than the one that upstream and Fedora give it.
SONAME = """[[components.bzip2.overlays]]
type = "spec-append-lines"
section = "%install"
lines = ["ln -s libbz2.so.%{library_version} %{buildroot}%{_libdir}/libbz2.so.1.0"]
description = "the name that imported programs are linked with"
""" + REPLACE % ("bzip2", "Provides", "libbz2.so.1.0()(64bit)", 'package = "libs"\n')
# Their tests take many minutes with one processor, as a build that is verified has: the two that are compared leave them out.
LONG_CHECK = ("findutils", "libseccomp")
# Its spec has no patches: now those that git writes apply.
STRIP = """[[components.lz4.overlays]]
type = "spec-search-replace"
section = "%prep"
regex = '^%autosetup$'
replacement = "%autosetup -p1"
description = "patches are as git writes them"
"""


@unittest.skipUnless(SPECS.is_dir(), "there are no specs of the corpus")
@unittest.skipUnless(shutil.which("bwrap") and shutil.which("rpm2cpio") and shutil.which("readelf"), "bubblewrap, rpm and binutils are needed")
class Specs(builtmachine.BuiltMachine, unittest.TestCase):
    maxDiff = 4000
    names = machine_names = CI

    @classmethod
    def setUpClass(cls):
        base = pathlib.Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="ashlar-specs-", dir=base))
        if not os.environ.get("ASHLAR_KEEP"):
            cls.addClassCleanup(lambda: run("rm", "-rf", cls.dir))
        cls.env = {**os.environ, "ASHLAR_STORE": os.environ.get("ASHLAR_TEST_STORE", str(cls.dir / "store")), "XDG_DATA_HOME": str(cls.dir / "data"), "LC_ALL": "C.UTF-8", "TMPDIR": str(cls.dir)}
        cls.project = cls.dir / "distro"
        shutil.copytree(TOP / "distro", cls.project, ignore=shutil.ignore_patterns("ashlar.lock", "ashlar.built", "images"))
        cls.edit("ashlar.toml", '"images/*.toml"', '"specs.toml"')
        cls.edit("channels.toml", '"dnf", "openssl", "ca-certificates", "vim-tiny", "less"', '"sed", "lz4"' if cls.names is CI else '"bzip2"')
        cls.edit("channels.toml", '[channels.base]', '[channels.base]\nupstreams = ["built", "debian-13"]')
        (cls.project / "specs.toml").write_text(PROJECT % ", ".join(f'"{n}"' for n in cls.names) + builtmachine.definition(cls.machine_names) + "".join(map(cls.component, cls.names)))
        cls.replaced = [REPLACES[n][1] for n in cls.machine_names if n in REPLACES]
        lock = cls.ashlar("-q", "lock", check=False)
        if lock.returncode and ("cannot fetch" in lock.stderr or "no apt mirror" in lock.stderr):
            raise unittest.SkipTest("no archive to be had: " + lock.stderr.strip()[-200:])
        assert lock.returncode == 0, lock.stderr
        cls.packages = cls.dir / "packages"
        cls.ashlar("component", "build", "ashlar-rpm-config", "-o", cls.dir / "config")
        cls.result, cls.verified = {}, {}
        for name in cls.names:
            times = [time.monotonic()]
            cls.result[name] = json.loads(cls.ashlar("--json", "component", "build", name, "--specs", SPECS, "-o", cls.packages / name).stdout)
            times.append(time.monotonic())
            hasty = ["--no-check"] if name in LONG_CHECK else []
            cls.verified[name] = cls.ashlar("--json", "component", "rebuild", "--verify", *hasty, name, "--specs", SPECS, check=False)  # at once: nothing that its root would have has been built since
            if hasty:  # the build with its tests is the one that counts
                cls.ashlar("component", "build", name, "--specs", SPECS)
            print(f"{name}: built in {times[1] - times[0]:.0f} s, verified in {time.monotonic() - times[1]:.0f} s", file=sys.stderr)

    @classmethod
    def edit(cls, name, old, new):
        text = (cls.project / name).read_text()
        assert old in text, (name, old)
        (cls.project / name).write_text(text.replace(old, new))

    @staticmethod
    def component(name):
        text = COMPONENT % name + {"lz4": STRIP, "bzip2": SONAME}.get(name, "")
        if name in REPLACES:
            package, other, epoch = REPLACES[name]
            where = f'package = "{package}"\n' if package else ""
            text += REPLACE % (name, "Provides", f"{other} = {epoch}%{{version}}-%{{release}}", where) + REPLACE % (name, "Obsoletes", f"{other} < {epoch}%{{version}}-%{{release}}", where)
        return text

    @classmethod
    def ashlar(cls, *args, check=True):
        return run(ASHLAR, "-C", cls.project, *args, check=check, env=cls.env)

    def rpms(self, name, pattern="*.rpm"):
        found = sorted(p for p in (self.packages / name).rglob(pattern) if not p.name.endswith(".src.rpm"))
        self.assertTrue(found, (name, pattern))
        return found

    def unpacked(self, name):
        root = self.dir / f"root-{name}"
        if not root.exists():
            root.mkdir()
            for rpm in self.rpms(name):
                subprocess.run(f"rpm2cpio '{rpm}' | cpio -idmu --quiet", shell=True, check=True, cwd=root)
        return root

    def linked(self, name):
        """Programs and libraries."""
        found = [p for p in sorted(self.unpacked(name).rglob("*")) if p.is_file() and not p.is_symlink() and "/usr/lib/debug/" not in str(p) and binary(p)]
        self.assertTrue(found, name)
        return found

    def log(self, name):
        """Of the build, or of the one that the store knew."""
        path = pathlib.Path(self.result[name][0]["log-file"])
        return (path if path.is_absolute() else self.project / path).read_text(errors="replace")

    def elf(self, name, path):
        """With its debug information, which is found by its build id."""
        build_id = re.search(r"Build ID: (\w{2})(\w+)", run("readelf", "-n", path).stdout)
        return hardening.Elf(path, self.unpacked(name) / "usr/lib/debug/.build-id" / build_id[1] / f"{build_id[2]}.debug")

    def query(self, rpm, what):
        return run("rpm", "-qp", "--nosignature", what, rpm).stdout.split("\n")

    def test_rpm(self):
        """rpm itself takes what was built; names, releases, dependencies."""
        for name in self.names:
            for rpm in self.rpms(name):
                run("rpm", "-K", "--nosignature", rpm)
                tags = dict(t.split("=", 1) for t in run("rpm", "-qp", "--nosignature", "--qf", "dist=%{RELEASE}\nhost=%{BUILDHOST}\nvendor=%{VENDOR}\nlicense=%{LICENSE}\n", rpm).stdout.splitlines())
                self.assertRegex(tags["dist"], r"\.ashlar1$", rpm)
                self.assertEqual((tags["host"], tags["vendor"]), ("localhost", "Ashlar Linux"))
                self.assertNotIn("(none)", tags["license"])

    def test_check_ran(self):
        """Tests of upstream's ran and passed, and the judge of that knows those that did not."""
        self.assertEqual(counted("# PASS:  3\n# FAIL:  1\n# ERROR: 2\n# of expected passes\t\t4\n# of unexpected failures\t1\n tests passed: 5\n tests failed: 1\nRunning test: x\n"), (13, 5))
        self.assertEqual(counted("echo Running test: $t\n*** xattrs are probably not supported by the file system, the test-suite will NOT run ***\n"), (0, 0))
        for name in self.names:
            passed, failed = counted(self.log(name))
            print(f"{name}: {passed} tests passed", file=sys.stderr)
            self.assertEqual(failed, 0, name)
            self.assertGreaterEqual(passed, CHECKS.get(name, 0), name)

    def test_hardened(self):
        """Each claim on each program and library (tests/lib/hardening.py; test_build_macros.py shows that each check can fail), with what each unit was compiled with: the linker can be told to claim what no object has."""
        seen = dict.fromkeys(("files", "functions", "units", "probed"), 0)
        for name in self.names:
            root, elves = self.unpacked(name), [self.elf(name, path) for path in self.linked(name)]
            self.assertEqual({str(e.path.relative_to(root)): e.faults() for e in elves if e.faults()}, {}, name)
            self.assertTrue(any(e.imports(r"__\w+_chk@GLIBC") for e in elves), f"{name}: no call of a fortified function")
            self.assertTrue(any(e.imports(r"__stack_chk_fail@GLIBC") for e in elves), f"{name}: no stack protector")
            for key, n in (("files", len(elves)), ("functions", sum(len(e.functions()) for e in elves)), ("units", sum(len(e.units()) for e in elves)), ("probed", sum(e.probes() for e in elves))):
                seen[key] += n
            good, bad = hardening.fortified(self.log(name))
            self.assertEqual(bad, [], f"{name}: compiled with another level of _FORTIFY_SOURCE")
            self.assertGreater(good, 3, f"{name}: its log does not say how it was compiled")
        print(seen, file=sys.stderr)
        self.assertTrue(seen["files"] > len(self.names) and seen["functions"] > 100 and seen["units"] >= seen["files"] and seen["probed"], seen)

    def test_reproducible(self):
        """Built again with everything otherwise, the path too: the same packages, byte for byte, debug information and build IDs included."""
        for name in self.names:
            self.assertEqual(self.verified[name].returncode, 0, self.verified[name].stdout + self.verified[name].stderr)
            done = json.loads(self.verified[name].stdout)[0]
            self.assertEqual(done["cached"], name not in LONG_CHECK, name)
            self.assertEqual((done["reproducible"], done["differences"], done["varied"]), (True, [], ["time", "processors", "path", "host", "user", "umask", "timezone"]), name)
            self.assertEqual(done["packages"], self.result[name][0]["packages"], name)
            self.assertTrue(any(p["kind"] == "debug" for p in done["packages"]), name)

    def test_signatures(self):
        """Those that could not be had are said: in the record, in what the build prints, and by what would have checked them."""
        for name in self.names:
            result, log = self.result[name][0], self.log(name)
            record = json.loads((pathlib.Path(self.env["ASHLAR_STORE"]) / "blobs/sha256" / result["provenance"][:2] / result["provenance"]).read_text())
            self.assertEqual(result["unverified"], [s["name"] for s in record["sources"] if s.get("absent")], name)
            skipped = set(re.findall(r"(?m)^gpg(?:verify|v2?): (\S+) could not be had; ", log))
            self.assertLessEqual(skipped, set(result["unverified"]), name)
            for file in result["unverified"]:
                self.assertIn(f"was built without '{file}'", self.ashlar("component", "why", name, "--specs", SPECS).stdout)

    def test_boots(self):
        """A machine with what was built in place of what was imported starts, and its programs use it."""
        if not shutil.which("qemu-system-x86_64"):
            self.skipTest("QEMU is not installed")
        self.check_machine()

    def test_checksec(self):
        """What another program says of them."""
        if not shutil.which("checksec"):
            self.skipTest("checksec is not installed")
        for path in (p for name in self.names for p in self.linked(name)):
            says = next(iter(json.loads(run("checksec", f"--file={path}", "--output=json").stdout).values()))
            wanted = {"relro": "full", "nx": "yes", "pie": "dso" if ".so" in path.name else "yes", "rpath": "no", "runpath": "no", "symbols": "no"}
            self.assertEqual({k: says[k] for k in wanted}, wanted, path)

    def test_debuginfo(self):
        for name in self.names:
            root = self.unpacked(name)
            debug = [p for p in (root / "usr/lib/debug").rglob("*.debug") if p.is_file()]
            self.assertTrue(debug, name)
            self.assertTrue(any((root / "usr/src/debug").rglob("*.c")), name)
            for path in debug:
                self.assertRegex(run("readelf", "-SW", path).stdout, r"\.debug_info", path)
            # By its build id each program and library is found, and its debug information.
            for path in self.linked(name):
                build_id = re.search(r"Build ID: (\w{2})(\w+)", run("readelf", "-n", path).stdout)
                link = root / "usr/lib/.build-id" / build_id[1] / build_id[2]
                self.assertEqual(link.resolve(), path, f"{name}: {path}")
                self.assertTrue((root / "usr/lib/debug/.build-id" / build_id[1] / (build_id[2] + ".debug")).exists(), f"{name}: {path}")

    def test_installed_files(self):
        """What is done after %install: compressed pages, no .la, nothing of the build's directories in any file, no static library with debug information of another time."""
        for name in self.names:
            root = self.unpacked(name)
            files = [p for p in root.rglob("*") if p.is_file() and not p.is_symlink()]
            self.assertFalse([p for p in files if p.suffix == ".la"], name)
            self.assertFalse([p for p in files if "/share/man/man" in str(p) and p.suffix != ".gz"], name)
            for p in files:
                if "/usr/lib/debug/" not in str(p) and "/usr/src/debug/" not in str(p):
                    self.assertNotIn(b"BUILDROOT", p.read_bytes(), p)

    def test_cached(self):
        """The last one: since then nothing came that its buildroot would have (those of the others have what was built later)."""
        p = json.loads(self.ashlar("--json", "component", "build", self.names[-1], "--specs", SPECS).stdout)
        self.assertTrue((p[0] if isinstance(p, list) else p)["cached"])


class Four(Specs):
    """And what only these four are for."""

    def test_dependencies(self):
        def some(name, pattern, what):
            return self.query(self.rpms(name, pattern)[0], what)
        self.assertIn("liblz4.so.1()(64bit)", some("lz4", "lz4-libs-1*", "--provides"))
        self.assertIn("pkgconfig(liblz4) = 1.10.0", some("lz4", "lz4-devel*", "--provides"))
        self.assertIn("lz4-libs(x86-64) = 1.10.0-4.ashlar1", some("lz4", "lz4-devel*", "--requires"))
        self.assertIn("libjansson.so.4()(64bit)", some("jansson", "jansson-2*", "--provides"))
        self.assertIn("libxxhash.so.0()(64bit)", some("xxhash", "xxhash-libs-0*", "--provides"))
        self.assertTrue(any(line.startswith("libc.so.6(GLIBC_2.3") for line in some("sed", "sed-4*.x86_64.rpm", "--requires")))

    def image(self):
        self.ashlar("-q", "lock")
        self.ashlar("-q", "image", "build", "specs")
        return self.dir / "out/images/specs"

    def test_drill(self):
        """An advisory says that lz4 is affected: one overlay, and the patched packages and image are there. Then what changed, and nothing else."""
        out = self.image()
        tar = next(out.glob("*.tar*"))
        root = self.dir / "image"
        root.mkdir()
        run("tar", "-xf", tar, "-C", root, "--no-same-owner")
        for args, want in ((["lz4", "--version"], "v1.10.0"), (["xxhsum", "--version"], "0.8.3"), (["sed", "--version"], "4.9")):
            p = run("bwrap", "--ro-bind", root, "/", "--unshare-all", "--proc", "/proc", "--dev", "/dev", *args)
            self.assertIn(want, p.stdout + p.stderr)
        # In place of the imported library, which apt asks for.
        explained = self.ashlar("image", "explain", "specs", "/usr/lib/x86_64-linux-gnu/liblz4.so.1.10.0").stdout
        self.assertIn("lz4-libs-1.10.0-4.ashlar1", explained)
        self.assertNotIn("liblz4-1-", self.ashlar("image", "plan", "specs").stdout)
        before, after = self.dir / "before.tree", self.dir / "after.tree"
        before.write_text(self.ashlar("image", "dump", "specs").stdout)

        started = time.monotonic()
        (self.project / "CVE-2026-0001.patch").write_text(self.patch())
        with open(self.project / "specs.toml", "a") as f:
            f.write('''[[components.lz4.overlays]]
type = "patch-add"
source = "CVE-2026-0001.patch"
description = "CVE-2026-0001: what a caller is told"
[advisories."ASH-2026:0001"]
type = "security"
severity = "Important"
title = "lz4: a hole is closed"
issued = "2026-11-21"
references = [{ type = "cve", id = "CVE-2026-0001" }]
packages = ["lz4-libs"]
''')
        self.ashlar("component", "build", "lz4", "--specs", SPECS, "-o", self.packages / "patched")
        self.ashlar("-q", "lock")
        self.ashlar("-q", "repo", "build")
        self.ashlar("-q", "image", "build", "specs")
        took = time.monotonic() - started
        print(f"from the overlay to packages, repository and image: {took:.1f} s (at most {DRILL} s)", file=sys.stderr)

        after.write_text(self.ashlar("image", "dump", "specs").stdout)
        print(self.ashlar("image", "diff", before, after, check=False).stdout, end="", file=sys.stderr)
        diff = self.ashlar("--json", "image", "diff", before, after, check=False)
        self.assertEqual(diff.returncode, 1, diff.stderr)
        what = [d["what"] for d in json.loads(diff.stdout)]
        self.assertIn("package lz4-libs-1.10.0-4.ashlar1.x86_64 -> lz4-libs-1.10.0-5.ashlar1.x86_64", what)
        self.assertTrue(any(w.startswith("/usr/lib/x86_64-linux-gnu/liblz4.so.1.10.0: content") for w in what), what)
        self.assertEqual([w for w in what if not re.match(r"package lz4(-libs)?-1|/usr/bin/lz4: content|/usr/lib/x86_64-linux-gnu/liblz4\.so|/usr/lib/\.build-id/|/usr/lib/sysimage/rpm/", w)], [])
        tree = self.dir / "patched"
        tree.mkdir()
        run("tar", "-xf", next(out.glob("*.tar*")), "-C", tree, "--no-same-owner")
        self.assertIn("1.10.0+patched", run("bwrap", "--ro-bind", tree, "/", "--unshare-all", "--proc", "/proc", "--dev", "/dev", "lz4", "--version").stdout)
        # The published package is the patched one, and signed.
        published = sorted((self.dir / "out").rglob("lz4-libs-1.10.0-5*.rpm"))
        self.assertTrue(published)
        self.assertRegex(run("rpm", "-qp", "--nosignature", "--qf", "%{RSAHEADER:pgpsig}%{DSAHEADER:pgpsig}", published[-1]).stdout, r"Key ID")
        self.assertLess(took, DRILL)

    def patch(self):
        """A change of one line of the source that was built."""
        source = self.dir / "prepared/lz4-1.10.0.tar.gz"
        self.ashlar("component", "prepare", "lz4", "--specs", SPECS, "-o", source.parent)
        text = run("tar", "-xzOf", source, "lz4-1.10.0/lib/lz4.c").stdout.split("\n")
        n = next(i for i, line in enumerate(text) if "LZ4_versionString(void) {" in line)
        changed = text[n].replace("return LZ4_VERSION_STRING;", 'return LZ4_VERSION_STRING "+patched";')
        self.assertNotEqual(changed, text[n])
        return "--- a/lib/lz4.c\n+++ b/lib/lz4.c\n" + f"@@ -{n + 1},1 +{n + 1},1 @@\n-{text[n]}\n+{changed}\n"


class Rest(Specs):
    names = machine_names = REST


def load_tests(loader, tests, pattern):
    return loader.loadTestsFromTestCase(Rest if MODE == "rest" else Four)


MODE = sys.argv.pop(1) if len(sys.argv) > 1 and sys.argv[1] == "rest" else "ci"
if __name__ == "__main__":
    unittest.main()
