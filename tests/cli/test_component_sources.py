"""From a dist-git repository and a lookaside cache to a directory that can be built, by the program itself."""
import gzip, hashlib, io, os, subprocess, sys, tarfile, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ashcli import Case, main, tree_of
from httpservers import Nginx, NGINX

T0 = 1771900000

SPEC = """Name: hello
Version: 1.0
Release: %autorelease
Summary: x
License: MIT
Source0: hello-1.0.tar.gz
Source1: extra.txt
Source2: made.txt

%description
x

%changelog
%autochangelog
"""

def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, data in files.items():
            i = tarfile.TarInfo(name)
            i.size, i.mtime = len(data), 5
            t.addfile(i, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)

@unittest.skipUnless(NGINX, "nginx is not installed")
class ComponentSources(Case):
    def git(self, *args, when=T0):
        env = {**self.env, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_DATE": f"@{when} +0000", "GIT_COMMITTER_DATE": f"@{when} +0000"}
        return subprocess.run(["git", "-C", self.repo, "-c", "user.name=Jane Doe", "-c", "user.email=jane@example.org", *args], env=env, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message, when):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, when=when)
        return self.git("rev-parse", "HEAD")

    def setUp(self):
        super().setUp()
        self.tar = archive({"hello-1.0/main.c": b"int old;\n", "hello-1.0/vendor/x.c": b"x"})
        self.extra = b"extra\n"
        self.repo = str(self.dir / "rpms/hello")
        os.makedirs(self.repo)
        self.git("init", "-q", "-b", "f43")
        self.write("rpms/hello/hello.spec", SPEC)
        self.write("rpms/hello/sources", f"SHA512 (hello-1.0.tar.gz) = {hashlib.sha512(self.tar).hexdigest()}\n")
        self.first = self.commit("Initial import", T0)
        self.second = self.commit("Rebuild", T0 + 86400)
        self.third = self.commit("Too new", T0 + 90 * 86400)
        self.www = self.dir / "www"
        self.write(f"www/hello/hello-1.0.tar.gz/sha512/{hashlib.sha512(self.tar).hexdigest()}/hello-1.0.tar.gz", self.tar)
        self.write("www/extra.txt", self.extra)
        self.write("make.sh", "printf made > output/made.txt\n")

    def project(self, server, edited="0" * 64, more="", commit=""):
        self.write("ashlar.toml", f"""
[project]
rendered-specs-dir = "out"
[distros.up]
dist-git-base-uri = "file://{self.dir}/rpms/$pkg"
lookaside-base-uri = "{server.url()}$pkg/$filename/$hashtype/$hash/$filename"
[distros.up.versions.43]
release-ver = "43"
dist-git-branch = "f43"
[default-component-config]
spec = {{ type = "upstream", upstream-distro = {{ name = "up", version = "43", snapshot = "2026-03-01T00:00:00Z" }} }}
[components.hello]
{commit}
[[components.hello.source-files]]
filename = "extra.txt"
hash = "{hashlib.sha256(self.extra).hexdigest()}"
hash-type = "SHA256"
origin = {{ type = "download", uri = "{server.url('extra.txt')}" }}
[[components.hello.source-files]]
filename = "made.txt"
hash = "{hashlib.sha256(b'made').hexdigest()}"
hash-type = "SHA256"
origin = {{ type = "custom", script = "make.sh" }}
[[components.hello.source-files]]
filename = "hello-1.0.tar.gz"
hash = "{edited}"
hash-type = "SHA256"
origin = {{ type = "overlay" }}
replace-upstream = true
replace-reason = "no vendored code"
[[components.hello.overlays]]
description = "no vendored code"
type = "file-remove"
file = "vendor/*"
archive = "hello-1.0.tar.gz"
[[components.hello.overlays]]
description = "new"
type = "file-search-replace"
file = "main.c"
regex = "old"
replacement = "new"
archive = "hello-1.0.tar.gz"
{more}
""")

    def test_everything(self):
        with Nginx(self.www) as s:
            self.project(s)
            p = self.run_ashlar("component", "prepare", "hello", "-o", "ready", status=5)
            self.assertFalse((self.dir / "ready").exists(), "nothing half-written")
            right = [w for w in p.stderr.split() if len(w) == 64 and w != "0" * 64][0]
            self.project(s, edited=right)
            self.run_ashlar("component", "prepare", "hello", "-o", "ready")
            files = tree_of(self.dir / "ready")
            self.assertEqual(sorted(files), ["extra.txt", "hello-1.0.tar.gz", "hello.spec", "made.txt", "sources"])
            self.assertEqual((files["extra.txt"], files["made.txt"]), (self.extra, b"made"))
            with tarfile.open(fileobj=io.BytesIO(files["hello-1.0.tar.gz"])) as t:
                self.assertEqual({m.name: t.extractfile(m).read() for m in t}, {"hello-1.0/main.c": b"int new;\n"})
            # the sources file tells the truth about every file
            for line in files["sources"].decode().splitlines():
                kind, name, digest = line.split()[0], line.split("(")[1].split(")")[0], line.split()[-1]
                self.assertEqual(hashlib.new(kind.lower(), files[name]).hexdigest(), digest)
            self.assertEqual(len(files["sources"].splitlines()), 3)
            spec = files["hello.spec"].decode()
            self.assertIn("* Wed Feb 25 2026 Jane Doe <jane@example.org> - 1.0-2\n- Rebuild\n", spec)
            self.assertNotIn("Too new", spec)
            q = subprocess.run(["rpmspec", "-q", "--srpm", "--undefine", "dist", "--qf", "%{release}", "--define", f"_sourcedir {self.dir}/ready", self.dir / "ready/hello.spec"],
                               capture_output=True, text=True)
            self.assertEqual(q.stdout, "2", q.stderr)
            # once more, with nothing but the cache
            n = len(s.access())
            self.run_ashlar("component", "prepare", "hello", "-o", "ready", "--offline")
            self.assertEqual(tree_of(self.dir / "ready"), files)
            self.assertEqual(len(s.access()), n)
            # rendering needs no download and gives the same sources file
            self.run_ashlar("component", "render", "hello", "--offline")
            out = tree_of(self.dir / "out/hello")
            self.assertEqual(out["sources"], files["sources"])
            self.assertEqual(out["hello.spec"], files["hello.spec"])

    def test_own_spec(self):
        """The sources of a spec of ours that names no distribution: from the lookaside cache of what is built; nowhere else unless that is said."""
        self.write("own/hello/hello.spec", SPEC)
        self.write("own/hello/sources", (self.dir / "rpms/hello/sources").read_text())
        with Nginx(self.www) as s:
            text = f"""[project]
default-distro = {{ name = "ours", version = "1" }}
[distros.ours]
lookaside-base-uri = "{s.url()}$pkg/$filename/$hashtype/$hash/$filename"
[distros.ours.versions.1]
release-ver = "1"
[components.hello]
spec = {{ type = "local", path = "own/hello/hello.spec" }}
"""
            self.write("ashlar.toml", text.replace("lookaside", "dist-git").replace("$filename/$hashtype/$hash/$filename", ""))
            p = self.run_ashlar("component", "prepare", "hello", "-o", "ready", status=None)
            self.assertNotEqual(p.returncode, 0)
            self.assertIn("there is no place to get 'hello-1.0.tar.gz' from", p.stderr)
            self.assertIn("[distros.NAME]", p.stderr)
            self.write("ashlar.toml", text)
            self.run_ashlar("component", "prepare", "hello", "-o", "ready")
            self.assertEqual((self.dir / "ready/hello-1.0.tar.gz").read_bytes(), self.tar)

    def test_commit_beats_snapshot(self):
        with Nginx(self.www) as s:
            self.project(s, commit=f'spec = {{ type = "upstream", upstream-commit = "{self.third[:10]}" }}')
            self.run_ashlar("component", "render", "hello")
            self.assertIn("Too new", (self.dir / "out/hello/hello.spec").read_text())
            self.project(s, commit='spec = { type = "upstream", upstream-commit = "0123456789012345678901234567890123456789" }')
            p = self.run_ashlar("component", "render", "hello", status=None)
            self.assertNotEqual(p.returncode, 0)
            self.assertIn("has no commit 0123456789012345678901234567890123456789", p.stderr)
            self.assertIn("ashlar.toml:", p.stderr)
            self.assertIn("Too new", (self.dir / "out/hello/hello.spec").read_text(), "a failure leaves what was there")

    def test_wrong_digest(self):
        self.write(f"www/hello/hello-1.0.tar.gz/sha512/{hashlib.sha512(self.tar).hexdigest()}/hello-1.0.tar.gz", self.tar[:-1] + b"?")
        with Nginx(self.www) as s:
            self.project(s)
            self.run_ashlar("component", "prepare", "hello", "-o", "ready", status=5)
            self.assertFalse((self.dir / "ready").exists())

    def test_collision(self):
        with Nginx(self.www) as s:
            self.project(s, more="[components.hello.build]\n")
            text = (self.dir / "ashlar.toml").read_text().replace("replace-upstream = true\n", "").replace('replace-reason = "no vendored code"\n', "")
            self.write("ashlar.toml", text)
            p = self.run_ashlar("component", "render", "hello", status=None)
            self.assertNotEqual(p.returncode, 0)
            self.assertIn("upstream's sources have a file 'hello-1.0.tar.gz' too", p.stderr)

if __name__ == "__main__":
    main()
