"""Images against dnf: the packages of a set through `dnf --installroot`, then what the real tools make of the root (imported Debian packages carry no scripts), and through Ashlar. Needs root (a
mount namespace of its own) and the network for the sets of Debian's packages."""
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tarfile
import tomllib
import unittest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "lib"))
import fedoraset  # noqa: E402
import fedoraset2  # noqa: E402
import oracle  # noqa: E402
import rpmkit  # noqa: E402
from oracle import run  # noqa: E402

ASHLAR = os.environ["ASHLAR"]
DISTRO = pathlib.Path(os.environ["DISTRO"])
RULES = HERE.parent / "oracle/differences.toml"

# What the packages' maintainer scripts call at the end, in this order, as commands within the root; each only where its tool is in the root.
ACCOUNTS = [("/usr/bin/systemd-sysusers",), ("/usr/sbin/pwconv",), ("/usr/sbin/grpconv",)]
SHADOW_OF_A_PACKAGE = ["fedora-like", "fedora-more"]
TOOLS = [
    ("/usr/bin/systemd-hwdb", "--usr", "update"),
    ("/usr/bin/bash", "-c", "'for k in /usr/lib/modules/*; do [ ! -d $k ] || depmod ${k##*/}; done'"),
    ("/usr/bin/journalctl", "--update-catalog"),
    ("/usr/sbin/augenrules",),
    ("/usr/bin/systemctl", "preset-all"),
    ("/usr/bin/systemctl", "--global", "preset-all"),
    ("/usr/bin/systemd-tmpfiles", "--create", "--exclude-prefix=/run", "--exclude-prefix=/tmp", "--exclude-prefix=/dev", "--exclude-prefix=/proc", "--exclude-prefix=/sys"),
]


class Judge(unittest.TestCase):
    """The comparison itself: it sees each kind of difference, and no rule hides more than it says."""
    DUMP = """# ashlar tree 1
/ dir 0755 0:0 root:root 1 implied:
/a file 4755 0:5 root:tty 1 package:p-1-1.noarch size=1 sha256=11 xattr.security.capability=0100
/b link 0777 0:0 root:root 1 package:p-1-1.noarch to=a\\x20b
/c file 4755 0:5 root:tty 1 package:p-1-1.noarch hard=/a
/d dir 0700 0:0 root:root 1 handler:h
"""

    def found(self, change, rules=""):
        file = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "rules.toml"
        file.write_text("difference = []\n" if not rules else rules)
        return oracle.compare(oracle.of_dump(self.DUMP), oracle.of_dump(change(self.DUMP)), oracle.Rules(file, "s"))

    def test_sees(self):
        self.assertEqual(self.found(lambda d: d), [])
        for old, new, what in (("/a file 4755", "/a file 0755", "/a: mode"), ("root:tty", "tty:tty", "/a: user"), ("root:tty", "root:root", "/a: group"), ("sha256=11", "sha256=12", "/a: content"),
                               ("=0100", "=0200", "/a: capability"), ("to=a\\x20b", "to=ab", "/b: link"), (" hard=/a", " size=1 sha256=11", "/a: hardlinks"), ("/d dir 0700", "/d file 0700", "/d: type"),
                               ("/d dir", "/e dir", "/d: not made by Ashlar")):
            found = self.found(lambda d: d.replace(old, new))
            self.assertTrue(any(f.startswith(what) for f in found), (what, found))

    def test_rules(self):
        rule = '[[difference]]\nsets = ["s"]\npaths = ["%s"]\n%s\nreason = "because it is so in this test"\n'
        self.assertEqual(self.found(lambda d: d.replace("/d dir 0700", "/d dir 0755"), rule % ("/d", 'fields = ["mode"]')), [])
        self.assertEqual(len(self.found(lambda d: d.replace("/d dir 0700", "/d dir 0755"), rule % ("/d", 'fields = ["link"]'))), 2)
        self.assertIn("explains nothing", self.found(lambda d: d, rule % ("/d", 'only = "dnf"'))[0])
        for path, what in (("/*", 'only = "dnf"'), ("/usr/**", 'only = "dnf"'), ("/d", 'only = "us"'), ("/d", 'fields = ["size"]'), ("/d", "")):
            with self.assertRaises(AssertionError):
                self.found(lambda d: d, rule % (path, what))


@unittest.skipUnless(os.geteuid() == 0, "dnf --installroot with scripts needs root")
class Oracle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        cls.temp = tempfile.TemporaryDirectory(prefix="ashlar-oracle-", dir=base)
        cls.dir = pathlib.Path(cls.temp.name)
        cls.project = cls.dir / "distro"
        shutil.copytree(DISTRO, cls.project, ignore=shutil.ignore_patterns("ashlar.lock"))
        cls.store = os.environ.get("ASHLAR_TEST_STORE") or cls.dir / "store"
        home = cls.dir / "home"
        home.mkdir()
        # Debian's rpm keeps its database in the home of whoever calls it.
        cls.macros = home / ".rpmmacros"
        cls.env = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "1700000000"}
        cls.lock_again()

    @classmethod
    def tearDownClass(cls):
        cls.temp.cleanup()

    @classmethod
    def ashlar(cls, *args):
        return run([ASHLAR, "-C", cls.project, "--store", cls.store, *args], env={**cls.env, "ASHLAR_APT_MIRROR": os.environ.get("ASHLAR_APT_MIRROR", "")} if os.environ.get("ASHLAR_APT_MIRROR") else cls.env).stdout

    def packages(self, image):
        """RPM files of the locked set, linked into a folder; their digests are the lock's."""
        folder = self.dir / f"{image}-rpms"
        folder.mkdir()
        of = {p["nevra"]: p for p in self.lock["packages"]}
        locked = next(s for s in self.lock["sets"] if s["kind"] == "image" and s["name"] == image and s["arch"] == "x86_64")
        chosen = locked["packages"]
        for nevra in chosen:
            digest = of[nevra]["sha256"]
            shutil.copy(pathlib.Path(self.store) / "blobs/sha256" / digest[:2] / digest, folder / f"{nevra.replace(':', '_')}.rpm")
        run(["createrepo_c", "-q", folder], env=self.env)
        return folder, chosen, locked["user"]

    def judge(self, image):
        folder, chosen, asked = self.packages(image)
        self.macros.write_text("%_dbpath /usr/lib/sysimage/rpm\n")
        root = self.dir / f"{image}-root"
        root.mkdir()
        os.chmod(root, 0o755)
        (self.dir / "dnf-log").mkdir(exist_ok=True)
        (root / "etc").mkdir()
        if not any(n.startswith("base-passwd-") for n in chosen):
            self.accounts(image, root)
        script = self.dir / f"{image}.sh"
        names = " ".join(f"'{name}'" for name in asked)
        log = f"{self.dir}/{image}.log"
        lines = ["set -eu", "umask 022",
                 # As a builder of images has them: what scriptlets need to run, and what no image ships.
                 f"mkdir -m 0555 {root}/proc; mkdir {root}/dev {root}/run; mount -t proc proc {root}/proc; mount -t tmpfs -o mode=0755 dev {root}/dev; mount -t tmpfs -o mode=0755 run {root}/run",
                 f"for d in null zero full random urandom; do touch {root}/dev/$d; mount --bind /dev/$d {root}/dev/$d; done; ln -s /proc/self/fd {root}/dev/fd",
                 f"dnf -q -y --noplugins --repofrompath=set,file://{folder} --repo set --nogpgcheck --installroot {root} --releasever 1 --setopt=install_weak_deps=0 "
                 f"--setopt=tsflags=nodocs --setopt=cachedir={self.dir}/dnf-cache --setopt=logdir={self.dir}/dnf-log --setopt=reposdir=/nonexistent install {names} >{log} 2>&1 "
                 f"|| {{ cat {log}; exit 1; }}"]

        def tool(program, *args):
            return (f"[ ! -x {root}{program} ] || chroot {root} /usr/bin/env -i PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 SYSTEMD_OFFLINE=1 SOURCE_DATE_EPOCH=1700000000 {program} {' '.join(args)} >>{log} 2>&1 "
                    f"|| echo 'failed: {program}' >&2")
        lines += [tool(*t) for t in ACCOUNTS]
        lines += [f"[ -e {root}/usr/sbin/pwconv ] || [ ! -e {root}/etc/passwd ] || {{ pwconv -R {root}; grpconv -R {root}; }}"]
        for name, user in self.definition(image).get("users", {}).items():
            if user.get("shell") and any(n.startswith("base-passwd-") for n in chosen):
                lines.append(f"usermod -R {root} -s {user['shell']} {name}")
        if any(n.startswith("base-passwd-") for n in chosen) and image not in SHADOW_OF_A_PACKAGE:  # as the postinst of Debian's passwd does
            lines.append(f"for f in shadow gshadow; do chgrp $(sed -n 's/^shadow:[^:]*:\\([0-9]*\\):.*/\\1/p' {root}/etc/group) {root}/etc/$f; chmod 0640 {root}/etc/$f; done")
        # Owners by name of packages without scripts: rpm looked them up while the accounts were still being made.
        lines += [f"rpm --root {root} {option} $(rpm --root {root} -qa | grep -v '[.]fc43[.]') >>{log} 2>&1 || true" for option in ("--setugids", "--setperms", "--setcaps")]
        lines += [tool(*t) for t in TOOLS]
        lines += [f"[ ! -e {root}/usr/lib/x86_64-linux-gnu/libc.so.6 ] || ldconfig -X -r {root}"]
        # It calls openssl, which need not be in the root: the host's own over the root's directories.
        ca = f"{root}/usr/share/ca-certificates"
        lines += [f"if [ -d {ca} ]; then (cd {ca}; find . -name '*.crt' | sed 's,^[.]/,,' | LC_ALL=C sort) > {root}/etc/ca-certificates.conf; mkdir -p {root}/etc/ssl/certs {self.dir}/hooks",
                  f"update-ca-certificates --certsconf {root}/etc/ca-certificates.conf --certsdir {ca} --localcertsdir {root}/usr/local/share/ca-certificates --etccertsdir {root}/etc/ssl/certs "
                  f"--hooksdir {self.dir}/hooks >>{log} 2>&1",
                  f"find {root}/etc/ssl/certs -type l -lname '{root}/*' | while read -r l; do t=$(readlink \"$l\"); ln -sfn \"${{t#{root}}}\" \"$l\"; done; fi"]
        script.write_text("\n".join(lines) + "\n")
        p = run(["unshare", "--mount", "--pid", "--fork", "sh", script], env=self.env)
        self.assertEqual(p.stderr.count("failed: "), 0, p.stderr + pathlib.Path(log).read_text()[-3000:])
        return root

    def accounts(self, image, root):
        """The definition's accounts, by systemd-sysusers before anything else: rpm looks names up while it unpacks."""
        conf = self.dir / f"{image}.conf"
        definition = self.definition(image)
        conf.write_text("".join(f'g {name} {g.get("gid", "-")}\n' for name, g in definition.get("groups", {}).items()) +
                        "".join(f'u {name} {u.get("uid", "-")} "{u.get("comment", "")}" {u.get("home", "-")} {u.get("shell", "-")}\n' for name, u in definition.get("users", {}).items()))
        run(["systemd-sysusers", "--root", root, conf], env=self.env)

    def definition(self, image):
        """As it stands, with what it inherits of accounts."""
        said = {}
        for file in [self.project / "ashlar.toml", *(self.project / "images").glob("*.toml")]:
            said.update(tomllib.loads(file.read_text()).get("images", {}))
        whole = {"users": {}, "groups": {}}
        for name in [*said.get(image, {}).get("inherits", []), image]:
            for kind in whole:
                whole[kind].update(said[name].get(kind, {}))
        return whole

    def same(self, path, root, ours):
        """Files whose bytes may differ, compared by what their tool reads in them. None: no such file."""
        mine = self.dir / "mine"
        theirs = root / path[1:]
        if path in ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"):
            # Numbers of sysusers.d that are not given are chosen otherwise (from the lock): the rest must be equal.
            fixed = {"user": {i for i in oracle.accounts(root / "etc/passwd") if i < 100 or i == 65534}, "group": {i for i in oracle.accounts(root / "etc/group") if i < 100 or i == 65534}}
            kind = path[5:]
            return oracle.normal_accounts(kind, theirs.read_text(), fixed), oracle.normal_accounts(kind, ours.decode(), fixed)
        mine.write_bytes(ours)
        if path == "/etc/ld.so.cache":
            # The first line says where the file is, the last which ldconfig made it.
            return [run(["ldconfig", "-p", "-C", file]).stdout.splitlines()[1:-1] for file in (theirs, mine)]
        if path == "/etc/ca-certificates.conf":
            return [[line for line in file.read_text().splitlines() if not line.startswith("#")] for file in (theirs, mine)]
        if path.startswith("/usr/lib/modules/") and path.endswith(".bin"):
            return oracle.kmod_index(theirs.read_bytes()), oracle.kmod_index(ours)
        if path.endswith("/history.sqlite"):
            query = "SELECT r.name, r.epoch, r.version, r.release, r.arch, t.action, t.reason FROM trans_item t JOIN rpm r USING (item_id) ORDER BY 1, 5"
            return [sqlite3.connect(f"file:{file}?mode=ro&immutable={int(file == mine)}", uri=True).execute(query).fetchall() for file in (theirs, mine)]
        if path.endswith("/rpmdb.sqlite"):
            db = self.dir / "db"
            db.mkdir(exist_ok=True)
            shutil.copy(mine, db / "rpmdb.sqlite")
            query = "[%{NAME} %{EPOCH} %{VERSION}-%{RELEASE}.%{ARCH} %{SHA256HEADER} %{FILENAMES} %{FILESTATES} %{FILEFLAGS}\n]%{NAME} %{SHA256HEADER} %{PROVIDES} %{REQUIRES}\n"
            return [sorted(run(["rpm", *where, "-qa", "--qf", query], env=self.env).stdout.splitlines()) for where in (["--root", root], ["--dbpath", db])]
        return None

    def compare(self, image):
        root = self.judge(image)
        text = self.ashlar("image", "dump", image, "--arch", "x86_64")
        (self.dir / f"{image}.dump").write_text(text)
        self.ashlar("image", "write", self.dir / f"{image}.dump", self.dir / f"{image}.tar", "--compression", "none")
        theirs, ours = oracle.of_root(root), oracle.of_dump(text)
        rules, wrong = oracle.Rules(RULES, image), []
        with tarfile.open(self.dir / f"{image}.tar") as tar:
            for path in sorted(theirs.keys() & ours.keys()):
                if theirs[path]["content"] and theirs[path]["content"] != ours[path]["content"]:
                    both = self.same(path, root, tar.extractfile(path[1:]).read())
                    if both and both[0] == both[1]:
                        theirs[path]["content"] = ours[path]["content"]
                    elif both:
                        wrong.append(f"{path}: only dnf has {sorted(set(both[0]) - set(both[1]))[:9]}, only Ashlar {sorted(set(both[1]) - set(both[0]))[:9]}, else order or number")
        found = wrong + oracle.compare(theirs, ours, rules)
        self.assertGreater(len(ours), 100)
        if os.environ.get("ORACLE_KEEP"):
            run(["cp", "-a", root, os.environ["ORACLE_KEEP"]])
            run(["cp", self.dir / f"{image}.tar", os.environ["ORACLE_KEEP"] + ".tar"])
        self.assertEqual(found, [], f"{len(found)} differences without a reason:\n" + "\n".join(found[:400]))

    BASE = ["base-files", "bash", "coreutils", "findutils", "grep", "sed", "libc-bin", "passwd", "systemd", "util-linux", "libcap2-bin", "base-passwd"]

    def compare_fedora(self, image, tools, build, least):
        """Debian's tools and packages of the test, made by build(kit, paths that the tools have)."""
        definition = "[images.tools]\nkind = \"container\"\narches = [\"x86_64\"]\npackages = %s\n"
        file = self.project / "images/fx.toml"
        file.write_text(definition % json.dumps(tools))
        self.addCleanup(file.unlink)
        self.lock_again()
        folder, *_ = self.packages("tools")
        self.addCleanup(shutil.rmtree, folder)
        taken = set(run(["rpm", "-qpl", *folder.glob("*.rpm")], env=self.env).stdout.split("\n"))
        kit = rpmkit.Kit(self.dir)
        self.addCleanup(kit.close)
        rpms, names, hooks = build(kit, taken)
        self.assertGreater(hooks, least)
        run(["createrepo_c", "-q", kit.dir / "rpms"], env=self.env)
        file.write_text(f'[upstreams.fx]\ntype = "rpm-md"\nbase-uri = "file://{kit.dir}/rpms"\ndisable-gpg-check = true\n' + (definition % json.dumps(tools + names)).replace("images.tools", f"images.{image}") +
                        'upstreams = ["debian-13", "fx"]\nexclude-packages = ["dash"]\n')
        self.lock_again()
        self.compare(image)

    def test_fedora_like(self):
        """Scriptlets and triggers as Fedora's packages have them, by dnf and by handlers and sandbox."""
        corpus = pathlib.Path(os.environ["ASHLAR_SHARED"]) / "corpus/scriptlets/scriptlets.json"
        self.compare_fedora("fedora-like", self.BASE, lambda kit, taken: fedoraset.build(kit, corpus, taken), 80)

    def test_fedora_more(self):
        """More of them, of packages that the corpus has not."""
        self.compare_fedora("fedora-more", self.BASE + fedoraset2.TOOLS, fedoraset2.build, 65)

    @classmethod
    def lock_again(cls):
        cls.ashlar("lock")
        cls.lock = tomllib.loads((cls.project / "ashlar.lock").read_text())

    def test_server_set(self):
        """The packages of the server; its definition's own files are another test's."""
        server = tomllib.loads((self.project / "images/server.toml").read_text())["images"]["server"]
        file = self.project / "images/set.toml"
        file.write_text(f'[images.server-set]\nkind = "container"\narches = ["x86_64"]\nupstreams = {json.dumps(server["upstreams"])}\npackages = {json.dumps(server["packages"])}\n')
        self.addCleanup(file.unlink)
        self.lock_again()
        self.compare("server-set")

    def test_distroless(self):
        self.compare("container-distroless-base")

    def test_container_base(self):
        self.compare("container-base")


if __name__ == "__main__":
    unittest.main()
