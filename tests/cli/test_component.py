"""component list, component show, deviations: on a small project and on the real tree."""
import json, resource, subprocess, tarfile, time, unittest
from ashcli import ASHLAR, SHARED, Case, main

PROJECT = """
[project]
description = "a small one"
default-distro = { name = "mine" }
[distros.mine]
default-version = "1"
[distros.mine.versions.1]
release-ver = "1"
default-component-config = { spec = { type = "upstream", upstream-distro = { name = "up", version = "9" } } }
[distros.up]
dist-git-base-uri = "https://example.org/$pkg.git"
[distros.up.versions.9]
release-ver = "9"
dist-git-branch = "u9"
[components.zsh]
[components.bash]
build = { without = ["nls"], defines = { a = "b|c" }, check = { skip = true, skip_reason = "needs a terminal" } }
[[components.bash.overlays]]
description = "no docs"
type = "spec-remove-tag"
tag = "Requires"
value = "doc"
metadata = { category = "azl-pruning", upstream-status = "needs-upstream-hook" }
"""

class Component(Case):
    def setUp(self):
        super().setUp()
        self.write("p/ashlar.toml", PROJECT)

    def test_list(self):
        self.assertEqual(self.run_ashlar("-C", "p", "component", "list").stdout, "bash\nzsh\n")
        self.assertEqual(self.run_ashlar("-C", "p", "component", "list", "z*").stdout, "zsh\n")
        self.assertEqual(self.run_ashlar("-C", "p", "component", "list", "--overlays").stdout, "bash\n")
        self.assertEqual(json.loads(self.run_ashlar("-C", "p", "component", "list", "--json").stdout), [{"component": "bash"}, {"component": "zsh"}])
        self.assertEqual(self.run_ashlar("component", "list", cwd=self.dir / "p").stdout, "bash\nzsh\n")
        self.assertEqual(self.run_ashlar("component", "list", "-l", cwd=self.dir / "p").stdout.splitlines()[0].split("\t")[:3], ["bash", "upstream", "up 9"])

    def test_list_on_a_terminal(self):
        status, out = self.on_terminal("-C", "p", "component", "list", "--long", "--color=never")
        lines = out.replace("\r", "").splitlines()
        self.assertEqual(status, 0)
        self.assertEqual(lines[0].split(), ["COMPONENT", "SPEC", "DISTRO", "OVERLAYS", "DECLARED"])
        for word in ("SPEC", "DISTRO", "DECLARED"): # the columns stand below their headers
            at = lines[0].index(word)
            self.assertTrue(all(line[at - 1] == " " and line[at] != " " for line in lines[1:]), out)
        self.assertIn("\033[1mCOMPONENT\033[0m", self.on_terminal("-C", "p", "component", "list")[1])

    def test_show(self):
        shown = json.loads(self.run_ashlar("-C", "p", "component", "show", "bash", "--json").stdout)[0]
        self.assertEqual((shown["component"], shown["without"], shown["defines"], shown["check skipped"]), ("bash", ["nls"], {"a": "b|c"}, True))
        self.assertEqual(shown["overlays"][0]["type"], "spec-remove-tag")
        p = self.run_ashlar("-C", "p", "component", "show", "bassh", status=None)
        self.assertNotEqual(p.returncode, 0)
        self.assertIn("bash", p.stderr)

    def test_json_of_failures_is_json(self):
        shown = self.run_ashlar("-C", "p", "component", "show", "bash", "bassh", "--json", status=1)
        self.assertEqual([c["component"] for c in json.loads(shown.stdout)], ["bash"])
        diff = self.run_ashlar("-C", "p", "component", "diff", "bash", "--json", "--specs", "nowhere", status=None)
        self.assertNotEqual(diff.returncode, 0)
        self.assertEqual(json.loads(diff.stdout), [])

    def test_add(self):
        compact = "# a list\n\n[components.alpha]\n[components.Beta] # big\n# about it\n[components.delta]\n[components.zulu]\n"
        def added(text, *args, **more):
            path = self.write("q/ashlar.toml", text)
            self.assertEqual(self.run_ashlar("-C", "q", "component", "add", *args, **more).stdout, "q/ashlar.toml\n")
            return path.read_text()
        self.assertEqual(added(compact, "charlie"), compact.replace("# about", "[components.charlie]\n# about"))
        self.assertEqual(added(compact, "a+b"), compact.replace("[components.alpha]", '[components."a+b"]\n[components.alpha]'))
        self.assertEqual(added(compact, "zz"), compact + "[components.zz]\n")
        self.assertEqual(added(compact, "x", "--upstream-name", "y", "--commit", "1234567"),
                         compact.replace("[components.zulu]", '[components.x]\nspec = { type = "upstream", upstream-name = "y", upstream-commit = "1234567" }\n[components.zulu]'))
        spaced = "[components.a]\nrelease = { calculation = \"manual\" }\n\n[components.c]\n\n[components.d]\n"
        self.assertEqual(added(spaced, "b"), spaced.replace("[components.c]", "[components.b]\n\n[components.c]"))
        self.assertEqual(added(spaced, "e"), spaced + "\n[components.e]\n")
        crlf = compact.replace("\n", "\r\n")
        path = self.write("q/ashlar.toml", crlf.encode())
        self.run_ashlar("-C", "q", "component", "add", "m")
        self.assertEqual(path.read_bytes().decode(), crlf.replace("[components.zulu]", "[components.m]\r\n[components.zulu]"))

    def test_add_refuses(self):
        self.assertIn("ashlar.toml:", self.run_ashlar("-C", "p", "component", "add", "bash", status=1).stderr)
        self.run_ashlar("-C", "p", "component", "add", "../x", status=2)
        self.run_ashlar("-C", "p", "component", "add", "x", "--spec", "x.spec", "--commit", "1234567", status=2)
        # a spec that is not there: where it would be, and how it is named from there
        self.write("p/specs/x/x.spec", "Name: x\n")
        for spec, there in (("nosuch", "p/nosuch"), ("p/specs/x/x.spec", "p/p/specs/x/x.spec"), ("specs", "p/specs/x.spec")):
            said = self.run_ashlar("-C", "p", "component", "add", "x", "--spec", spec, status=1).stderr
            self.assertIn(f"{there}: error: there is no such spec for 'x'", said)
            self.assertIn("--spec is relative to p/ashlar.toml", said)
            self.assertEqual("from there it is --spec specs/x/x.spec" in said, spec == "p/specs/x/x.spec")
        self.assertEqual((self.dir / "p/ashlar.toml").read_text(), PROJECT)
        # a distro that does not exist: the file is as before
        p = self.run_ashlar("-C", "p", "component", "add", "x", "--distro", "nowhere", status=None)
        self.assertNotEqual(p.returncode, 0)
        self.assertEqual((self.dir / "p/ashlar.toml").read_text(), PROJECT)
        # a file that the project does not include
        self.write("p/other.toml", "[components.a]\n")
        self.assertIn("not one of the project's files", self.run_ashlar("-C", "p", "component", "add", "x", "--file", "p/other.toml", status=1).stderr)
        self.assertEqual((self.dir / "p/other.toml").read_text(), "[components.a]\n")

    def test_no_project(self):
        p = self.run_ashlar("-C", "/nowhere", "component", "list", status=None)
        self.assertIn(p.returncode, (1, 3))
        self.assertIn("/nowhere", p.stderr)

    def test_deviations(self):
        env = {"SOURCE_DATE_EPOCH": "1760000000"}
        d = json.loads(self.run_ashlar("-C", "p", "deviations", "--json", env=env).stdout)
        self.assertEqual([(x["kind"], x["what"], x["reason"]) for x in d], [
            ("azl-pruning", "spec-remove-tag Requires", "no docs"), ("build-option", "without nls", None), ("build-option", "define a = b|c", None),
            ("check-skipped", "%check does not run", "needs a terminal")])
        self.assertEqual(d[0]["upstream-status"], "needs-upstream-hook")
        self.assertEqual([x["kind"] for x in json.loads(self.run_ashlar("-C", "p", "deviations", "--json", "--by", "kind").stdout)],
                         ["azl-pruning", "build-option", "build-option", "check-skipped"])
        md = self.run_ashlar("-C", "p", "deviations", "--format", "markdown", env=env).stdout
        self.assertIn("define a = b\\|c", md)
        rows = [line for line in md.splitlines() if line.startswith("| bash")]
        self.assertEqual(len(rows), 4)
        for row in rows: # seven cells each, whatever is in them
            self.assertEqual(row.replace("\\|", "").count("|"), 8, row)
        self.assertEqual(len(self.run_ashlar("-C", "p", "deviations").stdout.splitlines()), 4)
        self.assertEqual(self.run_ashlar("-C", "p", "deviations", "zsh").stdout, "")

    def test_ages(self):
        env = {"SOURCE_DATE_EPOCH": str(1760000000 // 86400 * 86400 + 86400 * 40)}
        self.write("p/ashlar.toml", PROJECT.replace("metadata = {", 'metadata = { since = "2025-10-09",'))
        who = {**self.env, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "GIT_CONFIG_GLOBAL": "/dev/null",
               "GIT_COMMITTER_DATE": str(1760000000 // 86400 * 86400 + 86400 * 30) + " +0000"}
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
            subprocess.run(["git", *command], cwd=self.dir / "p", env=who, check=True)
        def ages(*args):
            return [x["age-days"] for x in json.loads(self.run_ashlar("-C", "p", "deviations", "--json", *args, env=env).stdout)]
        self.assertEqual(ages(), [40, None, None, None]) # 2025-10-09 is the day of 1760000000
        self.assertEqual(ages("--blame"), [40, 10, 10, 10])
        self.assertEqual(ages("--blame", "--by", "age"), [40, 10, 10, 10])

    def test_real_tree(self):
        archive = SHARED / "corpus/azurelinux-4.0/config-tree.tar.zst"
        if not archive.exists():
            self.skipTest("no corpus")
        subprocess.run(["tar", "--zstd", "-xf", archive, "-C", self.dir], check=True)
        out = self.run_ashlar("-C", self.dir, "component", "list").stdout
        self.assertEqual(len(out.splitlines()), 7583)
        self.assertEqual(out.splitlines(), sorted(out.splitlines()))
        d = json.loads(self.run_ashlar("-C", self.dir, "deviations", "--json").stdout)
        self.assertEqual(sum("overlay" in x for x in d), 233)

if __name__ == "__main__":
    main()
