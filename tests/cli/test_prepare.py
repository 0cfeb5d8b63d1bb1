"""component prepare: downloads, replaced sources, generated sources, overlays inside archives."""
import hashlib, http.server, io, re, shutil, subprocess, tarfile, threading, unittest
from ashcli import Case, main, tree_of
from test_hostile import Server

TOP = """
[distros.up]
lookaside-base-uri = "http://127.0.0.1:%d/$filename/$hash"
[distros.up.versions.1]
release-ver = "1"
[default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } }
[components.hello]
"""
SPEC = "Name: hello\nVersion: 1\nRelease: 1\nSource0: hello-1.tar.gz\nSource1: extra.txt\n\n%build\nmake\n"

def sha512(data):
    return hashlib.sha512(data).hexdigest()

def archive():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in (("hello-1/README", b"old words\n"), ("hello-1/bundled/blob.bin", b"\0" * 100), ("hello-1/main.c", b"int main;\n")):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(text), 1000000000
            tar.addfile(info, io.BytesIO(text))
    return out.getvalue()

class Prepare(Case):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        self.server.files, self.server.missing = {"hello-1.tar.gz": archive(), "extra.txt": b"extra\n"}, 0
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.write("up/hello/hello.spec", SPEC)
        self.write("up/hello/sources", "".join(f"SHA512 ({name}) = {sha512(data)}\n" for name, data in self.server.files.items()))

    def test_directory_below_others(self):
        self.prepare("", "-o", "not/there/yet")
        self.assertTrue((self.dir / "not/there/yet/hello.spec").exists())
        self.write("file", "x")
        self.assertIn("file/below: error: cannot make the directory that file/below/it is to be in", self.prepare("", "-o", "file/below/it", status=1).stderr)

    def prepare(self, more, *args, **kw):
        self.write("p/ashlar.toml", TOP % self.server.server_address[1] + more)
        return self.run_ashlar("-C", "p", "component", "prepare", "hello", "--specs", "up", "-o", "ready", *args, **kw)

    def test_lookaside(self):
        self.prepare("")
        ready = tree_of(self.dir / "ready")
        self.assertEqual(ready["hello-1.tar.gz"], self.server.files["hello-1.tar.gz"])
        self.assertEqual(set(ready), {"hello.spec", "sources", "hello-1.tar.gz", "extra.txt"})
        self.server.shutdown() # what has been fetched is not fetched again
        shutil.rmtree(self.dir / "ready")
        self.prepare("", "--offline")
        self.assertEqual(tree_of(self.dir / "ready"), ready)

    def test_replaced_source(self):
        ours = b"ours\n"
        self.server.files["ours.txt"] = ours
        base = f"http://127.0.0.1:{self.server.server_address[1]}"
        entry = f'[[components.hello.source-files]]\nfilename = "extra.txt"\nhash-type = "SHA512"\nhash = "{sha512(ours)}"\norigin = {{ type = "download", uri = "{base}/ours.txt" }}\n'
        self.assertIn("extra.txt", self.prepare(entry, status=None).stderr) # a collision must be said
        self.assertFalse((self.dir / "ready").exists())
        self.prepare(entry + 'replace-upstream = true\nreplace-reason = "ours is better"\n')
        self.assertEqual(tree_of(self.dir / "ready")["extra.txt"], ours)
        self.assertIn(f"SHA512 (extra.txt) = {sha512(ours)}", (self.dir / "ready/sources").read_text())

    def test_overlay_inside_archive(self):
        more = ('[[components.hello.overlays]]\ndescription = "no blobs"\ntype = "file-remove"\narchive = "hello-1.tar.gz"\nfile = "bundled/*"\n'
                '[[components.hello.overlays]]\ndescription = "words"\ntype = "file-search-replace"\narchive = "hello-1.tar.gz"\nfile = "README"\nregex = "old"\nreplacement = "new"\n'
                '[[components.hello.source-files]]\nfilename = "hello-1.tar.gz"\nhash-type = "SHA512"\nhash = "%s"\norigin = { type = "overlay" }\nreplace-upstream = true\nreplace-reason = "edited"\n')
        p = self.prepare(more % ("0" * 128), status=None)
        self.assertNotEqual(p.returncode, 0)
        self.assertFalse((self.dir / "ready").exists())
        digests = [d for d in re.findall(r"[0-9a-f]{128}", p.stderr) if d.strip("0")]
        self.assertTrue(digests, p.stderr) # the digest that came out
        self.prepare(more % digests[-1])
        with tarfile.open(self.dir / "ready/hello-1.tar.gz") as tar:
            self.assertEqual([m.name for m in tar if m.isfile()], ["hello-1/README", "hello-1/main.c"])
            self.assertEqual(tar.extractfile("hello-1/README").read(), b"new words\n")
        # rendering needs no download, and says the same in "sources"
        self.run_ashlar("-C", "p", "component", "render", "--specs", "up", "-o", "out", "--offline", env={"XDG_CACHE_HOME": str(self.dir / "empty")})
        self.assertEqual((self.dir / "out/hello/sources").read_text(), (self.dir / "ready/sources").read_text())
        self.assertIn(digests[-1], (self.dir / "out/hello/sources").read_text())

if __name__ == "__main__":
    main()
