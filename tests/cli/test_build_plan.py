"""ashlar build plan, build impact: made-up distributions, judged by what tests/lib/spectree.py works out by the plainest means and by python's graphlib."""
import graphlib, json, os, pathlib, subprocess, sys, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import spectree  # noqa: E402
from ashcli import SHARED, Case  # noqa: E402

STAGES = """[build]
packages = ["base-tools"]
upstreams = ["built"]
[build.stages.early]
packages = []
upstreams = ["elsewhere"]
[upstreams.built]
type = "components"
[upstreams.elsewhere]
default = true
type = "rpm-md"
base-uri = "file:///nonexistent"
disable-gpg-check = true
"""


class Plan(Case):
    def plan(self, *args, status=0):
        return json.loads(self.run_ashlar("--json", "build", *args, status=status).stdout)

    def project(self, specs, build=STAGES, staged=()):
        """specs: name -> lines of the preamble, or a whole spec."""
        lines = [build, "[components]"]
        for name, text in specs.items():
            if "%files" not in text:
                text = f"Name: {name}\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\n{text}\n%description\nx\n%files\n"
            self.write(f"specs/{name}/{name}.spec", text)
            stage = 'build = { stage = "early" }, ' if name in staged else ""
            lines.append(f'"{name}" = {{ {stage}spec = {{ type = "local", path = "specs/{name}/{name}.spec" }} }}')
        self.write("ashlar.toml", "\n".join(lines) + "\n")

    def needs(self, plan):
        return {c["name"]: c["needs"] for c in plan["components"]}

    # ---- against the judge ----
    def judge(self, seed, names, stages):
        model = spectree.model([f"c{i}" for i in range(names)], seed=seed, provides=12, cycles=4)
        spectree.write(model, self.dir, seed, stages)
        judge = spectree.Judge(model)
        edges = judge.edges(stages=stages)
        plan = self.plan("plan", "--all")
        place = {c["name"]: i for i, c in enumerate(plan["components"])}
        cut = {c["name"] for c in plan["components"] if c["cut"]}
        self.assertEqual(sorted(place), sorted(model))
        # The order: a cut component waits for nothing, every other one for all that its buildroot has.
        kept = {n: set() if n in cut else edges[n] for n in edges}
        list(graphlib.TopologicalSorter(kept).static_order())  # raises when the cuts do not break every cycle
        self.assertEqual([(a, b) for a in kept for b in kept[a] if place[b] > place[a]], [])
        levels = {}
        for n in graphlib.TopologicalSorter(kept).static_order():
            levels[n] = 1 + max((levels[b] for b in kept[n]), default=0)
        self.assertEqual({c["name"]: c["level"] for c in plan["components"]}, levels)
        # Cycles: exactly those of the judge, and of those that stages break the ones that would be there without.
        still = spectree.cycles(edges)
        self.assertEqual(sorted(tuple(c["components"]) for c in plan["cycles"] if not c["broken"]), still)
        self.assertEqual(cut, {n for c in plan["cycles"] if not c["broken"] for n in c["would-break"]})
        if stages:
            staged = {n for n in model if model[n].stage}
            without = [c for c in spectree.cycles(judge.edges(stages=False)) if staged & set(c)]
            self.assertEqual(sorted(tuple(c["components"]) for c in plan["cycles"] if c["broken"]), without)
        # No cut is needless.
        for n in cut:
            with self.assertRaises(graphlib.CycleError):
                list(graphlib.TopologicalSorter({**kept, n: edges[n]}).static_order())
        self.check_loops(plan, model, judge)
        self.check_impact(sorted(model)[seed], {n: edges[n] for n in edges})
        return plan, model, judge

    def check_loops(self, plan, model, judge):
        for cycle in plan["cycles"]:
            if cycle["broken"]:
                continue
            loop = cycle["loop"]
            self.assertEqual([s["to"] for s in loop], [s["from"] for s in loop[1:] + loop[:1]])
            self.assertEqual(sum(s["best"] for s in loop), 1)
            self.assertGreater(len({s["from"] for s in loop if s["from-kind"] == "component"}), 1)
            for s in loop:
                if s["from-kind"] == "component" and s["to-kind"] == "package":
                    self.assertIn(s["dependency"], model[s["from"]].needs)
                    self.assertIn(s["to"], judge.meets(s["dependency"], set()))
                elif s["from-kind"] == "package" and s["to-kind"] == "component":
                    self.assertEqual(judge.owner[s["from"]], s["to"])

    def check_impact(self, name, edges):
        waves, seen = [], {name}
        now = {name}
        while now:
            now = {n for n in edges if n not in seen and edges[n] & now}
            seen |= now
            if now:
                waves.append(sorted(now))
        self.assertEqual(self.plan("impact", name)["waves"], waves)

    def test_judged_with_stages(self):
        for seed in range(4):
            with self.subTest(seed=seed):
                plan, model, judge = self.judge(seed, 120, True)
        name = plan["components"][60]["name"]
        needed = spectree.reachable(judge.edges(), name) | {name}
        self.assertEqual({c["name"] for c in self.plan("plan", name)["components"]} - needed, set())
        # Again: nothing is read twice, the answer is the same.
        again = self.plan("plan", "--all")
        self.assertEqual(again["counts"]["specs-read"], 0)
        self.assertEqual(again["components"], plan["components"])

    def test_judged_without_stages(self):
        plan, model, _ = self.judge(7, 60, False)
        self.assertTrue(any(set(spectree.CORE[:2]) <= set(c["components"]) for c in plan["cycles"]))

    # ---- by hand ----
    def test_chain_and_base(self):
        self.project({"base-tools": "", "lib": "BuildRequires: elsewhere-only\nProvides: pkgconfig(lib) = 1.5", "app": "BuildRequires: pkgconfig(lib) >= 1.2", "old": "BuildRequires: pkgconfig(lib) >= 2",
                      "tool": "BuildRequires: /usr/bin/app-run", "app-run": "%description\nx\n%files\n%{_bindir}/app-run\n"}, staged=["base-tools"])
        self.write("specs/app-run/app-run.spec", "Name: app-run\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\nBuildRequires: app\n%description\nx\n%files\n%attr(755,root,root) %{_bindir}/app-run\n")
        plan = self.plan("plan", "--all")
        self.assertEqual(self.needs(plan), {"base-tools": [], "lib": [], "app": ["lib"], "old": [], "app-run": ["app"], "tool": ["app-run"]})
        self.assertEqual({c["name"]: c["level"] for c in plan["components"]}, {"base-tools": 1, "lib": 2, "app": 3, "old": 2, "app-run": 4, "tool": 5})
        self.assertEqual(plan["critical-path"]["components"], ["base-tools", "lib", "app", "app-run", "tool"])
        self.assertEqual(plan["counts"]["met-elsewhere"], 2)
        self.assertEqual(self.plan("impact", "lib")["waves"], [["app"], ["app-run"], ["tool"]])
        self.assertEqual([c["name"] for c in self.plan("plan", "app")["components"]], ["base-tools", "lib", "app"])

    def test_rich(self):
        self.project({"base-tools": "", "a": "", "b": "", "c": "", "and": "BuildRequires: (a and b)", "or": "BuildRequires: (nothing or b)", "if-no": "BuildRequires: (a if c)", "if-yes": "BuildRequires: (a if c)\nBuildRequires: c",
                      "unless-yes": "BuildRequires: (a unless c)", "unless-no": "BuildRequires: (a unless c)\nBuildRequires: c", "else": "BuildRequires: (a if c else b)", "with": "BuildRequires: (a with a = 1)",
                      "deep": "BuildRequires: middle", "middle": "Requires: (b if c)", "deep-c": "BuildRequires: middle\nBuildRequires: c"}, staged=["base-tools"])
        plan = self.plan("plan", "--all")
        needs = self.needs(plan)
        self.assertEqual({k: v for k, v in needs.items() if k not in ("a", "b", "c", "base-tools", "middle")},
                         {"and": ["a", "b"], "or": ["b"], "if-no": [], "if-yes": ["a", "c"], "unless-yes": ["a"], "unless-no": ["c"], "else": ["b"], "with": ["a"], "deep": ["middle"], "deep-c": ["b", "c", "middle"]})

    def test_cycles(self):
        # What needs itself is no cycle: what it gave is never in its own buildroot.
        self.project({"base-tools": "BuildRequires: base-tools", "x": "BuildRequires: y-devel", "y": "BuildRequires: x", "self": "BuildRequires: self"}, staged=["base-tools"])
        self.write("specs/y/y.spec", "Name: y\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\nBuildRequires: x\n%description\nx\n%package devel\nSummary: x\n%description devel\nx\n%files\n%files devel\n")
        plan = self.plan("plan", "--all")
        self.assertEqual([(c["components"], c["broken"]) for c in plan["cycles"]], [(["x", "y"], False)])
        self.assertEqual(len(plan["cycles"][0]["would-break"]), 1)
        text = self.run_ashlar("build", "plan", "--all").stdout
        self.assertIn("cycle of 2 components, which no stage breaks: x y", text)
        self.assertIn("x needs for its build y-devel", text)
        self.assertIn("best broken here", text)
        # Declared, it is broken.
        self.project({"base-tools": "", "x": "BuildRequires: y", "y": "BuildRequires: x"}, staged=["base-tools", "x"])
        plan = self.plan("plan", "--all")
        self.assertEqual([(c["components"], c["broken"], c.get("broken-by")) for c in plan["cycles"]], [(["x", "y"], True, ["x"])])
        self.assertEqual([c["name"] for c in plan["components"]], ["base-tools", "x", "y"])

    def test_base_from_elsewhere(self):
        """The base of a stage comes from other upstreams than what is built here, unless that is declared: then gzip and what needs it to be built are a cycle, and it is said how to break it."""
        build = STAGES.replace('upstreams = ["built"]\n', 'upstreams = ["built", "elsewhere"]\n%s').replace('packages = ["base-tools"]', 'packages = ["gzip", "macros"]')
        specs = {"gzip": "BuildRequires: lib", "lib": "", "app": "BuildRequires: gzip", "macros": ""}
        self.project(specs, build % "", staged=["macros"])
        plan = self.plan("plan", "--all")
        self.assertEqual((plan["cycles"], self.needs(plan)), ([], {"app": ["gzip"], "gzip": ["lib"], "lib": [], "macros": []}))
        self.assertEqual({c["name"]: c["level"] for c in plan["components"]}, {"macros": 1, "lib": 2, "gzip": 3, "app": 4})  # only what an earlier stage gives is before all others
        self.assertEqual(self.plan("impact", "gzip")["waves"], [["app"]])
        self.project(specs, build % 'base-upstreams = ["built"]\n', staged=["macros"])
        self.assertEqual([(c["components"], c["broken"]) for c in self.plan("plan", "--all")["cycles"]], [(["gzip", "lib"], False)])
        self.assertIn('  as in:\n    [components.gzip]\n    build.stage = "early"\n', self.run_ashlar("build", "plan", "--all").stdout)
        self.project(specs, (build % 'base-upstreams = ["built"]\n').replace('[build.stages.early]\npackages = []\nupstreams = ["elsewhere"]\n', ""))
        self.assertIn('  as in:\n    [build.stages.bootstrap]\n    upstreams = ["elsewhere"]\n    [components.', self.run_ashlar("build", "plan", "--all", status=None).stdout)

    def test_corpus(self):
        """The twelve specs are read by the plain reader, all of them."""
        names = sorted(p.name for p in (SHARED / "corpus/specs").iterdir() if p.is_dir())
        self.project({n: (SHARED / f"corpus/specs/{n}/{n}.spec").read_text() for n in names})
        plan = self.plan("plan", "--all")
        self.assertEqual(sorted(c["name"] for c in plan["components"]), names)
        self.assertEqual((plan["counts"]["specs-failed"], plan["reader"]), (0, "plain"))
        self.assertGreater(plan["counts"]["packages"], 25)

    def test_plain_reader(self):
        """Beside rpmspec: what it says of the twelve specs. More where a condition cannot be decided without rpm, never less."""
        exact = 0
        for spec in sorted((SHARED / "corpus/specs").glob("*/*.spec")):
            def ask(*args):
                p = subprocess.run(["rpmspec", "-q", *args, "--define", f"_sourcedir {spec.parent}", "--define", "dist %{nil}", spec], capture_output=True, text=True, env=self.env)
                return p.stdout.splitlines() if p.returncode == 0 else None
            needs, packages = ask("--srpm", "--qf", "[B %{REQUIRENEVRS}\n]"), ask("--qf", "P %{NAME} %{EPOCHNUM} %{VERSION} %{RELEASE} %{ARCH}\n[p %{PROVIDENEVRS}\n][r %{REQUIRENEVRS}\n]")
            if not needs or not packages:
                continue   # macros that this host's rpm does not have
            mine = subprocess.run([os.environ["ASHLAR_SPECINFO_TOOL"], spec], capture_output=True, text=True, check=True).stdout.splitlines()
            own = {f"p {w[1]} = {w[2] + ':' if w[2] != '0' else ''}{w[3]}-{w[4]}" for w in (line.split() for line in packages) if w[0] == "P"}
            theirs = {line for line in needs + packages if not line.startswith("r rpmlib(")} - own
            self.assertEqual(theirs - set(mine), set(), spec.name)
            exact += theirs == {line for line in mine if line[0] != "f"}
        self.assertGreaterEqual(exact, 8)

    def test_dot_and_usage(self):
        self.project({"base-tools": "", "a": "BuildRequires: b", "b": ""}, staged=["base-tools"])
        dot = self.run_ashlar("build", "plan", "--all", "--dot").stdout
        self.assertIn('"a" -> "b"', dot)
        self.assertTrue(dot.startswith("digraph build {") and dot.endswith("}\n"))
        self.run_ashlar("build", "plan", status=2)
        self.assertIn("base-tools", self.run_ashlar("build", "impact", "base-tool", status=None).stderr)


if __name__ == "__main__":
    unittest.main()
