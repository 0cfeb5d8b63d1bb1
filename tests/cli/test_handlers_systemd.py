"""The handlers that make systemd's databases, against systemd-hwdb and journalctl: equal bytes; and audit rules, against augenrules."""
import os, pathlib, shutil, subprocess, sys, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
from handlerkit import Case, have  # noqa: E402

HWDB = r"""# comment

usb:v1234*
usb:v1235p*
 ID_A=1
 ID_B=two # trailing comment
   ID_C=many blanks   

usb:v1234p0001*
 ID_A=other
 ID_A=twice
 no value
 =no key
 ID_EMPTY=

pci:v00008086d*
 ID_B=two

 ID_A=indented without a match

nothing:*

record:a*
 X=1
record:without:empty:line*
 X=2

last:*
 LAST=1"""
SECOND = """usb:v1234*
 ID_A=replaced
 ID_Z=new

usb:v12*
 ID_A=shorter

usb:*
 ID_A=shortest

us
 ID_A=end inside a prefix

*
 ANY=x
"""
CATALOG = """# comment
-- 0123456789abcdef0123456789abcdef
Subject: One
Defined-By: test

Body of one.


Second paragraph.
-- 0123456789abcdef0123456789abcdee
no start without an empty line

-- 0123456789ABCDEF0123456789abcde0
Subject: Two

-- 0123456789abcdef0123456789abcdef de
Subject: Eins

Text.
"""


class Systemd(Case):
    def setUp(self):
        super().setUp()
        for name in ("systemd-hwdb", "journalctl"):
            self.put("usr/bin/" + name)
        version = subprocess.run(["systemctl", "--version"], capture_output=True, text=True).stdout.split()[1] if have("systemctl") else "252"
        self.put(f"usr/lib/systemd/libsystemd-shared-{version}.so")

    def judge(self, program, *args):
        """The names of files are part of the database: the root has to be the root."""
        judge = self.dir / "judge"
        if judge.exists():
            shutil.rmtree(judge)
        shutil.copytree(self.root, judge, symlinks=True)
        binds = []
        for place in ("usr/lib/udev", "etc/udev", "usr/lib/systemd/catalog", "usr/local/lib/systemd/catalog", "var/lib/systemd/catalog"):
            (judge / place).mkdir(parents=True, exist_ok=True)
            binds += ["--bind", judge / place, "/" + place]
        subprocess.run([have("bwrap"), "--ro-bind", "/", "/", "--tmpfs", "/usr/local", *binds, have(program), *args], check=True, capture_output=True)
        return judge

    def hwdb(self, **files):
        for name, text in files.items():
            self.put(f"usr/lib/udev/hwdb.d/{name}.hwdb", text)

    def compare_hwdb(self):
        judge = self.judge("systemd-hwdb", "--usr", "update")
        self.handle("hwdb")
        self.assertEqual(self.made("usr/lib/udev/hwdb.bin"), (judge / "usr/lib/udev/hwdb.bin").read_bytes())

    @unittest.skipUnless(have("systemd-hwdb") and have("bwrap"), "no systemd-hwdb")
    def test_hwdb_crafted(self):
        self.hwdb(**{"10-a": HWDB, "20-b": SECOND})
        self.compare_hwdb()

    @unittest.skipUnless(have("systemd-hwdb") and have("bwrap") and pathlib.Path("/lib/udev/hwdb.d").is_dir(), "no systemd-hwdb")
    def test_hwdb_of_the_host(self):
        shutil.copytree("/lib/udev/hwdb.d", self.root / "usr/lib/udev/hwdb.d")
        self.compare_hwdb()

    def test_hwdb_places(self):
        self.handle("hwdb")
        self.assertEqual(self.listing, {})
        self.hwdb(**{"10-a": HWDB})
        self.handle("hwdb")
        for text in ("10-a.hwdb:12:1: warning: not a property (KEY=value)", "10-a.hwdb:13:1: warning: a property without a key", "a property without a match", "a record without properties",
                     "an empty line has to end a record"):
            self.assertIn(text, self.err)

    def compare_catalog(self):
        judge = self.judge("journalctl", "--update-catalog")
        self.handle("catalog")
        self.assertEqual(self.made("var/lib/systemd/catalog/database"), (judge / "var/lib/systemd/catalog/database").read_bytes())

    @unittest.skipUnless(have("journalctl") and have("bwrap"), "no journalctl")
    def test_catalog_crafted(self):
        self.put("usr/lib/systemd/catalog/a.catalog", CATALOG)
        self.put("usr/lib/systemd/catalog/a.fr.catalog", CATALOG.replace(" de\n", "\n").replace("Eins", "Un"))
        self.put("usr/lib/systemd/catalog/b.catalog", "-- 0123456789abcdef0123456789abcdef\nSubject: More\nX: y\n\n-- 0123456789abcdef0123456789abcde0\nSubject: Two, too\n\nWith a body.\n")
        self.put("usr/local/lib/systemd/catalog/c.catalog", "-- 0123456789abcdef0123456789abcd00\nSubject: Local\n")
        self.compare_catalog()

    @unittest.skipUnless(have("journalctl") and have("bwrap") and pathlib.Path("/usr/lib/systemd/catalog").is_dir(), "no journalctl")
    def test_catalog_of_the_host(self):
        shutil.copytree("/usr/lib/systemd/catalog", self.root / "usr/lib/systemd/catalog")
        self.compare_catalog()

    def test_catalog_mistakes(self):
        for text, message in (("text\n", "text in front of the first message's id"), ("-- 0123456789abcdef0123456789abcdef\n\n-- 0123456789abcdef0123456789abcdee\nx\n", "has no text"),
                              ("-- 0123456789abcdef0123456789abcdef\n", "the last message has no text"), ("-- 0123456789abcdef0123456789abcdef x\ny\n", "a language with a bad length")):
            self.put("usr/lib/systemd/catalog/a.catalog", text)
            self.handle("catalog", fails=True)
            self.assertIn("/usr/lib/systemd/catalog/a.catalog:", self.err)
            self.assertIn(message, self.err)


class Policies(Case):
    @unittest.skipUnless(have("augenrules") and have("bwrap"), "no augenrules")
    def test_audit(self):
        self.put("usr/sbin/augenrules")
        rules = {"10-a.rules": "-D\n-b 100\n# c\n\n-w /etc -p wa\n-D -k x\n", "9-b.rules": "-e 1\n-f 0\n-a always,exit -S open\n", "100-z.rules": "-b 8192\n-e 2\n--loginuid-immutable\n", "no.txt": "-w /x\n"}
        for name, text in rules.items():
            self.put("etc/audit/rules.d/" + name, text)
        judge = self.dir / "judge"
        shutil.copytree(self.root / "etc/audit", judge)
        subprocess.run([have("bwrap"), "--ro-bind", "/", "/", "--tmpfs", "/tmp", "--bind", judge, "/etc/audit", have("augenrules")], check=True, capture_output=True)
        self.handle("audit")
        self.assertEqual(self.made("etc/audit/audit.rules"), (judge / "audit.rules").read_bytes())
        self.assertEqual(self.listing["/etc/audit/audit.rules"][0], "100640")

    def test_audit_default(self):
        self.put("usr/sbin/augenrules")
        self.put("usr/share/audit-rules/10-no-audit.rules", "-D\n-a task,never\n")
        self.handle("audit")
        self.assertEqual(self.made("etc/audit/rules.d/audit.rules"), b"-D\n-a task,never\n")
        self.assertEqual(self.made("etc/audit/audit.rules"), b"## This file is automatically generated from /etc/audit/rules.d\n-D\n\n\n-a task,never\n\n")

    def test_crypto_policies(self):
        self.handle("crypto-policies")
        self.assertEqual(self.listing, {})
        for policy in ("DEFAULT", "FIPS"):
            for name in ("gnutls.txt", "openssl.txt", "java.txt"):
                self.put(f"usr/share/crypto-policies/{policy}/{name}", policy)
        self.handle("crypto-policies")
        self.assertEqual((self.made("etc/crypto-policies/config"), self.made("etc/crypto-policies/state/current")), (b"DEFAULT\n", b"DEFAULT\n"))
        self.assertEqual(os.readlink(self.out / "etc/crypto-policies/back-ends/gnutls.config"), "/usr/share/crypto-policies/DEFAULT/gnutls.txt")
        self.assertEqual(len(self.listing), 3 + 2 + 3)  # and three directories
        self.put("etc/crypto-policies/config", "# c\nFIPS\n")
        self.handle("crypto-policies")
        self.assertEqual(os.readlink(self.out / "etc/crypto-policies/back-ends/java.config"), "/usr/share/crypto-policies/FIPS/java.txt")
        self.put("etc/crypto-policies/config", "DEFAULT:SHA1\n")
        self.handle("crypto-policies")
        self.assertEqual(self.listing, {})
        self.assertIn("the crypto policy 'DEFAULT:SHA1'", self.err)


if __name__ == "__main__":
    unittest.main()
