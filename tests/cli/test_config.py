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

GOOD = ROOT / "tests" / "golden" / "config-good"

def unpack_tree(directory):
    subprocess.run(["tar", "-x", "--zstd", "-f", SHARED / "corpus" / "azurelinux-4.0" / "config-tree.tar.zst", "-C", directory], check=True)

class Project(Case):
    def dump(self, directory, *args):
        return self.run_ashlar("-C", directory, "config", "dump", *args).stdout

    def round_trip(self, directory):
        for how in ([], ["--resolved"]):
            text = self.dump(directory, *how)
            self.write("again/ashlar.toml", text)
            self.assertEqual(self.dump(self.dir / "again", *how), text)
            as_json = json.loads(self.dump(directory, *how, "--format=json"))
            self.assertEqual(tomllib.loads(text), as_json)
        return as_json

    def test_every_key(self):
        """The good project has every key of the schema, and is good."""
        self.assertIn("no mistakes: 4 components, 6 overlays, 4 images", self.run_ashlar("-C", GOOD, "config", "check").stdout)
        resolved = self.round_trip(GOOD)
        self.assertEqual(resolved["components"]["bash"]["build"]["with"], ["from-group", "tests"])
        self.assertEqual(resolved["components"]["bash"]["build"]["without"], ["from-distro", "from-project", "from-the-second-file", "docs", "static"])
        self.assertEqual([o["type"] for o in resolved["components"]["bash"]["overlays"]][-1], "spec-remove-subpackage")
        self.assertEqual(resolved["components"]["found"]["spec"], {"type": "local", "path": "specs/a/found.spec", "upstream-distro": {"name": "azurelinux", "version": "4.0"}})
        self.assertEqual(resolved["images"]["server"]["packages"], ["bash", "openssh-server"])
        self.assertEqual(resolved["images"]["server"]["users"]["admin"]["ssh-keys"], ["ssh-ed25519 AAAA a@b"])
        self.assertNotIn("abstract", resolved["images"]["server"])
        schema = json.loads(self.run_ashlar("config", "schema").stdout)
        used = set()
        def walk(name, value):
            for key, v in value.items():
                used.add((name, key))
                rule = schema["$defs"][name]["properties"][key]
                below = rule.get("$ref") or rule.get("additionalProperties", {}).get("$ref") if isinstance(rule.get("additionalProperties", {}), dict) else rule.get("$ref")
                items = rule.get("items", {})
                of_items = items.get("$ref") or next((a["$ref"] for a in items.get("anyOf", []) if "$ref" in a), None)
                for child, ref in ([(v, rule["$ref"])] if "$ref" in rule else [(c, below) for c in v.values()] if below else [(c, of_items) for c in v if isinstance(c, dict)] if of_items else []):
                    walk(ref.split("/")[-1], child)
        walk("file", tomllib.loads((GOOD / "ashlar.toml").read_text()))
        walk("overlay-file", tomllib.loads((GOOD / "overlays" / "bash.overlay.toml").read_text()))
        every = {(name, key) for name, rule in schema["$defs"].items() for key in rule["properties"]}
        self.assertEqual(every - used, set(), "keys that tests/golden/config-good lacks")

    def test_explain(self):
        def explain(key, **more):
            return self.run_ashlar("-C", "good", "config", "explain", key, **more)
        os.symlink(GOOD, self.dir / "good")
        out = explain("components.bash.build.without").stdout
        self.assertEqual(out.splitlines()[0], 'components.bash.build.without = ["from-distro", "from-project", "from-the-second-file", "docs", "static"]')
        self.assertIn('appended   "from-the-second-file"  at good/more/extra.toml:6:18  by default-component-config of the project', out)
        self.assertIn('appended   "docs"  at good/ashlar.toml:118:12  by the component', out)
        out = explain("distros.azurelinux.description").stdout
        self.assertEqual(out.splitlines(), ['distros.azurelinux.description = "the distribution, described again"',
            '    set        "the distribution, described again"  at good/more/extra.toml:3:15  by the project',
            '    overridden "the distribution"  at good/ashlar.toml:21:15  by the project'])
        self.assertIn("by image 'common'", explain("images.server.users.admin.ssh-keys").stdout)
        self.assertIn("by an overlay file", explain("components.bash.overlays").stdout)
        self.assertIn("<built-in>", explain("resources.rpm-repo-set-templates.azl-standard.subrepos").stdout)
        self.assertIn("is not set; default: auto", explain("components.empty.release.calculation").stdout)
        self.assertIn('.versions."4.0".release-ver = "4.0"', explain('distros.azurelinux.versions."4.0".release-ver').stdout)
        self.assertIn("did you mean 'build'?", explain("components.bash.biuld", status=2).stderr)
        self.assertIn("did you mean 'bash'?", explain("components.bahs.build", status=1).stderr)
        self.write("long/ashlar.toml", '[[components.a.overlays]]\ntype = "spec-append-lines"\nlines = ["one", "two"]\ndescription = "' + "x" * 79 + '\u2014 y"\n')
        long = json.loads(self.run_ashlar("-C", "long", "--json", "config", "explain", "components.a.overlays").stdout)[0]["value"]
        self.assertEqual(tomllib.loads("a = " + long)["a"][0], {"type": "spec-append-lines", "description": "x" * 79 + "\u2014 y", "lines": ["one", "two"]})
        explain("components.bash.", status=2)
        explain('components."bash', status=2)
        found = json.loads(self.run_ashlar("-C", "good", "--json", "config", "explain", "components.bash.build.defines.dist").stdout)
        self.assertEqual((found[0]["value"], found[0]["from"][0]["line"]), ('".azl4"', 119))

    def test_inheritance_of_false(self):
        """An explicit false overrides an inherited true in strict mode only: azldev cannot say it."""
        text = """[project]
overlay-semantics = "%s"
[default-component-config.render]
skip-file-filter = true
[components.a.render]
skip-file-filter = false
"""
        for mode, value in ("azldev", True), ("strict", False):
            self.write("ashlar.toml", text % mode)
            self.assertEqual(json.loads(self.dump(self.dir, "--resolved", "--format=json"))["components"]["a"]["render"]["skip-file-filter"], value)

    def test_other_file_names(self):
        self.write("a/azldev.toml", "[components.bash]\n")
        self.write("a/deep/er/x", "")
        self.assertEqual(self.run_ashlar("config", "check", cwd=self.dir / "a" / "deep" / "er").stdout, "no mistakes: 1 component, 0 overlays, 0 images\n")
        self.write("a/ashlar.toml", "[components.zsh]\n[components.fish]\n")
        self.assertIn("2 components", self.run_ashlar("-C", "a", "config", "check").stdout)
        self.assertIn("1 component,", self.run_ashlar("-C", "a/azldev.toml", "config", "check").stdout)
        over = self.write("over.toml", "[project]\ndescription = 'over'\n")
        self.assertIn("over.toml:2:15", self.run_ashlar("-C", "a", "config", "explain", "--config-file", over, "project.description").stdout)
        self.run_ashlar("-C", "nowhere", "config", "check", status=1)
        (self.dir / "empty").mkdir()
        self.assertIn("no project", self.run_ashlar("-C", "empty", "config", "check", status=1).stderr)

    def test_overlay_files(self):
        """Behind the inline ones; pattern by pattern, in a pattern by file name, each file once; from the project's directory with {component}, else from the component's."""
        meta = "[metadata]\ncategory = 'azl-pruning'\nupstream-status = 'inapplicable'\n"
        def overlay(path, *tags):
            self.write(path, meta + "".join(f"[[overlays]]\ntype = 'spec-remove-tag'\ntag = '{t}'\n" for t in tags))
        overlay("comps/x/ov/z/10-b.toml", "b1", "b2")
        overlay("comps/x/ov/a/2-a.toml", "a")
        overlay("comps/x/ov/m/10-a.toml", "c")
        overlay("comps/x/first.toml", "first")
        overlay("comps/y/ov/only.toml", "y")
        self.write("comps/x/x.comp.toml", "[components.x]\noverlay-files = ['first.toml', 'ov/**/*.toml', 'first.*']\noverlays = [{ type = 'spec-remove-tag', tag = 'inline' }]\n")
        self.write("comps/y/y.comp.toml", "[components.y]\n[components.z]\n[component-groups.g]\ncomponents = ['y']\ndefault-component-config.overlay-files = ['ov/*.toml']\n")
        self.write("comps/w.toml", "[components.w]\n")
        overlay("by-name/w/1.toml", "w")
        self.write("ashlar.toml", "includes = ['comps/**/*.comp.toml', 'comps/w.toml']\n[default-component-config]\noverlay-files = ['by-name/{component}/*.toml']\n")
        self.run_ashlar("config", "check")
        found = json.loads(self.dump(self.dir, "--resolved", "--format=json"))["components"]
        self.assertEqual({name: [o["tag"] for o in c.get("overlays", [])] for name, c in found.items()},
                         {"x": ["inline", "first", "c", "b1", "b2", "a"], "y": ["y"], "z": [], "w": ["w"]})
        self.assertEqual(found["w"]["overlays"][0]["metadata"], {"category": "azl-pruning", "upstream-status": "inapplicable"})

    def test_real_tree(self):
        unpack_tree(self.dir)
        p = self.run_ashlar("config", "check", "-v")
        self.assertEqual(p.stdout, "no mistakes: 7583 components, 233 overlays, 5 images\n")
        self.assertNotIn("error", p.stderr)
        self.assertEqual(self.run_ashlar("config", "check").stderr, "")
        names = set()
        for f in self.dir.rglob("*.toml"): # an independent reading: no component is lost
            if "overrides" not in f.parts:
                names |= set(tomllib.loads(f.read_text()).get("components", {}))
        self.assertEqual(self.run_ashlar("component", "list").stdout.split("\n")[:-1], sorted(names, key=lambda n: n.encode()))
        resolved = self.round_trip(self.dir)
        self.assertEqual(len(resolved["components"]), 7583)
        self.assertEqual(resolved["components"]["git"]["build"]["check"], {"skip": True, "skip_reason": "Disabling checks for initial set of failures."})
        self.assertEqual(resolved["components"]["bash"]["spec"]["upstream-distro"], {"name": "fedora", "version": "rawhide", "snapshot": "2026-02-24T00:00:00-08:00"})
        for case in (SHARED / "corpus" / "overlay-cases").iterdir():
            if case.is_dir():
                self.run_ashlar("-C", case / "component.toml", "config", "dump")

    def test_reference_page_is_up_to_date(self):
        page = (ROOT / "docs" / "configuration.md").read_text()
        self.assertIn(self.run_ashlar("config", "schema", "--reference").stdout, page, "run scripts/config-reference")

if __name__ == "__main__":
    main()
