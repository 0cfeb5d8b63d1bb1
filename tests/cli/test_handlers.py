"""Handlers against the tools whose work they do."""
import os, pathlib, shutil, sqlite3, struct, subprocess, sys, tempfile, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import rpmkit  # noqa: E402
from handlerkit import EPOCH, TOOL, Case, have  # noqa: E402


FILES = ("passwd", "group", "shadow", "gshadow")
BASIC = """
g adm 4 - -
g audio 29 - -
g nogroup 65534 - -
u root 0 "Super User" /root /bin/bash
u daemon 1 - /usr/sbin /usr/sbin/nologin
u sync 4:65534 - /bin /bin/sync
u games 5:audio "With a group" /usr/games
u mail 8
u! shut 11
"""
MORE = """
# dynamic ones
u zeta - "Zeta Daemon" /var/lib/zeta
u alpha - 'Alpha "x" Daemon' - /bin/sh
g later -
m zeta audio
m alpha audio
m alpha late-group
m nobody-else adm
r - 500-900
"""


class Accounts(Case):
    def judge(self):
        judge = self.dir / "judge"
        shutil.copytree(self.root, judge)
        subprocess.run([have("systemd-sysusers"), "--root", judge], check=True, capture_output=True, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
        return {f: ((judge / "etc" / f).chmod(0o600), (judge / "etc" / f).read_text())[1] for f in FILES}

    @staticmethod
    def ids(text):
        return {line.split(":")[0]: int(line.split(":")[2]) for line in text.splitlines()}

    def compare(self):
        want = self.judge()
        self.handle(*self.lock(self.ids(want["passwd"]), self.ids(want["group"])), "accounts", "owners")
        for f in FILES:
            self.assertEqual(self.made("etc/" + f).decode(), want[f], f)

    @unittest.skipUnless(have("systemd-sysusers"), "no systemd-sysusers")
    def test_sysusers_fresh(self):
        self.put("usr/lib/sysusers.d/basic.conf", BASIC.replace("u! shut 11\n", ""))
        self.put("usr/lib/sysusers.d/more.conf", MORE)
        self.compare()
        self.assertEqual(self.listing["/etc/shadow"][:2], ["100000", "root:root"])
        self.assertEqual(self.listing["/etc/passwd"][:3], ["100644", "root:root", "0:0"])

    @unittest.skipUnless(have("systemd-sysusers"), "no systemd-sysusers")
    def test_sysusers_of_the_host(self):
        if not pathlib.Path("/usr/lib/sysusers.d").is_dir():
            self.skipTest("no sysusers.d here")
        shutil.copytree("/usr/lib/sysusers.d", self.root / "usr/lib/sysusers.d")
        self.compare()

    @unittest.skipUnless(have("systemd-sysusers"), "no systemd-sysusers")
    def test_sysusers_over_files(self):
        self.put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nold:x:70:70::/:/bin/sh\n")
        self.put("etc/group", "root:x:0:\nold:x:70:\naudio:x:29:old\nshadow:x:42:\n")
        self.put("etc/shadow", "root:$6$x$y:19000:0:99999:7:::\nold:!:1::::::\n", 0o640)
        self.put("etc/gshadow", "root:*::\nold:!::\naudio:!::old\nshadow:!::\n", 0o640)
        self.put("usr/lib/sysusers.d/a.conf", BASIC.replace("u! shut 11\n", "") + "u old 71\nu new 72\n")
        self.put("usr/lib/sysusers.d/b.conf", "u hidden 444\n")
        self.put("etc/sysusers.d/b.conf", "u shown 445\n")
        self.put("usr/lib/sysusers.d/c.conf", "u masked 446\n")
        self.link("etc/sysusers.d/c.conf", "/dev/null")
        self.compare()
        self.assertNotIn(b"hidden", self.made("etc/passwd"))
        self.assertNotIn(b"masked", self.made("etc/passwd"))

    def test_sysusers_locked(self):
        self.put("usr/lib/sysusers.d/basic.conf", BASIC)
        self.handle("accounts")
        self.assertIn("shut:!*:19675:::::1:", self.made("etc/shadow").decode())

    def test_without_lock_downwards(self):
        self.put("usr/lib/sysusers.d/a.conf", "u b -\nu a 999\ng c -\n")
        self.handle("accounts")
        self.assertEqual(self.ids(self.made("etc/passwd").decode()), {"b": 997, "a": 999})
        self.assertEqual(self.ids(self.made("etc/group").decode()), {"c": 998, "b": 997, "a": 999})

    @unittest.skipUnless(have("pwconv") and os.geteuid() == 0, "pwconv -R needs root")
    def test_pwconv(self):
        for f in ("passwd", "group"):
            self.put("etc/" + f, pathlib.Path(f"/usr/share/base-passwd/{f}.master").read_text())
        self.put("etc/login.defs", "PASS_MAX_DAYS\t99999\nPASS_MIN_DAYS 0\nPASS_WARN_AGE\t7\n")
        judge = self.dir / "judge"
        shutil.copytree(self.root, judge)
        for tool in ("pwconv", "grpconv"):
            subprocess.run([have(tool), "-R", judge], check=True, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
        self.handle("accounts", "owners")
        for f in FILES:
            self.assertEqual(self.made("etc/" + f).decode(), (judge / "etc" / f).read_text(), f)
        self.assertEqual(self.listing["/etc/shadow"][:3], ["100640", "root:shadow", "0:42"])

    def test_definition(self):
        self.put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        self.put("etc/group", "root:x:0:\nwheel:x:10:\nshadow:x:42:\n")
        self.put("etc/skel/.profile", "hello\n")
        self.put("usr/bin/bash", "")
        self.link("bin", "usr/bin")
        (self.root / "root").mkdir()
        image = self.project("""
[images.i.users.root]
password-hash = "$6$salt$hash"
ssh-keys = ["ssh-ed25519 AAAA root@x"]
[images.i.users.ann]
groups = ["wheel", "team"]
ssh-keys = ["ssh-ed25519 AAAA a@x", "ssh-ed25519 BBBB b@x"]
sudo = true
[images.i.users.bob]
uid = 1000
group = "team"
shell = "/bin/zsh"
comment = "Bob"
[images.i.users.svc]
system = true
[images.i.groups.team]
gid = 2000
members = ["svc"]
""")
        self.handle(*image, "accounts", "owners")
        self.assertEqual(self.made("etc/passwd").decode().splitlines(), ["root:x:0:0:root:/root:/bin/sh", "bob:x:1000:2000:Bob:/home/bob:/bin/zsh",
                         "ann:x:1001:1001::/home/ann:/bin/bash", "svc:x:999:999::/:/usr/sbin/nologin"])
        self.assertIn("team:x:2000:ann,svc\n", self.made("etc/group").decode())
        self.assertIn("wheel:x:10:ann\n", self.made("etc/group").decode())
        shadow = self.made("etc/shadow").decode()
        self.assertIn("root:$6$salt$hash:19675:", shadow)
        self.assertIn("ann:!:19675:0:99999:7:::\n", shadow)
        self.assertEqual(self.made("home/ann/.ssh/authorized_keys"), b"ssh-ed25519 AAAA a@x\nssh-ed25519 BBBB b@x\n")
        self.assertEqual(self.listing["/home/ann"][:3], ["40700", "ann:ann", "1001:1001"])
        self.assertEqual(self.listing["/home/ann/.ssh"][:3], ["40700", "ann:ann", "1001:1001"])
        self.assertEqual(self.listing["/home/ann/.ssh/authorized_keys"][:3], ["100600", "ann:ann", "1001:1001"])
        self.assertEqual(self.listing["/home/bob/.profile"][:3], ["100644", "bob:team", "1000:2000"])
        self.assertEqual(self.listing["/root/.ssh/authorized_keys"][:3], ["100600", "root:root", "0:0"])
        self.assertNotIn("/home/svc", self.listing)
        self.assertEqual(self.made("etc/sudoers.d/ann"), b"ann ALL=(ALL:ALL) NOPASSWD: ALL\n")

    def test_root_that_no_package_declares(self):
        """Files of packages belong to number 0: root is that, with or without a number in the definition."""
        self.handle(*self.project('[images.i.users.root]\n[images.i.users.ann]\n'), "accounts")
        self.assertEqual(self.made("etc/passwd").decode().splitlines(), ["root:x:0:0::/root:/bin/sh", "ann:x:1000:1000::/home/ann:/bin/sh"])
        self.assertEqual(self.made("etc/group").decode().splitlines(), ["root:x:0:", "ann:x:1000:"])

    def test_definition_mistakes(self):
        self.put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/:/bin/sh\n")
        self.put("etc/group", "root:x:0:\nwww:x:33:\n")
        self.handle(*self.project('[images.i.users.eve]\nuid = 33\n[images.i.users.www]\nuid = 34\n'), "accounts", fails=True)
        self.assertIn("the number 33 for the user 'eve' is taken by 'www'", self.err)
        self.assertIn("the user 'www' has the number 33 in a package", self.err)
        self.assertIn("ashlar.toml:6:", self.err)
        self.handle(*self.project('[images.i.users.eve]\ngroups = ["nope"]\n[images.i.users.al]\ngroup = "nil"\n'), "accounts", fails=True)
        self.assertIn("the group 'nil' of the user 'al' does not exist in this image", self.err)

    def test_unknown_owner(self):
        kit = rpmkit.Kit(self.dir)
        self.addCleanup(kit.close)
        rpm = kit.build("stray", install="mkdir -p %{buildroot}/opt; echo x > %{buildroot}/opt/x", files="%attr(0640, ghost, daemons) /opt/x")
        self.handle("--store", self.dir / "store", "--rpm", rpm, "accounts", "owners", fails=True)
        self.assertIn("/opt/x of stray-1.0-1.noarch belongs to the user 'ghost', which is not known in this image", self.err)
        self.assertIn("/opt/x of stray-1.0-1.noarch belongs to the group 'daemons'", self.err)


@unittest.skipUnless(have("ldconfig") and have("gcc"), "no ldconfig or gcc")
class LdCache(Case):
    def library(self, path, soname=None, needs=()):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        arguments = ["gcc", "-shared", "-nostdlib", "-fPIC", "-x", "c", "/dev/null", "-o", file]
        if soname:
            arguments.append(f"-Wl,-soname,{soname}")
        subprocess.run([*arguments, "-Wl,--no-as-needed", "-x", "none", *needs], check=True)

    def compare(self):
        judge = self.dir / "judge"
        shutil.copytree(self.root, judge, symlinks=True)
        (judge / "var/cache/ldconfig").mkdir(parents=True)
        subprocess.run([have("ldconfig"), "-r", judge], check=True, capture_output=True)
        self.handle("ldcache")
        show = lambda root: subprocess.run([have("ldconfig"), "-p", "-C", root / "etc/ld.so.cache"], check=True, capture_output=True, text=True).stdout.split("\n", 1)[1]
        self.assertEqual(show(self.out), show(judge))
        self.assertEqual((self.out / "etc/ld.so.cache").read_bytes(), (judge / "etc/ld.so.cache").read_bytes())
        links = lambda root: {str(p.relative_to(root)): os.readlink(p) for p in root.rglob("*") if p.is_symlink()}
        self.assertEqual({**links(self.root), **links(self.out)}, links(judge))

    def test_ldconfig(self):
        multi = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()
        if multi != "x86_64-linux-gnu":
            self.skipTest("the tree is one of Debian on x86_64")
        lib = f"usr/lib/{multi}"
        self.link("lib", "usr/lib")
        self.library(f"{lib}/libc.so.6", "libc.so.6")
        libc = self.root / lib / "libc.so.6"
        self.library(f"{lib}/libplain.so.1.2.10", "libplain.so.1", [libc])
        self.library(f"{lib}/libplain.so.1.2.9", "libplain.so.1", [libc])
        self.link(f"{lib}/libplain.so.1", "libplain.so.1.2.9")
        self.link(f"{lib}/libplain.so", "libplain.so.1")
        self.library(f"{lib}/libmocka.so.0.8.0", "libmocka.so.0", [libc])
        self.link(f"{lib}/libmocka.so.0", "libmocka.so.0.8.0")
        self.link(f"{lib}/libmocka.so", "libmocka.so.0")
        self.link(f"{lib}/libmockery.so", "libmocka.so")   # counts as the newer file; what it leads to is the same: no link from the soname to it, which would lead to itself
        self.library(f"{lib}/libfree.so.3.0", "libfree.so.3")
        self.library(f"{lib}/libself.so.1.0", "libself.so.1.0", [libc])
        self.link(f"{lib}/libself.so.1", "libself.so.1.0")
        self.library(f"{lib}/libnoname.so", None, [libc])
        self.library(f"{lib}/libtail10.so.1", "libtail10.so.1", [libc])
        self.library(f"{lib}/libtail9.so.1", "libtail9.so.1", [libc])
        self.library("opt/other/libplain.so.1.3", "libplain.so.1", [libc])
        self.library("opt/rel/libr.so.1", "libr.so.1", [libc])
        self.library("usr/local/lib/libfree.so.3", "libfree.so.3", [libc])
        self.library("usr/lib/libold.so.1", "libold.so.1", [libc])
        self.link(f"{lib}/libgone.so", "nowhere.so")
        self.put(f"{lib}/libtext.so", "INPUT(libplain.so.1)\n")
        self.put(f"{lib}/notalib.so.1.txt", "x")
        self.put("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n# comment\n/opt/rel/ # trailing\n/opt/missing\n")
        self.put("etc/ld.so.conf.d/b.conf", "/opt/other\n")
        self.put("etc/ld.so.conf.d/a.conf", "/usr/local/lib\n/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n")
        self.put("usr/sbin/ldconfig", pathlib.Path(have("ldconfig")).read_bytes(), 0o755)
        self.compare()

    def test_hwcaps(self):
        self.library("usr/lib/x86_64-linux-gnu/libc.so.6", "libc.so.6")
        libc = self.root / "usr/lib/x86_64-linux-gnu/libc.so.6"
        for level in ("", "glibc-hwcaps/x86-64-v2/", "glibc-hwcaps/x86-64-v3/"):
            self.library(f"usr/lib/x86_64-linux-gnu/{level}libfast.so.1", "libfast.so.1", [libc])
        self.put("usr/sbin/ldconfig", pathlib.Path(have("ldconfig")).read_bytes(), 0o755)
        self.link("lib", "usr/lib")
        self.compare()

    def test_only_where_glibc_is(self):
        self.put("etc/ld.so.conf", "/opt\n")
        self.handle("ldcache")
        self.assertEqual(self.listing, {})


@unittest.skipUnless(have("update-ca-certificates") and have("openssl"), "no update-ca-certificates")
class Ca(Case):
    def certificate(self, path, subject, days=1000, newline=True):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-subj", subject, "-days", str(days), "-out", file], check=True, capture_output=True)
        if not newline:
            file.write_bytes(file.read_bytes().rstrip(b"\n"))

    def compare(self, conf):
        judge = self.dir / "judge"
        shutil.copytree(self.root, judge, symlinks=True)
        (judge / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
        (judge / "hooks").mkdir()
        if conf is not None:
            (judge / "etc/ca-certificates.conf").write_text(conf)
        subprocess.run([have("update-ca-certificates"), "--certsconf", judge / "etc/ca-certificates.conf", "--certsdir", judge / "usr/share/ca-certificates", "--localcertsdir", judge / "usr/local/share/ca-certificates",
                        "--etccertsdir", judge / "etc/ssl/certs", "--hooksdir", judge / "hooks"], check=True, capture_output=True)
        self.handle("ca")
        want = {p.name: os.readlink(p).removeprefix(str(judge)) if p.is_symlink() else p.read_bytes() for p in (judge / "etc/ssl/certs").iterdir()}
        got = {p.name: os.readlink(p) if p.is_symlink() else p.read_bytes() for p in [*(self.root / "etc/ssl/certs").glob("*"), *(self.out / "etc/ssl/certs").iterdir()]}
        self.assertEqual({k for k in got}, {k for k in want})
        self.assertEqual(got, want)
        return got

    def test_all(self):
        ca = "usr/share/ca-certificates/"
        self.certificate(ca + "mozilla/Plain.crt", "/CN=Plain/O=Org")
        self.certificate(ca + "mozilla/Same_Subject_B.crt", "/CN=Same/O=Org")
        self.certificate(ca + "mozilla/Same_Subject_A.crt", "/CN=Same/O=Org", days=2000)
        self.certificate(ca + "mozilla/No (new) line, here.crt", "/C=DE/O=\u00c4\u00d6 Stra\u00dfe  Zwei/CN=No", newline=False)
        self.certificate("usr/local/share/ca-certificates/local.crt", "/CN=Local")
        shutil.copy(self.root / (ca + "mozilla/Plain.crt"), self.root / "usr/local/share/ca-certificates/again.crt")
        self.put(ca + "mozilla/broken.crt", "no certificate\n")
        self.put(ca + "mozilla/README", "not one\n")
        names = sorted(str(p.relative_to(self.root / ca)) for p in (self.root / ca).rglob("*.crt"))
        got = self.compare("\n".join(names) + "\n")
        self.assertIn("No_=new=_line__here.pem", got)
        self.assertTrue(any(k.endswith(".1") for k in got))
        self.assertEqual([line for line in self.made("etc/ca-certificates.conf").decode().splitlines() if line[0] != "#"], names)

    def test_configured(self):
        for name in ("a", "b", "c"):
            self.certificate(f"usr/share/ca-certificates/x/{name}.crt", f"/CN={name}")
        conf = "# comment\nx/c.crt\n!x/b.crt\n\nx/gone.crt\nx/a.crt\n"
        self.put("etc/ca-certificates.conf", conf)
        self.compare(None)
        self.assertIn("gone.crt, which does not exist", self.err)

    def test_mozilla(self):
        if not pathlib.Path("/usr/share/ca-certificates/mozilla").is_dir():
            self.skipTest("no certificates here")
        shutil.copytree("/usr/share/ca-certificates", self.root / "usr/share/ca-certificates")
        ca = self.root / "usr/share/ca-certificates"
        self.assertGreater(len(self.compare("".join(sorted(f"{p.relative_to(ca)}\n" for p in ca.rglob("*.crt"))))), 100)


TRIGGERS = """%post
echo post
%triggerin -- kit, other
true
%triggerun -- kit
true
%filetriggerin -- /usr/lib, /usr/bin
true
%filetriggerun -- /usr/share, /usr/lib
true
%transfiletriggerin -- /usr/share
true
"""


@unittest.skipUnless(have("rpm") and have("rpmbuild"), "no rpm")
class RpmDb(Case):
    def build(self):
        self.kit = kit = rpmkit.Kit(self.dir)
        self.addCleanup(kit.close)
        return [kit.build("kit", tags=rpmkit.FULL_TAGS, install=rpmkit.FULL_INSTALL, files=rpmkit.FULL_FILES, more="%pre\ntrue\n"),
                kit.build("alpha", arch="x86_64", tags="Requires(pre): before\nRequires(preun): after\nRequires: ((x >= 1 and y) or z(feature))\nRequires: (p if q)\nRequires: (a1 if (b1 or b2) else (c1 if d1))\nConflicts: (e1 unless f1 else g1)\nSupplements: (p and kit)\nEpoch: 3\nGroup: Tools/More",
                          more=TRIGGERS),
                kit.build("beta", tags="Enhances: kit\nConflicts: (old with new)", files="/usr/share/beta/\n%lang(de) /usr/share/beta/de", install="mkdir -p %{buildroot}/usr/share/beta; echo x > %{buildroot}/usr/share/beta/de")]

    @staticmethod
    def read(file):
        db = sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)
        tables = {n: [] for (n,) in db.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite%'")}
        schema = sorted((n, sql) for (n, sql) in db.execute("select name, sql from sqlite_master where name not like 'sqlite%'"))
        names = dict(db.execute("select hnum, key from Name"))
        for t in tables:
            if t != "Packages":
                tables[t] = sorted((names[h], i, k) for (k, h, i) in db.execute(f"select key, hnum, idx from '{t}'"))
        blobs = {names[h]: b for (h, b) in db.execute("select hnum, blob from Packages")}
        return schema, tables, blobs, names

    def compare(self, rpms, *more):
        judge = self.dir / "judge"
        judge.mkdir()
        r = subprocess.run(["rpm", "-i", "--justdb", "--nodeps", "--noscripts", "--notriggers", "--nosignature", "--ignorearch", "--dbpath", judge, *rpms], capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stderr)
        subprocess.run(["rpm", "-qa", "--dbpath", judge], check=True, capture_output=True)
        db = sqlite3.connect(judge / "rpmdb.sqlite")
        db.execute("pragma wal_checkpoint(truncate)")
        (tid,), *_ = db.execute("select key from Installtid limit 1")
        db.close()
        arguments = [x for f in rpms for x in ("--rpm", f)]
        self.handle("--store", self.dir / "store", "--time", str(int.from_bytes(tid, "little")), *arguments, *more, "rpmdb")
        (path,) = [p for p in self.listing if p.endswith("rpmdb.sqlite")]
        ours, theirs = self.read(self.out / path[1:]), self.read(judge / "rpmdb.sqlite")
        self.assertEqual(ours[0], theirs[0])
        for table in theirs[1]:
            self.assertEqual(ours[1][table], theirs[1][table], table)
        return path, ours[2], theirs[2]

    def header(self, blob):
        n, size = struct.unpack(">II", blob[:8])
        entries = [struct.unpack(">IIiI", blob[8 + 16 * i:24 + 16 * i]) for i in range(n)]
        return [e[0] for e in entries]

    def test_rpm(self):
        rpms = self.build()
        color = subprocess.run(["rpm", "--eval", "%_transaction_color"], check=True, capture_output=True, text=True).stdout
        self.put("usr/lib/rpm/macros", f"%_transaction_color {color}")
        path, ours, theirs = self.compare(rpms)
        self.assertEqual(path, "/usr/lib/sysimage/rpm/rpmdb.sqlite")
        for name in theirs:
            self.assertEqual(self.header(ours[name]), self.header(theirs[name]), name)
            self.assertEqual(self.without_time(ours[name]), self.without_time(theirs[name]), name)

    @staticmethod
    def without_time(blob):
        """INSTALLTIME may be a second later than the transaction's, for rpm."""
        n, size = struct.unpack(">II", blob[:8])
        at = next(struct.unpack(">IIiI", blob[8 + 16 * i:24 + 16 * i])[2] for i in range(n) if blob[8 + 16 * i:12 + 16 * i] == b"\0\0\x03\xf0")
        return blob[:8 + 16 * n + at] + bytes(4) + blob[8 + 16 * n + at + 4:]

    def test_left_out(self):
        rpm = self.build()[2]
        self.kit.run("rpm", "-qp", rpm)
        self.handle("--store", self.dir / "store", "--rpm", rpm, "--drop", "/usr/share/beta/de", "rpmdb")
        show = lambda *a: subprocess.run(["rpm", "--dbpath", self.out / "usr/lib/sysimage/rpm", "-q", *a, "beta"], check=True, capture_output=True, text=True).stdout
        self.assertRegex(show("--state"), r"not installed +/usr/share/beta/de")

    @unittest.skipUnless(os.geteuid() == 0, "rpm --root needs root")
    def test_verify(self):
        rpm = self.build()[2]
        self.handle("--store", self.dir / "store", "--rpm", rpm, "rpmdb")
        subprocess.run(f"rpm2cpio {rpm} | cpio -idm --quiet", shell=True, check=True, cwd=self.out)
        verify = lambda: subprocess.run(["rpm", "-Va", "--nodeps", "--root", self.out, "--dbpath", "/usr/lib/sysimage/rpm"], capture_output=True, text=True)
        r = verify()
        self.assertEqual((r.returncode, r.stdout), (0, ""), r.stderr)
        (self.out / "usr/share/beta/de").write_text("changed")
        self.assertIn("/usr/share/beta/de", verify().stdout)

    def test_queries(self):
        rpms = self.build()
        root = self.dir / "image"
        self.handle("--store", self.dir / "store", *[x for f in rpms for x in ("--rpm", f)], "rpmdb")
        first = self.made("usr/lib/sysimage/rpm/rpmdb.sqlite")
        db = self.out / "usr/lib/sysimage/rpm"
        self.assertEqual(sorted(os.listdir(db)), ["rpmdb.sqlite"])
        run = lambda *a: subprocess.run(["rpm", "--dbpath", db, *a], capture_output=True, text=True)
        self.assertEqual(sorted(run("-qa").stdout.split()), ["alpha-1.0-1.x86_64", "beta-1.0-1.noarch", "kit-1.0-1.noarch"])
        self.assertEqual(run("-qf", "--dbpath", db, "/usr/bin/tool").stdout.strip() or run("-q", "--whatprovides", "/usr/bin/tool").stdout.strip(), "kit-1.0-1.noarch")
        self.assertEqual(run("-q", "--whatrequires", "y").stdout.strip(), "alpha-1.0-1.x86_64")
        self.assertEqual(run("-q", "--qf", "%{INSTALLTIME} %{INSTALLTID} [%{FILESTATES}]", "kit").stdout, "1700000000 1700000000 " + "0" * 12)
        self.handle("--store", self.dir / "store2", *[x for f in reversed(rpms) for x in ("--rpm", f)], "rpmdb")
        self.assertEqual(self.made("usr/lib/sysimage/rpm/rpmdb.sqlite"), first)

    def test_place(self):
        rpms = self.build()
        self.put("usr/lib/rpm/macros", "%_var\t/var\n%_dbpath\t%{_var}/lib/rpm\n%_transaction_color 3\n")
        self.handle("--store", self.dir / "store", "--rpm", rpms[0], "rpmdb")
        self.assertIn("/var/lib/rpm/rpmdb.sqlite", self.listing)
        self.put("etc/rpm/macros.site", "%_dbpath %(echo ~/x)\n")
        self.handle("--store", self.dir / "store", "--rpm", rpms[0], "rpmdb")
        self.assertIn("/usr/lib/sysimage/rpm/rpmdb.sqlite", self.listing)
        self.handle("--store", self.dir / "store", "--rpm", rpms[0], *self.project("package-database = false\n"), "rpmdb")
        self.assertEqual(self.listing, {})

    def test_manifests(self):
        rpms = self.build()
        files = [x for f in rpms for x in ("--rpm", f)]
        self.handle("--store", self.dir / "store", *files, "rpmdb", "manifest", "dnf")
        files_of = lambda: sorted(p for p, a in self.listing.items() if a[0].startswith("100"))
        self.assertEqual(files_of(), ["/usr/lib/sysimage/rpm/rpmdb.sqlite"])
        db = self.dir / "db"
        shutil.copytree(self.out / "usr/lib/sysimage/rpm", db)
        query = lambda form: sorted(subprocess.run(["rpm", "--dbpath", db, "-qa", *form], check=True, capture_output=True, text=True).stdout.splitlines())
        one, two = query([]), query(["--qf", r"%{NAME}\t%{VERSION}-%{RELEASE}\t%{INSTALLTIME}\t%{BUILDTIME}\t%{VENDOR}\t%{EPOCH}\t%{SIZE}\t%{ARCH}\t%{EPOCHNUM}\t%{SOURCERPM}\n"])
        self.handle("--store", self.dir / "store", *files, *self.project("package-database = false\n"), "rpmdb", "manifest", "dnf")
        self.assertEqual(files_of(), ["/var/lib/rpmmanifest/container-manifest-1", "/var/lib/rpmmanifest/container-manifest-2"])
        self.assertEqual(self.made("var/lib/rpmmanifest/container-manifest-1").decode().splitlines(), one)
        self.assertEqual(self.made("var/lib/rpmmanifest/container-manifest-2").decode().splitlines(), two)

    @unittest.skipUnless(have("dnf") and os.geteuid() == 0, "needs dnf and root")
    def test_dnf(self):
        """The rows of dnf's own history after it installed the same packages, and the cookie of the rpm database."""
        repo, root = self.dir / "repo", self.dir / "judge"
        repo.mkdir()
        kit = rpmkit.Kit(self.dir)
        self.addCleanup(kit.close)
        rpms = [kit.build(name=n, tags=tags, install="mkdir -p %{buildroot}/usr/share/%{name}", files="/usr/share/%{name}") for n, tags in (("asked", "Epoch: 3\nRequires: dep"), ("dep", ""), ("asked-more", "Requires: dep"))]
        for f in rpms:
            shutil.copy(f, repo)
        subprocess.run(["createrepo_c", "-q", repo], check=True)
        conf = self.dir / "dnf.conf"
        conf.write_text(f"[main]\nreposdir=/nonexistent\nvarsdir=/nonexistent\ncachedir={self.dir}/cache\nlogdir={self.dir}\ngpgcheck=0\nplugins=0\n[all]\nname=all\nbaseurl=file://{repo}\n")
        subprocess.run(["dnf", "-q", "-y", "-c", conf, "--releasever=1", "--installroot", root, "install", "asked", "dep", "asked-more"], check=True, capture_output=True)
        self.put("usr/bin/dnf-3")
        self.handle("--store", self.dir / "store", *[x for f in rpms for x in ("--rpm", f)], "rpmdb", "dnf")
        self.assertIn("/var/lib/dnf/history.sqlite", self.listing)

        def rows(path):
            db = sqlite3.connect(path)
            tables = {}
            for (name,) in db.execute("select name from sqlite_master where type = 'table' order by name").fetchall():
                tables[name] = [c[1:] for c in db.execute(f"pragma table_info('{name}')")]
            items = db.execute("select name, epoch, version, release, arch, action, item_type, trans_item.state from rpm join item on item.id = rpm.item_id join trans_item on trans_item.item_id = item.id join repo on "
                               "repo.id = trans_item.repo_id join trans on trans.id = trans_item.trans_id order by name").fetchall()
            indexes = db.execute("select name, tbl_name, sql is null from sqlite_master where type = 'index' order by name").fetchall()
            trans = db.execute("select id, user_id is not null, state, comment, rpmdb_version_begin from trans").fetchall()
            config = db.execute("select * from config").fetchall()
            db.close()
            return tables, items, indexes, trans, config
        ours = self.out / "var/lib/dnf/history.sqlite"
        self.assertEqual(rows(ours), rows(root / "var/lib/dnf/history.sqlite"))
        cookie = sqlite3.connect(ours).execute("select rpmdb_version_end from trans").fetchone()[0]
        (root / "var/lib/dnf/history.sqlite").write_bytes(ours.read_bytes())
        shutil.rmtree(next(p.parent for p in root.rglob("rpmdb.sqlite")))
        place = pathlib.Path(str(root) + subprocess.run(["rpm", "--root", root, "--eval", "%{_dbpath}"], capture_output=True, text=True).stdout.strip())
        shutil.copytree(self.out / "usr/lib/sysimage/rpm", place)
        listing = subprocess.run(["dnf", "-c", conf, "--releasever=1", "--installroot", root, "history", "list"], check=True, capture_output=True, text=True).stdout
        (line,) = [x for x in listing.splitlines() if "image build" in x]
        self.assertNotIn("*", line) # which would say that somebody else changed the database
        self.assertEqual(len(cookie), 64)


@unittest.skipUnless(have("systemctl"), "no systemctl")
class Presets(Case):
    def unit(self, name, install, place="usr/lib/systemd/system"):
        self.put(f"{place}/{name}", "[Unit]\nDescription=x\n[Install]\n" + install)

    def links(self, *roots):
        return {str(p.relative_to(root)): os.readlink(p) for root in roots for p in (root / "etc/systemd").rglob("*") if p.is_symlink()}

    def compare(self):
        self.put("usr/bin/systemctl")
        for scope in ("system", "user"):
            (self.root / "etc/systemd" / scope).mkdir(parents=True, exist_ok=True)
        judge = self.dir / "judge"
        shutil.copytree(self.root, judge, symlinks=True)
        subprocess.run(["systemctl", "preset-all", "--preset-mode=enable-only", "--root", judge], check=True, capture_output=True)
        subprocess.run(["systemctl", "preset-all", "--preset-mode=enable-only", "--global", "--root", judge], check=True, capture_output=True)
        self.handle("presets")
        self.assertEqual(self.links(self.root, self.out), self.links(judge))
        return self.links(judge)

    def test_preset_all(self):
        self.put("usr/lib/systemd/system-preset/90-x.preset", "# comment\nenable a.service\n; other\nenable tmpl@.service one two\nenable sock*\nenable def@.service\nenable nodef@.service\ndisable off.service\nenable off.service\ndisable late*\n")
        self.put("usr/lib/systemd/system-preset/10-early.preset", "enable late-but-early.service\n")
        self.put("usr/lib/systemd/system-preset/50-hidden.preset", "disable a.service\n")
        self.put("etc/systemd/system-preset/50-hidden.preset", "disable hidden.service\n")
        self.unit("a.service", "WantedBy=multi-user.target other.target\nRequiredBy=req.target\nAlias=alias-a.service dbus-x.service\nAlso=also.service sock2.socket\n")
        for name in ("also.service", "off.service", "late.service", "late-but-early.service", "hidden.service", "default.service"):
            self.unit(name, "WantedBy=multi-user.target\n")
        self.unit("sock1.socket", "WantedBy=sockets.target\n")
        self.unit("sock2.socket", "WantedBy=sockets.target\n")
        self.unit("tmpl@.service", "WantedBy=multi-user.target\n")
        self.unit("def@.service", "WantedBy=%p.target\nDefaultInstance=here\n")
        self.unit("nodef@.service", "WantedBy=multi-user.target\n")
        self.unit("bytmpl@.timer", "WantedBy=nodef@%i.service\n")
        self.unit("none.service", "")
        self.unit("dropped.service", "")
        self.put("usr/lib/systemd/system/dropped.service.d/x.conf", "[Install]\nWantedBy=drop.target\n")
        self.unit("local.service", "WantedBy=multi-user.target\n", "etc/systemd/system")
        self.unit("over.service", "WantedBy=old.target\n")
        self.unit("over.service", "WantedBy=new.target\n", "etc/systemd/system")
        self.unit("masked.service", "WantedBy=multi-user.target\n")
        self.link("etc/systemd/system/masked.service", "/dev/null")
        self.link("usr/lib/systemd/system/other-name.service", "a.service")
        self.put("usr/lib/elsewhere/linked.service", "[Service]\nExecStart=/bin/true\n")
        self.link("usr/lib/systemd/system/linked.service", "../../elsewhere/linked.service")
        self.put("usr/lib/systemd/user-preset/90.preset", "enable u.service\ndisable *\n")
        self.unit("u.service", "WantedBy=default.target\n", "usr/lib/systemd/user")
        self.unit("v.service", "WantedBy=default.target\n", "usr/lib/systemd/user")
        links = self.compare()
        self.assertIn("etc/systemd/system/multi-user.target.wants/tmpl@two.service", links)
        self.assertIn("etc/systemd/user/default.target.wants/u.service", links)

    def test_units_of_the_host(self):
        if not pathlib.Path("/usr/lib/systemd/system").is_dir():
            self.skipTest("no units here")
        for d in ("system", "user", "system-preset", "user-preset"):
            if pathlib.Path("/usr/lib/systemd/" + d).is_dir():
                shutil.copytree("/usr/lib/systemd/" + d, self.root / "usr/lib/systemd" / d, symlinks=True)
        self.compare()

    WANTS = "etc/systemd/system/multi-user.target.wants/"

    def definition(self):
        self.put("usr/bin/systemctl")
        self.put("usr/lib/systemd/system-preset/90.preset", "enable on*.service\nenable also*\ndisable *\n")
        for name in ("on.service", "off.service", "on-2.service", "on-3.service", "t@.service", "also.socket"):
            self.unit(name, "WantedBy=multi-user.target\n" + ("Also=also.socket\nAlias=other-on.service\n" if name == "on-2.service" else ""))
        self.unit("inst@.service", "WantedBy=multi-user.target\nDefaultInstance=one\nRequiredBy=r.target\n")
        self.unit("static.service", "")
        self.link("usr/lib/systemd/system/alias-of-off.service", "off.service")
        self.link(self.WANTS + "packaged.service", "/usr/lib/systemd/system/packaged.service")
        self.unit("packaged.service", "WantedBy=multi-user.target\n")

    def test_definition(self):
        self.definition()
        enable, disable, masked = ["alias-of-off", "t@x.service", "inst@", "also.socket"], ["on-2", "packaged.service", "on-3.service"], ["on", "not-there.service"]
        judge = self.dir / "judge"
        shutil.copytree(self.root, judge, symlinks=True)
        for verb, names in (("mask", masked), ("preset-all", ["--preset-mode=enable-only"]), ("disable", disable), ("enable", enable)):
            subprocess.run(["systemctl", verb, *[n if "." in n or n.startswith("-") else n + ".service" for n in names], "--root", judge], check=True, capture_output=True)
        self.handle("--all", *self.project(f"services = {{ enable = {enable}, disable = {disable}, mask = {masked} }}\n".replace("'", '"')), "presets")
        self.assertEqual(self.links(self.out), self.links(judge))
        self.assertEqual(sorted(str(p.relative_to(judge)) for p in (judge / "etc/systemd").rglob("*.wants")), sorted(str(p.relative_to(self.out)) for p in (self.out / "etc/systemd").rglob("*.wants")))
        self.assertIn("the unit 'not-there.service', which is masked, is in no package", self.err)

    def test_definition_mistakes(self):
        self.definition()
        self.link("etc/systemd/system/on-3.service", "/dev/null")
        self.put("etc/systemd/system/mine.service", "[Service]\n")
        for text, message in (('enable = ["nope"]', "no package of this image has the unit 'nope.service'"), ('enable = ["statik"]', "did you mean 'static.service'?"),
                              ('disable = ["ofg.service"]', "did you mean 'off.service'?"), ('enable = ["on-3"]', "the unit 'on-3.service' is masked"),
                              ('mask = ["mine"]', "the unit 'mine.service' cannot be masked: /etc/systemd/system/mine.service is there")):
            self.handle(*self.project("services = { " + text + " }\n"), "presets", fails=True)
            self.assertIn(message, self.err)
            self.assertIn("ashlar.toml:5:", self.err)
        self.handle(*self.project('services = { enable = ["static"] }\n'), "presets")
        self.assertIn("says nothing about how it is enabled", self.err)


class System(Case):
    def test_machine_id(self):
        self.handle("machine-id")
        self.assertEqual(self.listing, {})
        self.put("usr/lib/systemd/systemd")
        (self.root / "var/lib/dbus").mkdir(parents=True)
        self.handle("machine-id")
        self.assertEqual((self.made("etc/machine-id"), self.listing["/etc/machine-id"][0]), (b"uninitialized\n", "100444"))
        self.assertEqual(os.readlink(self.out / "var/lib/dbus/machine-id"), "/etc/machine-id")

    def test_resolv(self):
        self.put("usr/lib/systemd/system/systemd-resolved.service", "[Install]\nWantedBy=sysinit.target\n")
        self.handle("presets", "resolv")
        self.assertNotIn("/etc/resolv.conf", self.listing)
        self.put("usr/bin/systemctl")
        self.handle("presets", "resolv")
        self.assertEqual(os.readlink(self.out / "etc/resolv.conf"), "../run/systemd/resolve/stub-resolv.conf")
        self.put("etc/resolv.conf", "nameserver 192.0.2.1\n")
        self.handle("presets", "resolv")
        self.assertNotIn("/etc/resolv.conf", self.listing)

    def test_shells(self):
        self.put("usr/bin/bash")
        self.link("usr/bin/sh", "bash")
        self.handle("shells")
        self.assertEqual(self.made("etc/shells"), b"/bin/sh\n/bin/bash\n")
        self.put("etc/shells", "# list\n/bin/sh\n/usr/bin/zsh")
        self.handle("shells")
        self.assertEqual(self.made("etc/shells"), b"# list\n/bin/sh\n/usr/bin/zsh\n/bin/bash\n")
        self.put("etc/shells", "/bin/sh\n/bin/bash\n/usr/bin/sh\n/usr/bin/bash\n")
        self.handle("shells")
        self.assertEqual(self.listing, {})


if __name__ == "__main__":
    unittest.main()
