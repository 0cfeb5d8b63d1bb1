"""ashlar lock: from an rpm-md upstream made by createrepo_c to ashlar.lock; what changes it, what it refuses."""
import hashlib, os, pathlib, re, shutil, subprocess, sys, tomllib, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import httpservers, rpmkit  # noqa: E402
from ashcli import ASHLAR  # noqa: E402

PROJECT = """[project]
description = "test"

[upstreams.up]
type = "rpm-md"
default = true
base-uri = "{url}"
{check}

[channels.base]
arches = ["x86_64"]
packages = ["app"]

[images.small]
kind = "container"
arches = ["x86_64"]
packages = ["shell"]
"""


class Lock(unittest.TestCase):
    maxDiff = 6000

    @classmethod
    def setUpClass(cls):
        cls.kit = k = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        cls.old = [k.build("app", tags="Requires: lib >= 1\nRequires: pkgconfig(extra)\nRecommends: doc"), k.build("lib", tags="Provides: libx = 1"), k.build("extra", tags="Provides: pkgconfig(extra) = 3"),
                   k.build("shell", tags="Provides: /bin/sh"), k.build("doc"), k.build("loner"), k.build("native", arch="x86_64", tags="Requires: lib"), k.build("other-extra", tags="Provides: pkgconfig(extra) = 2\nConflicts: shell"),
                   k.build("broken", tags="Requires: no-such-thing >= 4"), k.build("enemy", tags="Conflicts: app"), k.build("people", more="%pre\nexit 0\n%files\n")]
        cls.new = [k.build("app", version="2.0", tags="Requires: lib >= 2\nRequires: pkgconfig(extra)"), k.build("lib", version="2.0", tags="Provides: libx = 2"), k.build("extra", version="2.0", tags="Provides: pkgconfig(extra) = 4"),
                   k.build("shell", version="2.0", tags="Provides: /bin/sh")]

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def setUp(self):
        self.dir = self.kit.dir / self.id().rsplit(".", 1)[-1]
        self.up, self.project = self.dir / "up", self.dir / "project"
        self.up.mkdir(parents=True)
        self.project.mkdir()
        self.lock = self.project / "ashlar.lock"
        self.env = {**self.kit.env, "XDG_DATA_HOME": str(self.dir / "data"), "ASHLAR_STORE": str(self.dir / "store")}
        self.env.pop("SOURCE_DATE_EPOCH")
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.publish(self.old)
        self.configure()

    def publish(self, packages, keep=True, up=None, at=1700000000):
        up = up or self.up
        if not keep:
            for p in up.glob("*.rpm"):
                p.unlink()
        for p in packages:
            shutil.copy2(p, up)
        self.kit.run("createrepo_c", "-q", "--no-database", "--revision", str(at), "--set-timestamp-to-revision", up)

    def configure(self, url=None, check="disable-gpg-check = true", **changes):
        text = PROJECT.format(url=url or f"file://{self.up}", check=check)
        for old, new in changes.get("edit", []):
            self.assertIn(old, text)
            text = text.replace(old, new)
        (self.project / "ashlar.toml").write_text(text)

    def edit(self, *pairs):
        self.configure(edit=pairs)

    def ashlar(self, *args, status=0, env=None):
        p = subprocess.run([ASHLAR, "-C", str(self.project), *map(str, args)], env={**self.env, **(env or {})}, capture_output=True, text=True, timeout=120)
        self.assertEqual(p.returncode, status, f"{args}\n{p.stdout}{p.stderr}")
        return p

    def read(self):
        return tomllib.loads(self.lock.read_text())

    def nevras(self, lock=None):
        return [p["nevra"] for p in (lock or self.read())["packages"]]

    def set(self, name):
        return next(s for s in self.read()["sets"] if s["name"] == name)

    # ---- what it records ----
    def test_records_every_input(self):
        self.ashlar("lock")
        lock = self.read()
        self.assertEqual(self.nevras(lock), [f"{n}-1.0-1.noarch" for n in ("app", "extra", "lib", "shell")])
        for p in lock["packages"]:
            data = (self.up / f"{p['nevra']}.rpm").read_bytes()
            self.assertEqual((p["sha256"], p["size"], p["origin"], p["upstream"]), (hashlib.sha256(data).hexdigest(), len(data), p["nevra"] + ".rpm", "up"))
            blob = self.dir / "store"
            self.assertTrue(any(f.read_bytes() == data for f in blob.rglob("*") if f.is_file()))
        up, = lock["upstreams"]
        self.assertEqual((up["name"], up["arch"], up["snapshot"]), ("up", "x86_64", hashlib.sha256((self.up / "repodata/repomd.xml").read_bytes()).hexdigest()))
        self.assertRegex(lock["seed"], r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertEqual(lock["source-date-epoch"], 1700000000)
        self.assertEqual([(s["kind"], s["name"], s["arch"], s["requests"], s["user"], [n.rsplit("-", 2)[0] for n in s["packages"]]) for s in lock["sets"]],
                         [("channel", "base", "x86_64", ["app"], ["app"], ["app", "extra", "lib"]), ("image", "small", "x86_64", ["shell"], ["shell"], ["shell"])])

    def test_again_changes_nothing(self):
        self.ashlar("lock")
        before, stamp = self.lock.read_bytes(), self.lock.stat().st_mtime_ns
        self.assertIn("unchanged", self.ashlar("lock").stdout)
        self.assertEqual((self.lock.read_bytes(), self.lock.stat().st_mtime_ns), (before, stamp))
        self.ashlar("lock", "--check")
        other = self.dir / "elsewhere"  # another machine with the same lock comes to the same
        self.ashlar("--store", other, "lock")
        self.assertEqual(self.lock.read_bytes(), before)

    def test_old_states_are_said(self):
        """A lock keeps to the states that it pins: it says so, also when what is asked for may be in newer ones."""
        self.assertNotIn("--update", self.ashlar("lock").stdout)
        said = self.ashlar("lock").stdout
        self.assertRegex(said, r"states stay as they were pinned: \S+ of .+ \('ashlar lock --update' takes the newest\)")
        self.assertNotIn("states stay", self.ashlar("lock", "--update").stdout)
        self.edit(('packages = ["shell"]', 'packages = ["only-in-newer-states"]'))
        failed = self.ashlar("lock", status=4).stderr
        self.assertRegex(failed, r"only-in-newer-states[^$]*note: the lock pins \S+ of .+: 'ashlar lock --update' asks the newest states")
        self.assertNotIn("the lock pins", self.ashlar("lock", "--update", status=4).stderr)

    def test_dry_run_writes_nothing(self):
        out = self.ashlar("lock", "--dry-run").stdout
        self.assertIn("+ app-1.0-1.noarch", out)
        self.assertFalse(self.lock.exists())
        self.assertFalse(any(f.read_bytes()[:4] == b"\xed\xab\xee\xdb" for f in (self.dir / "store").rglob("*") if f.is_file()), "a package was fetched")
        self.ashlar("lock")
        before = self.lock.read_bytes()
        self.assertIn("0 changes", self.ashlar("lock", "-n").stdout)
        self.publish(self.new, at=1700100000)
        self.assertIn("app.noarch 1.0-1 -> 2.0-1", self.ashlar("lock", "--update", "-n").stdout)
        self.assertEqual(self.lock.read_bytes(), before)

    def test_check(self):
        self.assertIn("no lock", self.ashlar("lock", "--check", status=1).stderr)
        self.ashlar("lock")
        self.edit(('packages = ["shell"]', 'packages = ["shell", "loner"]'))
        out = self.ashlar("lock", "--check", status=1).stderr
        self.assertRegex(out, r"ashlar\.toml:\d+:\d+: .*small.*other packages")
        self.assertIn("+ loner-1.0-1.noarch", self.ashlar("lock").stdout)
        self.ashlar("lock", "--check")
        self.edit(('[images.small]\nkind = "container"\narches = ["x86_64"]\npackages = ["shell"]\n', ""))
        self.assertIn("small", self.ashlar("lock", "--check", status=1).stderr)
        self.assertIn("- shell-1.0-1.noarch", self.ashlar("lock").stdout)

    def test_an_edit_after_the_lock_is_no_silent_build(self):
        self.ashlar("lock")
        self.ashlar("repo", "build")
        self.ashlar("image", "dump", "small")
        self.edit(('packages = ["shell"]', 'packages = ["shell", "loner"]'))
        for args in (("image", "dump", "small"), ("image", "build", "small")):
            err = self.ashlar(*args, status=3).stderr
            self.assertRegex(err, r"ashlar\.toml:\d+:\d+: error: image 'small' asks for other packages than when the lock was made")
            self.assertIn("'ashlar lock' brings the lock up to date", err)
        self.ashlar("image", "plan", "small")
        self.ashlar("repo", "build")
        self.ashlar("lock")
        self.assertIn("/", self.ashlar("image", "dump", "small").stdout)
        self.append('\n[channels.later]\npackages = ["shell"]\n')
        self.ashlar("lock")
        self.ashlar("repo", "build", "later")
        text = (self.project / "ashlar.toml").read_text()
        (self.project / "ashlar.toml").write_text(text.replace('[channels.later]\npackages = ["shell"]', '[channels.later]\npackages = ["loner"]'))
        self.assertIn("channel 'later' asks for other packages", self.ashlar("repo", "build", "later", status=3).stderr)

    # ---- moving on ----
    def test_pinned_while_the_upstream_moves_on(self):
        self.ashlar("lock")
        before = self.lock.read_bytes()
        self.publish(self.new, keep=False, at=1700100000)
        self.ashlar("lock")
        self.assertEqual(self.lock.read_bytes(), before)
        self.ashlar("lock", "--check")
        out = self.ashlar("lock", "--update").stdout
        self.assertIn("app.noarch 1.0-1 -> 2.0-1", out)
        self.assertIn("source-date-epoch 1700000000 -> 1700100000", out)
        self.assertEqual(self.nevras(), [f"{n}-2.0-1.noarch" for n in ("app", "extra", "lib", "shell")])
        self.assertEqual(tomllib.loads(before.decode())["seed"], self.read()["seed"])

    def test_update_of_one_package(self):
        for keep in (True, False):  # the upstream may keep old versions, or not
            with self.subTest(keep=keep):
                self.publish(self.old, keep=False)
                self.lock.unlink(missing_ok=True)
                shutil.rmtree(self.dir / "store", ignore_errors=True)
                self.ashlar("lock")
                self.publish(self.new, keep=keep, at=1700100000)
                out = self.ashlar("lock", "--update", "app").stdout
                self.assertEqual(self.nevras(), ["app-2.0-1.noarch", "extra-1.0-1.noarch", "lib-2.0-1.noarch", "shell-1.0-1.noarch"], out)
                self.assertNotIn("shell", out)
                before = self.lock.read_bytes()
                self.ashlar("lock")
                self.assertEqual(self.lock.read_bytes(), before)
                self.ashlar("lock", "--check")
                self.ashlar("lock", "--update", "ex*")
                self.assertEqual(self.nevras(), ["app-2.0-1.noarch", "extra-2.0-1.noarch", "lib-2.0-1.noarch", "shell-1.0-1.noarch"])
                shutil.rmtree(self.dir / "store")
                if keep:
                    self.ashlar("lock")
                    self.assertEqual(len(self.nevras()), 4)
                self.ashlar("lock", "--update")
                self.assertEqual(self.nevras(), [f"{n}-2.0-1.noarch" for n in ("app", "extra", "lib", "shell")])
        self.assertIn("no-such", self.ashlar("lock", "--update", "no-such", status=2).stderr)
        self.ashlar("lock", "app", status=2)

    def test_diff_is_readable(self):
        self.ashlar("lock")
        before = self.lock.read_text().splitlines()
        self.publish(self.new)
        self.ashlar("lock", "--update", "shell")
        after = self.lock.read_text().splitlines()
        gone, come = [l for l in before if l not in after], [l for l in after if l not in before]
        self.assertLessEqual(len(gone), 5)
        self.assertLessEqual(len(come), 6)
        self.assertEqual(sum("nevra" in l for l in gone), 1)
        self.assertTrue(all(len(l) < 600 for l in after))

    def test_comment_on_top_stays(self):
        self.ashlar("lock")
        self.lock.write_text("# ours: do not touch\n" + self.lock.read_text())
        self.edit(('packages = ["shell"]', 'packages = ["shell", "loner"]'))
        self.ashlar("lock")
        self.assertTrue(self.lock.read_text().startswith("# ours: do not touch\n"))

    # ---- sets ----
    def test_two_sets_two_solutions(self):
        self.edit(('packages = ["app"]', 'packages = ["app", "other-extra"]'), ('packages = ["shell"]', 'packages = ["shell", "app"]'))
        self.ashlar("lock")
        self.assertIn("other-extra-1.0-1.noarch", self.set("base")["packages"])
        self.assertNotIn("other-extra-1.0-1.noarch", self.set("small")["packages"])
        self.assertIn("extra-1.0-1.noarch", self.set("small")["packages"])

    def test_noarch_is_shared_between_architectures(self):
        self.edit(('[channels.base]\narches = ["x86_64"]', '[channels.base]\narches = ["x86_64", "aarch64"]'))
        self.ashlar("lock")
        self.assertEqual(self.nevras(), [f"{n}-1.0-1.noarch" for n in ("app", "extra", "lib", "shell")])
        self.assertEqual(sorted((s["name"], s["arch"]) for s in self.read()["sets"]), [("base", "aarch64"), ("base", "x86_64"), ("small", "x86_64")])
        before = self.lock.read_bytes()
        self.ashlar("lock")
        self.assertEqual(self.lock.read_bytes(), before)

    def test_excludes_weak_and_provides(self):
        self.edit(('packages = ["app"]', 'packages = ["app", "libx >= 1"]'), ('packages = ["shell"]', 'packages = ["app", "/bin/sh"]\nweak-dependencies = true\nexclude-packages = ["extra"]'))
        self.assertIn("extra", self.ashlar("lock", status=4).stderr)  # other-extra conflicts with the shell
        self.edit(('packages = ["app"]', 'packages = ["app", "libx >= 1"]'), ('packages = ["shell"]', 'packages = ["app"]\nweak-dependencies = true\nexclude-packages = ["extra"]'))
        self.ashlar("lock")
        self.assertEqual([n.rsplit("-", 2)[0] for n in self.set("small")["packages"]], ["app", "doc", "lib", "other-extra"])
        self.assertEqual(self.set("small")["requests"], ["+weak", "-extra", "app"])
        self.assertEqual([n.rsplit("-", 2)[0] for n in self.set("base")["packages"]], ["app", "extra", "lib"])

    def test_several_repositories(self):
        second = self.dir / "second"
        second.mkdir()
        self.publish([self.kit.build("addon", tags="Requires: lib")], up=second)
        text = PROJECT.replace('base-uri = "{url}"\n{check}\n', 'repos = ["one", "two"]\n').format() + f'''
[resources.rpm-repos.one]
base-uri = "file://{self.up}"
disable-gpg-check = true
[resources.rpm-repos.two]
base-uri = "file://{second}"
disable-gpg-check = true
'''
        (self.project / "ashlar.toml").write_text(text.replace('packages = ["shell"]', 'packages = ["addon"]'))
        self.ashlar("lock")
        self.assertEqual(self.nevras(), [f"{n}-1.0-1.noarch" for n in ("addon", "app", "extra", "lib")])
        self.assertEqual({p["nevra"].split("-")[0]: p["upstream"] for p in self.read()["packages"]}, {"addon": "two", "app": "one", "extra": "one", "lib": "one"})
        before = self.lock.read_bytes()
        self.ashlar("lock")
        self.assertEqual(self.lock.read_bytes(), before)
        shutil.rmtree(self.dir / "store")
        self.ashlar("repo", "build")

    # ---- several upstreams in one lock ----
    def second(self, name="second", packages=None, at=1700000000):
        up = self.dir / name
        up.mkdir(exist_ok=True)
        self.publish(packages or [self.kit.build("app", version="9.0"), self.kit.build("tool", tags="Requires: lib9"), self.kit.build("lib9")], up=up, at=at)
        return up

    def two_upstreams(self, *edits):
        up = self.second()
        self.configure(edit=edits)
        with (self.project / "ashlar.toml").open("a") as f:
            f.write(f'upstreams = ["other"]\n[upstreams.other]\nbase-uri = "file://{up}"\ndisable-gpg-check = true\n')
        return up

    def by_upstream(self):
        return sorted((p["upstream"], p["nevra"]) for p in self.read()["packages"])

    def test_an_image_with_an_upstream_of_its_own(self):
        up = self.two_upstreams(('packages = ["shell"]', 'packages = ["app", "tool"]'))
        self.ashlar("lock")
        self.assertEqual(self.by_upstream(), [("other", "app-9.0-1.noarch"), ("other", "lib9-1.0-1.noarch"), ("other", "tool-1.0-1.noarch"), ("up", "app-1.0-1.noarch"), ("up", "extra-1.0-1.noarch"), ("up", "lib-1.0-1.noarch")])
        self.assertEqual(self.set("small")["packages"], ["app-9.0-1.noarch", "lib9-1.0-1.noarch", "tool-1.0-1.noarch"])
        self.assertEqual(self.set("small")["requests"], ["@other", "app", "tool"])
        self.assertEqual(self.set("base")["packages"], ["app-1.0-1.noarch", "extra-1.0-1.noarch", "lib-1.0-1.noarch"])
        self.assertEqual([u["name"] for u in self.read()["upstreams"]], ["other", "up"])
        before = self.lock.read_bytes()
        self.ashlar("lock")
        self.assertEqual(self.lock.read_bytes(), before)
        self.ashlar("lock", "--check")
        # The newest of one package: only its upstream moves.
        self.publish([self.kit.build("tool", version="2.0", tags="Requires: lib9")], up=up, at=1700200000)
        self.ashlar("lock", "--update", "tool")
        self.assertIn(("other", "tool-2.0-1.noarch"), self.by_upstream())
        self.assertIn(("up", "app-1.0-1.noarch"), self.by_upstream())
        shutil.rmtree(self.dir / "store")
        self.ashlar("repo", "build")  # each from where it comes
        self.ashlar("image", "build", "small")
        # Another choice is another question.
        (self.project / "ashlar.toml").write_text((self.project / "ashlar.toml").read_text().replace('upstreams = ["other"]\n', 'upstreams = ["other", "up"]\n'))
        self.assertIn("small", self.ashlar("lock", "--check", status=1).stderr)
        self.ashlar("lock")
        self.ashlar("lock", "--check")

    def test_upstream_option_chooses_the_default_only(self):
        self.two_upstreams(('packages = ["shell"]', 'packages = ["tool"]'))
        text = (self.project / "ashlar.toml").read_text()
        (self.project / "ashlar.toml").write_text(text.replace('packages = ["tool"]\nupstreams = ["other"]', 'packages = ["shell"]\nupstreams = ["up"]'))
        self.ashlar("--upstream", "other", "lock")
        self.assertEqual(self.by_upstream(), [("other", "app-9.0-1.noarch"), ("up", "shell-1.0-1.noarch")])

    def test_no_default_is_needed_when_all_name_theirs(self):
        self.two_upstreams(("default = true\n", ""), ('packages = ["shell"]', 'packages = ["tool"]'), ('[channels.base]\n', '[channels.base]\nupstreams = ["up"]\n'))
        self.ashlar("lock")
        self.assertEqual(self.by_upstream(), [("other", "lib9-1.0-1.noarch"), ("other", "tool-1.0-1.noarch"), ("up", "app-1.0-1.noarch"), ("up", "extra-1.0-1.noarch"), ("up", "lib-1.0-1.noarch")])
        (self.project / "ashlar.toml").write_text((self.project / "ashlar.toml").read_text().replace('upstreams = ["up"]\n', ""))
        self.assertIn("no upstream to take packages from", self.ashlar("lock", status=3).stderr)

    def test_further_repositories_of_an_image(self):
        up = self.second(packages=[self.kit.build("plugin", tags="Requires: shell"), self.kit.build("app", version="9.0")])
        self.configure(edit=[('packages = ["shell"]', 'packages = ["plugin"]\nrepos = ["more"]')])
        with (self.project / "ashlar.toml").open("a") as f:
            f.write(f'[resources.rpm-repos.more]\nbase-uri = "file://{up}"\ndisable-gpg-check = true\n')
        self.ashlar("lock")
        self.assertEqual(self.by_upstream(), [("more", "plugin-1.0-1.noarch"), *[("up", f"{n}-1.0-1.noarch") for n in ("app", "extra", "lib", "shell")]])
        before = self.lock.read_bytes()
        shutil.rmtree(self.dir / "store")
        self.ashlar("lock")
        self.assertEqual(self.lock.read_bytes(), before)
        self.ashlar("repo", "build")
        self.ashlar("image", "build", "small")

    def test_one_name_for_two_contents(self):
        ours = (self.up / "app-1.0-1.noarch.rpm").read_bytes()
        twin = self.kit.build("app", tags="Provides: the-other-one")
        up = self.second(packages=[twin])
        twin.write_bytes(ours)  # the kit has one file of a name, too
        (self.project / "ashlar.toml").write_text(PROJECT.format(url=f"file://{self.up}", check="disable-gpg-check = true").replace('packages = ["shell"]', 'packages = ["app"]\nupstreams = ["other"]')
                                                  + f'[upstreams.other]\nbase-uri = "file://{up}"\ndisable-gpg-check = true\n')
        out = self.ashlar("lock", status=5).stderr
        for word in ("app-1.0-1.noarch", "'up'", "'other'", "different content"):
            self.assertIn(word, out)
        self.assertFalse(self.lock.exists())
        shutil.copy2(self.up / "app-1.0-1.noarch.rpm", up)  # and the same in both is one
        shutil.copy2(self.up / "lib-1.0-1.noarch.rpm", up)
        shutil.copy2(self.up / "extra-1.0-1.noarch.rpm", up)
        self.publish([], up=up, at=1700000100)
        self.ashlar("lock")
        self.assertEqual(self.nevras(), [f"{n}-1.0-1.noarch" for n in ("app", "extra", "lib")])

    def test_channels_keep_to_their_upstreams(self):
        self.two_upstreams(('packages = ["shell"]', 'packages = ["tool"]'))
        with (self.project / "ashlar.toml").open("a") as f:
            f.write('[default-package-config]\npublish = { rpm-channel = "base" }\n')
        self.ashlar("lock")
        published = lambda: sorted(p.name.split("-")[0] for p in (self.project / "out/repos/base/x86_64/").rglob("*.rpm"))
        self.ashlar("repo", "build")
        self.assertEqual(published(), ["app", "extra", "lib", "lib9", "tool"])
        (self.project / "ashlar.toml").write_text((self.project / "ashlar.toml").read_text().replace('[channels.base]\n', '[channels.base]\nupstreams = ["up"]\n'))
        self.ashlar("lock")
        shutil.rmtree(self.project / "out")  # what the generation before named stays reachable
        self.ashlar("repo", "build")
        self.assertEqual(published(), ["app", "extra", "lib"])

    def test_what_is_wrong_with_an_upstream_is_said_once(self):
        self.edit(('[channels.base]\narches = ["x86_64"]', '[channels.base]\narches = ["x86_64", "aarch64"]'), ("disable-gpg-check = true", 'gpg-key = "no/such/key"'))
        out = self.ashlar("lock", status=1).stderr
        self.assertEqual(out.count("no/such/key'"), 1, out)
        self.edit(('[channels.base]\narches = ["x86_64"]', '[channels.base]\narches = ["x86_64", "aarch64"]'))
        out = self.ashlar("lock").stderr
        self.assertEqual(out.count("is used unsigned"), 1, out)

    # ---- channels ----
    def append(self, text):
        with (self.project / "ashlar.toml").open("a") as f:
            f.write(text)

    def packages_of(self, channel, arch="x86_64"):
        return self.ashlar("repo", "query", self.project / f"out/repos/{channel}/{arch}", status=None_or(0, 1)).stdout.split()

    def test_channels_of_every_kind(self):
        self.publish([self.kit.build("app-debuginfo"), self.kit.build("lib-debugsource")])
        self.append("""[channels.dbg]
kind = "debug"
packages = ["app-debuginfo"]
[channels.src]
kind = "source"
[default-package-config]
publish = { rpm-channel = "base", debuginfo-channel = "dbg" }
""")
        text = (self.project / "ashlar.toml").read_text()
        (self.project / "ashlar.toml").write_text(text.replace('packages = ["shell"]', 'packages = ["shell", "lib-debugsource"]'))
        self.ashlar("lock")
        out = self.ashlar("repo", "build").stdout
        self.assertIn("src/src: 0 packages", out)
        self.assertEqual(self.packages_of("base"), ["app-1.0-1.noarch", "extra-1.0-1.noarch", "lib-1.0-1.noarch", "shell-1.0-1.noarch"])
        self.assertEqual(self.packages_of("dbg"), ["app-debuginfo-1.0-1.noarch", "lib-debugsource-1.0-1.noarch"])
        for at in ("base/x86_64", "dbg/x86_64", "src/src"):
            self.ashlar("repo", "verify", self.project / f"out/repos/{at}", "--key", self.project / f"out/repos/{at}/repodata/repomd.xml.key")
            self.kit.run("dnf", "repoquery", "-q", f"--repofrompath=r,file://{self.project}/out/repos/{at}", "--repo", "r", "--setopt=r.gpgcheck=0", f"--setopt=cachedir={self.dir}/dnf", "--releasever=1")

    def test_channels_switch_together(self):
        self.append('[channels.two]\npackages = ["loner"]\n')
        self.ashlar("lock")
        self.ashlar("repo", "build")
        before = {c: os.readlink(self.project / f"out/repos/{c}/x86_64") for c in ("base", "two")}
        self.publish(self.new + [self.kit.build("loner", version="2.0")], at=1700100000)
        self.ashlar("lock", "--update")
        two = self.project / "out/repos/two/x86_64"
        two.unlink()
        two.mkdir()                                     # the second cannot be published: the first is not, either
        out = self.ashlar("repo", "build", status=1).stderr
        self.assertIn("a directory is in the way", out)
        self.assertEqual(os.readlink(self.project / "out/repos/base/x86_64"), before["base"])
        self.assertEqual(self.packages_of("base")[0], "app-1.0-1.noarch")
        self.assertFalse([p for p in (self.project / "out/repos/.generations").rglob("000002")])
        two.rmdir()
        two.symlink_to(before["two"])
        # A package of the second that is nowhere: the same.
        shutil.rmtree(self.dir / "store")
        (self.up / "loner-2.0-1.noarch.rpm").rename(self.dir / "loner.rpm")
        self.ashlar("repo", "build", status=None_or(1, 5))
        self.assertEqual({c: os.readlink(self.project / f"out/repos/{c}/x86_64") for c in ("base", "two")}, before)
        (self.dir / "loner.rpm").rename(self.up / "loner-2.0-1.noarch.rpm")
        self.ashlar("repo", "build")
        self.assertEqual((self.packages_of("base")[0], self.packages_of("two")), ("app-2.0-1.noarch", ["loner-2.0-1.noarch"]))

    def test_advisory_of_a_package_that_no_channel_has(self):
        self.append("""[advisories.A-1]
type = "security"
title = "t"
issued = "2025-01-01"
packages = ["app-1.0-1.noarch",
            "lib-9.0-1.noarch"]
""")
        self.ashlar("lock")
        out = self.ashlar("repo", "build").stderr
        line = 1 + (self.project / "ashlar.toml").read_text().split("lib-9.0-1")[0].count("\n")
        self.assertRegex(out, rf"ashlar\.toml:{line}:13: warning: advisory A-1 names lib-9.0-1.noarch, which no channel has")
        self.assertEqual(out.count("which no channel has"), 1)

    # ---- what cannot be ----
    def test_unsolvable(self):
        for packages, words in ((['"nowhere"'], ("no package is called or provides 'nowhere'",)), (['"shel"'], ("did you mean 'shell'",)), (['"broken"'], ("no-such-thing", "'broken' is asked for")),
                                (['"app"', '"enemy"'], ("conflicts", "'app' is asked for", "'enemy' is asked for")), (['"app > 7"'], ("app > 7", "there is app-1.0-1.noarch"))):
            self.edit(('packages = ["shell"]', f'packages = [{", ".join(packages)}]'))
            out = self.ashlar("lock", status=4).stderr
            for w in words:
                self.assertIn(w, out)
            self.assertRegex(out, r"ashlar\.toml:\d+:\d+")
            self.assertIn("small", out)
            self.assertFalse(self.lock.exists())

    # ---- a lock that was tampered with ----
    def test_tampered(self):
        self.ashlar("lock")
        good = self.lock.read_text()
        sha = self.read()["packages"][0]["sha256"]
        cases = [(sha, "0" * 63, 3), (sha, "z" * 64, 3), ('version = 1\n', 'version = 9\n', 3), ('version = 1\n', 'version = "1"\n', 3), ('nevra = "lib-1.0-1.noarch"', 'nevra = "lip-1.0-1.noarch"', 3),
                 ("[[sets]]", "[[sets", 3), ("size = ", "size = -", 3), ('nevra = "lib-1.0-1.noarch"', 'nevra = "lib"', 3), ('upstream = "up"', 'upstream = "down"', 3), ('seed = "', 'seed = "x', 3)]
        for old, new, status in cases:
            with self.subTest(new=new):
                self.assertIn(old, good)
                self.lock.write_text(good.replace(old, new, 1))
                for verb in (["lock"], ["lock", "--check"], ["repo", "build"]):
                    out = self.ashlar(*verb, status=status).stderr
                    self.assertRegex(out, r"ashlar\.lock:\d+:\d+: error")
        # A digest of something else: nothing has it.
        self.lock.write_text(good.replace(sha, hashlib.sha256(b"x").hexdigest()))
        out = self.ashlar("repo", "build", status=5).stderr
        self.assertIn("app-1.0-1.noarch", out)
        self.assertFalse((self.project / "out/repos/base").exists())
        for cut in range(0, len(good), len(good) // 40):
            self.lock.write_text(good[:cut])
            p = subprocess.run([ASHLAR, "-C", str(self.project), "repo", "build"], env=self.env, capture_output=True, text=True)
            self.assertIn(p.returncode, (3, 5), p.stderr)

    def test_forged_by_hand(self):
        self.ashlar("lock")
        good = self.lock.read_text()
        app, extra, lib, shell = self.read()["packages"]
        for old, new, words in ((f'size = {lib["size"]}, sha256 = "{lib["sha256"]}"', f'size = {lib["size"]}, sha256 = "{app["sha256"]}"', ("lib-1.0-1.noarch", "SHA-256", app["sha256"], lib["sha256"])),
                                (f'sha256 = "{shell["sha256"]}"', 'sha256 = "' + "0" * 64 + '"', ("shell-1.0-1.noarch", "0" * 64)),
                                ('origin = "extra-1.0-1.noarch.rpm"', 'origin = "loner-1.0-1.noarch.rpm"', ("extra-1.0-1.noarch", "origin", "loner")),
                                (f'nevra = "shell-1.0-1.noarch", upstream = "up", size = {shell["size"]}', 'nevra = "shell-1.0-1.noarch", upstream = "up", size = 7', ("shell-1.0-1.noarch", "size is 7"))):
            self.assertIn(old, good)
            self.lock.write_text(good.replace(old, new))
            out = self.ashlar("lock", "--check", status=5).stderr
            for w in words:
                self.assertIn(w, out)
        forged = good.replace("lib-1.0-1.noarch", "lib-7.0-1.noarch")  # a package that the upstream never had
        self.lock.write_text(forged)
        self.assertIn("lib-7.0-1.noarch", self.ashlar("lock", "--check", status=5).stderr)
        # A digest that the store has, of another package: nobody is given that one for this.
        self.lock.write_text(re.sub(r'(nevra = "(?:lib|shell)-.*?) size = \d+, sha256 = ".*?"', rf'\1 size = {app["size"]}, sha256 = "{app["sha256"]}"', good))
        out = self.ashlar("repo", "build", status=5).stderr
        self.assertIn("lib-1.0-1.noarch is that of app-1.0-1.noarch", out)
        self.assertFalse((self.project / "out/repos/base/x86_64").exists())
        out = self.ashlar("image", "build", "small", status=5).stderr
        self.assertIn("shell-1.0-1.noarch is that of app-1.0-1.noarch", out)
        self.lock.write_text(re.sub("(?m)^source-date-epoch = .*", "source-date-epoch = 9223372036854775807", good))
        self.assertRegex(self.ashlar("lock", "--check", status=3).stderr, r"ashlar.lock:\d+:21: error: expected seconds since 1970, at most 4294967295")
        self.lock.write_text(good)
        self.ashlar("lock", "--check")
        shutil.rmtree(self.dir / "store")               # on another machine, too
        self.lock.write_text(good.replace(shell["sha256"], app["sha256"]))
        self.assertIn("shell-1.0-1.noarch", self.ashlar("lock", "--check", status=5).stderr)
        self.lock.write_text(good)
        self.publish(self.new)                          # the pinned metadata is gone: said, and no fault of the lock
        shutil.rmtree(self.dir / "store")
        self.assertIn("error: upstream 'up' (x86_64): the digests of its packages cannot be compared", self.ashlar("lock", "--check", status=1).stderr)

    def test_metadata_is_gone_and_packages_are_not(self):
        self.ashlar("lock")
        lock = self.lock.read_bytes()
        self.publish(self.new, at=1700100000)           # new metadata; the old packages stand where they stood
        shutil.rmtree(self.dir / "store")
        with httpservers.Nginx(self.up) as server:
            self.configure(url=server.url(""))
            out = self.ashlar("repo", "build").stderr
            self.assertRegex(out, "warning: upstream 'up' does not have the state any more .* 3 packages fetched by path and digest")
            self.ashlar("image", "build", "small")
            self.assertEqual(self.lock.read_bytes(), lock)
            shutil.rmtree(self.dir / "store")
            shutil.rmtree(self.project / "out")
            rpm = self.up / "lib-1.0-1.noarch.rpm"
            rpm.write_bytes(rpm.read_bytes()[:-1] + b"x")
            out = self.ashlar("repo", "build", status=5).stderr
            self.assertIn("lib-1.0-1.noarch", out)
            self.assertFalse((self.project / "out/repos/base").exists())
            rpm.unlink()
            self.assertIn("lib-1.0-1.noarch", self.ashlar("repo", "build", status=None_or(1, 5)).stderr)
        text = lock.decode().replace('origin = "app-1.0-1.noarch.rpm"', 'origin = "../app-1.0-1.noarch.rpm"')
        self.lock.write_text(text)
        shutil.rmtree(self.dir / "store")
        self.ashlar("repo", "build", status=None_or(3, 5))

    def test_nothing_else_is_used(self):
        self.ashlar("lock")
        app = self.read()["packages"][0]
        shutil.rmtree(self.dir / "store")
        self.ashlar("repo", "build")                    # fetched again by its digest
        shutil.rmtree(self.dir / "store")
        rpm = self.up / app["origin"]                   # the same name, other content
        rpm.write_bytes(rpm.read_bytes()[:-1] + b"x")
        out = self.ashlar("repo", "build", status=5).stderr
        self.assertIn("app-1.0-1.noarch", out)
        rpm.unlink()                                    # gone
        out = self.ashlar("repo", "build", status=None_or(1, 5)).stderr
        self.assertIn("app-1.0-1.noarch", out)
        self.publish(self.new, keep=False)              # the upstream has moved on, and its old metadata is gone as well
        shutil.rmtree(self.dir / "store")
        out = self.ashlar("repo", "build", status=None_or(1, 5)).stderr
        self.assertIn("app-1.0-1.noarch is locked and not in the store", out)
        self.assertFalse((self.dir / "elsewhere").exists())

    # ---- over HTTP, signed ----
    def test_signed_upstream_over_http(self):
        key = self.kit.key("Up", "ed25519")
        for p in self.up.glob("*.rpm"):
            self.kit.sign(p, "Up")
        self.publish([])
        self.kit.run("gpg", "--batch", "--yes", "--armor", "--detach-sign", "-u", "Up", self.up / "repodata/repomd.xml")
        with httpservers.Nginx(self.up) as server:
            self.configure(url=server.url(""), check=f'gpg-key = "file://{key}"')
            self.ashlar("lock")
            lock = self.read()
            fingerprint = re.search(r"^fpr:+([0-9A-F]{40}):", self.kit.run("gpg", "--with-colons", "--list-keys", "Up").stdout, re.M)[1]
            self.assertEqual(lock["upstreams"][0]["key"].upper(), fingerprint)
            self.assertEqual({p["key"].upper() for p in lock["packages"]}, {fingerprint})
            self.assertFalse(any(server.url("") in line for line in self.lock.read_text().splitlines()))
            self.lock.unlink()
            other = self.kit.key("Other Up", "ed25519")
            self.configure(url=server.url(""), check=f'gpg-key = "file://{other}"')
            self.ashlar("--store", self.dir / "store2", "lock", status=5)
            self.configure(url=server.url(""), check="")
            self.assertIn("key", self.ashlar("--store", self.dir / "store2", "lock", status=None_or(5, 3, 1)).stderr)
            self.assertFalse(self.lock.exists())

    def test_addresses(self):
        """Several base URLs, a list of mirrors, $releasever, $basearch and $snapshot: each of them as the project says it."""
        for n in range(2):
            shutil.copytree(self.up, self.dir / f"at/4.0/x86_64/{n}/2026-02-24T00:00:00Z")
        base = f"file://{self.dir}/at/$releasever/$basearch"
        distro = ('[project]\n', '[distros.mine.versions."4"]\nrelease-ver = "4.0"\n[project]\ndefault-distro = { name = "mine", version = "4" }\n')
        here = f'base-uri = "file://{self.up}"'
        self.edit((here, f'base-uri = "{base}/nothing-here"\nmirrors = ["{base}/1/$snapshot"]\nsnapshot = "2026-02-24T00:00:00Z"'), distro)
        self.ashlar("config", "check")
        self.ashlar("lock")
        self.assertIn("app-1.0-1.noarch", self.nevras())
        (self.dir / "mirrors").write_text(f"# mirrors\nfile://{self.dir}/at/4.0/x86_64/0/2026-02-24T00:00:00Z/\n")
        self.lock.unlink()
        self.edit((here, f'mirror-list = "file://{self.dir}/mirrors"'), distro)
        self.ashlar("--store", self.dir / "store2", "lock")
        self.assertIn("app-1.0-1.noarch", self.nevras())
        for wrong, why in (('mirrors = ["https://example.org/a"]', "beside 'base-uri'"), (f'{here}\nmirror-list = "https://example.org/m"', "exclude each other"),
                           (f'{here}\nmetalink = "https://example.org/m"', "exclude each other")):
            self.edit((here, f'mirror-list = "https://example.org/l"\n{wrong}' if wrong.startswith("mirrors") else wrong))
            self.assertIn(why, self.ashlar("config", "check", status=3).stderr)

    def test_next_steps(self):
        """What a message says to do next can be done."""
        self.assertIn(f"'ashlar -C {self.project} repo build'", self.ashlar("lock").stdout)
        for args in (("lock",), ("lock", "--check"), ("upstream", "list")):
            self.assertRegex(self.ashlar("--upstream", "pu", *args, status=3).stderr, r"no upstream 'pu'\n  hint: it has up\n")
        self.lock.unlink()
        self.configure(check='gpg-key = "not-here.asc"')
        self.assertIn("'gpg-key' is a file on this machine", self.ashlar("lock", status=1).stderr)

    def test_source_date_epoch(self):
        self.ashlar("lock", env={"SOURCE_DATE_EPOCH": "1234"})
        self.assertEqual(self.read()["source-date-epoch"], 1234)
        self.ashlar("lock", env={"SOURCE_DATE_EPOCH": "soon"}, status=2)


class None_or:
    def __init__(self, *codes):
        self.codes = codes

    def __eq__(self, other):
        return other in self.codes


if __name__ == "__main__":
    unittest.main()
