"""Packages with scriptlets for tests, images of them, and the same packages installed by rpm: the judge."""
import hashlib
import json
import os
import pathlib
import pwd
import re
import shutil
import stat
import subprocess
import unittest

import rpmkit
from ashcli import ASHLAR

PROJECT = """[project]
default-distro = {{ name = "test", version = "1" }}
[distros.test]
description = "t"
default-version = "1"
[distros.test.versions."1"]
description = "t"
release-ver = "1"
[upstreams.up]
type = "rpm-md"
base-uri = "file://{up}"
disable-gpg-check = true
[images.one]
kind = "archive"
arches = ["{arch}"]
formats = ["tar"]
packages = [{packages}]
documentation = true
package-database = false
{keys}
"""
PROGRAMS = ("dash", "bash", "mkdir", "chmod", "chown", "ln", "rm", "mv", "cp", "touch", "cat", "id", "ls", "cut", "sort", "head", "sleep", "readlink", "install", "mkfifo", "sed", "grep", "hostname", "env", "stat", "date", "dd",
            "tr", "seq", "setcap", "getent", "uname", "wc", "mknod", "find", "setpriv")
DIRS = "usr usr/bin usr/sbin usr/lib usr/lib64 usr/share etc var var/lib var/tmp opt root run tmp proc dev"
LINKS = (("usr/bin", "bin"), ("usr/sbin", "sbin"), ("usr/lib", "lib"), ("usr/lib64", "lib64"))


def programs():
    """The host's own shell and tools as a package: path in the package -> path here."""
    found = {}
    for name in PROGRAMS:
        path = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")
        found[f"usr/bin/{name}"] = os.path.realpath(path)
        for line in subprocess.run(["ldd", path], capture_output=True, text=True).stdout.splitlines():
            library = next((w for w in line.split() if w.startswith("/")), None)
            if library:
                found[("usr" if not library.startswith("/usr") else "") + library] = os.path.realpath(library)
    return {k.lstrip("/"): v for k, v in found.items()}


def shell_package(kit):
    """Directories, links of the merged /usr, accounts, a shell and tools."""
    files = programs()
    lines = [f"cd %{{buildroot}}; mkdir -p {DIRS}"] + [f"ln -s {target} {link}" for target, link in LINKS]
    lines += [f"mkdir -p $(dirname {path}); cp -L {source} {path}; chmod 755 {path}" for path, source in files.items()]
    lines += ["ln -s dash usr/bin/sh", "ln -s setpriv usr/bin/setpriv-link", "printf 'root:x:0:0::/root:/bin/sh\\ndaemon:x:2:2::/:/bin/sh\\n' > etc/passwd", "printf 'root:x:0:\\ndaemon:x:2:\\nmail:x:8:\\n' > etc/group",
              "printf 'passwd: files\\ngroup: files\\n' > etc/nsswitch.conf"]
    listed = [f"%dir %attr(0755,root,root) /{d}" for d in DIRS.split() if d != "tmp"] + ["%dir %attr(1777,root,root) /tmp"] + [f"/{link}" for _, link in LINKS] + [f"/{path}" for path in files]
    listed += ["/usr/bin/sh", "/usr/bin/setpriv-link", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf"]
    return kit.build("shell", tags="Provides: /bin/sh /bin/bash /usr/bin/sh\nAutoReqProv: no", install="\n".join(lines), files="\n".join(listed), arch=os.uname().machine)


class ScriptKit:
    def __init__(self):
        self.kit = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        os.chmod(self.kit.dir, 0o755)
        self.rpms = {"shell": shell_package(self.kit)}

    def close(self):
        self.kit.close()

    def package(self, name, scripts, tags="", install="", files="", arch="noarch", version="1.0"):
        """scripts: the text of the spec's scriptlet sections."""
        rpm = self.kit.build(name, tags=f"AutoReqProv: no\n{tags}", install=install or "true", files=files, more=scripts, arch=arch, version=version)
        self.rpms[name] = rpm
        return rpm

    def project(self, dir, packages, keys="", arch="x86_64"):
        """A project with an image "one" of these packages, locked."""
        p = Project(self, dir)
        p.up.mkdir(parents=True)
        for name in packages:
            shutil.copy2(self.rpms[name], p.up)
        self.kit.run("createrepo_c", "-q", "--no-database", "--revision", "1700000000", "--set-timestamp-to-revision", p.up)
        p.path.mkdir()
        (p.path / "ashlar.toml").write_text(PROJECT.format(up=p.up, packages=", ".join(f'"{n}"' for n in packages), keys=keys, arch=arch))
        p.ashlar("lock")
        return p

    def rpm_root(self, root, packages):
        """What rpm makes of them: as root, in a mount namespace of its own; the output of its scriptlets comes back."""
        (root / "dev").mkdir(parents=True)
        for name, minor in (("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)):
            os.mknod(root / "dev" / name, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
            os.chmod(root / "dev" / name, 0o666)
        script = 'exec rpm --root "$0" -U --nodeps --nosignature --dbpath /rpmdb "$@"' # the packages in one transaction
        p = subprocess.run(["unshare", "-m", "-u", "sh", "-c", "hostname localhost; " + script, root, *(self.rpms[n] for n in packages)], env={**self.kit.env, "SYSTEMD_OFFLINE": "1", "LC_ALL": "C"}, capture_output=True, text=True, timeout=120)
        return p


class Project:
    def __init__(self, kit, dir):
        self.kit, self.dir, self.up, self.path = kit, dir, dir / "up", dir / "project"
        self.env = {**kit.kit.env, "ASHLAR_STORE": str(dir / "store")}
        self.env.pop("SOURCE_DATE_EPOCH")

    def ashlar(self, *args, status=0, env=None, prefix=(), **kw):
        p = subprocess.run([*prefix, ASHLAR, "-C", str(self.path), *map(str, args)], env=env or self.env, capture_output=True, text=True, timeout=300, **kw)
        assert p.returncode == status, f"{args}: exit status {p.returncode}\n{p.stdout}{p.stderr}"
        return p

    def dump(self, **kw):
        return parse_dump(self.ashlar("image", "dump", "one", **kw).stdout)

    def plan(self):
        return json.loads(self.ashlar("--json", "image", "plan", "one").stdout)


def plain(text):
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), text.encode()).decode()


def parse_dump(text):
    nodes = {}
    lines = text.splitlines()
    assert lines[0] == "# ashlar tree 1"
    for line in lines[1:]:
        f = [plain(x) for x in line.split(" ")]
        nodes[f[0]] = dict(type=f[1], mode=int(f[2], 8), ids=f[3], names=f[4], mtime=int(f[5]), origin=f[6], **dict(x.split("=", 1) for x in f[7:]))
    return nodes


def facts_of_dump(nodes):
    """path -> (type, mode, owner, target or digest, capability), hard links as sets of paths."""
    facts, groups = {}, {}
    for path, n in nodes.items():
        first = nodes[n["hard"]] if "hard" in n else n
        what = n.get("to") or (first.get("sha256") or hashlib.sha256(b"").hexdigest() if n["type"] == "file" else None)
        facts[path] = (n["type"], None if n["type"] == "link" else n["mode"], n["ids"], what, first.get("xattr.security.capability"))
        if n["type"] == "file":
            groups.setdefault(n.get("hard", path), set()).add(path)
    return facts, {frozenset(g) for g in groups.values() if len(g) > 1}


def facts_of_root(root, skip=("/rpmdb", "/dev/")):
    facts, inodes = {}, {}
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket", stat.S_IFCHR: "char", stat.S_IFBLK: "block"}
    for base, dirs, files in os.walk(root):
        for name in ["", *files, *dirs] if base == str(root) else files + dirs:
            p = pathlib.Path(base, name)
            rel = "/" + str(p.relative_to(root)) if name else "/"
            if rel.startswith(skip):
                continue
            s = p.lstat()
            kind, caps, what = kinds[stat.S_IFMT(s.st_mode)], None, None
            if kind == "link":
                what = os.readlink(p)
            if kind == "file":
                what = hashlib.sha256(p.read_bytes()).hexdigest()
                inodes.setdefault(s.st_ino, set()).add(rel)
                try:
                    caps = os.getxattr(p, "security.capability").hex()
                except OSError:
                    pass
            facts[rel] = (kind, None if kind == "link" else stat.S_IMODE(s.st_mode), f"{s.st_uid}:{s.st_gid}", what, caps)
    return facts, {frozenset(g) for g in inodes.values() if len(g) > 1}


class Case(unittest.TestCase):
    maxDiff = 6000

    @classmethod
    def setUpClass(cls):
        name = pwd.getpwuid(os.getuid()).pw_name
        if os.geteuid() and not any(line.startswith((f"{name}:", f"{os.getuid()}:")) for line in pathlib.Path("/etc/subuid").read_text().splitlines()):
            raise unittest.SkipTest("this user has no range of subordinate ids")
        cls.kit = ScriptKit()

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def setUp(self):
        self.dir = self.kit.kit.dir / self.id().rsplit(".", 1)[-1]
        self.dir.mkdir()

    def as_rpm(self, packages, keys="", intended=()):
        """The same tree from both; returns Ashlar's nodes and rpm's process."""
        project = self.kit.project(self.dir / "p", packages, keys)
        nodes = project.dump()
        if os.geteuid():
            return nodes, None
        judge = self.kit.rpm_root(self.dir / "root", packages)
        have, have_links = facts_of_dump(nodes)
        want, want_links = facts_of_root(self.dir / "root")
        for path in [p for p in {**have, **want} if p in intended or nodes.get(p, {}).get("origin", "").startswith("handler:")]:
            have.pop(path, None)
            want.pop(path, None)
        for path in sorted(set(have) | set(want)):
            self.assertEqual(have.get(path), want.get(path), f"{path}: {nodes.get(path)}\n{judge.stdout}{judge.stderr}")
        self.assertEqual(have_links, want_links)
        return nodes, judge
