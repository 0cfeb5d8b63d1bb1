"""component build of several: real builds in the order of the graph, failures isolated, resumed, ended by hand; specs read by rpm in the sandbox."""
import json, os, pathlib, re, shutil, signal, subprocess, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import buildkit, dnfjudge  # noqa: E402
from ashcli import ASHLAR  # noqa: E402

NOARCH = "BuildArch: noarch\n"


def setUpModule():
    global KIT
    KIT = buildkit.BuildKit()


def tearDownModule():
    KIT.close()


class Builds(unittest.TestCase):
    maxDiff = 4000
    number = 0

    def project(self):
        Builds.number += 1
        return KIT.project(f"p{Builds.number}")

    def states(self, result):
        return {c["component"]: c["state"] for c in result["components"]}

    def family(self):
        """app needs lib's package for its build; broken fails; after and last need it; odd cannot be parsed."""
        p = self.project()
        p.component("lib", build=f"echo {self.id()}", tags=NOARCH + "Provides: pkgconfig(lib) = 3\nProvides: %{expand:from-macro} = 1\n%{lua:print('Provides: from-lua = 2')}")
        p.component("app", tags=NOARCH + "BuildRequires: pkgconfig(lib) >= 3\nBuildRequires: from-lua\nBuildRequires: from-macro", build="cat /usr/share/lib")
        p.component("broken", build="echo this goes wrong; exit 7")
        p.component("after", tags=NOARCH + "BuildRequires: broken")
        p.component("last", tags=NOARCH + "BuildRequires: after\nBuildRequires: lib")
        p.component("odd", tags=NOARCH + "Strange: tag")
        p.lock()
        return p

    def test_all(self):
        p = self.family()
        done = p.built("--all", "-j", "2", status=1)
        self.assertEqual(self.states(done), {"lib": "built", "app": "built", "broken": "failed", "after": "skipped", "last": "skipped", "odd": "failed"})
        names = [c["component"] for c in done["components"]]
        self.assertLess(names.index("lib"), names.index("app"))
        self.assertEqual({c["component"]: c.get("needs") for c in done["components"] if c["state"] == "skipped"}, {"after": "broken", "last": "broken"})
        self.assertEqual([done[k] for k in ("built", "cached", "failed", "skipped")], [2, 0, 2, 2])
        self.assertIn("lib-1.0-1.noarch", json.loads(p.blob(p.built("app")[0]["provenance"]).read_text())["buildroot"]["packages"][0]["nevra"])
        built = (p.path / "ashlar.built").read_text()
        lock = (p.path / "ashlar.lock").read_text()
        for name in ("lib-1.0-1.noarch", "app-1.0-1.noarch"):
            self.assertIn(name, built)
            self.assertIn(name, lock)
        # It goes on: what is built is not built again; what is mended is, and then what waited for it.
        p.component("broken")
        p.component("odd")
        again = p.built("--all", "-j", "2")
        self.assertEqual(self.states(again), {"lib": "cached", "app": "cached", "broken": "built", "after": "built", "last": "built", "odd": "built"})
        self.assertEqual(set(self.states(p.built("--all")).values()), {"cached"})
        # Now nothing has changed since anybody looked: nobody is asked, nothing is begun.
        known = p.built("--all")
        self.assertEqual({(c["state"], c["seconds"]) for c in known["components"]}, {("cached", 0)})
        self.assertEqual({c["component"]: c["packages"] for c in known["components"]}, {c["component"]: c["packages"] for c in again["components"]})
        self.assertEqual(set(self.states(p.built("--all", "--define", "some_macro 1")).values()), {"built"})  # what is known is known of these options
        self.assertEqual(set(self.states(p.built("--all")).values()), {"cached"})
        # Times are measured now, and the built packages' headers are what the plan goes by.
        plan = json.loads(p.ashlar("--json", "build", "plan", "--all").stdout)
        self.assertTrue(all(c["measured"] and c["state"] == "built" for c in plan["components"]), plan["components"])
        self.assertEqual(plan["counts"]["from-built-packages"], 6)

    def test_only_what_can_matter_is_asked_about(self):
        """Whatever else is built: nobody is asked about a component whose buildroot could not become another one by it."""
        p = self.project()
        p.component("lib", tags=NOARCH + "Provides: pkgconfig(lib) = 3")
        p.component("app", tags=NOARCH + "BuildRequires: pkgconfig(lib) >= 3\nRequires: lib", build="cat /usr/share/lib")
        p.component("tool", tags=NOARCH + "BuildRequires: app", build="cat /usr/share/app")
        p.component("other", tags=NOARCH + "BuildRequires: extra-devel")
        p.component("perl-user", tags=NOARCH + "BuildRequires: (perl-Some-Thing or further-devel)")
        p.component("alone")
        p.lock()
        asked = lambda done: {c["component"] for c in done["components"] if c["seconds"]}
        self.assertEqual(set(self.states(p.built("--all", "-j", "1")).values()), {"built"})
        known = p.built("--all")
        self.assertEqual((set(self.states(known).values()), asked(known)), ({"cached"}, set()))  # though each but the last was built before all was there
        if shutil.which("strace"):   # one process, and the files of the project are read a few times, however many components there are
            trace = p.path / "trace"
            quiet = {**p.env, "ASAN_OPTIONS": ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))}  # which does not work below strace
            p.build("--all", env=quiet, prefix=["strace", "-f", "-o", trace, "-e", "trace=openat,execve", "-s", "200"])
            calls = trace.read_text()
            self.assertEqual(len(re.findall(r"execve\([^\n]*\"component\"", calls)), 1)
            self.assertLess(len(re.findall(r"ashlar\.lock\"", calls)), 4)
            self.assertLess(len(re.findall(r"ashlar\.built\"", calls)), 6)
        # Another package of lib's: what has it in its buildroot, by itself or through app.
        p.component("lib", tags=NOARCH + "Provides: pkgconfig(lib) = 4")
        done = p.built("--all")
        self.assertEqual({n for n, s in self.states(done).items() if s == "built"}, {"lib", "app", "tool"})
        self.assertEqual(asked(done), {"lib", "app", "tool"})
        self.assertEqual(asked(p.built("--all")), set())
        # A new one that may stand in for what came from elsewhere, or was not there at all.
        p.component("ours", tags=NOARCH + "Provides: extra-devel = 9")
        p.component("thing", tags=NOARCH + "Provides: perl-Some-Thing")
        p.build("ours", "thing")
        done = p.built("--all")
        self.assertEqual(asked(done), {"other", "perl-user"})
        self.assertEqual({n for n, s in self.states(done).items() if s == "built"}, {"perl-user"})  # asked for by its name, the other one stays
        self.assertEqual(asked(p.built("--all")), set())
        # One that is gone from ashlar.built.
        record = p.path / "ashlar.built"
        parts = record.read_text().split("[[components]]")
        record.write_text("[[components]]".join(t for t in parts if 'name = "ours"' not in t))
        done = p.built("other", "alone", "app")
        self.assertEqual((self.states(done), asked(done)), ({"other": "cached", "alone": "cached", "app": "cached"}, {"other"}))
        # One by one it is the same as all at once.
        self.assertTrue(all(p.built(n)[0]["cached"] for n in ("lib", "app", "tool", "alone")))

    def test_stages_of_a_distribution(self):
        """All of it first with another distribution's packages, then all of it with what that gave, as Azure Linux's versions 4.0-stage1 and 4.0-stage2 do: two components that need each other."""
        p = self.project()
        p.more = "[build.stages.stage1]\nupstreams = ['up']\n[distros.test.versions.'1-stage1']\nrelease-ver = '1'\n[distros.test.versions.'1-stage1'.default-component-config]\nbuild.stage = 'stage1'\n"
        for name, other in (("extra", "further"), ("further", "extra")):
            p.component(f"{name}-devel", tags=NOARCH + f"BuildRequires: {other}-devel", install=f"mkdir -p %{{buildroot}}/usr/share/{name}; echo {name} with $(cat /usr/share/{other}/here) > %{{buildroot}}/usr/share/{name}/here", files=f"/usr/share/{name}/here")
        config = p.path / "ashlar.toml"
        second = config.read_text()
        config.write_text(second.replace('name = "test", version = "1"', 'name = "test", version = "1-stage1"'))

        def root(name):
            record = json.loads(p.blob(p.built(name)[0]["provenance"]).read_text())
            return record["buildroot"]["stage"], {b["nevra"].rsplit("-", 2)[0]: b["upstream"] for b in record["buildroot"]["packages"]}

        def says(name):
            rpm = p.blob(next(k["sha256"] for k in p.built(name)[0]["packages"] if k["kind"] == "binary"))
            return subprocess.run(f"rpm2cpio '{rpm}' | cpio -i --quiet --to-stdout", shell=True, check=True, capture_output=True, text=True).stdout.strip()
        p.lock()
        plan = json.loads(p.ashlar("--json", "build", "plan", "--all").stdout)
        self.assertEqual(([c["stage"] for c in plan["components"]], [c["broken"] for c in plan["cycles"]]), (["stage1"] * 2, [True]))
        self.assertEqual(set(self.states(p.built("--all")).values()), {"built"})
        self.assertEqual({name: root(name) for name in ("extra-devel", "further-devel")}, {"extra-devel": ("stage1", {"toolbox": "up", "further-devel": "up"}), "further-devel": ("stage1", {"toolbox": "up", "extra-devel": "up"})})
        self.assertEqual(says("extra-devel"), "extra with further")
        config.write_text(second)
        p.lock()
        self.assertEqual(set(self.states(p.built("--all", status=None)).values()), {"built"})
        self.assertEqual({name: root(name)[1] for name in ("extra-devel", "further-devel")}, {"extra-devel": {"toolbox": "up", "further-devel": "built"}, "further-devel": {"toolbox": "up", "extra-devel": "built"}})

    def test_text(self):
        p = self.family()
        done = p.build("last", "broken", "after", "app", "lib", "-j", "2", status=1)
        rows = {line.split("\t")[0]: line.split("\t")[1:] for line in done.stdout.splitlines()}
        self.assertEqual({k: v[0] for k, v in rows.items()}, {"lib": "built", "app": "built", "broken": "failed", "after": "skipped", "last": "skipped"})
        self.assertEqual(rows["after"][-1], "needs broken")
        self.assertIn("'broken': building 'broken' failed in %build", done.stderr)
        self.assertIn("this goes wrong", done.stderr)
        self.assertIn("2 built, 1 failed, 2 skipped", done.stderr)

    def test_usage(self):
        p = self.family()
        p.build(status=2)
        p.build("--all", "lib", status=2)
        p.build("lib", "app", "--shell", status=2)
        p.build("--all", "--log", "x.log", status=2)
        self.assertIn("lib", p.build("libb", "app", status=1).stderr)

    def test_specs_are_read_by_rpm(self):
        p = self.family()
        made = p.path / "made"
        p.component("sly", tags=NOARCH + f"%{{lua:os.execute('echo x > {made}; echo x > /usr/made')}}\n%(cat {p.path}/ashlar.toml > /tmp/x; ls {KIT.store} > /tmp/y; sleep 0.1)")
        plan = p.ashlar("--json", "build", "plan", "--all", status=1)
        said, found = plan.stderr, json.loads(plan.stdout)
        self.assertEqual(found["reader"], "rpmspec")
        self.assertEqual({c["name"]: c["needs"] for c in found["components"]}["app"], ["lib"])  # only macros know that
        self.assertEqual({c["name"]: c["state"] for c in found["components"]}["odd"], "unknown")
        diag = [d for line in said.splitlines() for d in json.loads(line).get("diagnostics", []) if d["severity"] == "error"]
        line = (p.path / "specs/odd/odd.spec").read_text().splitlines().index("Strange: tag") + 1
        self.assertEqual([(d["file"].endswith("odd.spec"), d["line"]) for d in diag], [(True, line)])
        self.assertFalse(made.exists())
        self.assertEqual(found["counts"]["specs-read"], 6)
        again = json.loads(p.ashlar("--json", "build", "plan", "--all", status=1).stdout)
        self.assertEqual((again["counts"]["specs-read"], again["counts"]["specs-known"]), (0, 6))
        plain = json.loads(p.ashlar("--json", "build", "plan", "--all", "--plain").stdout)
        self.assertEqual(plain["reader"], "plain")
        # What rpm says on the host of the same spec.
        host = KIT.kit.run("rpmspec", "-q", "--srpm", "--qf", "[%{REQUIRENEVRS}\n]", p.path / "specs/app/app.spec").stdout.split("\n")
        self.assertEqual(sorted(filter(None, host)), ["from-lua", "from-macro", "pkgconfig(lib) >= 3"])

    def test_refused_specs_are_remembered(self):
        """What rpm said of them, and of them without some of their overlays: the next plan runs nothing, and says the same."""
        p = self.family()
        spec = p.path / "specs/app/app.spec"
        spec.write_text(spec.read_text().replace("%description\n", "%if 1\n%description\n%endif\n", 1))
        p.components["app"] = '[[components.app.overlays]]\ntype = "spec-search-replace"\nregex = "^%endif$"\nreplacement = "# it was here"\ndescription = "breaks it elsewhere"\n'
        p.write()
        first = p.ashlar("build", "plan", "--all", status=1)
        self.assertIn("without it rpm parses the spec", first.stderr)
        trace = p.path / "trace"
        quiet = {**p.env, "ASAN_OPTIONS": ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))}  # which does not work below strace
        prefix = ["strace", "-f", "-o", trace, "-e", "trace=execve", "-s", "4000"] if shutil.which("strace") else []
        again = p.ashlar("build", "plan", "--all", status=1, env=quiet, prefix=prefix)
        self.assertEqual((again.stdout, again.stderr), (first.stdout, first.stderr))
        if prefix:
            self.assertNotIn("rpmspec", trace.read_text())
        spec.write_text(spec.read_text() + "# other\n")
        self.assertEqual(p.ashlar("build", "plan", "--all", status=1).stderr, first.stderr)

    def test_buildroot_without_rpmspec(self):
        """One reason, not an error for each component: the plain reader does."""
        p = self.project()
        p.component("one", tags=NOARCH + "BuildRequires: extra-devel")
        p.component("two", tags=NOARCH + "BuildRequires: one")
        config = p.path / "ashlar.toml"
        config.write_text(config.read_text().replace('packages = ["toolbox"]', 'packages = ["extra-devel"]'))
        p.lock()
        for _ in range(2):
            said = p.ashlar("build", "plan", "--all")
            self.assertIn("specs were read without running rpm (there is no 'sh' in the buildroot)", said.stdout)
            plan = json.loads(p.ashlar("--json", "build", "plan", "--all").stdout)
            self.assertEqual((plan["reader"], plan["left-out"]), ("plain", []))
            self.assertEqual({c["name"]: c["needs"] for c in plan["components"]}, {"one": [], "two": ["one"]})

    def test_overlay_that_breaks_a_spec(self):
        """The plan says whose fault it is, as the build does: the overlay of the line, or the one without which rpm parses the spec."""
        p = self.project()
        p.component("line", 'overlays = [\n{ type = "spec-add-tag", tag = "Colour", value = "blue", description = "adds what is no tag" }]')
        p.component("far", 'overlays = [\n{ type = "spec-set-tag", tag = "URL", value = "https://example.org", description = "harmless" },\n'
                    '{ type = "spec-search-replace", regex = "^%endif$", replacement = "", description = "takes the end of a condition" },\n{ type = "spec-set-tag", tag = "Summary", value = "x", description = "harmless, too" }]',
                    tags=NOARCH + "URL: https://example.com\n%if 1\n%global x 1\n%endif")
        p.component("own", 'overlays = [{ type = "spec-set-tag", tag = "Summary", value = "x" }]', tags=NOARCH + "Strange: tag")
        p.component("good")
        p.lock()
        config = (p.path / "ashlar.toml").read_text().splitlines()
        line, far = (1 + next(i for i, text in enumerate(config) if word in text) for word in ("no tag", "the end of"))
        plan = p.ashlar("build", "plan", "--all", status=1)
        for said in (plan.stderr, p.build("line", status=1).stderr + p.build("far", status=1).stderr + p.build("own", status=1).stderr):
            self.assertRegex(said, rf"ashlar\.toml:{line}:\d+: error: rpm cannot parse the spec of 'line': .*Colour[^$]*line\.spec:\d+:1: .*the line as it is rendered[^$]*this overlay changed the line: spec-add-tag: adds what is no tag")
            self.assertRegex(said, rf"far\.spec.*: error: rpm cannot parse the spec of 'far': [^$]*ashlar\.toml:{far}:\d+: .*this overlay did it, without it rpm parses the spec: spec-search-replace: takes the end of a condition")
            self.assertRegex(said, r"own\.spec:\d+:1: error: rpm cannot parse the spec of 'own': [^$]*rpm cannot parse it without its overlays either")
            self.assertNotIn("harmless", said)
        self.assertIn("3 components are left out, as the specs cannot be read: far line own", plan.stdout)
        found = json.loads(p.ashlar("--json", "build", "plan", "--all", status=1).stdout)
        self.assertEqual((sorted(found["left-out"]), {c["name"]: c["state"] for c in found["components"]}["good"]), (["far", "line", "own"], "new"))
        self.assertEqual((found["critical-path"], found["seconds"]), ({"seconds": 60, "components": ["good"]}, 60))  # those that are left out take no time

    def test_upstream_out_of_reach(self):
        """Said once, and who is left out; the rest is planned."""
        p = self.project()
        p.component("here", tags=NOARCH + "BuildRequires: extra-devel")
        p.component("user", tags=NOARCH + "BuildRequires: here")
        p.lock()
        text = (p.path / "ashlar.toml").read_text() + '[distros.far]\ndefault-version = "1"\ndist-git-base-uri = "http://127.0.0.1:1/$pkg.git"\n[distros.far.versions.1]\nrelease-ver = "1"\ndist-git-branch = "main"\n'
        text += "".join(f'[components.gone{i:02}]\nspec = {{ type = "upstream", upstream-distro = {{ name = "far", version = "1" }} }}\n' for i in range(30))
        (p.path / "ashlar.toml").write_text(text)
        plan = p.ashlar("build", "plan", "--all", status=1)
        self.assertEqual(plan.stderr.count("error:"), 1, plan.stderr)
        self.assertIn("29 other components of 'far' are left out, too: gone01, gone02", plan.stderr)
        self.assertIn("30 components are left out", plan.stdout)
        found = json.loads(p.ashlar("--json", "build", "plan", "--all", status=1).stdout)
        self.assertEqual({c["name"]: c["needs"] for c in found["components"] if c["state"] != "unknown"}, {"here": [], "user": ["here"]})
        self.assertEqual(len(found["left-out"]), 30)

    def dynamic(self, *needs, **parts):
        asks = "".join(f"\necho '{n}'" for n in needs)
        return dict(prep=f"true\n%generate_buildrequires{asks}", **parts)

    def test_dynamic_requires(self):
        """A component asks, while it is built, for what another of the same run gives: it is built after that, although an older one could be had, and the next plan knows."""
        p = self.project()
        p.component("a-asks", **self.dynamic("extra-devel", build="grep newer /usr/share/extra-devel"))
        p.component("extra-devel", build="sleep 2", install="echo newer > %{buildroot}/usr/share/extra-devel")  # imported, too
        p.component("b-asks", **self.dynamic("pkgconfig(late)", build="cat /usr/share/z-late"))                   # which nobody has yet, and no spec names
        p.component("z-late", build="sleep 1", tags=NOARCH + "Provides: %{lua: print('pkg' .. 'config(' .. 'late)')}")
        p.component("last", tags=NOARCH + "BuildRequires: b-asks")
        p.component("quiet", **self.dynamic())
        p.component("never", **self.dynamic("nobody-has-this"))
        p.lock()
        plan = json.loads(p.ashlar("--json", "build", "plan", "--all").stdout)
        self.assertEqual((sorted(plan["dynamic-unknown"]), plan["counts"]["dynamic-unknown"]), (["a-asks", "b-asks", "never", "quiet"], 4))
        self.assertIn("4 components ask for more while they are built, which is not known yet:", p.ashlar("build", "plan", "--all").stdout)
        self.assertEqual({c["name"]: c.get("dynamic-known") for c in plan["components"]}["last"], None)
        done = p.built("--all", "-j", "2", status=4)
        self.assertEqual(self.states(done), {"a-asks": "built", "extra-devel": "built", "b-asks": "built", "z-late": "built", "last": "built", "quiet": "built", "never": "failed"})
        order = [c["component"] for c in done["components"]]
        for first, then in (("extra-devel", "a-asks"), ("z-late", "b-asks"), ("b-asks", "last")):
            self.assertLess(order.index(first), order.index(then))
        self.assertIn("nobody-has-this", {c["component"]: c.get("reason") for c in done["components"]}["never"])
        self.assertIn('asked = ["extra-devel"]', (p.path / "ashlar.built").read_text())
        self.assertIn("asked = []", (p.path / "ashlar.built").read_text())
        plan = json.loads(p.ashlar("--json", "build", "plan", "--all").stdout)
        self.assertEqual(plan["dynamic-unknown"], ["never"])
        self.assertEqual({c["name"]: c["needs"] for c in plan["components"] if c["needs"]}, {"a-asks": ["extra-devel"], "b-asks": ["z-late"], "last": ["b-asks"]})
        self.assertEqual(set(self.states(p.built("a-asks", "extra-devel", "b-asks", "z-late", "last", "quiet")).values()), {"cached"})
        asked = json.loads(p.ashlar("--json", "component", "build", "a-asks", "--requires").stdout)
        self.assertEqual([(a["requires"], a["asked"], a["met"]) for a in asked], [(["extra-devel"], ["extra-devel"], True)])
        self.assertEqual(p.build("never", "--requires", status=4).stdout, "nobody-has-this\n")
        # Who asked fails with the one that it asked for.
        p.component("z-late", build="false", tags=NOARCH)
        p.component("b-asks", **self.dynamic("z-late", build="echo again"))
        (p.path / "ashlar.built").unlink()
        done = p.built("b-asks", "z-late", "last", status=1)
        self.assertEqual((self.states(done), {c["component"]: c.get("needs") for c in done["components"]}["b-asks"]), ({"z-late": "failed", "b-asks": "skipped", "last": "skipped"}, "z-late"))

    def test_asked_in_a_circle(self):
        """Two that ask for each other: what there is has to do."""
        p = self.project()
        p.component("one", **self.dynamic("two or extra-devel"))
        p.component("one", **self.dynamic("(two or extra-devel)"))
        p.component("two", **self.dynamic("(one or extra-devel)"))
        p.lock()
        self.assertEqual(self.states(p.built("--all", "-j", "2")), {"one": "built", "two": "built"})

    def test_imported_counterparts(self):
        """What rpm's generators will find in a package is not known before it is built; the imported one of the same name tells."""
        p = self.project()
        p.component("extra-devel")
        p.component("user", tags=NOARCH + "BuildRequires: pkgconfig(extra) >= 1")
        p.component("picky", tags=NOARCH + "BuildRequires: pkgconfig(extra) >= 9")
        p.lock()
        for _ in range(2):
            plan = json.loads(p.ashlar("--json", "build", "plan", "--all").stdout)
            self.assertEqual({c["name"]: c["needs"] for c in plan["components"]}, {"extra-devel": [], "picky": [], "user": ["extra-devel"]})

    def test_rich_beside_dnf(self):
        """Rich and versioned requirements: what dnf installs for a package that requires them is what a component waits for that needs them."""
        givers = {"ga": "Provides: cap(x) = 2", "gb": "Provides: cap(x) = 1\nProvides: other", "gc": "", "middle": "Requires: (gb if gc)"}
        asked = {"q-and": "(ga and gc)", "q-or": "(nothing-has-it or gb)", "q-if-no": "(ga if gc)", "q-if-yes": "(ga if gc)|gc", "q-else": "(ga if gc else gb)", "q-else-yes": "(ga if gc else gb)|gc",
                 "q-with": "(cap(x) with other)", "q-version": "cap(x) >= 2", "q-old": "cap(x) < 2", "q-middle": "middle", "q-middle-c": "middle|gc", "q-nested": "((ga and gb) if (gc or middle))|gc", "q-without": "(cap(x) without other)"}
        repo = KIT.kit.dir / "rich"
        repo.mkdir()
        p = self.project()
        for name, tags in givers.items():
            shutil.copy2(KIT.kit.build(name, tags=tags), repo)
            p.component(name, tags=NOARCH + tags)
        for name, deps in asked.items():
            shutil.copy2(KIT.kit.build(name, tags="\n".join(f"Requires: {d}" for d in deps.split("|"))), repo)
            p.component(name, tags=NOARCH + "\n".join(f"BuildRequires: {d}" for d in deps.split("|")))
        KIT.kit.run("createrepo_c", "-q", "--no-database", repo)
        p.lock()
        plan = {c["name"]: c for c in json.loads(p.ashlar("--json", "build", "plan", "--all").stdout)["components"]}
        wait = {}   # everything in the buildroot, not only what is asked for directly: levels above would hide what packages require
        for name in asked:
            needed = json.loads(p.ashlar("--json", "build", "plan", name).stdout)["components"]
            wait[name] = {c["name"] for c in needed} - {name}
        self.assertEqual(len(plan), len(givers) + len(asked))
        dnf = dnfjudge.Dnf(KIT.kit.dir / "dnf", KIT.kit.env, {"rich": {"baseurl": f"file://{repo}"}})
        for name in asked:
            shutil.rmtree(KIT.kit.dir / "dnf/root", ignore_errors=True)
            dnf.run("install", name)
            there = KIT.kit.run("rpm", "--root", KIT.kit.dir / "dnf/root", "-qa", "--qf", "%{NAME}\n").stdout.split()
            self.assertEqual(wait[name], set(there) - {name}, f"{name}: {asked[name]}")

    def test_ended_by_hand(self):
        p = self.project()
        p.component("slow", build="touch /tmp/here; sleep 1000")
        p.component("fast")
        p.component("waits", tags=NOARCH + "BuildRequires: slow")
        p.lock()
        child = subprocess.Popen([ASHLAR, "-C", str(p.path), "--json", "component", "build", "--all", "-j", "2"], env=p.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        log = p.path / "out/logs/slow.log"
        for _ in range(600):
            if log.exists() and "sleep 1000" in log.read_text() and "fast" in (p.path / "ashlar.built").read_text() if (p.path / "ashlar.built").exists() else False:
                break
            time.sleep(0.1)
        time.sleep(2)  # what is in ashlar.built has not ended yet
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130, err)
        self.assertEqual(self.states(json.loads(out)), {"slow": "cancelled", "fast": "built", "waits": "not-started"})
        time.sleep(0.5)
        left = subprocess.run(["pgrep", "-f", "^sleep 1000$"], capture_output=True, text=True).stdout.split()
        mine = [pid for pid in left if str(p.path) in pathlib.Path(f"/proc/{pid}/environ").read_text(errors="replace")] if left else []
        self.assertEqual(mine, [])
        p.component("slow")
        self.assertEqual(self.states(p.built("--all")), {"slow": "built", "fast": "cached", "waits": "built"})

    def test_ended_before_all_began(self):
        """Everybody who was asked for is in the table, once; the counts add up; the same command goes on."""
        for as_json in (True, False):
            p = self.project()
            p.component("slow", build="sleep 1000")
            p.component("waits", tags=NOARCH + "BuildRequires: slow")
            for name in ("x", "y"):
                p.component(name)
            p.lock()
            names = ["slow", "waits", "x", "y"]
            command = [ASHLAR, "-C", str(p.path), *(["--json"] if as_json else []), "component", "build", *names, "-j", "1"]
            child = subprocess.Popen(command, env=p.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            log = p.path / "out/logs/slow.log"
            for _ in range(600):
                if log.exists() and "+ sleep 1000" in log.read_text():
                    break
                time.sleep(0.1)
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=60)
            self.assertEqual(child.returncode, 130, err)
            wanted = {"slow": "cancelled", "waits": "not-started", "x": "not-started", "y": "not-started"}
            if as_json:
                done = json.loads(out)
                self.assertEqual(self.states(done), wanted)
                self.assertEqual([c["component"] for c in done["components"]], names)
                self.assertEqual((sum(done[k] for k in ("built", "cached", "failed", "skipped", "cancelled", "not-started")), done["not-started"]), (4, 3))
            else:
                self.assertEqual({line.split("\t")[0]: line.split("\t")[1] for line in out.splitlines()}, wanted)
                self.assertIn("1 cancelled, 3 not-started", err)
                self.assertIn("the same command goes on", err)
                self.assertIn("it was ended before all was built", err)
            p.component("slow", build="echo of those that did not begin")
            self.assertLessEqual(set(self.states(p.built(*names)).values()), {"built", "cached"})  # the second project is as the first


if __name__ == "__main__":
    unittest.main()
