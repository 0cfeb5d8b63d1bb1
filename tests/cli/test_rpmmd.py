"""The rpm-md upstream against repositories made by createrepo_c, served by nginx and by a server that misbehaves."""
import bz2
import gzip
import hashlib
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import httpservers  # noqa: E402
import rpmkit  # noqa: E402

TOOL = os.environ.get("ASHLAR_RPMMD_TOOL", "")
COMPS = """<?xml version="1.0"?><comps><group><id>core</id><name>Core</name><name xml:lang="de">Kern</name><packagelist><packagereq type="mandatory">one</packagereq>
<packagereq type="optional">two</packagereq></packagelist></group><environment><id>server</id><name>Server</name><grouplist><groupid>core</groupid></grouplist></environment></comps>"""
UPDATES = """<?xml version="1.0"?><updates><update type="security" status="final"><id>ASH-1</id><title>fix</title><severity>Important</severity><issued date="2025-01-01 00:00:00"/>
<references><reference type="cve" id="CVE-2025-1" href="https://example.org/1" title="one"/></references><pkglist><collection><package name="one" version="2" release="1" epoch="0" arch="noarch">
<filename>one-2-1.noarch.rpm</filename></package></collection></pkglist></update></updates>"""


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, check=True, capture_output=True).stdout


PACK = {"gz": lambda d: gzip.compress(d, mtime=0), "xz": lzma.compress, "bz2": bz2.compress, "zst": zstd}


class Repo:
    """A repository's files in memory, with repomd.xml written anew after each change."""

    def __init__(self, folder):
        self.files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        self.timestamp, self.revision, self.edit = 1700000000, "1700000000", lambda xml: xml
        self.data = {}
        repomd = self.files["repodata/repomd.xml"].decode()
        for kind, href in re.findall(r'<data type="(\w+)">.*?<location href="([^"]+)"', repomd, re.S):
            if not kind.endswith("_db"):
                raw = self.files.pop(href)
                self.data[kind.removesuffix("_gz")] = gzip.decompress(raw) if href.endswith(".gz") else raw
        self.files = {n: d for n, d in self.files.items() if not n.startswith("repodata/")}

    def write(self, suffix="gz", sign=None, **changes):
        """changes: kind -> function of the record's dictionary."""
        rows, out = [], dict(self.files)
        for kind, plain in self.data.items():
            packed = PACK[suffix](plain)
            row = {"href": f"repodata/{hashlib.sha256(packed).hexdigest()[:16]}-{kind}.xml.{suffix}", "sum": hashlib.sha256(packed).hexdigest(), "size": len(packed),
                   "open": hashlib.sha256(plain).hexdigest(), "open_size": len(plain), "type": "sha256", "packed": packed}
            changes.get(kind, lambda r: None)(row)
            out.setdefault(row["href"], row["packed"])
            rows.append(f'<data type="{kind}"><checksum type="{row["type"]}">{row["sum"]}</checksum><open-checksum type="sha256">{row["open"]}</open-checksum>'
                        f'<location href="{row["href"]}"/><timestamp>{self.timestamp}</timestamp><size>{row["size"]}</size><open-size>{row["open_size"]}</open-size></data>')
        xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>{self.revision}</revision>{"".join(rows)}</repomd>\n'
        out["repodata/repomd.xml"] = self.edit(xml).encode()
        if sign:
            out["repodata/repomd.xml.asc"] = sign(out["repodata/repomd.xml"])
        return out


class RpmMd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kit = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        cls.folder = cls.kit.dir / "repo"
        (cls.folder / "Packages").mkdir(parents=True)
        for name, version in (("one", "1"), ("one", "2"), ("two", "1"), ("three", "5~rc1")):
            rpm = cls.kit.build(name=name, version=version, tags="Epoch: 3\n" if name == "two" else "", files="%dir /opt/" + name, install=f"mkdir -p %{{buildroot}}/opt/{name}",
                                more="%changelog\n* Mon Jan 01 2024 Some One <one@example.org> - 1\n- a change\n")
            shutil.copy(rpm, cls.folder / "Packages")
        (cls.kit.dir / "comps.xml").write_text(COMPS)
        (cls.kit.dir / "updateinfo.xml").write_text(UPDATES)
        cls.kit.run("createrepo_c", "-q", "--no-database", "-g", cls.kit.dir / "comps.xml", cls.folder)
        cls.kit.run("modifyrepo_c", "--mdtype=updateinfo", cls.kit.dir / "updateinfo.xml", cls.folder / "repodata")
        cls.key = cls.kit.key("Repo Signer", "ed25519")
        cls.other = cls.kit.key("Other Signer", "ed25519")

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def setUp(self):
        self.n = 0
        self.store = self.kit.dir / f"store-{self.id().rsplit('.', 1)[-1]}"
        self.repo = Repo(self.folder)

    def sign(self, data, user="Repo Signer"):
        return subprocess.run(["gpg", "--batch", "--armor", "--detach-sign", "-u", user], input=data, env=self.kit.env, check=True, capture_output=True).stdout

    def tool(self, *args, status=0, fresh=False):
        if fresh:
            self.n += 1
            self.store = self.kit.dir / f"store-{self.id().rsplit('.', 1)[-1]}-{self.n}"
        p = subprocess.run([TOOL, str(self.store), *map(str, args)], capture_output=True, text=True, env={**os.environ, "no_proxy": "*"})
        self.assertEqual(p.returncode, status, f"{args}\n{p.stdout}{p.stderr}")
        return p

    def serve(self, server, **kw):
        server.files.clear()
        server.files.update(self.repo.write(**kw))
        return ["--base", server.url("")]

    # ---- the good ----
    def test_parsers_read_what_createrepo_wrote(self):
        md = self.folder / "repodata"
        one = lambda glob: next(md.glob(glob))  # noqa: E731
        lines = self.tool("parse", "primary", one("*-primary.xml.gz")).stdout.splitlines()
        self.assertEqual(sorted(l.split()[:3:2] for l in lines), sorted([n, f"Packages/{n}-{v}-1.noarch.rpm"] for n, v in (("one", "1"), ("one", "2"), ("two", "1"), ("three", "5~rc1"))))
        two = next(l for l in lines if l.startswith("two")).split()
        rpm = self.folder / two[2]
        self.assertEqual((two[1], int(two[3])), ("3:1-1.noarch", rpm.stat().st_size))
        self.assertIn("one noarch 0:2-1 d/opt/one", self.tool("parse", "filelists", one("*-filelists.xml.gz")).stdout)
        self.assertRegex(self.tool("parse", "other", one("*-other.xml.gz")).stdout, r"one 1\n  \d+ Some One <one@example.org> - 1 - a change")
        self.assertEqual(self.tool("parse", "updateinfo", one("*-updateinfo.xml*")).stdout, "ASH-1 security Important 1 1\n")
        self.assertEqual(self.tool("parse", "comps", one("*-comps.xml")).stdout, "group core [Core] mandatory:one optional:two\nenvironment server [Server] mandatory:core\n")

    def test_document_types_of_comps(self):
        cases = {'<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">': 0, '<!DOCTYPE comps [<!ENTITY a "b">]>': 1, '<!DOCTYPE comps [<!ELEMENT a (b)>]>': 1,
                 '<!DOCTYPE comps [<!ATTLIST a b (c|d) "c">]>': 1, '<!DOCTYPE comps SYSTEM "file:///etc/passwd" [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>': 1}
        for doctype, status in cases.items():
            path = self.kit.dir / "doctype.xml"
            path.write_text(COMPS.replace("?>", "?>" + doctype, 1))
            p = self.tool("parse", "comps", path, status=status)
            self.assertIn("group core" if status == 0 else "is not allowed", p.stdout + p.stderr)
        path.write_text(COMPS.replace("?>", "?>" + next(iter(cases)), 1).replace("Core<", "&x;<"))
        self.assertIn("entity", self.tool("parse", "comps", path, status=1).stderr.lower())

    def test_every_compression_over_nginx(self):
        for suffix in PACK:
            with self.subTest(suffix):
                root = self.kit.dir / f"www-{suffix}"
                for name, data in self.repo.write(suffix, self.sign).items():
                    (root / name).parent.mkdir(parents=True, exist_ok=True)
                    (root / name).write_bytes(data)
                with httpservers.Nginx(root) as s:
                    args = ["--base", s.url(), "--key", self.key, "--want", "filelists", "--want", "updateinfo", "--want", "group", "--want", "nothing"]
                    out = self.tool(*args, "one-2-1.noarch", "two-3:1-1.noarch", "three-0:5~rc1-1.noarch", fresh=True).stdout
                    self.assertIn("count 4\n", out)
                    self.assertRegex(out, "signed [0-9a-f]{40}")
                    for kind in ("primary", "filelists", "updateinfo", "group"):
                        path = re.search(rf"file {kind} (\w+) (\S+)", out)
                        self.assertTrue(path and pathlib.Path(path[2]).is_file(), kind)
                    digest = hashlib.sha256((self.folder / "Packages/one-2-1.noarch.rpm").read_bytes()).hexdigest()
                    self.assertIn(f"fetched one-2-1.noarch {digest}", out)
                    before = len(s.access())
                    self.tool(*args, "one-2-1.noarch")
                    self.assertEqual(len(s.access()) - before, 2, "only repomd.xml and its signature are asked for again")
                    pin = re.search(r"repomd (\w+)", out)[1]
                out = self.tool("--base", "http://127.0.0.1:9/", "--pin", pin, "--want", "group", "one-2-1.noarch").stdout
                self.assertIn("count 4\n", out, "with a lock and a full store no server is needed")
        out = self.tool("--base", f"file://{self.kit.dir}/www-zst", "--file", "--key", self.key, "one-1-1.noarch", fresh=True).stdout
        self.assertIn("fetched one-1-1", out)
        self.tool("--base", f"file://{self.kit.dir}/www-zst", "--key", self.key, status=1, fresh=True)

    def test_variables_arches_and_proof(self):
        with httpservers.Misbehaving() as s:
            s.files.update({f"snap/20250101/43/{n}": d for n, d in self.repo.write().items()})
            url = s.url("snap/$snapshot/$releasever/")
            self.assertIn("nothing proves", self.tool("--base", url, status=5).stderr)
            self.assertIn("sets no value", self.tool("--base", url, "--releasever", "43", "--unsigned", status=1).stderr)
            args = ["--base", url, "--releasever", "43", "--snapshot", "20250101", "--unsigned"]
            p = self.tool(*args)
            self.assertIn("used unsigned", p.stderr)
            self.assertIn("count 4", p.stdout)
            self.assertIn("count 4", self.tool(*args, "--arch", "x86_64").stdout, "noarch always stays")
            self.repo.data["primary"] = self.repo.data["primary"].replace(b"<arch>noarch</arch>", b"<arch>i686</arch>", 1)
            s.files.update({f"snap/20250101/43/{n}": d for n, d in self.repo.write().items()})
            self.assertIn("count 3", self.tool(*args, "--arch", "x86_64", fresh=True).stdout)
            self.assertIn("count 4", self.tool(*args, "--arch", "i686").stdout)

    def metalink(self, versions, urls):
        def version(data, stamp):
            return f'<mm0:timestamp>{stamp}</mm0:timestamp><size>{len(data)}</size><verification><hash type="md5">{hashlib.md5(data).hexdigest()}</hash><hash type="sha256">{hashlib.sha256(data).hexdigest()}</hash></verification>'
        head, rest = versions[0], versions[1:]
        alternates = "".join(f"<mm0:alternate>{version(d, 1)}</mm0:alternate>" for d in rest)
        lines = "".join(f'<url protocol="{u.split(":")[0]}" type="x" location="US" preference="{p}">{u}repodata/repomd.xml</url>' for u, p in urls)
        return (f'<?xml version="1.0" encoding="utf-8"?><metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager"><files><file name="repomd.xml">'
                f'{version(head, 2)}<mm0:alternates>{alternates}</mm0:alternates><resources maxconnections="1">{lines}</resources></file></files></metalink>').encode()

    def test_mirror_lists_and_metalinks(self):
        with httpservers.Misbehaving() as s, httpservers.Misbehaving() as t:
            new = self.repo.write()
            s.files.update({f"good/{n}": d for n, d in new.items()})
            self.repo.timestamp -= 50
            old = self.repo.write()
            t.files.update({f"old/{n}": d for n, d in old.items()})
            s.files["mirrors"] = f"# mirrors\n{t.url('nothing')}\n{s.url('good')}\n".encode()
            self.assertIn("count 4", self.tool("--mirrorlist", s.url("mirrors"), "--unsigned", "two-3:1-1.noarch").stdout)
            s.files["mirrors"] = b"gopher://example.org/\n"
            self.assertIn("scheme", self.tool("--mirrorlist", s.url("mirrors"), "--unsigned", status=1).stderr)

            urls = [("rsync://127.0.0.1/x/", 100), (t.url("old/"), 99), (t.url("gone/"), 98), (s.url("good/"), 97)]
            s.files["meta"] = self.metalink([new["repodata/repomd.xml"]], urls)
            p = self.tool("--metalink", s.url("meta"), "one-1-1.noarch", fresh=True)
            self.assertIn(hashlib.sha256(new["repodata/repomd.xml"]).hexdigest(), p.stdout)
            self.assertIn("not one that the metalink lists", p.stderr)
            s.files["meta"] = self.metalink([new["repodata/repomd.xml"], old["repodata/repomd.xml"]], urls)
            p = self.tool("--metalink", s.url("meta"))
            self.assertIn("older than what was seen before", p.stderr, "an alternate that is listed, but we have seen newer")
            self.assertIn(hashlib.sha256(new["repodata/repomd.xml"]).hexdigest(), p.stdout)
            p = self.tool("--metalink", s.url("meta"), fresh=True)
            self.assertIn(hashlib.sha256(old["repodata/repomd.xml"]).hexdigest(), p.stdout)
            s.files["meta"] = self.metalink([b"something else"], urls)
            self.assertIn("out of step", self.tool("--metalink", s.url("meta"), status=5, fresh=True).stderr)

    # ---- the bad ----
    def test_signatures(self):
        out = self.tool("--base", "http://127.0.0.1:9/", "--key", self.key, status=75, fresh=True).stderr
        self.assertEqual(out.count("Failed to connect"), 1, "tried twice, said once")
        with httpservers.Misbehaving() as s:
            args = self.serve(s, sign=self.sign) + ["--key", self.key]
            self.tool(*args)
            out = self.tool("--base", s.url(""), "--key", self.other, status=5, fresh=True).stderr
            self.assertIn("unknown key", out)
            self.assertRegex(out, "hint: 'gpg-key' of upstream '.*' must name a file with the public key of whoever signs it")
            del s.files["repodata/repomd.xml.asc"]
            self.assertIn("is not signed", self.tool(*args, status=5, fresh=True).stderr)
            s.files["repodata/repomd.xml.asc"] = b"nonsense"
            self.assertIn("malformed", self.tool(*args, status=5, fresh=True).stderr)
            self.serve(s, sign=self.sign)
            s.files["repodata/repomd.xml"] = s.files["repodata/repomd.xml"].replace(b"1700000000", b"1800000000", 1)
            self.assertIn("bad signature", self.tool(*args, status=5, fresh=True).stderr)
            expired = self.kit.key("Late Signer", "ed25519", expire="2021-01-01", faked="20200101T000000")
            late = lambda d: subprocess.run(["gpg", "--faked-system-time", "20200601T000000", "--batch", "--armor", "--detach-sign", "-u", "Late Signer"], input=d, env=self.kit.env,  # noqa: E731
                                            check=True, capture_output=True).stdout
            args = self.serve(s, sign=late) + ["--key", expired]
            self.assertIn("expired key", self.tool(*args, status=5, fresh=True).stderr)

    def test_lies_of_repomd(self):
        def change(**kw):
            return {"primary": lambda row: row.update(kw)}
        bomb = gzip.compress(self.repo.data["primary"] + b" " * (50 << 20), mtime=0)
        digest = hashlib.sha256(bomb).hexdigest()
        cases = [
            ("size", change(size=17), 5, "size|bytes"),
            ("checksum", change(sum="0" * 64), 5, "SHA-256|sha256|digest|checksum"),
            ("open size", change(open_size=100), 5, "does not unpack to the 100 bytes"),
            ("open checksum", change(open="0" * 64), 5, "open checksum"),
            ("bomb", change(packed=bomb, sum=digest, size=len(bomb)), 5, "does not unpack to"),
            ("weak", change(type="sha", sum=hashlib.sha1(b"x").hexdigest()), 5, "no checksum of SHA-256 or better"),
            ("huge", change(size=1 << 50), 1, "at most"),
            ("dotdot", change(href="repodata/../../etc/passwd"), 1, "leads out of the repository"),
            ("encoded dotdot", change(href="repodata/%2e%2E/%2e./x"), 1, "leads out of the repository"),
            ("host", change(href="http://example.org/primary.xml.gz"), 1, "another host"),
            ("slashes", change(href="//example.org/primary.xml.gz"), 1, "another host"),
            ("newline", change(href="repodata/a&#10;b"), 1, "control character"),
            ("absolute", change(href="/etc/passwd"), 1, "is absolute"),
        ]
        with httpservers.Misbehaving() as s:
            for name, changes, status, words in cases:
                with self.subTest(name):
                    args = self.serve(s, **changes)
                    self.assertRegex(self.tool(*args, "--unsigned", status=status, fresh=True).stderr, words)
            self.serve(s)

    def test_bad_xml(self):
        entity = '<!DOCTYPE repomd [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
        edits = {
            "doctype": (lambda x: x.replace("\n", f"\n{entity}", 1), "document type"),
            "external": (lambda x: x.replace("\n", '\n<!DOCTYPE repomd SYSTEM "file:///etc/passwd">', 1), "document type"),
            "entity": (lambda x: x.replace("<revision>", "<revision>&passwd;"), "Entity|entity"),
            "cut": (lambda x: x[:len(x) // 2], "bad XML"),
            "not xml": (lambda x: "hello", "bad XML"),
            "empty": (lambda x: "", "empty"),
            "root": (lambda x: "<metadata/>", "not a repomd.xml"),
            "deep": (lambda x: "<repomd>" + "<a>" * 1000 + "</a>" * 1000 + "</repomd>", "nested too deeply"),
            "twice": (lambda x: x.replace('type="filelists"', 'type="primary"'), "there twice"),
            "number": (lambda x: re.sub("<size>[0-9]+", "<size>-1", x), "not a number"),
            "nothing": (lambda x: "<repomd/>", "no primary"),
        }
        with httpservers.Misbehaving() as s:
            for name, (edit, words) in edits.items():
                with self.subTest(name):
                    self.repo.edit = edit
                    self.assertRegex(self.tool(*self.serve(s), "--unsigned", status=1, fresh=True).stderr, words)
            self.repo.edit = lambda x: x
            good = self.repo.data["primary"]
            primary = {
                "count": (good.replace(b'packages="4"', b'packages="5"'), "5 packages are declared"),
                "href": (re.sub(rb'href="Packages/[^"]+"', b'href="../../x.rpm"', good, count=1), "leads out of the repository"),
                "base": (good.replace(b"<location href", b'<location xml:base="http://example.org" href', 1), "another host"),
                "name": (good.replace(b"<name>one</name>", b"<name>o/ne</name>", 1), "lacks a sane name"),
                "checksum": (good.replace(b'type="sha256"', b'type="crc32"', 1), "no checksum"),
                "doctype": (good.replace(b"\n", b"\n" + entity.encode(), 1), "document type"),
                "nested": (good.replace(b"<rpm:provides>", b'<rpm:provides><rpm:entry name="' + b"(" * 200000 + b"a" + b")" * 200000 + b'"/>', 1), "more than 2000 parentheses"),
            }
            for name, (data, words) in primary.items():
                with self.subTest(name):
                    self.repo.data["primary"] = data
                    self.assertRegex(self.tool(*self.serve(s), "--unsigned", status=1, fresh=True).stderr, words)
            twice = re.search(rb"<package .*?</package>", good, re.S)[0]
            other = re.sub(rb'(pkgid="YES">)\w{64}', rb"\g<1>" + b"a" * 64, twice)
            self.repo.data["primary"] = good.replace(b'packages="4"', b'packages="5"').replace(twice, twice + other)
            self.assertIn("twice with different content", self.tool(*self.serve(s), "--unsigned", status=5, fresh=True).stderr)
            self.repo.data["primary"] = good.replace(b'packages="4"', b'packages="5"').replace(twice, twice + twice)
            self.assertIn("count 4", self.tool(*self.serve(s), "--unsigned", fresh=True).stdout)

    def test_mirrors_that_lag_stall_or_change(self):
        with httpservers.Misbehaving() as s, httpservers.Misbehaving() as t:
            args = self.serve(s) + ["--unsigned"]
            self.tool(*args)
            self.repo.timestamp -= 1000
            self.repo.revision = str(int(self.repo.revision) - 1000)
            self.serve(s)
            self.assertIn("older than what was seen before", self.tool(*args, status=5).stderr)
            self.repo.timestamp += 2000
            self.repo.revision = str(int(self.repo.revision) + 2000)
            new = self.repo.write()
            t.files.update(new)
            both = ["--base", s.url(""), "--base", t.url(""), "--unsigned"]
            primary = next(n for n in new if "primary" in n)
            for name, faults in {"stalls": {"repodata/repomd.xml": {"stall": 50}}, "stalls later": {primary: {"stall": 50}}, "changes": {primary: {"change": 100}}, "cuts": {primary: {"truncate": 20}},
                                 "lies": {primary: {"wrong": 1}}, "longer": {primary: {"longer": 100}}, "fails": {"repodata/repomd.xml": {"status": 503}}}.items():
                with self.subTest(name):
                    s.files.clear()
                    s.files.update(new)
                    s.server.counts.clear()
                    s.faults.clear()
                    s.faults.update(faults)
                    self.assertIn("count 4", self.tool(*both, "one-1-1.noarch", fresh=True).stdout)
                    s.server.counts.clear()
                    if name not in ("changes",):
                        alone = self.tool("--base", s.url(""), "--unsigned", status=75 if name in ("stalls", "stalls later", "fails", "cuts") else 5, fresh=True)
                        self.assertRegex(alone.stderr, "error:")
            s.faults.clear()
            rpm = "Packages/one-1-1.noarch.rpm"
            for fault in ({"wrong": 1}, {"truncate": 1000}, {"stall": 10}):
                s.faults[rpm] = fault
                out = self.tool(*both, "one-1-1.noarch", fresh=True)
                self.assertIn("fetched one-1-1.noarch", out.stdout)

    def test_second_reading_is_the_same(self):
        """primary comes out of the store's parsed form the second time; damaged, it is parsed again."""
        with httpservers.Misbehaving() as s:
            args = self.serve(s) + ["--unsigned", "--list", "two-3:1-1.noarch"]
            first = self.tool(*args).stdout
            self.assertEqual(len(re.findall("^package ", first, re.M)), 4)
            rows = list((self.store / "cache/rpmmd-rows").glob("*/*"))
            self.assertEqual(len(rows), 1)
            self.assertEqual(self.tool(*args).stdout, first)
            os.chmod(rows[0], 0o644)
            rows[0].write_bytes(rows[0].read_bytes()[:-1] + b"x")
            self.assertEqual(self.tool(*args).stdout, first)
            self.assertEqual(self.tool(*args).stdout, first)

    def test_pinned_means_pinned(self):
        with httpservers.Misbehaving() as s:
            args = self.serve(s)
            out = self.tool(*args, "--unsigned").stdout
            pin = re.search(r"repomd (\w+)", out)[1]
            self.repo.timestamp += 5
            self.serve(s)
            self.assertIn("is not the locked one", self.tool(*args, "--pin", pin, status=5, fresh=True).stderr)


if __name__ == "__main__":
    if not TOOL:
        sys.exit("run by meson test")
    unittest.main()
