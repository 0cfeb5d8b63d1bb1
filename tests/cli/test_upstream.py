"""ashlar upstream sync, list, show, import: both kinds of upstream by the same verbs; rpm, createrepo_c and apt judge what is made."""
import hashlib, json, os, pathlib, re, subprocess, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import aptkit, httpservers, rpmkit  # noqa: E402
from ashcli import Case  # noqa: E402

RPM = """[project]
[upstreams.up]
base-uri = "{url}"
gpg-key = "file://{key}"
[channels.c]
packages = ["app"]
"""
APT = """[project]
[upstreams.debs]
type = "apt"
suite = "trixie"
arches = ["x86_64", "aarch64"]
[channels.c]
packages = ["app"]
"""


class Upstream(Case):
    @classmethod
    def setUpClass(cls):
        cls.kit = k = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        cls.up = k.dir / "up"
        cls.up.mkdir()
        cls.key = k.key("Up", "ed25519")
        for p in (k.build("app", tags="Requires: lib >= 1"), k.build("lib", version="2.0"), k.build("lib"), k.build("loner"), k.build("alien", arch="aarch64")):
            k.sign(p, "Up").rename(cls.up / p.name)
        k.run("createrepo_c", "-q", "--no-database", "--revision", "1700000000", "--set-timestamp-to-revision", cls.up)
        k.run("gpg", "--batch", "--yes", "--armor", "--detach-sign", "-u", "Up", cls.up / "repodata/repomd.xml")
        cls.archive = a = aptkit.Archive(k, k.dir / "apt")
        a.deb("lib", version="1:2.0-3")
        a.deb("app", Depends="lib (>= 1:1)", files={"usr/bin/app": "#!/bin/sh\n", "DEBIAN/postinst": "#!/bin/sh\nexit 0\n"})
        a.deb("native", arch="amd64")
        a.publish()

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def ashlar(self, *args, status=0, **kw):
        return self.run_ashlar(*args, status=status, **kw)

    def json(self, *args, **kw):
        return json.loads(self.ashlar("--json", *args, **kw).stdout)

    # ---- rpm-md ----
    def rpm_project(self, url=None, key=None):
        self.write("ashlar.toml", RPM.format(url=url or f"file://{self.up}", key=key or self.key))

    def test_rpm_md(self):
        with httpservers.Nginx(self.up) as server:
            self.rpm_project(server.url(""))
            p = self.ashlar("upstream", "list", status=1)  # nothing yet, and nobody is asked
            self.assertIn("'ashlar upstream sync' fetches it", p.stderr)
            self.assertEqual(server.access(), [])
            out = self.ashlar("upstream", "sync").stdout
            digest = hashlib.sha256((self.up / "repodata/repomd.xml").read_bytes()).hexdigest()
            fingerprint = re.search(r"^fpr:+([0-9A-F]{40}):", self.kit.run("gpg", "--with-colons", "--list-keys", "Up").stdout, re.M)[1]
            for words in ("up, x86_64: 4 packages", digest, "revision  1700000000", "2023-11-14 22:13 UTC", "days ago"):
                self.assertIn(words, out)
            self.assertIn(fingerprint, out.upper())
            asked = len(server.access())
            state, = self.json("upstream", "show")
            self.assertEqual((state["name"], state["type"], state["arch"], state["snapshot"], state["revision"], state["date"], state["packages"]), ("up", "rpm-md", "x86_64", digest, "1700000000", 1700000000, 4))
            self.assertAlmostEqual(state["age-seconds"], time.time() - 1700000000, delta=60)
            self.assertEqual(state["key"].upper(), fingerprint)
            self.assertEqual([(r["name"], r["evr"], r["arch"]) for r in self.json("upstream", "list", "l*")], [("lib", "1.0-1", "noarch"), ("lib", "2.0-1", "noarch"), ("loner", "1.0-1", "noarch")])
            shown, = self.json("upstream", "show", "lib")
            self.assertEqual((shown["nevra"], shown["location"]), ("lib-2.0-1.noarch", "lib-2.0-1.noarch.rpm"))
            self.assertIn("lib = 2.0-1", shown["provides"])
            self.assertIn("requires lib >= 1", self.ashlar("upstream", "show", "app").stdout)
            self.assertIn("no package 'nope'", self.ashlar("upstream", "show", "nope", status=1).stderr)
            for args in (("upstream", "list", "nope", "app"), ("upstream", "show", "app", "nope")):
                p = self.ashlar("--json", *args, status=1)
                self.assertEqual(len(json.loads(p.stdout)), 1, args)
                self.assertIn("no package 'nope'", p.stderr)
            self.assertEqual(len(server.access()), asked, "list and show ask the network")
            self.ashlar("upstream", "import", "app", "-o", "out")
            self.assertEqual(sorted(p.name for p in (self.dir / "out").iterdir()), ["app-1.0-1.noarch.rpm", "lib-2.0-1.noarch.rpm"])
            for p in (self.dir / "out").iterdir():
                self.assertEqual(p.read_bytes(), (self.up / p.name).read_bytes())
            self.ashlar("upstream", "import", "--no-deps", "loner", "-o", "one")
            self.assertEqual([p.name for p in (self.dir / "one").iterdir()], ["loner-1.0-1.noarch.rpm"])
            self.assertIn("for upstreams of type apt", self.ashlar("upstream", "sync", "--suite", "sid", status=2).stderr)
            self.assertEqual(self.json("upstream", "sync", "--arch", "aarch64")[0]["packages"], 5)

    def test_rpm_md_is_verified(self):
        other = self.kit.key("Somebody Else", "ed25519")
        self.rpm_project(key=other)
        p = self.ashlar("upstream", "sync", status=5)
        self.assertIn("repomd.xml cannot be accepted", p.stderr)
        self.ashlar("upstream", "show", status=1)

    def test_several_repositories(self):
        self.write("ashlar.toml", f"""[project]
[upstreams.up]
repos = ["one", "two"]
[resources.rpm-repos.one]
base-uri = "file://{self.up}"
gpg-key = "file://{self.key}"
[resources.rpm-repos.two]
type = "apt"
suite = "trixie"
""")
        self.assertEqual([(s["name"], s["packages"]) for s in self.json("upstream", "sync", env=self.archive.env())], [("one", 4), ("two", 3)])
        self.assertIn("native", [r["name"] for r in self.json("upstream", "list", env=self.archive.env())])

    # ---- apt ----
    def test_apt(self):
        self.write("ashlar.toml", APT)
        with httpservers.Nginx(self.archive.root) as server:
            env = self.archive.env(server.url(""))
            out = self.ashlar("upstream", "sync", env=env).stdout
            digest = hashlib.sha256((self.archive.root / "dists/trixie/InRelease").read_bytes()).hexdigest()
            for words in ("debs, x86_64: 3 packages", digest, "2023-11-14 22:13 UTC"):
                self.assertIn(words, out)
            asked = len(server.access())
            self.assertEqual([(r["name"], r["evr"], r["arch"]) for r in self.json("upstream", "list", env=env)], [("app", "1.0-1", "noarch"), ("lib", "1:2.0-3", "noarch"), ("native", "1.0-1", "x86_64")])
            self.assertIn("requires lib >= 1:1-0", self.ashlar("upstream", "show", "app", env=env).stdout)
            self.assertEqual(len(server.access()), asked)
            self.ashlar("upstream", "import", "app", "-o", "out", env=env)
            rpms = sorted((self.dir / "out").iterdir())
            self.assertEqual([p.name for p in rpms], ["app-1.0-1.noarch.rpm", "lib-2.0-3.noarch.rpm"])
            for p in rpms:
                self.assertIn("digests OK", self.kit.run("rpm", "-K", "--nosignature", p).stdout)
            asked = len(server.access())
            self.ashlar("upstream", "import", "app", "-o", "again", env=env)
            self.assertEqual(len(server.access()), asked, "fetched again")
            self.assertEqual(self.ashlar("upstream", "import", "app", "--scripts", env=env).stdout, "app postinst\n")
            # One copy of each, all of them where the store's own verbs see them.
            store = self.dir / "cache/ashlar"
            self.assertFalse([p for p in (store / "apt").rglob("*") if p.suffix in (".deb", ".rpm")])
            self.assertEqual(len([p for p in store.rglob("*") if p.is_file() and p.read_bytes()[:8] == b"!<arch>\n"]), 2)
            self.ashlar("lock", env=env)
            self.assertEqual(len([p for p in store.rglob("*") if p.is_file() and p.read_bytes()[:4] == b"\xed\xab\xee\xdb"]), 2)

    def test_apt_without_a_project(self):
        env = self.archive.env()
        for mirror in (f"file://{self.archive.root}", f"file:{self.archive.root}", f"copy:{self.archive.root}/"):
            self.assertEqual(self.json("--store", self.dir / mirror[:4], "upstream", "sync", "--apt-mirror", mirror, env=env)[0]["packages"], 3)
            self.ashlar("--store", self.dir / mirror[:4], "upstream", "import", "app", "-o", mirror[:5].replace(":", ""), "--apt-mirror", mirror, env=env)
        self.assertEqual(len(list((self.dir / "copy").glob("*.rpm"))), 2)
        # What only apt can read.
        (self.dir / "mirrors").write_text(f"file:{self.archive.root}\n")
        mirror = f"mirror+file:{self.dir}/mirrors"
        self.ashlar("--store", self.dir / "m", "upstream", "sync", "--apt-mirror", mirror, env=env)
        self.ashlar("--store", self.dir / "m", "upstream", "import", "app", "-o", "m-out", "--apt-mirror", mirror, env=env)
        self.assertEqual(sorted(p.read_bytes() for p in (self.dir / "m-out").iterdir()), sorted(p.read_bytes() for p in (self.dir / "copy").glob("*.rpm")))

    def test_states_are_kept(self):
        self.write("ashlar.toml", APT)
        archive = aptkit.Archive(self.kit, self.dir / "mine", user="Mine")
        archive.deb("app")
        archive.publish()
        first, = self.json("upstream", "sync", env=archive.env())
        archive.deb("more")
        archive.publish(at=1700100000)
        second, = self.json("upstream", "sync", env=archive.env())
        self.assertEqual((first["packages"], second["packages"]), (1, 2))
        self.assertEqual(len(self.json("upstream", "list", env=archive.env())), 2)
        self.assertEqual(len(self.json("upstream", "list", "--snapshot", first["snapshot"], env=archive.env())), 1)
        self.assertIn("is not in the store", self.ashlar("upstream", "list", "--snapshot", "0" * 64, status=1, env=archive.env()).stderr)

    def test_apt_is_verified(self):
        archive = aptkit.Archive(self.kit, self.dir / "mine", user="Third")
        archive.deb("app")
        archive.publish()
        env = {**archive.env(), "ASHLAR_APT_KEYRING": str(self.archive.keyring)}
        p = self.ashlar("upstream", "sync", status=5, env=env)
        self.assertIn("apt refuses the indices", p.stderr)
        self.assertEqual(p.stderr.count("apt refuses the indices"), 1)

    def test_progress(self):
        archive = aptkit.Archive(self.kit, self.dir / "mine", user="Big")
        for i in range(40):
            archive.deb("app", version=f"{i}-1", X_Filler=os.urandom(12000).hex())
        archive.publish()
        size = (archive.root / "dists/trixie/main/binary-amd64/Packages.xz").stat().st_size
        with httpservers.Nginx(archive.root, rate=400000) as server:
            p = self.ashlar("--json", "upstream", "sync", env=archive.env(server.url("")))
            events = [e for e in self.events(p.stderr) if e.get("stage") == "fetching the archive's indices"]
            self.assertEqual({e["unit"] for e in events}, {"bytes"})
            self.assertGreater(events[-1]["done"], size * 0.8)
            self.assertTrue(any(0 < e["done"] < size for e in events if e["event"] == "progress"), events)
            status, text = self.on_terminal("--store", str(self.dir / "t"), "upstream", "sync", env=archive.env(server.url("")))
            self.assertEqual(status, 0, text)
            self.assertRegex(text, r"indices: \d[\d.]* KiB, [\d.]+ KiB/s")
            self.assertIn("trixie_main_binary-amd64", text)
            p = self.ashlar("-v", "--store", self.dir / "p", "upstream", "sync", env=archive.env(server.url("")))
            self.assertRegex(p.stderr, r"fetching the archive's indices: \d[\d.]* KiB, [\d.]+ KiB/s\n")


if __name__ == "__main__":
    unittest.main()
