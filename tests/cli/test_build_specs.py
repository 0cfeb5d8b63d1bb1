"""Unmodified specs of Azure Linux (corpus/specs), built with ashlar-rpm-config in roots of imported Debian packages, %check included; what came out is judged by rpm, readelf and a run of it.

Without arguments the four that CI builds, a machine that has them and the CVE drill; with "rest" the other eight, and a machine. Needs the archive of the apt upstream: ASHLAR_TEST_STORE may name a store that has the packages
already; without network and store the tests are skipped. ASHLAR_KEEP keeps the directory."""
import json, os, pathlib, re, shutil, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import builtmachine  # noqa: E402
from ashcli import ASHLAR  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
SPECS = pathlib.Path(os.environ.get("ASHLAR_SHARED", "/nonexistent")) / "corpus/specs"
CI = ["lz4", "xxhash", "jansson", "sed"]
REST = ["bzip2", "attr", "findutils", "flex", "gzip", "libseccomp", "patch", "file"]
# What each brings under names of Fedora's that imported packages ask for by Debian's: its package, the imported one, and that one's epoch.
REPLACES = {"lz4": ("libs", "liblz4-1", ""), "xxhash": ("libs", "libxxhash0", ""), "jansson": (None, "libjansson4", ""), "file": ("libs", "libmagic1t64", "1:"),
            "attr": ("libattr", "libattr1", "1:"), "libseccomp": (None, "libseccomp2", ""), "bzip2": ("libs", "libbz2-1.0", "")}
# Words of the log that only a %check that ran has.
CHECKS = {"xxhash": r"make check", "jansson": r"^PASS: run-suites", "sed": r"^# PASS: +[1-9]\d\d", "attr": r"^# PASS: +\d|xattrs are probably not supported", "file": r"tests/.*check|Running test",
          "findutils": r"expected passes", "flex": r"^# PASS: +\d\d", "gzip": r"^# PASS: +\d\d", "libseccomp": r"tests passed: +\d\d\d", "patch": r"^# PASS: +\d\d"}
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
# Its spec has no patches: now those that git writes apply.
STRIP = """[[components.lz4.overlays]]
type = "spec-search-replace"
section = "%prep"
regex = '^%autosetup$'
replacement = "%autosetup -p1"
description = "patches are as git writes them"
"""


class Elf:
    """What readelf says of a linked file."""
    def __init__(self, path):
        self.path, self.text = path, run("readelf", "-W", "-h", "-l", "-d", "-n", "--dyn-syms", path).stdout

    def has(self, pattern):
        return re.search(pattern, self.text, re.M) is not None

    def faults(self, executable):
        wants = {"position independent": r"^\s*Type:\s+DYN", "RELRO": r"GNU_RELRO", "BIND_NOW": r"BIND_NOW|Flags:.*\bNOW\b", "IBT": r"x86 feature:.*\bIBT\b", "SHSTK": r"x86 feature:.*\bSHSTK\b",
                 "build id": r"Build ID: [0-9a-f]{40}", "no run path": None, "no executable stack": None}
        if executable:
            wants["PIE"] = r"Flags:.*\bPIE\b"
        out = [name for name, pattern in wants.items() if pattern and not self.has(pattern)]
        if self.has(r"\((RPATH|RUNPATH)\)"):
            out.append("run path")
        if re.search(r"GNU_STACK\s.*RWE", self.text):
            out.append("executable stack")
        return out


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
        started = time.monotonic()
        cls.result = {n: json.loads(cls.ashlar("--json", "component", "build", n, "--specs", SPECS, "-o", cls.packages / n).stdout) for n in cls.names}
        print(f"{len(cls.names)} specs built in {time.monotonic() - started:.0f} s", file=sys.stderr)

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
        for name in self.names:
            log = pathlib.Path(self.result[name][0]["log-file"] if isinstance(self.result[name], list) else self.result[name]["log-file"])
            log = log if log.is_absolute() else self.project / log
            if name in CHECKS:
                self.assertTrue(re.search(CHECKS[name], log.read_text(errors="replace"), re.M), f"{name}: {log}")

    def test_hardened(self):
        checked = 0
        for name in self.names:
            root, fortified, protected = self.unpacked(name), False, False
            for path in self.linked(name):
                elf = Elf(path)
                executable = ".so" not in path.name and elf.has(r"^\s*INTERP")
                self.assertEqual(elf.faults(executable), [], f"{name}: {path.relative_to(root)}")
                fortified = fortified or elf.has(r"_chk@GLIBC")
                protected = protected or elf.has(r"__stack_chk_fail@GLIBC")
                checked += 1
            self.assertTrue(fortified, f"{name}: no call of a fortified function")
            self.assertTrue(protected, f"{name}: no stack protector")
        self.assertGreater(checked, len(self.names))

    def test_compiled(self):
        """What each unit was compiled with, as the compiler wrote it into the debug information: the linker can be told to claim what no object has."""
        wanted = ("-O2", "-fstack-clash-protection", "-fstack-protector-strong", "-fcf-protection=full")
        probes = b"\x48\x83\x0c\x24\x00"  # orq $0, (%rsp): each page of a large frame is touched
        self.assertTrue(any(probes in p.read_bytes() for name in self.names for p in self.linked(name)))
        for name in self.names:
            units = []
            for path in (self.unpacked(name) / "usr/lib/debug").rglob("*.debug"):
                units += re.findall(r"DW_AT_producer\s*:.*?(GNU C\d+ .*)", run("readelf", "-wi", "--dwarf-depth=1", path).stdout)
            self.assertTrue(units, name)
            self.assertEqual({u for u in units if not all(w in u.split() for w in wanted)}, set(), name)

    def test_branch_targets(self):
        """Functions that others may call begin with the instruction that IBT asks for."""
        checked = 0
        for path in (p for name in self.names for p in self.linked(name) if ".so" in p.name):
            data, text = path.read_bytes(), run("readelf", "-W", "-l", "--dyn-syms", path).stdout
            loads = [[int(x, 16) for x in m] for m in re.findall(r"LOAD\s+0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)", text)]
            for address, symbol in re.findall(r"(\w{16})\s+\d+ FUNC\s+GLOBAL DEFAULT\s+\d+ (\S+)", text):
                offset = next(o + int(address, 16) - v for o, v, size in loads if v <= int(address, 16) < v + size)
                self.assertEqual(data[offset:offset + 4], b"\xf3\x0f\x1e\xfa", f"{path.name}: {symbol}")
                checked += 1
        self.assertGreater(checked, 100)

    def test_reproducible(self):
        """Built again with everything otherwise, the path too: debug information and build IDs do not follow from it."""
        if "xxhash" not in self.names:
            self.skipTest("one of CI's")
        done = json.loads(self.ashlar("--json", "component", "rebuild", "--verify", "xxhash", "--specs", SPECS).stdout)[0]
        self.assertEqual((done["reproducible"], done["differences"], "path" in done["varied"]), (True, [], True))
        self.assertTrue(any(p["kind"] == "debug" for p in done["packages"]))

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
                build_id = re.search(r"Build ID: (\w{2})(\w+)", Elf(path).text)
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
        print(f"from the overlay to packages, repository and image: {took:.1f} s", file=sys.stderr)

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
        self.assertLess(took, 600)

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
