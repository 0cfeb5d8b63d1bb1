"""The bundles of update-ca-trust, against p11-kit's own "trust extract" over the same sources (Fedora's layout), OpenSSL and keytool."""
import base64, hashlib, os, pathlib, re, shutil, subprocess, sys, unittest, urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
from handlerkit import EPOCH, Case, have  # noqa: E402

REAL = sorted(pathlib.Path("/usr/share/ca-certificates/mozilla").glob("*.crt"))
OUT = "etc/pki/ca-trust/extracted/"
# what Fedora's update-ca-trust calls
CALLS = (
    ("openssl/ca-bundle.trust.crt", "openssl-bundle", "--filter=certificates", "--comment"),
    ("pem/tls-ca-bundle.pem", "pem-bundle", "--filter=ca-anchors", "--comment", "--purpose=server-auth"),
    ("pem/email-ca-bundle.pem", "pem-bundle", "--filter=ca-anchors", "--comment", "--purpose=email"),
    ("pem/objsign-ca-bundle.pem", "pem-bundle", "--filter=ca-anchors", "--comment", "--purpose=code-signing"),
    ("java/cacerts", "java-cacerts", "--filter=ca-anchors", "--purpose=server-auth"),
    ("edk2/cacerts.bin", "edk2-cacerts", "--filter=ca-anchors", "--purpose=server-auth"),
    ("pem/directory-hash", "pem-directory-hash", "--filter=ca-anchors", "--purpose=server-auth"),
)
PURPOSES = {"server": "%01", "email": "%04", "code": "%03"}


def can_mount():
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0


def extension(purposes, public_key, oid="2.5.29.37"):
    """An attached extension in the words of Fedora's certdata2pem.py; no purpose: p11-kit's reserved one."""
    oids = b"".join(bytes.fromhex("06082b06010505070300")[:-1] + urllib.parse.unquote_to_bytes(PURPOSES[p]) for p in purposes) or bytes.fromhex("060a2b0601040199770" "60a10")
    inner = bytes([0x30, len(oids)]) + oids
    head = bytes.fromhex("0603551d250101ff") if oid == "2.5.29.37" else bytes.fromhex("060a2b06010401997706 0a01")
    whole = head + bytes([4, len(inner)]) + inner
    value = urllib.parse.quote_from_bytes(bytes([0x30, len(whole)]) + whole, safe="")
    return f'[p11-kit-object-v1]\nlabel: "x"\nclass: x-certificate-extension\nobject-id: {oid}\nvalue: "{value}"\nmodifiable: false\n{public_key}\n'


def public_key(pem):
    return subprocess.run(["openssl", "x509", "-noout", "-pubkey"], input=pem, capture_output=True, check=True).stdout.decode()


def entry(pem, label, purposes=("server", "email"), distrusted=False):
    """A certificate as ca-bundle.trust.p11-kit of Fedora has it."""
    key = public_key(pem)
    text = f"# {label}\n"
    if distrusted:
        text += extension(("email", "server", "code"), key, "1.3.6.1.4.1.3319.6.10.1")
    text += extension(purposes, key)
    state = "x-distrusted: true" if distrusted else "trusted: true"
    comment = "".join("#" + line + "\n" for line in subprocess.run(["openssl", "x509", "-noout", "-text"], input=pem, capture_output=True).stdout.decode(errors="replace").splitlines())
    return text + f'\n[p11-kit-object-v1]\nlabel: "{label}"\n{state}\nnss-mozilla-ca-policy: true\nmodifiable: false\n{pem.decode()}{comment}\n'


def java(data):
    """[(alias, time, certificate)] of a Java key store."""
    assert data[:8] == bytes.fromhex("feedfeed00000002"), data[:8]
    assert hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + data[:-20]).digest() == data[-20:]
    n, at, result = int.from_bytes(data[8:12], "big"), 12, []
    for _ in range(n):
        assert data[at:at + 4] == b"\0\0\0\2"
        length = int.from_bytes(data[at + 4:at + 6], "big")
        alias, at = data[at + 6:at + 6 + length], at + 6 + length
        time, kind, size = int.from_bytes(data[at:at + 8], "big"), data[at + 8:at + 15], int.from_bytes(data[at + 15:at + 19], "big")
        assert kind == b"\0\5X.509"
        result.append((alias, time, data[at + 19:at + 19 + size]))
        at += 19 + size
    assert at == len(data) - 20
    return result


@unittest.skipUnless(have("trust") and have("openssl") and REAL and can_mount(), "no p11-kit, no certificates, or no mount namespace")
class Trust(Case):
    def make(self, name, extensions="basicConstraints=critical,CA:TRUE\n", subject=None, key=None):
        """A certificate of our own, PEM."""
        conf = self.dir / "req.conf"
        conf.write_text("[req]\ndistinguished_name=dn\nprompt=no\nutf8=yes\nstring_mask=utf8only\n[dn]\n%s\n[x]\n%s" % (subject or "O=Org\nCN=" + name, extensions or "subjectKeyIdentifier=hash\n"))
        key = key or self.key(name)
        if extensions is None:
            run = subprocess.run(["openssl", "req", "-new", "-key", key, "-config", conf], capture_output=True, check=True).stdout
            return subprocess.run(["openssl", "x509", "-req", "-signkey", key], input=run, capture_output=True, check=True).stdout
        return subprocess.run(["openssl", "req", "-x509", "-new", "-key", key, "-config", conf, "-extensions", "x"], capture_output=True, check=True).stdout

    def key(self, name):
        key = self.dir / (re.sub(r"\W", "_", name) + ".key")
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key], capture_output=True, check=True)
        return key

    def trusted(self, pem, *options):
        return subprocess.run(["openssl", "x509", "-trustout", *options], input=pem, capture_output=True, check=True).stdout

    def judge(self):
        """What p11-kit writes of the same sources: its module is configured with Fedora's two directories in a mount namespace."""
        modules, out = self.dir / "modules", self.dir / "judge"
        shutil.rmtree(out, ignore_errors=True)
        modules.mkdir(exist_ok=True)
        paths = f"{self.root}/etc/pki/ca-trust/source:{self.root}/usr/share/pki/ca-trust-source"
        (modules / "p11-kit-trust.module").write_text(f"module: p11-kit-trust.so\npriority: 1\ntrust-policy: yes\nx-init-reserved: paths={paths}\n")
        script = f"mount --bind '{modules}' /usr/share/p11-kit/modules\n"
        for path, kind, *options in CALLS:
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            script += f"trust extract --format={kind} --overwrite {' '.join(options)} '{out / path}'\n"
        r = subprocess.run(["unshare", "-rm", "sh", "-ec", script], capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stderr)
        return out

    def compare(self, ordered=True):
        """All outputs against the judge's. Not ordered: sources whose order is that of a directory for p11-kit; then what is in them is compared."""
        for directory in ("etc/pki/ca-trust/source", "usr/share/pki/ca-trust-source"):
            (self.root / directory).mkdir(parents=True, exist_ok=True)
        self.handle("--time", EPOCH, "ca-trust")
        judge = self.judge()
        for path, kind, *_ in CALLS:
            theirs, ours = judge / path, self.out / OUT / path
            if kind == "pem-directory-hash":
                self.compare_directories(theirs, ours)
            elif kind == "java-cacerts":
                a, b = [[(alias, der) for alias, _, der in java(f.read_bytes())] for f in (theirs, ours)]
                self.assertEqual(a if ordered else sorted(a), b if ordered else sorted(b), path)
                self.assertEqual({time for _, time, _ in java(ours.read_bytes())} - {int(EPOCH) * 1000}, set())
            elif ordered:
                self.assertEqual(theirs.read_bytes(), ours.read_bytes(), path)
            else:
                self.assertEqual(*[sorted(self.parts(f.read_bytes(), kind)) for f in (theirs, ours)], path)

    def parts(self, data, kind):
        if kind != "edk2-cacerts":
            return re.findall(rb"# [^\n]*\n-----BEGIN.*?-----END[^\n]*\n", data, re.S)
        parts = []
        while data:
            size = int.from_bytes(data[16:20], "little")
            parts.append(data[:size])
            data = data[size:]
        return parts

    def compare_directories(self, theirs, ours):
        listing = []
        for directory in (theirs, ours):
            files = {f.name: os.readlink(f) if f.is_symlink() else f.read_bytes() for f in directory.iterdir()}
            listing.append({k: v for k, v in files.items() if k not in ("ca-bundle.crt", "ca-certificates.crt")})
        self.assertEqual(*listing)
        self.assertEqual(os.readlink(ours / "ca-bundle.crt"), "../tls-ca-bundle.pem")

    def test_mozilla(self):
        """Mozilla's certificates in the file that Fedora's package makes of them. Every fifth: openssl takes its time for each."""
        some = REAL[::5]
        kinds = (("server", "email"), ("server",), ("email",), ("server", "email", "code"), ("code",))
        text = "".join(entry(f.read_bytes(), f.stem.replace("_", " "), kinds[i % 5], distrusted=i % 17 == 0) for i, f in enumerate(some))
        self.put("usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit", text)
        self.compare()
        tls, both = self.made(OUT + "pem/tls-ca-bundle.pem"), self.made(OUT + "openssl/ca-bundle.trust.crt")
        self.assertEqual(both.count(b"BEGIN TRUSTED"), len(some))
        self.assertTrue(0 < tls.count(b"BEGIN") < len(some))
        if have("keytool"):
            r = subprocess.run(["keytool", "-list", "-keystore", self.out / OUT / "java/cacerts", "-storepass", "changeit"], capture_output=True, text=True)
            self.assertEqual((r.returncode, r.stdout.count("trustedCertEntry")), (0, tls.count(b"BEGIN")), r.stderr + r.stdout[:500])

    def test_plain_bundle_as_anchors(self):
        self.put("etc/pki/ca-trust/source/anchors/all.pem", b"text before\n" + b"\n".join(f.read_bytes() for f in REAL))
        self.compare()

    def test_forms(self):
        """Kinds of certificates and of files."""
        source = "etc/pki/ca-trust/source/"
        self.put(source + "anchors/ca.pem", self.make("A plain one"))
        self.put(source + "anchors/der.crt", base64.b64decode(b"".join(self.make("As DER").splitlines()[1:-1])))
        self.put(source + "anchors/leaf.pem", self.make("Not an authority", "basicConstraints=CA:FALSE\n"))
        self.put(source + "anchors/none.pem", self.make("No constraints", ""))
        self.put(source + "anchors/old.pem", self.make("Version 1", None))
        self.put(source + "anchors/eku.pem", self.make("Purposes of its own", "basicConstraints=CA:TRUE\nextendedKeyUsage=clientAuth,emailProtection\n"))
        self.put(source + "anchors/any.pem", self.make("Any purpose", "basicConstraints=CA:TRUE\nextendedKeyUsage=anyExtendedKeyUsage\n"))
        self.put(source + "anchors/umlaut.pem", self.make("Zürich Ä (1/2)"))
        self.put(source + "anchors/unit.pem", self.make("u", subject="O=Organization\nOU=A unit"))
        self.put(source + "anchors/org.pem", self.make("o", subject="O=Only organization"))
        self.put(source + "anchors/nameless.pem", self.make("n", subject="C=CH"))
        self.put(source + "aux.pem", self.trusted(self.make("Alias"), "-addtrust", "serverAuth", "-addreject", "emailProtection", "-setalias", "An Alias"))
        self.put(source + "plainaux.pem", self.trusted(self.make("No aux"), "-clrtrust"))
        self.put(source + "rejected.pem", self.trusted(self.make("Rejected"), "-addreject", "serverAuth"))
        self.put(source + "neutral.pem", self.make("Neutral"))
        self.put(source + "anchors/README", "no certificate\n")
        self.compare(ordered=False)
        self.assertIn(b"# Z\xc3\xbcrich", self.made(OUT + "pem/tls-ca-bundle.pem"))

    def test_same_names(self):
        a, b, c = self.make("Twice the same"), self.make("Twice the same"), self.make("Twice the same")
        self.put("etc/pki/ca-trust/source/anchors/all.pem", a + b + c)
        self.compare()

    def test_blocklist_and_both_places(self):
        """Distrust wins wherever it stands: by the certificate, by issuer and serial number, by the key."""
        good, bad, serial, key = self.make("Good"), self.make("Bad"), self.make("By serial"), self.key("shared")
        one, two = self.make("Shared one", key=key), self.make("Shared two", key=key)
        self.put("usr/share/pki/ca-trust-source/all.p11-kit", "".join(entry(p, n) for p, n in ((good, "Good"), (bad, "Bad"), (serial, "By serial"), (one, "One"))))
        self.put("etc/pki/ca-trust/source/anchors/again.pem", good + bad)
        self.put("etc/pki/ca-trust/source/blocklist/bad.pem", bad + two)
        names = subprocess.run(["openssl", "asn1parse", "-inform", "PEM"], input=serial, capture_output=True, check=True).stdout.decode()
        der = base64.b64decode(b"".join(serial.splitlines()[1:-1]))
        element = [(int(m[1]), int(m[2]) + int(m[3])) for m in re.finditer(r"^ *(\d+):d=2 +hl=(\d+) l= *(\d+)", names, re.M)]
        number, issuer = [urllib.parse.quote_from_bytes(der[at:at + n], safe="") for at, n in (element[1], element[3])]
        self.put("usr/share/pki/ca-trust-source/serial.p11-kit", f'[p11-kit-object-v1]\nlabel: "gone"\nclass: certificate\ncertificate-type: x-509\nissuer: "{issuer}"\nserial-number: "{number}"\nx-distrusted: true\n')
        self.compare(ordered=False)
        tls = self.made(OUT + "pem/tls-ca-bundle.pem")
        self.assertEqual(re.findall(rb"# (.*)", tls), [b"Good"])

    def test_damaged(self):
        good = self.make("Good").decode()
        self.put("etc/pki/ca-trust/source/anchors/x.pem", good + good.replace("MII", "AAA", 1) + good[:200])
        self.handle("ca-trust")
        self.assertEqual(self.made(OUT + "pem/tls-ca-bundle.pem").count(b"BEGIN"), 1)
        self.assertIn("damaged", self.err)

    def test_legacy_and_nothing(self):
        self.put("usr/share/pki/ca-trust-source/README", "nothing\n")
        self.put("usr/share/pki/ca-trust-legacy/ca-bundle.legacy.default.crt", self.make("Legacy"))
        self.put("usr/share/pki/ca-trust-legacy/ca-bundle.legacy.disable.crt", "")
        self.handle("ca-trust")
        self.assertEqual(os.readlink(self.out / "etc/pki/ca-trust/source/ca-bundle.legacy.crt"), "/usr/share/pki/ca-trust-legacy/ca-bundle.legacy.default.crt")
        self.assertEqual(self.made(OUT + "pem/tls-ca-bundle.pem"), b"")
        shutil.rmtree(self.root / "usr")
        self.handle("ca-trust")
        self.assertEqual(list(self.out.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
