"""Upstream of type "components": what was built here (ashlar.built), in locks, channels and images, beside and in place of what another upstream has."""
import hashlib, os, pathlib, shutil, subprocess, sys, tomllib, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import rpmkit  # noqa: E402
from ashcli import ASHLAR  # noqa: E402

TOOL = os.environ.get("ASHLAR_STORE_TOOL", "")
PROJECT = """[project]
description = "test"

[upstreams.up]
type = "rpm-md"
default = true
base-uri = "{url}"
disable-gpg-check = true

[upstreams.built]
type = "components"
{priority}

[components.lz]
spec = {{ type = "local", path = "lz.spec" }}
publish = {{ srpm-channel = "source" }}

[default-package-config]
publish = {{ rpm-channel = "base", debuginfo-channel = "debug" }}

[channels.base]
upstreams = ["built", "up"]
packages = ["app"]

[channels.debug]
kind = "debug"

[channels.source]
kind = "source"

[images.small]
kind = "container"
upstreams = ["built", "up"]
packages = ["app"]
package-database = false
"""
FILES = dict(install="mkdir -p %{buildroot}/usr/lib; echo {} > %{buildroot}/usr/lib/lz.so", files="/usr/lib/lz.so")


class Built(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.kit = k = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        self.addCleanup(k.close)
        self.up, self.project, self.store = k.dir / "up", k.dir / "project", k.dir / "store"
        self.up.mkdir()
        self.project.mkdir()
        for p in (k.build("app", tags="Requires: lz >= 1"), self.lz("imported", version="2.0"), k.build("liblz-old", tags="Provides: liblz = 1")):
            shutil.copy2(p, self.up)
        k.run("createrepo_c", "-q", "--no-database", self.up)
        self.configure()
        (self.project / "lz.spec").write_text("Name: lz\n")
        self.env = {**k.env, "XDG_DATA_HOME": str(k.dir / "data"), "ASHLAR_STORE": str(self.store)}

    def lz(self, content, version="1.0", release="1", name="lz", **kw):
        return self.kit.build(name, version=version, release=release, install=FILES["install"].replace("{}", content), files=FILES["files"], arch="x86_64", **kw)

    def configure(self, priority=""):
        (self.project / "ashlar.toml").write_text(PROJECT.format(url=f"file://{self.up}", priority=priority))

    def ashlar(self, *args, status=0):
        p = subprocess.run([ASHLAR, "-C", str(self.project), *map(str, args)], env=self.env, capture_output=True, text=True, timeout=120)
        self.assertEqual(p.returncode, status, f"{args}\n{p.stdout}{p.stderr}")
        return p

    def built(self, *rpms, arch="x86_64", put=True, needs=""):
        """Writes ashlar.built as component build does: [(rpm, kind)]."""
        text = f'version = 1\n\n[[components]]\nname = "lz"\narch = "{arch}"\nkey = "{"a" * 64}"\nfingerprint = "{"b" * 64}"\npackages = [\n'
        for rpm, kind in rpms:
            data = rpm.read_bytes()
            text += f'  {{ nevra = "{rpm.name[:-4]}", kind = "{kind}", size = {len(data)}, sha256 = "{hashlib.sha256(data).hexdigest()}"{needs} }},\n'
            if put:
                subprocess.run([TOOL, self.store, "put", rpm], check=True, capture_output=True)
        (self.project / "ashlar.built").write_text(text + "]\n")

    def lock(self):
        return tomllib.loads((self.project / "ashlar.lock").read_text())

    def set(self, kind):
        return next(s["packages"] for s in self.lock()["sets"] if s["kind"] == kind)

    def content(self):
        return self.ashlar("image", "dump", "small").stdout

    def test_nothing_built_yet(self):
        self.ashlar("lock")
        self.assertEqual(self.set("image"), ["app-1.0-1.noarch", "lz-2.0-1.x86_64"])

    def test_what_is_built_stands_before_what_is_newer_elsewhere(self):
        self.built((self.lz("ours"), "binary"))
        self.ashlar("lock")
        self.assertEqual(self.set("image"), ["app-1.0-1.noarch", "lz-1.0-1.x86_64"])
        package = next(p for p in self.lock()["packages"] if p["nevra"].startswith("lz-"))
        self.assertEqual((package["upstream"], package["origin"]), ("built", "lz/x86_64"))
        self.assertIn(hashlib.sha256(b"ours\n").hexdigest(), self.content())
        self.ashlar("lock", "--check")

    def test_stands_in_place_of_what_was_locked_before(self):
        self.ashlar("lock")
        self.assertEqual(self.set("image"), ["app-1.0-1.noarch", "lz-2.0-1.x86_64"])
        self.built((self.lz("ours"), "binary"))
        self.ashlar("lock")
        self.assertEqual(self.set("image"), ["app-1.0-1.noarch", "lz-1.0-1.x86_64"])

    def test_elsewhere_by_oversight(self):
        """Who does not name the upstream takes the imported package: that is said, of these alone, and is no error."""
        self.built((self.lz("ours"), "binary"))
        text = (self.project / "ashlar.toml").read_text()
        at = text.index("[images.small]")
        (self.project / "ashlar.toml").write_text(text[:at] + text[at:].replace('upstreams = ["built", "up"]\n', ""))
        said = self.ashlar("lock").stderr
        self.assertRegex(said, r"ashlar\.toml:\d+:\d+: info: image 'small' takes lz from elsewhere, though built here: its upstreams do not name 'built'")
        self.assertNotIn("'base'", said)
        self.configure()
        self.assertNotIn("from elsewhere", self.ashlar("lock").stderr)

    def test_priority_is_the_projects_to_say(self):
        self.configure("priority = 100")
        self.built((self.lz("ours"), "binary"))
        self.ashlar("lock")
        self.assertEqual(self.set("image"), ["app-1.0-1.noarch", "lz-2.0-1.x86_64"])

    def test_next_build_needs_no_update(self):
        self.built((self.lz("one"), "binary"))
        self.ashlar("lock")
        self.built((self.lz("two", release="2"), "binary"))
        said = self.ashlar("lock", "--check", status=5).stderr
        self.assertIn("lz-1.0-1.x86_64", said)
        out = self.ashlar("lock").stdout
        self.assertIn("1.0-1 -> 1.0-2", out)
        self.assertIn(hashlib.sha256(b"two\n").hexdigest(), self.content())

    def test_same_name_other_bytes(self):
        self.built((self.lz("one"), "binary"))
        self.ashlar("lock")
        rpm = self.lz("two")
        self.built((rpm, "binary"))
        self.ashlar("lock", "--check", status=5)
        self.ashlar("lock")
        self.assertEqual(next(p["sha256"] for p in self.lock()["packages"] if p["nevra"] == "lz-1.0-1.x86_64"), hashlib.sha256(rpm.read_bytes()).hexdigest())

    def test_channels(self):
        debug, extra = self.lz("debug", name="lz-debuginfo"), self.kit.build("lz-doc")
        spec = self.kit.dir / "lz-1.0-1.spec"
        self.lz("x")
        spec.write_text(spec.read_text().replace("\nSummary:", "\nBuildRequires: what-no-channel-has\nSummary:", 1))
        self.kit.run("rpmbuild", "-bs", "--nodeps", "--quiet", "--define", f"_topdir {self.kit.dir}/top", spec)
        source = next((self.kit.dir / "top/SRPMS").glob("lz-1*.src.rpm"))
        self.built((self.lz("ours"), "binary"), (debug, "debug"), (extra, "binary"), (source, "source"))
        self.ashlar("lock")
        self.assertNotIn("what-no-channel-has", self.ashlar("repo", "build", "--output", self.kit.dir / "repos").stderr)   # what a source package requires is for builds
        published = {c: sorted((self.kit.dir / "repos" / c / a / "Packages").rglob("*.rpm")) for c, a in (("base", "x86_64"), ("debug", "x86_64"), ("source", "src"))}
        self.assertEqual({c: [p.name for p in files] for c, files in published.items()},
                         {"base": ["app-1.0-1.noarch.rpm", "lz-1.0-1.x86_64.rpm", "lz-doc-1.0-1.noarch.rpm"], "debug": ["lz-debuginfo-1.0-1.x86_64.rpm"], "source": ["lz-1.0-1.src.rpm"]})
        base = self.kit.dir / "repos/base/x86_64"
        self.ashlar("repo", "verify", base, "--key", base / "repodata/repomd.xml.key")

    def test_in_place_of_another_name(self):
        """What replaces an imported package under another name says so in its own relations."""
        shutil.copy2(self.kit.build("user", tags="Requires: liblz >= 1"), self.up)
        self.kit.run("createrepo_c", "-q", "--no-database", self.up)
        text = (self.project / "ashlar.toml").read_text()
        (self.project / "ashlar.toml").write_text(text.replace('packages = ["app"]\npackage-database', 'packages = ["user"]\npackage-database'))
        self.ashlar("lock")
        self.assertEqual(self.set("image"), ["liblz-old-1.0-1.noarch", "user-1.0-1.noarch"])
        self.built((self.lz("ours", tags="Provides: liblz = 1.5\nObsoletes: liblz-old < 3"), "binary"))
        self.ashlar("lock")
        self.assertEqual(self.set("image"), ["lz-1.0-1.x86_64", "user-1.0-1.noarch"])

    def test_needs_that_no_index_names(self):
        """A library that another upstream's index does not name is asked for by the package that had it when this one was built."""
        rpm = self.lz("ours", tags="Requires: libq.so.1()(64bit), libq.so.1(Q_2)(64bit), liblz")
        self.built((rpm, "binary"))
        self.ashlar("lock")
        self.assertEqual(self.set("image"), ["app-1.0-1.noarch", "lz-2.0-1.x86_64"])  # what is built cannot be installed
        self.built((rpm, "binary"), needs=', needs = { liblz-old = ["libq.so.1()(64bit)", "libq.so.1(Q_2)(64bit)"] }')
        self.ashlar("lock")
        self.assertEqual(self.set("image"), ["app-1.0-1.noarch", "liblz-old-1.0-1.noarch", "lz-1.0-1.x86_64"])

    def test_gone_from_the_store(self):
        self.built((self.lz("ours"), "binary"), put=False)
        said = self.ashlar("lock", status=5).stderr
        self.assertIn("lz-1.0-1.x86_64 was built here", said)
        self.assertIn("ashlar component build lz", said)
        self.assertFalse((self.project / "ashlar.lock").exists())

    def test_not_a_record(self):
        (self.project / "ashlar.built").write_text('version = 1\n[[components]]\nname = "lz"\n')
        said = self.ashlar("lock", status=3).stderr
        self.assertIn("ashlar.built:2:", said)

    def test_address_is_refused(self):
        self.configure('base-uri = "https://example.com/"')
        said = self.ashlar("lock", status=3).stderr
        self.assertIn("type 'components' has no address", said)


if __name__ == "__main__":
    unittest.main()
