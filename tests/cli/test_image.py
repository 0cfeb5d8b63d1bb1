"""image: composed trees against rpm's own installation; writers against tar, cpio, skopeo; dumps back to bytes; what reproduces, what survives a killed build."""
import gzip, hashlib, io, json, os, pathlib, re, resource, shutil, signal, stat, subprocess, sys, tarfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import rpmkit  # noqa: E402
from ashcli import ASHLAR  # noqa: E402

PROJECT = """[project]
default-distro = {{ name = "test", version = "1" }}
[distros.test]
description = "t"
default-version = "1"
[distros.test.versions."1"]
description = "t"
release-ver = "1"
[distros.test.versions."1".identity]
id = "ashlar"
name = "Ashlar $ \\"Test\\""
id-like = ["fedora", "rhel"]

[upstreams.up]
type = "rpm-md"
base-uri = "file://{up}"
disable-gpg-check = true
{more}
"""
IMAGE = """
[images.one]
kind = "container"
arches = ["x86_64"]
formats = ["tar", "oci", "docker", "directory"]
packages = [{packages}]
{keys}
[images.one.oci]
command = ["/usr/bin/tool", "a b"]
environment = {{ PATH = "/usr/bin", B = "2" }}
labels = {{ "org.example.a" = "x" }}
user = "kit"
working-directory = "/var"
stop-signal = "SIGINT"
exposed-ports = ["80/tcp"]
volumes = ["/data"]
compression = "{compression}"
{more}
[images.two]
kind = "archive"
formats = ["cpio", "tar"]
packages = [{packages}]
"""
FS = dict(name="fs", tags="Provides: /bin/sh", install="""cd %{buildroot}; mkdir -p usr/bin usr/sbin usr/lib usr/lib64 usr/share etc var/lib tmp
ln -s usr/bin bin; ln -s usr/sbin sbin; ln -s usr/lib lib; ln -s usr/lib64 lib64
printf 'root:x:0:0::/root:/bin/sh\\nkit:x:77:78::/:/bin/sh\\n' > etc/passwd; printf 'root:x:0:\\nkit:x:78:\\n' > etc/group""",
          files="/bin\n/sbin\n/lib\n/lib64\n%dir /usr\n%dir /usr/bin\n%dir /usr/sbin\n%dir /usr/lib\n%dir /usr/lib64\n%dir /usr/share\n%dir %attr(0755,root,root) /etc\n%dir /var\n%dir /var/lib\n%attr(1777,root,root) %dir /tmp\n/etc/passwd\n/etc/group")
# Paths through the links of fs, and a directory that is a link in the package after it.
LINKED = dict(name="linked", install="""cd %%{buildroot}; mkdir -p bin sbin lib/deep lib64 usr/share/same opt/real; echo a > bin/a; chmod 2755 bin/a; echo s > sbin/s; echo d > lib/deep/d
echo same > usr/share/same/file; ln -s ../usr/bin/a lib64/up; ln -s real opt/via; echo 'name with spaces' > 'usr/share/a b\\c'; mkdir -p usr/share/%s; echo long > usr/share/%s/%s; ln -s %s usr/share/longlink
printf 'ü' > usr/share/ü""" % ("d" * 120, "d" * 120, "n" * 150, "t" * 180),
              files="/bin/a\n/sbin/s\n/lib/deep\n/lib64/up\n/usr/share/same\n/opt\n/usr/share/d*\n/usr/share/longlink\n\"/usr/share/a b\\c\"\n/usr/share/ü")
OTHER = dict(name="other", install="cd %{buildroot}; mkdir -p usr/share/same opt/via/below; echo same > usr/share/same/file; echo x > opt/via/below/x", files="/usr/share/same\n/opt/via/below/x")
CLASH = dict(name="clash", install="mkdir -p %{buildroot}/usr/bin; echo other > %{buildroot}/usr/bin/a; chmod 2755 %{buildroot}/usr/bin/a", files="/usr/bin/a")

BELOW = dict(name="under", install="mkdir -p %{buildroot}/usr/bin/a; echo x > %{buildroot}/usr/bin/a/x", files="/usr/bin/a")

# Of a size that has a layer of its own; of the other one only a part compresses.
LARGE, HUGE = (dict(name=n, install=f"mkdir -p %{{buildroot}}/usr/share/{n}; (seq 1 200000; yes) | head -c {size} > %{{buildroot}}/usr/share/{n}/data", files=f"/usr/share/{n}") for n, size in (("large", 2 << 20), ("huge", 3 << 20)))


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Image(unittest.TestCase):
    maxDiff = 6000

    @classmethod
    def setUpClass(cls):
        cls.kit = k = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        cls.up = k.dir / "up"
        cls.up.mkdir()
        cls.rpms = {}
        for spec in (FS, LINKED, OTHER, CLASH, BELOW, LARGE, HUGE, dict(name="kit", files=rpmkit.FULL_FILES.replace("/var/lib/kit/pipe\n", "") + "\n%lang(de) /usr/share/de\n%lang(fr) /usr/share/fr\n%license /usr/share/LIC",
                                                    install=rpmkit.FULL_INSTALL.replace("mkfifo %{buildroot}/var/lib/kit/pipe", "") + "\nmkdir -p %{buildroot}/usr/share; for i in de fr LIC; do echo $i > %{buildroot}/usr/share/$i; done")):
            p = k.build(**spec)
            cls.rpms[spec["name"]] = cls.up / p.name
            shutil.copy2(p, cls.up)
        k.run("createrepo_c", "-q", "--no-database", "--revision", "1700000000", "--set-timestamp-to-revision", cls.up)
        os.chmod(k.dir, 0o755)

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def setUp(self):
        self.dir = self.kit.dir / self.id().rsplit(".", 1)[-1]
        self.project, self.out = self.dir / "project", self.dir / "project" / "out" / "images"
        self.project.mkdir(parents=True)
        self.env = {**self.kit.env, "ASHLAR_STORE": str(self.dir / "store")}
        self.env.pop("SOURCE_DATE_EPOCH")

    def configure(self, packages=("fs", "kit", "linked", "other"), keys="", more="", compression="zstd"):
        image = IMAGE.format(packages=", ".join(f'"{p}"' for p in packages), keys=keys, more=more, compression=compression)
        (self.project / "ashlar.toml").write_text(PROJECT.format(up=self.up, more=image))

    def ashlar(self, *args, status=0, env=None, **kw):
        p = subprocess.run([ASHLAR, "-C", str(self.project), *map(str, args)], env=env or self.env, capture_output=True, text=True, timeout=300, **kw)
        self.assertEqual(p.returncode, status, f"{args}\n{p.stdout}{p.stderr}")
        return p

    def build(self, *args, status=0, lock=True, **kw):
        self.configure(**kw)
        if lock:
            self.ashlar("lock")
        return self.ashlar("image", "build", "one", *args, status=status)

    def dump(self):
        nodes = {}
        lines = self.ashlar("image", "dump", "one").stdout.splitlines()
        self.assertEqual(lines[0], "# ashlar tree 1")
        for line in lines[1:]:
            f = line.split(" ")
            nodes[f[0]] = dict(type=f[1], mode=int(f[2], 8), ids=f[3], names=f[4], mtime=int(f[5]), origin=f[6], **dict(x.split("=", 1) for x in f[7:]))
        return nodes

    def tar(self, name="one-x86_64.tar.zst"):
        data = subprocess.run(["zstd", "-dc", self.out / "one" / name], check=True, capture_output=True).stdout
        return tarfile.open(fileobj=io.BytesIO(data))

    def test_as_rpm_installs(self):
        """Every path, type, mode, owner, target, content, capability and hard link, as rpm makes them."""
        if os.geteuid():
            self.skipTest("rpm --root needs root")
        self.build(packages=("fs", "kit", "linked"), keys="documentation = true")
        root = self.dir / "root"
        root.mkdir()
        # rpm resolves owners with the files of the root.
        for args in (["fs"], ["kit", "linked"]):
            self.kit.run("rpm", "--root", root, "-i", "--nodeps", "--noscripts", "--nosignature", "--dbpath", "/rpmdb", *(self.rpms[a] for a in args), timeout=60)
        want = {}
        for base, dirs, files in os.walk(root):
            for name in dirs + files:
                p = pathlib.Path(base, name)
                rel = str(p.relative_to(root))
                if rel.split("/")[0] == "rpmdb":
                    continue
                s = p.lstat()
                want[rel] = (stat.S_IFMT(s.st_mode), s.st_mode & 0o7777 if not p.is_symlink() else 0o777, s.st_uid, s.st_gid, os.readlink(p) if p.is_symlink() else "",
                             sha(p.read_bytes()) if stat.S_ISREG(s.st_mode) else "", os.getxattr(p, "security.capability") if stat.S_ISREG(s.st_mode) and "security.capability" in os.listxattr(p) else b"",
                             tuple(sorted(str(q.relative_to(root)) for q in root.rglob("*") if q.lstat().st_ino == s.st_ino)) if stat.S_ISREG(s.st_mode) and s.st_nlink > 1 else ())
        unpacked = self.dir / "unpacked"
        unpacked.mkdir()
        subprocess.run(f"zstd -dc {self.out}/one/one-x86_64.tar.zst | tar -x --numeric-owner --same-owner -p --xattrs --xattrs-include='*' -C {unpacked}", shell=True, check=True)
        got = {}
        for base, dirs, files in os.walk(unpacked):
            for name in dirs + files:
                p = pathlib.Path(base, name)
                s = p.lstat()
                got[str(p.relative_to(unpacked))] = (
                    stat.S_IFMT(s.st_mode), s.st_mode & 0o7777 if not p.is_symlink() else 0o777, s.st_uid, s.st_gid, os.readlink(p) if p.is_symlink() else "",
                    sha(p.read_bytes()) if stat.S_ISREG(s.st_mode) else "", os.getxattr(p, "security.capability") if stat.S_ISREG(s.st_mode) and "security.capability" in os.listxattr(p) else b"",
                    tuple(sorted(str(q.relative_to(unpacked)) for q in unpacked.rglob("*") if q.lstat().st_ino == s.st_ino)) if stat.S_ISREG(s.st_mode) and s.st_nlink > 1 else ())
        ours = {p for p, n in self.dump().items() if n["origin"].split(":")[0] in ("handler", "definition")}
        for path in ours:
            want.pop(path[1:], None)
            got.pop(path[1:], None)
        self.assertGreater(len(want), 25)
        self.assertEqual(got, want)
        self.assertEqual(got["usr/bin/tool"][7], ("usr/bin/tool", "usr/bin/tool-again", "usr/bin/zool"))
        self.assertTrue(got["usr/bin/big"][6])

    def test_conflict(self):
        p = self.build("--arch", "x86_64", status=1, packages=("fs", "linked", "clash"))
        self.assertIn("clash-1.0-1.noarch and linked-1.0-1.noarch conflict: both have /usr/bin/a", p.stderr)
        self.assertIn("content", p.stderr)
        self.assertFalse((self.out / "one").exists())
        p = self.build("--arch", "x86_64", status=1, packages=("fs", "linked", "under"))
        self.assertEqual(p.stderr.count("under-1.0-1.noarch needs /usr/bin/a to be a directory"), 1, p.stderr)

    def test_filters(self):
        self.build(keys='languages = ["de"]\nexclude-paths = ["/usr/share/same", "/opt/**"]')
        nodes = self.dump()
        for gone in ("/usr/share/fr", "/usr/share/doc/kit/README", "/usr/share/same", "/usr/share/same/file", "/opt/real", "/var/lib/kit/state"):
            self.assertNotIn(gone, nodes)
        for kept in ("/usr/share/de", "/usr/share/LIC", "/usr/bin/a", "/usr/lib/deep/d"):
            self.assertIn(kept, nodes)
        self.assertEqual(nodes["/etc/kit.conf"]["flags"], "c")
        self.assertEqual(nodes["/etc/kit.keep"]["flags"], "cn")
        self.assertEqual(nodes["/usr/bin/big"]["mode"], 0o4755)
        self.assertEqual(nodes["/usr/bin/big"]["xattr.security.capability"], "0100000200200000000000000000000000000000")
        self.assertEqual(nodes["/var/lib/kit"]["ids"], "77:78")

    def test_writers(self):
        """All writers have what the dump has."""
        self.build()
        self.ashlar("image", "build", "two")
        nodes = self.dump()
        tar = {("/" + m.name.rstrip("/")).replace("/.", "/") if m.name in (".", "./") else "/" + m.name: m for m in self.tar().getmembers()}
        self.assertEqual(set(tar), {p.encode().decode("unicode_escape").encode("latin-1").decode() for p in nodes})
        names = [m.name for m in self.tar().getmembers()]
        self.assertEqual(names[1], "bin")
        m = tar["/usr/share/" + "d" * 120 + "/" + "n" * 150]
        self.assertEqual(m.size, 5)
        self.assertEqual(tar["/usr/share/longlink"].linkname, "t" * 180)
        self.assertTrue(all(m.mtime <= 1700000000 for m in tar.values()))
        cpio = subprocess.run(f"zstd -dc {self.out}/two/two-x86_64.cpio.zst | cpio -itv --quiet --numeric-uid-gid", shell=True, check=True, capture_output=True, env={**self.env, "TZ": "UTC"})
        self.assertEqual(cpio.stderr, b"")
        self.assertEqual(len(cpio.stdout.splitlines()), len(nodes))
        unpacked = self.dir / "cpio"
        unpacked.mkdir()
        subprocess.run(f"zstd -dc {self.out}/two/two-x86_64.cpio.zst | cpio -i --quiet --no-preserve-owner -D {unpacked}", shell=True, check=True)
        plain = self.out / "one" / "one-x86_64"
        self.assertEqual((self.out / "one" / "one-x86_64.tree").read_text(), self.ashlar("image", "dump", "one").stdout)
        for path, n in nodes.items():
            path = path.encode().decode("unicode_escape").encode("latin-1").decode()
            if n["type"] == "file" and int(n.get("size", 0)):
                self.assertEqual(sha((unpacked / path[1:]).read_bytes()), n["sha256"])
                self.assertEqual(sha((plain / path[1:]).read_bytes()), n["sha256"])
                self.assertEqual(sha(self.tar().extractfile(tar[path]).read()), n["sha256"])
        self.assertEqual((plain / "usr/bin/tool").stat().st_nlink, 3)
        self.assertEqual((unpacked / "usr/bin/zool").read_text(), "hello\n")
        docker = tarfile.open(self.out / "one" / "one-x86_64.docker.tar")
        manifest = json.load(docker.extractfile("manifest.json"))[0]
        layer = docker.extractfile(manifest["Layers"][0]).read()
        config = json.load(docker.extractfile(manifest["Config"]))
        self.assertEqual(config["rootfs"]["diff_ids"], ["sha256:" + sha(layer)])
        self.assertEqual(len(tarfile.open(fileobj=io.BytesIO(layer)).getmembers()), len(nodes) - 1)

    def oci(self, compression):
        self.build(compression=compression)
        layout = self.out / "one" / "one.oci"
        inspect = json.loads(self.kit.run("skopeo", "inspect", f"oci:{layout}").stdout) if shutil.which("skopeo") else None
        index = json.loads((layout / "index.json").read_text())

        def blob(d):
            data = (layout / "blobs" / d["digest"].replace(":", "/")).read_bytes()
            self.assertEqual((len(data), "sha256:" + sha(data)), (d["size"], d["digest"]))
            return data
        manifest = json.loads(blob(index["manifests"][0]))
        config = json.loads(blob(manifest["config"]))
        layer = blob(manifest["layers"][0])
        plain = gzip.decompress(layer) if compression == "gzip" else subprocess.run(["zstd", "-dc"], input=layer, check=True, capture_output=True).stdout
        self.assertTrue(manifest["layers"][0]["mediaType"].endswith("+" + compression))
        self.assertEqual(config["rootfs"]["diff_ids"], ["sha256:" + sha(plain)])
        self.assertEqual(config["config"], {"User": "kit", "ExposedPorts": {"80/tcp": {}}, "Env": ["PATH=/usr/bin", "B=2"], "Cmd": ["/usr/bin/tool", "a b"], "Volumes": {"/data": {}}, "WorkingDir": "/var",
                                            "Labels": {"org.example.a": "x"}, "StopSignal": "SIGINT"})
        if inspect:
            self.assertEqual((inspect["Architecture"], inspect["Os"], inspect["Labels"]), ("amd64", "linux", {"org.example.a": "x"}))
            self.kit.run("skopeo", "copy", f"oci:{layout}", f"dir:{self.dir}/copied")
            self.kit.run("skopeo", "copy", f"docker-archive:{self.out}/one/one-x86_64.docker.tar", f"dir:{self.dir}/copied2")
        if shutil.which("umoci") and compression == "gzip":  # Debian's knows no zstd
            self.kit.run("umoci", "unpack", "--rootless", "--image", f"{layout}:latest", self.dir / "bundle")
            self.assertEqual((self.dir / "bundle/rootfs/usr/bin/a").read_text(), "a\n")
        self.assertEqual(len(list((layout / "blobs/sha256").iterdir())), 3)

    def test_oci_zstd(self):
        self.oci("zstd")

    def test_oci_gzip(self):
        self.oci("gzip")

    LAYERED = """
[images.{name}]
kind = "container"
arches = ["x86_64"]
{base}
packages = [{packages}]
files."/etc/{name}" = {{ content = "x" }}
[images.{name}.oci]
layers = "{layers}"
compression = "gzip"
"""

    def layers(self, name):
        """Digests of an image's layers, and what unpacking them in their order gives."""
        blobs = self.out / name / f"{name}.oci/blobs/sha256"
        read = lambda d: json.loads((blobs / d["digest"].split(":")[1]).read_text())
        manifest = read(json.loads((self.out / name / f"{name}.oci/index.json").read_text())["manifests"][0])
        config, tree = read(manifest["config"]), {}
        digests = [l["digest"].split(":")[1] for l in manifest["layers"]]
        self.assertEqual(len(config["history"]), len(digests))
        for d, diff in zip(digests, config["rootfs"]["diff_ids"]):
            data = gzip.decompress((blobs / d).read_bytes())
            self.assertEqual("sha256:" + sha(data), diff)
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for m in tar:
                    self.assertNotIn(".wh.", m.name)
                    self.assertEqual(os.path.dirname(m.name) in tree or "/" not in m.name, True, m.name)  # parents come before
                    tree[m.name] = (m.type, m.mode, m.uid, m.gid, m.mtime, m.linkname, m.pax_headers, data[m.offset_data:m.offset_data + m.size] if m.isreg() else None)
        return digests, tree

    def test_layers(self):
        images = lambda layers: "".join(self.LAYERED.format(name=n, base=base, packages=p, layers=layers) for n, base, p in (
            ("low", "", '"fs", "large", "kit"'), ("high", 'inherits = ["low"]', '"huge"'), ("other-large", "", '"fs", "large", "linked"')))
        self.configure(more=images("origin"))
        self.ashlar("lock")
        self.ashlar("image", "build", "low", "high", "other-large")
        low, high, apart = (self.layers(n) for n in ("low", "high", "other-large"))
        self.assertEqual((len(low[0]), len(high[0]), len(apart[0])), (3, 4, 3))
        self.assertEqual(high[0][:2], low[0][:2])                # what is inherited comes first, and is the same
        self.assertEqual(len(set(apart[0]) & set(low[0])), 1)     # the same package in images that know nothing of each other
        if shutil.which("umoci"):
            self.kit.run("umoci", "unpack", "--rootless", "--image", f"{self.out}/high/high.oci:latest", self.dir / "bundle")
            self.assertEqual(os.stat(self.dir / "bundle/rootfs/usr/share/huge/data").st_size, 3 << 20)
        self.configure(more=images("single"))
        self.ashlar("image", "build", "low", "high", "other-large")
        for name, layered in (("low", low), ("high", high), ("other-large", apart)):
            digests, tree = self.layers(name)
            self.assertEqual(len(digests), 1)
            self.assertEqual(layered[1], tree)

    def test_one_architecture_of_several(self):
        """All architectures of an index are below one path: what was built for one of them is not up to date for the others."""
        self.build()
        project = self.project / "ashlar.toml"
        text = project.read_text()
        project.write_text(text.replace('arches = ["x86_64"]\nformats = ["tar", "oci", "docker", "directory"]', 'arches = ["x86_64", "aarch64"]\nformats = ["oci"]'))
        self.assertNotEqual(project.read_text(), text)
        self.ashlar("lock")
        first = {}
        for arch, architectures in ((None, ["amd64", "arm64"]), ("x86_64", ["amd64"]), ("aarch64", ["arm64"]), (None, ["amd64", "arm64"])):
            args = ("image", "build", "one", *(("--arch", arch) if arch else ()))
            self.assertNotIn("up to date", self.ashlar(*args).stdout)
            layout = self.out / "one/one.oci"
            blob = lambda digest: json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())
            index = (layout / "index.json").read_text()
            top = blob(json.loads(index)["manifests"][0]["digest"])
            manifests = [blob(m["digest"]) for m in top["manifests"]] if "manifests" in top else [top]
            self.assertEqual([blob(m["config"]["digest"])["architecture"] for m in manifests], architectures)
            self.assertEqual(first.setdefault(arch, index), index)
            self.assertIn("up to date", self.ashlar(*args).stdout)
            if not arch:
                for other in ((), ("--arch", "x86_64"), ("--arch", "aarch64")):
                    self.assertEqual([o["state"] for o in json.loads(self.ashlar("--json", "image", "plan", "one", *other).stdout)["outputs"]], ["built of these packages"], other)
            self.assertIn("hint: its 'arches' are x86_64, aarch64", self.ashlar("image", "build", "one", "--arch", "s390x", status=2).stderr)
            if arch == "x86_64":
                self.assertEqual(json.loads(self.ashlar("--json", "image", "plan", "one").stdout)["outputs"][0]["state"], "of other packages than the lock's")

    @staticmethod
    def layers_of(layout):
        blob = lambda digest: json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())
        return [(l["mediaType"], l["digest"]) for l in blob(json.loads((layout / "index.json").read_text())["manifests"][0]["digest"])["layers"]]

    def test_golden_dump(self):
        """What packages become, line by line: tests/golden/image/small.tree (ASHLAR_UPDATE=1 writes it anew). Digests of packages differ between versions of rpmbuild."""
        self.build(more='[images.one.files."/etc/made"]\ncontent = "mine"\nmode = "0600"\nowner = "kit"', keys='documentation = true')
        text = re.sub(r"pack=[0-9a-f]{64}\+", "pack=ID+", self.ashlar("image", "dump", "one").stdout)
        text = re.sub(r"(?m)^(/usr/lib/sysimage\S* .*size=)\d+ sha256=\S+", r"\1N sha256=ID", text) # rpm's database has the digests of packages
        golden = pathlib.Path(__file__).parent.parent / "golden/image/small.tree"
        if os.environ.get("ASHLAR_UPDATE"):
            golden.write_text(text)
        self.assertEqual(text, golden.read_text())

    def test_dump_to_bytes(self):
        self.build(more='[images.one.files."/etc/made"]\ncontent = "mine"\nmode = "0600"\nowner = "kit"\n[images.one.files."/etc/empty"]\ncontent = ""')
        text = self.dir / "tree"
        text.write_text(self.ashlar("image", "dump", "one").stdout)
        for name, options in (("one/one-x86_64.tar.zst", ()), ("two/two-x86_64.cpio.zst", ("--format", "cpio"))):
            if options:
                self.ashlar("image", "build", "two")
                text.write_text(self.ashlar("image", "dump", "two").stdout)
            self.assertRegex(text.read_text(), r"(?m)^/usr/bin/big file 4755 .* xattr\.security\.capability=[0-9a-f]{40}$")
            self.assertRegex(text.read_text(), r"(?m)^/usr/bin/tool-again file .* hard=/usr/bin/tool$")
            self.ashlar("image", "write", text, self.dir / "again", *options)
            self.assertEqual((self.dir / "again").read_bytes(), (self.out / name).read_bytes())
        plain, starts = {}, {"zst": b"\x28\xb5\x2f\xfd", "gz": b"\x1f\x8b"}
        for name in ("a.tar", "a.tar.zst", "a.tar.gz", "a.tgz", "a.cpio", "a.cpio.zst", "a.cpio.gz"):  # the name says which archive it is
            self.ashlar("image", "write", text, self.dir / name)
            data, packed = (self.dir / name).read_bytes(), next((v for k, v in starts.items() if name.endswith(k)), None)
            if packed or name == "a.tgz":
                self.assertEqual(data[:2], (packed or starts["gz"])[:2], name)
                data = subprocess.run(["zstd" if name.endswith("zst") else "gzip", "-dc"], input=data, capture_output=True, check=True).stdout
            self.assertEqual(data[:6] if "cpio" in name else data[257:262], b"070701" if "cpio" in name else b"ustar", name)
            self.assertEqual(plain.setdefault("cpio" in name, data), data, name)
        self.ashlar("image", "write", text, self.dir / "b.tar", "--format", "cpio", "--compression", "gzip")  # what is said goes before
        self.assertEqual(gzip.decompress((self.dir / "b.tar").read_bytes())[:6], b"070701")
        text.write_text(self.ashlar("image", "dump", "one").stdout)
        self.assertEqual(self.ashlar("image", "diff", text, "one").stdout, "")
        # As a container (the layer is the same, without settings), and as a directory.
        self.ashlar("image", "write", text, self.dir / "c.oci")
        self.assertEqual(self.layers_of(self.dir / "c.oci"), self.layers_of(self.out / "one/one.oci"))
        self.ashlar("image", "write", text, self.dir / "c.docker.tar")
        with tarfile.open(self.dir / "c.docker.tar") as a, tarfile.open(self.out / "one/one-x86_64.docker.tar") as b:
            one, two = ({m.name: x.extractfile(m).read() for m in x if m.name.endswith(".tar")} for x in (a, b))
            self.assertEqual(one, two)
            self.assertEqual(json.load(a.extractfile("manifest.json"))[0]["RepoTags"], ["c:latest"])
        self.ashlar("image", "write", text, self.dir / "c", "--format", "directory")
        see = lambda top: {str(p.relative_to(top)): (p.lstat().st_mode, os.readlink(p) if p.is_symlink() else p.read_bytes() if p.is_file() else p.lstat().st_mtime_ns) for p in top.rglob("*")}
        self.assertEqual(see(self.dir / "c"), see(self.out / "one/one-x86_64"))
        self.assertIn("File exists", self.ashlar("image", "write", text, self.dir / "c", "--format", "directory", status=1).stderr)
        self.assertEqual([p.name for p in self.dir.iterdir() if p.name.startswith(".")], [])
        self.ashlar("image", "write", text, self.dir / "c2", "--format", "iso", status=2)
        lines = text.read_text().splitlines()
        for at, bad in ((0, "# other"), (2, lines[2].replace(" link ", " lonk ")), (4, "/x"), (5, "relative" + lines[5]), (6, lines[6] + " nothing=1"), (7, lines[2]), (8, lines[8] + " xattr.a=z"), (9, lines[9] + " hard=/none")):
            wrong = self.dir / "wrong"
            wrong.write_text("\n".join(lines[:at] + [bad] + lines[at + 1:]) + "\n")
            p = self.ashlar("image", "write", wrong, self.dir / "never", status=1)
            self.assertIn(f"wrong:{at + 1}:", p.stderr)
            self.assertFalse((self.dir / "never").exists())

    def test_reproducible(self):
        self.build()
        first = {p.relative_to(self.out): p.read_bytes() for p in self.out.rglob("*") if p.is_file() and not p.is_symlink() and p.name != "build.json"}
        modes = {p.relative_to(self.out): p.lstat().st_mode for p in self.out.rglob("*") if p.name != "build.json"}
        again = self.dir / "elsewhere" / "p"
        again.mkdir(parents=True)
        for name in ("ashlar.toml", "ashlar.lock"):
            shutil.copy2(self.project / name, again)
        for threads in ("1", "7"):
            env = {**self.env, "ASHLAR_STORE": str(self.dir / f"store{threads}"), "TZ": "Pacific/Apia", "LC_ALL": "C", "LANG": "de_DE.UTF-8", "HOME": "/"}
            subprocess.run([ASHLAR, "-C", ".", "-j", threads, "image", "build", "one", "--force"], cwd=again, env=env, check=True, umask=0o077, capture_output=True)
            out = again / "out" / "images"
            self.assertEqual({p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file() and not p.is_symlink() and p.name != "build.json"}, first)
            self.assertEqual({p.relative_to(out): p.lstat().st_mode for p in out.rglob("*") if p.name not in ("build.json", "one")}, {k: v for k, v in modes.items() if k.name != "one"})

    @unittest.skipUnless(shutil.which("cc"), "no compiler")
    def test_unsteady(self):
        """The clock 400 days later, directories in any order, another user: the lock and every output are the same."""
        shim = self.dir / "unsteady.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", shim, pathlib.Path(__file__).parent.parent / "lib/unsteady.c", "-ldl"], check=True)
        layered = self.LAYERED.format(name="apart", base="", packages='"fs", "large", "kit"', layers="origin")
        self.build(more=layered)
        self.ashlar("image", "build", "--all")
        want = self.files(self.out)
        self.assertGreater(len(want), 12)
        unsteady = {**self.env, "LD_PRELOAD": str(shim), "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0", "TZ": "Pacific/Apia", "LC_ALL": "C"}
        years = [subprocess.run(["date", "+%s"], env=e, capture_output=True, text=True).stdout for e in (self.env, unsteady)]
        if int(years[1]) - int(years[0]) < 399 * 86400:
            self.skipTest("the shim has no effect here")
        for n in range(3):
            again = self.dir / f"again{n}"
            again.mkdir()
            for name in ("ashlar.toml", "ashlar.lock"):
                shutil.copy2(self.project / name, again)
            run = lambda *a: subprocess.run([ASHLAR, "-C", again, *a], env={**unsteady, "ASHLAR_STORE": str(self.dir / f"store{n}")}, capture_output=True, text=True)
            for step in (("lock", "--update"), ("image", "build", "--all")):
                p = run(*step)
                self.assertEqual(p.returncode, 0, p.stderr)
            self.assertEqual((again / "ashlar.lock").read_text(), (self.project / "ashlar.lock").read_text())
            self.assertEqual(self.files(again / "out/images"), want)

    @staticmethod
    def files(out):
        """Bytes, modes and targets of everything below a directory of images."""
        return {p.relative_to(out): (p.lstat().st_mode, os.readlink(p) if p.is_symlink() else p.read_bytes() if p.is_file() else None) for p in sorted(out.rglob("*")) if p.name != "build.json"}

    @unittest.skipUnless(shutil.which("unshare") and os.geteuid() == 0, "needs a file system of its own")
    def test_full_disk(self):
        """A file system that is full while the outputs are written: what was there stays, and the next build with room succeeds."""
        self.build(packages=("fs",))
        script = """
mount -t tmpfs -o size=2m,mode=755 none "$OUT"
"$ASHLAR" -q -C "$PROJECT" image build one || exit 90
cd "$OUT"; find images -type f ! -name build.json | sort | xargs sha256sum > "$WORK/before"
cp "$WORK/larger.toml" "$PROJECT/ashlar.toml"; "$ASHLAR" -q -C "$PROJECT" lock || exit 91
for i in 1 2 3; do
    "$ASHLAR" -q -C "$PROJECT" image build one 2> "$WORK/error" && exit 92
    grep -q "No space left on device" "$WORK/error" || { cat "$WORK/error"; exit 93; }
    sha256sum -c --quiet "$WORK/before" || exit 94
    find images -name '.*' | grep . && exit 95
done
mount -o remount,size=100m "$OUT"
"$ASHLAR" -q -C "$PROJECT" image build one || exit 96
[ -s images/one/one-x86_64/usr/share/large/data ] || exit 97
"""
        (self.project / "out").mkdir(exist_ok=True)
        shutil.copy2(self.project / "ashlar.toml", self.dir / "small.toml")
        self.configure(packages=("fs", "large", "huge"))
        shutil.move(self.project / "ashlar.toml", self.dir / "larger.toml")
        shutil.copy2(self.dir / "small.toml", self.project / "ashlar.toml")
        p = subprocess.run(["unshare", "-m", "sh", "-c", script], env={**self.env, "ASHLAR": ASHLAR, "PROJECT": str(self.project), "OUT": str(self.project / "out"), "WORK": str(self.dir)}, capture_output=True, text=True)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)

    def test_unchanged(self):
        self.build()
        self.assertIn("two-x86_64.cpio.zst", self.ashlar("image", "build", "--all").stdout)
        before = {p: p.lstat().st_mtime_ns for p in self.out.rglob("*")}
        p = self.ashlar("image", "build", "--all")
        self.assertEqual(p.stdout.count("up to date"), 6)
        self.assertEqual({p: p.lstat().st_mtime_ns for p in self.out.rglob("*")}, before)
        (self.out / "one" / "one-x86_64.tar.zst").write_bytes(b"damaged")
        self.assertNotIn("up to date", self.ashlar("image", "build", "one").stdout)
        self.assertGreater(len(self.tar().getmembers()), 20)

    def test_definition(self):
        (self.project / "mine.conf").write_text("from a file\n")
        self.build(keys='hostname = "box"\nlocale = "C.UTF-8"\nkeymap = "de"', more="""
[images.one.directories."/srv/data"]
mode = "2750"
owner = "kit"
group = "kit"
[images.one.links."/etc/link"]
target = "made"
[images.one.files."/etc/made"]
source = "mine.conf"
mode = "0640"
group = "kit"
[images.one.files."/bin/own"]
content = "#!/bin/sh\\n"
mode = "4755"
[images.one.files."/etc/kit.conf"]
content = "more\\n"
append = true
""")
        n = self.dump()
        self.assertEqual((n["/srv/data"]["mode"], n["/srv/data"]["ids"], n["/srv/data"]["origin"]), (0o2750, "77:78", "definition:directories./srv/data"))
        self.assertEqual((n["/etc/made"]["mode"], n["/etc/made"]["ids"], n["/etc/made"]["sha256"]), (0o640, "0:78", sha(b"from a file\n")))
        self.assertEqual(n["/etc/link"]["to"], "made")
        self.assertEqual(n["/usr/bin/own"]["mode"], 0o4755)
        self.assertEqual(n["/etc/kit.conf"]["sha256"], sha(b"a=1\nmore\n"))
        self.assertEqual(n["/etc/hostname"]["sha256"], sha(b"box\n"))
        self.assertEqual(n["/etc/locale.conf"]["sha256"], sha(b"LANG=C.UTF-8\n"))
        self.assertEqual(n["/etc/vconsole.conf"]["sha256"], sha(b"KEYMAP=de\n"))
        release = self.tar().extractfile("usr/lib/os-release").read().decode()
        self.assertEqual(release, 'NAME="Ashlar \\$ \\"Test\\""\nVERSION=1\nID=ashlar\nID_LIKE="fedora rhel"\nVERSION_ID=1\n')
        self.assertEqual(subprocess.run(["sh", "-c", '. "$1"; echo "$NAME|$ID_LIKE"', "sh", self.out / "one/one-x86_64/usr/lib/os-release"], capture_output=True, text=True).stdout, 'Ashlar $ "Test"|fedora rhel\n')

    def test_hostile_definitions(self):
        (self.dir / "secret").write_text("secret")
        (self.project / "sneaky").symlink_to(self.dir / "secret")
        for more, text in (('[images.one.links."/srv/out"]\ntarget = "../../../../etc"\n[images.one.files."/srv/out/x"]\ncontent = "x"', "leads out of the image: /srv/out is a link to '../../../../etc'"),
                           ('[images.one.files."/etc/x"]\nsource = "sneaky"', "a symbolic link that leads out"), ('[images.one.files."/etc/x"]\nsource = "absent"', "cannot read"),
                           ('[images.one.files."/etc/passwd/x"]\ncontent = "x"', "cannot put"), ('[images.one.files."/etc/x"]\ncontent = "x"\nowner = "nobody-knows"', 'ashlar.toml:37:9: error: /etc/x of files./etc/x belongs to the user \'nobody-knows\', which is not known in this image'),
                           ('[images.one.directories."/etc/d"]\ngroup = "no-group"', "ashlar.toml:36:9: error: /etc/d of directories./etc/d belongs to the group 'no-group'")):
            self.configure(more=more)
            self.ashlar("lock")
            p = subprocess.run([ASHLAR, "-C", str(self.project), "image", "build", "one"], env=self.env, capture_output=True, text=True)
            self.assertIn(p.returncode, (1, 3), more)
            self.assertIn(text, p.stderr)
            self.assertFalse((self.out / "one").exists())
        for user, text in (("nosuch", "the user 'nosuch', which is not in /etc/passwd"), ("kit:nosuch", "the group 'nosuch', which is not in /etc/group"), ("4294967295", "no number of a user"), ("77:78", None), ("kit:kit", None)):
            self.configure()
            config = self.project / "ashlar.toml"
            config.write_text(config.read_text().replace('user = "kit"', f'user = "{user}"'))
            self.ashlar("lock")
            p = self.ashlar("image", "build", "one", status=3 if text else 0)
            if text:
                self.assertRegex(p.stderr, r"ashlar.toml:\d+:8: error: ")
                self.assertIn(text, p.stderr)
        self.configure(keys='time-zone = "Mars/Base"')
        self.ashlar("lock")
        self.assertIn("tzdata", self.ashlar("image", "build", "one", status=3).stderr)
        self.configure(packages=("fs", "nothing-like-it"))
        self.assertIn("nothing-like-it", self.ashlar("lock", status=4).stderr)

    def test_views(self):
        self.configure()
        self.assertIn("there is no lock", self.ashlar("image", "plan", "one", status=1).stderr)
        self.ashlar("lock")
        before = sorted(p for p in self.dir.rglob("*"))
        plan = json.loads(self.ashlar("--json", "image", "plan", "one").stdout)
        self.assertEqual(sorted(p for p in self.dir.rglob("*")), before)
        self.assertEqual([p["nevra"] for p in plan["sets"][0]["packages"]], [f"{n}-1.0-1.noarch" for n in ("fs", "kit", "linked", "other")])
        self.assertEqual(len(plan["outputs"]), 4)
        states = lambda: {o["format"]: o["state"] for o in json.loads(self.ashlar("image", "plan", "one", "--json").stdout)["outputs"]}
        self.assertEqual(set(states().values()), {"not built"})
        self.ashlar("image", "build", "one")
        self.assertEqual(set(states().values()), {"built of these packages"})
        (self.out / "one/one-x86_64.tar.zst").write_bytes(b"")
        self.assertEqual(states(), {"tar": "changed since it was built", "oci": "built of these packages", "docker": "built of these packages", "directory": "built of these packages"})
        self.assertIn("one\tcontainer\tx86_64\ttar oci docker directory", self.ashlar("image", "list").stdout)
        explain = self.ashlar("image", "explain", "one", "/bin/tool").stdout
        self.assertIn("/usr/bin/tool: package kit-1.0-1.noarch", explain)
        self.assertIn("asked for", explain)
        self.assertIn("definition identity", self.ashlar("image", "explain", "one", "/usr/lib/os-release").stdout)
        self.ashlar("image", "explain", "one", "/none", status=1)
        size = json.loads(self.ashlar("--json", "image", "size", "one").stdout)
        self.assertEqual((size[0]["package"], size[0]["bytes"]), ("kit-1.0-1.noarch", 300000 + 6 + 4 + 2 + 3 * 3 + 1))
        dump = self.dir / "dump"
        dump.write_text(self.ashlar("image", "dump", "one").stdout)
        self.configure(packages=("fs", "kit", "linked"), more='[images.one.files."/usr/bin/a"]\ncontent = "b"\nmode = "0755"')
        self.ashlar("lock")
        diff = self.ashlar("image", "diff", dump, "one", status=1).stdout
        for text in ("- package other-1.0-1.noarch\n", "- /opt/real/below/x (of other)\n", "~ /usr/bin/a: mode 2755 -> 0755 (set-id) content 2 -> 1 bytes (of linked, now by the definition)\n"):
            self.assertIn(text, diff)
        self.assertIn("did you mean 'one'", self.ashlar("image", "build", "onne", status=2).stderr)

    def test_killed_and_full(self):
        self.build()
        old = {p.relative_to(self.out): p.read_bytes() for p in self.out.rglob("*") if p.is_file() and not p.is_symlink() and p.name != "build.json"}
        command = [ASHLAR, "-C", str(self.project), "image", "build", "one", "--force"]

        def check():
            for p, data in old.items():
                self.assertEqual((self.out / p).read_bytes(), data, p)
        for n in range(12):
            p = subprocess.Popen(command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.003 * n)
            p.kill()
            p.wait()
            check()
        limit = lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)))  # noqa: E731
        p = subprocess.run(command, env=self.env, capture_output=True, text=True, preexec_fn=limit)
        self.assertEqual(p.returncode, 1, p.stderr)
        self.assertIn("File too large", p.stderr)
        check()
        two = [subprocess.Popen(command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        for p in two:
            self.assertEqual(p.communicate(timeout=100)[1], "") if p.wait() == 0 else None
        self.ashlar("image", "build", "one", "--force")
        check()
        self.assertEqual([p.name for p in (self.out / "one").iterdir() if p.name.startswith(".")], [])

    def test_ordinary_user(self):
        if os.geteuid():
            self.skipTest("is one")
        self.build()
        first = {p.relative_to(self.out): p.read_bytes() for p in self.out.rglob("*") if p.is_file() and not p.is_symlink() and p.name != "build.json"}
        again = self.dir / "user"
        again.mkdir()
        for name in ("ashlar.toml", "ashlar.lock"):
            shutil.copy2(self.project / name, again)
        for p in [again, *again.iterdir()]:
            os.chown(p, 65534, 65534)
        env = {**self.env, "ASHLAR_STORE": str(again / "store"), "HOME": str(again), "TMPDIR": str(again)}
        subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ASHLAR, "-C", again, "image", "build", "one"], env=env, check=True)
        out = again / "out" / "images"
        self.assertEqual({p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file() and not p.is_symlink() and p.name != "build.json"}, first)


if __name__ == "__main__":
    unittest.main()
