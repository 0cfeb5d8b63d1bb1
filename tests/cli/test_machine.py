"""image boot, image test: what ends them before a machine runs, and a machine that has nothing to boot. The boots of a real image are in test_server.py."""
import fcntl, os, pathlib, shutil, signal, socket, subprocess, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
from ashcli import ASHLAR, Case  # noqa: E402

PROJECT = '[project]\ndescription = "t"\n[images.box]\nkind = "disk"\narches = ["x86_64"]\npackages = ["bash"]\n[images.jar]\nkind = "container"\narches = ["x86_64"]\npackages = ["bash"]\n'


class Machine(Case):
    def setUp(self):
        super().setUp()
        self.write("p/ashlar.toml", PROJECT)
        self.disk = self.write("disk.raw", b"\0" * (1 << 20))

    def boot(self, *args, verb="boot", status=1, env=None):
        return self.run_ashlar("-C", "p", "--store", "store", "image", verb, *args, status=status, env=env).stderr

    def tools(self, *names):
        """A PATH with these programs only."""
        folder = self.dir / "bin"
        folder.mkdir(exist_ok=True)
        for name in names:
            if found := shutil.which(name):
                (folder / name).symlink_to(found)
        return {"PATH": str(folder)}

    def need_qemu(self):
        if not shutil.which("qemu-system-x86_64") or not shutil.which("qemu-img"):
            self.skipTest("QEMU is not installed")

    def test_not_there(self):
        self.assertIn("cannot read the disk", self.boot("./no.raw"))
        self.assertIn("the project has no image 'bax'", self.boot("bax", status=2))

    def test_qemu_is_missing(self):
        self.need_qemu()
        self.assertIn("Debian package 'qemu-utils'", self.boot("./disk.raw", env=self.tools()))
        text = self.boot("./disk.raw", env=self.tools("qemu-img"))
        self.assertIn("QEMU is not installed", text)
        self.assertIn("Debian package 'qemu-system-x86'", text)

    def test_firmware_is_missing(self):
        if os.getuid() or not shutil.which("unshare"):
            self.skipTest("needs a mount namespace")
        script = 'for d in /usr/share/OVMF /usr/share/edk2; do [ ! -d $d ] || mount -t tmpfs none $d; done; exec "$@"'
        p = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", ASHLAR, "-C", "p", "--store", "store", "image", "boot", "./disk.raw"], cwd=self.dir, env=self.env, capture_output=True, text=True)
        self.assertEqual(p.returncode, 1, p.stderr)
        self.assertIn("Debian package 'ovmf'", p.stderr)

    def test_port_in_use(self):
        self.need_qemu()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            self.assertIn(f"port {s.getsockname()[1]} of 127.0.0.1 is in use", self.boot("./disk.raw", "--ssh-port", s.getsockname()[1], env=self.with_ssh_keygen()))
        self.assertIn("is no port", self.boot("./disk.raw", "--ssh-port", 70000, status=2))

    def with_ssh_keygen(self):
        if not shutil.which("ssh-keygen"):
            self.skipTest("ssh-keygen is not installed")
        return {}

    def test_booted_elsewhere(self):
        lock = self.dir / "disk.raw.lock"
        with lock.open("w") as f:
            fcntl.flock(f, fcntl.LOCK_SH)
            text = self.boot("./disk.raw", "--in-place")
            self.assertIn("the image is booted by another process", text)
            fcntl.flock(f, fcntl.LOCK_EX)
            self.assertIn("another process that writes to it", self.boot("./disk.raw"))

    def test_kvm_that_does_not_work(self):
        text = self.run_ashlar("-C", "p", "--store", "store", "image", "boot", "./disk.raw", "--accel", "kvm", "--seed", "none", status=1).stderr
        self.assertIn("cannot read the user-data", text)

    def test_ends_when_asked(self):
        """A disk without anything to boot: the firmware runs; SIGTERM ends the machine, and nothing of it is left."""
        self.need_qemu()
        before = self.disk.read_bytes()
        p = subprocess.Popen([ASHLAR, "-C", "p", "--store", "store", "image", "boot", "./disk.raw", "--memory", "256"], cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertIn(b"disk.raw boots", p.stderr.readline())
        time.sleep(0.5)
        p.send_signal(signal.SIGTERM)
        p.communicate(timeout=30)
        self.assertEqual(p.returncode, 0)
        self.assertEqual(self.disk.read_bytes(), before)
        self.assertEqual([n for n in os.listdir(self.dir) if n not in ("p", "disk.raw", "disk.raw.lock", "store", "home", "cache", "bin")], [])


if __name__ == "__main__":
    unittest.main()
