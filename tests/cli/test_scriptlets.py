"""Scriptlets that no handler covers: what they do to an image, how they fail, what a plan says of them."""
import json, os, pathlib, re, shutil, subprocess, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import scriptkit  # noqa: E402


class Scriptlets(scriptkit.Case):
    def test_changes(self):
        self.kit.package("first", tags="Requires: shell", install="mkdir -p %{buildroot}/opt/first; cd %{buildroot}/opt/first; echo a > a; echo b > b; ln a a2; echo c > c; mkdir d e; echo x > d/x; echo y > e/y; ln -s a l",
                         files="/opt/first", scripts="""%post
set -e
cd /opt/first
echo new > new; chmod 4750 new; ln -s new link; mkdir -p deep/er; chmod 2711 deep; mkfifo pipe; : > empty
echo changed > b; chown daemon:mail b; rm c; rm -r d; rm -r e; echo file > e; rm l; mkdir l; echo in > l/in
ln b b2; echo more >> a; chmod 600 a2; setcap cap_net_raw=ep new || exit 9; chown 1234:5678 deep/er; mv deep/er 'deep/with space ü'
install -D -m 0600 /dev/null /var/spool/anacron/cron.daily
echo $# $1 $(id -u):$(id -g) $(hostname) $PATH > args; umask >> args; pwd >> args
""")
        nodes, _ = self.as_rpm(["shell", "first"], intended=("/opt/first/args",))
        self.assertEqual(nodes["/opt/first/new"]["origin"], "scriptlet:%post(first-1.0-1.noarch)")
        self.assertEqual(nodes["/opt/first/b"]["names"], "daemon:mail")

    def test_failing(self):
        self.kit.package("badpost", tags="Requires: shell", scripts="%post\necho doing; echo done > /opt/done; echo problem >&2; exit 3\n")
        nodes, judge = self.as_rpm(["shell", "badpost"])
        self.assertIn("/opt/done", nodes)
        p = self.kit.project(self.dir / "warns", ["shell", "badpost"])
        out = p.ashlar("image", "build", "one").stderr
        self.assertIn("warning: %post(badpost-1.0-1.noarch) failed with exit status 3", out)
        self.assertIn("note: problem", out)
        self.assertIn("note: doing", out)
        self.assertIn("problem", p.ashlar("image", "build", "one", "--force").stderr) # from the cache, too
        self.kit.package("badpre", tags="Requires(pre): shell", scripts="%pre\necho no way; exit 5\n%post\ntouch /opt/never\n")
        p = self.kit.project(self.dir / "fails", ["shell", "badpre"])
        out = p.ashlar("image", "build", "one", status=1).stderr
        self.assertIn("error: %pre(badpre-1.0-1.noarch) failed with exit status 5", out)
        self.assertIn("note: no way", out)
        self.kit.package("nosh", tags="Provides: /bin/sh /usr/bin/nothere", scripts="%post\ntrue\n%pre -p /usr/bin/nothere\nx\n")
        p = self.kit.project(self.dir / "nosh", ["nosh"])
        self.assertIn("failed with exit status 127", p.ashlar("image", "build", "one", status=1).stderr)

    def test_clock(self):
        """It stands still, for programs and for Lua, also behind su-like changes of the environment."""
        self.kit.package("clock", tags="Requires: shell", scripts="""%post
date -u +%%s > /opt/date; sleep 1; date -u +%%s >> /opt/date
printf '%%(%%s)T\\n' -1 >> /opt/date 2>/dev/null || :
%posttrans -p <lua>
local f = io.open('/opt/lua', 'w')
f:write(os.time() .. os.date('!|%%Y|') .. os.time{year=2001, month=1, day=1, hour=0})
f:close()
local p = io.popen('date -u +%%s > /opt/popen')
p:close()
""")
        p = self.kit.project(self.dir / "p", ["shell", "clock"])
        p.ashlar("image", "build", "one")
        now = re.search(r"^source-date-epoch = (\d+)", (p.path / "ashlar.lock").read_text(), re.M)[1]
        tar = p.path / "out/images/one/one-x86_64.tar.zst"
        have = {n: subprocess.run(f"zstd -dc {tar} | tar -xO ./opt/{n} 2>/dev/null || zstd -dc {tar} | tar -xO opt/{n}", shell=True, capture_output=True, text=True).stdout for n in ("date", "lua", "popen")}
        self.assertEqual(set(have["date"].split()), {now})
        year = time.gmtime(int(now)).tm_year
        self.assertEqual(have["lua"], f"{now}|{year}|978307200")
        self.assertEqual(have["popen"], now + "\n")

    def test_expanded(self):
        """-e: macros when it runs; -q: a query format; both; secrets stay out."""
        self.kit.package("expanded", tags="Requires: shell", install="mkdir -p %{buildroot}/usr/lib/rpm; echo '%%mine from the image' > %{buildroot}/usr/lib/rpm/macros", files="/usr/lib/rpm/macros", scripts="""%post -e
echo '%%{mine} %%%%' > /opt/e; mkdir -p /etc/ssh /var/lib/systemd; for i in /etc/machine-id /var/lib/systemd/random-seed /etc/ssh/ssh_host_rsa_key /etc/ssh/other; do echo x > $i; done
%posttrans -q
echo '%%{NAME} %%%%' > /opt/q
%pre
echo '%%{mine}' > /opt/plain
""")
        p = self.kit.project(self.dir / "p", ["shell", "expanded"])
        p.ashlar("image", "build", "one")
        tar = p.path / "out/images/one/one-x86_64.tar.zst"
        have = {n: subprocess.run(f"zstd -dc {tar} | tar -xO ./opt/{n} 2>/dev/null || zstd -dc {tar} | tar -xO opt/{n}", shell=True, capture_output=True, text=True).stdout for n in ("e", "q", "plain")}
        self.assertEqual(have, {"e": "from the image %\n", "q": "expanded %\n", "plain": "%{mine}\n"})
        nodes = p.dump()
        self.assertIn("/etc/ssh/other", nodes)
        self.assertTrue({"/etc/machine-id", "/var/lib/systemd/random-seed", "/etc/ssh/ssh_host_rsa_key"}.isdisjoint(nodes))

    def test_hanging(self):
        self.kit.package("hangs", tags="Requires: shell", scripts="%post\necho begun\nsleep 1000 & sleep 1000\n")
        p = self.kit.project(self.dir / "p", ["shell", "hangs"], keys="scriptlet-timeout = 1")
        out = p.ashlar("image", "build", "one", status=1).stderr
        self.assertIn("error: %post(hangs-1.0-1.noarch) did not end within 1 seconds and was stopped", out)
        self.assertIn("note: begun", out)
        p = self.kit.project(self.dir / "zero", ["shell", "hangs"], keys="scriptlet-timeout = 0")
        self.assertIn("scriptlet-timeout is a number of seconds from 1 to", p.ashlar("image", "build", "one", status=3).stderr)

    def test_cached(self):
        """What ran once with the same tree does not run again: not for a second build, nor for another image."""
        self.kit.package("once", tags="Requires: shell", scripts="%post\ndate +%%N > /opt/when\n%posttrans\ncat /opt/when > /opt/then\n")
        p = self.kit.project(self.dir / "p", ["shell", "once"])
        first = p.dump()
        blind = {**p.env, "PATH": "/nonexistent"}
        self.assertEqual(p.dump(env=blind), first)
        p.ashlar("image", "build", "one", env=blind)
        self.assertIn("these would stop the build, unless their outcome is in the store: sandbox: cannot run bubblewrap", p.ashlar("image", "plan", "one", env=blind).stdout)
        self.assertIn("bubblewrap", json.loads(p.ashlar("--json", "image", "plan", "one", env=blind).stdout)["sets"][0]["hooks"]["sandbox-problem"])
        self.assertNotIn("stop the build", p.ashlar("image", "plan", "one").stdout)
        self.assertEqual(first["/opt/when"]["sha256"], first["/opt/then"]["sha256"])
        self.assertEqual({first[n]["mtime"] for n in ("/opt/when", "/opt/then")}, {1700000000})

    def test_other_architecture(self):
        self.kit.package("luaonly", scripts="%post -p <lua>\nposix.mkdir('/made')\n")
        self.kit.package("shonly", tags="Provides: /bin/sh", scripts="%post\necho x\n")
        p = self.kit.project(self.dir / "lua", ["luaonly"], arch="aarch64")
        self.assertIn("/made", p.dump())
        p = self.kit.project(self.dir / "sh", ["luaonly", "shonly"], arch="aarch64")
        text = p.ashlar("image", "plan", "one").stdout
        self.assertIn("hooks: 0 no effect, 0 handler, 2 sandbox", text)
        if os.path.exists("/proc/sys/fs/binfmt_misc/qemu-aarch64"):
            self.skipTest("this machine emulates aarch64")
        self.assertIn("this machine cannot execute programs for aarch64: 1 of these would stop the build", text)
        out = p.ashlar("image", "build", "one", status=1).stderr
        self.assertIn("cannot execute programs for aarch64", out)
        self.assertIn("%post of shonly-1.0-1.noarch", out)
        self.assertNotIn("luaonly", out)

    def test_alternatives(self):
        """Registered by the handler what words say, by the image's program what a shell has to say: together as if rpm had run all."""
        program = shutil.which("update-alternatives", path="/usr/bin:/usr/sbin")
        self.kit.package("tool", scripts="", install=f"mkdir -p %{{buildroot}}/usr/sbin %{{buildroot}}/etc/alternatives %{{buildroot}}/var/lib/dpkg/alternatives; cp -L {program} %{{buildroot}}/usr/sbin/update-alternatives",
                         files="/usr/sbin/update-alternatives\n%dir /etc/alternatives\n%dir /var/lib/dpkg\n%dir /var/lib/dpkg/alternatives", arch=os.uname().machine)
        call = "/usr/sbin/update-alternatives --log /dev/null --install /usr/bin/%s %s /usr/bin/%s-%s %d"
        plain = "/usr/sbin/update-alternatives --install /usr/bin/%s %s /usr/bin/%s-%s %d >/dev/null 2>&1 || :"
        for name, body in (("one", plain % ("awk", "awk", "awk", "one", 5)), ("two", "X=x\n" + call % ("awk", "awk", "awk", "two", 10)), ("three", plain % ("pager", "pager", "pager", "three", 1))):
            kind = "pager" if name == "three" else "awk"
            self.kit.package(name, tags="Requires(post): shell tool", install=f"mkdir -p %{{buildroot}}/usr/bin; echo > %{{buildroot}}/usr/bin/{kind}-{name}", files=f"/usr/bin/{kind}-{name}", scripts=f"%post\n{body}\n")
        nodes, judge = self.as_rpm(["shell", "tool", "one", "two", "three"], intended=("/var/log", "/var/log/alternatives.log"))
        if judge:
            for path in ("etc/alternatives/awk", "etc/alternatives/pager", "usr/bin/awk", "usr/bin/pager"):
                self.assertEqual(nodes["/" + path]["to"], os.readlink(self.dir / "root" / path))
        self.assertEqual([nodes[p]["to"] for p in ("/etc/alternatives/awk", "/etc/alternatives/pager", "/usr/bin/awk")], ["/usr/bin/awk-two", "/usr/bin/pager-three", "/etc/alternatives/awk"])
        self.assertEqual(nodes["/etc/alternatives/pager"]["origin"], "handler:alternatives")

    def test_plan(self):
        self.kit.package("planned", tags="Provides: /sbin/ldconfig", scripts="""%post -p /sbin/ldconfig
%preun
echo x
%postun -p /sbin/ldconfig
%triggerin -- absent
echo x
%transfiletriggerin -- /nowhere
echo x
%posttrans
echo unknown
""")
        p = self.kit.project(self.dir / "p", ["shell", "planned"])
        p.ashlar("image", "dump", "one")
        hooks = p.plan()["sets"][0]["hooks"]
        self.assertEqual([hooks[k] for k in ("no-effect", "handler", "sandbox", "removal-only", "can-execute")], [2, 1, 1, 2, True])
        self.assertEqual([(h["hook"], h["way"]) for h in hooks["list"]], [("post", "handler"), ("posttrans", "sandbox"), ("triggerin", "no-effect"), ("transfiletriggerin", "no-effect")])
        self.assertIn("  sandbox: %posttrans of planned-1.0-1.noarch: its body is not known", p.ashlar("image", "plan", "one").stdout)

    def test_table(self):
        """The table of known bodies is what the script makes of the corpus; each handler that it names exists."""
        tool = os.environ["ASHLAR_SCRIPTLET_TOOL"]
        self.assertEqual(subprocess.run([tool, "handlers"], capture_output=True, text=True, check=True).stdout, "")
        script = pathlib.Path(__file__).parents[2] / "scripts/scriptlet-digests"
        r = subprocess.run(["/usr/bin/python3", script, "--check"], capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stderr)
        units = 'if [ $1 -eq 1 ] && [ -x "/usr/lib/systemd/systemd-update-helper" ]; then \n    # Initial installation \n    /usr/lib/systemd/systemd-update-helper install-system-units %s || : \nfi \n'
        cases = [(units % "a.service b@.timer", "handler"), (units % "a.service; rm -rf /", "sandbox"), (units % "$(id)", "sandbox"), (units % "a  b", "sandbox"), (units % "a" + "echo\n", "sandbox"), (units % "a" + units % "c.socket", "handler"),
                 (units.replace("-eq 1", "-ge 1") % "a", "sandbox"), ("\n\n\n", "no effect"), ("/sbin/ldconfig\n", "handler"), (":", "no effect"), ("true", "sandbox"),
                 ("alternatives --install /usr/bin/a a /usr/bin/b 1 \\\n  --slave /c c /d >/dev/null 2>&1 || :\n", "handler"), ("alternatives --install /usr/bin/a a $b 1\n", "sandbox"),
                 ("/usr/bin/ca-legacy install\n/usr/bin/update-ca-trust\n", "handler"), ("/usr/bin/update-ca-trust --evil\n", "sandbox"),
                 ("[ -d /run/systemd/system ] || exit 0\nrm -rf /\n", "no effect"), ("[ -d /run/systemd/system ] || exit 0; rm -rf /\n", "sandbox"), ("rm -rf /\n[ -d /run/systemd/system ] || exit 0\n", "sandbox")]
        for body, way in cases:
            out = subprocess.run([tool, "digest", "post", "/bin/sh", "0"], input=body, capture_output=True, text=True, check=True).stdout
            self.assertEqual(out.split("\t")[1], way, body)


if __name__ == "__main__":
    unittest.main()
