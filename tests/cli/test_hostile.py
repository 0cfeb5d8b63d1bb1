"""Bad input: a clear error or a correct result, bounded time and memory, nothing half-written, nothing run."""
import functools, hashlib, http.server, os, resource, subprocess, sys, threading, time, unittest
from pathlib import Path
from ashcli import ASHLAR, Case, main, tree_of

TOP = """
[project]
rendered-specs-dir = "out"
[distros.up]
dist-git-base-uri = "file://%s/git/$pkg"
lookaside-base-uri = "http://127.0.0.1:%d/$filename/$hash"
[distros.up.versions.1]
release-ver = "1"
dist-git-branch = "main"
[default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } }
[components.hello]
"""
SPEC = "Name: hello\nVersion: 1\nRelease: 1\n\n%build\nmake\n"

class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        data = self.server.files.get(self.path.split("/")[1])
        self.send_response(200 if data is not None else 404)
        if data is not None:
            self.send_header("Content-Length", str(len(data) + self.server.missing))
        self.end_headers()
        if data is not None:
            self.wfile.write(data)
    def log_message(self, *args):
        pass

class Hostile(Case):
    port = 1

    def setUp(self):
        super().setUp()
        self.secret = self.write("secret", "secret\n")
        self.write("up/hello/hello.spec", SPEC)
        self.write("up/hello/a.txt", "a\n")

    def project(self, more):
        self.write("p/ashlar.toml", TOP % (self.dir, self.port) + more)

    def overlay(self, **fields):
        self.project("[[components.hello.overlays]]\ndescription = \"x\"\n" + "".join(f"{k} = {v}\n" for k, v in fields.items()))

    def render(self, *args, **more):
        return self.run_ashlar("-C", "p", "component", "render", *args, "--specs", "up", **more)

    def refused(self, *words, status=None, **more):
        """An error with a place that says what is wrong; nothing is written."""
        p = self.render(status=status, **more)
        self.assertIn(p.returncode, (1, 3))
        for word in words:
            self.assertIn(word, p.stderr)
        self.assertFalse((self.dir / "p/out/hello").exists())
        self.nothing_left()
        return p

    def nothing_left(self):
        out = self.dir / "p/out"
        if out.exists():
            self.assertEqual([f.name for f in out.iterdir() if f.name.startswith(".") and f.name != ".fingerprints"], [])

    # ---- paths that escape
    def test_overlay_paths(self):
        for path in ("../../etc/passwd", "/etc/passwd", "a/../../b", "..", "", "."):
            for fields in ({"type": '"file-remove"', "file": f'"{path}"'}, {"type": '"file-prepend-lines"', "file": f'"{path}"', "lines": '["x"]'},
                           {"type": '"file-search-replace"', "file": f'"{path}"', "regex": '"a"', "replacement": '"b"'},
                           {"type": '"file-rename"', "file": '"a.txt"', "replacement": f'"{path}"'}, {"type": '"file-add"', "file": f'"{path}"', "source": '"x"'}):
                self.write("p/x", "x")
                self.overlay(**fields)
                p = self.refused()
                self.assertIn("p/ashlar.toml:", p.stderr, fields)
        for source in ("../secret", str(self.secret), "../../etc/passwd"):
            self.overlay(type='"file-add"', file='"b.txt"', source=f'"{source}"')
            self.refused("p/ashlar.toml:")
            self.overlay(type='"patch-add"', file='"b.patch"', source=f'"{source}"')
            self.refused("p/ashlar.toml:")
            self.assertIn("is outside of the project", self.run_ashlar("-C", "p", "config", "check", status=3).stderr)
        self.assertEqual(self.secret.read_text(), "secret\n")

    def test_links(self):
        os.symlink(self.secret, self.dir / "p-link")
        self.write("p/x", "x")
        os.symlink(self.secret, self.dir / "p/link.txt")
        os.symlink(self.dir, self.dir / "p/linkdir")
        for source in ("link.txt", "linkdir/secret"):
            self.overlay(type='"file-add"', file='"b.txt"', source=f'"{source}"')
            self.refused("p/ashlar.toml:")
        # upstream's link is neither followed nor written through
        os.symlink(self.secret, self.dir / "up/hello/l.txt")
        self.overlay(type='"file-prepend-lines"', file='"l.txt"', lines='["x"]')
        self.refused()
        os.remove(self.dir / "up/hello/l.txt")
        # a link where the component's directory should be
        self.project("")
        (self.dir / "p/out").mkdir(parents=True, exist_ok=True)
        (self.dir / "elsewhere").mkdir()
        os.symlink(self.dir / "elsewhere", self.dir / "p/out/hello")
        self.assertEqual(self.render(status=None).returncode, 1)
        self.assertEqual(list((self.dir / "elsewhere").iterdir()), [])

    def test_component_names(self):
        for name in ("../evil", "a/b", ".hidden", ".."):
            self.write("p/ashlar.toml", TOP % (self.dir, 1) + f'[components."{name}"]\nspec = {{ type = "local", path = "../up/hello/hello.spec" }}\n')
            self.assertIn(self.render(status=None).returncode, (1, 3))
            self.assertFalse((self.dir / "p/evil").exists())
            self.assertFalse((self.dir / "p/out" / name / "hello.spec").exists())

    def test_include_cycle(self):
        self.write("p/ashlar.toml", 'includes = ["a.toml"]\n')
        self.write("p/a.toml", 'includes = ["b.toml"]\n')
        self.write("p/b.toml", 'includes = ["a.toml"]\n')
        p = self.run_ashlar("-C", "p", "component", "list", status=3)
        self.assertIn("b.toml:1:13", p.stderr)
        self.write("p/b.toml", 'includes = ["*.toml"]\n')
        self.run_ashlar("-C", "p", "component", "list", status=3)

    # ---- nothing is run
    def test_nothing_is_run(self):
        run = f"touch {self.dir}/pwned"
        spec = (f"%global evil %({run})\n%{{lua: os.execute('{run}')}}\n%{{expand:%({run})}}\n%{{load:{self.dir}/evil.macros}}\n%include {self.dir}/evil.inc\nName: hello\nVersion: %({run}; echo 1)\n"
                f"Release: %autorelease -b %({run}; echo 1)\nSource0: %({run}; echo a).txt\nPatch0: `{run}`\n%undefine x\n%build\nmake\n")
        self.write("up/hello/hello.spec", spec)
        self.write("evil.macros", f"%x %({run})\n")
        self.write("evil.inc", f"%({run})\n")
        self.project(f'[components.hello.build]\ndefines = {{ x = "%({run})" }}\nwith = ["extras"]\n[[components.hello.overlays]]\ndescription = "%({run})"\ntype = "spec-set-tag"\ntag = "URL"\n'
                     f'value = "%({run})"\n[[components.hello.overlays]]\ntype = "spec-append-lines"\nsection = "%build"\nlines = ["$({run})", "%({run})"]\n')
        self.render("hello", status=None)
        for verb in (["render", "hello"], ["diff", "hello"], ["fingerprint", "hello"]):
            self.run_ashlar("-C", "p", "component", *verb, "--specs", "up", status=None)
        self.run_ashlar("-C", "p", "overlay", "lint", "--specs", "up", status=None)
        self.run_ashlar("-C", "p", "deviations")
        self.assertFalse((self.dir / "pwned").exists())
        self.project(f'[components.hello.build]\nwith = ["%({run})"]\n')  # a name that rpm would expand is refused
        self.assertIn("is no name of a build condition", self.run_ashlar("-C", "p", "config", "check", status=3).stderr)
        self.assertFalse((self.dir / "pwned").exists())

    # ---- sizes
    def test_long_line(self):
        long = "x" * (1 << 20)
        self.write("up/hello/hello.spec", SPEC + f"echo {long}\nend\n")
        self.overlay(type='"spec-append-lines"', section='"%build"', lines='["behind"]')
        p = self.render(status=None)
        if p.returncode == 0: # taken whole; azldev itself refuses lines of more than 64 KiB
            self.assertIn(f"echo {long}\nend\nbehind\n", (self.dir / "p/out/hello/hello.spec").read_text())
        else:
            self.assertIn("hello.spec", p.stderr)
            self.assertLess(len(p.stderr), 4000)
            self.nothing_left()

    def limited(self, megabytes):
        return lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    def test_200_megabytes(self):
        path = self.dir / "up/hello/hello.spec"
        with open(path, "w") as f:
            f.write(SPEC)
            for _ in range(200):
                f.write(("y" * 99 + "\n") * 10486)
        self.assertGreater(path.stat().st_size, 200 << 20)
        self.overlay(type='"spec-append-lines"', section='"%build"', lines='["behind"]')
        start = time.monotonic()
        p = self.render(status=None, preexec_fn=None if "ASAN_OPTIONS" in os.environ else self.limited(6000))
        self.assertLess(time.monotonic() - start, 60)
        if p.returncode == 0:
            self.assertTrue((self.dir / "p/out/hello/hello.spec").read_bytes().endswith(b"behind\n"))
        else:
            self.assertEqual(p.returncode, 1, p.stderr[:500])
            self.assertIn("hello.spec", p.stderr)
        self.nothing_left()

    # ---- git and downloads
    def git(self, *args):
        env = {**os.environ, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "GIT_CONFIG_GLOBAL": "/dev/null"}
        return subprocess.run(["git", *args], cwd=self.dir / "git/hello", env=env, check=True, capture_output=True, text=True).stdout.strip()

    def test_missing_commit(self):
        self.write("git/hello/hello.spec", SPEC)
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "one")
        commit = self.git("rev-parse", "HEAD")
        self.project("")
        self.run_ashlar("-C", "p", "component", "render")
        self.assertTrue((self.dir / "p/out/hello/hello.spec").read_text().startswith(SPEC)) # and the changelog from its history
        before = tree_of(self.dir / "p/out")
        self.project(f'[components.hello.spec]\ntype = "upstream"\nupstream-commit = "{"0" * 39}1"\n'.replace("[components.hello.spec]", "[components.hello.spec]"))
        p = self.run_ashlar("-C", "p", "component", "render", status=1)
        self.assertIn("0" * 39 + "1", p.stderr)
        self.assertIn("p/ashlar.toml:", p.stderr)
        self.assertEqual(tree_of(self.dir / "p/out"), before)
        self.nothing_left()
        self.project(f'[components.hello.spec]\ntype = "upstream"\nupstream-commit = "{commit}"\n')
        self.run_ashlar("-C", "p", "component", "render")
        self.write("p/ashlar.toml", (TOP % (self.dir, 1)).replace("$pkg", "nothere"))
        p = self.run_ashlar("-C", "p", "component", "render", status=None)
        self.assertIn(p.returncode, (1, 75))
        self.assertIn("nothere", p.stderr)

    def serve(self, files, missing=0):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        server.files, server.missing = files, missing
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.port = server.server_address[1]
        return server

    def prepare(self, **more):
        return self.run_ashlar("-C", "p", "component", "prepare", "hello", "--specs", "up", "-o", "ready", **more)

    def test_sources(self):
        good = b"contents\n" * 1000
        digest = hashlib.sha512(good).hexdigest()
        self.write("up/hello/sources", f"SHA512 (big.tar) = {digest}\n")
        self.write("up/hello/hello.spec", SPEC.replace("\n\n", "\nSource0: big.tar\n\n", 1))
        server = self.serve({"big.tar": b"other contents"})
        self.project("")
        p = self.prepare(status=5)
        self.assertIn("big.tar", p.stderr)
        self.assertFalse((self.dir / "ready").exists())
        self.assertEqual(list(self.dir.glob("ready*")), [])
        server.files["big.tar"], server.missing = good[:4000], 5000 # ends early
        p = self.prepare(status=None, timeout=110)
        self.assertIn(p.returncode, (1, 5, 75))
        self.assertEqual(list(self.dir.glob("ready*")), [])
        server.files["big.tar"], server.missing = good, 0
        self.prepare()
        self.assertEqual(tree_of(self.dir / "ready")["big.tar"], good)
        self.assertEqual(set(tree_of(self.dir / "ready")), {"hello.spec", "big.tar", "sources"})
        self.prepare() # again, from the cache
        self.write("ready/hello.spec", "").unlink()
        self.assertIn("not replaced", self.prepare(status=1).stderr)
        self.write("up/hello/sources", "SHA512 (../big.tar) = " + digest + "\n")
        self.assertEqual(self.run_ashlar("-C", "p", "component", "render", "--specs", "up", status=None).returncode, 1)
        self.write("up/hello/sources", "SHA512 (big.tar) = 12345\n")
        self.assertIn("sources:1", self.run_ashlar("-C", "p", "component", "render", "--specs", "up", status=None).stderr)

    # ---- a full disk
    def test_file_size_limit(self):
        self.project("")
        self.render()
        before = tree_of(self.dir / "p/out")
        self.write("up/hello/hello.spec", SPEC + "# more\n" * 100000)
        p = self.render(status=None, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)))
        self.assertEqual(p.returncode, 1)
        self.assertIn("File too large", p.stderr)
        self.assertEqual(tree_of(self.dir / "p/out"), before)
        self.nothing_left()

    def test_full_disk(self):
        self.project("")
        full = self.dir / "full"
        full.mkdir()
        self.write("up/hello/big.txt", "z" * 400000)
        script = ('mount -t tmpfs -o size=300k none full || exit 77; "$0" -C p component render --specs up -o full/out > first 2>&1; echo $? > status; cp up/small up/hello/hello.spec; '
                  'rm up/hello/big.txt; "$0" -C p component render --specs up -o full/out || exit 1; cp up/large up/hello/hello.spec; '
                  '"$0" -C p component render --specs up -o full/out > second 2>&1; echo $? >> status; ls -A full/out full/out/hello > listing; cp full/out/hello/hello.spec kept')
        self.write("up/small", SPEC)
        self.write("up/large", SPEC + "# more\n" * 100000)
        self.write("up/hello/hello.spec", SPEC.replace("Version", "Source0: big.txt\nVersion"))
        p = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, ASHLAR], cwd=self.dir, env=self.env, capture_output=True, text=True)
        if p.returncode == 77 or "unshare" in p.stderr:
            self.skipTest("no user namespaces here")
        self.assertEqual(p.returncode, 0, p.stderr + p.stdout)
        self.assertEqual((self.dir / "status").read_text(), "1\n1\n")
        for name in ("first", "second"):
            self.assertIn("No space left on device", (self.dir / name).read_text())
        self.assertEqual((self.dir / "kept").read_text(), SPEC)
        self.assertEqual((self.dir / "listing").read_text().split(), ["full/out:", ".fingerprints", "hello", "full/out/hello:", "hello.spec"])

if __name__ == "__main__":
    main()
