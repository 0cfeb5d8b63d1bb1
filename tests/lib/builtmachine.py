"""A machine whose packages were partly built here, in place of imported ones: what it is made of, what must be true of it, and that the same is not true of one with the imported packages."""
import hashlib, json, pathlib, re, subprocess, sys

# A small system that starts, with programs that use what is built: apt LZ4 and xxHash, nftables Jansson, coreutils libattr, rpm libmagic and libbz2, systemd libseccomp.
SYSTEM = ["base-files", "base-passwd", "bash", "dash", "coreutils", "debianutils", "libc-bin", "systemd", "systemd-sysv", "udev", "dbus-broker", "libpam-systemd", "passwd", "login", "util-linux", "mount", "kmod", "grep",
          "gawk", "e2fsprogs", "rpm", "apt", "nftables"]
STARTS = ["linux-image-cloud-amd64", "systemd-boot", "systemd-boot-efi", "ashlar-boot"]
DEFINITION = """
[images.machine]
kind = "disk"
formats = ["qcow2"]
arches = ["x86_64"]
upstreams = ["built", "debian-13", "ashlar"]
packages = %s
login = "none"
hostname = "built"
kernel-command-line = ["console=ttyS0", "quiet", "no_timer_check"]
partitions = [{ type = "esp" }, { type = "root", margin = "100M", grow = false }]
[images.machine.files."/etc/machine-id"]
content = ""
reason = "made at the first boot"
[images.machine.files."/usr/lib/systemd/system-preset/50-test.preset"]
content = "enable dbus-broker.service\\ndisable *"
reason = "nothing runs but what is looked at"

# The same system, and no package of ours.
[images.imported]
kind = "directory"
arches = ["x86_64"]
upstreams = ["debian-13"]
packages = %s
"""
CHECK = """[[images.machine.checks]]
name = %s
run = %s
output = %s
"""
# Programs, a library that they are linked with, and the package of ours that has it.
USES = {"lz4": [("apt-get", "liblz4.so.1", "lz4-libs")], "xxhash": [("apt-get", "libxxhash.so.0", "xxhash-libs")], "jansson": [("nft", "libjansson.so.4", "jansson")], "attr": [("cp", "libattr.so.1", "libattr")],
        "bzip2": [("rpm", "libbz2.so.1.0", "bzip2-libs"), ("bzip2", "libbz2.so.1", "bzip2-libs")], "file": [("rpmbuild", "libmagic.so.1", "file-libs"), ("file", "libmagic.so.1", "file-libs")]}
# A command that does something with each, and what it says.
WORKS = {
    "lz4": ('lz4 --version && test "$(lz4 -qc /usr/bin/bash | lz4 -qdc | sha256sum)" = "$(sha256sum </usr/bin/bash)" && echo equal', "^equal$"),
    "xxhash": ("printf abc | xxhsum -H64", "^44bc2cf5ad770999 "),
    "jansson": ("nft -j list tables", '"metainfo"'),
    "sed": ("sed --version && echo built | sed -E 's/(b)(.*)/\\2 \\1/'", "^uilt b$"),
    "attr": ("cd /var/tmp && touch a && setfattr -n user.k -v value a && cp --preserve=xattr a b && getfattr --only-values -n user.k b", "^value"),
    "file": ("file -b /usr/bin/bash", "^ELF 64-bit.*pie"),
    "findutils": ("find /etc -maxdepth 1 -name os-release | xargs echo found", "^found /etc/os-release$"),
    "flex": ("printf '%%%%\\n' | flex -t | grep -c yylex", "^[1-9]"),
    "patch": ("cd /var/tmp && echo a >c && printf '1c1\\n< a\\n---\\n> b\\n' | patch c && cat c", "^b$"),
    "gzip": ('test "$(gzip -c /usr/bin/bash | gzip -dc | sha256sum)" = "$(sha256sum </usr/bin/bash)" && echo equal', "^equal$"),
    "bzip2": ('test "$(bzip2 -c /usr/bin/bash | bzip2 -dc | sha256sum)" = "$(sha256sum </usr/bin/bash)" && echo equal', "^equal$"),
    "libseccomp": ("systemd-run -q --wait -p 'SystemCallFilter=~mkdir mkdirat' mkdir /run/filtered; test ! -e /run/filtered && echo filtered", "^filtered$"),
}


def definition(names):
    return DEFINITION % (json.dumps(SYSTEM + STARTS + names), json.dumps(SYSTEM + names))


class BuiltMachine:
    """For a test with self.names, self.ashlar(), self.rpms(), self.query(), self.unpacked(), self.project."""
    machine_names, replaced = [], []  # components, and the imported packages that they stand in place of under other names

    def inside(self):
        """What the machine has of ours: names of packages, and linked files with the SHA-256 that they have in what was built."""
        packages, files = set(), {}
        origins = {f[0]: f[6] for f in (line.split(" ") for line in self.ashlar("image", "dump", "machine").stdout.splitlines()[1:])}
        for name in self.machine_names:
            built = {"package:" + self.query(rpm, "--qf=%{NEVRA}")[0]: self.query(rpm, "--qf=%{NAME}")[0] for rpm in self.rpms(name)}
            there = {origin: package for origin, package in built.items() if origin in origins.values()}
            self.assertTrue(there, f"nothing of {name} is in the machine")
            packages |= set(there.values())
            root = self.unpacked(name)
            for path in root.rglob("*"):
                inner = "/" + str(path.relative_to(root))
                if origins.get(inner) in there and path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF":
                    files[inner] = hashlib.sha256(path.read_bytes()).hexdigest()
        self.assertGreaterEqual(len(files), len(self.machine_names))
        return " ".join(sorted(packages)), files

    def proofs(self, packages, files):
        """Name, command, pattern of its output: true only where our packages are installed and used."""
        yield "our packages are installed", f"rpm -q --qf '%{{vendor}}/%{{release}}\\n' {packages} | grep -vc '^Ashlar Linux/[0-9]*[.]ashlar1$'; true", "^0$"
        yield "those in whose place they stand are not", f"rpm -qa {' '.join(self.replaced)} | wc -l", "^0$"
        sums = "".join(f"{digest}  {path}\n" for path, digest in sorted(files.items()))
        yield "files are those that were built", f"sha256sum -c --quiet <<'END' && echo equal\n{sums}END\n", "^equal$"
        for program, library, package in (use for name in self.machine_names for use in USES.get(name, [])):
            yield (f"{program} uses {library} of {package}", f"f=$(ldd $(command -v {program}) | awk '$1 == \"{library}\" {{ print $3 }}') && rpm -qf --qf '%{{name}} %{{release}}\\n' $(realpath $f)", f"^{package} [0-9]+[.]ashlar1$")

    def works(self, packages):
        yield "files are as their packages have them", f"rpm -V {packages} && echo verified", "^verified$"
        for name in self.machine_names:
            yield (f"{name} works", *WORKS[name])

    def holds(self, root, command, pattern):
        """The same check in a tree that does not run."""
        p = subprocess.run(["bwrap", "--bind", root, "/", "--unshare-all", "--proc", "/proc", "--dev", "/dev", "--setenv", "PATH", "/usr/sbin:/usr/bin", "/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return p.returncode == 0 and re.search(pattern, p.stdout, re.M) is not None

    def check_machine(self):
        self.ashlar("-q", "lock")
        packages, files = self.inside()
        proofs, works = list(self.proofs(packages, files)), list(self.works(packages))
        with open(self.project / "specs.toml", "a") as f:
            f.writelines(CHECK % tuple(map(json.dumps, check)) for check in proofs + works)
        self.ashlar("-q", "image", "build", "machine", "imported")
        root = self.dir / "out/images/imported/imported-x86_64"
        self.assertEqual([name for name, command, pattern in proofs if self.holds(root, command, pattern)], [], "true of the imported packages, too")
        p = self.ashlar("--json", "image", "test", "machine", check=False)
        self.assertIn(p.returncode, (0, 1), p.stderr)
        result = json.loads(p.stdout)
        log = pathlib.Path(result["log"]).read_text(errors="replace")[-4000:] if "log" in result else ""
        self.assertEqual([c for c in result["checks"] if not c["good"]], [], log)
        names = [c["name"] for c in result["checks"]]
        self.assertEqual([name for name, *_ in proofs + works if name not in names], [])
        self.assertIn("system is running", names)
        print(f"a machine with {packages} ({len(files)} programs and libraries): login after {result.get('login-seconds', 0):.0f} s ({result['accel']}), {len(names)} checks", file=sys.stderr)
