"""Handlers whose real tools are not on a Debian 12 machine: authselect (Debian 13) and dnf 5 (Debian's next release), in images of them that Ashlar makes; the tools run in these, as root in a mount namespace.
Needs the archive of the apt upstream: ASHLAR_TEST_STORE may name a store that has the packages already; without network and store the tests are skipped."""
import os, pathlib, re, shutil, sqlite3, subprocess, sys, tempfile, tomllib, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import rpmkit  # noqa: E402
from ashcli import ASHLAR  # noqa: E402
from handlerkit import TOOL  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
PROJECT = """
[upstreams.debian-next]
type = "apt"
description = "What comes after Debian 13"
suite = "forky"
components = ["main"]
arches = ["x86_64"]
names = "names.toml"
import-overlays = "imports.toml"
[upstreams.own]
type = "rpm-md"
base-uri = "file://{repo}"
disable-gpg-check = true
[images.judge-authselect]
kind = "directory"
arches = ["x86_64"]
packages = ["bash", "coreutils", "base-passwd", "authselect"]
[images.judge-dnf5]
kind = "directory"
arches = ["x86_64"]
upstreams = ["debian-next", "own"]
packages = ["bash", "coreutils", "base-passwd", "dnf5", "app", "weird+name.x"]
"""
STATE = "usr/lib/sysimage/libdnf5"


@unittest.skipUnless(os.geteuid() == 0, "the judges run as root in their images")
class Judges(unittest.TestCase):
    maxDiff = 6000

    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="ashlar-judges-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        cls.addClassCleanup(lambda: subprocess.run(["rm", "-rf", cls.dir]))
        cls.kit = rpmkit.Kit(cls.dir)
        cls.addClassCleanup(cls.kit.close)
        cls.repo = cls.dir / "repo"
        cls.repo.mkdir()
        for name, tags in (("app", "Epoch: 3\nRequires: lib\n"), ("lib", ""), ("weird+name.x", "Requires: lib, other\n"), ("other", "")):
            shutil.copy(cls.kit.build(name, tags=tags, install="mkdir -p %{buildroot}/opt; echo x > %{buildroot}/opt/%{name}", files="/opt/%{name}"), cls.repo)
        cls.kit.run("createrepo_c", "-q", cls.repo)
        cls.project = cls.dir / "distro"
        shutil.copytree(TOP / "distro", cls.project, ignore=shutil.ignore_patterns("ashlar.lock"))
        shutil.rmtree(cls.project / "images")
        file = cls.project / "ashlar.toml"
        text = re.sub(r"^includes = .*$", "", file.read_text(), flags=re.M)
        file.write_text(text + PROJECT.format(repo=cls.repo))
        cls.env = {**os.environ, "ASHLAR_STORE": os.environ.get("ASHLAR_TEST_STORE", str(cls.dir / "store")), "LC_ALL": "C.UTF-8"}
        lock = cls.ashlar("-q", "lock", check=False)
        if lock.returncode:
            raise unittest.SkipTest("no archive to be had: " + lock.stderr.strip()[-200:])
        cls.ashlar("-q", "image", "build", "--all")

    @classmethod
    def ashlar(cls, *args, check=True):
        p = subprocess.run([ASHLAR, "-C", cls.project, *args], env=cls.env, capture_output=True, text=True)
        if check and p.returncode:
            raise AssertionError(f"{args}\n{p.stdout}{p.stderr}")
        return p

    def root(self, image):
        root = self.dir / (self.id().rsplit(".", 1)[-1] + "-root")
        subprocess.run(["cp", "-a", self.dir / f"out/images/{image}/{image}-x86_64", root], check=True)
        return root

    def inside(self, root, *argv, check=True):
        script = 'r=$1; shift; mount -t proc proc $r/proc; exec chroot $r /usr/bin/env -i PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 "$@"'
        p = subprocess.run(["unshare", "-m", "sh", "-c", script, "-", root, *argv], capture_output=True, text=True)
        if check:
            self.assertEqual(p.returncode, 0, f"{argv}\n{p.stdout}{p.stderr}")
        return p.stdout

    # ---- authselect ----
    def tree(self, root):
        found = {}
        for top in ("etc/authselect", "etc/pam.d", "etc/dconf", "var/lib/authselect"):
            for folder, dirs, files in os.walk(root / top):
                for name in dirs + files:
                    p = pathlib.Path(folder, name)
                    found[str(p.relative_to(root))] = os.readlink(p) if p.is_symlink() else p.read_text() if p.is_file() else "directory"
        found["nsswitch"] = os.readlink(root / "etc/nsswitch.conf")
        return found

    def test_authselect(self):
        """As the package's %posttrans calls it; then every stock profile with each of its features, and with many."""
        root = self.root("judge-authselect")
        ours = self.tree(root)
        shutil.rmtree(root / "etc/authselect")
        (root / "etc/authselect").mkdir()
        self.inside(root, "authselect", "select", "local", "--force", "--nobackup")
        theirs = self.tree(root)
        self.assertEqual({k: v for k, v in theirs.items() if k != "var/lib/authselect"}, ours)
        count = 0
        for profile in re.findall(r"^- (\S+)", self.inside(root, "authselect", "list"), re.M):
            features = self.inside(root, "authselect", "list-features", profile).split()
            for chosen in [*((f,) for f in features), features, features[::2], features[1::2]]:
                shutil.rmtree(root / "etc/authselect")
                (root / "etc/authselect").mkdir()
                self.inside(root, "authselect", "select", profile, "--force", "--nobackup", *chosen)
                judge = {p.name: p.read_text() for p in (root / "etc/authselect").iterdir()}
                case, out = self.dir / "case", self.dir / "case-out"
                for d in (case, out):
                    shutil.rmtree(d, ignore_errors=True)
                shutil.copytree(root / "usr/share/authselect", case / "usr/share/authselect")
                (case / "etc/authselect").mkdir(parents=True)
                out.mkdir()
                (case / "etc/authselect/authselect.conf").write_text(judge.pop("authselect.conf"))
                p = subprocess.run([TOOL, "--dir", case, "--out", out, "authselect"], capture_output=True, text=True)
                self.assertEqual((p.returncode, p.stderr), (0, ""))
                self.assertEqual({p.name: p.read_text() for p in (out / "etc/authselect").iterdir()}, judge, (profile, chosen))
                count += 1
        self.assertGreater(count, 60)

    # ---- dnf 5 ----
    def state(self, root):
        return {f.name: tomllib.loads(f.read_text()) for f in (root / STATE).glob("*.toml")}

    def rows(self, root):
        with sqlite3.connect(f"file:{root / STATE}/transaction_history.sqlite?mode=ro", uri=True) as db:
            tables = {name: [c[1:] for c in db.execute(f"pragma table_info('{name}')")] for (name,) in db.execute("select name from sqlite_master where type = 'table' order by name").fetchall()}
            keys = {name: sorted(c[2:] for c in db.execute(f"pragma foreign_key_list('{name}')")) for name in tables}
            indexes = db.execute("select name, tbl_name, sql is null from sqlite_master where type = 'index' order by name").fetchall()
            words = [db.execute(f"select * from {t} order by 1").fetchall() for t in ("trans_state", "trans_item_state", "trans_item_action", "trans_item_reason", "config")]
            items = db.execute("select n.name, epoch, version, release, a.name, action_id, reason_id from rpm r join pkg_name n on n.id = name_id join arch a on a.id = arch_id join trans_item i using (item_id) "
                               "join repo on repo.id = repo_id join trans on trans.id = trans_id order by 1").fetchall()
            return tables, keys, indexes, words, items, db.execute("select id, user_id, comment, state_id, rpmdb_version_begin, length(rpmdb_version_end) from trans").fetchall()

    def test_dnf5_writes(self):
        """The same packages by `dnf5 --installroot` and by the handler: state and history."""
        root = self.root("judge-dnf5")
        shutil.copytree(self.repo, root / "repo")
        (root / "fresh/usr/bin").mkdir(parents=True)
        self.inside(root, "dnf5", "-y", "--installroot=/fresh", "--repofrompath=image,file:///repo", "--repo=image", "--no-gpgchecks", "--releasever=1", "install", "app", "weird+name.x")
        case, out = self.dir / "dnf5-case", self.dir / "dnf5-out"
        (case / "usr/bin").mkdir(parents=True)
        (case / "usr/bin/dnf5").write_text("")
        out.mkdir()
        rpms = [x for f in sorted(self.repo.glob("*.rpm")) for x in ("--rpm" if re.match("app|weird", f.name) else "--rpm-dependency", f)]
        subprocess.run([TOOL, "--store", self.dir / "tool-store", "--dir", case, "--out", out, *rpms, "rpmdb", "dnf5"], check=True, capture_output=True)
        ours, theirs = self.state(out), self.state(root / "fresh")
        for state in (ours, theirs):
            self.assertEqual(len(state["system.toml"]["system"].pop("rpmdb_cookie")), 64) # numbers of packages: in the order of installation there, by name here
        self.assertEqual(ours, theirs)
        self.assertEqual(self.rows(out), self.rows(root / "fresh"))

    def test_dnf5_reads(self):
        """In an image that has it: reasons, nothing to remove, what becomes superfluous, and a history that nobody changed behind its back."""
        root = self.root("judge-dnf5")
        before = {f.name: f.read_bytes() for f in (root / STATE).iterdir()}
        query = lambda *a: sorted(self.inside(root, "dnf5", "-q", "repoquery", "--qf", "%{name}\\n", *a).split())
        self.assertEqual(query("--userinstalled"), sorted(["app", "base-passwd", "bash", "coreutils", "dnf5", "weird+name.x"]))
        self.assertEqual(query("--unneeded"), [])
        self.assertIn("image build", self.inside(root, "dnf5", "history", "list"))
        self.assertRegex(self.inside(root, "dnf5", "history", "info", "1"), r"Install lib-0:1\.0-1\.noarch +Dependency ashlar")
        self.assertIn("Nothing to do", self.inside(root, "dnf5", "-y", "--setopt=reposdir=/none", "autoremove"))
        self.assertEqual({f.name: f.read_bytes() for f in (root / STATE).iterdir() if f.suffix == ".toml"}, {k: v for k, v in before.items() if k.endswith(".toml")})
        out = self.inside(root, "dnf5", "-y", "--setopt=reposdir=/none", "remove", "weird+name.x")
        self.assertRegex(out, r"(?s)Removing:\n weird\+name\.x.*Removing unused dependencies:\n other ")
        cookie = tomllib.loads(before["system.toml"].decode())["system"]["rpmdb_cookie"]
        self.assertRegex(self.inside(root, "dnf5", "history", "info", "2"), r"Begin rpmdb +: " + cookie) # as rpm counts it
        self.assertEqual(query("--unneeded"), [])
        self.assertIn("lib", query("--installed"))


if __name__ == "__main__":
    unittest.main()
