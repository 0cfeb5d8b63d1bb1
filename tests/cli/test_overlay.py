"""overlay lint and component rebase."""
import json, subprocess, unittest
from ashcli import Case, main

TOP = """
[project]
rendered-specs-dir = "out"
[distros.up.versions.1]
release-ver = "1"
[default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } }
[components.clean]
[components.hello]
"""
GOOD = """
[[components.hello.overlays]]
description = "ours"
type = "spec-set-tag"
tag = "URL"
value = "https://example.org"
"""
SPEC = """Name: hello
Version: 1
URL: https://example.com
%if 0%{?x}
BuildRequires: a
%endif

%build
make
make doc
"""

class Lint(Case):
    def lint(self, overlays, status=0):
        self.write("p/ashlar.toml", TOP + overlays)
        self.write("up/hello/hello.spec", SPEC)
        self.write("up/clean/clean.spec", "Name: clean\n")
        return [(x["finding"], x["component"]) for x in json.loads(self.run_ashlar("-C", "p", "overlay", "lint", "--specs", "up", "--json", status=status).stdout)]

    def test_lint(self):
        self.assertEqual(self.lint(GOOD), [])
        self.assertEqual(self.lint(GOOD.replace('description = "ours"\n', ""), 1), [("no-reason", "hello")])
        many = '[[components.hello.overlays]]\ndescription = "x"\ntype = "spec-search-replace"\nregex = "make"\nreplacement = "make -s"\n'
        self.assertEqual(self.lint(many, 1), [("many-matches", "hello")])
        inside = '[[components.hello.overlays]]\ndescription = "x"\ntype = "spec-remove-tag"\ntag = "BuildRequires"\n'
        self.assertEqual(self.lint(inside, 1), [("in-conditional", "hello")])
        arrived = GOOD.replace("https://example.org", "https://example.com")
        self.assertIn(self.lint(arrived, 1)[0][0], ("no-effect", "arrived-upstream"))

    def test_rebase(self):
        self.write("p/ashlar.toml", TOP + GOOD + '[[components.hello.overlays]]\ndescription = "no doc"\ntype = "spec-search-replace"\nregex = "^make doc$"\nreplacement = ""\n')
        self.write("up/hello/hello.spec", SPEC)
        self.write("new/hello/hello.spec", SPEC.replace("Version: 1", "Version: 2\nEpoch: 1"))
        p = self.run_ashlar("-C", "p", "component", "rebase", "hello", "--specs", "up", "--onto", "new", "--output", "out")
        self.assertTrue(p.stdout.startswith("2 applied"), p.stdout)
        self.assertIn("URL: https://example.org\n", (self.dir / "out/hello.spec").read_text())
        self.write("new/hello/hello.spec", SPEC.replace("make doc", "make documentation"))
        p = self.run_ashlar("-C", "p", "component", "rebase", "hello", "--specs", "up", "--onto", "new", status=1)
        self.assertIn("-make doc", p.stdout) # both sides
        self.assertIn("+make documentation", p.stdout)
        self.assertIn("reason: no doc", p.stdout)
        j = json.loads(self.run_ashlar("-C", "p", "component", "rebase", "hello", "--specs", "up", "--onto", "new", "--json", status=1).stdout)
        self.assertEqual((j["applied"], len(j["conflicts"])), (1, 1))
        self.assertIn("make documentation", j["conflicts"][0]["new"])
        self.run_ashlar("-C", "p", "component", "rebase", "hello", "--specs", "up", status=2)

    def test_rebase_of_a_local_spec(self):
        self.write("p/ashlar.toml", TOP + '[components.own]\nspec = { type = "local", path = "own/own.spec" }\n' + GOOD.replace("hello", "own").replace("set-tag", "update-tag"))
        self.write("p/own/own.spec", SPEC.replace("hello", "own"))
        self.write("new/own/own.spec", SPEC.replace("hello", "own").replace("URL", "Url"))
        self.assertTrue(self.run_ashlar("-C", "p", "component", "rebase", "own", "--onto", "new").stdout.startswith("1 applied"))
        self.write("new/own/own.spec", "Name: own\n\n%build\n")
        p = self.run_ashlar("-C", "p", "component", "rebase", "own", "--onto", "new", status=1)
        self.assertIn("1 in conflict", p.stdout)
        self.run_ashlar("-C", "p", "component", "rebase", "own", "--onto", "nowhere", status=1)

if __name__ == "__main__":
    main()
