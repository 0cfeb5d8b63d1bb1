"""The server image of distro/, booted in QEMU: `image test` finds it well; cloud-init takes a seed; ssh by key and not by password; dnf installs from the published repository with both signature checks, refuses what
others signed, upgrades kernel and glibc; the new kernel starts, and the old one again.
Needs the archive of the apt upstream: ASHLAR_TEST_STORE may name a store that has the packages already; without network and store the tests are skipped."""
import functools, hashlib, http.server, json, os, pathlib, re, shutil, signal, subprocess, sys, tempfile, threading, time, unittest
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
from ashcli import ASHLAR  # noqa: E402
from diskjudge import Judges  # noqa: E402
from rpmkit import Kit  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
BOOT = 600  # seconds; a boot takes 20 to 120 under emulation, as busy as the host is
META = "linux-image-cloud-amd64"
FORMATS = {"raw": ("raw", "raw"), "vhd": ("vhd", "vpc"), "vhd-dynamic": ("dynamic.vhd", "vpc"), "vhdx": ("vhdx", "vhdx"), "qcow2": ("qcow2", "qcow2"), "vmdk": ("vmdk", "vmdk")} # ours: suffix, qemu-img's
# Everything as an ordinary user, start to finish, as tests/lib/as-user has it; without a shell between, for signals. A store that was lent is its owner's.
USER = [] if os.geteuid() or "ASHLAR_TEST_STORE" in os.environ else ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]


def digest(path):
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class Server(Judges, unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        for tool in ("qemu-system-x86_64", "qemu-img", "ssh", "ssh-keygen"):
            if not shutil.which(tool):
                raise unittest.SkipTest(f"{tool} is not installed")
        base = pathlib.Path(os.environ.get("TMPDIR") or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()))
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="ashlar-server-", dir=base))
        cls.addClassCleanup(lambda: subprocess.run(["rm", "-rf", cls.dir]))
        if USER:
            os.chown(cls.dir, 65534, 65534)
        cls.env = {**os.environ, "HOME": str(cls.dir), "ASHLAR_STORE": os.environ.get("ASHLAR_TEST_STORE", str(cls.dir / "store")), "XDG_DATA_HOME": str(cls.dir / "data"), "LC_ALL": "C.UTF-8", "TMPDIR": str(cls.dir)}
        cls.project = cls.copy("plain")
        lock = cls.ashlar("-q", "lock", check=False)
        if lock.returncode < 0:
            raise AssertionError(f"signal {-lock.returncode}")
        if lock.returncode:
            raise unittest.SkipTest("no archive to be had: " + lock.stderr.strip()[-200:])

    @classmethod
    def copy(cls, name):
        project = cls.dir / name / "distro"
        shutil.copytree(TOP / "distro", project, ignore=shutil.ignore_patterns("ashlar.lock"))
        if USER:
            subprocess.run(["chown", "-R", "65534:65534", project.parent], check=True)
        return project

    @classmethod
    def ashlar(cls, *args, check=True, project=None):
        p = subprocess.run([*USER, ASHLAR, "-C", project or cls.project, *map(str, args)], env=cls.env, capture_output=True, text=True)
        if check and p.returncode:
            raise AssertionError(f"{args}\n{p.stdout}{p.stderr}")
        return p

    def test_healthy(self):
        """Everything that the definition lists, on a disk that is larger than the image."""
        self.ashlar("-q", "image", "build", "server")
        junit = self.dir / "junit.xml"
        disk = self.dir / "plain/out/images/server/server-x86_64.qcow2"
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

    def test_other_controllers(self):
        """The VHD, as a disk of NVMe, and the raw image on SCSI: what the root file system needs there is in the initrd."""
        self.ashlar("-q", "image", "build", "server")
        for kind, bus, disk in (("vhd", "nvme", "nvme0n1"), ("raw", "scsi", "sda")):
            p = self.ashlar("-q", "image", "boot", "server", "--format", kind, "--bus", bus, "--command", "lsblk -no PKNAME $(findmnt -no SOURCE /); systemctl is-system-running --wait; systemctl --failed --no-legend")
            self.assertEqual(p.stdout.split(), [disk, "running"])

    def test_disks(self):
        """Every format twice, in another place, with an empty cache and another number of threads: equal bytes, the same disk. Its file systems say what the tree says."""
        projects, sums = [], []
        for i, (store, threads) in enumerate(((self.env["ASHLAR_STORE"], 4), (self.other_store(), 1))):
            project = self.copy(f"formats{i}")
            definition = project / "images/server.toml"
            definition.write_text(definition.read_text().replace('formats = ["raw", "vhd", "qcow2"]', f"formats = {json.dumps(list(FORMATS))}"))
            shutil.copy(self.project / "ashlar.lock", project)
            self.ashlar("-q", "-j", threads, "--store", store, "image", "build", "server", project=project)
            files = {k: project.parent / f"out/images/server/server-x86_64.{suffix}" for k, (suffix, _) in FORMATS.items()}
            sums.append({k: digest(f) for k, f in files.items()})
            if not i:
                self.check_formats(files, sums[0]["raw"])
            for f in files.values():
                f.unlink()
            projects.append(project)
        self.assertEqual(*sums)
        self.ashlar("-q", "image", "build", "server", project=projects[0])
        self.check_disk(projects[0].parent / "out/images/server/server-x86_64.raw", projects[0])

    def other_store(self):
        """What was fetched, and nothing that was computed from it."""
        other, store = self.dir / "other-store", pathlib.Path(self.env["ASHLAR_STORE"])
        other.mkdir()
        subprocess.run(["cp", "-r", "--preserve=all", *(["-l"] if store.stat().st_dev == self.dir.stat().st_dev else []), store / "blobs", store / "version", other], check=True)
        if USER:
            os.chown(other, 65534, 65534)
        return other

    def check_formats(self, files, raw):
        size = files["raw"].stat().st_size
        self.assertEqual(size % (1 << 20), 0)
        self.assertLess(files["raw"].stat().st_blocks * 512, size // 2, "it is sparse")
        for kind, (_, name) in FORMATS.items():
            info = json.loads(subprocess.run(["qemu-img", "info", "--output", "json", "-f", name, files[kind]], check=True, capture_output=True, text=True).stdout)
            self.assertEqual((info["format"], info["virtual-size"]), (name, size))
            if name in ("qcow2", "vmdk", "vhdx"):
                subprocess.run(["qemu-img", "check", "-q", "-f", name, files[kind]], check=True)
            if kind != "raw":
                back = self.dir / "back.raw"
                subprocess.run(["qemu-img", "convert", "-f", name, "-O", "raw", files[kind], back], check=True)
                self.assertEqual(digest(back), raw, kind)
                back.unlink()

    def check_disk(self, raw, project):
        nodes = self.dump("server", project=project)
        self.assertTrue(any("hard" in v for v in nodes.values()))
        _, (esp, root) = self.check_table(raw)
        self.check_fat(self.cut(raw, esp, "esp.img"), nodes, "/efi")
        self.check_ext4(self.cut(raw, root, "root.img"), {k: v for k, v in nodes.items() if not k.startswith("/efi/")})

    # ---- a machine that stays up ----
    def boot(self, project, *args):
        with (self.dir / "console").open("wb") as console:
            p = subprocess.Popen([*USER, ASHLAR, "-C", project, "image", "boot", "server", "--ssh-port", "0", *map(str, args)], env=self.env, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.PIPE, text=True)

        def end():
            p.send_signal(signal.SIGTERM)
            said = p.communicate(timeout=60)[1]
            self.assertEqual(p.returncode, 0, said + (self.dir / "console").read_text(errors="replace")[-3000:])
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
        project, kernels = self.held()
        httpd = self.serve(self.dir / "repos")
        port = self.boot(project, "--seed", seed, "--disk-size", 4, "--memory", 800)
        self.assertIn("status: done", self.wait_for_ssh(port))
        self.assertEqual(self.ssh(port, "hostname; cat /etc/seeded; echo; ls /var/lib/ran").stdout.split(), ["seeded", "was", "here", "/var/lib/ran"])
        self.check_logins(port)
        self.check_dnf(port, httpd)
        self.check_strangers(port, httpd)
        self.check_upgrade(port, project, *kernels)
        self.check_rollback(port, *kernels)

    def serve(self, folder):
        httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
        self.addCleanup(httpd.server_close)
        self.addCleanup(httpd.shutdown)
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        return httpd.server_address[1]

    def held(self):
        """A project whose machines have the older of two kernels: as it was before the archive got the newer one. Its first generation is published."""
        names = [p["name"] for p in json.loads(self.ashlar("--json", "upstream", "list", "linux-image-*-amd64").stdout)]
        versions = {n: tuple(map(int, m.groups())) for n in names if (m := re.fullmatch(r"linux-image-(\d+)\.(\d+)\.(\d+)\+deb\d+-cloud-amd64", n))}
        if len(versions) < 2:
            self.skipTest("the archive has one kernel only")
        old, new = sorted(versions, key=versions.get)[-2:]
        project = self.copy("held")
        self.change(project, ("remove-relation", f'relation = "requires {new}"', META), ("add-relation", f'relation = "requires {old}"', META))
        self.ashlar("-q", "lock", project=project)
        self.ashlar("-q", "image", "build", "server", project=project)
        self.ashlar("-q", "repo", "build", "-o", self.dir / "repos", project=project)
        return project, [n.removeprefix("linux-image-") for n in (old, new)]

    def change(self, project, *changes):
        text = "".join(f'[[imports."{package}"]]\ntype = "{kind}"\n{key}\nreason = "a test"\n' for kind, key, package in changes)
        (project / "imports.toml").write_text((TOP / "distro/imports.toml").read_text() + text)

    def check_logins(self, port):
        other = self.ssh(port, "true", key="other", options=["-o", "BatchMode=yes"], check=False)
        self.assertEqual(other.returncode, 255)
        # Whatever the seed asks for, the server offers no passwords.
        offered = self.ssh(port, "true", options=["-v", "-o", "LogLevel=DEBUG", "-o", "PreferredAuthentications=password,keyboard-interactive", "-o", "NumberOfPasswordPrompts=1"], check=False)
        self.assertEqual(offered.returncode, 255)
        self.assertEqual(set(re.findall(r"Authentications that can continue: (\S+)", offered.stderr)), {"publickey"})

    def add_repository(self, port, name, url, key):
        self.ssh(port, f"printf '[{name}]\nname={name}\nbaseurl={url}\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey={key}\n' | sudo tee /etc/yum.repos.d/{name}.repo >/dev/null")

    def check_dnf(self, port, http_port):
        for channel in ("base", "extras"):
            url = f"http://10.0.2.2:{http_port}/{channel}/x86_64"
            self.add_repository(port, channel, url, f"{url}/repodata/repomd.xml.key")
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
        self.ssh(port, "sudo rm /etc/yum.repos.d/keyless.repo")
        self.assertEqual(self.ssh(port, "command -v tree", check=False).returncode, 1)

    def check_strangers(self, port, http_port):
        """A repository that is signed as it should, with a package that somebody else signed, one that was altered, and one without a signature."""
        kit = Kit(self.dir)
        self.addCleanup(kit.close)
        ours, repo = kit.key("ours", "rsa2048"), self.dir / "repos/foreign"
        kit.key("stranger", "rsa2048")
        repo.mkdir()
        for name, version, signer in (("honest", "1", "ours"), ("honest", "2", "ours"), ("strange", "1", "stranger"), ("altered", "1", "ours"), ("bare", "1", None)):
            rpm = kit.build(name, version, tags="Provides: kernel", install=f"mkdir -p %{{buildroot}}/usr/share/{name}; echo {version} > %{{buildroot}}/usr/share/{name}/file", files=f"/usr/share/{name}/file")
            if signer:
                kit.sign(rpm, signer)
            if name == "altered":  # a word of the header: its digest and signature are of another one
                data = rpm.read_bytes()
                self.assertEqual(data.count(b"Made by a test."), 1)
                rpm.write_bytes(data.replace(b"Made by a test.", b"Made by a tesu."))
            shutil.copy2(rpm, repo)
        subprocess.run(["createrepo_c", "-q", repo], check=True)
        kit.run("gpg", "--batch", "--armor", "--detach-sign", "-u", "ours", repo / "repodata/repomd.xml")
        shutil.copy2(ours, repo / "key")
        self.add_repository(port, "foreign", f"http://10.0.2.2:{http_port}/foreign", f"http://10.0.2.2:{http_port}/foreign/key")
        for name, good in (("strange", False), ("altered", False), ("bare", False), ("honest", True)):
            p = self.ssh(port, f"sudo dnf -y --disablerepo='*' --enablerepo=foreign install {name}-1", check=False, timeout=900)
            self.assertEqual(p.returncode == 0, good, p.stdout + p.stderr)
            self.assertEqual(self.ssh(port, f"test -e /usr/share/{name}", check=False).returncode == 0, good)
        # What provides "kernel" is upgraded as all else: it follows the kernels, and is none.
        self.ssh(port, "sudo dnf -y --disablerepo='*' --enablerepo=foreign upgrade", timeout=900)
        self.assertEqual(self.ssh(port, "rpm -q honest; cat /usr/share/honest/file").stdout.split(), ["honest-2-1.noarch", "2"])
        self.ssh(port, "sudo rpm -e honest && sudo rm /etc/yum.repos.d/foreign.repo")

    def entries(self, port):
        return set(self.ssh(port, "sudo ls /efi/loader/entries").stdout.split())

    def check_upgrade(self, port, project, old, new):
        """The next generation: kernel and glibc released again. dnf upgrades the machine while it runs; the kernel that ran stays."""
        self.change(project, *(("raise-release", 'suffix = "+test1"', package) for package in (META, f"linux-image-{new}", "libc6")))
        self.ashlar("-q", "lock", project=project)
        self.ashlar("-q", "repo", "build", "-o", self.dir / "repos", project=project)
        self.assertEqual(self.ssh(port, "uname -r").stdout.strip(), old)
        self.assertEqual(self.entries(port), {f"ashlar-{old}.conf"})
        upgrade = self.ssh(port, "sudo dnf -y --refresh upgrade", timeout=1800)
        self.assertEqual(re.findall("(?m)cannot be started|^warning:.*|^error:.*|failed", upgrade.stdout + upgrade.stderr), [], upgrade.stdout)
        installed = set(self.ssh(port, f"rpm -q --qf '%{{name}} %{{release}}\\n' {META} libc6 linux-image-{old} linux-image-{new}").stdout.splitlines())
        self.assertEqual({line.split()[0] for line in installed if line.endswith("+test1")}, {META, "libc6", f"linux-image-{new}"})
        self.assertEqual(self.entries(port), {f"ashlar-{old}.conf", f"ashlar-{new}+3.conf"}, upgrade.stdout)
        self.assertEqual(self.ssh(port, f"sudo ls /efi/ashlar/{old} /efi/ashlar/{new}").stdout.count("initrd"), 2)
        self.assertEqual(self.ssh(port, "sudo cat /efi/loader/loader.conf").stdout, "timeout 2\n", "the menu waits now that there is a choice")
        self.assertIn("Nothing to do", self.ssh(port, "sudo dnf -y upgrade", timeout=900).stdout)
        # Nothing asks for the old kernel any more, but it runs.
        self.assertRegex(self.ssh(port, "sudo dnf -y autoremove", timeout=900, check=False).stderr, "protected packages: " + re.escape(f"linux-image-{old}"))
        self.restart(port, "true", new)
        self.assertEqual(self.entries(port), {f"ashlar-{old}.conf", f"ashlar-{new}.conf"}, "it came up: no more tries are counted")
        self.assertEqual(self.ssh(port, "rpm -V --nomtime libc6 " + f"linux-image-{old} linux-image-{new}").stdout, "")

    def check_rollback(self, port, old, new):
        self.restart(port, f"bootctl set-default ashlar-{old}.conf", old)
        self.assertEqual(self.entries(port), {f"ashlar-{old}.conf", f"ashlar-{new}.conf"})

    def restart(self, port, before, kernel):
        boot = self.ssh(port, "cat /proc/sys/kernel/random/boot_id").stdout
        self.ssh(port, f"sudo {before} && sudo systemctl reboot", check=False)
        end = time.monotonic() + BOOT
        while time.monotonic() < end:
            p = self.ssh(port, "cat /proc/sys/kernel/random/boot_id", options=["-o", "BatchMode=yes"], check=False)
            if p.returncode == 0 and p.stdout != boot:
                break
            time.sleep(3)
        self.assertEqual(self.ssh(port, "systemctl is-system-running --wait; uname -r; systemctl --failed --no-legend", check=False, timeout=BOOT).stdout.split(), ["running", kernel])


if __name__ == "__main__":
    unittest.main(verbosity=2)
