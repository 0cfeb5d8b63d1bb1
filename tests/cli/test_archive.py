"""Editing tar archives. Python's tarfile makes them and judges what became of them; GNU tar reads them too."""
import bz2, gzip, io, lzma, os, random, shutil, subprocess, tarfile, tempfile, unittest

TOOL = os.environ["ASHLAR_ARCHIVE_EDIT"]
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
PACK = {"": lambda b: b, ".gz": lambda b: gzip.compress(b, mtime=5), ".bz2": bz2.compress, ".xz": lzma.compress, ".lzma": lambda b: lzma.compress(b, format=lzma.FORMAT_ALONE),
        ".zst": lambda b: subprocess.run(["zstd", "-qc"], input=b, capture_output=True, check=True).stdout}
LONG = "deep/" + "/".join("d%02d" % i for i in range(12)) + "/" + "n" * 60 + ".txt"
VERY_LONG = "x/" * 50 + "n" * 120

def info(name, data=None, type=tarfile.REGTYPE, **more):
    t = tarfile.TarInfo(name)
    t.type, t.size, t.mode, t.mtime, t.uid, t.gid, t.uname, t.gname = type, len(data or b""), 0o640, 1700000000, 1234, 567, "jane", "staff"
    for k, v in more.items():
        setattr(t, k, v)
    return t, io.BytesIO(data) if data is not None else None

def members(top="foo-1/", names=("ä ö.txt", LONG)):
    yield info(top.rstrip("/"), type=tarfile.DIRTYPE, mode=0o755)
    yield info(top + "a.txt", b"hello world\n", mode=0o4755)
    yield info(top + "empty", b"")
    yield info(top + "block", b"x" * 512)
    yield info(top + "dir", type=tarfile.DIRTYPE, mode=0o700)
    yield info(top + "dir/b.c", b"int main;\n" * 100, mtime=1600000000)
    yield info(top + "dir/link", type=tarfile.SYMTYPE, linkname="../a.txt", mode=0o777)
    for n in names:
        yield info(top + n, b"named " + n.encode())
    yield info(top + "last", b"end")

def make(entries, format="pax", **more):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=FORMATS[format], **more) as t:
        for i, data in entries:
            t.addfile(i, data)
    return out.getvalue()

def listing(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as t:
        return [(m.name, m.type, m.mode, m.mtime, m.uid, m.gid, m.uname, m.gname, m.linkname, t.extractfile(m).read() if m.isfile() else None) for m in t]

class Archive(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="ashlar-archive-")
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def edit(self, data, *edits, fails=None):
        with open(self.path("in"), "wb") as f:
            f.write(data)
        p = subprocess.run([TOOL, self.path("in"), "--list" if edits == ("--list",) else self.path("out"), *(() if edits == ("--list",) else edits)], capture_output=True, timeout=60)
        if fails is not None:
            self.assertEqual(p.returncode, 1, p.stdout)
            self.assertIn(fails, p.stderr.decode())
            self.assertFalse(os.path.exists(self.path("out")))
            return None
        self.assertEqual(p.returncode, 0, p.stderr)
        if edits == ("--list",):
            return p.stdout.decode()
        with open(self.path("out"), "rb") as f:
            return f.read()

    def test_formats_and_compressions(self):
        for format in FORMATS:
            names = ("plain.txt",) if format == "ustar" else ("ä ö.txt", LONG, VERY_LONG)
            tar = make(members(names=names), format)
            for suffix, pack in PACK.items():
                if suffix == ".zst" and not shutil.which("zstd"):
                    continue
                with self.subTest(format=format, suffix=suffix):
                    out = self.edit(pack(tar), "-dir/b.c", "a.txt=changed")
                    again = self.edit(pack(tar), "-dir/b.c", "a.txt=changed")
                    self.assertEqual(out, again)
                    plain = subprocess.run(["zstd", "-dqc"], input=out, capture_output=True, check=True).stdout if suffix == ".zst" else \
                        {"": lambda b: b, ".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress, ".lzma": lzma.decompress}[suffix](out)
                    want = [m[:9] + (b"changed",) if m[0] == "foo-1/a.txt" else m for m in listing(tar) if m[0] != "foo-1/dir/b.c"]
                    self.assertEqual(listing(plain), want)
                    self.assertEqual(len(plain) % 10240, 0)
                    self.assertEqual(out[:2], pack(tar)[:2])

    def test_gzip_has_no_name_and_time(self):
        out = self.edit(gzip.compress(make(members()), mtime=99), "-last")
        self.assertEqual((out[3], out[4:8]), (0, b"\0\0\0\0"))

    def test_unedited_is_identical(self):
        for format in FORMATS:
            tar = make(members(names=("x",)), format)
            self.assertEqual(self.edit(tar), tar)

    def test_untouched_bytes_stay(self):
        """The commit in git's global header, extended attributes, sub-second times: all of it is there afterwards."""
        tar = make(members(names=("x",)), pax_headers={"comment": "0123456789abcdef"})
        self.assertIn(b"comment=0123456789abcdef", tar)
        entries = list(members(names=()))
        entries[1][0].pax_headers.update({"SCHILY.xattr.user.x": "y", "mtime": "1700000000.25"})
        tar = make(entries, pax_headers={"comment": "0123456789abcdef"})
        out = self.edit(tar, "a.txt=new", "-dir/b.c")
        self.assertIn(b"comment=0123456789abcdef", out)
        with tarfile.open(fileobj=io.BytesIO(out)) as t:
            m = t.getmember("foo-1/a.txt")
            self.assertEqual((m.pax_headers["SCHILY.xattr.user.x"], m.mtime, t.extractfile(m).read()), ("y", 1700000000.25, b"new"))

    def test_size_in_extended_header(self):
        entries = list(members(names=()))
        entries[1][0].pax_headers["size"] = "12"
        entries[5][0].pax_headers.update({"size": str(entries[5][0].size), "comment": "stays"})
        out = self.edit(make(entries), "a.txt=longer than it was before", "dir/b.c=short")
        with tarfile.open(fileobj=io.BytesIO(out)) as t:
            self.assertEqual(t.extractfile("foo-1/a.txt").read(), b"longer than it was before")
            self.assertEqual(t.extractfile("foo-1/dir/b.c").read(), b"short")
            self.assertEqual(t.getmember("foo-1/dir/b.c").pax_headers.get("comment"), "stays")

    def test_gnu_tar_reads_it(self):
        for format in FORMATS:
            out = self.edit(make(members(names=("x",)), format), "a.txt=" + "y" * 3000, "-last")
            p = subprocess.run(["tar", "-tvf", "-"], input=out, capture_output=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})
            self.assertEqual((p.returncode, p.stderr), (0, b""))
            self.assertIn(b"3000", p.stdout)

    def test_roots(self):
        for entries, root in [
            (members("foo-1/", ()), "foo-1"), (members("./foo-1/", ()), "foo-1"), ([info("a", b"x"), info("b", b"y")], ""), ([info("a", b"x")], ""),
            ([info("d/a", b"x")], "d"), ([info("d/a", b"x"), info("e", b"")], ""), ([info("./", type=tarfile.DIRTYPE), info("./a", b"x"), info("./b/c", b"")], ""),
        ]:
            self.assertEqual(self.edit(make(entries, "gnu"), "--list").split()[1] if root else "", root)

    def test_refused(self):
        file = info("d/a", b"x")
        for entry, words in [
            (info("d/h", type=tarfile.LNKTYPE, linkname="d/a"), "hard link"), (info("d/c", type=tarfile.CHRTYPE), "is a device"), (info("d/b", type=tarfile.BLKTYPE), "is a device"),
            (info("d/f", type=tarfile.FIFOTYPE), "FIFO"), (info("../x", b"x"), "leads out of the archive"), (info("/etc/passwd", b"x"), "leads out of the archive"),
            (info("d/../../x", b"x"), "leads out of the archive"), (info("d/a", b"y"), "twice"), (info("d/z", type=b"Z"), "type that is not known"),
        ]:
            for format in FORMATS:
                data = file[1] and io.BytesIO(b"x")
                self.edit(make([(file[0], data), (entry[0], entry[1] and io.BytesIO(entry[1].getvalue()))], format), "-a", fails=words)
        self.edit(make([info("d/l", type=tarfile.SYMTYPE, linkname="/etc"), info("d/l/passwd", b"x")]), "-a", fails="behind a symbolic link")

    def test_damaged(self):
        tar = make(members())
        for data, words in [
            (b"", "is empty"), (b"hello", "no tar archive"), (b"x" * 2000, "no tar archive"), (tar[:700], "ends within a header"), (tar[:1100], "ends within a"),
            (gzip.compress(tar)[:-100], "damaged or cut short"), (lzma.compress(tar)[:200], "damaged or cut short"), (b"PK\3\4" + b"x" * 600, "zip archive"),
            (tar[:520] + b"?" + tar[521:], "checksum"),
        ]:
            self.edit(data, "-a.txt", fails=words)

    def test_bomb(self):
        self.edit(gzip.compress(make([info("d/zero", b"\0" * (1 << 20))]) + b"\0" * (64 << 20), 1), "-zero", fails="larger than 67108864 bytes")

    def test_random(self):
        rng = random.Random(11)
        for _ in range(15):
            n = rng.randrange(1, 12)
            entries = [(f"t/f{i}", rng.randbytes(rng.choice([0, 1, 511, 512, 513, 5000]))) for i in range(n)]
            tar = make([info(name, data) for name, data in entries], rng.choice(list(FORMATS)))
            victim, other = f"t/f{rng.randrange(n)}", f"t/f{rng.randrange(n)}"
            text = "r" * rng.choice([0, 1, 511, 512, 513])
            edits = [f"{other[2:]}={text}"] + ([f"-{victim[2:]}"] if victim != other else [])
            want = [(name, text.encode() if name == other else data) for name, data in entries if name != victim or victim == other]
            self.assertEqual([(m[0], m[9]) for m in listing(self.edit(tar, *edits))], want)

if __name__ == "__main__":
    unittest.main()
