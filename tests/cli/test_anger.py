"""What goes wrong around a lock and its repositories: signers that fail, hang or lie, garbage collection beside builds, kill -9, no space, packages that change under their name. rpm and dnf judge."""
import gzip, hashlib, os, pathlib, random, re, shutil, signal, subprocess, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import httpservers, rpmkit  # noqa: E402
from ashcli import ASHLAR, Case  # noqa: E402

LIB = pathlib.Path(__file__).parent.parent / "lib"
PROJECT = """[project]
[upstreams.up]
base-uri = "{url}"
disable-gpg-check = true
[channels.base]
packages = ["app"]
[channels.two]
packages = ["{two}"]
[images.i]
kind = "directory"
packages = ["{two}"]
"""
FILES = dict(install="mkdir -p %{buildroot}/usr/share/kit; head -c 60000 /dev/urandom > %{buildroot}/usr/share/kit/%{name}", files="/usr/share/kit/%{name}")


class Anger(Case):
    @classmethod
    def setUpClass(cls):
        cls.kit = k = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        cls.packages = [k.build("app", tags="Requires: lib", **FILES), k.build("lib", **FILES), k.build("loner", **FILES), k.build("other", **FILES)]

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def setUp(self):
        super().setUp()
        self.up = self.dir / "up"
        self.up.mkdir()
        self.upstream(self.packages)
        self.write("ashlar.toml", PROJECT.format(url=f"file://{self.up}", two="loner"))
        self.env["XDG_DATA_HOME"] = str(self.dir / "data")
        self.store, self.out = self.dir / "cache/ashlar", self.dir / "out/repos"

    def upstream(self, packages, at=1700000000):
        for p in packages:
            shutil.copy2(p, self.up)
        self.kit.run("createrepo_c", "-q", "--no-database", "--revision", str(at), "--set-timestamp-to-revision", self.up)

    def verify(self, channel="base"):
        at = self.out / channel / "x86_64"
        self.run_ashlar("repo", "verify", at, "--key", at / "repodata/repomd.xml.key")
        return at

    # ---- signers ----
    def hsm(self):
        """A signer that holds the key: it is given a digest, and notes how long what it was given was."""
        public = self.kit.key(f"Hsm {self.id()[-9:]}", "rsa3072")
        name = f"Hsm {self.id()[-9:]}"
        secret = self.kit.run("gpg", "--armor", "--export-secret-keys", name).stdout
        pem = self.write("key.pem", subprocess.run([sys.executable, LIB / "openpgp-to-pem.py"], input=secret, check=True, capture_output=True, text=True).stdout)
        script = self.dir / "hsm"
        good = f"#!/bin/sh\nd=$(mktemp)\ncat > $d\nwc -c < $d >> {self.dir}/lengths\necho $ASHLAR_SIGN_HASH $ASHLAR_SIGN_ALGORITHM >> {self.dir}/words\nopenssl pkeyutl -sign -inkey {pem} -pkeyopt digest:sha256 -in $d\nrm $d\n"
        script.write_text(good)
        script.chmod(0o755)
        return public, script, good

    def test_signer_that_sees_digests_only(self):
        public, script, _ = self.hsm()
        self.run_ashlar("lock")
        self.run_ashlar("repo", "build", "--signer", script, "--signer-key", public)
        self.assertEqual(set((self.dir / "lengths").read_text().split()), {"32"})
        self.assertEqual(set((self.dir / "words").read_text().splitlines()), {"sha256 rsa"})
        db = self.kit.keyring(public)
        for channel in ("base", "two"):
            rpms = list((self.out / channel / "x86_64/").rglob("*.rpm"))
            self.assertTrue(rpms)
            for rpm in rpms:
                self.assertIn("digests signatures OK", self.kit.run("rpmkeys", "--define", f"_dbpath {db}", "-K", rpm).stdout)
            self.kit.run("gpg", "--verify", self.out / channel / "x86_64/repodata/repomd.xml.asc", self.out / channel / "x86_64/repodata/repomd.xml")

    def test_signers_that_fail_lie_or_hang(self):
        public, script, good = self.hsm()
        self.run_ashlar("lock")
        self.run_ashlar("repo", "build", "--signer", script, "--signer-key", public)
        before = {c: os.readlink(self.out / c / "x86_64") for c in ("base", "two")}
        self.upstream([self.kit.build("lib", version="2.0", **FILES)], at=1700100000)
        self.run_ashlar("lock", "--update")
        for body, words in (("echo the token is locked >&2; exit 3", ("exit status 3", "the token is locked")), ("echo no", ()), ("head -c 384 /dev/zero", ()), ("head -c 384 /dev/urandom", ()), ("yes", ()), ("true", ()),
                            ("kill -9 $$", ()), (good.split("\n", 1)[1] + "echo x", ())):
            with self.subTest(body=body):
                script.write_text(f"#!/bin/sh\n{body}\n")
                p = self.run_ashlar("repo", "build", "--signer", script, "--signer-key", public, status=None)
                self.assertIn(p.returncode, (1, 5), p.stderr)
                self.assertIn("hsm", p.stderr)
                for w in words:
                    self.assertIn(w, p.stderr)
                self.assertEqual({c: os.readlink(self.out / c / "x86_64") for c in ("base", "two")}, before)
        # It works for the first signatures, then no more: nothing is switched.
        count = len((self.dir / "lengths").read_text().split())
        script.write_text(good.replace("#!/bin/sh\n", f"#!/bin/sh\n[ $(wc -l < {self.dir}/lengths) -gt {count} ] && exit 1\n"))
        self.run_ashlar("repo", "build", "--signer", script, "--signer-key", public, "-j", "1", status=1)
        self.assertEqual({c: os.readlink(self.out / c / "x86_64") for c in ("base", "two")}, before)
        # It hangs: the one who waits is killed, or gives up after two minutes.
        script.write_text("#!/bin/sh\nsleep 1000\n")
        p = subprocess.Popen([ASHLAR, "repo", "build", "--signer", str(script), "--signer-key", str(public)], env=self.env, cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        p.kill()
        p.wait()
        start = time.time()
        p = self.run_ashlar("repo", "build", "--signer", script, "--signer-key", public, status=1, timeout=400)
        self.assertIn("did not end within 120000 ms", p.stderr)
        self.assertLess(time.time() - start, 300)
        script.write_text(good)
        self.run_ashlar("repo", "build", "--signer", script, "--signer-key", public)
        self.assertTrue(list((self.out / "base/x86_64/").rglob("lib-2.0-1.noarch.rpm")))
        self.verify()

    # ---- packages ----
    def test_bad_packages_of_a_signed_upstream(self):
        """The metadata is good and signed; what it names is not what the key has signed, or no package at all."""
        key, other = self.kit.key("Upstream", "ed25519"), self.kit.key("Another", "ed25519")
        expired = self.kit.key("Expired", "rsa2048", expire="1d", faked="20200101T000000!")
        keys = self.write("keys.asc", key.read_text() + expired.read_text())
        self.write("ashlar.toml", PROJECT.format(url=f"file://{self.up}", two="loner").replace("disable-gpg-check = true", f'gpg-key = "file://{keys}"'))
        good = {p.name: p for p in self.up.glob("*.rpm")}
        for p in good.values():
            self.kit.sign(p, "Upstream")
        signed = {n: p.read_bytes() for n, p in good.items()}
        app = good["app-1.0-1.noarch.rpm"]
        def cut(data): return data[:-100]
        def flip(at): return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
        def by(user): return lambda data: self.kit.sign(app, user).read_bytes()
        unsigned = self.packages[0].read_bytes()
        for name, change, words in (("unsigned", lambda d: unsigned, "not signed"), ("another key", by("Another"), "signed by no key of this upstream"), ("cut", cut, ""), ("payload", flip(-2000), ""), ("header", lambda d: flip(d.index(b"\x8e\xad\xe8\x01", 200) + 300)(d), ""),
                                    ("signature", lambda d: flip(d.index(b"\x89\x01" if b"\x89\x01" in d[:1000] else b"\x88", 96) + 30)(d), ""), ("no package", lambda d: b"hello", ""), ("empty", lambda d: b"", ""), ("a deb", lambda d: b"!<arch>\n" + d, "")):
            with self.subTest(name=name):
                shutil.rmtree(self.store, ignore_errors=True)
                (self.dir / "ashlar.lock").unlink(missing_ok=True)
                for n, data in signed.items():
                    (self.up / n).write_bytes(data)
                changed = change(signed[app.name])
                app.write_bytes(signed[app.name])
                self.upstream([])
                md = next((self.up / "repodata").glob("*primary.xml*"))
                # Metadata as a careless upstream would make it: its digests are those of the bad file.
                opener = {"gz": gzip.decompress, "zst": lambda b: subprocess.run(["zstd", "-dc"], input=b, capture_output=True, check=True).stdout}[md.suffix[1:]]
                text = opener(md.read_bytes())
                text = text.replace(hashlib.sha256(signed[app.name]).hexdigest().encode(), hashlib.sha256(changed).hexdigest().encode())
                text = re.sub(rb'package="%d"' % len(signed[app.name]), b'package="%d"' % len(changed), text)
                app.write_bytes(changed)
                packed = gzip.compress(text, mtime=0)
                (self.up / "repodata/primary.xml.gz").write_bytes(packed)
                md.unlink()
                repomd = self.up / "repodata/repomd.xml"
                block = f'<data type="primary"><checksum type="sha256">{hashlib.sha256(packed).hexdigest()}</checksum><open-checksum type="sha256">{hashlib.sha256(text).hexdigest()}</open-checksum><location href="repodata/primary.xml.gz"/><timestamp>1700000000</timestamp><size>{len(packed)}</size><open-size>{len(text)}</open-size></data>'
                xml = re.sub(r'<data type="(filelists|other)">.*?</data>', "", repomd.read_text(), flags=re.S)
                repomd.write_text(re.sub(r'<data type="primary">.*?</data>', block, xml, flags=re.S))
                self.kit.run("gpg", "--batch", "--yes", "--armor", "--detach-sign", "-u", "Upstream", repomd)
                p = self.run_ashlar("lock", status=None)
                self.assertIn(p.returncode, (1, 5), p.stderr)
                self.assertIn("app-1.0-1.noarch", p.stderr)
                self.assertIn(words, p.stderr)
                self.assertFalse((self.dir / "ashlar.lock").exists())

    def test_two_who_lock(self):
        both = [subprocess.Popen([ASHLAR, "lock"], env=self.env, cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
        for p in both:
            out, err = p.communicate()
            self.assertIn(p.returncode, (0, 75), err)
        self.run_ashlar("lock", "--check")
        self.assertIn("unchanged", self.run_ashlar("lock").stdout)

    # ---- the store ----
    def test_gc_beside_projects(self):
        """Two projects, one store: what either lock names is never collected, whoever collects, however it ends."""
        other = self.dir / "other"
        other.mkdir()
        (other / "ashlar.toml").write_text(PROJECT.format(url=f"file://{self.up}", two="other"))
        self.run_ashlar("lock")
        self.run_ashlar("-C", other, "lock")
        needed = {m for lock in (self.dir / "ashlar.lock", other / "ashlar.lock") for m in re.findall(r'sha256 = "([0-9a-f]{64})"', lock.read_text())}
        random.seed(7)
        for turn in range(25):
            shutil.rmtree(self.dir / "out", ignore_errors=True)
            gc = [subprocess.Popen([ASHLAR, "--store", str(self.store), "store", "gc", "--days", "0", "--wait"], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
            build = subprocess.Popen([ASHLAR, "-C", str(other), "repo", "build"], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(random.random() * 0.02)
            gc[0].kill()
            _, err = build.communicate()
            self.assertEqual(build.returncode, 0, err)
            for p in gc:
                p.wait()
            for hex in needed:
                data = (self.store / "blobs/sha256" / hex[:2] / hex).read_bytes()
                self.assertEqual(hashlib.sha256(data).hexdigest(), hex)
        self.run_ashlar("store", "gc", "--days", "0")
        shutil.rmtree(self.up)                           # from now on there is only the store
        self.run_ashlar("repo", "build")
        self.run_ashlar("image", "build", "i")
        self.verify()
        self.run_ashlar("-C", other, "image", "build", "i")
        self.assertEqual(self.run_ashlar("--json", "store", "verify").returncode, 0)
        # A project that is gone needs nothing any more; the other one still does.
        shutil.rmtree(other)
        self.run_ashlar("store", "gc", "--days", "0")
        left = {p.name for p in (self.store / "blobs").rglob("*") if p.is_file() and p.read_bytes()[:4] == b"\xed\xab\xee\xdb"}
        self.assertEqual(left, set(re.findall(r'sha256 = "([0-9a-f]{64})"', (self.dir / "ashlar.lock").read_text())))

    def test_kill_while_locking(self):
        random.seed(3)
        whole = time.time()
        self.run_ashlar("--store", self.dir / "first", "lock")
        whole, want = time.time() - whole, (self.dir / "ashlar.lock").read_text()
        seedless = lambda text: re.sub(r'seed = ".*"', "", text)
        for turn in range(20):
            (self.dir / "ashlar.lock").unlink(missing_ok=True)
            p = subprocess.Popen([ASHLAR, "lock"], env=self.env, cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(random.random() * whole)
            p.kill()
            p.wait()
            if (self.dir / "ashlar.lock").exists():      # whole, or not there
                self.assertEqual(seedless((self.dir / "ashlar.lock").read_text()), seedless(want))
            if turn % 5 == 4:
                self.run_ashlar("lock")
                self.assertEqual(seedless((self.dir / "ashlar.lock").read_text()), seedless(want))
                shutil.rmtree(self.store)
        self.run_ashlar("lock")
        self.run_ashlar("repo", "build")
        self.verify()

    def test_no_space(self):
        """A small tmpfs in a user namespace, for the store and for what is published."""
        probe = subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(self.up)], capture_output=True, text=True)
        if probe.returncode != 0:
            self.skipTest("no user namespaces: " + probe.stderr)
        def on_tmpfs(size, at, *args):
            at.mkdir(parents=True, exist_ok=True)
            script = f'mount -t tmpfs -o size={size} tmpfs "{at}" && exec "$@"'
            return subprocess.run(["unshare", "-Urm", "sh", "-c", script, "sh", ASHLAR, *map(str, args)], env=self.env, cwd=self.dir, capture_output=True, text=True, timeout=120)
        good = 0
        for size in ("16k", "64k", "128k", "256k", "512k", "8m"):
            (self.dir / "ashlar.lock").unlink(missing_ok=True)
            p = on_tmpfs(size, self.dir / "tiny", "--store", self.dir / "tiny", "lock")
            if p.returncode == 0:
                good += 1
                continue
            self.assertEqual(p.returncode, 1, p.stderr)
            self.assertRegex(p.stderr, "error: .*[Nn]o space left on device")
            self.assertFalse((self.dir / "ashlar.lock").exists())
        self.assertTrue(0 < good < 6)
        self.run_ashlar("lock")
        for size in ("16k", "64k", "128k", "200k"):
            p = on_tmpfs(size, self.dir / "small", "repo", "build", "-o", self.dir / "small")
            self.assertEqual(p.returncode, 1, p.stderr)
            self.assertRegex(p.stderr, "error: .*[Nn]o space left on device")
        self.assertEqual(on_tmpfs("8m", self.dir / "small", "repo", "build", "-o", self.dir / "small").returncode, 0)

    # ---- one name, another content ----
    def test_replace(self):
        self.run_ashlar("lock")
        self.run_ashlar("repo", "build")
        old = (self.out / "base/x86_64/Packages/l/lib-1.0-1.noarch.rpm").read_bytes()
        saved = self.packages[1].read_bytes()
        try:
            changed = self.kit.build("lib", tags="Provides: changed", **FILES)
            self.upstream([changed], at=1700100000)
        finally:
            self.packages[1].write_bytes(saved)
        self.run_ashlar("lock", "--update")
        p = self.run_ashlar("repo", "build", status=1)
        self.assertIn("lib-1.0-1.noarch.rpm is published already with different content", p.stderr)
        self.assertIn("--replace", p.stderr)
        self.assertEqual((self.out / "base/x86_64/Packages/l/lib-1.0-1.noarch.rpm").read_bytes(), old)
        random.seed(5)
        for _ in range(15):                              # killed at any moment: the old one or the new one
            p = subprocess.Popen([ASHLAR, "repo", "build", "--replace"], env=self.env, cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(random.random() * 0.05)
            p.kill()
            p.wait()
            self.verify()
        self.run_ashlar("repo", "build", "--replace")
        at = self.verify()
        self.assertIn("changed", self.run_ashlar("repo", "query", at, "lib", "--provides").stdout)
        got = self.kit.run("dnf", "repoquery", "-q", f"--repofrompath=r,file://{at}", "--repo", "r", "--setopt=r.gpgcheck=0", f"--setopt=cachedir={self.dir}/dnf", "--releasever=1", "--provides", "lib").stdout
        self.assertIn("changed", got)
        self.assertIn("unchanged", self.run_ashlar("repo", "build").stdout)

    # ---- mirrors ----
    def test_mirror_that_stalls_or_changes(self):
        with httpservers.Misbehaving() as server:
            def serve():
                server.faults.clear()
                server.server.counts.clear()
                server.files.update({str(p.relative_to(self.up)): p.read_bytes() for p in self.up.rglob("*") if p.is_file()})
            self.write("ashlar.toml", PROJECT.format(url=server.url(""), two="loner"))
            rpm = "app-1.0-1.noarch.rpm"
            serve()
            primary = next(n for n in server.files if "primary" in n)
            for name, fault, statuses in ((rpm, {"wrong": 1}, (5,)), (rpm, {"longer": 5}, (5,)), (rpm, {"truncate": 900, "norange": 1}, (5, 75)), (rpm, {"status": 404}, (1,)), (rpm, {"status": 503}, (75,)),
                                          (rpm, {"change": 500}, (5,)), (primary, {"wrong": 1}, (5,)), (primary, {"truncate": 50, "norange": 1}, (5, 75)), ("repodata/repomd.xml", {"truncate": 100}, (1, 5, 75))):
                with self.subTest(name=name, fault=fault):
                    serve()
                    shutil.rmtree(self.store, ignore_errors=True)
                    server.faults[name] = fault
                    p = self.run_ashlar("lock", status=None, timeout=200)
                    self.assertIn(p.returncode, statuses, p.stderr)
                    self.assertFalse((self.dir / "ashlar.lock").exists())
                    serve()
                    self.run_ashlar("lock")              # and the next run succeeds
                    (self.dir / "ashlar.lock").unlink()
            serve()
            shutil.rmtree(self.store)
            server.faults[rpm] = {"stall": 300}           # 30 s without a byte, and again: the time limit ends it
            start = time.time()
            p = self.run_ashlar("lock", status=75, timeout=400)
            self.assertIn("app", p.stderr)
            self.assertLess(time.time() - start, 300)


if __name__ == "__main__":
    unittest.main()
