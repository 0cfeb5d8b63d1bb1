"""component build: packages from source in a clean root, what a build must not do, and what is said when one fails."""
import hashlib, json, os, pathlib, pty, re, select, shutil, socket, subprocess, sys, threading, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import buildkit, rpmkit  # noqa: E402
from ashcli import ASHLAR  # noqa: E402


def setUpModule():
    global KIT
    KIT = buildkit.BuildKit()


def tearDownModule():
    KIT.close()


class Case(unittest.TestCase):
    maxDiff = 4000
    number = 0

    def project(self, **more):
        Case.number += 1
        return KIT.project(f"p{Case.number}", **more)

    def one(self, keys="", more="", timeout=60, **parts):
        """A project with one component "one", locked."""
        p = self.project(timeout=timeout, more=more)
        p.component("one", keys, **parts)
        p.lock()
        return p

    def fails(self, p, *args, status=1, name="one"):
        """The message of a build that fails; the store is as good as before, and the next build goes on."""
        said = p.build(name, *args, status=status).stderr
        self.assertFalse((p.path / "ashlar.built").exists(), "a failed build was recorded")
        return said


class Build(Case):
    def test_packages(self):
        p = self.one(tags="BuildArch: noarch\nBuildRequires: extra-devel >= 1\nBuildRequires: pkgconfig(further)", build="cat /usr/share/extra/here /usr/share/further/here", more="", check="echo it is checked")
        got = p.built("one")[0]
        self.assertFalse(got["cached"])
        self.assertEqual([(k["nevra"], k["kind"]) for k in got["packages"]], [("one-1.0-1.noarch", "binary"), ("one-1.0-1.src", "source")])
        for package in got["packages"]:
            blob = p.blob(package["sha256"])
            self.assertEqual(hashlib.sha256(blob.read_bytes()).hexdigest(), package["sha256"])
            said = KIT.kit.run("rpm", "-qp", "--nosignature", "--qf", "%{NAME} %{BUILDTIME} %{BUILDHOST} %{SIGPGP:pgpsig} %{RSAHEADER:pgpsig}", blob).stdout
            self.assertEqual(said, "one 1735776000 localhost (none) (none)")  # midnight of the changelog's day; not signed
            KIT.kit.run("rpm", "-K", "--nosignature", blob)
        requires = KIT.kit.run("rpm", "-qp", "--nosignature", "--requires", p.blob(got["packages"][1]["sha256"])).stdout
        self.assertIn("extra-devel >= 1", requires)
        times = KIT.kit.run("rpm", "-qp", "--nosignature", "--qf", "[%{FILEMTIMES}\n]", p.blob(got["packages"][0]["sha256"])).stdout.split()
        self.assertTrue(times and all(int(t) <= 1735776000 for t in times), times)
        log = p.log("one")
        self.assertEqual(log, p.blob(got["log"]).read_text())
        self.assertIn("it is checked", log)
        record = json.loads(p.blob(got["provenance"]).read_text())
        self.assertEqual([b["nevra"] for b in record["buildroot"]["packages"]], ["extra-devel-1.0-1.noarch", "further-devel-1.0-1.noarch", "toolbox-1.0-1.x86_64"])
        self.assertTrue(all(re.fullmatch("[0-9a-f]{64}", b["sha256"]) and b["upstream"] == "up" for b in record["buildroot"]["packages"]))
        self.assertEqual((record["component"], record["key"], record["source-date-epoch"]), ("one", got["key"], 1735776000))
        built = (p.path / "ashlar.built").read_text()
        self.assertIn(got["packages"][0]["sha256"], built)
        self.assertIn("one-1.0-1.noarch", (p.path / "ashlar.lock").read_text())

        start = time.monotonic()
        again = p.built("one")[0]
        self.assertTrue(again["cached"])
        self.assertLess(time.monotonic() - start, 1)
        self.assertEqual([again[k] for k in ("key", "log", "provenance", "packages")], [got[k] for k in ("key", "log", "provenance", "packages")])
        p.component("one", tags="BuildArch: noarch", build="echo another")
        other = p.built("one")[0]
        self.assertFalse(other["cached"])
        self.assertNotEqual(other["key"], got["key"])

    def test_key_knows_the_buildroot(self):
        p = self.one(tags="BuildArch: noarch\nBuildRequires: extra-devel")
        first = p.built("one")[0]
        newer = KIT.kit.build("extra-devel", version="1.1", install="mkdir -p %{buildroot}/usr/share/extra; echo newer > %{buildroot}/usr/share/extra/here", files="/usr/share/extra/here")
        up = KIT.kit.dir / "up2"
        shutil.copytree(KIT.up, up)
        shutil.copy2(newer, up)
        KIT.kit.run("createrepo_c", "-q", "--no-database", up)
        (p.path / "ashlar.toml").write_text((p.path / "ashlar.toml").read_text().replace(f"file://{KIT.up}", f"file://{up}"))
        self.assertTrue(p.built("one")[0]["cached"])  # the lock pins the older state
        p.ashlar("lock", "--update")
        second = p.built("one")[0]
        self.assertFalse(second["cached"])
        self.assertNotEqual(second["key"], first["key"])

    def test_known_at_once(self):
        """Nothing has changed: nothing is opened or solved. Whatever the result follows from has changed: it is."""
        p = self.project(more="[build.stages.plain]\npackages = ['toolbox']\nupstreams = ['up']\n")
        p.component("macros", 'build.stage = "plain"', tags="BuildArch: noarch")
        p.component("one", tags="BuildArch: noarch\nBuildRequires: extra-devel")
        p.lock()
        p.build("macros")
        config, own = p.path / "ashlar.toml", {**p.env, "ASHLAR_STORE": str(p.path / "store")}
        shutil.copytree(KIT.store, p.path / "store", ignore=shutil.ignore_patterns("buildroots"))
        keys = [p.built("one", env=own)[0]["key"]]

        def opened():
            """The files of the store that a run opens: what was solved before, states of upstreams."""
            trace = p.path / "trace"
            quiet = {**own, "ASAN_OPTIONS": ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))}  # which does not work below strace
            got = json.loads(p.ashlar("--json", "component", "build", "one", env=quiet, prefix=["strace", "-f", "-o", trace, "-e", "trace=openat"]).stdout)[0]
            return got, set(re.findall(r"cache/([a-z-]+)/", trace.read_text()))
        if shutil.which("strace"):
            got, kinds = opened()
            self.assertEqual((got["cached"], got["key"], got["buildroot-packages"]), (True, keys[0], 2))
            self.assertEqual(kinds & {"buildroot-set", "universe", "build-requires", "component-build"}, set())
        built = (p.path / "ashlar.built").read_text()
        for change, back in ((lambda: config.write_text(config.read_text().replace('packages = ["toolbox"]', 'packages = ["toolbox", "further-devel"]')), True),  # the base
                             (lambda: config.write_text(config.read_text().replace('packages = ["toolbox"]', 'packages = ["toolbox", "macros"]')), False),         # what is built here is in it ...
                             (lambda: (p.component("macros", 'build.stage = "plain"', tags="BuildArch: noarch", build="echo x", install="echo other > %{buildroot}/usr/share/macros"),
                                       config.write_text(config.read_text().replace('packages = ["toolbox"]', 'packages = ["toolbox", "macros"]')), p.build("macros", env=own)), False),  # ... and changes
                             (lambda: config.write_text(config.read_text().replace('description = "t"\nrelease-ver', 'identity = { id = "other", name = "Other" }\ndescription = "t"\nrelease-ver')), False)):
            before = config.read_text()
            change()
            got = p.built("one", env=own)[0]
            self.assertFalse(got["cached"], config.read_text())
            self.assertNotIn(got["key"], keys)
            keys.append(got["key"])
            self.assertTrue(p.built("one", env=own)[0]["cached"])
            if back:
                config.write_text(before)
                (p.path / "ashlar.built").write_text(built)
                self.assertEqual([p.built("one", env=own)[0][k] for k in ("cached", "key")], [True, keys[0]])
        self.assertFalse(p.built("one", "--define", "xyz y", env=own)[0]["cached"])
        self.assertTrue(p.built("one", "--define", "xyz y", env=own)[0]["cached"])
        self.assertEqual(p.built("one", env=own)[0]["key"], keys[-1])
        # A package that the store has lost is made again.
        lost = p.built("one", env=own)[0]
        digest = lost["packages"][0]["sha256"]
        (p.path / "store/blobs/sha256" / digest[:2] / digest).unlink()
        again = p.built("one", env=own)[0]
        self.assertEqual((again["cached"], again["packages"]), (False, lost["packages"]))

    def test_known_says_what_solving_does(self):
        """A path that one package says that it provides, and that another, built later, has as a file."""
        path, own = "/usr/share/found/here", "BuildArch: noarch\n"
        has = {"install": f"mkdir -p %{{buildroot}}/usr/share/found; echo x > %{{buildroot}}{path}", "files": path}
        for requires in (path, f"({path} and extra-devel)", f"({path} or extra-devel)"):
            p = self.project(more="[build.stages.plain]\npackages = ['toolbox']\nupstreams = ['up']\n")
            for name, parts in (("says", {"tags": f"{own}Provides: {path}"}), ("has", {})):
                p.component(name, 'build.stage = "plain"', **{"tags": own, **parts})
            p.component("one", tags=f"{own}BuildRequires: {requires}")
            p.lock()
            p.build("says")
            p.build("has")
            p.build("one")
            p.component("has", 'build.stage = "plain"', tags=own, **has)
            p.build("has")
            quick = p.built("one")[0]
            for kind in ("build-known", "build-reach"):
                shutil.rmtree(KIT.store / "cache" / kind, ignore_errors=True)
            self.assertEqual(quick["key"], p.built("one")[0]["key"], requires)

    def test_options(self):
        bcond = "%bcond_with loud\n%bcond_without quiet\n"
        spec = bcond + buildkit.SPEC.format(name="one", tags="BuildArch: noarch", prep="true", build="echo 'loud=%{with loud} quiet=%{with quiet} word=%{?word}'", install="echo x > %{buildroot}/usr/share/one", check="echo checked; false", files="/usr/share/one")
        p = self.project()
        p.component("one", spec=spec)
        p.lock()
        self.assertIn("%check", p.build("one", status=1).stderr)
        keys = set()
        for args, said in (([], "loud=0 quiet=1 word="), (["--with", "loud"], "loud=1 quiet=1 word="), (["--without", "quiet"], "loud=0 quiet=0 word="), (["--define", "word hello there"], "loud=0 quiet=1 word=hello there")):
            keys.add(p.built("one", "--no-check", *args)[0]["key"])
            self.assertIn(said, p.log("one"))
        self.assertEqual(len(keys), 4)
        self.assertIn("takes a name and a value", p.build("one", "--define", "word", status=2).stderr)
        for args, said in ((["--define", "wo-rd 1"], "is letters, digits and '_'"), (["--define", "1st x"], "is letters, digits and '_'"), (["--define", "ab x"], "three characters"), (["--with", "a b"], "--with 'a b'"),
                           (["--without", "a-b"], "--without 'a-b'")):
            self.assertIn(said, p.build("one", *args, status=2).stderr)
        p.build("one", "--no-check", "--define", "word x", "--log", p.path / "own.log", "--output", p.path / "rpms")
        self.assertIn("word=x", (p.path / "own.log").read_text())
        self.assertEqual(sorted(f.name for f in (p.path / "rpms").iterdir()), ["one-1.0-1.noarch.rpm", "one-1.0-1.src.rpm"])

    def test_one_package_of_two_components(self):
        p = self.project()
        p.component("one")
        p.component("two", spec=(p.path / "specs/one/one.spec").read_text().replace("echo hello", "echo other"))
        p.lock()
        p.build("one")
        said = p.build("two", status=None).stderr
        self.assertRegex(said, r"'two' gives one-1\.0-1\.noarch, as 'one' does, with other content")
        self.assertNotIn('name = "two"', (p.path / "ashlar.built").read_text())
        p.component("three", spec=(p.path / "specs/two/two.spec").read_text().replace("Version:", "Epoch: 4\nVersion:"))  # names of files have no epochs
        self.assertRegex(p.build("three", status=None).stderr, r"'three' gives one-4:1\.0-1\.noarch, as 'one' does, with another epoch")
        del p.components["three"]
        del p.components["one"]
        p.write()
        p.build("two")  # the other is gone

    def test_missing_source(self):
        p = self.one(tags="Source0: https://example.org/one-1.0.tar.gz\nBuildArch: noarch")
        said = self.fails(p)
        line = 1 + (p.path / "specs/one/one.spec").read_text().splitlines().index("Source0: https://example.org/one-1.0.tar.gz")
        self.assertIn(f"{p.path}/specs/one/one.spec:{line}:10: error: the spec of 'one' names 'one-1.0.tar.gz', which is neither beside it nor among its declared sources", said)
        self.assertNotIn("this overlay did it", said)

    def test_macro_that_nothing_defines(self):
        p = self.one(spec="Name: one\nVersion: 1.0\nRelease: %nobody_defines_it\nSummary: x\nLicense: MIT\nBuildArch: noarch\n%description\nx\n%files\n")
        self.assertRegex(self.fails(p), "gave one-1.0-%nobody_defines_it.*: its name, version or release has a macro that nothing defines")

    def test_sources_beside_the_spec(self):
        digest = hashlib.sha512(b"beside\n").hexdigest()
        p = self.one(tags="Source0: data.txt\nBuildArch: noarch", build="cat %{SOURCE0}", sources={"data.txt": "beside\n", "sources": f"SHA512 (data.txt) = {digest}\n"})
        p.build("one")
        self.assertIn("\nbeside", p.log("one"))
        p = self.one(tags="Source0: data.txt\nBuildArch: noarch", sources={"data.txt": "another\n", "sources": f"SHA512 (data.txt) = {digest}\n"})
        said = self.fails(p, status=None)
        self.assertIn(f"{p.path}/specs/one/sources:1:1: error: 'data.txt' is another file than the one beside the spec", said)
        self.assertIn(digest, said)
        self.assertIn(hashlib.sha512(b"another\n").hexdigest(), said)

    def test_no_note_but_ours(self):
        """What a build takes for a signature that could not be had is put there by Ashlar alone: then the record says so."""
        note = "ashlar: no signature, checked by digest\n"
        for sources in ({"x.sig": note}, {"x.sig": note, "sources": f"SHA512 (x.sig) = {hashlib.sha512(note.encode()).hexdigest()}\n"}):
            p = self.one(tags="Source0: x.sig\nBuildArch: noarch", sources=sources)
            self.assertIn("'x.sig' of 'one' says that a signature could not be had: only Ashlar may", self.fails(p, status=None))
        p = self.one(tags="Source0: x.sig\nBuildArch: noarch", sources={"x.sig": "a signature\n"})
        self.assertEqual(p.built("one")[0]["unverified"], [])

    def test_two_at_once(self):
        p = self.one(build="echo it begins; sleep 3; echo it ends")
        both = [subprocess.Popen([ASHLAR, "-C", p.path, "--json", "component", "build", "one"], env=p.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(2)]
        results = [json.loads(b.communicate(timeout=200)[0])[0] for b in both]
        self.assertEqual(sorted(r["cached"] for r in results), [False, True])
        self.assertEqual(results[0]["packages"], results[1]["packages"])
        self.assertEqual((p.log("one").count("\nit begins"), p.log("one").count("\nit ends")), (1, 1))

    def test_network_is_in_the_key(self):
        p = self.one()
        without = p.built("one")[0]["key"]
        p.component("one", 'build.network = true\nbuild.network-reason = "fetches a blob"')
        again = p.built("one")[0]
        self.assertFalse(again["cached"])
        self.assertNotEqual(again["key"], without)
        p.component("one")
        self.assertEqual(p.built("one")[0]["key"], without)

    def test_keep_and_shell(self):
        p = self.one(build="echo kept > made; ln -s made link; mkdir -p sub; echo x > sub/y; false")
        said = p.build("one", "--keep", status=1).stderr
        kept = next((p.path / "out/work/one/BUILD").rglob("made")).parent
        self.assertEqual(((kept / "made").read_text(), os.readlink(kept / "link"), (kept / "sub/y").read_text()), ("kept\n", "made", "x\n"))
        self.assertIn("out/work/one", said)
        p.build("one", "--keep", status=1)  # once more over it
        shell = p.build("one", "--shell", status=1, input="find . -name made | xargs cat; id -u; pwd; cat /etc/passwd | grep -c mockbuild\nexit\n").stdout
        self.assertEqual(shell.split(), ["kept", "1000", "/builddir/build/BUILD", "1"])
        both = p.ashlar("component", "build", "one", "--shell", status=1, input="echo in the shell >&2\n").stderr
        self.assertLess(both.index("failed in %build"), both.index("in the shell"))
        self.assertEqual(both.count("failed in %build"), 1)
        self.assertIn("'ashlar component build one --shell' opens a shell where it failed; --keep copies the build directory out", said)
        self.assertNotIn("opens a shell", both)
        shutil.rmtree(p.path / "out/work/one")
        (p.path / "out/work/one").mkdir()
        self.assertIn("not kept there", p.build("one", "--keep", status=1).stderr)

    def on_terminal(self, p, *lines):
        """What a person sees who types these lines into the shell of a build that fails."""
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(ASHLAR, [ASHLAR, "-C", str(p.path), "component", "build", "one", "--shell"], p.env)
        out, typed = b"", 0
        try:
            while True:
                ready, _, _ = select.select([fd], [], [], 60)
                self.assertTrue(ready, out.decode(errors="replace"))
                out += os.read(fd, 65536)
                if out.count(b"$ ") > typed and re.search(rb"buildroot \S+\$ $", out) and typed < len(lines):
                    os.write(fd, lines[typed].encode() + b"\n")
                    typed += 1
        except OSError:  # it is over: the terminal is gone
            pass
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out.decode(errors="replace").replace("\r", "")

    def test_shell_is_where_it_failed(self):
        """The section's directory and what rpm and the section set, and no more of it; the section once more."""
        tag = "BuildArch: noarch\n%global optflags -O7 -g"
        p = self.one(tags=tag, prep="%setup -q -c -T\nmkdir sub 'a b'", build="export FLAVOUR=sour\nLOCAL='two words'\ntouch began\nFLAVOUR=sweet\ncd sub\ntest -e ../mended")
        code, said = self.on_terminal(p, "pwd", 'echo "=$RPM_BUILD_DIR=$RPM_OPT_FLAGS=$RPM_BUILD_ROOT=$RPM_PACKAGE_NAME=$FLAVOUR=$LOCAL=$-="', "ls", "again; echo ended with $?", "touch mended; again; echo ended with $?", "exit")
        self.assertEqual(code, 1, said)
        self.assertIn("failed in %build", said)
        self.assertIn("This is where %build failed, with its environment. 'again' runs it once more: /builddir/scripts/rpm-tmp.", said)
        self.assertIn("\n/builddir/build/BUILD/one-1.0\n", said)
        found = re.search(r"\n=(.*)=(.*)=(.*)=(.*)=(.*)=(.*)=(.*)=\n", said)
        self.assertTrue(found, said)
        self.assertEqual(found.groups()[:6], ("/builddir/build/BUILD", "-O7 -g", found[3], "one", "sour", "two words"))
        self.assertRegex(found[3], "^/builddir/build/BUILD")
        self.assertIn("i", found[7])
        self.assertNotIn("e", found[7])
        self.assertNotIn("x", found[7])
        self.assertRegex(said, r"(?s)\+ test -e \.\./mended\n.*ended with 1.*ended with 0")
        # %install empties its directory when it begins: not so the shell. In %prep it is where %setup went.
        p = self.one(tags=tag, prep="%setup -q -c -T\nmkdir sub", install="echo kept > %{buildroot}/usr/share/one; false")
        code, said = self.on_terminal(p, "cat $RPM_BUILD_ROOT/usr/share/one", "pwd", "exit")
        self.assertIn("where %install failed", said)
        self.assertIn("\nkept\n", said)
        self.assertIn("\n/builddir/build/BUILD/one-1.0\n", said)
        p = self.one(tags=tag, prep="%setup -q -c -T\nmkdir sub\ncd sub\nfalse")
        self.assertIn("\n/builddir/build/BUILD/one-1.0/sub\n", self.on_terminal(p, "pwd", "exit")[1])
        # What rpm itself does has no script.
        said = self.on_terminal(self.one(tags=tag, prep="", files="/usr/share/nothing"), "again", "exit")[1]
        self.assertRegex(said, r"after %files failed, .* What was installed: /builddir/build/\S*BUILDROOT")
        self.assertIn("again: command not found", said)

    def test_dynamic_requires(self):
        spec = buildkit.SPEC.format(name="one", tags="BuildArch: noarch", prep="true\n%generate_buildrequires\necho extra-devel\ntest ! -e /usr/share/extra/here || echo 'pkgconfig(further) >= 1'", build="cat /usr/share/extra/here /usr/share/further/here",
                                    install="echo x > %{buildroot}/usr/share/one", check="true", files="/usr/share/one")
        p = self.project()
        p.component("one", spec=spec)
        p.lock()
        got = p.built("one")[0]
        self.assertEqual([b["nevra"] for b in json.loads(p.blob(got["provenance"]).read_text())["buildroot"]["packages"]], ["extra-devel-1.0-1.noarch", "further-devel-1.0-1.noarch", "toolbox-1.0-1.x86_64"])
        self.assertTrue(p.built("one")[0]["cached"])

    def test_dynamic_requires_of_a_file(self):
        """The section is in a file that the spec includes, or comes of a macro: rpm knows."""
        section = "%generate_buildrequires\necho extra-devel\n"
        for tags, prep, sources in (("Source0: more.inc", "true\n%include %{SOURCE0}", {"more.inc": section}), ("%global dynamic %%generate_buildrequires", "true\n%dynamic\necho extra-devel", {})):
            p = self.one(tags=f"BuildArch: noarch\n{tags}", prep=prep, sources=sources, build="cat /usr/share/extra/here")
            self.assertEqual(p.built("one")[0]["buildroot-packages"], 2)
            self.assertIn('asked = ["extra-devel"]', (p.path / "ashlar.built").read_text())
            p.built("one", "--define", "other 1")
            self.assertTrue(p.built("one")[0]["cached"])

    def test_dynamic_requires_bad_line(self):
        """rpm goes on without a line that is no requirement, and does not name it."""
        for line, bad in (("- first", "- first"), ("extra-devel >=", "extra-devel >="), ("%%-devel", "%-devel"), ("/usr/bin/x = 1", "/usr/bin/x = 1"), ("# a remark", "# a remark")):
            p = self.project()
            p.component("one", prep=f"true\n%generate_buildrequires\necho extra-devel; echo 'it asks' >&2\nprintf '%%s\\n' '{line}'\necho further-devel")
            p.lock()
            said = self.fails(p)
            self.assertIn(f"%generate_buildrequires of 'one' prints a line that is no requirement: '{bad}'", said)
            self.assertIn("asked: extra-devel\n", p.log("one"))
        p = self.project()
        p.component("one", prep="true\n%generate_buildrequires\necho 'extra-devel >= 1, further-devel = 1.0-1'; echo '(extra-devel and (further-devel or none))'; echo '  pkgconfig(further)  >=  1'; printf extra-devel")
        p.lock()
        got = p.built("one")[0]
        self.assertEqual([b["nevra"] for b in json.loads(p.blob(got["provenance"]).read_text())["buildroot"]["packages"]], ["extra-devel-1.0-1.noarch", "further-devel-1.0-1.noarch", "toolbox-1.0-1.x86_64"])
        p = self.project()
        p.component("one", prep="true\n%generate_buildrequires\necho extra-devel; exit 3")
        p.lock()
        self.assertIn("failed in %generate_buildrequires", self.fails(p))

    def test_slow_spec(self):
        """A spec that is not parsed in time: said with its limit, not tried again at once, and others go on."""
        p = self.project(timeout=4)
        p.component("slow", tags="BuildArch: noarch\n%(sleep 1234)")
        p.component("loops", tags="BuildArch: noarch\n%{lua:while true do end}")
        p.component("good")
        p.lock()
        for name in ("slow", "loops"):
            said = self.fails(p, name=name)
            self.assertRegex(said, f"specs/{name}/{name}.spec: error: parsing the spec of '{name}' takes more than 4 seconds")
            self.assertNotIn("not tried again", said)
            said = self.fails(p, name=name)
            self.assertRegex(said, "takes more than 4 seconds")
            self.assertIn("it was not tried again", said)
        self.assertNotIn("not tried again", p.ashlar("component", "rebuild", "slow", status=1).stderr)
        for timeout, tried in ((4, True), (4, False), (5, True)):  # the first plan reads them, the second knows; with more time they are tried again
            p.timeout = timeout
            p.write()
            start = time.monotonic()
            plan = p.ashlar("--json", "build", "plan", "--all", status=1)
            self.assertEqual({c["name"]: c["state"] for c in json.loads(plan.stdout)["components"]}, {"slow": "unknown", "loops": "unknown", "good": "new"})
            for name in ("slow", "loops"):
                self.assertIn(f"parsing the spec of '{name}' takes more than {timeout} seconds", plan.stderr)
            self.assertEqual("it was not tried again" in plan.stderr, not tried)
            self.assertTrue(time.monotonic() - start >= timeout or not tried)
        self.assertNotIn("sleep 1234", subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout)
        p.build("slow", "good", status=1)
        self.assertIn("good-1.0-1.noarch", (p.path / "ashlar.built").read_text())

    def test_fresh_layers(self):
        """Each build sees the root as it was composed, whatever another wrote; several at once."""
        touch = "test ! -e /var/tmp/mark; test ! -e /tmp/mark; echo x > /var/tmp/mark; echo x > /tmp/mark; sleep 1; test $(ls /builddir/build/SPECS | wc -l) = 1"
        p = self.project()
        for name in ("a", "b", "c"):
            p.component(name, build=touch)
        p.lock()
        started = [subprocess.Popen([ASHLAR, "-C", p.path, "component", "build", name], env=p.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for name in ("a", "b", "c")]
        for child in started:
            out = child.communicate(timeout=120)[0]
            self.assertEqual(child.returncode, 0, out)
        built = (p.path / "ashlar.built").read_text()
        lock = (p.path / "ashlar.lock").read_text()
        for name in ("a", "b", "c"):
            self.assertIn(f"{name}-1.0-1.noarch", built)
            self.assertIn(f"{name}-1.0-1.noarch", lock)
        p.build("a", "b", "c")
        p.ashlar("lock", "--check")

    def test_stage(self):
        p = self.one('build.stage = "other"', tags="BuildArch: noarch", build="cat /usr/share/extra/here", more='[build.stages.other]\npackages = ["toolbox", "extra-devel"]\n')
        self.assertEqual(json.loads(p.blob(p.built("one")[0]["provenance"]).read_text())["buildroot"]["stage"], "other")
        p.component("one", 'build.stage = "ohter"')
        self.assertIn("unknown build stage 'ohter'", p.build("one", status=3).stderr)

    def test_base_is_imported(self):
        """What every buildroot has comes from the other upstreams, though it is built here, too: nobody else's key changes. Who requires it has what was built; base-upstreams says otherwise; what only
        was built here is in the base all the same."""
        p = self.project()
        base = p.path / "ashlar.toml"

        def packages(name):
            return {b["nevra"].rsplit("-", 2)[0]: b["upstream"] for b in json.loads(p.blob(p.built(name)[0]["provenance"]).read_text())["buildroot"]["packages"]}

        def configure(extra=""):
            text = base.read_text()
            base.write_text(text.replace('packages = ["toolbox"]', f'packages = ["toolbox", "further-devel", "macros"]{extra}'))
        p.component("macros", 'build.stage = "plain"', tags="BuildArch: noarch")
        p.more = "[build.stages.plain]\npackages = ['toolbox']\nupstreams = ['up']\n"
        p.component("further-devel", tags="BuildArch: noarch\nProvides: pkgconfig(further) = 3\nRequires: extra-devel", install="mkdir -p %{buildroot}/usr/share; echo here > %{buildroot}/usr/share/further-devel")
        p.component("one", tags="BuildArch: noarch")
        p.component("two", tags="BuildArch: noarch\nBuildRequires: pkgconfig(further)")
        p.component("three", tags="BuildArch: noarch\nBuildRequires: pkgconfig(further) >= 3")
        p.component("extra-devel", 'build.stage = "plain"', tags="BuildArch: noarch")
        p.lock()
        p.build("macros")
        configure()
        one, two = p.built("one")[0], p.built("two")[0]
        self.assertEqual(packages("one"), {"toolbox": "up", "further-devel": "up", "macros": "built"})
        self.assertIn("pkgconfig(further) >= 3", p.build("three", status=4).stderr)
        p.build("further-devel")
        p.build("extra-devel")
        again = p.built("one")[0]
        self.assertEqual((again["cached"], again["key"]), (True, one["key"]))
        self.assertEqual(packages("two"), {"toolbox": "up", "further-devel": "built", "macros": "built", "extra-devel": "built"})
        self.assertNotEqual(p.built("two")[0]["key"], two["key"])
        self.assertEqual(packages("three"), packages("two"))
        plan = {c["name"]: c["needs"] for c in json.loads(p.ashlar("--json", "build", "plan", "--all").stdout)["components"]}
        self.assertEqual(plan, {"macros": [], "extra-devel": [], "further-devel": [], "one": [], "two": ["further-devel"], "three": ["further-devel"]})
        impact = json.loads(p.ashlar("--json", "build", "impact", "further-devel").stdout)
        self.assertEqual(impact["waves"], [["three", "two"]])
        self.assertEqual(json.loads(p.ashlar("--json", "build", "impact", "macros").stdout)["waves"], [["further-devel", "one", "three", "two"]])
        p.write()
        configure('\nbase-upstreams = ["built", "up"]')
        self.assertEqual(packages("one"), {"toolbox": "up", "further-devel": "built", "macros": "built", "extra-devel": "built"})
        p.write()
        configure('\nbase-upstreams = ["built", "up", "other"]')
        base.write_text(base.read_text() + '[upstreams.other]\ntype = "rpm-md"\nbase-uri = "file:///nonexistent"\ndisable-gpg-check = true\n')
        self.assertRegex(p.build("one", status=3).stderr, r"ashlar.toml:\d+:\d+: error: 'other' is not among the upstreams of the stage 'default'")

    def test_built_for_the_next(self):
        """What was built is there for what is built next."""
        p = self.one(tags="BuildArch: noarch\nProvides: one-devel = 3")
        p.component("two", tags="BuildArch: noarch\nBuildRequires: one-devel >= 2", build="cat /usr/share/one")
        self.assertIn("one-devel", p.build("two", status=4).stderr)
        p.build("one")
        record = json.loads(p.blob(p.built("two")[0]["provenance"]).read_text())
        self.assertEqual([(b["nevra"], b["upstream"]) for b in record["buildroot"]["packages"]][0], ("one-1.0-1.noarch", "built"))

    def test_built_stands_over_imported(self):
        """A library that was built here has its paths, whatever another package that is imported has there."""
        own = "mkdir -p %{buildroot}/usr/share/extra %{buildroot}/usr/share/further; echo own > %{buildroot}/usr/share/extra/here; ln -s ../extra/here %{buildroot}/usr/share/further/here"
        p = self.one(tags="BuildArch: noarch", install=own, files="/usr/share/extra/here\n/usr/share/further/here")
        p.component("two", tags="BuildArch: noarch\nBuildRequires: one extra-devel further-devel", build="[ $(cat /usr/share/extra/here) = own ]; [ $(readlink /usr/share/further/here) = ../extra/here ]; [ $(cat /usr/share/further/here) = own ]")
        p.component("three", tags="BuildArch: noarch\nBuildRequires: one two", build="true")
        p.build("one")
        p.build("two")
        p.component("two", tags="BuildArch: noarch", install="mkdir -p %{buildroot}/usr/share/extra; echo two > %{buildroot}/usr/share/extra/here", files="/usr/share/extra/here")
        p.build("two")
        self.assertIn("one-1.0-1.noarch and two-1.0-2.noarch conflict: both have /usr/share/extra/here", p.build("three", status=1).stderr)


class Sandbox(Case):
    """Each tries what it must not be able to do."""

    def refused(self, script, said, **more):
        p = self.one(build=script, **more)
        out = self.fails(p)
        self.assertRegex(out, said)
        self.assertIn("%build", out)
        return p

    def test_key(self):
        p = self.one()
        p.build("one")
        home = pathlib.Path(p.env["HOME"])
        secret = home / "secret.key"
        secret.write_text("the key")
        self.refused(f"cat {secret}", "No such file or directory")
        self.refused(f"ls {home} || ls /home/* /root/.gnupg", "No such file or directory|Permission denied")
        self.refused("cat /proc/*/environ | tr '\\\\0' '\\n' | grep -i ashlar && exit 0; echo nothing is seen; false", "nothing is seen")

    def test_network(self):
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        self.addCleanup(server.close)
        port = server.getsockname()[1]
        self.refused(f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'", "Connection refused")
        self.refused("bash -c 'exec 3<>/dev/tcp/192.0.2.1/80'", "Network is unreachable[^$]*builds have none")
        p = self.one('build = { network = true, network-reason = "a test" }', build=f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'")
        self.assertIn('"network-reason": "a test"', p.blob(p.built("one")[0]["provenance"]).read_text())
        p.component("one", "build.network = true")
        self.assertIn("needs 'network-reason'", p.build("one", status=3).stderr)

    def test_write_outside(self):
        for path in ("/usr/bin/made", "/etc/made", "/made", "/builddir/../lib/made"):
            self.refused(f"echo x > {path}", "something was refused to it|where nothing may be written")
        self.refused("chown 0:0 . || mount -t tmpfs none /mnt", "not permitted|denied|not found")
        self.refused(f"echo x > {KIT.kit.dir}/made", "No such file|nonexistent|denied")
        self.assertFalse((KIT.kit.dir / "made").exists())

    def test_others(self):
        sleeper = subprocess.Popen(["sleep", "301"])
        try:
            self.refused("ps -ef; ls /proc | grep -c '^[0-9]'; cat /proc/[0-9]*/cmdline | tr '\\\\0' ' ' | grep 'sleep 301' && exit 0; echo alone; false", "alone")
            self.refused(f"kill -9 {sleeper.pid}", "No such process|rocess")
            self.assertIsNone(sleeper.poll())
        finally:
            sleeper.kill()
            sleeper.wait()
        self.refused(f"ls {KIT.store}/blobs", "No such file or directory")
        self.refused("ls /builddir/build/RPMS/*/*.rpm", "No such file or directory")
        self.refused("ls -l /proc/self/fd | grep 'user:' && exit 0; echo no namespace is open; false", "no namespace is open")


class Bad(Case):
    def test_spec(self):
        """At the line of the person's own file, which is not that of the rendered one."""
        for tags, text in (("Nonsense: yes", "Unknown tag: Nonsense"), ("BuildRequires: %{", ""), ("%if 1", "")):
            p = self.one('overlays = [{ type = "spec-add-tag", tag = "URL", value = "https://example.org" }]', tags=f"BuildArch: noarch\n{tags}")
            spec = p.path / "specs/one/one.spec"
            said = p.build("one", status=1).stderr
            line = [i for i, l in enumerate(spec.read_text().splitlines(), 1) if l == tags][0]
            self.assertRegex(said, rf"(?m)^{re.escape(str(spec))}(:{line}:1)?: error: rpm cannot parse the spec of 'one': .*{text}")
            if text:
                self.assertIn(f"one.spec:{line}:1:", said)
            self.assertNotIn("changed the line", said)
        p = self.one(tags="BuildArch: noarch\nNonsense: yes")
        p.ashlar("component", "render", "one")
        rendered = p.path / "specs-of-others/one"
        rendered.mkdir(parents=True)
        shutil.copy2(p.path / "specs/one/one.spec", rendered)
        # Upstream's: there is nothing but the rendered one, and how to see it.
        text = (p.path / "ashlar.toml").read_text().replace('spec = { type = "local", path = "specs/one/one.spec" }', 'spec = { type = "upstream" }')
        (p.path / "ashlar.toml").write_text(text)
        said = p.build("one", "--specs", rendered.parent, status=1).stderr
        found = re.search(r"(\S+/one/one\.spec):(\d+):1: error: rpm cannot parse the spec of 'one': .*Unknown tag: Nonsense", said)
        self.assertTrue(found, said)
        self.assertNotIn(str(rendered), found[1])
        self.assertIn("'ashlar component render one' writes the rendered spec", said)
        p.ashlar("component", "render", "one", "--specs", rendered.parent)
        self.assertEqual(pathlib.Path(found[1]).read_text().splitlines()[int(found[2]) - 1], "Nonsense: yes")

    def test_spec_by_overlay(self):
        p = self.one('overlays = [{ type = "spec-add-tag", tag = "URL", value = "https://example.org" },\n{ type = "spec-search-replace", regex = "^Summary:.*$", replacement = "Summary %{", description = "breaks it" }]')
        said = p.build("one", status=1).stderr
        self.assertIn("rpm cannot parse the spec of 'one'", said)
        p = self.one('overlays = [\n{ type = "spec-add-tag", tag = "Colour", value = "blue", description = "adds what is no tag" }]')
        said = p.build("one", status=1).stderr
        line = 1 + next(i for i, text in enumerate((p.path / "ashlar.toml").read_text().splitlines()) if "adds what is no tag" in text)
        self.assertRegex(said, rf"(?m)^\S+/ashlar\.toml:{line}:\d+: error: rpm cannot parse the spec of 'one': .*Unknown tag: Colour")
        self.assertRegex(said, r"one\.spec:\d+:1: note: the line as it is rendered")
        self.assertRegex(said, rf"ashlar\.toml:{line}:\d+: .*this overlay changed the line: spec-add-tag: adds what is no tag")

    def test_requires(self):
        p = self.one(tags="BuildArch: noarch\nBuildRequires: extra-devl >= 2")
        said = self.fails(p, status=4)
        line = 1 + (p.path / "specs/one/one.spec").read_text().splitlines().index("BuildRequires: extra-devl >= 2")
        self.assertIn(f"{p.path}/specs/one/one.spec:{line}:16: error: ", said)
        self.assertRegex(said, r"one\.spec:\d+:16: error: .*extra-devl")
        self.assertIn("did you mean 'extra-devel'", said)
        self.assertIn("needed to build 'one'", said)
        p = self.one('overlays = [{ type = "spec-add-tag", tag = "BuildRequires", value = "nobody-has-it", description = "asks for it" }]')
        self.assertRegex(self.fails(p, status=4), r"ashlar\.toml:\d+:\d+: error: .*nobody-has-it")
        p = self.one(tags="BuildArch: noarch\nBuildRequires: pkgconfig(further)\nBuildConflicts: further-devel < 3")
        self.assertIn("further", self.fails(p, status=4))
        p.component("one", tags="BuildArch: noarch\nBuildRequires: pkgconfig(further)\nBuildConflicts: further-devel > 3")
        p.build("one")
        p = self.one(tags="BuildArch: noarch\nBuildRequires: extra-devel >= 2")
        self.assertIn("there is extra-devel", self.fails(p, status=4))

    def test_source(self):
        p = self.project()
        digest = hashlib.sha512(b"right").hexdigest()
        origin = p.path / "served"
        origin.mkdir()
        (origin / "a.tar").write_text("wrong")
        p.component("one", f'source-files = [{{ filename = "a.tar", hash = "{digest}", hash-type = "SHA512", origin = {{ type = "download", uri = "file://{origin}/a.tar" }} }}]', tags="BuildArch: noarch\nSource0: a.tar")
        p.lock()
        said = self.fails(p, status=5)
        for part in (digest, hashlib.sha512(b"wrong").hexdigest(), f"file://{origin}/a.tar", "a.tar"):
            self.assertIn(part, said)
        (origin / "a.tar").write_text("right")
        p.build("one")

    def test_no_lock(self):
        p = self.project()
        p.component("one")
        said = p.build("one", status=1).stderr
        self.assertIn("there is no lock yet", said)
        self.assertIn("'ashlar lock'", said)
        self.assertIn("did you mean 'one'", p.build("oen", status=1).stderr)

    def test_hangs(self):
        p = self.one(timeout=3, build="sleep 1234.5 & sleep 1234.5")
        start = time.monotonic()
        said = self.fails(p)
        self.assertLess(time.monotonic() - start, 30)
        self.assertRegex(said, "failed in %build: it took longer than 3 s")
        self.assertIn("build.timeout", said)
        self.assertNotIn("sleep 1234.5", subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout)

    def test_disk(self):
        for where in ("big", "/tmp/big", "/var/tmp/big"):
            p = self.one(build=f"yes > {where}")
            said = self.fails(p)
            self.assertRegex(said, "it (ran out of disk|filled its disk|grew past)|a file of it grew past", where)
            self.assertIn("build.disk", said)
        p.component("one")
        p.build("one")

    def test_forks(self):
        p = self.one(timeout=8, build="bomb() { bomb | bomb & }; bomb; wait; sleep 20")
        q = self.one()
        bomb = subprocess.Popen([ASHLAR, "-C", p.path, "component", "build", "one"], env=p.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(2)
        q.build("one")  # another build goes on beside it
        out = bomb.communicate(timeout=100)[0]
        self.assertNotEqual(bomb.returncode, 0)
        self.assertRegex(out, "limit on processes|longer than 8 s")
        p.component("one")
        p.build("one")

    def test_warnings_of_rpm(self):
        p = self.project()
        p.component("one", tags="BuildArch: noarch\nObsoletes: gone")
        spec = p.path / "specs/one/one.spec"
        spec.write_text(spec.read_text().replace("* Thu Jan 02 2025", "* Mon Jan 02 2025"))
        p.lock()
        said = p.build("one").stderr
        self.assertRegex(said, r"specs/one/one.spec:24:3: warning: rpm, of the spec of 'one': bogus date in %changelog: Mon Jan 02 2025")
        self.assertRegex(said, r"specs/one/one.spec:9:1: warning: rpm, of the spec of 'one': It's not recommended to have unversioned Obsoletes")
        self.assertNotIn("warning", p.build("one").stderr)

    def test_patch_of_an_overlay(self):
        overlay = """[[components.one.overlays]]
type = "patch-add"
source = "length.patch"
description = "a length is checked"
"""
        p = self.project()
        p.component("one", overlay, prep="%setup -q -c -T\necho old > code\n%patch -P 0 -p1", tags="Patch0: %{name}.patch", sources={"one.patch": "--- a/code\n+++ b/code\n@@ -1 +1 @@\n-old\n+new\n"})
        (p.path / "length.patch").write_text("--- a/code\n+++ b/code\n@@ -1 +1 @@\n-an older one\n+new\n")
        p.lock()
        p.build("one")  # nobody applies it
        spec = p.path / "specs/one/one.spec"
        spec.write_text(spec.read_text().replace("%patch -P 0 -p1", "%autopatch -p1"))
        said = p.build("one", status=1).stderr
        self.assertRegex(said, r"ashlar.toml:\d+:1: note: this overlay brought length.patch, which %prep used last: patch-add: a length is checked")
        (p.path / "length.patch").write_text("--- a/code\n+++ b/code\n@@ -1 +1 @@\n-new\n+newer\n")
        p.build("one")
        (p.path / "specs/one/one.patch").write_text("--- a/code\n+++ b/code\n@@ -1 +1 @@\n-an older one\n+new\n")
        said = p.build("one", status=1).stderr
        self.assertIn("failed in %prep", said)
        self.assertNotIn("this overlay", said)

    def test_log(self):
        p = self.one(build="yes 'a line of a log without an end'")
        said = self.fails(p)
        self.assertRegex(said, "failed in %build: it wrote more than 1 MiB of log")
        self.assertIn("build.log-limit", said)
        self.assertLessEqual((p.path / "out/logs/one.log").stat().st_size, (1 << 20) + 100)
        config = p.path / "ashlar.toml"  # our own lines alone are more
        config.write_text(re.sub('log-limit = "[^"]*"', 'log-limit = "10"', config.read_text()))
        self.assertIn("MiB of log", self.fails(p))
        self.assertIn("no file that a log can be kept in", p.build("one", "--log", "/dev/null", status=2).stderr)

    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system")
    def test_log_on_a_full_disk(self):
        p = self.one(build=f": {self.id()}; for i in $(seq 2000); do echo a line of the log, $i; done")
        (p.path / "small").mkdir()
        said = p.ashlar("component", "build", "one", "--log", p.path / "small/log", status=1, prefix=("unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=8k none "$0" && exec "$@"', p.path / "small")).stderr
        self.assertRegex(said, "small/log: error: building 'one' was ended: its log cannot be written: No space left on device")

    def test_memory(self):
        p = self.one('build.memory = "64M"', build="head -c 200000000 /dev/zero | tail -n 1 > /dev/null")
        self.assertRegex(self.fails(p), "memory")

    def test_fails_plainly(self):
        p = self.one(build="echo something is wrong >&2; exit 3")
        said = self.fails(p)
        self.assertIn("failed in %build", said)
        self.assertIn("something is wrong", said)
        self.assertIn("out/logs/one.log", said)
        self.assertIn("something is wrong", p.log("one"))
        p = self.project()
        p.component("bad", build="false")
        p.component("good")
        p.lock()
        p.build("bad", "good", status=1)
        self.assertIn("good-1.0-1.noarch", (p.path / "ashlar.built").read_text())

    def test_source_package_taken_away(self):
        """Between its being written and the end."""
        said = self.fails(self.one(tags="BuildArch: noarch\n%define _rpmfilename %(rm -f /builddir/build/SRPMS/*.rpm)%%{ARCH}/%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"))
        self.assertIn("building 'one' gave no source package", said)

    def test_forged(self):
        """A package of its own making among the results, its digests right: what it is called is judged."""
        made = KIT.kit.build("forgedhere", files="/usr/share/forged", install="mkdir -p %{buildroot}/usr/share; echo x > %{buildroot}/usr/share/forged")
        for name, said in (("../../etcx", "name is not allowed"), ("a\nb c d e f", "name is not allowed"), ("f\u00f6rg\u00e9dhe", "name is not allowed"), ("forgedhere", "another source")):
            p = self.project()
            p.component("one", tags="BuildArch: noarch\nSource0: evil", check="cp %{SOURCE0} /builddir/build/RPMS/evil.rpm")
            rpmkit.Forgery(made).replace(1000, "forgedhere", (name + "x" * 10)[:10 - len(name.encode()) + len(name)]).save(p.path / "specs/one/evil")
            p.lock()
            self.assertIn(said, self.fails(p, status=None))

    def test_unpackaged_and_foreign(self):
        p = self.one(tags="BuildArch: noarch", files="")
        self.assertIn("failed", self.fails(p))
        self.assertIn("failed in %files", self.fails(self.one(files="/usr/share/nothing")))
        said = self.fails(self.one(install="mkdir -p /builddir/build/RPMS/noarch; for i in 1 2 3; do dd if=/dev/null of=/builddir/build/RPMS/noarch/$i bs=1M seek=1200 count=0; done; echo x > %{buildroot}/usr/share/one"), status=None)
        self.assertRegex(said, "larger than the disk|out of disk|grew past")
        p = self.one(tags="", install="mkdir -p /builddir/build/RPMS; echo x > /builddir/build/RPMS/evil.rpm; echo x > %{buildroot}/usr/share/one", files="/usr/share/one")
        self.assertIn("evil.rpm", self.fails(p, status=None))


class Why(Case):
    def why(self, p, *args, **kw):
        return p.ashlar("component", "why", "one", *args, **kw)

    def test_record_that_cannot_be_read(self):
        p = self.one()
        (p.path / "ashlar.built").write_text("x = [")
        said = p.ashlar("component", "why", "one", status=3).stderr
        self.assertIn("ashlar.built:1:6: error: expected", said)
        self.assertNotIn("never built", said)

    def test_why(self):
        """What differs since the last build; and where that left its log, provenance and packages."""
        p = self.project(more="[build.stages.other]\npackages = ['toolbox', 'further-devel']\nupstreams = ['up']\n")
        parts = dict(tags="BuildArch: noarch\nBuildRequires: extra-devel", build="echo built by nobody before")
        p.component("one", **parts)
        p.lock()
        self.assertRegex(self.why(p, status=1).stderr, r"ashlar\.toml:\d+:\d+: error: 'one' was never built here, and never rendered")
        p.ashlar("component", "render", "one")
        self.assertIn("'one' was never built here", self.why(p).stderr)
        shutil.rmtree(p.path / "specs/.fingerprints", ignore_errors=True)
        got = p.built("one")[0]
        log = p.log("one")
        said = self.why(p).stdout.splitlines()
        self.assertEqual(said[0], "one: is built: nothing that its packages follow from has changed")
        self.assertIn(f"log {p.blob(got['log'])}, provenance {p.blob(got['provenance'])}", said[1])
        for k in got["packages"]:
            self.assertIn(f"one: the last build: {k['kind']} package {k['nevra']} {p.blob(k['sha256'])}", said)
        build = json.loads(p.ashlar("--json", "component", "why", "one").stdout)[-1]
        self.assertEqual((build["known"], build["checked"], build["built-key"], build["key"], build["reasons"]), (True, True, got["key"], got["key"], []))
        self.assertEqual(hashlib.sha256(pathlib.Path(build["log-file"]).read_bytes()).hexdigest(), got["log"])

        def reasons(**kw):
            return [line.removeprefix("one: will be built again: ") for line in self.why(p, **kw).stdout.splitlines() if "will be built again" in line]
        keys = ["", 'build.stage = "other"']
        p.component("one", keys[0], **{**parts, "build": "echo other"})
        self.assertTrue(any("one.spec" in r for r in reasons()), reasons())
        p.component("one", keys[0], **parts)
        self.assertEqual(reasons(), [])
        p.component("one", keys[1], **parts)
        self.assertIn("it was built in the stage 'default', and now is in 'other'", reasons())
        self.assertIn("the buildroot has further-devel-1.0-1.noarch, too (from 'up')", reasons())
        # A newer package in the buildroot, once the lock has it.
        p.component("one", keys[0], **parts)
        newer = KIT.kit.build("extra-devel", version="1.1", install="mkdir -p %{buildroot}/usr/share/extra; echo newer > %{buildroot}/usr/share/extra/here", files="/usr/share/extra/here")
        up = KIT.kit.dir / "up-why"
        shutil.copytree(KIT.up, up)
        shutil.copy2(newer, up)
        KIT.kit.run("createrepo_c", "-q", "--no-database", up)
        (p.path / "ashlar.toml").write_text((p.path / "ashlar.toml").read_text().replace(f"file://{KIT.up}", f"file://{up}"))
        p.ashlar("lock", "--update")
        self.assertEqual(reasons(), ["the buildroot's extra-devel-1.0-1.noarch is now extra-devel-1.1-1.noarch (from 'up')"])
        self.assertEqual(p.log("one"), log)  # nothing ran in its place
        self.assertFalse(p.built("one")[0]["cached"])
        self.assertEqual(reasons(), [])

    def test_unchecked(self):
        """What was built without its tests is never taken for what was built with them, and it is said."""
        p = self.one(build="echo built by nobody before", check="echo it is checked")
        said = p.build("one", "--no-check").stderr
        self.assertIn("'one' was built without its tests, and is recorded all the same", said)
        self.assertIn("one: was built without its tests (--no-check)", self.why(p).stdout)
        self.assertIn("one: will be built again: it was built with --nocheck, and now without", self.why(p).stdout)
        self.assertFalse(json.loads(p.ashlar("--json", "component", "why", "one").stdout)[-1]["checked"])
        got = p.built("one")[0]
        self.assertFalse(got["cached"])
        self.assertIn("it is checked", p.log("one"))
        self.assertNotIn("without its tests", self.why(p).stdout)
        self.assertTrue(p.built("one")[0]["cached"])
        p.build("one", "--no-check")
        self.assertIn("was built without its tests", self.why(p).stdout)


class Again(Case):
    """The first build of a key counts, with its log and its provenance; what later ones leave is kept beside it."""
    def start(self, **parts):
        self.p = self.one(tags="BuildArch: noarch", build="echo number $$ at $(cat /proc/uptime)", **parts)
        self.own = {**self.p.env, "ASHLAR_STORE": str(self.p.path / "store")}
        return self.built("build")

    def built(self, verb, *args, status=0):
        said = self.p.ashlar("--json", "component", verb, "one", *args, env=self.own, status=status)
        self.said = said.stderr
        return json.loads(said.stdout)[0]

    def blob(self, digest):
        return self.p.path / "store/blobs/sha256" / digest[:2] / digest

    def left(self):
        """What "component why" knows of other builds, after everything that nobody names was removed."""
        self.p.ashlar("store", "gc", "--days", "0", env=self.own)
        return json.loads(self.p.ashlar("--json", "component", "why", "one", env=self.own).stdout)[-1]

    def test_same(self):
        first = self.start()
        log, record, file = self.blob(first["log"]).read_text(), self.blob(first["provenance"]).read_bytes(), (self.p.path / "ashlar.built").read_bytes()
        other = self.built("rebuild")
        self.assertIn("'one' had been built from the same before: its 2 packages are the same, and the log and the provenance of that build stay", self.said)
        self.assertEqual([other[k] for k in ("cached", "key", "log", "provenance", "packages", "reproducible")], [False, first["key"], first["log"], first["provenance"], first["packages"], True])
        self.assertEqual((self.p.path / "ashlar.built").read_bytes(), file)
        self.assertEqual((self.blob(first["log"]).read_text(), self.blob(first["provenance"]).read_bytes(), self.p.log("one")), (log, record, log))
        # What the second one left.
        mine = other["other-build"]
        self.assertEqual((mine["same"], mine["replaced"]), (True, False))
        self.assertEqual(pathlib.Path(other["log-file"]).name, "one.rebuild.log")
        self.assertEqual(self.blob(mine["log"]).read_text(), pathlib.Path(other["log-file"]).read_text())
        self.assertNotEqual(self.blob(mine["log"]).read_text(), log)
        a, b = json.loads(record), json.loads(self.blob(mine["provenance"]).read_text())
        self.assertNotEqual(a["run"], b["run"])
        self.assertEqual({k: v for k, v in a.items() if k not in ("run", "log")}, {k: v for k, v in b.items() if k not in ("run", "log")})
        self.built("rebuild")
        why = self.left()
        self.assertEqual([r["same"] for r in why["rebuilds"]], [True, True])
        self.assertEqual((why["log-file"], why["provenance-file"]), (str(self.blob(first["log"])), str(self.blob(first["provenance"]))))
        self.assertEqual((why["rebuilds"][0]["log-file"], why["rebuilds"][0]["provenance-file"]), (str(self.blob(mine["log"])), str(self.blob(mine["provenance"]))))
        for path in [r[k] for r in why["rebuilds"] for k in ("log-file", "provenance-file")] + [why["log-file"], why["provenance-file"]]:
            self.assertTrue(os.path.exists(path), path)
        said = self.p.ashlar("component", "why", "one", env=self.own).stdout
        self.assertIn(f"one: another build of the same gave the same packages: log {self.blob(mine['log'])}, provenance {self.blob(mine['provenance'])}", said)
        # With another key it is another build: that one's record is its own.
        unchecked = self.built("rebuild", "--no-check")
        self.assertNotIn("other-build", unchecked)
        self.assertNotEqual(unchecked["provenance"], first["provenance"])
        self.assertEqual([self.built("build")[k] for k in ("cached", "log", "provenance")], [True, first["log"], first["provenance"]])

    def test_others(self):
        first = self.start(install="cat /proc/uptime > %{buildroot}/usr/share/one")
        file = (self.p.path / "ashlar.built").read_bytes()
        other = self.built("rebuild", status=5)
        self.assertIn("'one' gives other packages than when it was first built from the same: those still count", self.said)
        self.assertIn("--replace", self.said)
        self.assertRegex(other["differences"][0], r"^one-1\.0-1\.noarch: file /usr/share/one: .*content, line 1: '[\d. ]+' / '[\d. ]+'$")
        self.assertEqual([other[k] for k in ("key", "log", "provenance", "packages", "reproducible")], [first["key"], first["log"], first["provenance"], first["packages"], False])
        self.assertEqual((self.p.path / "ashlar.built").read_bytes(), file)
        self.assertEqual([self.built("build")[k] for k in ("cached", "packages")], [True, first["packages"]])
        second = json.loads(self.blob(other["other-build"]["provenance"]).read_text())
        mine = [k["sha256"] for k in second["packages"]]
        self.assertNotEqual(mine[0], first["packages"][0]["sha256"])
        laid = [pathlib.Path(other[side]) / "one-1.0-1.noarch.rpm" for side in ("first", "second")]
        self.assertEqual([hashlib.sha256(f.read_bytes()).hexdigest() for f in laid], [first["packages"][0]["sha256"], mine[0]])
        why = self.left()
        self.assertEqual([r["same"] for r in why["rebuilds"]], [False])
        for digest in [*mine, *(k["sha256"] for k in first["packages"]), first["log"], first["provenance"], second["log"], other["other-build"]["provenance"]]:
            self.assertTrue(self.blob(digest).exists(), digest)
        # In its place, when that is asked for; what was there first is kept as well.
        third = self.built("rebuild", "--replace")
        self.assertIn("these count from now on", self.said)
        self.assertEqual((third["other-build"]["replaced"], third["other-build"]["provenance"]), (True, first["provenance"]))
        self.assertNotIn(third["packages"][0]["sha256"], (first["packages"][0]["sha256"], mine[0]))
        self.assertIn(third["packages"][0]["sha256"], (self.p.path / "ashlar.built").read_text())
        self.assertEqual([self.built("build")[k] for k in ("cached", "packages")], [True, third["packages"]])
        why = self.left()
        self.assertEqual([r["same"] for r in why["rebuilds"]], [False, False])
        self.assertEqual(why["rebuilds"][1]["provenance-file"], str(self.blob(first["provenance"])))
        for digest in (*mine, first["log"], first["provenance"], first["packages"][0]["sha256"]):
            self.assertTrue(self.blob(digest).exists(), digest)
        self.assertIn("--verify keeps the first build", self.p.ashlar("component", "rebuild", "one", "--verify", "--replace", env=self.own, status=2).stderr)

    def test_log_file(self):
        """What is cached has its log where a build leaves it, whatever ran before that was known."""
        first = self.start()
        spec = self.p.path / "specs/one/one.spec"
        text = spec.read_text()
        path, log, file = self.p.path / "out/logs/one.log", self.p.log("one"), (self.p.path / "ashlar.built").read_text()
        path.unlink()
        self.assertEqual((self.built("build")["cached"], self.p.log("one")), (True, log))
        spec.write_text(text.replace("echo number", "%dnl\necho number"))  # another build, and back
        self.assertFalse(self.built("build")["cached"])
        self.assertNotEqual(self.p.log("one"), log)
        spec.write_text(text)
        (self.p.path / "ashlar.built").write_text(file)
        for kind in ("build-requires", "build-known"):  # so that rpmbuild is asked
            shutil.rmtree(self.p.path / "store/cache" / kind)
        again = self.built("build", "--log", self.p.path / "own.log")
        self.assertEqual([again[k] for k in ("cached", "log")], [True, first["log"]])
        self.assertEqual((self.p.path / "own.log").read_text(), log)
        self.built("build")
        self.assertEqual(self.p.log("one"), log)
        self.assertIn("no file that a log can be kept in", self.p.ashlar("component", "build", "one", "--log", "/dev/full", env=self.own, status=2).stderr)
        self.assertTrue(pathlib.Path("/dev/full").is_char_device())

    def test_lost(self):
        """A package that the store has lost is made again: the first build's record stays. Its log is lost: the new one counts, and that is said."""
        first = self.start()
        self.blob(first["packages"][0]["sha256"]).unlink()
        again = self.built("build")
        self.assertEqual([again[k] for k in ("cached", "log", "provenance", "packages")], [False, first["log"], first["provenance"], first["packages"]])
        self.blob(first["log"]).unlink()
        again = self.built("build")
        self.assertIn("not all of that is in the store any more", self.said)
        self.assertEqual((again["cached"], again["packages"], again["other-build"]["provenance"]), (False, first["packages"], first["provenance"]))
        self.assertNotEqual(again["log"], first["log"])
        # What the store's cache forgets ashlar.built still knows.
        shutil.rmtree(self.p.path / "store/cache")
        last = self.built("rebuild")
        self.assertEqual([last[k] for k in ("log", "provenance")], [again["log"], again["provenance"]])


class Store(Case):
    def test_care(self):
        p = self.one()
        own = {**p.env, "ASHLAR_STORE": str(p.path / "store")}
        p.build("one", env=own)
        rows = {r["what"]: r for r in json.loads(p.ashlar("--json", "store", "du", env=own).stdout)}
        self.assertEqual(rows["buildroots"]["objects"], 1)
        p.ashlar("store", "gc", "--days", "0", env=own)
        self.assertEqual(list((p.path / "store/buildroots").iterdir()), [])
        for package in json.loads(p.ashlar("--json", "component", "build", "one", env=own).stdout)[0]["packages"]:
            self.assertTrue((p.path / "store/blobs/sha256" / package["sha256"][:2] / package["sha256"]).exists())  # ashlar.built keeps them


    def roots(self, store):
        """Keys and sizes of the buildroots, those that were used last at the end."""
        states = sorted((store / "buildroots").glob("*.state"), key=lambda f: f.stat().st_mtime)
        return [(f.stem, int(f.read_text().split()[2])) for f in states]

    def test_size(self):
        """Buildroots take so much room and no more: those that were not used for long go, none that a build uses."""
        p = self.project(more='[build.stages.other]\npackages = ["toolbox", "extra-devel"]\n[build.stages.third]\npackages = ["toolbox", "further-devel"]\n')
        p.component("one", build="sleep 4")
        p.component("two", 'build.stage = "other"')
        p.component("three", 'build.stage = "third"')
        p.lock()
        store = p.path / "store"
        own = {**p.env, "ASHLAR_STORE": str(store)}
        p.build("two", env=own)
        (two, size), = self.roots(store)
        du = sum(f.lstat().st_blocks * 512 / f.lstat().st_nlink for f in (store / "buildroots" / two).rglob("*") if f.is_file() and not f.is_symlink())
        self.assertAlmostEqual(size, du, delta=size / 20)
        # There is room for two.
        p.more = f'roots = "{int(size * 2.5)}"\n' + p.more
        p.write()
        running = subprocess.Popen([ASHLAR, "-C", p.path, "component", "build", "one"], env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while len(self.roots(store)) < 2:
            time.sleep(0.05)
        one = self.roots(store)[-1][0]
        os.utime(store / "buildroots" / f"{one}.state", (1, 1))  # not used for the longest time, but in use
        p.build("three", env=own)
        left = [key for key, _ in self.roots(store)]
        self.assertEqual((len(left), one in left, two in left), (2, True, False))
        out = running.communicate(timeout=60)[0]
        self.assertEqual(running.returncode, 0, out)
        os.utime(store / "buildroots" / f"{one}.state", (1, 1))  # it may have been used once more since
        p.ashlar("store", "gc", "--buildroots", str(int(size * 1.5)), env=own)
        self.assertEqual([key for key, _ in self.roots(store)], [key for key in left if key != one])
        self.assertIn("--buildroots takes a size", p.ashlar("store", "gc", "--buildroots", "much", env=own, status=2).stderr)

    def test_damage(self):
        p = self.one()
        store = p.path / "store"
        own = {**p.env, "ASHLAR_STORE": str(store)}
        p.build("one", env=own)
        (key, _), = self.roots(store)
        said = p.ashlar("--json", "store", "verify", env=own)
        self.assertEqual(json.loads(said.stdout)["damaged"], 0, said.stderr)
        file = store / "buildroots" / key / "usr/share/toolbox/base"
        mode, when = file.stat().st_mode, file.stat().st_mtime
        file.chmod(0o644)
        file.write_text("bake\n")
        file.chmod(mode & 0o7777)
        os.utime(file, (when, when))
        said = p.ashlar("--json", "store", "verify", env=own)
        self.assertEqual(json.loads(said.stdout)["damaged"], 1)
        self.assertIn(f"buildroots/{key} was damaged and has been dropped", said.stderr)
        self.assertEqual(self.roots(store), [])
        p.component("one", build="test $(cat /usr/share/toolbox/base) = base")
        p.build("one", env=own)


class Ordinary(Case):
    def test_user(self):
        """A user with a range of ids builds the same packages; one without is told what is missing."""
        if os.geteuid():
            self.skipTest("starts as root")
        p = self.one(tags="BuildArch: noarch\nBuildRequires: extra-devel", build="id -u; cat /usr/share/extra/here")
        as_root = p.built("one")[0]
        home = KIT.kit.dir / "nobody"
        home.mkdir()
        for path in [p.path, *p.path.rglob("*"), home]:
            os.chown(path, 65534, 65534)
        env = {**p.env, "ASHLAR_STORE": str(home / "store"), "HOME": str(home), "TMPDIR": str(home)}
        ids = KIT.kit.dir / "subid"
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
        with_ids = ["unshare", "-m", "sh", "-c", f'mount --bind {ids} /etc/subuid; mount --bind {ids} /etc/subgid; exec "$@"', "-"]
        ids.write_text("")
        out = p.ashlar("component", "build", "one", env=env, prefix=[*with_ids, *drop], status=1).stderr
        self.assertIn("has no range of 65535 subordinate ids", out)
        self.assertIn("usermod --add-subuids", out)
        ids.write_text("nobody:524288:65536\n")
        as_user = json.loads(p.ashlar("--json", "component", "build", "one", env=env, prefix=[*with_ids, *drop]).stdout)[0]
        self.assertEqual(as_user["packages"], as_root["packages"])
        self.assertEqual(as_user["key"], as_root["key"])
        subprocess.run([*drop, "rm", "-rf", home / "store"], check=True)  # everything is the user's own


if __name__ == "__main__":
    unittest.main()
