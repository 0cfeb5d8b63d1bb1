"""repo index and package sign against createrepo_c, rpm and GnuPG's idea of a signature."""
import hashlib, json, os, pathlib, re, shutil, subprocess, sys, unittest, xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import dnfjudge, repojudge, rpmkit  # noqa: E402
from ashcli import ASHLAR, tree_of  # noqa: E402

LIB = pathlib.Path(__file__).parent.parent / "lib"
MORE = """%package devel
Summary: Second <package> & "quotes" 'too'
Epoch: 7
Provides: pkgconfig(kit) = 1.0~rc1, kit-devel(x86-64)
Requires: kit = 7:1.0-1, (gcc or clang), libfoo >= 1:2, /usr/bin/perl
Requires(post): /bin/sh, systemd
Requires(pre): shadow-utils >= 2
Requires: libfoo >= 1:2
Recommends: (docs if kit)
Suggests: nice < 3
Supplements: (kit and gcc)
Enhances: editor
Conflicts: other-devel < 4:5-6
Obsoletes: old-devel <= 9
%description devel
Lines
  indented, with a tab:\tand an end.

%package -n Upper
Summary: Starts with a capital
Version: 1.0^git1
%description -n Upper
%pre
exit 0
%post
echo hello
%postun -p /sbin/ldconfig
%triggerin -- bash > 5
echo triggered
%transfiletriggerin -- /usr/lib
cat
%files devel
%dir /etc/kit.d
/opt/kit
%files -n Upper
%changelog
"""
CHANGES = "".join(f"* {d} {a} <a@example.org> - 1-{n}\n- change {n} & <more>\n  second line\n\n" for n, (d, a) in enumerate(
    [("Wed Mar 05 2025", "Jörg"), ("Wed Mar 05 2025", "B B"), ("Tue Mar 04 2025", "C")] + [(f"Mon Feb {day:02} 2025", "Old") for day in (24, 17, 10, 3)]
    + [(f"Mon Jan {day} 2025", "Older") for day in (27, 20, 13)] + [("Mon Dec 30 2024", "Oldest"), ("Mon Dec 23 2024", "Oldest")]))
FULL = rpmkit.FULL_FILES.replace("/usr/bin/link", "/usr/bin/link\n%ghost /etc/ghost.conf\n%ghost %dir /var/ghost")


class Repo(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.kit = k = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        cls.packages = [
            k.build(tags=rpmkit.FULL_TAGS + "URL: https://example.org/?a=1&b=2\nVendor: V <v>\nPackager: P\nGroup: G/H\n", arch="noarch", files=FULL, more=MORE + CHANGES, defines=("__global_requires_exclude x",),
                    install=rpmkit.FULL_INSTALL + "\nmkdir -p %{buildroot}/etc/kit.d %{buildroot}/opt/kit/sbin %{buildroot}/usr/lib\ntouch %{buildroot}/opt/kit/sbin/x '%{buildroot}/opt/kit/a&b <c>' %{buildroot}/opt/kit/'name with spaces'"),
            k.build(name="plain", payload="w3.zstdio"),
            k.build(name="many", files="/usr/share/many", install="mkdir -p %{buildroot}/usr/share/many/bin; cd %{buildroot}/usr/share/many; seq 1 5000 | xargs touch; seq 1 20 | sed s,^,bin/, | xargs touch"),
            k.build(name="native", arch="x86_64", files="/usr/bin/native", install="mkdir -p %{buildroot}/usr/bin; cp /bin/true %{buildroot}/usr/bin/native"),
        ]
        cls.packages += [p for p in cls.packages[0].parent.glob("*.rpm") if p not in cls.packages]
        cls.packages.append(cls.latin())
        src = k.dir / "src.spec"
        src.write_text(rpmkit.SPEC.format(name="origin", version="2", release="3", tags="BuildRequires: gcc >= 1:4, make\nSource0: a.txt\nBuildArch: noarch", install="true", files="", more=""))
        (k.dir / "a.txt").write_text("source")
        k.run("rpmbuild", "-bs", "--quiet", "--define", f"_topdir {k.dir}/top", "--define", f"_sourcedir {k.dir}", "--define", f"_srcrpmdir {k.dir}/rpms", src)
        cls.packages.append(k.dir / "rpms/origin-2-3.src.rpm")

    @classmethod
    def latin(cls):
        """Texts in ISO 8859-1, as old packages have them: rpmbuild refuses to make one, so one is forged."""
        one = cls.kit.build(name="latin", tags="Vendor: Gr?sse ??\n")
        forged = rpmkit.Forgery(one)
        at = forged.main[1011] - forged.start
        old = b"Gr?sse ??\0"
        assert forged.header[at:at + len(old)] == old
        forged.header[at:at + len(old)] = "Grüsse ßÿ".encode("latin-1") + b"\0"
        return forged.save(one)

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def setUp(self):
        self.dir = self.kit.dir / self.id().rsplit(".", 1)[-1]
        self.repo = self.dir / "repo"
        (self.repo / "Packages").mkdir(parents=True)
        self.env = {**self.kit.env, "XDG_DATA_HOME": str(self.dir / "data"), "XDG_CACHE_HOME": str(self.dir / "cache")}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def fill(self, packages=None):
        for p in packages or self.packages:
            shutil.copy2(p, self.repo / "Packages")
        return self.repo

    def ashlar(self, *args, status=0, env=None):
        p = subprocess.run([ASHLAR, *map(str, args)], env={**self.env, **(env or {})}, capture_output=True, text=True, timeout=120)
        self.assertEqual(p.returncode, status, f"{args}\n{p.stdout}{p.stderr}")
        return p

    def compare(self):
        theirs = self.dir / "theirs"
        shutil.rmtree(theirs, ignore_errors=True)
        theirs.mkdir()
        for p in sorted(self.repo.rglob("*.rpm")):
            (theirs / p.relative_to(self.repo)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(p, theirs / p.relative_to(self.repo))
        self.kit.run("createrepo_c", "-q", "--no-database", "--changelog-limit=10", theirs)
        return repojudge.differences(str(self.repo), str(theirs))

    # ---- index ----
    def test_equals_createrepo(self):
        self.assertGreaterEqual(len(self.packages), 8)
        self.fill()
        self.ashlar("repo", "index", self.repo)
        self.assertEqual(self.compare(), [])
        # The judge itself can fail.
        os.utime(self.repo / "Packages/plain-1.0-1.noarch.rpm", (1, 1))
        self.assertEqual(len(self.compare()), 1)

    def test_readers_accept_it(self):
        self.fill()
        self.ashlar("repo", "index", self.repo)
        dnf = dnfjudge.Dnf(self.dir / "dnf", self.env, {"x": {"baseurl": f"file://{self.repo}"}})
        out = dnf.run("repoquery", "--qf", "%{name}-%{epoch}:%{version}-%{release}.%{arch}").stdout.split()
        want = self.kit.run("rpm", "-qp", "--qf", "%{name}-%{epochnum}:%{version}-%{release}.%|SOURCEPACKAGE?{src}:{%{arch}}|\\n", *self.repo.rglob("*.rpm")).stdout.split()
        self.assertEqual(sorted(out), sorted(want))

    def test_gzip_for_old_clients(self):
        self.fill(self.packages[1:2])
        self.ashlar("repo", "index", self.repo, "--compression", "gzip")
        self.assertEqual(len(list(self.repo.glob("repodata/*.xml.gz"))), 3)
        self.assertEqual(self.compare(), [])
        self.ashlar("repo", "index", self.repo)
        self.assertEqual((len(list(self.repo.glob("repodata/*.xml.gz"))), len(list(self.repo.glob("repodata/*.xml.zst")))), (0, 3))
        self.assertEqual(self.compare(), [])

    def test_same_input_same_bytes(self):
        self.fill()
        self.ashlar("repo", "index", self.repo, "-j1")
        first = tree_of(self.repo / "repodata")
        shutil.rmtree(self.repo / "repodata")
        self.ashlar("repo", "index", self.repo)
        second = tree_of(self.repo / "repodata")
        state = ".ashlar-state"
        self.assertEqual({n: d for n, d in first.items() if n != state}, {n: d for n, d in second.items() if n != state})

    def stamps(self):
        return {str(p): (p.stat().st_ino, p.stat().st_mtime_ns) for p in self.repo.rglob("*")}

    def test_incremental(self):
        self.fill(self.packages[:3])
        one = json.loads(self.ashlar("--json", "repo", "index", self.repo).stdout)
        self.assertEqual((one["packages"], one["reused"], one["unchanged"]), (3, 0, False))
        before = self.stamps()
        two = json.loads(self.ashlar("--json", "repo", "index", self.repo).stdout)
        self.assertEqual((two["packages"], two["reused"], two["unchanged"], self.stamps()), (3, 3, True, before))
        self.fill([self.packages[3]])   # one added
        three = json.loads(self.ashlar("--json", "repo", "index", self.repo).stdout)
        self.assertEqual((three["packages"], three["reused"], self.compare()), (4, 3, []))
        target = self.repo / "Packages" / self.packages[1].name  # one changed, with the same size and time
        stamp = target.stat()
        data = bytearray(target.read_bytes())
        at = data.index(b"Made by a test.")
        data[at:at + 4] = b"Fade"
        target.write_bytes(data)
        os.utime(target, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        four = json.loads(self.ashlar("--json", "repo", "index", self.repo).stdout)
        self.assertEqual((four["packages"], four["reused"], self.compare()), (4, 3, []))
        target.unlink()                 # one removed
        five = json.loads(self.ashlar("--json", "repo", "index", self.repo).stdout)
        self.assertEqual((five["packages"], five["reused"], self.compare()), (3, 3, []))

    def test_damaged_state_and_leftovers(self):
        self.fill(self.packages[:3])
        self.ashlar("repo", "index", self.repo)
        state = self.repo / "repodata/.ashlar-state"
        good = state.read_bytes()
        for bad in (b"", b"ashlar", good[:-7], good.replace(b"Packages", b"Backages", 1), good[:100] + b"\0" + good[101:]):
            state.write_bytes(bad)
            (self.repo / ".repodata.new").mkdir(exist_ok=True)
            (self.repo / ".repodata.new/rubbish").write_text("x")
            self.assertEqual(json.loads(self.ashlar("--json", "repo", "index", self.repo).stdout)["reused"], 0)
            self.assertFalse((self.repo / ".repodata.new").exists())
            self.assertEqual(self.compare(), [])
        repomd = self.repo / "repodata/repomd.xml"  # a damaged repomd.xml is made anew
        text = repomd.read_text()
        repomd.write_text(text.replace("revision", "rexision"))
        self.ashlar("repo", "index", self.repo)
        self.assertEqual(repomd.read_text(), text)
        primary = next(self.repo.glob("repodata/*primary*"))  # and so is a lost file
        primary.unlink()
        self.ashlar("repo", "index", self.repo)
        self.assertTrue(primary.exists())
        self.assertEqual(self.compare(), [])

    def test_old_metadata_cannot_be_read(self):
        """What stays is taken out of the old metadata: a run that adds a package finds one of these files damaged or lost, and reads all packages."""
        self.fill(self.packages[:2])
        self.ashlar("repo", "index", self.repo)
        for package, spoil in zip(self.packages[2:5], (lambda f: f.write_bytes(f.read_bytes()[:-9] + b"123456789"), pathlib.Path.unlink, lambda f: f.write_bytes(b""))):
            spoil(next(self.repo.glob("repodata/*filelists*")))
            self.fill([package])
            self.assertEqual(json.loads(self.ashlar("--json", "repo", "index", self.repo).stdout)["reused"], 0)
            self.assertEqual(self.compare(), [])

    def test_texts_that_xml_cannot_hold(self):
        """U+FFFE and U+FFFF are left out, their neighbours and everything else stay."""
        one = self.kit.build(name="odd", tags="Vendor: 0123456789abcde\n")
        forged = rpmkit.Forgery(one)
        at = forged.main[1011] - forged.start
        forged.header[at:at + 15] = "a\uffffb\ufffec\ufffd\x01\x1bd".encode()
        self.fill([forged.save(one)])
        self.ashlar("repo", "index", self.repo)
        text = subprocess.run(["zstd", "-dc", *(self.repo / "repodata").glob("*primary.xml.zst")], capture_output=True, check=True).stdout
        xml.etree.ElementTree.fromstring(text)
        self.assertIn("<rpm:vendor>abc\ufffdd</rpm:vendor>", text.decode())
        self.kit.run("createrepo_c", "-q", "--update", "--skip-stat", "--no-database", self.repo)   # its parser reads it

    def test_bad_packages_are_named(self):
        self.fill(self.packages[:2])
        self.ashlar("repo", "index", self.repo)
        before = tree_of(self.repo / "repodata")
        bad = self.repo / "Packages/bad.rpm"
        for data in (b"", b"no package", self.packages[0].read_bytes()[:3000], bytes(200)):
            bad.write_bytes(data)
            self.assertIn("bad.rpm", self.ashlar("repo", "index", self.repo, status=None_or_failed(self)).stderr)
            self.assertEqual(tree_of(self.repo / "repodata"), before)
        bad.unlink()
        self.ashlar("repo", "index", self.repo)

    def test_no_packages_no_directory(self):
        self.ashlar("repo", "index", self.repo)
        self.assertEqual(self.compare(), [])
        self.assertIn("nowhere", self.ashlar("repo", "index", self.dir / "nowhere", status=1).stderr)

    # ---- sign ----
    def key(self, user, algorithm):
        public = self.kit.key(user, algorithm)
        secret = self.dir / f"{algorithm}.key"
        secret.write_text(self.kit.run("gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", "", "--armor", "--export-secret-keys", user).stdout)
        return public, secret

    def rest(self, path):
        """Header and payload of a package."""
        data = pathlib.Path(path).read_bytes()
        end, _ = rpmkit.Forgery._header(data, 96)
        return data[(end + 7) // 8 * 8:]

    def verdict(self, db, path):
        out = self.kit.run("rpmkeys", "--define", f"_dbpath {db}", "--define", "_pkgverify_level all", "-Kv", path, check=False)
        return out.returncode, out.stdout

    def check_signed(self, copies, originals, public, ids):
        db = self.kit.keyring(*public)
        for copy, original in zip(copies, originals):
            self.assertEqual(self.rest(copy), self.rest(original))
            code, text = self.verdict(db, copy)
            self.assertEqual(code, 0, text)
            for one in ids:
                self.assertRegex(text, rf"(?i)Header.*Signature, key ID {one}: OK")
            other = self.kit.keyring()
            self.assertNotEqual(self.verdict(other, copy)[0], 0)
            data = bytearray(copy.read_bytes())
            for at in (len(data) - 5, data.index(b"Made by a test.") + 3):
                data[at] ^= 1
                tampered = self.dir / "tampered.rpm"
                tampered.write_bytes(data)
                self.assertNotEqual(self.verdict(db, tampered)[0], 0)
                data[at] ^= 1
        self.kit.run("rpm", "-qp", *copies)

    def copies(self):
        originals = [p for p in self.packages if p.name.startswith(("kit-1", "plain", "native"))]
        self.fill(originals)
        return [self.repo / "Packages" / p.name for p in originals], originals

    def id_of(self, user):
        return re.search(r"^pub:.*?:.*?:.*?:([0-9A-F]{16}):", self.kit.run("gpg", "--list-keys", "--with-colons", user).stdout, re.M)[1]

    def test_sign_with_keys(self):
        rsa, rsa_secret = self.key("Rsa", "rsa4096")
        ed, ed_secret = self.key("Ed", "ed25519")
        for keys, public, users in (((rsa_secret,), (rsa,), ("Rsa",)), ((ed_secret,), (ed,), ("Ed",)), ((rsa_secret, ed_secret), (rsa, ed), ("Rsa", "Ed"))):
            copies, originals = self.copies()
            out = self.ashlar("package", "sign", *[a for k in keys for a in ("--key", k)], *copies)
            self.assertNotIn("DEVELOPMENT", out.stdout + out.stderr)
            if len(keys) == 1:
                self.check_signed(copies, originals, public, [self.id_of(u)[-8:] for u in users])
            else:
                for one, user in zip(public, users):  # rpm 4.18 shows one of several at a time: each key alone is enough
                    code, text = self.verdict(self.kit.keyring(one), copies[0])
                    self.assertRegex(text, rf"(?i)Signature, key ID {self.id_of(user)[-8:]}: OK")
                self.check_signed(copies, originals, public, [])
            again = [p.read_bytes() for p in copies]  # signing again gives the same
            self.ashlar("package", "sign", *[a for k in keys for a in ("--key", k)], *copies)
            self.assertEqual(again, [p.read_bytes() for p in copies])

    def test_signer_command(self):
        for algorithm, option in (("rsa4096", "-pkeyopt digest:sha256"), ("ed25519", "-rawin")):
            public, secret = self.key(f"Hsm {algorithm}", algorithm)
            pem = self.dir / "key.pem"
            pem.write_text(subprocess.run([sys.executable, LIB / "openpgp-to-pem.py"], input=secret.read_text(), check=True, capture_output=True, text=True).stdout)
            script = self.dir / "hsm"
            script.write_text(f"#!/bin/sh\nd=$(mktemp)\ncat > $d\nopenssl pkeyutl -sign -inkey {pem} {option} -in $d\nrm $d\n")
            script.chmod(0o755)
            copies, originals = self.copies()
            self.ashlar("package", "sign", "--signer", script, "--signer-key", public, *copies)
            self.check_signed(copies, originals, [public], [self.id_of(f"Hsm {algorithm}")[-8:]])
            for body, word in (("exit 3", "hsm"), ("echo no", "hsm"), ("head -c 64 /dev/zero", "hsm")):
                script.write_text(f"#!/bin/sh\n{body}\n")
                copies, originals = self.copies()
                self.assertIn(word, self.ashlar("package", "sign", "--signer", script, "--signer-key", public, copies[0], status=None_or_failed(self)).stderr)
                self.assertEqual(copies[0].read_bytes(), originals[0].read_bytes())
        self.assertIn("--signer-key", self.ashlar("package", "sign", "--signer", script, copies[0], status=2).stderr)

    def test_development_key(self):
        copies, originals = self.copies()
        first = self.ashlar("package", "sign", copies[0])
        key = self.dir / "data/ashlar/keys/development.key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        self.assertIn("DEVELOPMENT", first.stdout)
        self.assertIn("DEVELOPMENT", first.stderr)
        was = key.read_bytes()
        second = self.ashlar("--json", "package", "sign", *copies)
        self.assertEqual(key.read_bytes(), was)
        self.assertIn("DEVELOPMENT", second.stderr)
        answer = json.loads(second.stdout)
        self.assertEqual((answer["packages"], answer["development-key"], len(answer["keys"])), (len(copies), True, 1))
        public = self.dir / "dev.asc"
        answer = self.ashlar("package", "key")
        shown = answer.stdout
        self.assertIn("this is the DEVELOPMENT key", answer.stderr)
        bad = self.dir / "bad.rpm"
        bad.write_bytes(b"none")
        self.assertNotIn("DEVELOPMENT", self.ashlar("package", "sign", bad, status=None_or_failed(self)).stderr) # nothing was signed
        (self.dir / "NOTAKEY").write_text("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nxxxx\n-----END PGP PRIVATE KEY BLOCK-----\n")
        out = self.ashlar("package", "sign", "--key", self.dir / "NOTAKEY", copies[0], status=1).stderr
        self.assertRegex(out, r"^\S*NOTAKEY: error: no OpenPGP key can be read from it: .*\n  hint: expected an OpenPGP key.*\n$") # and no line of librnp's own
        public.write_text(shown)
        self.check_signed(copies, originals, [public], [])

    def test_unsigned_means_unsigned(self):
        copies, originals = self.copies()
        self.ashlar("package", "sign", "--no-sign", *copies, status=2)
        self.assertEqual([p.read_bytes() for p in copies], [p.read_bytes() for p in originals])

    def test_signed_metadata(self):
        public, secret = self.key("Meta", "ed25519")
        self.fill(self.packages[:2])
        self.ashlar("repo", "index", self.repo, "--key", secret)
        md = self.repo / "repodata"
        self.kit.run("gpg", "--verify", md / "repomd.xml.asc", md / "repomd.xml")
        self.assertIn("PUBLIC KEY", (md / "repomd.xml.key").read_text())
        self.assertEqual(self.compare(), [])
        before = self.stamps()
        self.ashlar("repo", "index", self.repo, "--key", secret)
        self.assertEqual(self.stamps(), before)


def None_or_failed(case):
    """1 or 5, whichever the mistake is: the texts matter here."""
    class Any:
        def __eq__(self, other):
            return other in (1, 5)
        def __repr__(self):
            return "1 or 5"
    return Any()


if __name__ == "__main__":
    unittest.main()
