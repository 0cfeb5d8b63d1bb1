"""Packages made by others, good and bad: the test data of the source packages rpm and createrepo-c. Our verdict beside rpm's for every one."""
import bz2
import gzip
import lzma
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import debsource  # noqa: E402
import rpmjudges  # noqa: E402
import rpmkit  # noqa: E402


class Foreign(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory(prefix="ashlar-foreign-")
        cls.packages, cls.keys, cls.metadata = [], [], {}
        for package in ("rpm", "createrepo-c"):
            for suites in (None, ["trixie"]):
                for archive in debsource.fetch(debsource.cache_dir(), package, suites):
                    folder = pathlib.Path(cls.temp.name) / archive.name
                    folder.mkdir()
                    found = debsource.unpack(archive, folder, (".rpm", ".pub", ".asc", ".secret", ".xml", ".xml.gz", ".xml.xz", ".xml.bz2"))
                    cls.metadata.update({n: p for n, p in found.items() if "testdata" in n and ".xml" in n})
                    cls.packages += [p for n, p in found.items() if n.endswith(".rpm")]
                    cls.keys += [p for n, p in found.items() if n.endswith((".pub", ".asc")) and b"BEGIN PGP PUBLIC KEY" in p.read_bytes()]
        cls.kit = rpmkit.Kit()

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()
        cls.temp.cleanup()

    def setUp(self):
        if not self.packages:
            self.skipTest("no Debian mirror can be reached from here")

    def test_verdicts_are_rpms(self):
        theirs, ours = self.kit.rpm_verdicts([str(p) for p in self.packages], self.kit.keyring()), rpmkit.judge(self.packages)
        for p in self.packages:
            a = ours[str(p)]
            good = a["parsed"] and a["digests"] == 0
            signed = bool(a.get("signatures"))
            with self.subTest(package=p.name):
                # without keys rpm refuses every signed package; its digests are then judged by the other test
                if not signed:
                    self.assertEqual(good, theirs[str(p)], a["messages"])
                if good:
                    self.assertEqual(rpmjudges.differences(a, p), [])
                    self.assertTrue(a["payload_ok"] and a["paths_ok"], a["messages"])

    def test_metadata_is_read(self):
        """Every metadata file of createrepo_c's tests, by our parsers; the packages that it lists, counted by its own element."""
        kinds = {"primary": rb"<package[ >]", "filelists": rb"<package[ >]", "other": None, "repomd": rb"<data[ >]", "updateinfo": rb"<update[ >]", "comps": None}
        opened = {".gz": gzip.decompress, ".xz": lzma.decompress, ".bz2": bz2.decompress, ".xml": lambda d: d}
        read = 0
        for name, path in sorted(self.metadata.items()):
            kind = next((k for k in kinds if re.search(rf"(^|[/_.-]){k}[^/]*\.xml", name)), None)
            if not kind or "snippets" in name or "filelists-ext" in name or "/compressed_files/" in name:
                continue
            with self.subTest(name):
                p = subprocess.run([os.environ["ASHLAR_RPMMD_TOOL"], "x", "parse", kind, path], capture_output=True, text=True, errors="replace")
                if "modified_repo_files" in name:  # damaged on purpose: read, or refused with a line
                    self.assertTrue(p.returncode == 0 or (p.returncode == 1 and ": error: line " in p.stderr), p.stderr)
                    continue
                self.assertEqual((p.returncode, p.stderr), (0, ""))
                plain = opened[path.suffix](path.read_bytes())
                if kinds[kind]:
                    self.assertEqual(len(p.stdout.splitlines()), len(re.findall(kinds[kind], plain)))
                elif kind == "comps":
                    self.assertEqual(p.stdout.count("\ngroup ") + p.stdout.startswith("group "), plain.count(b"<group>"))
                read += 1
        self.assertGreater(read, 20)

    def test_signatures_with_their_keys(self):
        usable = []
        for k in self.keys:
            try:
                self.kit.keyring(k)
                rpmkit.judge([], [k])
                usable.append(k)
            except Exception:  # a key that one of both does not take (they are test data, too)
                continue
        self.assertTrue(usable)
        db = self.kit.keyring(*usable)
        theirs, ours = self.kit.rpm_verdicts([str(p) for p in self.packages], db), rpmkit.judge(self.packages, usable, sha1=True)
        signed = 0
        for p in self.packages:
            a = ours[str(p)]
            if not a.get("signatures"):
                continue
            signed += 1
            with self.subTest(package=p.name, signatures=a["signatures"]):
                self.assertEqual(a["verify"] == 0, theirs[str(p)], a["messages"])
        self.assertGreater(signed, 1)
        print(f"{len(self.packages)} packages, {signed} signed, {len(usable)} of {len(self.keys)} keys", file=sys.stderr)


if __name__ == "__main__":
    if not os.environ.get("ASHLAR_RPM_JUDGE"):
        sys.exit("run by meson test")
    unittest.main()
