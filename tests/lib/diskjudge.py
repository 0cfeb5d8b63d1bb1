"""Disk images against e2fsck, debugfs, fsck.fat, mtools and sfdisk, and against the dump of the tree that they are made of."""
import hashlib, json, os, re, shutil, subprocess

MIB = 1 << 20


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


class Judges:
    """For test cases that have self.dir, a scratch directory, and self.ashlar(ARGUMENT...)."""

    def dump(self, image="disk", **how):
        """The tree as the image is made of it: path -> what the dump says."""
        nodes = {}
        for line in self.ashlar("image", "dump", image, **how).stdout.splitlines()[1:]:
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
        if any(k.startswith(mount + "/") for k in nodes):
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
