"""repo build end to end: published over HTTP, installed from by a stock dnf; verify, query, closure, diff; comps and updateinfo; what a publisher that dies leaves."""
import ctypes, json, os, pathlib, random, re, resource, shutil, signal, subprocess, sys, threading, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import dnfjudge, httpservers, repojudge, rpmkit  # noqa: E402
from ashcli import ASHLAR  # noqa: E402

PROJECT = """[project]
description = "test"

[upstreams.up]
type = "rpm-md"
base-uri = "file://{up}"
disable-gpg-check = true

[channels.base]
arches = ["x86_64"]
packages = ["app", "shell"]
{base}

[channels.extras]
arches = ["x86_64"]
packages = ["addon"]
compression = "gzip"
{extras}
{more}
"""
GROUPS = """
[package-groups.core]
description = "What every machine has"
packages = ["app", "lib"]

[advisories."ASH-2025:0001"]
type = "security"
severity = "Important"
title = "app & <lib>: two holes closed"
summary = "Two holes"
description = "Long text"
issued = "2025-03-01"
packages = ["app-1.0-1.noarch", "addon-1.0-1.noarch"]
references = [{ type = "cve", id = "CVE-2025-1", url = "https://example.org/?a=1&b=2", title = "a hole" }]

[advisories."ASH-2025:0002"]
type = "bugfix"
title = "addon mended"
issued = "2025-03-02"
updated = "2025-03-03"
packages = ["addon-1.0-1.noarch"]
"""


class Publish(unittest.TestCase):
    maxDiff = 6000

    @classmethod
    def setUpClass(cls):
        cls.kit = k = rpmkit.Kit("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        cls.one = [k.build("app", tags="Requires: lib >= 1\nRequires: /usr/share/shell/file\nRequires: (lib and shell)", files="/usr/share/app", install="mkdir -p %{buildroot}/usr/share/app; head -c 100000 /dev/urandom > %{buildroot}/usr/share/app/data"),
                   k.build("lib", files="/usr/share/lib1", install="mkdir -p %{buildroot}/usr/share; echo lib > %{buildroot}/usr/share/lib1"),
                   k.build("shell", tags="Provides: /bin/sh", files="/usr/share/shell", install="mkdir -p %{buildroot}/usr/share/shell; echo > %{buildroot}/usr/share/shell/file"), k.build("addon", tags="Requires: lib")]
        cls.two = [k.build("app", version="2.0", tags="Requires: lib >= 1", files="/usr/share/app", install="mkdir -p %{buildroot}/usr/share/app; echo 2 > %{buildroot}/usr/share/app/data")]

        for packages in (cls.one, cls.two):   # tests build others of the same name
            for i, p in enumerate(packages):
                packages[i] = k.dir / "kept" / p.name
                packages[i].parent.mkdir(exist_ok=True)
                shutil.copy2(p, packages[i])

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def setUp(self):
        self.dir = self.kit.dir / self.id().rsplit(".", 1)[-1]
        self.up, self.project, self.out = self.dir / "up", self.dir / "project", self.dir / "out"
        self.up.mkdir(parents=True)
        self.project.mkdir()
        self.env = {**self.kit.env, "XDG_DATA_HOME": str(self.dir / "data"), "ASHLAR_STORE": str(self.dir / "store")}
        self.env.pop("SOURCE_DATE_EPOCH")
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.upstream(self.one)

    def upstream(self, packages, at=1700000000):
        for p in packages:
            shutil.copy2(p, self.up)
        self.kit.run("createrepo_c", "-q", "--no-database", "--revision", str(at), "--set-timestamp-to-revision", self.up)

    def configure(self, base="", extras='requires = ["base"]', more="", **kw):
        text = PROJECT.format(up=self.up, base=base, extras=extras, more=more)
        (self.project / "ashlar.toml").write_text(text)

    def command(self, *args):
        return [ASHLAR, "-C", str(self.project), *map(str, args)]

    def ashlar(self, *args, status=0, **kw):
        p = subprocess.run(self.command(*args), env=self.env, capture_output=True, text=True, timeout=300, **kw)
        self.assertEqual(p.returncode, status, f"{args}\n{p.stdout}{p.stderr}")
        return p

    def lock_and_build(self, *args, **kw):
        self.configure(**kw)
        self.ashlar("lock")
        return self.ashlar("repo", "build", "-o", self.out, *args)

    def public(self):
        key = self.dir / "key.asc"
        key.write_text(self.ashlar("package", "key").stdout)
        return key

    # ---- clients ----
    def test_dnf_installs_over_http(self):
        out = self.lock_and_build(base='groups = ["core"]', more=GROUPS)
        self.assertIn("DEVELOPMENT", out.stdout)
        self.assertIn("DEVELOPMENT", out.stderr)
        key = self.public()
        packages = sorted(self.out.glob("*/x86_64/Packages/*/*.rpm"))
        self.assertEqual([p.name for p in packages], ["app-1.0-1.noarch.rpm", "lib-1.0-1.noarch.rpm", "shell-1.0-1.noarch.rpm", "addon-1.0-1.noarch.rpm", "lib-1.0-1.noarch.rpm"])
        db = self.kit.keyring(key)
        for p in packages:
            self.kit.run("rpm", "-qp", p)
            self.kit.run("rpmkeys", "--define", f"_dbpath {db}", "--define", "_pkgverify_level all", "-K", p)
        with httpservers.Nginx(self.out) as server:
            keys = {"gpgcheck": 1, "repo_gpgcheck": 1, "gpgkey": f"file://{key}"}
            dnf = dnfjudge.Dnf(self.dir / "dnf", self.env, {n: {"baseurl": server.url(f"{n}/x86_64"), **keys} for n in ("base", "extras")})
            names = dnf.run("repoquery", "--qf", "%{repoid} %{name}").stdout.split("\n")
            self.assertEqual(sorted(n for n in names if n), ["base app", "base lib", "base shell", "extras addon", "extras lib"])
            if os.geteuid() == 0:
                dnf.run("install", "app", "addon")
                root = self.dir / "dnf/root"
                self.assertEqual((root / "usr/share/lib1").read_text(), "lib\n")
                installed = self.kit.run("rpm", "--root", root, "-qa", "--qf", "%{name}\n").stdout.split()
                self.assertEqual(sorted(n for n in installed if n != "gpg-pubkey"), ["addon", "app", "lib", "shell"])
            self.assertIn("What every machine has", dnf.run("group", "info", "core").stdout + dnf.run("group", "list", "-v", "--hidden").stdout + dnf.run("group", "list").stdout)
            self.assertRegex(dnf.run("group", "info", "core").stdout, r"(?s)Mandatory Packages:.*app.*lib")
            updates = dnf.run("updateinfo", "list", "--all").stdout
            self.assertRegex(updates, r"ASH-2025:0001\s+Important/Sec\.\s+app-1\.0-1\.noarch")
            self.assertRegex(updates, r"ASH-2025:0002\s+bugfix\s+addon-1\.0-1\.noarch")
            wrong = self.kit.key("Wrong", "ed25519")   # another key: neither metadata nor packages are believed
            other = dnfjudge.Dnf(self.dir / "dnf2", self.env, {"base": {"baseurl": server.url("base/x86_64"), **keys, "gpgkey": f"file://{wrong}"}})
            self.assertNotEqual(other.run("repoquery", "app", check=False).stdout.strip(), "app-0:1.0-1.noarch")
        docs = repojudge.read(str(self.out / "base/x86_64"))
        self.assertEqual(sorted(docs), ["filelists", "group", "other", "primary", "updateinfo"])
        self.assertEqual([p.get("name") for p in docs["updateinfo"].iter("package")], ["app"])  # addon is in the other channel
        self.assertEqual(docs["updateinfo"].find("update/issued").get("date"), "2025-03-01 00:00:00")
        self.assertEqual(docs["updateinfo"].find("update/references/reference").get("href"), "https://example.org/?a=1&b=2")
        self.assertEqual([u.find("id").text for u in repojudge.read(str(self.out / "extras/x86_64"))["updateinfo"]], ["ASH-2025:0001", "ASH-2025:0002"])
        self.assertTrue(list((self.out / "extras/x86_64/repodata").glob("*primary.xml.gz")))
        self.kit.run("createrepo_c", "-q", "--no-database", "--update", "--skip-stat", "-o", self.dir, self.out / "base/x86_64")

    def test_equals_createrepo(self):
        self.lock_and_build("--no-sign")
        theirs = self.dir / "theirs"
        theirs.mkdir()
        shutil.copytree(self.out / "base/x86_64/Packages", theirs / "Packages")
        for p in theirs.rglob("*.rpm"):  # file times are build times: copies differ from machine to machine
            built = int(self.kit.run("rpm", "-qp", "--qf", "%{buildtime}", p).stdout)
            os.utime(p, (built, built))
        self.kit.run("createrepo_c", "-q", "--no-database", theirs)
        self.assertEqual(repojudge.differences(str(self.out / "base/x86_64"), str(theirs)), [])

    def test_comps_file(self):
        (self.project / "comps.xml").write_text('<?xml version="1.0"?><comps><group><id>mine</id><name>Mine</name><packagelist><packagereq type="mandatory">app</packagereq></packagelist></group></comps>')
        self.lock_and_build(base='comps = "comps.xml"')
        self.assertEqual(repojudge.read(str(self.out / "base/x86_64"))["group"].find("group/id").text, "mine")
        (self.project / "comps.xml").write_text("<comps><group></comps>")
        self.assertIn("comps.xml", self.ashlar("repo", "build", "-o", self.out, status=3).stderr)

    def test_key_of_the_project(self):
        key = self.kit.key("Project", "rsa4096")
        (self.project / "secret.key").write_text(self.kit.run("gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", "", "--armor", "--export-secret-keys", "Project").stdout)
        self.configure()
        path = self.project / "ashlar.toml"
        path.write_text(path.read_text().replace('description = "test"\n', 'description = "test"\nsigning-key = "secret.key"\n', 1))
        self.ashlar("lock")
        out = self.ashlar("repo", "build", "-o", self.out)
        self.assertNotIn("DEVELOPMENT", out.stdout + out.stderr)
        self.assertIn("signed by Project", out.stdout)
        self.ashlar("repo", "verify", self.out / "base/x86_64", "--key", key)

    # ---- what it does the second time ----
    def test_unchanged_changed_and_generations(self):
        self.lock_and_build()
        base = self.out / "base/x86_64"
        self.assertTrue(base.is_symlink())
        before = {str(p): p.lstat().st_mtime_ns for p in self.out.rglob("*")}
        again = json.loads(self.ashlar("--json", "repo", "build", "-o", self.out).stdout)
        self.assertEqual([(r["channel"], r["unchanged"], r["generation"], r["development-key"]) for r in again], [("base", True, 1, True), ("extras", True, 1, True)])
        self.assertEqual(before, {str(p): p.lstat().st_mtime_ns for p in self.out.rglob("*")})
        old = (base / "repodata/repomd.xml").read_text()
        self.upstream(self.two, at=1700000001)
        self.ashlar("lock", "--update")
        result = json.loads(self.ashlar("--json", "repo", "build", "-o", self.out, "base").stdout)
        self.assertEqual([(r["channel"], r["packages"], r["added"], r["removed"], r["generation"]) for r in result], [("base", 3, 1, 1, 2)])
        for href in re.findall(r'href="(repodata/[^"]+)"', old) + ["Packages/a/app-1.0-1.noarch.rpm"]:  # who holds the old repomd.xml finds everything
            self.assertTrue((base / href).exists(), href)
        self.ashlar("repo", "verify", base, "--key", self.public())
        diff = self.ashlar("repo", "diff", self.out / ".generations/base/x86_64/000001", base, status=1).stdout
        self.assertEqual(sorted(diff.split("\n")), ["", "added\tapp-2.0-1.noarch", "removed\tapp-1.0-1.noarch"])
        self.ashlar("repo", "diff", base, base)
        for i in range(4):
            self.configure(extras="", base=f'groups = ["g{i}"]', more=f'[package-groups.g{i}]\npackages = ["app"]')
            self.ashlar("repo", "build", "-o", self.out, "base", "--keep", "2")
        self.assertIn("--keep is at least 1: the generation that is published", self.ashlar("repo", "build", "-o", self.out, "base", "--keep", "0", status=2).stderr)
        self.assertEqual(sorted(p.name for p in (self.out / ".generations/base/x86_64").iterdir() if p.name[0] != "."), ["000005", "000006"])
        self.assertFalse((base / "Packages/a/app-1.0-1.noarch.rpm").exists())

    def test_same_name_other_content(self):
        self.lock_and_build()
        before = (self.out / "base/x86_64/repodata/repomd.xml").read_bytes()
        changed = self.kit.build("app", tags="Requires: lib >= 1\nSuggests: other")
        self.upstream([changed], at=1700000001)
        self.ashlar("lock", "--update")
        out = self.ashlar("repo", "build", "-o", self.out, status=1).stderr
        self.assertIn("app-1.0-1.noarch.rpm is published already with different content", out)
        self.assertEqual((self.out / "base/x86_64/repodata/repomd.xml").read_bytes(), before)
        self.ashlar("repo", "verify", self.out / "base/x86_64", "--key", self.public())

    # ---- closure ----
    def test_closure(self):
        self.lock_and_build(extras="")   # a channel holds its own closure by default
        self.assertIn("closed", self.ashlar("repo", "closure", self.out / "base/x86_64").stdout)
        lonely = self.dir / "lonely"
        lonely.mkdir()
        shutil.copy2(self.one[0], lonely)
        self.ashlar("repo", "index", lonely)
        out = self.ashlar("repo", "closure", lonely, status=1).stdout.splitlines()
        self.assertEqual(sorted(l.split("\t")[1] for l in out), ["(lib and shell)", "/usr/share/shell/file", "lib >= 1"])
        self.assertEqual(self.ashlar("repo", "closure", lonely, "--with", self.out / "base/x86_64").returncode, 0)
        self.assertEqual(len(json.loads(self.ashlar("--json", "repo", "closure", lonely, status=1).stdout)), 3)

    def test_dependencies_that_nest_without_end(self):
        """Not even a directory of one's own makes the solver's parser run over its stack."""
        (self.dir / "deep/repodata").mkdir(parents=True)
        for open_, close in (("(", ")"), ("&#40;", "&#41;"), ("(x and ", ")")):
            name = open_ * 200000 + "b" + close * 200000
            (self.dir / "deep/repodata/primary.xml").write_text(f'<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1"><package type="rpm"><name>a</name><arch>noarch</arch><version epoch="0" ver="1" rel="1"/><checksum type="sha256" pkgid="YES">{"a" * 64}</checksum><location href="a.rpm"/><format><rpm:requires><rpm:entry name="{name}"/></rpm:requires></format></package></metadata>')
            (self.dir / "deep/repodata/repomd.xml").write_text(f'<repomd xmlns="http://linux.duke.edu/metadata/repo"><data type="primary"><checksum type="sha256">{"a" * 64}</checksum><location href="repodata/primary.xml"/></data></repomd>')
            self.assertIn("more than 10000 parentheses", self.ashlar("repo", "query", self.dir / "deep", status=1).stderr)

    def test_repositories_of_another_architecture(self):
        foreign = self.dir / "foreign"
        foreign.mkdir()
        for name, tags in (("far", "Requires: near(x) = 1"), ("near", "Provides: near(x) = 1")):
            shutil.copy2(self.kit.build(name, tags=tags, arch="aarch64"), foreign)
        self.ashlar("repo", "index", foreign)
        self.assertIn("closed", self.ashlar("repo", "closure", foreign).stdout)
        self.assertEqual(self.ashlar("repo", "query", foreign, "--what-requires", "near(x)").stdout, "far-1.0-1.aarch64\n")
        self.assertIn("near(x)", self.ashlar("repo", "closure", foreign, "--arch", "x86_64", status=1).stdout)

    def test_build_reports_what_is_not_closed(self):
        more = '[package-groups.x]\npackages = ["lib", "shell"]\ndefault-package-config = { publish = { rpm-channel = "extras" } }\n'
        self.configure(more=more)
        lock = self.project / "ashlar.lock"
        self.ashlar("lock")
        text = lock.read_text()
        cut = re.sub(r'(?s)(name = "base".*?packages = \[)(.*?)(\n?\])', lambda m: m[1] + re.sub(r'\s*"lib-[^"]*",?', "", m[2]) + m[3], text, count=1)
        self.assertNotEqual(cut, text)
        lock.write_text(cut)
        out = self.ashlar("repo", "build", "-o", self.out).stderr
        self.assertRegex(out, r"warning: channel 'base' \(x86_64\): app-1\.0-1\.noarch requires 'lib >= 1', which nothing here provides")
        self.assertEqual(self.ashlar("repo", "build", "-o", self.out).stderr, out)   # said again, though no header is read again
        shutil.rmtree(self.out)
        out = self.ashlar("repo", "build", "--closed", "-o", self.out, status=4).stderr
        self.assertIn("is not closed", out)
        self.assertFalse((self.out / "base").exists())
        self.configure(more=more, base='requires = ["extras"]', extras="")
        self.assertNotIn("requires", self.ashlar("repo", "build", "--closed", "-o", self.out).stderr)

    # ---- questions ----
    def test_query(self):
        self.lock_and_build()
        base = self.out / "base/x86_64"

        def query(*args, status=0):
            return self.ashlar("repo", "query", base, *args, status=status).stdout.splitlines()
        self.assertEqual(query(), ["app-1.0-1.noarch", "lib-1.0-1.noarch", "shell-1.0-1.noarch"])
        p = self.ashlar("--json", "repo", "query", base, "nosuch", "l*", status=1)
        self.assertEqual([r["nevra"] for r in json.loads(p.stdout)], ["lib-1.0-1.noarch"])
        self.assertIn("has no package 'nosuch'", p.stderr)
        self.assertIn("has nothing that provides 'nosuch'", self.ashlar("repo", "query", base, "--what-provides", "nosuch", status=1).stderr)
        self.assertEqual(query("l*"), ["lib-1.0-1.noarch"])
        self.assertEqual(query("--what-provides", "/usr/share/shell/file"), ["shell-1.0-1.noarch"])
        self.assertEqual(query("--what-provides", "lib >= 1"), ["lib-1.0-1.noarch"])
        self.assertEqual(query("--what-requires", "lib"), ["app-1.0-1.noarch"])
        self.assertIn("lib >= 1", query("--requires", "app"))
        self.assertIn("lib = 1.0-1", query("--provides", "lib"))
        self.assertIn("/usr/share/app/data", query("--files", "app"))
        self.assertEqual(query("nothing", status=1), [])
        self.assertEqual(json.loads(self.ashlar("--json", "repo", "query", base, "lib").stdout)[0]["nevra"], "lib-1.0-1.noarch")

    # ---- verify ----
    def test_changed_package_is_made_anew(self):
        """Somebody writes to a published file: its size is the same, its time is not."""
        self.configure()
        self.ashlar("lock")
        self.ashlar("repo", "build", "base", "-o", self.out)
        path = next((self.out / "base/x86_64").glob("Packages/a/*.rpm"))
        good = path.read_bytes()
        self.assertIn("unchanged", self.ashlar("repo", "build", "base", "-o", self.out).stdout)
        path.write_bytes(good[:-20] + bytes([good[-20] ^ 1]) + good[-19:])
        self.assertNotIn("unchanged", self.ashlar("repo", "build", "base", "-o", self.out).stdout)
        self.assertEqual(next((self.out / "base/x86_64").glob("Packages/a/*.rpm")).read_bytes(), good)

    def test_verify_finds_each_damage(self):
        self.lock_and_build(base='groups = ["core"]', more=GROUPS)
        key, good = self.public(), (self.out / "base/x86_64").resolve()
        other = self.kit.key("Stranger", "ed25519")
        self.ashlar("repo", "verify", good, "--key", key)
        self.ashlar("repo", "verify", good, status=2)
        self.ashlar("repo", "verify", good, "--key", other, status=5)

        def damage(name, change, word, *args):
            with self.subTest(name=name):
                bad = self.dir / "bad"
                shutil.rmtree(bad, ignore_errors=True)
                shutil.copytree(good, bad)
                change(bad)
                out = self.ashlar("repo", "verify", bad, *(args or ("--key", key)), status=5).stderr
                self.assertIn(word, out)
                return out

        def flip(glob, at=-20):
            def change(bad):
                path = next(bad.glob(glob))
                data = bytearray(path.read_bytes())
                data[at] ^= 1
                path.write_bytes(data)
            return change

        def on(glob, what):
            return lambda bad: what(next(bad.glob(glob)))
        damage("flip in a package", flip("Packages/a/*.rpm"), "app-1.0-1.noarch.rpm")
        damage("flip in a package, no keys", flip("Packages/a/*.rpm"), "app-1.0-1.noarch.rpm", "--no-signatures")
        damage("lost package", on("Packages/l/*.rpm", lambda p: p.unlink()), "lib-1.0-1.noarch.rpm")
        damage("short package", on("Packages/l/*.rpm", lambda p: p.write_bytes(p.read_bytes()[:-9])), "size")
        for kind in ("primary", "filelists", "other", "comps", "updateinfo"):
            damage(f"flip in {kind}", flip(f"repodata/*-{kind}.xml*"), kind)
            damage(f"lost {kind}", on(f"repodata/*-{kind}.xml*", lambda p: p.unlink()), kind)
        damage("flip in repomd", flip("repodata/repomd.xml", 200), "repomd.xml")
        damage("flip in the signature", flip("repodata/repomd.xml.asc", 150), "repomd.xml")
        damage("no signature", on("repodata/repomd.xml.asc", lambda p: p.unlink()), "not signed")
        damage("no repomd", on("repodata/repomd.xml", lambda p: p.unlink()), "repomd.xml", "--no-signatures")

        def unsigned(bad):
            path = next(bad.glob("Packages/l/*.rpm"))
            path.write_bytes(self.one[1].read_bytes())
            self.ashlar("repo", "index", bad)
        out = damage("unsigned package in good metadata", lambda bad: (unsigned(bad), self.sign(bad)), "lib-1.0-1.noarch.rpm", "--key", key, "--key", self.kit.dir / "Resigner.asc")
        self.assertIn("not signed", out)

    def sign(self, repo):
        if not (self.kit.dir / "Resigner.asc").exists():
            self.kit.key("Resigner", "ed25519")
        self.kit.run("gpg", "--batch", "--yes", "--armor", "-u", "Resigner", "--detach-sign", repo / "repodata/repomd.xml")

    # ---- atomic ----
    def alternate(self):
        """Two locks with different packages, to publish in turn."""
        self.configure()
        self.ashlar("lock")
        lock = self.project / "ashlar.lock"
        first = lock.read_bytes()
        self.upstream(self.two, at=1700000001)
        self.ashlar("lock", "--update")
        return lock, [first, lock.read_bytes()]

    def test_readers_never_see_a_mixture(self):
        publishes, readers = int(os.environ.get("ASHLAR_PUBLISHES", "200")), 50
        lock, locks = self.alternate()
        self.ashlar("repo", "build", "base", "-o", self.out)
        problems, seen, ended, polls = [], set(), threading.Event(), [0]

        def poll(base):
            import hashlib, urllib.request

            def get(path):
                with urllib.request.urlopen(base + path, timeout=60) as f:
                    return f.read()
            while not ended.is_set():
                try:
                    repomd = get("repodata/repomd.xml")
                    for href, digest in re.findall(rb'<checksum type="sha256">(\w+)</checksum>.*?<location href="([^"]+)"', repomd, re.S) and [(h.decode(), d.decode()) for d, h in re.findall(rb'<checksum type="sha256">(\w+)</checksum>.*?<location href="([^"]+)"', repomd, re.S)]:
                        data = get(href)
                        if hashlib.sha256(data).hexdigest() != digest:
                            problems.append(f"{href}: other content")
                        if "primary" in href:
                            seen.add(digest)
                            text = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True).stdout
                            for package, want in re.findall(rb'pkgid="YES">(\w+)<.*?<location href="([^"]+)"', text, re.S):
                                if hashlib.sha256(get(want.decode())).hexdigest() != package.decode():
                                    problems.append(f"{want}: other content")
                    polls[0] += 1
                except Exception as e:
                    problems.append(repr(e))
                time.sleep(random.random() / 4)
        with httpservers.Nginx(self.out) as server:
            threads = [threading.Thread(target=poll, args=(server.url("base/x86_64/"),)) for _ in range(readers)]
            for t in threads:
                t.start()
            try:
                for i in range(publishes):
                    lock.write_bytes(locks[i % 2 == 0])
                    self.ashlar("repo", "build", "base", "-q", "-o", self.out, "--keep", "100")
            finally:
                ended.set()
                for t in threads:
                    t.join()
        self.assertEqual(problems[:5], [])
        self.assertEqual(len(seen), 2)
        self.assertGreater(polls[0], readers)

    def test_killed_at_any_point(self):
        kills = int(os.environ.get("ASHLAR_KILLS", "100"))
        lock, locks = self.alternate()
        self.ashlar("repo", "build", "base", "-o", self.out)
        key, base = self.public(), self.out / "base/x86_64"
        start = time.monotonic()
        lock.write_bytes(locks[0])
        self.ashlar("repo", "build", "base", "-o", self.out)
        whole = time.monotonic() - start
        chance, killed = random.Random(int(os.environ.get("ASHLAR_SEED", "1"))), 0
        for i in range(kills):
            lock.write_bytes(locks[i % 2])
            p = subprocess.Popen(self.command("repo", "build", "base", "-o", self.out), env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.random() * whole)
            p.kill()
            killed += p.wait() == -signal.SIGKILL
            self.ashlar("repo", "verify", base, "--key", key)
            if i % 5 == 0:
                self.ashlar("repo", "build", "base", "-o", self.out)
                self.ashlar("repo", "verify", base, "--key", key)
        self.assertGreater(killed, kills // 4)
        self.ashlar("repo", "build", "base", "-o", self.out)
        self.assertEqual([p.name for p in (self.out / ".generations/base/x86_64").iterdir() if p.name.startswith(".new")], [])

    def test_two_publishers(self):
        self.lock_and_build()
        other = self.dir / "other"
        shutil.copytree(self.project, other)
        self.configure(base='groups = ["core"]', more=GROUPS)
        lock = self.out / ".generations/base/x86_64/.lock"
        holder = subprocess.Popen(["flock", str(lock), "sh", "-c", "echo held; read x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(holder.stdout.readline(), "held\n")
        out = self.ashlar("repo", "build", "base", "-o", self.out, status=75).stderr
        self.assertIn("another process is publishing", out)
        holder.communicate("\n")
        self.ashlar("repo", "build", "base", "-o", self.out)

    def test_no_space_left(self):
        lock, locks = self.alternate()
        lock.write_bytes(locks[1])
        self.ashlar("repo", "build", "base", "-o", self.out)
        key, base = self.public(), self.out / "base/x86_64"
        before = (base / "repodata/repomd.xml").read_bytes()
        lock.write_bytes(locks[0])      # its app is 100 kB
        for limit in (100, 1000, 5000, 50000):
            out = self.ashlar("repo", "build", "base", "-o", self.out, status=1, preexec_fn=lambda n=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (n, n))).stderr
            self.assertRegex(out, "error: .*(large|space)")
            self.assertEqual((base / "repodata/repomd.xml").read_bytes(), before)
            self.ashlar("repo", "verify", base, "--key", key)
        self.ashlar("repo", "build", "base", "-o", self.out)
        self.assertNotEqual((base / "repodata/repomd.xml").read_bytes(), before)

    def test_damage_in_the_store_heals(self):
        self.configure()
        self.ashlar("lock")
        lock = (self.project / "ashlar.lock").read_text()
        blobs = {name: next((self.dir / "store/blobs").rglob(re.search(f'nevra = "{name}-.*?sha256 = "([0-9a-f]+)"', lock)[1])) for name in ("app", "lib", "addon")}
        whole = {name: b.read_bytes() for name, b in blobs.items()}

        def flip(data, at):
            return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
        damages = [lambda d: flip(d, len(d) - 30), lambda d: flip(d, 110), lambda d: flip(d, 3), lambda d: d[:500], lambda d: d + b"\0", lambda d: b""]
        for n, damage in enumerate(damages):
            for name, blob in blobs.items():
                blob.chmod(0o644)
                blob.write_bytes(damage(whole[name]))
            out = self.ashlar("repo", "build", "-o", self.dir / f"out{n}")
            self.assertIn("was damaged and has been dropped", out.stderr)
            self.assertNotIn("error", out.stderr)
            self.assertEqual({name: b.read_bytes() for name, b in blobs.items()}, whole)
            self.ashlar("repo", "verify", self.dir / f"out{n}/base/x86_64", "--key", self.public())

        (self.project / "ashlar.lock").write_text(re.sub("size = [0-9]+", "size = 17", lock))
        self.assertRegex(self.ashlar("repo", "build", "-o", self.out, status=5).stderr, "has [0-9]+ bytes, the lock says 17")

    def test_published_packages_are_not_read_again(self):
        self.lock_and_build()
        lock = (self.project / "ashlar.lock").read_text()
        for digest in re.findall(r' sha256 = "([0-9a-f]{64})"', lock) or self.fail(lock):   # who reads one says that it is damaged
            blob = next((self.dir / "store/blobs").rglob(digest))
            blob.chmod(0o644)
            blob.write_bytes(b"x" * blob.stat().st_size)
        again = self.ashlar("repo", "build", "-o", self.out)
        self.assertIn("unchanged", again.stdout)
        self.configure(base='groups = ["core"]', more='[package-groups.core]\npackages = ["app"]')
        for p in (again, self.ashlar("repo", "build", "-o", self.out)):
            self.assertNotIn("damaged", p.stderr)
        self.ashlar("repo", "verify", self.out / "base/x86_64", "--key", self.public())

    def test_packages_lost_from_what_is_published_come_back(self):
        self.lock_and_build()
        package = self.out / "base/x86_64/Packages/a/app-1.0-1.noarch.rpm"
        whole = package.read_bytes()
        for n, damage in enumerate((package.unlink, lambda: package.write_bytes(whole[:-1]), lambda: (package.unlink(), package.symlink_to("/etc/passwd")))):
            damage()
            out = self.ashlar("repo", "build", "-o", self.out).stdout
            self.assertRegex(out, f"base/x86_64: 3 packages, generation {n + 2} ")
            self.assertIn("extras/x86_64: 2 packages, generation 1, unchanged", out)
            self.assertEqual(package.read_bytes(), whole)
            self.ashlar("repo", "verify", self.out / "base/x86_64", "--key", self.public())

    def test_closed_standard_descriptors(self):
        """What is said does not end in a file that was given the number of a closed descriptor."""
        self.configure()
        self.ashlar("lock")
        for n, (closed, status) in enumerate((("<&- >&- 2>&-", 1), ("2>&-", 0), (">&-", 1), ("<&-", 0), ("<&- 2>&-", 0))):
            p = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", *self.command("repo", "build", "-o", self.dir / f"out{n}")], env=self.env, stdin=subprocess.DEVNULL, capture_output=True)
            self.assertEqual(p.returncode, status, closed)
            said = [f for f in self.dir.rglob("*") if f.is_file() and not f.is_symlink() and b"DEVELOPMENT key" in f.read_bytes() and f.suffix != ".key"]
            self.assertEqual(said, [], closed)
            self.ashlar("repo", "verify", self.dir / f"out{n}/base/x86_64", "--key", self.public())

    def test_channel_that_is_younger_than_the_lock(self):
        self.lock_and_build()
        self.configure(more='[channels.young]\narches = ["x86_64"]\npackages = ["lib"]\n')
        err = self.ashlar("repo", "build", "-o", self.out, status=3).stderr
        self.assertIn("the channel 'young' (x86_64) is not in the lock", err)
        self.assertFalse((self.out / "young").is_symlink() or (self.out / "young/x86_64").exists())
        self.ashlar("repo", "build", "-o", self.out, "base")   # the others do not need it
        self.ashlar("lock")
        self.ashlar("repo", "build", "-o", self.out)
        self.assertTrue((self.out / "young/x86_64/Packages/l/lib-1.0-1.noarch.rpm").exists())

    def test_umask_does_not_matter(self):
        self.lock_and_build()
        modes = lambda out: sorted((str(p.relative_to(out)), p.lstat().st_mode) for p in out.rglob("*") if p.name != ".lock" and re.search("/[0-9]{6}/", str(p)))
        first = modes(self.out)
        self.ashlar("repo", "build", "-o", self.dir / "private", preexec_fn=lambda: os.umask(0o077))
        self.assertEqual(modes(self.dir / "private"), first)

    def test_foreign_directory_in_the_way(self):
        self.configure()
        self.ashlar("lock")
        (self.out / "base/x86_64").mkdir(parents=True)
        (self.out / "base/x86_64/precious").write_text("x")
        self.assertIn("in the way", self.ashlar("repo", "build", "base", "-o", self.out, status=1).stderr)
        self.assertEqual((self.out / "base/x86_64/precious").read_text(), "x")


if __name__ == "__main__":
    unittest.main()
