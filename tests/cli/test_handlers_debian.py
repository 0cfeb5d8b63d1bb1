"""Handlers that do what maintainer scripts of Debian's packages do, against the programs that those call."""
import os, pathlib, shutil, subprocess, sys, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import rpmkit  # noqa: E402
from handlerkit import Case, have  # noqa: E402

STACKS = ("auth", "account", "password", "session", "session-noninteractive")
TEMPLATES = pathlib.Path("/usr/share/pam")
UNIX = """Name: Unix authentication
Default: yes
Priority: 256
Auth-Type: Primary
Auth:
	[success=end default=ignore]	pam_unix.so nullok try_first_pass
Auth-Initial:
	[success=end default=ignore]	pam_unix.so nullok
Account-Type: Primary
Account:
	[success=end new_authtok_reqd=done default=ignore]	pam_unix.so
Session-Type: Additional
Session:
	required	pam_unix.so
Password-Type: Primary
Password:
	[success=end default=ignore]	pam_unix.so obscure use_authtok try_first_pass yescrypt
Password-Initial:
	[success=end default=ignore]	pam_unix.so obscure yescrypt
"""
OTHER = """Name: Other
Default: yes
Priority: 700
Conflicts: cracklib
Auth-Type: Primary
Auth-Final:
	[success=end default=ignore]	pam_other.so   a  b
	[success=end default=ignore]	pam_second.so try_first_pass

Account-Type: Primary
Account:
	[success=end default=ignore]	pam_other.so
Session-Type: Additional
Session-Interactive-Only: yes
Session:
	optional	pam_other.so
Auth-Final-Unused: x
"""


@unittest.skipUnless(have("pam-auth-update") and TEMPLATES.is_dir() and have("bwrap") and os.geteuid() == 0, "no pam-auth-update, or not root")
class Pam(Case):
    def setUp(self):
        super().setUp()
        shutil.copytree(TEMPLATES, self.root / "usr/share/pam")
        (self.root / "var/lib/pam").mkdir(parents=True)
        (self.root / "etc/pam.d").mkdir()

    def profile(self, name, text):
        self.put("usr/share/pam-configs/" + name, text)

    def compare(self):
        judge = self.dir / "judge"
        shutil.copytree(self.root, judge, symlinks=True)
        debconf = self.dir / "debconf"
        shutil.copytree("/var/cache/debconf", debconf)
        subprocess.run([have("bwrap"), "--dev-bind", "/", "/", "--bind", debconf, "/var/cache/debconf", have("pam-auth-update"), "--root", judge, "--package", "--force"],
                       check=True, capture_output=True, env={"PATH": os.environ["PATH"], "DEBIAN_FRONTEND": "noninteractive"}, stdin=subprocess.DEVNULL)
        self.handle("pam")
        for path in [f"etc/pam.d/common-{s}" for s in STACKS] + [f"var/lib/pam/{s}" for s in (*STACKS, "seen")]:
            self.assertEqual(self.made(path).decode(), (judge / path).read_text(), path)

    def test_of_the_host(self):
        shutil.copytree("/usr/share/pam-configs", self.root / "usr/share/pam-configs")
        self.compare()

    def test_several(self):
        self.profile("unix", UNIX)
        self.profile("other", OTHER)
        self.profile("cracklib", "Name: c\nDefault: yes\nPriority: 1024\nPassword-Type: Primary\nPassword:\n\trequisite pam_cracklib.so retry=3\n")
        self.profile("same", "Name: s\nDefault: yes\nPriority: 256\nAuth-Type: Additional\nAuth:\n\t[success=end] pam_blend.so x\n\toptional pam_y.so\n")
        self.profile("off", "Name: o\nDefault: no\nPriority: 9999\nAuth-Type: Primary\nAuth:\n\trequired pam_off.so\n")
        self.profile("old~", "Name: backup\nDefault: yes\nPriority: 1\nAuth-Type: Primary\nAuth:\n\trequired pam_backup.so\n")
        self.profile("tally", "Name: t\nDefault: yes\nPriority: 1\nAuth-Type: Primary\nAuth:\n\trequired pam_tally.so\n")
        self.compare()
        self.assertNotIn(b"cracklib", self.made("etc/pam.d/common-password"))

    def test_no_primary(self):
        self.profile("only", "Name: o\nDefault: yes\nPriority: 0\nSession-Type: Additional\nSession:\n\toptional\tpam_x.so\n")
        self.compare()

    def test_template_is_kept(self):
        self.profile("unix", UNIX)
        for s in STACKS:
            self.put(f"etc/pam.d/common-{s}", "# mine\n" + (TEMPLATES / f"common-{s}").read_text() + "# behind\n")
        self.compare()
        self.assertTrue(self.made("etc/pam.d/common-auth").startswith(b"# mine\n"))

    def test_foreign(self):
        self.profile("unix", UNIX)
        self.put("etc/pam.d/common-auth", "auth required pam_permit.so\n")
        self.handle("pam")
        self.assertEqual(self.listing, {})
        self.assertIn("common-auth is somebody's own", self.err)


MASTERS = pathlib.Path("/usr/share/base-passwd")


@unittest.skipUnless(have("update-passwd") and MASTERS.is_dir() and have("pwconv"), "no update-passwd")
class BasePasswd(Case):
    def compare(self, passwd, group):
        shutil.copytree(MASTERS, self.root / "usr/share/base-passwd")
        judge = self.dir / "judge"
        judge.mkdir()
        files = {"passwd": passwd, "group": group, "shadow": ""}
        for name, text in files.items():
            (judge / name).write_text(text or "")
            if text:
                self.put("etc/" + name, text)
        subprocess.run([have("update-passwd"), "-L", "-p", MASTERS / "passwd.master", "-g", MASTERS / "group.master", "-P", judge / "passwd", "-G", judge / "group", "-S", judge / "shadow"],
                       check=True, capture_output=True)
        self.handle("accounts")
        for name in ("passwd", "group"):  # passwords move to shadow files behind it
            want = [line.split(":") for line in (judge / name).read_text().splitlines()]
            self.assertEqual(self.made("etc/" + name).decode(), "".join(":".join([f[0], "x", *f[2:]]) + "\n" for f in want))
        self.assertTrue(all(line.split(":")[1] == "*" for line in self.made("etc/shadow").decode().splitlines() if not line.startswith(("root:", "foo:"))))
        self.assertEqual((self.listing["/etc/shadow"][0], self.listing["/etc/shadow"][1]), ("100640", "root:shadow"))

    def test_fresh(self):
        self.compare(None, None)

    def test_some_are_there(self):
        self.compare("root:x:0:0:Me:/root:/bin/zsh\nbin:*:2:2:bin:/bin:/usr/sbin/nologin\nfoo:*:500:500::/:/bin/sh\nmail:*:88:88:mail:/var/mail:/usr/sbin/nologin\n",
                     "root:x:0:\nadm:x:44:foo\nfoo:x:500:\n")


ALTERNATIVES = """# awk
install /usr/bin/awk awk /usr/bin/mawk 5
slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz
slave /usr/bin/nawk nawk /usr/bin/not-there
install /usr/bin/awk awk /usr/bin/gawk 10
slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/gawk.1.gz
slave /usr/bin/nnn a-nnn /usr/bin/gnawk
install /usr/bin/pager pager /usr/bin/less -7
install /usr/bin/editor editor /usr/bin/vim.tiny 15
"""


@unittest.skipUnless(have("update-alternatives"), "no update-alternatives")
class Alternatives(Case):
    def setUp(self):
        super().setUp()
        for name in ("mawk", "gawk", "gnawk", "less", "vim.tiny"):
            self.put("usr/bin/" + name)
        for name in ("mawk", "gawk"):
            self.put(f"usr/share/man/man1/{name}.1.gz")
        for d in ("etc/alternatives", "var/lib/dpkg/alternatives"):
            (self.root / d).mkdir(parents=True)

    @staticmethod
    def links(*roots):
        return {str(p.relative_to(root)): os.readlink(p) for root in roots for p in root.rglob("*") if p.is_symlink()}

    def test_state_and_links(self):
        judge = self.dir / "judge"
        shutil.copytree(self.root, judge)
        command = []
        for line in [*ALTERNATIVES.splitlines()[1:], "install"]:
            word, *rest = line.split()
            if word == "install" and command:
                subprocess.run([have("update-alternatives"), "--root", judge, "--log", "/dev/null", *command], check=True, capture_output=True)
                command = []
            command += ["--" + word, *rest]
        self.put("usr/lib/alternatives.d/a.conf", ALTERNATIVES)
        self.handle("alternatives")
        self.assertEqual(self.links(self.root, self.out), self.links(judge))
        for name in ("awk", "pager", "editor"):
            path = "var/lib/dpkg/alternatives/" + name
            self.assertEqual(self.made(path).decode(), (judge / path).read_text())

    def test_chkconfig(self):
        self.put("usr/sbin/alternatives")
        self.put("etc/alternatives.d/a.conf", "install /usr/bin/awk awk /usr/bin/gawk 10 family gnu initscript x\nfollower /usr/bin/nnn nnn /usr/bin/gnawk\ninstall /usr/bin/awk awk /usr/bin/mawk 5\n")
        self.handle("alternatives")
        self.assertEqual(self.made("var/lib/alternatives/awk"), b"auto\n/usr/bin/awk\nnnn\n/usr/bin/nnn\n\n/usr/bin/gawk\n@gnu@10 x\n/usr/bin/gnawk\n/usr/bin/mawk\n5\n\n")

    def test_scriptlets(self):
        """Scriptlets that only register: as if they had run, with the program that they call. Others are left to the sandbox, and so is a name that one of those registered."""
        kit = rpmkit.Kit(self.dir)
        self.addCleanup(kit.close)
        post = "update-alternatives --install /usr/bin/awk awk /usr/bin/%s %d \\\n    --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/%s.1.gz \\\n    >/dev/null 2>&1 || :\n"
        bodies = [("mawk", "%post", post % ("mawk", 5, "mawk")), ("gawk", "%posttrans", post % ("gawk", 10, "gawk")), ("less", "%post", "update-alternatives --install /usr/bin/pager pager /usr/bin/less 77\n")]
        rpms = [kit.build(name, more=f"{kind}\n{body}") for name, kind, body in bodies]
        rpms += [kit.build("shell", more="%post\nX=/usr/bin/vim.tiny\nupdate-alternatives --install /usr/bin/editor editor $X 1\n"),
                 kit.build("lua", more="%post -p <lua>\nupdate-alternatives --install /usr/bin/editor editor /usr/bin/vim.tiny 1\n")]
        arguments = ["--store", self.dir / "store", *[x for f in rpms for x in ("--rpm", f)], "alternatives"]
        self.handle(*arguments)
        self.assertEqual(self.links(self.out), {}) # rpm's call would have failed: the program is not there
        self.put("usr/bin/update-alternatives")
        judge = self.dir / "judge"
        shutil.copytree(self.root, judge)
        program = self.dir / "bin" / "update-alternatives"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\nexec {have('update-alternatives')} --root {judge} --log /dev/null \"$@\"\n")
        program.chmod(0o755)
        for _, _, body in bodies:
            subprocess.run(["sh", "-e", "-c", body], env={"PATH": f"{program.parent}:/usr/bin:/bin"}, check=True)
        self.handle(*arguments)
        self.assertEqual(self.links(self.root, self.out), self.links(judge))
        self.assertEqual(len(self.links(judge)), 6)
        for name in ("awk", "pager"):
            self.assertEqual(self.made("var/lib/dpkg/alternatives/" + name).decode(), (judge / "var/lib/dpkg/alternatives" / name).read_text())

    def test_mistakes(self):
        self.put("usr/bin/taken")
        self.put("usr/lib/alternatives.d/a.conf", "install /usr/bin/awk awk\ninstall x awk /usr/bin/mawk 1\ninstall /usr/bin/awk a/b /usr/bin/mawk 1\ninstall /usr/bin/awk awk /usr/bin/mawk x\n"
                 "install /usr/bin/awk awk /usr/bin/none 1\nslave /usr/bin/s s /usr/bin/mawk\nremove x\ninstall /usr/bin/taken taken /usr/bin/mawk 1\n"
                 "install /usr/bin/other taken /usr/bin/gawk 1\n")
        self.handle("alternatives")
        for n, text in ((1, "'install' needs"), (2, "link and path have to be absolute"), (3, "a name has no slash"), (4, "a priority is a whole number"), (5, "the path is not in this image"),
                        (7, "neither 'install' nor 'slave'"), (9, "the name has another link already")):
            self.assertIn(f"a.conf:{n}:1: warning: {text}", self.err)
        self.assertIn("/usr/bin/taken is a file of a package", self.err)
        self.assertNotIn("/usr/bin/taken", self.listing)


CACHE = pathlib.Path("/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache")


@unittest.skipUnless(CACHE.is_file() and subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0, "no gconv cache, or no mount namespace")
class NoGconvCache(unittest.TestCase):
    """Why no handler writes gconv-modules.cache: glibc converts the same without it, by gconv-modules.d."""
    def test_iconv(self):
        names = sorted({w.rstrip("/") for w in subprocess.run(["iconv", "-l"], capture_output=True, text=True, check=True).stdout.split()})[::12]
        script = 'for n; do echo "$n"; printf "a1" | iconv -f UTF-8 -t "$n" | od -c; done; printf "\\346\\274\\242" | iconv -f UTF-8 -t EUC-JP | iconv -f EUC-JP -t SHIFT_JIS | od -c'
        out = [subprocess.run(["unshare", "-rm", "sh", "-ec", f"{prepare}\n{script}", "sh", *names], capture_output=True, text=True, check=True) for prepare in (":", f"mount --bind /dev/null {CACHE}")]
        self.assertEqual((out[0].stdout, out[0].stderr), (out[1].stdout, out[1].stderr))
        self.assertGreater(len(out[0].stdout.splitlines()), 2 * len(names))


if __name__ == "__main__":
    unittest.main()
