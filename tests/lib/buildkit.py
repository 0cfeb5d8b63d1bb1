"""Projects whose components are built in a buildroot of the host's own shell, tools and rpmbuild, packaged: no network, no archive."""
import json, os, pathlib, shutil, subprocess

import rpmkit, scriptkit
from ashcli import ASHLAR

MORE = ("rpmbuild", "rpm", "rpmspec", "awk", "tar", "gzip", "xz", "bzip2", "file", "nproc", "expr", "sleep", "yes", "ps", "kill", "true", "false", "test", "basename", "dirname", "xargs", "diff", "cmp", "patch", "tail", "printf",
        "whoami", "mktemp", "rmdir", "egrep", "fgrep", "uniq", "tee", "timeout", "od", "make", "bunzip2", "zstd", "cpio", "getconf", "arch")
TREES = ("/usr/lib/rpm", "/usr/share/misc/magic.mgc", "/usr/lib/file/magic.mgc", "/etc/magic", "/usr/share/perl", "/etc/rpm")
PROJECT = """[project]
description = "test"
output-dir = "out"
default-distro = {{ name = "test", version = "1" }}
overlay-semantics = "strict"
[distros.test]
description = "t"
default-version = "1"
[distros.test.versions."1"]
description = "t"
release-ver = "1"
[upstreams.up]
type = "rpm-md"
default = true
base-uri = "file://{up}"
disable-gpg-check = true
[upstreams.built]
type = "components"
[build]
packages = ["toolbox"]
upstreams = ["built", "up"]
timeout = {timeout}
disk = "256M"
log-limit = "1M"
{more}
"""
SPEC = """%global debug_package %{{nil}}
%global __os_install_post %{{nil}}
Name: {name}
Version: 1.0
Release: 1
Summary: a test
License: MIT
{tags}
%description
A test.
%prep
{prep}
%build
{build}
%install
mkdir -p %{{buildroot}}/usr/share
{install}
%check
{check}
%files
{files}
%changelog
* Thu Jan 02 2025 Some One <one@example.org> - 1.0-1
- first
"""


def toolbox(kit):
    """One package with all that rpmbuild needs."""
    real, scriptkit.PROGRAMS = scriptkit.PROGRAMS, tuple(p for p in (*scriptkit.PROGRAMS, *MORE) if shutil.which(p, path="/usr/bin:/usr/sbin:/bin:/sbin"))
    try:
        files = scriptkit.programs()
    finally:
        scriptkit.PROGRAMS = real
    lines = [f"cd %{{buildroot}}; mkdir -p {scriptkit.DIRS}"] + [f"ln -s {target} {link}" for target, link in scriptkit.LINKS]
    lines += [f"mkdir -p $(dirname {path}); cp -L {source} {path}; chmod 755 {path}" for path, source in files.items()]
    lines += [f"mkdir -p .$(dirname {t}); cp -aL {t} .{t} 2>/dev/null || :" for t in TREES if os.path.exists(t)]
    lines += ["mkdir -p usr/lib/x86_64-linux-gnu; cp -aL /usr/lib/*/rpm-plugins usr/lib/ 2>/dev/null || :", "ln -sf dash usr/bin/sh", "printf 'root:x:0:0::/root:/bin/sh\\n' > etc/passwd", "printf 'root:x:0:\\n' > etc/group",
              "printf 'passwd: files\\ngroup: files\\n' > etc/nsswitch.conf", "mkdir -p usr/share/toolbox; echo base > usr/share/toolbox/base", "chmod 1777 tmp var/tmp; chmod -R u+rwX,go+rX usr etc"]
    listed = [f"/{link}" for _, link in scriptkit.LINKS] + ["/usr", "/etc", "/var", "/opt", "/root", "/run", "/proc", "/dev", "%dir %attr(1777,root,root) /tmp"]
    more = "%global __os_install_post %{nil}\n%global debug_package %{nil}\n"
    return kit.build("toolbox", payload="w1.zstdio", tags=f"{more}Provides: /bin/sh, /bin/bash, /usr/bin/sh, rpm-build\nAutoReqProv: no", install="\n".join(lines), files="\n".join(listed), arch=os.uname().machine)


class BuildKit:
    def __init__(self):
        self.kit = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        os.chmod(self.kit.dir, 0o755)
        self.up = self.kit.dir / "up"
        self.up.mkdir()
        self.store = self.kit.dir / "store"
        shutil.copy2(toolbox(self.kit), self.up)
        for name in ("extra", "further"):
            path = f"/usr/share/{name}/here"
            shutil.copy2(self.kit.build(f"{name}-devel", tags=f"Provides: pkgconfig({name}) = 2.0", install=f"mkdir -p %{{buildroot}}/usr/share/{name}; echo {name} > %{{buildroot}}{path}", files=path), self.up)
        self.kit.run("createrepo_c", "-q", "--no-database", "--revision", "1700000000", "--set-timestamp-to-revision", self.up)

    def close(self):
        self.kit.close()

    def project(self, name, timeout=60, more=""):
        return Project(self, self.kit.dir / name, timeout, more)


class Project:
    def __init__(self, kit, path, timeout, more):
        self.kit, self.path, self.timeout, self.more, self.components = kit, path, timeout, more, {}
        self.env = {**kit.kit.env, "ASHLAR_STORE": str(kit.store)}
        self.env.pop("SOURCE_DATE_EPOCH")
        path.mkdir()

    def component(self, name, keys="", sources=None, spec=None, **parts):
        """Declares a component with a spec of these sections."""
        folder = self.path / "specs" / name
        folder.mkdir(parents=True, exist_ok=True)
        filled = {"tags": "BuildArch: noarch", "prep": "true", "build": "true", "install": f"echo hello > %{{buildroot}}/usr/share/{name}", "check": "true", "files": f"/usr/share/{name}", **parts}
        (folder / f"{name}.spec").write_text(spec if spec is not None else SPEC.format(name=name, **filled))
        for file, text in (sources or {}).items():
            (folder / file).write_text(text)
        self.components[name] = keys
        self.write()

    def write(self):
        text = PROJECT.format(up=self.kit.up, timeout=self.timeout, more=self.more)
        for name, keys in self.components.items():
            text += f'[components.{name}]\nspec = {{ type = "local", path = "specs/{name}/{name}.spec" }}\n{keys}\n'
        (self.path / "ashlar.toml").write_text(text)

    def ashlar(self, *args, status=0, env=None, prefix=(), timeout=300, **kw):
        p = subprocess.run([*prefix, ASHLAR, "-C", str(self.path), *map(str, args)], env=env or self.env, capture_output=True, text=True, timeout=timeout, **kw)
        assert status is None or p.returncode == status, f"{args}: exit status {p.returncode}\n{p.stdout}{p.stderr}"
        return p

    def lock(self):
        self.ashlar("lock")

    def build(self, *names, status=0, **kw):
        return self.ashlar("component", "build", *names, status=status, **kw)

    def built(self, *args, **kw):
        """The result as JSON."""
        return json.loads(self.ashlar("--json", "component", "build", *args, **kw).stdout)

    def log(self, name):
        return (self.path / "out/logs" / f"{name}.log").read_text(errors="replace")

    def blob(self, digest):
        return pathlib.Path(self.env["ASHLAR_STORE"]) / "blobs/sha256" / digest[:2] / digest
