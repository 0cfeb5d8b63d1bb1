"""The store: packs beside what rpm2cpio and cpio unpack, bad packages, damage, garbage, several processes, kill -9 at any moment."""
import gzip
import hashlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import rpmjudges  # noqa: E402
import rpmkit  # noqa: E402

TOOL = os.environ.get("ASHLAR_STORE_TOOL", "")
TAG = {"sizes": 1028, "base": 1117, "dirs": 1118, "links": 1036, "digests": 1035}
EVIL_INSTALL = """mkdir -p %{buildroot}/usr/d %{buildroot}/usr/e
echo ab > %{buildroot}/usr/d/ab; echo ac > %{buildroot}/usr/d/ac; echo 12345678 > %{buildroot}/usr/d/file
ln -s d %{buildroot}/usr/l; ln %{buildroot}/usr/d/file %{buildroot}/usr/e/file"""
EVIL_FILES = "/usr/d/ab\n/usr/d/ac\n/usr/d/file\n/usr/l\n/usr/e/file"


class Store(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kit = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        cls.full = cls.kit.full(version="9")
        cls.evil = cls.kit.build(name="evil", install=EVIL_INSTALL, files=EVIL_FILES)
        cls.many = [cls.kit.build(name=f"many{i}", payload="w1.zstdio", files=f"/opt/many{i}", install=f"mkdir -p %{{buildroot}}/opt/many{i}; for i in $(seq 60); do head -c 40000 /dev/urandom > "
                                  f"%{{buildroot}}/opt/many{i}/$i; done") for i in range(6)]

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def setUp(self):
        self.store = self.kit.dir / f"store-{self.id().rsplit('.', 1)[-1]}"

    def tearDown(self):
        shutil.rmtree(self.store, ignore_errors=True)

    def tool(self, *args, status=0):
        p = subprocess.run([TOOL, str(self.store), *map(str, args)], capture_output=True, text=True)
        self.assertEqual(p.returncode, status, f"{args}: {p.stdout}{p.stderr}")
        return p

    def blob(self, path):
        digest = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
        return digest, self.store / "blobs/sha256" / digest[:2] / digest, self.store / "packs" / digest[:2] / digest

    def test_pack_holds_what_cpio_unpacks(self):
        out = self.kit.dir / "cpio"
        out.mkdir()
        cpio = subprocess.run(["rpm2cpio", str(self.full)], check=True, capture_output=True).stdout
        subprocess.run(["cpio", "-idm", "--quiet", "--no-preserve-owner"], input=cpio, cwd=out, check=True, capture_output=True)
        lines = self.tool("dump", self.full).stdout.splitlines()
        self.assertEqual(lines[0], "kit-9-1.noarch")
        theirs = {f["path"]: f for f in rpmjudges.read(self.full)["files"]}
        self.assertEqual(len(lines) - 1, len(theirs))
        offsets = {}
        for line in lines[1:]:
            path, mode, user, group, flags, mtime, rdev, offset, length, digest, same, hardlink, link, caps = line.split(" ")
            f = theirs[path]
            self.assertEqual((int(mode, 8), user, group, int(flags), int(mtime), int(rdev)), (f["mode"], f["user"], f["group"], f["flags"], f["mtime"], f["rdev"]), path)
            self.assertEqual((link.strip("[]"), caps.strip("[]")), (f["link"], f["caps"]))
            self.assertEqual(int(offset) % 4096, 0)
            if f["mode"] & 0o170000 == 0o100000 and not f["flags"] & 64:
                real = out / path[1:]
                self.assertEqual((digest, same), (hashlib.sha256(real.read_bytes()).hexdigest(), "same"), path)
                self.assertEqual(int(length), real.stat().st_size)
                offsets.setdefault(real.stat().st_ino, set()).add(offset)
        self.assertTrue(all(len(o) == 1 for o in offsets.values()), "hard links share their bytes")
        self.assertIn("checked 2 removed 0 damaged 0", self.tool("verify").stdout)

    def test_payload_of_large_files_form(self):
        """The same package, its payload in the form that rpm uses past 4 GiB: the same pack."""
        files = [f["path"] for f in rpmjudges.read(self.full)["files"]]
        stripped = rpmkit.Forgery(self.full).strip_payload({p: i for i, p in enumerate(files)}).save(self.kit.dir / "stripped.rpm")
        self.assertIn("digests OK", self.kit.run("rpmkeys", "--define", f"_dbpath {self.kit.keyring()}", "-K", stripped).stdout)
        self.assertEqual(self.tool("dump", stripped).stdout, self.tool("dump", self.full).stdout)
        names = self.kit.run("sh", "-c", f"cd {self.kit.dir} && rpm2archive -n stripped.rpm > x.tar && tar tf x.tar", check=False)
        if names.returncode == 0 and names.stdout:
            self.assertEqual(sorted(n.strip("./") for n in names.stdout.split()), sorted(p.strip("/") for p in files if not p.endswith("/state")), "rpm reads it, too")
        broken = rpmkit.Forgery(self.full).strip_payload({p: len(files) + 5 for p in files}).save(self.kit.dir / "stripped-bad.rpm")
        self.assertIn("index is out of range", self.tool("expand", broken, status=1).stderr)

    def test_bad_packages_are_refused(self):
        evil, save = rpmkit.Forgery, lambda f, n: f.save(self.kit.dir / f"evil-{n}.rpm")
        zeros = gzip.compress(gzip.decompress(evil(self.evil).payload) + bytes(64 << 20), mtime=0)
        bomb = evil(self.evil)
        bomb.payload = zeros
        cases = {
            "dotdot": (evil(self.evil).replace(TAG["base"], "ab", ".."), "'.' or '..'"),
            "slash": (evil(self.evil).replace(TAG["base"], "file", "/etc"), "empty part"),
            "escape": (evil(self.evil).replace(TAG["base"], "file", "../x"), "'.' or '..'"),
            "relative": (evil(self.evil).replace(TAG["dirs"], "/usr/d/", "usr/dd/"), "not absolute"),
            "twice": (evil(self.evil).replace(TAG["base"], "ab", "ac"), "there twice"),
            "symlink": (evil(self.evil).replace(TAG["dirs"], "/usr/d/", "/usr/l/"), "symbolic link"),
            "name": (evil(self.evil).in_payload(b"./usr/d/ab\0", b"./usr/d/zz\0"), "not in the header's file list"),
            "absolute": (evil(self.evil).in_payload(b"./usr/d/ab\0", b"//etc/pass\0"), "not in the header's file list"),
            "again": (evil(self.evil).in_payload(b"./usr/d/ac\0", b"./usr/d/ab\0"), "there twice"),
            "content": (evil(self.evil).in_payload(b"12345678\n", b"12345679\n"), "digest that the header says"),
            "target": (evil(self.evil).replace(TAG["links"], "d", "e"), "links elsewhere"),
            "size": (evil(self.evil).number(TAG["sizes"], 0, 4), "another size"),
            "huge": (evil(self.evil).number(TAG["sizes"], 0, 0xFFFFFFFF), "another size"),
            "cut": (evil(self.evil).in_payload(b"TRAILER!!!", b"TRAILEX!!!"), "not in the header"),
            "zeros": (bomb, "zeros behind|larger than the header says"),
            "digest": (evil(self.evil).replace(TAG["digests"], hashlib.sha256(b"ab\n").hexdigest(), "0" * 64), "digest that the header says"),
        }
        for name, (forgery, words) in cases.items():
            with self.subTest(name):
                path = save(forgery, name)
                p = self.tool("expand", path, status=1)
                self.assertRegex(p.stderr, words)
                self.assertIn("evil-1.0-1", p.stderr)
                self.assertFalse(self.blob(path)[2].exists())
        self.assertEqual(list((self.store / "tmp").iterdir()), [])
        self.tool("expand", self.evil)

    def test_damage_heals(self):
        self.tool("expand", *self.many)
        digest, blob, pack = self.blob(self.many[0])
        for part, where in (("head", 20), ("index", -100), ("size", None)):
            with self.subTest(part):
                os.chmod(pack, 0o644)
                data = bytearray(pack.read_bytes())
                data = data[:-1] if where is None else data
                if where is not None:
                    data[where] ^= 1
                pack.write_bytes(data)
                p = self.tool("expand", digest)
                self.assertIn("damaged and has been dropped", p.stderr)
                self.tool("expand", digest)
        os.chmod(pack, 0o644)
        with open(pack, "r+b") as f:  # within a file's bytes: only a full check sees it
            f.seek(4096 + 17)
            byte = f.read(1)
            f.seek(4096 + 17)
            f.write(bytes([byte[0] ^ 1]))
        self.assertIn("damaged 1", self.tool("verify").stdout)
        self.assertIn("damaged 0", self.tool("verify").stdout)
        self.tool("expand", digest)
        pack.unlink()
        os.chmod(blob, 0o644)
        with open(blob, "r+b") as f:
            f.seek(5000)
            f.write(b"XX")
        p = self.tool("expand", digest, status=1)
        self.assertIn("will be fetched again", p.stderr)
        self.assertFalse(blob.exists())
        self.tool("expand", self.many[0])

    def test_derived_objects(self):
        self.tool("cache", "handler-x", "key", status=1)
        self.tool("cache", "handler-x", "key", "a result")
        self.assertEqual(self.tool("cache", "handler-x", "key").stdout, "a result\n")
        self.tool("cache", "../x", "key", "bad", status=1)
        obj = next((self.store / "cache/handler-x").glob("*/*"))
        os.chmod(obj, 0o644)
        obj.write_bytes(obj.read_bytes().replace(b"result", b"resulT"))
        self.tool("cache", "handler-x", "key", status=1)
        self.assertFalse(obj.exists())

    def test_gc_keeps_what_a_lock_needs_and_what_is_in_use(self):
        self.tool("expand", *self.many[:3])
        wanted = self.blob(self.many[1])
        lock = self.kit.dir / "ashlar.lock"
        lock.write_text(f'sha256 = "{wanted[0]}"\nother = "{"a" * 63}"\n')
        self.tool("root", lock)
        self.assertIn("removed 0", self.tool("gc", 1000).stdout, "young objects stay")
        holder = subprocess.Popen([TOOL, str(self.store), "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            holder.stdout.readline()
            self.assertIn("another process is using the store", self.tool("gc", 0, status=1).stderr)
            self.assertTrue(self.blob(self.many[0])[1].exists())
        finally:
            holder.stdin.close()
            holder.wait()
            holder.stdout.close()
        (self.store / "blobs/sha256/00").mkdir(exist_ok=True)
        (self.store / "blobs/sha256/00/.left.0123456789abcdef.tmp").write_text("x")
        self.assertIn("removed 5", self.tool("gc", 0).stdout)
        self.assertTrue(wanted[1].exists() and wanted[2].exists())
        self.assertFalse(self.blob(self.many[0])[1].exists() or self.blob(self.many[0])[2].exists())
        self.tool("expand", wanted[0])
        lock.unlink()
        self.assertIn("removed 2", self.tool("gc", 0).stdout)
        self.assertEqual(list((self.store / "roots").iterdir()), [])

    def test_two_processes_expand_the_same(self):
        for _ in range(3):
            both = [subprocess.Popen([TOOL, str(self.store), "expand", *map(str, self.many)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(3)]
            for p in both:
                err = p.communicate()[1]
                self.assertEqual((p.returncode, err), (0, b""))
            self.assertIn("checked 12 removed 0 damaged 0", self.tool("verify").stdout)
            shutil.rmtree(self.store)

    def test_kill_at_any_moment(self):
        rng = random.Random(3)
        self.tool("put", *self.many)
        start = time.monotonic()
        self.tool("expand", *self.many)
        full = time.monotonic() - start
        killed = tries = 0
        while tries < 20 or (killed <= 10 and tries < 200):  # on a busy machine many come too late
            tries += 1
            shutil.rmtree(self.store / "packs", ignore_errors=True)
            if rng.random() < 0.3:
                shutil.rmtree(self.store / "blobs", ignore_errors=True)
            p = subprocess.Popen([TOOL, str(self.store), "expand", *map(str, self.many)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.random() * full * 1.2)
            p.send_signal(signal.SIGKILL)
            killed += p.wait() == -signal.SIGKILL
            self.assertIn("damaged 0", self.tool("verify").stdout)
            self.assertEqual(list((self.store / "tmp").iterdir()), [], "leftovers go with the next start")
        self.assertGreater(killed, 10)
        self.tool("expand", *self.many)
        self.assertIn("checked 12 removed 0 damaged 0", self.tool("verify").stdout)

    def test_no_space(self):
        import resource
        limit = lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)))  # noqa: E731
        self.tool("put", *self.many)
        p = subprocess.run([TOOL, str(self.store), "expand", *(self.blob(m)[0] for m in self.many)], capture_output=True, text=True, preexec_fn=limit)
        self.assertEqual(p.returncode, 1)
        self.assertIn("cannot write to the store", p.stderr)
        self.assertEqual(list((self.store / "tmp").iterdir()), [])
        self.tool("expand", *self.many)


if __name__ == "__main__":
    if not TOOL:
        sys.exit("run by meson test")
    unittest.main()
