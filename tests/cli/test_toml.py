"""ashlar toml: decode and check, as a user runs them."""
import json
from ashcli import Case, SHARED, main

SUITE = SHARED / "corpus" / "toml-test"

def plain(tagged):
    """toml-test's JSON as python values."""
    if isinstance(tagged, list):
        return [plain(v) for v in tagged]
    if set(tagged) == {"type", "value"} and isinstance(tagged["type"], str):
        kind, value = tagged["type"], tagged["value"]
        return {"integer": int, "float": float, "bool": lambda v: v == "true"}.get(kind, str)(value)
    return {k: plain(v) for k, v in tagged.items()}

class Toml(Case):
    def test_decode(self):
        out = json.loads(self.run_ashlar("toml", "decode", self.write("a.toml", "a = [1, 0x10]\n[t]\nb = 'x'\n")).stdout)
        self.assertEqual(out, {"a": [{"type": "integer", "value": "1"}, {"type": "integer", "value": "16"}], "t": {"b": {"type": "string", "value": "x"}}})

    def test_stdin_and_plain(self):
        p = self.run_ashlar("toml", "decode", "--plain", "-", input="a = 1.5\nd = 1979-05-27 07:32\n")
        self.assertEqual(json.loads(p.stdout), {"a": 1.5, "d": "1979-05-27T07:32:00"})
        self.assertIn("<stdin>:2:1:", self.run_ashlar("toml", "check", "-", input="a = 1\na = 2\n", status=1).stderr)

    def test_version(self):
        f = self.write("a.toml", "a = {\n b = 1,\n}\n")
        self.run_ashlar("toml", "decode", f)
        self.run_ashlar("toml", "decode", "--toml-version=1.1", f)
        p = self.run_ashlar("toml", "decode", "--toml-version", "1.0", f, status=1)
        self.assertIn("a.toml:1:6: error: ", p.stderr)
        self.assertIn("TOML 1.1", p.stderr)
        self.run_ashlar("toml", "decode", "--toml-version", "2", f, status=2)

    def test_check_reports_every_file(self):
        good, bad, worse = self.write("good.toml", "a = 1\n"), self.write("bad.toml", "a = 1\na = 2\n[b]\n[b]\n"), self.write("worse.toml", "a = \n")
        self.assertEqual(self.run_ashlar("toml", "check", good).stdout, "")
        p = self.run_ashlar("toml", "check", bad, good, self.dir / "missing.toml", worse, status=1)
        for words in ("bad.toml:2:1: error", "bad.toml:4:2: error", "bad.toml:1:1: note", "missing.toml", "worse.toml:1:5: error"):
            self.assertIn(words, p.stderr)
        found = self.diagnostics(self.run_ashlar("--json", "toml", "check", bad, status=1).stderr)
        self.assertEqual([(d["line"], d["column"]) for d in found], [(2, 1), (4, 2)])

    def test_suite_sample(self):
        """One case in forty of toml-test through the program; the unit test has them all."""
        names = [n for n in (SUITE / "files-toml-1.1.0").read_text().split() if n.endswith(".toml")]
        for name in [n for n in names if 'date' not in n and 'time' not in n and 'spec-' not in n][::40]:
            if name.startswith("valid/"):
                out = json.loads(self.run_ashlar("toml", "decode", SUITE / name).stdout)
                want = json.loads((SUITE / name.replace(".toml", ".json")).read_text())
                self.assertEqual(json.dumps(plain(out), sort_keys=True), json.dumps(plain(want), sort_keys=True), name)
            else:
                self.assertRegex(self.run_ashlar("toml", "check", SUITE / name, status=1).stderr, r":\d+:\d+: error: ")

if __name__ == "__main__":
    main()
