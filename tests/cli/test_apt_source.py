"""Sources out of the source archive of an apt upstream: found by digest, whatever they are called there."""
import base64, hashlib, os, pathlib, sys, unittest
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import aptkit, rpmkit
from ashcli import Case, main

PROJECT = """[project]
default-distro = { name = "d", version = "1" }
[distros.d]
source-upstreams = ["archive"]
%s
[distros.d.versions.1]
release-ver = "1"
[upstreams.archive]
type = "apt"
suite = "trixie"
arches = ["x86_64"]
[components.hello]
spec = { type = "upstream", upstream-distro = { name = "d", version = "1" } }
%s
"""
SPEC = "Name: hello\nVersion: 1.0\nRelease: 1\nSummary: x\nLicense: MIT\nSource0: %s\n%s\n%%description\nx\n"


class AptSource(Case):
    def setUp(self):
        super().setUp()
        self.kit = rpmkit.Kit(self.dir)
        self.archive = aptkit.Archive(self.kit, self.dir / "archive", arches=("amd64",))
        self.archive.deb("any")

    def prepare(self, files, distro="", component="", status=0, signature=None, kind="sha512"):
        """sources: files by their name upstream, as bytes."""
        self.archive.publish()
        self.write("ashlar.toml", PROJECT % (distro, component))
        names = list(files)
        self.write("specs/hello/hello.spec", SPEC % (names[0], "".join(f"Source{i}: {n}\n" for i, n in enumerate(names[1:], 1))))
        self.write("specs/hello/sources", "".join(f"{kind.upper()} ({n}) = {hashlib.new(kind, d).hexdigest()}\n" for n, d in files.items()))
        out = self.dir / "out"
        env = {**self.archive.env(), "ASHLAR_STORE": str(self.dir / "store")}
        return self.run_ashlar("component", "prepare", "hello", "--specs", self.dir / "specs", "-o", out, status=status, env=env), out

    def test_by_name(self):
        tar = b"the archive"
        self.archive.source("hello", "1.0-1", {"hello_1.0.orig.tar.gz": tar, "hello_1.0-1.debian.tar.xz": b"d"})
        self.archive.source("other", "1.0-1", {"other_1.0.orig.tar.gz": b"another"})
        _, out = self.prepare({"Hello-1.0.tar.gz": tar})
        self.assertEqual((out / "Hello-1.0.tar.gz").read_bytes(), tar)
        # Once it is in the cache nobody is asked.
        (self.archive.root / "pool/main/h/hello/hello_1.0.orig.tar.gz").unlink()
        self.assertEqual(self.prepare({"Hello-1.0.tar.gz": tar})[1], out)

    def test_under_another_name(self):
        tar = b"the archive"
        self.archive.source("golang-example-hello", "1.2~rc1-1", {"golang-example-hello_1.2~rc1.orig.tar.xz": tar})
        self.archive.source("hello", "3-1", {"hello_3.orig.tar.gz": b"something else"})
        _, out = self.prepare({"hello-1.2-rc1.tar.xz": tar})
        self.assertEqual((out / "hello-1.2-rc1.tar.xz").read_bytes(), tar)

    def test_native(self):
        """A package whose upstream is the archive itself: its tarball has no ".orig", and what a packager added to others is none."""
        tar = b"the archive"
        self.archive.source("hello", "1.0", {"hello_1.0.tar.xz": tar})
        self.archive.source("other", "1.0-1", {"other_1.0.orig.tar.xz": b"another", "other_1.0-1.debian.tar.xz": b"d"})
        _, out = self.prepare({"hello_1.0.tar.xz": tar})
        self.assertEqual((out / "hello_1.0.tar.xz").read_bytes(), tar)
        p, _ = self.prepare({"other_1.0.tar.xz": b"d"}, status=1)
        self.assertNotIn("debian.tar", p.stderr)

    def test_index_says_it(self):
        # The name says nothing at all; the index has the digest that is asked for.
        tar = b"the archive"
        for kind, sums in (("sha256", ("sha256",)), ("sha512", ("sha256", "sha512"))):
            self.archive.source("xyz", "9-1", {f"xyz_9.orig.{kind}.tar.gz": tar + kind.encode()}, sums)
            _, out = self.prepare({f"blob-{kind}": tar + kind.encode()}, kind=kind)
            self.assertEqual((out / f"blob-{kind}").read_bytes(), tar + kind.encode())

    def test_not_there(self):
        other = b"something else"
        self.archive.source("hello", "1.0-1", {"hello_1.0.orig.tar.gz": other})
        p, _ = self.prepare({"hello-1.0.tar.gz": b"the archive"}, status=1)
        self.assertIn("no source archive ('archive') has 'hello-1.0.tar.gz'", p.stderr)
        self.assertIn("looked for sha512 " + hashlib.sha512(b"the archive").hexdigest(), p.stderr)
        self.assertIn("tried hello_1.0.orig.tar.gz of hello: " + hashlib.sha512(other).hexdigest(), p.stderr)
        # It comes later: what was known before is not the last word.
        self.archive.source("hello", "1.0-2", {"hello_1.0.orig.tar.gz": b"the archive"})
        self.prepare({"hello-1.0.tar.gz": b"the archive"})

    def test_lost_and_forged(self):
        tar = b"the archive"
        self.archive.source("hello", "1.0-1", {"hello_1.0.orig.tar.gz": tar})
        file = self.archive.root / "pool/main/h/hello/hello_1.0.orig.tar.gz"
        file.unlink()
        p, _ = self.prepare({"hello-1.0.tar.gz": tar}, status=1)
        self.assertIn("the archive has lost it", p.stderr)
        file.write_bytes(b"THE ARCHIVE")
        p, out = self.prepare({"hello-1.0.tar.gz": tar}, status=1)
        self.assertIn("tried hello_1.0.orig.tar.gz", p.stderr)
        self.assertFalse(out.exists())

    def test_signatures(self):
        tar, binary = b"the archive", bytes(range(256)) * 3
        armored = b"-----BEGIN PGP SIGNATURE-----\nVersion: 1\n\n" + base64.encodebytes(binary) + b"=abcd\n-----END PGP SIGNATURE-----\n"
        self.archive.source("hello", "1.0-1", {"hello_1.0.orig.tar.gz": tar, "hello_1.0.orig.tar.gz.asc": armored})
        _, out = self.prepare({"hello-1.0.tar.gz": tar, "hello-1.0.tar.gz.sig": binary})
        self.assertEqual((out / "hello-1.0.tar.gz.sig").read_bytes(), binary)
        files = {"hello-1.0.tar.gz": tar, "hello-1.0.tar.gz.sign": b"another signature"}
        p, _ = self.prepare(files, status=1)
        self.assertIn("has 'hello-1.0.tar.gz.sign'", p.stderr)
        p, out = self.prepare(files, distro="allow-missing-signatures = true")
        self.assertRegex(p.stderr, r"warning: 'hello-1\.0\.tar\.gz\.sign' could not be had, which allow-missing-signatures takes for good")
        self.assertEqual((out / "hello-1.0.tar.gz.sign").read_bytes(), b"ashlar: no signature, checked by digest\n")
        # Of what is in the archive (kernel.org), under other names, and the keys that they are checked with.
        others = ["hello-1.0.tar.sign", "hello-1.0.tar.gz.txt", "hello-1.0.tar.gz.pgp", "hello-release-keyring.gpg", "somebody.asc", "coreteam-GPG-0xD55D978A8A1420E4.txt", "B1D2BD1375BECB784CF4F8C4D73CF638C53C06BE", "0x1A2B3C4D.txt", "Public-Key"]
        p, out = self.prepare({"hello-1.0.tar.gz": tar, **{n: n.encode() for n in others}}, distro="allow-missing-signatures = true")
        for name in others:
            self.assertEqual((out / name).read_bytes(), b"ashlar: no signature, checked by digest\n", name)
        # Beside a signature, what is neither one nor a key.
        for name in ("hello-more.txt", "hello-extra", "12345", "1.0.tar.gz"):
            p, _ = self.prepare({"hello-1.0.tar.gz": tar, "hello-1.0.tar.sign": b"x", name: b"y"}, distro="allow-missing-signatures = true", status=1)
            self.assertIn(f"has '{name}'", p.stderr)
        # A signature over nothing that is listed, and what is no signature, stay errors.
        for name in ("other.asc", "hello.txt", "hello-1.0.tar.txt", "keys.txt", "0x1A2B3C4D"):
            p, _ = self.prepare({"hello-1.0.tar.gz": tar, name: b"x"}, distro="allow-missing-signatures = true", status=1)
            self.assertIn(f"has '{name}'", p.stderr)

    def test_source_file(self):
        extra = b"not upstream's"
        self.archive.source("hello", "1.0-1", {"hello_1.0.orig.tar.gz": b"tar"})
        self.archive.source("data", "7-1", {"data_7.orig.tar.gz": extra})
        component = """[[components.hello.source-files]]
filename = "extra.tar.gz"
hash = "%s"
hash-type = "SHA512"
origin = { type = "apt-source", upstream = "%s", source-package = "data" }
"""
        digest = hashlib.sha512(extra).hexdigest()
        _, out = self.prepare({"hello-1.0.tar.gz": b"tar"}, component=component % (digest, "archive"))
        self.assertEqual((out / "extra.tar.gz").read_bytes(), extra)
        p, _ = self.prepare({"hello-1.0.tar.gz": b"tar"}, component=component % (digest, "none"), status=3)
        self.assertIn("none", p.stderr)
        p, _ = self.prepare({"hello-1.0.tar.gz": b"tar"}, component=(component % (digest, "archive")).replace(', upstream = "archive"', ""), status=3)
        self.assertIn("an origin of type 'apt-source' needs 'upstream'", p.stderr)

    def test_unsigned_index(self):
        self.archive.source("hello", "1.0-1", {"hello_1.0.orig.tar.gz": b"tar"})
        self.kit.key("Stranger", "ed25519")
        self.archive.user = "Stranger"
        p, _ = self.prepare({"hello-1.0.tar.gz": b"tar"}, status=5)
        self.assertIn("apt refuses the indices", p.stderr)


if __name__ == "__main__":
    main()
