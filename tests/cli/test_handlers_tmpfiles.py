"""The handler of tmpfiles.d against systemd-tmpfiles --create: the whole tree is compared, names, types, modes, owners, targets, contents."""
import os, pathlib, shutil, stat, subprocess, sys, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
from handlerkit import Case, have  # noqa: E402

PASSWD = "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/sh\nmail:x:8:8::/:/bin/sh\n"
GROUP = "root:x:0:\ndaemon:x:1:\nmail:x:8:\nadm:x:4:\n"
VOLATILE = ["/run", "/var/run", "/tmp", "/proc", "/sys", "/dev"]

CRAFTED = r"""
# files
f /etc/f1 - - - - a\nb\x41 c
f /etc/exist 0600 daemon - - new
f+ /etc/truncated 0640 - - - other
f /etc/empty
F /etc/old-force - - - - x
f~ /etc/b64 - - - - aGVs bG8=
f "/etc/quoted" 0600 daemon daemon - "quotes stay"
w /etc/w1 - - - - ab
w /etc/not-there - - - - ab
w /etc/w-link - - - - X\n
# directories
d /var/a 0700 daemon mail
d /var/a/b - daemon
D /var/c 0711
e /var/exist-* 0750 mail mail
e /etc/exist 0700
v /var/v 0700
q /var/q
Q /var/q/Q 01777
d /reallink 0700 daemon
d /reallink/sub 0700 daemon
d /lost/parents/here 0750 mail
d /var/only :0700 :daemon :mail
d /var/exist-only :0700 :daemon :mail
d /under - - -
f /under/file/x
# the order: children before parents in the file
d /order/sub/deep 0700 daemon
d /order 0750 daemon
d /order/sub 0710 daemon
# links
L /etc/l1 - daemon daemon - ../x
L /etc/exist2 - - - - zzz
L+ /etc/dangling - - - - new
L+ /var/full - - - - gone
L /etc/factory
L /etc/l1/below - - - - x
# copies
C /etc/copied
C /etc/tree - daemon - - /usr/share/factory/tree
C /etc/none - - - - /usr/share/none
C /var/full2 - - - - /usr/share/factory/tree
C /var/hollow 0700 - - - /usr/share/factory/tree
# other nodes
p /etc/fifo 0600 daemon daemon
p+ /etc/exist3
p /etc/exist4
c /devices/null 0666 - - - 1:3
b /devices/disk 0660 root adm - 7:0
c /devices/bad - - - - x
# groups are inherited
d /sg 2775 root mail
d /sg/sub
f /sg/file
d /sg/given 0755
# what is not safe
d /own 0755 daemon daemon
d /own/in 0755 root root
d /own/in/deeper 0755
# adjusting
z /etc/z1 0600 - mail
z /etc/z-* 4711 daemon
z /etc/.hid* 0600
z /etc/?idden 0600
Z /zed ~0770 daemon mail
z /etc/{z2,z3} 0640
z /zed2 ~0640
m /etc/m1 0111
# doubled
d /dup 0700
d /dup 0711
f /dup2 - - - - same
f /dup2 - - - - same
z /dup 0744
# not now
f! /etc/boot
x /var/x
r /etc/exist
R /var/full
f^ /etc/cred - - - - name.of.it
d /run/x
d /var/run/y
f /tmp/z
# wrong
f relative
f /etc/bad-mode 9999
f /etc/unknown-user - nosuch
f /etc/open "
Y /etc/y
f?? /etc/yy
f
f /etc/spec-%Z
f /etc/host-%m
f /var%%percent
d /spec/%o-%w-%W-%u%U%g%G%h 0700
"""


class Tmpfiles(Case):
    def setUp(self):
        super().setUp()
        self.put("usr/bin/systemd-tmpfiles")
        self.put("etc/passwd", PASSWD)
        self.put("etc/group", GROUP)
        self.put("etc/os-release", 'ID=testos\nVERSION_ID="1.2"\n')
        for d in ("run", "tmp", "var"):
            (self.root / d).mkdir()

    def state(self, top, xattrs=False):
        out = {}
        for path in sorted(top.rglob("*")):
            name = "/" + str(path.relative_to(top))
            if any(name == v or name.startswith(v + "/") for v in VOLATILE):
                continue
            st = path.lstat()
            out[name] = (oct(st.st_mode), st.st_uid, st.st_gid, os.readlink(path) if path.is_symlink() else path.read_bytes() if stat.S_ISREG(st.st_mode) else
                         st.st_rdev if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode) else "")
        return out

    def tree(self, *handlers):
        self.handle("--all", *handlers, "tmpfiles", "owners")
        out = {}
        for path, rest in self.listing.items():
            mode, _, ids = rest[:3]
            if path == "/" or any(path == v or path.startswith(v + "/") for v in VOLATILE):
                continue
            mode, (uid, gid) = int(mode, 8), map(int, ids.split(":"))
            made = self.out / path[1:]
            content = " ".join(rest[3:]) if stat.S_ISLNK(mode) else made.read_bytes() if stat.S_ISREG(mode) else ""
            out[path] = (oct(mode), uid, gid, content)
        return out

    def compare(self):
        judge = self.dir / "judge"
        subprocess.run(["cp", "-a", self.root, judge], check=True)
        r = subprocess.run([have("systemd-tmpfiles"), "--create", "--root", judge, *["--exclude-prefix=" + v for v in VOLATILE]], capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
        want, got = self.state(judge), self.tree()
        for path, (mode, *_) in want.items():  # the tool's listing has no device numbers
            if int(mode, 8) & 0o60000 in (0o20000, 0o60000) and path in got and path.startswith("/devices"):
                want[path] = want[path][:3] + ("",)
        self.assertEqual({p: (want.get(p), got.get(p)) for p in sorted({*want, *got}) if want.get(p) != got.get(p)}, {}, "path: (systemd, ours)\n" + r.stderr)

    def lines(self, text, name="a.conf", place="usr/lib"):
        self.put(f"{place}/tmpfiles.d/{name}", text)

    @unittest.skipUnless(have("systemd-tmpfiles") and os.geteuid() == 0, "no systemd-tmpfiles, or not root")
    def test_crafted(self):
        for name in ("exist", "exist2", "exist3", "exist4", "truncated", "w1", "z1", "z-a", "z-b", ".hidden", "z2", "z3", "m1", "hidden"):
            self.put("etc/" + name, f"0123456789 {name}\n")
        self.link("etc/w-link", "w1")
        self.link("etc/dangling", "/nowhere")
        self.put("var/full/x", "x")
        self.put("var/full2/x", "x")
        for d in ("var/exist-a", "var/exist-only", "var/hollow", "real", "zed/sub"):
            (self.root / d).mkdir(parents=True)
        self.link("reallink", "real")
        self.put("under/file", "no directory")
        self.put("zed/sub/prog", "x", 0o755)
        self.put("zed/sub/data", "x", 0o644)
        self.put("zed2", "x", 0o4444)
        self.link("zed/sub/link", "data")
        self.put("usr/share/factory/etc/copied", "copied", 0o640)
        self.put("usr/share/factory/tree/a/b", "b", 0o755)
        self.link("usr/share/factory/tree/l", "a/b")
        self.lines(CRAFTED)
        self.compare()

    @unittest.skipUnless(have("systemd-tmpfiles") and os.geteuid() == 0, "no systemd-tmpfiles, or not root")
    def test_precedence(self):
        self.lines("f /a - - - - usr\nf /b - - - - usr\n", "10-x.conf")
        self.lines("f /a - - - - etc\n", "10-x.conf", "etc")
        self.lines("f /c - - - - local\n", "30-l.conf", "usr/local/lib")
        self.lines("f /c - - - - usr\nd /e/f 0700\n", "40-x.conf")
        self.lines("f /d\n", "50-masked.conf")
        self.link("etc/tmpfiles.d/50-masked.conf", "/dev/null")
        self.compare()

    @unittest.skipUnless(have("systemd-tmpfiles") and os.geteuid() == 0, "no systemd-tmpfiles, or not root")
    def test_of_the_host(self):
        host = pathlib.Path("/usr/lib/tmpfiles.d")
        if not host.is_dir():
            self.skipTest("no tmpfiles.d here")
        shutil.copytree(host, self.root / "usr/lib/tmpfiles.d")
        for name in ("passwd", "group"):
            shutil.copy("/etc/" + name, self.root / "etc" / name)
        if pathlib.Path("/usr/share/factory").is_dir():
            shutil.copytree("/usr/share/factory", self.root / "usr/share/factory", symlinks=True)
        self.compare()

    def test_xattrs(self):
        self.put("etc/x", "x")
        self.lines('t /etc/x - - - - user.a=1 "user.b=two words"\n')
        r = self.handle("--all", "tmpfiles")
        self.assertEqual([line for line in r.stdout.splitlines() if line.startswith("xattr")], ["xattr /etc/x user.a 1", "xattr /etc/x user.b two words"])

    def test_newer(self):
        """What systemd 254 and later know or do right: the judge here does not."""
        self.put("etc/w", "a")
        self.put("usr/there")
        self.put("usr/share/factory/m/new", "n")
        self.put("etc/m/old", "o")
        self.lines("f '/etc/hash\\x23name'\nf?? /etc/yy\nd %S/state-%a 0700\nf %L/x%C\nw+ /etc/w - - - - b\nw+ /etc/w - - - - c\nL? /etc/l1 - - - - ../usr/there\nL? /etc/l2 - - - - ../usr/not\nd$ /var/purged\nC+ /etc/m - - - - /usr/share/factory/m\n")
        self.handle("--all", "tmpfiles")
        self.assertEqual(self.made("etc/w"), b"abc")
        self.assertIn("/etc/l1", self.listing)
        for path in ("/etc/hash#name", "/var/lib/state-x86-64", "/var/log/x/var/cache"):
            self.assertIn(path, self.listing)
        self.assertNotIn("/etc/yy", self.listing)
        self.assertNotIn("/etc/l2", self.listing)
        self.assertIn("/var/purged", self.listing)
        self.assertEqual((self.made("etc/m/old"), self.made("etc/m/new")), (b"o", b"n"))

    def test_messages(self):
        self.lines("f relative\nf /x 99\nf /y - nosuch\nw /z\nf /q \"\n")
        self.handle("tmpfiles")
        for text in ("/usr/lib/tmpfiles.d/a.conf:1:1: warning: a line of tmpfiles.d with a path that is not absolute; left out", "a.conf:2:1: warning: a line of tmpfiles.d with a bad mode",
                     "a.conf:3:1: warning: the user 'nosuch' is not known in this image; the line is left out", "a.conf:4:1: warning: a line of tmpfiles.d with no argument",
                     "a.conf:5:1: warning: a line of tmpfiles.d with an open quote"):
            self.assertIn(text, self.err)
        self.assertEqual(self.listing, {})

    def test_not_without_the_program(self):
        self.lines("d /srv/d 0700 daemon\nf+ /etc/f - - - - tmpfiles\n")
        (self.root / "usr/bin/systemd-tmpfiles").unlink()
        self.handle("tmpfiles")
        self.assertEqual(self.listing, {})

    def test_links_into_volatile_directories(self):
        self.link("var/lock", "/run/lock")
        self.link("srv", "run/srv")
        (self.root / "run/srv").mkdir()
        self.lines("d /var/lock/a\nd /srv/b\nd /run/lock/c\n")
        self.handle("tmpfiles")
        self.assertEqual(self.listing, {})


if __name__ == "__main__":
    unittest.main()
