"""An apt upstream whose archive changes between locks: what is locked stays, from the store or not at all."""
import os, pathlib, re, shutil, sys, tomllib, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import aptkit, httpservers, rpmkit  # noqa: E402
from ashcli import Case  # noqa: E402

PROJECT = """[project]
[upstreams.debs]
type = "apt"
suite = "trixie"
arches = ["x86_64", "aarch64"]
[channels.c]
arches = ["x86_64", "aarch64"]
packages = ["app"]
[images.i]
kind = "directory"
packages = ["other"]
"""


class States(Case):
    @classmethod
    def setUpClass(cls):
        cls.kit = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def setUp(self):
        super().setUp()
        self.write("ashlar.toml", PROJECT)
        self.archive = a = aptkit.Archive(self.kit, self.dir / "archive", user=self.id())
        a.deb("app", Depends="lib (>= 1.0)")
        a.deb("lib", arch="amd64")
        a.deb("lib", arch="arm64")
        a.deb("other", version="2:3.0-1")
        a.publish()
        self.env.update(a.env())
        self.lock, self.store = self.dir / "ashlar.lock", self.dir / "cache/ashlar"

    def nevras(self):
        return [p["nevra"] for p in tomllib.loads(self.lock.read_text())["packages"]]

    def move_on(self):
        self.archive.deb("app", version="2.0-1", Depends="lib (>= 2.0)")
        for arch in ("amd64", "arm64"):
            self.archive.deb("lib", version="2.0-1", arch=arch)
        self.archive.stanzas = {k: v for k, v in self.archive.stanzas.items() if k[1] != "1.0-1"}
        for deb in self.archive.root.rglob("*_1.0-1_*.deb"):
            deb.unlink()
        self.archive.publish(at=1700100000)

    OLD = ["app-1.0-1.noarch", "lib-1.0-1.aarch64", "lib-1.0-1.x86_64", "other-2:3.0-1.noarch"]
    NEW = ["app-2.0-1.noarch", "lib-2.0-1.aarch64", "lib-2.0-1.x86_64", "other-2:3.0-1.noarch"]

    def test_old_lock_builds_from_the_store(self):
        self.run_ashlar("lock")
        self.assertEqual(self.nevras(), self.OLD)
        old = self.lock.read_bytes()
        self.move_on()
        self.run_ashlar("lock")                         # keeps what is locked
        self.assertEqual(self.lock.read_bytes(), old)
        self.run_ashlar("lock", "--check")
        out = self.run_ashlar("lock", "--update").stdout
        self.assertIn("app.noarch 1.0-1 -> 2.0-1", out)
        self.assertEqual(self.nevras(), self.NEW)
        new = self.lock.read_bytes()
        self.assertNotEqual(re.search(b'snapshot = "(.*?)"', old)[1], re.search(b'snapshot = "(.*?)"', new)[1])
        self.lock.write_bytes(old)
        self.env["ASHLAR_APT_MIRROR"] = "http://127.0.0.1:9/"  # nobody there
        self.run_ashlar("lock", "--check")
        self.run_ashlar("repo", "build")
        self.run_ashlar("image", "build", "i")
        for arch in ("x86_64", "aarch64"):
            self.assertEqual(sorted(p.name for p in (self.dir / f"out/repos/c/{arch}/").rglob("*.rpm")), ["app-1.0-1.noarch.rpm", f"lib-1.0-1.{arch}.rpm"])
        self.lock.write_bytes(new)
        self.run_ashlar("repo", "build")
        self.assertIn("unchanged", self.run_ashlar("lock").stdout)

    def test_update_of_one_package(self):
        self.run_ashlar("lock")
        self.archive.deb("other", version="2:4.0-1")
        self.archive.deb("app", version="2.0-1", Depends="lib")
        self.archive.publish(at=1700100000)
        self.run_ashlar("lock", "--update", "other")
        self.assertEqual(self.nevras(), [*self.OLD[:3], "other-2:4.0-1.noarch"])

    def test_essential_packages(self):
        for name in ("shell", "packager"):
            self.archive.deb(name, Essential="yes", Depends="shell-lib" if name == "shell" else "app")
        self.archive.deb("shell-lib")
        self.archive.publish(at=1700000001)
        small = lambda: next(s for s in tomllib.loads(self.lock.read_text())["sets"] if s["name"] == "i")
        names = lambda: [n.split("-1.0")[0].split("-2:")[0] for n in small()["packages"]]
        self.run_ashlar("lock")
        self.assertEqual(names(), ["other"])
        for more, packages, requests in (("essential-packages = true\n", ["app", "lib", "other", "packager", "shell", "shell-lib"], ["+essential", "other"]),
                                         ('essential-packages = true\nexclude-packages = ["pack*"]\n', ["other", "shell", "shell-lib"], ["+essential", "-pack*", "other"])):
            self.write("ashlar.toml", PROJECT + more)
            self.run_ashlar("lock", "--check", status=1)
            self.run_ashlar("lock")
            self.assertEqual((names(), small()["requests"], small()["user"]), (packages, requests, ["other"]))
            self.run_ashlar("lock", "--check")
            self.assertIn("unchanged", self.run_ashlar("lock").stdout)

    def test_neither_store_nor_archive(self):
        self.run_ashlar("lock")
        old = self.lock.read_bytes()
        self.move_on()
        shutil.rmtree(self.store)
        p = self.run_ashlar("image", "build", "i")      # its deb is unchanged, and gives the same package
        self.assertIn("1 package fetched by path and digest", p.stderr)
        p = self.run_ashlar("repo", "build", status=5)  # these are gone
        for words in ("has moved on: the lock pins its state of Tue, 14 Nov 2023", "app-1.0-1.noarch is locked"):
            self.assertIn(words, p.stderr)
        self.assertFalse((self.dir / "out/repos/c").exists())
        self.assertEqual(self.lock.read_bytes(), old)
        p = self.run_ashlar("lock", "--check", status=1)
        self.assertIn("cannot be compared", p.stderr)
        self.assertEqual(p.stderr.count("cannot be compared"), 2, p.stderr)

    def test_forged(self):
        self.run_ashlar("lock")
        good = self.lock.read_text()
        app, *_, other = tomllib.loads(good)["packages"]
        for old, new, name in ((app["sha256"], "1" * 64, "app-1.0-1.noarch"), (other["origin-sha256"], "2" * 64, "other-2:3.0-1.noarch"), (other["sha256"], app["sha256"], "other-2:3.0-1.noarch")):
            self.lock.write_text(good.replace(old, new))
            p = self.run_ashlar("lock", "--check", status=5)
            self.assertIn(name, p.stderr)
            self.assertIn(new, p.stderr)
        self.lock.write_text(good.replace(other["sha256"], app["sha256"]))
        self.assertIn("other-2:3.0-1.noarch is that of app", self.run_ashlar("image", "build", "i", status=5).stderr)
        shutil.rmtree(self.store)                        # what was not imported here cannot be told, and is said
        self.lock.write_text(good.replace(app["sha256"], "1" * 64))
        self.assertIn("4 packages of the lock never imported on this machine", self.run_ashlar("lock", "--check").stderr)
        self.assertIn("app-1.0-1.noarch is not what the lock says", self.run_ashlar("repo", "build", status=5).stderr)

    def test_a_mirror_that_goes_back(self):
        """What was seen is never replaced by something older, however well signed."""
        first = {p: p.read_bytes() for p in (self.archive.root / "dists").rglob("*") if p.is_file()}
        self.archive.deb("app", version="2.0-1")
        self.archive.publish(at=1700100000)
        self.run_ashlar("lock")
        new = self.lock.read_bytes()
        for path, data in first.items():
            path.write_bytes(data)
        self.run_ashlar("lock")
        self.assertEqual(self.lock.read_bytes(), new)
        self.run_ashlar("lock", "--update")              # apt keeps the newer Release file that it has seen
        self.assertEqual(self.lock.read_bytes(), new)

    def test_bad_mirrors(self):
        """Debs and indices that are cut off, changed half-way, or not what the index says."""
        with httpservers.Misbehaving() as server:
            def serve():
                server.faults.clear()
                server.server.counts.clear()
                server.files.clear()
                server.files.update({str(p.relative_to(self.archive.root)): p.read_bytes() for p in self.archive.root.rglob("*") if p.is_file()})
            self.env["ASHLAR_APT_MIRROR"] = server.url("")
            deb = "pool/main/app/app_1.0-1_all.deb"
            index = "dists/trixie/main/binary-amd64/Packages.xz"
            for name, fault, statuses in ((deb, {"wrong": 1}, (5,)), (deb, {"longer": 9}, (5,)), (deb, {"status": 404}, (1,)), (deb, {"truncate": 100, "norange": 1}, (5, 75)),
                                          (index, {"wrong": 1}, (5, 75)), (index, {"status": 404}, (5, 75)), ("dists/trixie/InRelease", {"wrong": 1}, (5, 75))):
                with self.subTest(name=name, fault=fault):
                    serve()
                    shutil.rmtree(self.store, ignore_errors=True)
                    server.faults[name] = fault
                    p = self.run_ashlar("lock", status=None)
                    self.assertIn(p.returncode, statuses, p.stderr)
                    self.assertIn("app" if name == deb else "trixie", p.stderr)
                    self.assertFalse(self.lock.exists())
                    serve()
                    self.run_ashlar("lock")
                    self.lock.unlink()
            serve()
            shutil.rmtree(self.store, ignore_errors=True)
            server.faults[deb] = {"change": 200}           # the first try gives one half of one file, the second all of another
            self.assertIn(self.run_ashlar("lock", status=None).returncode, (5, 75))
            serve()
            self.run_ashlar("lock")


if __name__ == "__main__":
    unittest.main()
