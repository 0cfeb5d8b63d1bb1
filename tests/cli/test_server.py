"""The server image of distro/, booted in QEMU: `image test` finds it well; cloud-init takes a seed; ssh by key and not by password; dnf installs from the published repository with both signature checks.
Needs the archive of the apt upstream: ASHLAR_TEST_STORE may name a store that has the packages already; without network and store the tests are skipped."""
import functools, hashlib, http.server, json, os, pathlib, re, shutil, signal, subprocess, sys, tempfile, threading, time, unittest
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
from ashcli import ASHLAR  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
BOOT = 600  # seconds; a boot takes 20 to 120 under emulation, as busy as the host is


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class Server(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        for tool in ("qemu-system-x86_64", "qemu-img", "ssh", "ssh-keygen"):
            if not shutil.which(tool):
                raise unittest.SkipTest(f"{tool} is not installed")
        base = pathlib.Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="ashlar-server-", dir=base))
        cls.addClassCleanup(lambda: subprocess.run(["rm", "-rf", cls.dir]))
        cls.project = cls.dir / "distro"
        shutil.copytree(TOP / "distro", cls.project, ignore=shutil.ignore_patterns("ashlar.lock"))
        cls.env = {**os.environ, "ASHLAR_STORE": os.environ.get("ASHLAR_TEST_STORE", str(cls.dir / "store")), "XDG_DATA_HOME": str(cls.dir / "data"), "LC_ALL": "C.UTF-8", "TMPDIR": str(cls.dir)}
        lock = cls.ashlar("-q", "lock", check=False)
        if lock.returncode:
            raise unittest.SkipTest("no archive to be had: " + lock.stderr.strip()[-200:])
        cls.ashlar("-q", "image", "build", "server")
        cls.images = cls.dir / "out/images/server"

    @classmethod
    def ashlar(cls, *args, check=True):
        p = subprocess.run([ASHLAR, "-C", cls.project, *map(str, args)], env=cls.env, capture_output=True, text=True)
        if check and p.returncode:
            raise AssertionError(f"{args}\n{p.stdout}{p.stderr}")
        return p

    def test_healthy(self):
        """Everything that the definition lists, on a disk that is larger than the image."""
        junit = self.dir / "junit.xml"
        disk = self.images / "server-x86_64.qcow2"
        before = hashlib.sha256(disk.read_bytes()).digest()
        p = self.ashlar("--json", "image", "test", "server", "--format", "qcow2", "--disk-size", 4, "--junit", junit, check=False)
        result = json.loads(p.stdout or "{}")
        log = pathlib.Path(result["log"]).read_text(errors="replace")[-3000:] if "log" in result else p.stderr
        self.assertEqual([c for c in result.get("checks", [None]) if not c or not c["good"]], [], log)
        self.assertEqual(p.returncode, 0)
        self.assertLess(result["memory-used"], 250 << 20)
        suite = ET.parse(junit).getroot().find("testsuite")
        self.assertEqual([(c.get("name"), c.find("failure")) for c in suite], [(c["name"], None) for c in result["checks"]])
        self.assertGreater(len(suite), 10)
        self.assertEqual(hashlib.sha256(disk.read_bytes()).digest(), before, "the image was written to")

    # ---- a machine that stays up ----
    def boot(self, *args):
        with (self.dir / "console").open("wb") as console:
            p = subprocess.Popen([ASHLAR, "-C", self.project, "image", "boot", "server", "--ssh-port", "0", *map(str, args)], env=self.env, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.PIPE, text=True)

        def end():
            p.send_signal(signal.SIGTERM)
            p.wait(60)
            p.stderr.close()
            self.assertEqual(p.returncode, 0)
        self.addCleanup(end)
        for line in p.stderr:
            if m := re.search(r"port (\d+) of 127.0.0.1", line):
                return int(m[1])
        self.fail("no port")

    def ssh(self, port, *command, options=(), key="key", check=True, timeout=300):
        p = subprocess.run(["ssh", "-i", self.dir / key, "-p", str(port), "-o", "IdentitiesOnly=yes", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=20",
                            *options, "walter@127.0.0.1", *command], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout)
        if check:
            self.assertEqual(p.returncode, 0, f"{command}\n{p.stdout}{p.stderr}\n" + (self.dir / "console").read_text(errors="replace")[-1500:])
        return p

    def wait_for_ssh(self, port):
        end = time.monotonic() + BOOT
        while time.monotonic() < end:
            p = self.ssh(port, "cloud-init status --wait", options=["-o", "BatchMode=yes"], check=False)
            if p.returncode == 0:
                return p.stdout
            time.sleep(3)
        self.fail("no ssh: " + p.stderr + (self.dir / "console").read_text(errors="replace")[-3000:])

    def test_seeded(self):
        for name in ("key", "other"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.dir / name], check=True)
        seed = self.dir / "user-data"
        seed.write_text("#cloud-config\nhostname: seeded\nssh_pwauth: true\nusers:\n  - name: walter\n    plain_text_passwd: secret\n    lock_passwd: false\n    sudo: \"ALL=(ALL) NOPASSWD:ALL\"\n    shell: /bin/bash\n"
                        f"    ssh_authorized_keys: [\"{(self.dir / 'key.pub').read_text().strip()}\"]\nwrite_files:\n  - path: /etc/seeded\n    content: was here\nruncmd:\n  - [touch, /var/lib/ran]\n")
        self.ashlar("-q", "repo", "build", "-o", self.dir / "repos")
        httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=self.dir / "repos"))
        self.addCleanup(httpd.server_close)
        self.addCleanup(httpd.shutdown)
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        port = self.boot("--seed", seed)
        self.assertIn("status: done", self.wait_for_ssh(port))
        self.assertEqual(self.ssh(port, "hostname; cat /etc/seeded; echo; ls /var/lib/ran").stdout.split(), ["seeded", "was", "here", "/var/lib/ran"])
        self.check_logins(port)
        self.check_dnf(port, httpd.server_address[1])

    def check_logins(self, port):
        other = self.ssh(port, "true", key="other", options=["-o", "BatchMode=yes"], check=False)
        self.assertEqual(other.returncode, 255)
        # Whatever the seed asks for, the server offers no passwords.
        offered = self.ssh(port, "true", options=["-v", "-o", "LogLevel=DEBUG", "-o", "PreferredAuthentications=password,keyboard-interactive", "-o", "NumberOfPasswordPrompts=1"], check=False)
        self.assertEqual(offered.returncode, 255)
        self.assertEqual(set(re.findall(r"Authentications that can continue: (\S+)", offered.stderr)), {"publickey"})

    def check_dnf(self, port, http_port):
        for channel in ("base", "extras"):
            url = f"http://10.0.2.2:{http_port}/{channel}/x86_64"
            text = f"[{channel}]\nname={channel}\nbaseurl={url}\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey={url}/repodata/repomd.xml.key\n"
            self.ssh(port, f"printf '{text}' | sudo tee /etc/yum.repos.d/{channel}.repo >/dev/null")
        self.assertEqual(self.ssh(port, "command -v tree", check=False).returncode, 1)
        self.ssh(port, "sudo dnf -y install tree", timeout=900)
        self.assertIn("/etc/systemd", self.ssh(port, "tree -d -L 1 /etc/systemd").stdout)
        self.assertEqual(self.ssh(port, "rpm -V tree").stdout, "")
        self.assertIn("keys", self.ssh(port, "rpm -qi tree | grep -i signature | sed 's/.*Key ID.*/keys/'").stdout)
        self.ssh(port, "sudo rpm -e tree && ! command -v tree")
        # The same repository without its key is not taken.
        self.ssh(port, "sed 's|^gpgkey=.*|gpgkey=file:///etc/hostname|; s|^\\[extras\\]|[keyless]|' /etc/yum.repos.d/extras.repo | sudo tee /etc/yum.repos.d/keyless.repo")
        keyless = self.ssh(port, "sudo dnf -y --disablerepo='*' --enablerepo=keyless install tree", check=False, timeout=900)
        self.assertNotEqual(keyless.returncode, 0, keyless.stdout)
        self.assertEqual(self.ssh(port, "command -v tree", check=False).returncode, 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
