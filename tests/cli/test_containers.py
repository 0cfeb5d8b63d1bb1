"""The images of distro/ as containers: podman (root) and runc (an ordinary user) run commands in them; rpm and dnf work inside; skopeo and umoci take what we write. Needs the archive of the apt upstream:
ASHLAR_TEST_STORE may name a store that has the packages already; without network and store the tests are skipped."""
import functools, http.server, json, os, pathlib, re, shutil, subprocess, sys, tarfile, tempfile, threading, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
from ashcli import ASHLAR  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
# podman wants the unified hierarchy of cgroups and may not raise limits: a mount namespace of its own has the one, and the limits stay as they are.
PODMAN = """set -e
umount -R -l /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
exec podman --root "$PODS/root" --runroot "$PODS/run" --storage-driver vfs --cgroup-manager cgroupfs --events-backend file run --rm --cgroups=disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@"
"""


def have(*tools):
    return all(shutil.which(t) or shutil.which(t, path="/usr/sbin:/sbin") for t in tools)


class Containers(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        base = pathlib.Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())
        cls.dir = base / f"ashlar-containers-{os.getpid()}" # podman makes a name of the path: no capitals, no "_"
        cls.dir.mkdir()
        cls.addClassCleanup(lambda: subprocess.run(["rm", "-rf", cls.dir]))
        cls.dir.chmod(0o755)
        cls.project = cls.dir / "distro"
        shutil.copytree(TOP / "distro", cls.project, ignore=shutil.ignore_patterns("ashlar.lock"))
        cls.env = {**os.environ, "ASHLAR_STORE": os.environ.get("ASHLAR_TEST_STORE", str(cls.dir / "store")), "XDG_DATA_HOME": str(cls.dir / "data"), "PODS": str(cls.dir / "pods"), "LC_ALL": "C.UTF-8"}
        lock = cls.ashlar("-q", "lock", check=False)
        if lock.returncode:
            raise unittest.SkipTest("no archive to be had: " + lock.stderr.strip()[-200:])
        cls.ashlar("-q", "image", "build", "container-base", "container-distroless-minimal", "container-distroless-base", "container-distroless-debug")
        cls.images = cls.dir / "out/images"

    @classmethod
    def ashlar(cls, *args, check=True):
        p = subprocess.run([ASHLAR, "-C", cls.project, *args], env=cls.env, capture_output=True, text=True)
        if check and p.returncode:
            raise AssertionError(f"{args}\n{p.stdout}{p.stderr}")
        return p

    def run_in(self, image, *command, options=(), status=0):
        if os.getuid() or not have("podman", "crun"):
            self.skipTest("podman needs root here")
        p = subprocess.run(["unshare", "-m", "sh", "-c", PODMAN, "sh", *options, f"oci:{self.images}/{image}/{image}.oci", *command], env=self.env, capture_output=True, text=True)
        self.assertEqual(p.returncode, status, p.stdout + p.stderr)
        return p.stdout

    def layer(self, image, arch="amd64"):
        blobs = self.images / image / f"{image}.oci"
        read = lambda d: json.loads((blobs / "blobs/sha256" / d["digest"].split(":")[1]).read_text())
        index = read(json.loads((blobs / "index.json").read_text())["manifests"][0])
        manifest = read(next(m for m in index["manifests"] if m["platform"]["architecture"] == arch))
        return [blobs / "blobs/sha256" / l["digest"].split(":")[1] for l in manifest["layers"]]

    def test_a_dump_has_all(self):
        """Dump, parse, write: the layer of the image, capabilities, set-id bits and hard links with it."""
        for image in ("container-base", "container-distroless-debug"):
            text, layout = self.dir / f"{image}.tree", self.dir / f"{image}.oci"
            text.write_text(self.ashlar("image", "dump", image, "--arch", "x86_64").stdout)
            self.ashlar("image", "write", str(text), str(layout))
            read = lambda d: json.loads((layout / "blobs/sha256" / d["digest"].split(":")[1]).read_text())
            self.assertEqual([l["digest"].split(":")[1] for l in read(json.loads((layout / "index.json").read_text())["manifests"][0])["layers"]], [p.name for p in self.layer(image)])

    # ---- they run ----
    def test_base(self):
        out = self.run_in("container-base", "bash", "-c", ". /etc/os-release; echo $ID $VERSION_ID; sh -c 'id -u'; date -d @0 -u +%Y; tail -n1 /etc/ssl/certs/ca-certificates.crt; openssl version | cut -d' ' -f1")
        self.assertEqual(out.splitlines(), ["ashlar 1.0", "0", "1970", "-----END CERTIFICATE-----", "OpenSSL"])

    def test_rpm_is_clean(self):
        out = self.run_in("container-base", "bash", "-c", "rpm -Va && rpm -qa --qf '%{nevra}\\n' | sort")
        lock = (self.project / "ashlar.lock").read_text()
        self.assertIn("bash-0:", out.replace("bash-5", "bash-0:5"))
        self.assertGreater(len(out.split()), 100)
        for nevra in out.split():
            self.assertIn(f'"{nevra.replace("-0:", "-")}"', lock)

    def test_dnf_knows_reasons(self):
        out = self.run_in("container-base", "bash", "-c", "dnf -q history userinstalled; dnf --disablerepo='*' autoremove --assumeno; dnf --disablerepo='*' history list; dnf --disablerepo='*' check && echo CONSISTENT")
        definition = (self.project / "images/containers.toml").read_text().split("packages = ")[1].split("\n")[0]
        asked = sorted(line.rsplit("-", 2)[0] for line in out.split("Dependencies resolved")[0].splitlines()[1:])
        self.assertEqual(asked, sorted(json.loads(definition)))
        self.assertIn("Nothing to do.", out)
        self.assertIn("CONSISTENT", out)
        self.assertNotIn("Removing", out)
        self.assertNotIn("*", [line for line in out.splitlines() if "image build" in line][0]) # "altered outside of dnf"

    def test_dnf_installs(self):
        """From the repository that the same project publishes, over HTTP, with the signatures of metadata and packages checked."""
        repos = self.dir / "repos"
        self.ashlar("-q", "repo", "build", "-o", repos)
        handler = functools.partial(type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *a: None}), directory=str(repos))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}"
            options = ["--network", "host", "-e", f"REPOS={url}"]
            out = self.run_in("container-base", "bash", "-c", "echo $REPOS > /etc/dnf/vars/ashlar_repos; dnf -y install less && less --version | head -n1 && rpm -q less && rpm -V less && dnf -q history userinstalled", options=options)
            self.assertIn("Key imported successfully", out)
            self.assertRegex(out, r"\nless \d+")
            self.assertEqual(len(re.findall(r"^less-\S+\.x86_64$", out, re.M)), 2, out) # of "rpm -q", and among those that the user installed
            wrong = self.run_in("container-base", "bash", "-c", "echo $REPOS > /etc/dnf/vars/ashlar_repos; rm /etc/pki/rpm-gpg/RPM-GPG-KEY-ashlar; dnf -y install less", options=options, status=1)
            self.assertNotIn("Installed:", wrong)
            server.shutdown()

    def test_distroless(self):
        out = self.run_in("container-distroless-debug", "/usr/bin/busybox", "sh", "-c", ". /etc/os-release; echo $ID; ls /usr/bin /usr/sbin; cat /var/lib/rpmmanifest/container-manifest-1")
        self.assertIn("ashlar\n", out)
        for name in ("bash", "dpkg", "rpm", "dnf", "apt"):
            self.assertNotIn(f"\n{name}\n", out)
        self.assertIn("busybox-static-", out)
        self.assertIn("stable release", self.run_in("container-distroless-base", "/lib64/ld-linux-x86-64.so.2", "--version"))
        libs = self.run_in("container-distroless-base", "/lib64/ld-linux-x86-64.so.2", "--list", "/usr/lib/x86_64-linux-gnu/libssl.so.3")
        self.assertIn("libcrypto.so.3 =>", libs)
        self.assertNotIn("not found", libs)

    @unittest.skipUnless(have("runc"), "no runc")
    def test_ordinary_user(self):
        """runc without privileges on the unpacked layer."""
        work = self.dir / "rootless"
        work.mkdir()
        work.chmod(0o777)
        (work / "go").write_text("""set -e
cd "$1"; mkdir bundle; cd bundle; mkdir rootfs
zstd -dcq "$2" | tar -x -C rootfs
runc spec --rootless
python3 - <<'P'
import json
c = json.load(open("config.json"))
c["process"].update(terminal=False, args=["/usr/bin/bash", "-c", "id -u; rpm -q bash; dnf --version | head -n1; rpm -qa | wc -l"])
c["process"].pop("rlimits")
json.dump(c, open("config.json", "w"))
P
runc --root "$1/state" run ashlar-test-$$
""")
        p = subprocess.run([TOP / "tests/lib/as-user", "sh", work / "go", work, self.layer("container-base")[0]], capture_output=True, text=True, env={k: v for k, v in self.env.items() if k != "XDG_DATA_HOME"})
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        lines = p.stdout.splitlines()
        self.assertEqual((lines[0], lines[1][:7]), ("0", "bash-5."))
        self.assertGreater(int(lines[3]), 100)

    # ---- others take them ----
    @unittest.skipUnless(have("skopeo", "umoci"), "no skopeo or umoci")
    def test_tools(self):
        for image in ("container-base", "container-distroless-minimal", "container-distroless-base", "container-distroless-debug"):
            oci = f"oci:{self.images}/{image}/{image}.oci:latest"
            for arch in ("amd64", "arm64"):
                with self.subTest(image=image, arch=arch):
                    dest = self.dir / f"copy-{image}-{arch}"
                    dest.mkdir()
                    skopeo = lambda *a: subprocess.run(["skopeo", "--insecure-policy", "--override-arch", arch, *a], check=True, capture_output=True, text=True).stdout
                    self.assertEqual(json.loads(skopeo("inspect", oci))["Architecture"], arch)
                    skopeo("copy", "-q", oci, f"dir:{dest}/dir")
                    # umoci 0.4 reads neither an index over architectures nor zstd, docker's formats have no zstd.
                    skopeo("copy", "-q", "--dest-compress-format", "gzip", oci, f"oci:{dest}/oci:x")
                    skopeo("copy", "-q", f"oci:{dest}/oci:x", f"docker-archive:{dest}/docker.tar")
                    subprocess.run(["umoci", "raw", "unpack", "--rootless", "--image", f"{dest}/oci:x", f"{dest}/root"], check=True, capture_output=True)
                    with subprocess.Popen(["zstd", "-dcq", self.layer(image, arch)[0]], stdout=subprocess.PIPE) as p, tarfile.open(fileobj=p.stdout, mode="r|") as t:
                        for m in t:
                            at = dest / "root" / m.name
                            if m.issym():
                                self.assertEqual(os.readlink(at), m.linkname, m.name)
                            elif m.isfile():
                                self.assertEqual(at.stat().st_size, m.size, m.name)
                            else:
                                self.assertTrue(os.path.lexists(at) or m.ischr() or m.isblk(), m.name)
                    shutil.rmtree(dest)


if __name__ == "__main__":
    unittest.main()
