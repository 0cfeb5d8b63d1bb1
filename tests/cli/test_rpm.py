"""Our RPM reader beside rpm's own tools: packages that rpmbuild and rpmsign make, whole and damaged."""
import os
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import rpmjudges  # noqa: E402
import rpmkit  # noqa: E402

PAYLOADS = ["w1.gzdio", "w1.xzdio", "w1.zstdio", "w1.bzdio", "w1.lzdio", "w.ufdio"]


class Reader(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kit = rpmkit.Kit()
        cls.plain = {p: cls.kit.full(version=str(i + 1), payload=p) for i, p in enumerate(PAYLOADS)}

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def test_reads_what_rpm_reads(self):
        answers = rpmkit.judge(self.plain.values())
        for payload, path in self.plain.items():
            a = answers[str(path)]
            with self.subTest(payload=payload):
                self.assertTrue(a["parsed"] and a["paths_ok"] and a["payload_ok"], a["messages"])
                self.assertEqual(a["digests"], 0)
                self.assertEqual(rpmjudges.differences(a, path), [])
                for f in a["files"]:
                    if f["mode"] & 0o170000 == 0o100000 and not f["flags"] & 64:
                        self.assertEqual(f["content"], f["digest"], f["base"])
                self.assertEqual(sum(f["nlink"] == 3 for f in a["files"]), 3)

    def test_damage_is_seen_where_rpm_sees_it(self):
        """Bits flipped and files cut at many places: whenever rpm refuses, we do; where rpm accepts, we may refuse only for a reason of our own."""
        rng = random.Random(7)
        whole = self.plain["w1.gzdio"].read_bytes()
        folder = self.kit.dir / "damaged"
        folder.mkdir()
        cases = {}
        for i in range(120):
            data = bytearray(whole)
            if i % 4 == 0:
                cut = rng.randrange(len(data))
                data, what = data[:cut], f"cut at {cut}"
            else:
                at, bit = rng.randrange(min(len(data), 9000) if i % 2 else len(data)), rng.randrange(8)
                data[at] ^= 1 << bit
                what = f"bit {bit} of byte {at}"
            path = folder / f"{i}.rpm"
            path.write_bytes(data)
            cases[str(path)] = what
        theirs, ours = self.kit.rpm_verdicts(cases), rpmkit.judge(cases)
        refused = 0
        for path, what in cases.items():
            good = ours[path]["parsed"] and ours[path]["digests"] == 0
            refused += not good
            if not theirs[path]:
                self.assertFalse(good, what)
            elif not good:
                self.assertRegex(" ".join(ours[path]["messages"]), "RPM format version|signature header|region|digest|tag|no digest", what)
        self.assertGreater(refused, 60)

    def test_sha3_of_the_header(self):
        """As RPM 6 writes it: here in the place of the space that rpm reserves for signatures."""
        import hashlib
        f = rpmkit.Forgery(self.plain["w1.gzdio"])
        entry = next(e for e in range(112, 512, 16) if f.head[e:e + 4] == (1008).to_bytes(4, "big"))
        f.head[entry:entry + 8] = (279).to_bytes(4, "big") + (6).to_bytes(4, "big")
        f.head[entry + 12:entry + 16] = (1).to_bytes(4, "big")
        text = hashlib.sha3_256(bytes(f.header)).hexdigest().encode() + b"\0"
        f.head[f.sig[1008]:f.sig[1008] + 65] = text
        good = f.save(self.kit.dir / "sha3-good.rpm")
        f.head[f.sig[1008]] ^= 1
        bad = f.save(self.kit.dir / "sha3-bad.rpm")
        answers = rpmkit.judge([good, bad])
        self.assertEqual([answers[str(p)]["digests"] for p in (good, bad)], [0, -1027])
        self.assertIn("SHA3-256 of the header", " ".join(answers[str(bad)]["messages"]))

    def test_signatures(self):
        kit = self.kit
        rsa, ed, dsa = kit.key("Rsa Signer", "rsa2048"), kit.key("Ed Signer", "ed25519"), kit.key("Dsa Signer", "dsa2048")
        old = kit.key("Old Signer", "rsa2048", expire="2021-01-01", faked="20200101T000000")
        faked = kit.dir / "gpg-2020"
        faked.write_text("#!/bin/sh\nexec /usr/bin/gpg --faked-system-time 20200601T000000 \"$@\"\n")
        faked.chmod(0o755)
        made = {}
        for name, signer, opts in [("rsa", "Rsa Signer", {}), ("ed", "Ed Signer", {}), ("dsa", "Dsa Signer", {}), ("old", "Old Signer", {"gpg": faked}), ("sha512", "Rsa Signer", {"digest": "sha512"}),
                                   ("sha1", "Rsa Signer", {"digest": "sha1"}), ("v3", "Rsa Signer", {"extra": ["--rpmv3"]})]:
            path = kit.dir / f"signed-{name}.rpm"
            path.write_bytes(self.plain["w1.gzdio"].read_bytes())
            made[name] = kit.sign(path, signer, **opts)
        data = bytearray(made["rsa"].read_bytes())
        start = data.index(self.plain["w1.gzdio"].read_bytes()[-400:])
        data[start + 100] ^= 1
        made["changed"] = kit.dir / "signed-changed.rpm"
        made["changed"].write_bytes(data)
        # another build host, header digests made right again: only the signature can tell
        made["forged"] = rpmkit.Forgery(made["ed"]).replace(1007, "test", "evil").save(kit.dir / "signed-forged.rpm")

        answers = rpmkit.judge(made.values(), [rsa, ed, dsa, old])
        theirs = kit.rpm_verdicts([str(p) for p in made.values()], kit.keyring(rsa, ed, dsa, old))
        status = {n: [s[1] for s in answers[str(p)]["signatures"]] for n, p in made.items()}
        verify = {n: answers[str(p)]["verify"] for n, p in made.items()}
        for n in ("rsa", "ed", "dsa", "sha512", "v3"):
            self.assertEqual((verify[n], set(status[n]), theirs[str(made[n])]), (0, {"good"}, True), n)
        self.assertEqual(set(status["old"]), {"expired key"})
        self.assertEqual(set(status["sha1"]), {"weak algorithm"})
        self.assertEqual(set(status["forged"]), {"bad signature"})
        for n in ("old", "sha1", "changed", "forged"):
            self.assertEqual(verify[n], -1027, n)
        self.assertFalse(theirs[str(made["changed"])])
        self.assertFalse(theirs[str(made["forged"])])
        self.assertEqual(rpmkit.judge([made["sha1"]], [rsa], sha1=True)[str(made["sha1"])]["verify"], 0)
        stranger = rpmkit.judge([made["rsa"]], [ed])[str(made["rsa"])]
        self.assertEqual((stranger["verify"], stranger["signatures"][0][1]), (-126, "unknown key"))
        self.assertEqual(rpmkit.judge([self.plain["w1.gzdio"]], [ed])[str(self.plain["w1.gzdio"])]["verify"], -61)
        # revoked after the fact
        fingerprint = [l.split(":")[9] for l in kit.run("gpg", "--with-colons", "-k", "Rsa Signer").stdout.splitlines() if l.startswith("fpr")][0]
        rev = (kit.gnupg / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
        kit.run("gpg", "--batch", "--import", input=rev)
        revoked = kit.dir / "revoked.asc"
        revoked.write_text(kit.run("gpg", "--armor", "--export", "Rsa Signer").stdout)
        answer = rpmkit.judge([made["rsa"]], [revoked])[str(made["rsa"])]
        self.assertEqual((answer["verify"], answer["signatures"][0][1]), (-1027, "revoked key"))


if __name__ == "__main__":
    if not os.environ.get("ASHLAR_RPM_JUDGE"):
        sys.exit("run by meson test")
    unittest.main()
