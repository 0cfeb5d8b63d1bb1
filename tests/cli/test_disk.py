"""Disk images: file systems against e2fsck, debugfs, fsck.fat and mtools; partition tables against sfdisk; formats against qemu-img and their specifications."""
import calendar, hashlib, json, os, pathlib, re, shutil, struct, subprocess, sys, time, unittest, uuid

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import rpmkit  # noqa: E402
from ashcli import ASHLAR  # noqa: E402
from test_image import FS, PROJECT  # noqa: E402

MIB = 1 << 20
def long(text):
    """"@x9@" is nine times x."""
    return re.sub(r"@(.)(\d+)@", lambda m: m[1] * int(m[2]), text)


DATA = dict(name="data", install=long(r"""cd %{buildroot}; mkdir -p usr/share/many usr/share/deep/er/still var/lib/app home/kit efi/EFI/BOOT efi/loader/entries boot dev
for i in $(seq 1500); do echo $i > "usr/share/many/entry-with-a-name-of-some-length-$i"; done
(printf start; head -c 3000000 /dev/zero; printf middle; head -c 70000 /dev/zero; printf end) > usr/share/sparse
head -c 1000000 /dev/zero > usr/share/zeros; : > usr/share/empty; head -c 9000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null > usr/share/large
ln -s @t200@ usr/share/slow; ln -s @f59@ usr/share/fast59; ln -s @f60@ usr/share/slow60; ln -s ../x usr/share/fast
ln usr/share/large usr/share/deep/er/large-again; echo tail > usr/share/deep/er/still/tail
printf 'name' > "usr/share/@n250@"; printf 'u' > usr/share/ünïcödé; printf 'space' > 'usr/share/a b'
echo state > var/lib/app/state; echo kit > home/kit/.profile
printf 'loader' > efi/EFI/BOOT/BOOTX64.EFI; echo 'title One' > efi/loader/entries/one-1.2.3.conf; echo 'title Two' > efi/loader/entries/one-1.2.4.conf; head -c 200000 /dev/zero | tr '\0' k > efi/EFI/BOOT/kernel.img
touch -h -d @1234567891 efi/EFI/BOOT/BOOTX64.EFI usr/share/fast usr/share/a\ b"""),
            files="/usr/share/*\n/var/lib/app\n/home\n/efi\n/boot\n%dev(c,1,3) %attr(0666,root,root) /dev/null\n%dev(b,8,1) %attr(0660,root,root) /dev/sda1")
TWO = 'partitions = [{ type = "esp" }, { type = "root" }]'
KIT = dict(name="kit", install=rpmkit.FULL_INSTALL, files=rpmkit.FULL_FILES)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def sfdisk(path):
    table = json.loads(subprocess.run(["sfdisk", "--json", path], check=True, capture_output=True, text=True).stdout)["partitiontable"]
    return table, table["partitions"]


class Ext4:
    """An ext4 file system, read by debugfs."""

    def __init__(self, path):
        self.path = path

    def run(self, *commands):
        script = self.path.with_suffix(".debugfs")
        script.write_text("".join(c + "\n" for c in commands))
        p = subprocess.run(["debugfs", "-f", script, self.path], check=True, capture_output=True, text=True, errors="surrogateescape")
        bad = [x for x in p.stderr.splitlines() if not x.startswith("debugfs 1.")]
        assert not bad, bad[:5]
        return re.split(r"(?m)^debugfs: .*\n", p.stdout)[1:]

    def stats(self, paths):
        out = {}
        for path, text in zip(paths, self.run(*(f'stat "{p}"' for p in paths))):
            head = re.match(r"Inode: (\d+)\s+Type: (.*?)\s+Mode:\s+(\d+)\s+Flags: (0x\w+)", text)
            d = dict(ino=int(head[1]), type=head[2], mode=int(head[3], 8), flags=int(head[4], 16), text=text)
            d["uid"], d["gid"] = map(int, re.search(r"User:\s+(\d+)\s+Group:\s+(\d+)", text).groups())
            d["links"] = int(re.search(r"Links: (\d+)", text)[1])
            d["mtime"] = int(re.search(r"mtime: 0x(\w+)", text)[1], 16)
            d["size"] = int((re.search(r"Size: (\d+)", text) or [0, 0])[1])
            d["blocks"] = int(re.search(r"Blockcount: (\d+)", text)[1])
            out[path] = d
        return out


class Disk(unittest.TestCase):
    maxDiff = 6000

    @classmethod
    def setUpClass(cls):
        cls.kit = k = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        cls.up = k.dir / "up"
        cls.up.mkdir()
        for spec in (FS, DATA, KIT):
            shutil.copy2(k.build(**spec), cls.up)
        k.run("createrepo_c", "-q", "--no-database", "--revision", "1700000000", "--set-timestamp-to-revision", cls.up)
        os.chmod(k.dir, 0o755)

    @classmethod
    def tearDownClass(cls):
        if os.environ.get("KEEP"):
            cls.kit.temp._finalizer.detach()
            return
        cls.kit.close()

    def setUp(self):
        self.dir = self.kit.dir / self.id().rsplit(".", 1)[-1]
        self.project, self.out = self.dir / "project", self.dir / "project" / "out" / "images" / "disk"
        self.project.mkdir(parents=True)
        self.env = {**self.kit.env, "ASHLAR_STORE": str(self.dir / "store")}
        self.env.pop("SOURCE_DATE_EPOCH")
        os.environ.get("KEEP") or self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def configure(self, keys="", more="", packages=("fs", "data", "kit")):
        image = f'\n[images.disk]\nkind = "disk"\nlogin = "none"\nboot-loader = "none"\npackages = {json.dumps(packages)}\n{keys}\n{more}\n'
        (self.project / "ashlar.toml").write_text(PROJECT.format(up=self.up, more=image))

    def ashlar(self, *args, status=0, **kw):
        p = subprocess.run([ASHLAR, "-C", str(self.project), *map(str, args)], env=self.env, capture_output=True, text=True, timeout=300, **kw)
        self.assertEqual(p.returncode, status, f"{args}\n{p.stdout}{p.stderr}")
        return p

    def build(self, *args, status=0, **kw):
        self.configure(**kw)
        self.ashlar("lock")
        return self.ashlar("image", "build", "disk", *args, status=status)

    def dump(self):
        nodes = {}
        for line in self.ashlar("image", "dump", "disk").stdout.splitlines()[1:]:
            f = line.split(" ")
            path = re.sub(rb"\\x(..)", lambda m: bytes([int(m[1], 16)]), f[0].encode()).decode()
            nodes[path] = dict(type=f[1], mode=int(f[2], 8), ids=f[3], mtime=int(f[5]), **dict(x.split("=", 1) for x in f[7:]))
        return nodes

    def cut(self, raw, part, name):
        out = self.dir / name
        subprocess.run(["dd", "status=none", "bs=1M", "conv=sparse", f"if={raw}", f"of={out}", f"skip={part['start'] * 512 // MIB}", f"count={part['size'] * 512 // MIB}"], check=True)
        return out

    def check_ext4(self, path, nodes, mount="/"):
        """Everything that debugfs sees against the dump."""
        p = subprocess.run(["e2fsck", "-fn", path], capture_output=True, text=True)
        self.assertEqual((p.returncode, len(p.stdout.splitlines())), (0, 6), p.stdout + p.stderr)
        fs, back = Ext4(path), self.dir / "back"
        shutil.rmtree(back, ignore_errors=True)
        back.mkdir()
        inside = {("/" + k[len(mount):].lstrip("/")): v for k, v in nodes.items() if k == mount or mount == "/" or k.startswith(mount + "/")}
        stats = fs.stats(list(inside))
        types = {"file": "regular", "dir": "directory", "link": "symlink", "char": "character special", "block": "block special", "fifo": "FIFO"}
        first, files = {}, []
        for i, (k, v) in enumerate(inside.items()):
            s = stats[k]
            body = nodes[v["hard"]] if "hard" in v else v
            self.assertEqual((s["type"], s["mode"], f"{s['uid']}:{s['gid']}", s["mtime"]), (types[v["type"]], v["mode"], body["ids"], body["mtime"]), k)
            if v["type"] == "file":
                self.assertEqual(s["size"], int(body.get("size", 0)), k)
                files.append((k, body))
            if "hard" in v:
                self.assertEqual(s["ino"], stats["/" + v["hard"][len(mount):].lstrip("/")]["ino"], k)
            if v["type"] == "link" and len(v["to"]) < 60:
                self.assertIn(f'Fast link dest: "{v["to"]}"', s["text"], k)
            if v["type"] in ("char", "block"):
                major, minor = os.major(int(v["rdev"])), os.minor(int(v["rdev"]))
                self.assertIn(f"Device major/minor number: {major:02}:{minor:02}", s["text"], k)
            for name in (x for x in v if x.startswith("xattr.")):
                value = fs.run(f'ea_get -x "{k}" {name[6:]}')[0]
                self.assertEqual("".join(value.split("=", 1)[1].split()), v[name], k)
        fs.run(*(f'dump "{k}" {back}/{i}' for i, (k, _) in enumerate(files)))
        for i, (k, body) in enumerate(files):
            self.assertEqual(sha((back / str(i)).read_bytes()), body.get("sha256", sha(b"")), k)
        names = set()
        for d, text in zip([k for k, v in inside.items() if v["type"] == "dir"], fs.run(*(f'ls -p "{k}"' for k, v in inside.items() if v["type"] == "dir"))):
            names |= {(d.rstrip("/") + "/" + line.split("/")[5]) for line in text.splitlines() if line.count("/") >= 6} - {d.rstrip("/") + "/.", d.rstrip("/") + "/.."}
        self.assertEqual(names - {"/lost+found"}, set(inside) - {"/"} - {x for x in inside if self.hidden(x, mount)})
        return fs, stats

    def hidden(self, path, mount):
        return False

    def check_fat(self, path, nodes, mount):
        p = subprocess.run(["fsck.fat", "-n", "-v", path], capture_output=True, text=True)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        self.assertNotRegex(p.stdout, r"(?i)differ|corrupt|wrong|dirty|fixed", p.stdout)
        back = self.dir / "fat"
        shutil.rmtree(back, ignore_errors=True)
        back.mkdir()
        env = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
        subprocess.run(["mcopy", "-s", "-Q", "-m", "-i", path, "::*", back], check=True, env=env, capture_output=True)
        found = {mount + "/" + str(f.relative_to(back)): f for f in back.rglob("*")}
        want = {k: v for k, v in nodes.items() if k.startswith(mount + "/")}
        self.assertEqual(set(found), set(want))
        for k, v in want.items():
            self.assertEqual(found[k].is_dir(), v["type"] == "dir", k)
            if v["type"] == "file":
                self.assertEqual(sha(found[k].read_bytes()), v.get("sha256", sha(b"")), k)
                self.assertEqual(int(found[k].stat().st_mtime), v["mtime"] // 2 * 2, k)
        return p.stdout

    def check_table(self, raw):
        p = subprocess.run(["sfdisk", "--verify", raw], capture_output=True, text=True)
        self.assertEqual((p.returncode, p.stdout.splitlines()[1]), (0, "No errors detected."), p.stdout + p.stderr)
        table, parts = sfdisk(raw)
        self.assertEqual((table["label"], table["firstlba"], table["lastlba"]), ("gpt", 34, raw.stat().st_size // 512 - 34))
        self.assertTrue(all(p["start"] % 2048 == 0 and p["size"] % 2048 == 0 for p in parts), parts)
        self.assertEqual(raw.stat().st_size % MIB, 0)
        return table, parts

    # ---- the tests ----
    def test_default_disk(self):
        """An ESP and a root, all else by default: they say what the tree says."""
        self.build(keys=TWO)
        raw, nodes = self.out / "disk-x86_64.raw", self.dump()
        table, (esp, root) = self.check_table(raw)
        self.assertEqual((esp["type"], root["type"]), ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"))
        self.assertEqual((esp["name"], root["name"], esp.get("attrs"), root["attrs"]), ("esp", "root", None, "GUID:59"))
        for u in (table["id"], esp["uuid"], root["uuid"]):
            self.assertEqual((uuid.UUID(u).version, uuid.UUID(u).variant), (5, uuid.RFC_4122))
        self.assertIn("2 FATs, 32 bit entries", self.check_fat(self.cut(raw, esp, "esp.img"), nodes, "/efi"))
        inside = {k: v for k, v in nodes.items() if not k.startswith("/efi/")}
        fs, stats = self.check_ext4(self.cut(raw, root, "root.img"), inside)
        self.assertEqual(stats["/efi"]["type"], "directory")
        self.assertTrue(stats["/usr/share/many"]["flags"] & 0x1000, "a large directory has an index")
        self.assertLess(stats["/usr/share/sparse"]["blocks"] * 512, 200000)
        self.assertEqual(stats["/usr/share/zeros"]["blocks"], 0)
        self.assertLess(raw.stat().st_blocks * 512, raw.stat().st_size / 4, "the image is sparse")


if __name__ == "__main__":
    unittest.main()
