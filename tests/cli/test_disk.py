"""Disk images: file systems against e2fsck, debugfs, fsck.fat and mtools; partition tables against sfdisk; formats against qemu-img and their specifications."""
import calendar, fcntl, hashlib, json, os, pathlib, re, shutil, struct, subprocess, sys, time, unittest, uuid

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import rpmkit  # noqa: E402
from ashcli import ASHLAR  # noqa: E402
from diskjudge import MIB, Ext4, Judges, sfdisk, sha  # noqa: E402
from test_image import FS, PROJECT  # noqa: E402

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
SMALL = TWO.replace('"esp"', '"esp", size = "40M"')
KIT = dict(name="kit", install=rpmkit.FULL_INSTALL, files=rpmkit.FULL_FILES)


class Disk(Judges, unittest.TestCase):
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


    def test_every_format(self):
        """The same disk in every format, equal bytes when made again elsewhere; what qemu-img reads from each is the raw image."""
        formats = {"raw": "raw", "vhd": "vpc", "dynamic.vhd": "vpc", "vhdx": "vhdx", "qcow2": "qcow2", "vmdk": "vmdk"}
        keys = SMALL + '\nformats = ["raw", "vhd", "vhd-dynamic", "vhdx", "qcow2", "vmdk"]'
        self.build(keys=keys)
        raw = self.out / "disk-x86_64.raw"
        size, first = raw.stat().st_size, {}
        for suffix, name in formats.items():
            path, back = raw.with_suffix("." + suffix), self.dir / "back.raw"
            first[suffix] = sha(path.read_bytes())
            info = json.loads(subprocess.run(["qemu-img", "info", "--output", "json", "-f", name, path], check=True, capture_output=True, text=True).stdout)
            self.assertEqual((info["format"], info["virtual-size"]), (name, size))
            if name in ("qcow2", "vmdk", "vhdx"):
                check = subprocess.run(["qemu-img", "check", "-f", name, path], capture_output=True, text=True)
                self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
            subprocess.run(["qemu-img", "convert", "-f", name, "-O", "raw", path, back], check=True, capture_output=True)
            self.assertEqual(sha(back.read_bytes()), first["raw"], suffix)
        self.assertEqual(raw.with_suffix(".vhd").stat().st_size, size + 512)
        self.check_vhd(raw.with_suffix(".vhd"), size, 2)
        self.check_vhd(raw.with_suffix(".dynamic.vhd"), size, 3)
        # Again: another directory, another store, one thread, another user where that is possible.
        self.project = self.dir / "elsewhere"
        self.project.mkdir()
        shutil.copy2(self.dir / "project" / "ashlar.lock", self.project)
        self.env["ASHLAR_STORE"] = str(self.dir / "other-store")
        self.configure(keys=keys)
        os.chmod(self.dir, 0o777)
        os.chmod(self.project, 0o777)
        as_user = pathlib.Path(__file__).parent.parent / "lib" / "as-user"
        p = subprocess.run([as_user, ASHLAR, "-C", self.project, "-j", "1", "image", "build", "disk"], env=self.env, capture_output=True, text=True, timeout=300)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        again = self.project / "out" / "images" / "disk"
        self.assertEqual({s: sha((again / f"disk-x86_64.{s}").read_bytes()) for s in formats}, first)
        if os.geteuid() == 0:
            self.assertNotEqual((again / "disk-x86_64.raw").stat().st_uid, 0)

    def check_vhd(self, path, size, kind):
        """The footer, field by field (Virtual Hard Disk Image Format Specification 1.0)."""
        with path.open("rb") as f:
            f.seek(-512, 2)
            footer = f.read()
            f.seek(0)
            start = f.read(1536)
        cookie, features, version, offset, stamp, app, app_version, host, original, current, c, h, s, disk, checksum, ident, saved = struct.unpack(">8sIIQI4sI4sQQHBBII16sB", footer[:85])
        self.assertEqual((cookie, features, version, host, original, current, disk, saved), (b"conectix", 2, 0x10000, b"Wi2k", size, size, kind, 0))
        self.assertEqual((offset, app, size % MIB), (2 ** 64 - 1 if kind == 2 else 512, b"win ", 0))
        self.assertEqual(checksum, ~(sum(footer) - sum(footer[64:68])) & 0xffffffff)
        self.assertEqual(stamp, 1700000000 - calendar.timegm((2000, 1, 1, 0, 0, 0)))
        self.assertEqual((uuid.UUID(bytes=ident).version, footer[85:]), (5, bytes(427)))
        self.assertTrue(size // 512 - h * s <= c * h * s <= size // 512, (c, h, s))
        if kind == 3:
            self.assertEqual(start[:512], footer)
            cookie, data, table, version, blocks, block, checksum = struct.unpack(">8sQQIIII", start[512:552])
            self.assertEqual((cookie, data, table, version, blocks, block), (b"cxsparse", 2 ** 64 - 1, 1536, 0x10000, (size + 2 * MIB - 1) // (2 * MIB), 2 * MIB))
            self.assertEqual(checksum, ~(sum(start[512:1536]) - sum(start[548:552])) & 0xffffffff)

    def test_many_partitions(self):
        """Files go where they are mounted; what systemd does not find by its type is in fstab."""
        guid = "11111111-2222-4333-8444-555555555555"
        parts = [dict(type="esp", size="40M", label="EFI", options="umask=0022"), dict(type="xbootldr", mount="/boot", size="40M"), dict(type="root", margin="5M", uuid=guid), dict(type="var", size="30M"),
                 dict(type="home", label="homes"), dict(type="swap", size="8M"), dict(type="linux", mount="/srv/data", size="3M"), dict(type="0fc63daf-8483-4772-8e79-3d69d8477de5", filesystem="none", size="1M")]
        self.build(more="".join("[[images.disk.partitions]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in p.items()) for p in parts))
        raw, nodes = self.out / "disk-x86_64.raw", self.dump()
        _, found = self.check_table(raw)
        self.assertEqual([p["name"] for p in found], ["EFI", "xbootldr", "root", "var", "homes", "swap", "linux", "0fc63daf-8483-4772-8e79-3d69d8477de5"])
        self.assertEqual([p["size"] * 512 // MIB for p in found if p["name"] not in ("root", "homes")], [40, 40, 30, 8, 3, 1])
        self.assertEqual(found[2]["uuid"].lower(), guid)
        mounts = {"root": "/", "var": "/var", "homes": "/home", "linux": "/srv/data", "EFI": "/efi", "xbootldr": "/boot"}
        for p in found:
            if p["name"] not in mounts:
                continue
            mount, path = mounts[p["name"]], self.cut(raw, p, p["name"] + ".img")
            inside = {k: v for k, v in nodes.items() if not any(k.startswith(m + "/") for m in mounts.values() if m != mount and m != "/" and m.startswith(mount))}
            if p["name"] in ("EFI", "xbootldr"):
                self.check_fat(path, inside, mount)
            else:
                self.check_ext4(path, inside, mount)
        swap = subprocess.run(["swaplabel", self.cut(raw, found[5], "swap.img")], check=True, capture_output=True, text=True).stdout
        self.assertRegex(swap, r"LABEL: swap\nUUID:  \w{8}-\w{4}-5|UUID:  \w{8}-\w{4}-5\w{3}-\w{4}-\w{12}\n")
        fs = Ext4(self.dir / "root.img")
        self.assertEqual([line.split()[:4] for line in fs.run('cat "/etc/fstab"')[0].splitlines()],
                         [[f"PARTUUID={found[i]['uuid'].lower()}", *rest] for i, rest in ((0, ["/efi", "vfat", "umask=0022"]), (3, ["/var", "ext4", "defaults"]), (6, ["/srv/data", "ext4", "defaults"]))])

    def test_sizes(self):
        """A given disk is filled; one that is too small says by how much and what weighs."""
        self.build(keys=SMALL + '\nsize = "130M"')
        raw = self.out / "disk-x86_64.raw"
        self.assertEqual(raw.stat().st_size, 130 * MIB)
        _, (esp, root) = self.check_table(raw)
        self.assertEqual(root["size"] * 512 // MIB, 130 - 40 - 2)
        nodes = self.dump()
        self.configure(keys='partitions = [{ type = "esp", size = "40M" }, { type = "root", grow = false, margin = "1000%" }]\nsize = "70M"')
        self.ashlar("image", "build", "disk")
        _, (_, tight) = self.check_table(raw)
        self.assertEqual((tight["size"] * 512 // MIB, tight.get("attrs")), (28, None))
        self.check_ext4(self.cut(raw, tight, "tight.img"), {k: v for k, v in nodes.items() if not k.startswith("/efi/")})
        before = sha(raw.read_bytes())
        for keys, words in ((SMALL + '\nsize = "46M"', ["the disk of the image 'disk' is too small", "data-1.0-1.noarch"]),
                            ('partitions = [{ type = "root", size = "9M" }]', ["the partition 'root' of the image 'disk' is too small", "MiB are missing", "data-1.0-1.noarch", "kit-1.0-1.noarch"])):
            self.configure(keys=keys)
            err = self.ashlar("image", "build", "disk", status=1).stderr
            for w in words:
                self.assertIn(w, err)
            self.assertEqual(sha(raw.read_bytes()), before, "the image of before is still there")
        needs = int(re.search(r"its files need (\d+) MiB", err)[1])
        self.configure(keys='partitions = [{ type = "root", size = "%dM" }]' % needs)
        self.ashlar("image", "build", "disk")
        self.configure(keys='partitions = [{ type = "root", size = "%dM" }]' % (needs - 1))
        self.assertIn("1 MiB are missing", self.ashlar("image", "build", "disk", status=1).stderr)

    def test_mistakes(self):
        for keys, words in (('partitions = [{ type = "rot" }]', "did you mean 'root'?"), ('partitions = [{ type = "esp" }]', "no partition for '/'"),
                            ('partitions = [{ type = "root" }, { type = "var", mount = "/" }]', "two partitions have the mount point '/'"),
                            ('partitions = [{ type = "root", size = "20%" }]', "is no size of a partition"), ('partitions = [{ type = "root", filesystem = "erofs" }]', "not supported yet"),
                            ('partitions = [{ type = "root", filesystem = "vfat" }]', "it has no owners and modes"), ('partitions = [{ type = "root", uuid = "12" }]', "is no UUID"),
                            ('partitions = [{ type = "root", label = "longer-than-sixteen" }]', "longer than the 16 bytes that ext4 has"),
                            ('partitions = [{ type = "root" }, { type = "swap", mount = "/x" }]', "has no mount point"), ('partitions = [{ type = "root" }, { type = "var", mount = "x" }]', "no absolute path"),
                            ('partitions = [{ type = "root" }, { type = "linux", mount = "/usr/share/a b" }]', "mount point"),
                            ('partitions = [{ type = "root" }, { type = "linux", filesystem = "vfat", mount = "/usr/share" }]', "vfat, which has no symbolic links"),
                            ('formats = ["iso"]', "is not supported yet")):
            self.configure(keys=keys)
            self.ashlar("lock")
            p = subprocess.run([ASHLAR, "-C", self.project, "image", "build", "disk"], env=self.env, capture_output=True, text=True)
            self.assertIn(p.returncode, (1, 3), keys)
            self.assertIn(words, p.stderr, keys)
            self.assertFalse(self.out.exists() and any(self.out.iterdir()), keys)

    def test_again(self):
        """Nothing changed: nothing is written. A failed write leaves what was there."""
        keys = SMALL + '\nformats = ["raw", "qcow2"]'
        self.build(keys=keys)
        raw, qcow2 = self.out / "disk-x86_64.raw", self.out / "disk-x86_64.qcow2"
        stats, sums = [x.stat() for x in (raw, qcow2)], [sha(x.read_bytes()) for x in (raw, qcow2)]
        self.assertEqual(self.ashlar("image", "build", "disk").stdout.count("up to date"), 2)
        self.assertEqual([(x.stat().st_ino, x.stat().st_mtime_ns) for x in (raw, qcow2)], [(s.st_ino, s.st_mtime_ns) for s in stats])
        limited = ["prlimit", f"--fsize={4 * MIB}", ASHLAR, "-C", self.project, "image", "build", "disk", "--force"]
        p = subprocess.run(limited, env=self.env, capture_output=True, text=True, preexec_fn=lambda: __import__("signal").signal(__import__("signal").SIGXFSZ, __import__("signal").SIG_IGN))
        self.assertEqual(p.returncode, 1, p.stderr)
        self.assertIn("cannot write", p.stderr)
        self.assertEqual([sha(x.read_bytes()) for x in (raw, qcow2)], sums)
        self.assertEqual(sorted(x.name for x in self.out.iterdir() if x.name.startswith(".")), [])
        self.ashlar("image", "build", "disk")
        events = [json.loads(line) for line in self.ashlar("--json", "image", "build", "disk", "--force").stderr.splitlines() if line.startswith('{"event"')]
        ends = [e for e in events if e["event"] == "end" and e["stage"] in ("raw", "qcow2")]
        self.assertEqual([e["done"] for e in ends], [e["total"] for e in ends])
        self.assertEqual(len(ends), 2)
        self.assertNotIn("composing: 0", self.ashlar("--verbose", "image", "build", "disk", "--force").stderr)
        timings = self.ashlar("image", "build", "disk", "--timings")
        self.assertNotIn("composing", timings.stderr)
        (self.project / "motd").write_text("one\n")
        keys += '\nfiles."/etc/motd" = { source = "motd" }'
        for text, written in (("one\n", True), ("one\n", False), ("two\n", True)):
            (self.project / "motd").write_text(text)
            self.configure(keys=keys)
            self.assertEqual("up to date" not in self.ashlar("image", "build", "disk").stdout, written, text)
        for change in ('size = "600M"', SMALL.replace("root\"", "root\", margin = \"90%\"")):
            self.configure(keys=change + "\n" + keys if change.startswith("size") else keys.replace(SMALL, change))
            self.assertNotIn("up to date", self.ashlar("image", "build", "disk").stdout)
        out = json.loads(self.ashlar("--json", "image", "build", "disk", "--force").stdout)[0]["outputs"]
        self.assertEqual([(o["format"], o["size"], o["written"]) for o in out], [("raw", raw.stat().st_size, True), ("qcow2", qcow2.stat().st_size, True)])

    def test_booted(self):
        """A machine that writes to the disk keeps it; those that run on overlays do not mind."""
        self.build(keys=SMALL + '\nformats = ["raw", "qcow2"]')
        before = sha((self.out / "disk-x86_64.raw").read_bytes())
        with (self.out / "disk-x86_64.raw.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.configure(keys=SMALL + '\nformats = ["raw", "qcow2"]\nhostname = "other"')
            self.assertIn("disk-x86_64.raw is booted by another process that writes to it", self.ashlar("image", "build", "disk", status=1).stderr)
            self.assertEqual(sha((self.out / "disk-x86_64.raw").read_bytes()), before)
            fcntl.flock(lock, fcntl.LOCK_SH)
            self.ashlar("image", "build", "disk")
        self.assertNotEqual(sha((self.out / "disk-x86_64.raw").read_bytes()), before)

    def test_host_is_full(self):
        """The disk of the host has room for the image that is there, and none for a second one beside it: the first one stays."""
        if os.geteuid() or not shutil.which("unshare"):
            self.skipTest("needs a mount namespace")
        self.build(keys=SMALL + '\nformats = ["raw", "qcow2"]')
        kept = self.dir / "kept"
        shutil.copytree(self.out, kept, copy_function=lambda a, b: subprocess.run(["cp", "--sparse=always", "-p", a, b], check=True))
        (kept / "build.json").unlink()  # it knows the times of the files
        used = sum(f.stat().st_blocks * 512 for f in kept.iterdir())
        script = """set -e
mount -t tmpfs -o size=$SIZE none "$OUT"
cp --sparse=always -p "$KEPT"/* "$OUT"
status=0; "$ASHLAR" -C "$PROJECT" image build disk --force || status=$?
ls -A "$OUT"; for f in "$KEPT"/*; do cmp "$f" "$OUT/${f##*/}"; done
mount -o remount,size=1G "$OUT"
"$ASHLAR" -C "$PROJECT" -q image build disk --force
for f in "$KEPT"/*; do cmp "$f" "$OUT/${f##*/}"; done
exit $status"""
        env = {**self.env, "OUT": str(self.out), "KEPT": str(kept), "PROJECT": str(self.project), "ASHLAR": ASHLAR, "SIZE": str(used + 2 * MIB)}
        p = subprocess.run(["unshare", "-m", "sh", "-c", script], env=env, capture_output=True, text=True)
        self.assertEqual(p.returncode, 1, p.stdout + p.stderr)
        self.assertIn("No space left on device", p.stderr)
        self.assertEqual(p.stdout.split(), sorted(f.name for f in kept.iterdir()))


if __name__ == "__main__":
    unittest.main()
