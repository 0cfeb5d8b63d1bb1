"""Packages that are rare but right: interpreters other than a shell, 32-bit twins, very many files, old file digests, ACLs; and a scriptlet that fills /tmp."""
import hashlib, os, pathlib, shutil, subprocess, sys, tarfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import scriptkit  # noqa: E402

MANY = 50000
# u::rw-, u:2:rw-, g::r--, m::rw-, o::r-- as the kernel's interface has it (linux/posix_acl_xattr.h).
ACL = "02000000" + "01000600ffffffff" + "0200060002000000" + "04000400ffffffff" + "10000600ffffffff" + "20000400ffffffff"
SET_ACL = """#include <sys/xattr.h>
int main(int argc, char **argv) {
        static const unsigned char acl[] = { %s };
        return argc < 2 || setxattr(argv[1], "system.posix_acl_access", acl, sizeof acl, 0) < 0;
}
""" % ", ".join(str(b) for b in bytes.fromhex(ACL))


class OddPackages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kit = scriptkit.ScriptKit()
        cls.rpmbuild = cls.kit.kit

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def project(self, packages, **kw):
        return self.kit.project(self.rpmbuild.dir / self.id().rsplit(".", 1)[-1], packages, **kw)

    def package(self, name, **kw):
        self.kit.rpms[name] = self.rpmbuild.build(name, **kw)

    def program(self, name, source):
        """A package with a program of this machine and the libraries that "shell" does not have."""
        have = {"/" + p for p in scriptkit.programs()}
        files = {"/usr/bin/" + name: os.path.realpath(source)}
        for line in subprocess.run(["ldd", source], capture_output=True, text=True).stdout.splitlines():
            for word in line.split():
                if word.startswith("/"):
                    files.setdefault(("" if word.startswith("/usr") else "/usr") + word, word)
        files = {k: v for k, v in files.items() if k not in have}
        self.kit.package(name, "", tags="Requires: shell", install="\n".join(f"mkdir -p $(dirname %{{buildroot}}{k}); cp -L {v} %{{buildroot}}{k}; chmod 755 %{{buildroot}}{k}" for k, v in files.items()),
                         files="\n".join(files), arch=os.uname().machine)

    def test_interpreters(self):
        """%post -p /usr/bin/perl runs as any other; an interpreter that nothing brings is an error of the solver; one that does not start is said as rpm says it."""
        self.program("perl", shutil.which("perl"))
        self.kit.package("withperl", "%post -p /usr/bin/perl\nopen(F, '>', '/opt/by-perl') or die; print F \"@ARGV\"; close F;\n")
        self.kit.package("withpython", "%post -p /usr/bin/python3\nprint(1)\n")
        self.kit.package("python", "", install="mkdir -p %{buildroot}/usr/bin; printf '#!/usr/bin/absent\\n' > %{buildroot}/usr/bin/python3; chmod 755 %{buildroot}/usr/bin/python3", files="/usr/bin/python3")
        p = self.project(["shell", "perl", "withperl"])
        made = p.dump()["/opt/by-perl"]
        self.assertEqual((made["origin"], made["sha256"]), ("scriptlet:%post(withperl-1.0-1.noarch)", hashlib.sha256(b"1").hexdigest()))
        with self.assertRaises(AssertionError) as failed:
            self.kit.project(self.rpmbuild.dir / "absent", ["shell", "withpython"])
        self.assertIn("nothing provides '/usr/bin/python3', which withpython-1.0-1.noarch requires", str(failed.exception))
        p = self.kit.project(self.rpmbuild.dir / "present", ["shell", "withpython", "python"])
        out = p.ashlar("image", "build", "one").stderr
        self.assertIn("%post(withpython-1.0-1.noarch) failed with exit status 127; as with rpm the package stays", out)

    def test_colours(self):
        """One path, 32-bit and 64-bit ELF: the 64-bit one stays, whichever comes first; what is no ELF must be the same."""
        if os.uname().machine != "x86_64":
            self.skipTest("needs an assembler for both")
        d = self.rpmbuild.dir
        (d / "a.s").write_text(".globl _start\n_start: nop\n")
        for bits, emulation, arch in (("32", "elf_i386", "i686"), ("64", "elf_x86_64", "x86_64")):
            for argv in (["as", f"--{bits}", d / "a.s", "-o", d / f"{bits}.o"], ["ld", "-m", emulation, d / f"{bits}.o", "-o", d / bits]):
                subprocess.run(argv, check=True)
            for name, extra in ((f"c{bits}", "same"), (f"differs{bits}", bits)):
                self.package(name, tags="AutoReqProv: no", install=f"mkdir -p %{{buildroot}}/usr/bin %{{buildroot}}/opt; cp {d}/{bits} %{{buildroot}}/usr/bin/thing; echo {extra} > %{{buildroot}}/opt/text", files="/usr/bin/thing\n/opt/text", arch=arch)
        p = self.project(["c32", "c64"])
        self.assertEqual(p.dump()["/usr/bin/thing"]["sha256"], hashlib.sha256((d / "64").read_bytes()).hexdigest())
        p.ashlar("lock", "--check")
        shutil.rmtree(p.dir / "store")
        p.ashlar("image", "build", "one") # fetched again by what the lock says
        q = self.kit.project(self.rpmbuild.dir / "differs", ["differs32", "differs64"])
        self.assertRegex(q.ashlar("image", "build", "one", status=1).stderr, "differs32-1.0-1.i686 and differs64-1.0-1.x86_64 conflict: both have /opt/text, with different content")

    def test_many_files(self):
        self.package("many", install=f"mkdir -p %{{buildroot}}/opt/many; cd %{{buildroot}}/opt/many; for d in $(seq {MANY // 100}); do mkdir $d; for f in $(seq 100); do echo $d.$f > $d/$f; done; done", files="/opt/many")
        p = self.project(["many"])
        start = time.monotonic()
        out = p.ashlar("image", "build", "one").stdout
        self.assertLess(time.monotonic() - start, 20) # 0.6 s on a machine that does nothing else
        self.assertRegex(out, f"{(MANY + MANY // 100) // 100}\\d\\d entries") # and some directories, and the account files

    def test_file_digests(self):
        """MD5, as old packages have it, and SHA-512: checked, and SHA-256 in the tree."""
        for algorithm in ("1", "2", "10"):
            self.package(f"d{algorithm}", install=f"mkdir -p %{{buildroot}}/opt; echo {algorithm} > %{{buildroot}}/opt/d{algorithm}", files=f"/opt/d{algorithm}", defines=(f"_binary_filedigest_algorithm {algorithm}",))
        nodes = self.project(["d1", "d2", "d10"]).dump()
        for algorithm in ("1", "2", "10"):
            self.assertEqual(nodes[f"/opt/d{algorithm}"]["sha256"], hashlib.sha256(f"{algorithm}\n".encode()).hexdigest())

    def test_acl(self):
        """An ACL that a scriptlet sets is in the tree, with the numbers of the image, and in archives."""
        if not shutil.which("gcc"):
            self.skipTest("no compiler for the program that sets one")
        d = self.rpmbuild.dir
        (d / "set-acl.c").write_text(SET_ACL)
        if subprocess.run(["gcc", "-static", d / "set-acl.c", "-o", d / "set-acl"], capture_output=True).returncode:
            self.skipTest("no static C library")
        self.kit.package("acl", "%post\necho x > /opt/acl; /usr/bin/set-acl /opt/acl\n", tags="Requires: shell", install=f"mkdir -p %{{buildroot}}/usr/bin; cp {d}/set-acl %{{buildroot}}/usr/bin", files="/usr/bin/set-acl",
                         arch=os.uname().machine)
        p = self.project(["shell", "acl"])
        node = p.dump()["/opt/acl"]
        self.assertEqual((node["mode"], node.get("xattr.system.posix_acl_access")), (0o664, ACL))
        p.ashlar("image", "build", "one")
        packed = next((p.path / "out/images/one").glob("*.tar.zst"))
        subprocess.run(["zstd", "-dqf", packed, "-o", p.dir / "t.tar"], check=True)
        with tarfile.open(p.dir / "t.tar") as t:
            self.assertEqual(t.getmember("opt/acl").pax_headers["SCHILY.xattr.system.posix_acl_access"].encode(errors="surrogateescape"), bytes.fromhex(ACL))

    def test_full_tmp(self):
        """A limit on what a scriptlet writes: it fails as it would on a full disk, says so, and nothing of /tmp gets into the tree."""
        self.kit.package("fill", "%post\ncat /dev/zero > /tmp/full || exit 3\n")
        p = self.project(["shell", "fill"])
        out = p.ashlar("image", "build", "one").stderr
        self.assertIn("%post(fill-1.0-1.noarch) failed with exit status 3; as with rpm the package stays", out)
        self.assertRegex(out, "File size limit exceeded|No space left")
        self.assertEqual([path for path in p.dump() if path.startswith("/tmp/")], [])


if __name__ == "__main__":
    unittest.main()
