"""Downloads of sources: from nginx and from a server that misbehaves; the cache; custom scripts."""
import hashlib, os, random, shutil, subprocess, sys, tempfile, threading, time, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from httpservers import Misbehaving, Nginx, NGINX

TOOL = os.environ["ASHLAR_SOURCE_FETCH"]
LOOKASIDE = "repo/pkgs/$pkg/$filename/$hashtype/$hash/$filename"

def sha512(data):
    return hashlib.sha512(data).hexdigest()

class Sources(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="ashlar-sources-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.into, self.cache = self.path("into"), self.path("cache")
        os.mkdir(self.into)
        self.data = random.Random(7).randbytes(300_000)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def command(self, lines, *args):
        name = self.path("sources")
        with open(name, "w") as f:
            f.write("".join(line + "\n" for line in lines))
        return [TOOL, "--cache", self.cache, "--into", self.into, *args, name]

    def fetch(self, lines, *args, status=0):
        p = subprocess.run(self.command(lines, *args), capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, status, p.stderr)
        return p.stderr

    def line(self, name="a.tar.gz", data=None):
        return f"SHA512 ({name}) = {sha512(self.data if data is None else data)}"

    def assert_fetched(self, name="a.tar.gz", data=None):
        with open(self.path("into", name), "rb") as f:
            self.assertEqual(f.read(), self.data if data is None else data)

    def assert_nothing(self):
        """No file has got a name: neither in the directory nor among the cache's blobs."""
        self.assertEqual(os.listdir(self.into), [])
        whole = [f for _, _, files in os.walk(self.path("cache", "blobs")) for f in files if len(f) in (32, 64, 128)]
        self.assertEqual(whole, [])

    # ---- nginx ----
    def lookaside(self, files):
        root = self.path("www")
        for name, data in files.items():
            for kind in "sha512", "md5", "sha256":
                d = os.path.join(root, "repo/pkgs/pkg", name, kind, hashlib.new(kind, data).hexdigest())
                os.makedirs(d)
                with open(os.path.join(d, name), "wb") as f:
                    f.write(data)
        return root

    @unittest.skipUnless(NGINX, "nginx is not installed")
    def test_nginx_many(self):
        files = {f"file {i}#x.tar.gz" if i == 3 else f"f{i}.tar.gz": os.urandom(10_000 * i) for i in range(12)}
        with Nginx(self.lookaside(files)) as s:
            lines = [self.line(n, d) for n, d in files.items()]
            lines[5] = hashlib.md5(files["f5.tar.gz"]).hexdigest() + "  f5.tar.gz"
            self.fetch(lines, "--lookaside", s.url(LOOKASIDE))
            for name, data in files.items():
                self.assert_fetched(name, data)
            n = len(s.access())
            self.assertEqual(n, 12)
            shutil.rmtree(self.into)
            os.mkdir(self.into)
            self.fetch(lines, "--lookaside", s.url(LOOKASIDE))  # all from the cache
            self.assertEqual(len(s.access()), n)
        shutil.rmtree(self.into)
        os.mkdir(self.into)
        self.fetch(lines, "--lookaside", "http://127.0.0.1:1/" + LOOKASIDE, "--offline")
        self.assert_fetched("f7.tar.gz", files["f7.tar.gz"])

    @unittest.skipUnless(NGINX, "nginx is not installed")
    def test_nginx_resume_after_kill(self):
        data = os.urandom(1_500_000)
        with Nginx(self.lookaside({"a.tar.gz": data}), rate=1_000_000) as s:
            p = subprocess.Popen(self.command([self.line(data=data)], "--lookaside", s.url(LOOKASIDE)), stderr=subprocess.DEVNULL)
            deadline = time.time() + 10
            part = lambda: [os.path.join(d, f) for d, _, files in os.walk(self.cache) for f in files if f.endswith(".part")]
            while time.time() < deadline and not (part() and os.path.getsize(part()[0]) > 300_000):
                time.sleep(0.02)
            p.kill()
            p.wait()
            self.assert_nothing()
            self.assertGreater(os.path.getsize(part()[0]), 300_000)
            self.fetch([self.line(data=data)], "--lookaside", s.url(LOOKASIDE))
            self.assert_fetched(data=data)
            self.assertEqual(s.access()[-1].split('"')[2].split()[0], "206")
            self.assertLess(int(s.access()[-1].split('"')[2].split()[1]), 1_250_000)

    @unittest.skipUnless(NGINX, "nginx is not installed")
    def test_nginx_missing(self):
        with Nginx(self.lookaside({})) as s:
            err = self.fetch([self.line()], "--lookaside", s.url(LOOKASIDE), status=1)
            self.assertIn("404", err)
            self.assert_nothing()

    # ---- a server that misbehaves ----
    def misbehave(self, s, status=0, args=(), **ask):
        s.files["a.tar.gz"] = self.data
        url = s.url("a.tar.gz", **ask)
        return self.fetch([], "--file", f"a.tar.gz,SHA512,{sha512(self.data)},download,{url}", *args, status=status)

    def test_truncated_once(self):
        with Misbehaving() as s:
            self.misbehave(s, truncate=100_000, times=1)
            self.assert_fetched()
            self.assertIn("Range", s.requests[-1][1])

    def test_truncated_always(self):
        with Misbehaving() as s:
            self.misbehave(s, truncate=0, args=("--retries", "1"), status=75)
            self.assert_nothing()

    def test_stalls(self):
        with Misbehaving() as s:
            start = time.time()
            err = self.misbehave(s, stall=1000, args=("--stall", "300", "--retries", "1"), status=75)
            self.assertLess(time.time() - start, 20)
            self.assertIn("a.tar.gz", err)
            self.assert_nothing()

    def test_wrong_content(self):
        with Misbehaving() as s:
            self.misbehave(s, wrong=1, args=("--retries", "1"), status=5)
            self.assert_nothing()

    def test_longer(self):
        with Misbehaving() as s:
            self.misbehave(s, longer=10, args=("--retries", "1"), status=5)
            self.assert_nothing()

    def test_changes_half_way(self):
        with Misbehaving() as s:
            self.misbehave(s, change=100_000, args=("--retries", "1"), status=5)
            self.assert_nothing()

    def test_missing(self):
        with Misbehaving() as s:
            err = self.fetch([], "--file", f"a.tar.gz,SHA512,{sha512(self.data)},download,{s.url('none')}", status=1)
            self.assertIn("404", err)

    def test_500_then_good(self):
        with Misbehaving() as s:
            s.files["a.tar.gz"] = self.data
            url = s.url("a.tar.gz", status=500, times=2)
            self.fetch([], "--file", f"a.tar.gz,SHA512,{sha512(self.data)},download,{url}")
            self.assert_fetched()
            self.assertEqual(len(s.requests), 3)

    def test_no_range(self):
        with Misbehaving() as s:
            self.misbehave(s, truncate=100_000, times=1, norange=1)
            self.assert_fetched()

    def test_origin_gone_lookaside_has_it(self):
        with Misbehaving() as s:
            s.files[f"pkg/a.tar.gz/{sha512(self.data)}"] = self.data
            self.fetch([], "--lookaside", s.url("") + "$pkg/$filename/$hash", "--file", f"a.tar.gz,SHA512,{sha512(self.data)},download,{s.url('gone')}")
            self.assert_fetched()
            self.assertEqual(len(s.requests), 2)

    def test_disable_origins(self):
        with Misbehaving() as s:
            s.files["a.tar.gz"] = self.data
            args = ("--disable-origins", "--file", f"a.tar.gz,SHA512,{sha512(self.data)},download,{s.url('a.tar.gz')}")
            self.assertIn("no place to get 'a.tar.gz' from", self.fetch([], *args, status=1))
            self.fetch([], *args, "--lookaside", s.url("none/") + "$hash", status=1)
            self.assertNotIn("/a.tar.gz", [r[0] for r in s.requests])

    def test_damaged_cache(self):
        with Misbehaving() as s:
            self.misbehave(s)
            blob = next(os.path.join(d, f) for d, _, files in os.walk(self.path("cache", "blobs")) for f in files if len(f) == 128)
            with open(blob, "r+b") as f:
                f.write(b"damage")
            os.unlink(self.path("into", "a.tar.gz"))
            self.assertIn("is damaged", self.misbehave(s))
            self.assert_fetched()

    def test_one_fails_others_come(self):
        with Misbehaving() as s:
            s.files.update(a=b"a" * 1000, b=b"b" * 1000)
            err = self.fetch([self.line("a", s.files["a"]), self.line("gone", b"c"), self.line("b", s.files["b"])], "--lookaside", s.url("") + "$filename", status=1)
            self.assertEqual(err.count("error:"), 1)
            self.assertEqual(os.listdir(self.into), [])
            s.files["gone"] = b"c"
            n = len(s.requests)
            self.fetch([self.line("a", s.files["a"]), self.line("gone", b"c"), self.line("b", s.files["b"])], "--lookaside", s.url("") + "$filename")
            self.assertEqual(len(s.requests), n + 1)

    def test_same_content_twice(self):
        with Misbehaving() as s:
            s.files.update(a=b"same", b=b"same")
            self.fetch([self.line("a", b"same"), self.line("b", b"same")], "--lookaside", s.url("") + "$filename")
            self.assert_fetched("a", b"same")
            self.assert_fetched("b", b"same")
            self.assertEqual(len(s.requests), 1)

    def test_two_processes(self):
        with Misbehaving() as s:
            s.files["a.tar.gz"] = self.data
            other = self.path("into2")
            os.mkdir(other)
            command = self.command([self.line()], "--lookaside", s.url("") + "$filename?slow=300")
            second = [other if c == self.into else c for c in command]
            both = [subprocess.Popen(c) for c in (command, second)]
            self.assertEqual([p.wait(60) for p in both], [0, 0])
            self.assertEqual(len(s.requests), 1)
            self.assert_fetched()

    def test_bad_sources_file(self):
        err = self.fetch(["SHA512 (../../x) = " + "0" * 128], status=1)
        self.assertRegex(err, r"sources:1:\d+: error: this is no plain file name")

    # ---- custom scripts ----
    def sandbox(self):
        if subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"], capture_output=True).returncode:
            self.skipTest("no sandbox here")
        with open(self.path("make.sh"), "w") as f:
            f.write("printf made > output/x.txt\n")

    def test_custom(self):
        self.sandbox()
        file = f"x.txt,SHA256,{hashlib.sha256(b'made').hexdigest()},custom,make.sh"
        self.fetch([], "--base", self.dir, "--file", file)
        self.assert_fetched("x.txt", b"made")
        os.unlink(self.path("make.sh"))
        self.fetch([], "--base", self.dir, "--file", file)  # from the cache: the script is not needed any more

    def test_custom_wrong(self):
        self.sandbox()
        err = self.fetch([], "--base", self.dir, "--file", f"x.txt,SHA256,{'0' * 64},custom,make.sh", status=5)
        self.assertIn("it made " + hashlib.sha256(b"made").hexdigest(), err)
        self.assert_nothing()

    def test_custom_network(self):
        self.sandbox()
        with Misbehaving() as s:
            s.files["a"] = b"from the net"
            with open(self.path("make.sh"), "w") as f:
                f.write(f"exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{s.port} || exit 9; printf \"GET /a HTTP/1.0\\r\\n\\r\\n\" >&3; tail -c 12 <&3 > output/x.txt'\n")
            file = f"x.txt,SHA256,{hashlib.sha256(b'from the net').hexdigest()},custom,make.sh"
            self.assertIn("failed with status 9", self.fetch([], "--base", self.dir, "--file", file, status=1))
            self.assertEqual(s.requests, [])
            self.fetch([], "--base", self.dir, "--file", file, "--script-network")
            self.assert_fetched("x.txt", b"from the net")

if __name__ == "__main__":
    unittest.main()
