"""ashlar config: check, dump, explain and schema, as a user runs them. Each directory of tests/golden/config is a project with mistakes; expect.txt is what
'ashlar config check' says of it (ASHLAR_UPDATE=1 writes it anew: read the difference before you commit it)."""
import json, os, re, subprocess, tomllib
from pathlib import Path
from ashcli import Case, SHARED, main

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "config"

class Golden(Case):
    def test_mistakes(self):
        names = sorted(p.name for p in GOLDEN.iterdir() if p.is_dir())
        self.assertGreater(len(names), 20)
        for name in names:
            with self.subTest(name):
                p = self.run_ashlar("config", "check", cwd=GOLDEN / name, status=3)
                self.assertEqual(p.stdout, "")
                expect = GOLDEN / name / "expect.txt"
                if os.environ.get("ASHLAR_UPDATE"):
                    expect.write_text(p.stderr)
                self.assertEqual(p.stderr, expect.read_text())

    def test_every_mistake_has_its_place_and_a_hint(self):
        for expect in sorted(GOLDEN.glob("*/expect.txt")):
            for block in re.split(r"^(?=\S+?:\d+:\d+: (?:error|warning): )", expect.read_text(), flags=re.M)[1:]:
                with self.subTest(block):
                    self.assertIn(" | ", block)
                    self.assertIn("^", block)
                    if not re.search(r"defined twice|set twice|written as a value|expected '", block): # the TOML parser's own: the note says it
                        self.assertIn("  hint: ", block)

    def test_json(self):
        found = self.diagnostics(self.run_ashlar("--json", "config", "check", cwd=GOLDEN / "unknown-key", status=3).stderr)
        self.assertEqual([(d["file"], d["line"], d["column"]) for d in found if "compnents" in d["text"]], [("ashlar.toml", 13, 2)])

if __name__ == "__main__":
    main()
