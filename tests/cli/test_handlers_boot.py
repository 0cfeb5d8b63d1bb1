"""What boots: loader, kernels, entries and initrds in the boot partition; who may log in; and the mistakes that end a build. The initrd is read back by zstd and cpio."""
import os, pathlib, re, subprocess, sys, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
from handlerkit import Case  # noqa: E402

PROGRAM = os.environ["ASHLAR_INITRD"]
OLD, NEW = "6.1.9-1-amd64", "6.1.10-1-amd64"
RELEASE = 'ID=test\nPRETTY_NAME="Test Linux 1"\n'


class Boot(Case):
    def setUp(self):
        super().setUp()
        self.put("usr/lib/os-release", RELEASE)
        self.link("etc/os-release", "../usr/lib/os-release")
        self.put("usr/lib/systemd/boot/efi/systemd-bootx64.efi", "loader")
        self.put("usr/bin/systemd-repart", "", 0o755)
        self.put("usr/sbin/fsck.ext4", "", 0o755)
        self.link("lib", "usr/lib")

    def kernel(self, version, *missing):
        self.put(f"boot/vmlinuz-{version}", f"kernel {version}")
        base = f"usr/lib/modules/{version}"
        names = [n for n in ("fs/ext4", "drivers/hv_vmbus", "drivers/hv_storvsc", "drivers/virtio_blk", "drivers/virtio_pci", "drivers/sd_mod") if n.split("/")[1] not in missing]
        for n in names:
            self.put(f"{base}/kernel/{n}.ko", "no module")
        self.put(f"{base}/modules.dep", "".join(f"kernel/{n}.ko:\n" for n in names))
        self.put(f"{base}/modules.order", "")
        self.put(f"{base}/modules.builtin", "")

    def complete(self):
        """All that an initrd cannot do without, as the program names it."""
        version = next((self.root / "usr/lib/modules").iterdir()).name
        r = subprocess.run([PROGRAM, "--root", self.root, "--list", version], capture_output=True, text=True)
        for path in re.findall(r"the initrd needs /(\S+),", r.stderr):
            self.put(path, "", 0o755)
        subprocess.run([PROGRAM, "--root", self.root, "--list", version], check=True, capture_output=True)

    def project(self, text, users="", kind="disk"):
        p = super().project("")
        (self.dir / "p" / "ashlar.toml").write_text(f'[project]\ndescription = "t"\n[images.i]\nkind = "{kind}"\narches = ["x86_64"]\n{text}\n{users}')
        return p

    def boot(self, text="", fails=False):
        return self.handle(*self.project(text), "boot", fails=fails)

    def whole(self):
        self.kernel(OLD)
        self.complete()
        self.kernel(NEW)

    def test_all(self):
        self.whole()
        self.boot('kernel-command-line = ["console=ttyS0"]')
        for path in ("efi/EFI/BOOT/BOOTX64.EFI", "efi/EFI/systemd/systemd-bootx64.efi"):
            self.assertEqual(self.made(path), b"loader")
        for version in (OLD, NEW):
            self.assertEqual(self.made(f"efi/test/{version}/linux"), f"kernel {version}".encode())
            entry = dict(re.split(r" +", line, maxsplit=1) for line in self.made(f"efi/loader/entries/test-{version}.conf").decode().splitlines() if line[0] != "#")
            self.assertEqual(entry, {"title": "Test Linux 1", "version": version, "sort-key": "test", "options": "root=gpt-auto rw console=ttyS0", "linux": f"/test/{version}/linux", "initrd": f"/test/{version}/initrd"})
            packed = self.made(f"efi/test/{version}/initrd")
            names = subprocess.run(["cpio", "-it", "--quiet"], input=subprocess.run(["zstd", "-dcq"], input=packed, stdout=subprocess.PIPE, check=True).stdout, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
            self.assertTrue({"init", "lib", f"usr/lib/modules/{version}/kernel/fs/ext4.ko", f"usr/lib/modules/{version}/modules.dep.bin", "usr/lib/systemd/system/initrd.target", "etc/initrd-release"} <= set(names), names)
            self.assertFalse([n for n in names if "modules/" in n and version not in n and n != "usr/lib/modules"])
        self.assertIn(f"the newest, {NEW}, starts by default", self.err)
        self.assertEqual(self.made("efi/loader/loader.conf"), b"timeout 2\n")
        self.assertEqual([self.made(f"etc/kernel/{n}") for n in ("cmdline", "entry-token", "tries")], [b"root=gpt-auto rw console=ttyS0\n", b"test\n", b"3\n"])
        self.assertEqual(self.made("usr/lib/repart.d/50-root.conf"), b"[Partition]\nType=root\n")

    def test_again(self):
        self.whole()
        self.boot()
        first = {p: self.made(p[1:]) for p, f in self.listing.items() if p.startswith("/efi") and not (self.out / p[1:]).is_dir()}
        self.boot()
        self.assertEqual(first, {p: self.made(p[1:]) for p in first})
        self.handle("--store", self.dir / "store", *self.project(""), "boot")
        self.handle("--store", self.dir / "store", *self.project(""), "boot") # from the store
        self.assertEqual(first, {p: self.made(p[1:]) for p in first})

    def test_choices(self):
        self.whole()
        self.boot('kernel = "6.1.9-*"\nkernel-command-line = ["root=PARTUUID=1", "ro quiet"]\npartitions = [{ type = "esp" }, { type = "xbootldr" }, { type = "root", grow = false }, { type = "home", grow = true }]')
        self.assertEqual(self.made("efi/loader/loader.conf").decode(), f"timeout 2\ndefault test-{OLD}*\n")
        self.assertEqual(self.made("etc/kernel/cmdline"), b"root=PARTUUID=1 ro quiet\n")
        self.assertEqual(self.made(f"boot/test/{OLD}/linux"), f"kernel {OLD}".encode())
        self.assertFalse((self.out / "usr/lib/repart.d/50-root.conf").exists())
        self.assertEqual(self.made("usr/lib/repart.d/60-home.conf"), b"[Partition]\nType=home\n")

    def test_one_kernel_waits_for_nobody(self):
        self.kernel(OLD)
        self.complete()
        self.boot()
        self.assertEqual(self.made("efi/loader/loader.conf").decode().splitlines()[-1], "timeout 0")

    def test_none(self):
        self.boot('boot-loader = "none"')
        self.assertEqual(self.listing, {})

    def test_mistakes(self):
        self.boot(fails=True)
        self.assertIn("the image has no kernel", self.err)
        self.assertIn("linux-image-cloud-amd64", self.err)
        self.kernel(OLD)
        (self.root / f"boot/vmlinuz-{OLD}").unlink()
        self.boot(fails=True)
        self.assertIn(f"modules of a kernel ({OLD}), and not the kernel itself", self.err)
        self.kernel(OLD)
        self.boot(fails=True)
        self.assertIn("the initrd needs /usr/lib/systemd/systemd,", self.err)
        self.assertIn(f"in the initrd of the kernel {OLD}", self.err)
        self.complete()
        self.boot('kernel = "7.*"', fails=True)
        self.assertIn("the image has no kernel '7.*'", self.err)
        self.assertIn(OLD, self.err)
        self.boot('kernel-modules = ["nosuch"]', fails=True)
        self.assertIn("has no module 'nosuch', which the definition asks for", self.err)
        (self.root / "usr/lib/systemd/boot/efi/systemd-bootx64.efi").unlink()
        self.boot(fails=True)
        self.assertIn("no boot loader: /usr/lib/systemd/boot/efi/systemd-bootx64.efi", self.err)
        self.assertIn("systemd-boot-efi", self.err)

    def test_kernel_without_the_roots_modules(self):
        self.kernel(OLD)
        self.complete()
        self.kernel(NEW, "hv_storvsc", "ext4")
        self.boot('formats = ["raw", "vhd"]', fails=True)
        self.assertIn(f"the kernel {NEW} has no module 'hv_storvsc', which the root file system needs on Hyper-V", self.err)
        self.assertIn(f"the kernel {NEW} has no module 'ext4', the root's file system", self.err)
        self.assertNotIn("virtio", self.err)

    def test_login(self):
        self.put("usr/bin/bash", "", 0o755)
        passwd = "root:x:0:0::/root:/usr/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\nann:x:1000:1000::/home/ann:/usr/bin/bash\n"

        def judge(fails, shadow="root:*:1::::::\ndaemon:$6$a$b:1::::::\nann:!:1::::::\n", text="", kind="disk"):
            self.put("etc/passwd", passwd)
            self.put("etc/shadow", shadow)
            self.handle(*self.project(text, kind=kind), "login", fails=fails)
            if fails:
                self.assertIn("nobody can log in", self.err)
        judge(True)
        judge(False, text='login = "none"')
        judge(False, kind="container")
        judge(True, kind="container", text='login = "required"')
        judge(True, shadow="root:!$6$salt$hash:1::::::\nann:*:1::::::\n")
        judge(False, shadow="root:$6$salt$hash:1::::::\n")
        self.put("home/ann/.ssh/authorized_keys", "# none yet\n")
        self.put("usr/sbin/sshd", "", 0o755)
        judge(True)
        self.put("home/ann/.ssh/authorized_keys", "ssh-ed25519 AAAA ann\n")
        judge(False)
        (self.root / "usr/sbin/sshd").unlink()
        judge(True)
        self.assertIn("openssh-server", self.err)
        self.put("usr/bin/cloud-init", "", 0o755)
        judge(False)


if __name__ == "__main__":
    unittest.main()
