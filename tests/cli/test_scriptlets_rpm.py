"""Scriptlets in the sandbox against rpm's own run of the same packages: every kind of hook, its order, its arguments, what it sees; and what hostile ones cannot do."""
import hashlib, os, pathlib, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import scriptkit  # noqa: E402


class Scriptlets(scriptkit.Case):
    LOG_LUA = """local f = io.open('/log', 'a') f:write('%s') for i = 2, #arg do f:write(' ', tostring(arg[i])) end
local n = rpm.next_file and rpm.next_file() while n do f:write(' ', n) n = rpm.next_file() end f:write('\\n') f:close()
"""
    LOG_SH = """echo "%s $* $(ls /opt | tr '\\n' ' ')" >> /log; cat >> /log
"""

    def logger(self, name, tags, files, targets, priorities, lua):
        program, body = ("-p <lua> ", self.LOG_LUA) if lua else ("", self.LOG_SH)
        parts = [f"%{kind} {program}\n{body % (name + ' ' + kind)}" for kind in ("pretrans", "pre", "post", "posttrans") if lua or kind != "pretrans"]
        for target in targets:
            parts += [f"%{kind} {program}-- {target}\n{body % (name + ' ' + kind + ' ' + target)}" for kind in ("triggerprein", "triggerin", "triggerun", "triggerpostun")]
        for p in priorities:
            parts.append(f"%filetriggerin {program}{p} -- /opt /usr/share/{name}\n{body % (name + ' filetriggerin ' + p)}")
            parts.append(f"%transfiletriggerin {program}{p} -- /opt /usr/share\n{body % (name + ' transfiletriggerin ' + p)}")
        install = "\n".join(f"mkdir -p %{{buildroot}}{f.rsplit('/', 1)[0]}; echo x > %{{buildroot}}{f}" for f in files)
        self.kit.package(name, "\n".join(parts), tags=tags, install=install, files="\n".join(files))

    def test_order(self):
        """Every kind of hook, in rpm's order, with rpm's arguments and files."""
        priorities = ["", "-P 9999", "-P 10000", "-P 2000000"]
        self.logger("la", "Requires: lb", ["/opt/la/1", "/opt/la/2", "/usr/share/la/x"], ["lb", "lc"], priorities, True)
        self.logger("lb", "Requires: shell", ["/opt/lb", "/usr/share/lb/x"], ["la", "lc < 1", "lc >= 1.0-1"], ["-P 5"], True)
        self.logger("lc", "Requires(post): la", ["/opt/lc", "/usr/share/lc/x"], ["la = 1.0, lb", "lc"], priorities[:1], True)
        nodes, _ = self.as_rpm(["shell", "la", "lb", "lc"])
        self.assertEqual(nodes["/log"]["origin"].split("(")[0], "scriptlet:%transfiletriggerin")

    def test_order_shell(self):
        self.logger("sa", "Requires(pre): shell", ["/opt/sa/1", "/usr/share/sa/x"], ["sb", "sc"], [""], False)
        self.logger("sb", "Requires(pre): sa", ["/opt/sb"], ["sa"], [], False)
        self.as_rpm(["shell", "sa", "sb"])

    def test_trigger_without_condition(self):
        """rpmbuild drops the second script's conditions as repeated ones: with rpm it never runs."""
        scripts = "".join(f"%triggerin -- {on}\necho {i} $* >> /log\n" for i, on in enumerate(("tb < 2, tc > 5", "tb >= 1, tc", "tb", "virt")))
        rpm = self.kit.package("ta", scripts, tags="Requires: shell")
        self.kit.package("tb", "", tags="Requires: ta\nProvides: virt = 3")
        self.kit.package("tc", "", tags="Requires: tb")
        indices = self.kit.kit.run("rpm", "-qp", "--qf", "[%{TRIGGERINDEX} ]", rpm).stdout.split()
        self.assertNotIn("1", indices)
        self.as_rpm(["shell", "ta", "tb", "tc"])

    def test_lua(self):
        self.kit.package("luaful", tags="Requires: shell", install="mkdir -p %{buildroot}/opt/l/sub; echo a > %{buildroot}/opt/l/a", files="/opt/l", scripts="""%post -p <lua>
posix.mkdir("/opt/l/made") posix.chmod("/opt/l/made", "rwxr-x---") posix.chown("/opt/l/made", 2, 8) posix.symlink("a", "/opt/l/link")
local pid = posix.fork() if pid == 0 then posix.exec("/bin/sh", "-c", "echo forked > /opt/l/forked") elseif pid > 0 then posix.wait(pid) end
rpm.execute("/bin/sh", "-c", "echo executed $0 > /opt/l/executed", "x")
os.execute("echo os > /opt/l/os")
os.rename("/opt/l/a", "/opt/l/b") os.remove("/opt/l/sub")
local names = {} for name in posix.files("/opt/l") do names[#names + 1] = name end table.sort(names)
local f = io.open("/opt/l/names", "w") f:write(table.concat(names, " "), " ", rpm.vercmp("1.0", "1.1"), " ", tostring(arg[2] + 1), " ", posix.stat("/opt/l").type, " }{ \\n") f:close()
assert(posix.access("/bin/sh", "x")) assert(not posix.access("/home")) print("seen")
%posttrans -p <lua>
io.open("/opt/l/before", "w"):close() error("on purpose")
""")
        nodes, judge = self.as_rpm(["shell", "luaful"])
        self.assertIn("/opt/l/before", nodes)

    def test_lua_of_newer_rpm(self):
        """rpm.spawn (4.20; here rpm is 4.18): what packages of Fedora 43 call instead of posix.fork."""
        self.kit.package("spawns", tags="Requires: shell", scripts="""%post -p <lua>
assert(rpm.spawn({"mkdir", "-p", "/opt/made here"}) == 0)
assert(rpm.spawn({"/bin/sh", "-c", "cat; echo $0 $1; echo bad >&2", "a b", "it's"}, {stdin = "/etc/group", stdout = "/opt/it's out", stderr = "/dev/null"}) == 0)
assert(rpm.spawn({"/bin/sh", "-c", "echo more"}, {stdout = "/opt/it's out"}) == 0)
local status, text, code = rpm.spawn({"/bin/sh", "-c", "exit 3"}, {stderr = "/dev/null"})
assert(status == nil and type(text) == "string" and code == 3)
status, text, code = rpm.spawn({"false-or-not-there"})
assert(status == nil and code ~= 0)
io.open("/opt/reached", "w"):close()
""")
        nodes = self.kit.project(self.dir / "p", ["shell", "spawns"]).dump()
        self.assertTrue("/opt/reached" in nodes)
        self.assertEqual(nodes["/opt/made here"]["type"], "dir")
        self.assertEqual(nodes["/opt/it's out"]["sha256"], hashlib.sha256(b"root:x:0:\ndaemon:x:2:\nmail:x:8:\na b it's\nmore\n").hexdigest())

    def test_taking(self):
        """A hook sees the files of what is installed by then, and no others; a package's file stays the package's; hard links, capabilities, attributes of directories."""
        self.kit.package("early", tags="Requires: shell", install="mkdir -p %{buildroot}/opt/early; echo e > %{buildroot}/opt/early/e; echo one > %{buildroot}/opt/early/one; ln %{buildroot}/opt/early/one %{buildroot}/opt/early/two", files="/opt/early", scripts="""%post
x=$(find /opt | sort); echo "$x" > /opt/early/list; mkdir -p /opt/late/dir; echo mine > /opt/late/file; echo kept > /opt/late/kept; chmod 700 /opt/late
ln /opt/early/e /opt/early/e2; ln -f /opt/early/list /opt/early/two; mkdir -m 1777 /opt/early/sticky; chmod 2750 /opt/early; chown daemon /opt/early
%posttrans
x=$(find /opt | sort); echo "$x" > /opt/early/list2; echo changed > /opt/late/changed; rm -r /opt/late/gone; mv /opt/late/move /opt/late/moved; chmod 4711 /opt/late/suid; chown -h mail:mail /opt/late/link 2>/dev/null || chown -h 8:8 /opt/late/link
""")
        self.kit.package("late", tags="Requires: early", install="mkdir -p %{buildroot}/opt/late/dir %{buildroot}/opt/late/gone/x; cd %{buildroot}/opt/late; echo theirs > file; echo c > changed; echo m > move; echo s > suid; echo g > gone/x/g; ln -s file link",
                         files="%dir %attr(0755,root,root) /opt/late\n/opt/late/dir\n/opt/late/gone\n/opt/late/file\n/opt/late/changed\n/opt/late/move\n/opt/late/suid\n/opt/late/link", scripts="""%pre
test ! -e /opt/late/changed || exit 1
echo "$(ls /opt/late | tr '\\n' ' ')" > /opt/early/at-pre
%pretrans -p <lua>
if posix.stat("/opt/late") then os.rename("/opt/late", "/opt/late.moved") end
""")
        nodes, judge = self.as_rpm(["shell", "early", "late"])
        self.assertEqual(nodes["/opt/late/file"]["origin"], "package:late-1.0-1.noarch")

    # ---- odd, but legal ----
    def odd(self, name, scripts="", install="true", files="", tags="Requires(pre): shell\nRequires: shell"):
        self.kit.package(name, scripts, tags=tags, install="cd %{buildroot}; mkdir -p opt\n" + install, files=files)

    def test_odd_programs(self):
        """Interpreters with options, programs that are none, exit statuses and signals; where a relocatable package is."""
        self.odd("interp", "%post -p /bin/bash\na=(x y); echo \"${a[1]} $1 $#\" > /opt/bash\n%pre -p /usr/bin/sh\necho \"$1 $# $-\" > /opt/pre\n%posttrans -p \"/bin/sh -x\"\necho \"$1 $# $-\" > /opt/posttrans\n")
        self.odd("words", "%post -p \"/bin/bash -e\"\nfalse || true\necho here > /opt/here\nfalse\necho not > /opt/not\n%posttrans -p \"/usr/bin/touch /opt/touched\"\n")
        self.odd("ends", "%post\necho a > /opt/a\nexit 7\n%posttrans -p <lua>\nio.open('/opt/b', 'w'):close() return 1\n%triggerin -- shell\necho t > /opt/t; kill -TERM $$\n%transfiletriggerin -- /usr\nhead -n1 >/dev/null; echo z > /opt/z; exit 2\n")
        self.odd("where", "%post\necho $RPM_INSTALL_PREFIX $RPM_INSTALL_PREFIX0 $RPM_INSTALL_PREFIX1 > /opt/where; umask >> /opt/where; pwd >> /opt/where; cat >> /opt/where; env | grep -c RPM_ >> /opt/where\n", "mkdir -p opt/p etc/p; echo > opt/p/f; echo > etc/p/g",
                 "/opt/p/f\n/etc/p/g", tags="Prefix: /opt/p\nPrefix: /etc/p\nRequires: shell")
        self.odd("tools", "%post\n/usr/bin/systemctl daemon-reload >/dev/null 2>&1 || :\nrestorecon -R /var >/dev/null 2>&1 || :\n[ -x /usr/sbin/setsebool ] && setsebool -P x 1\ncommand -v chkconfig && chkconfig --add x || :\n"
                 "/sbin/install-info /usr/share/info/x.info /usr/share/info/dir || :\nupdate-desktop-database &> /dev/null || :\ngetent group mail > /opt/mail; getent passwd nope > /opt/nope || echo $? > /opt/rc\n")
        self.as_rpm(sorted(["shell", "interp", "words", "ends", "where", "tools"]))

    def test_odd_files(self):
        """What a scriptlet put where a later package has configuration; links and directories of one path; ghosts; hard links; owners that %pre makes."""
        self.odd("ca", "%post\nmkdir -p /etc/cc; for f in n p same dirfile link; do echo mine > /etc/cc/$f; done; echo theirs > /etc/cc/same2; ln -sf p /etc/cc/alink; echo x > /etc/cc/plain; mkdir -p /etc/cc/isdir; echo y > /etc/cc/gho\n")
        self.odd("cb", "%post\nls /etc/cc > /opt/ls; cat /etc/cc/* > /opt/cat\n", "mkdir -p etc/cc; for f in n p same2 dirfile plain alink gho; do echo theirs > etc/cc/$f; done; echo mine > etc/cc/same; ln -s p etc/cc/link",
                 "%config(noreplace) /etc/cc/n\n%config /etc/cc/p\n%config /etc/cc/same\n%config(noreplace) /etc/cc/same2\n%config /etc/cc/alink\n/etc/cc/plain\n%config /etc/cc/link\n%ghost %config /etc/cc/gho\n"
                 "%config(noreplace) /etc/cc/dirfile", tags="Requires(pre): ca\nRequires: ca")
        self.odd("da", "%post\nls /opt/alias/ > /opt/la\n", "mkdir -p opt/real; echo a > opt/real/a; ln -s real opt/alias", "/opt/real\n/opt/alias")
        self.odd("db", "%post\nls /opt/alias/ > /opt/lb\n", "mkdir -p opt/alias; echo b > opt/alias/b", "/opt/alias/b", tags="Requires: da")
        self.odd("gh", "%post\nls -la /var/lib/gh > /dev/null 2>&1 && echo there > /opt/there; mkdir -p /var/lib/gh/d; touch /var/lib/gh/f; chmod 600 /var/lib/gh/f; touch /var/log/gh.log\n",
                 "mkdir -p var/lib/gh/d var/log; touch var/lib/gh/f var/log/gh.log; ln -s x var/lib/gh/l; mkdir -p etc; echo c > etc/gh.conf; echo m > etc/m.conf",
                 "%ghost %dir /var/lib/gh/d\n%ghost /var/lib/gh/f\n%ghost %attr(0600,daemon,mail) /var/log/gh.log\n%ghost /var/lib/gh/l\n%ghost %config(noreplace) /etc/gh.conf\n%config(noreplace,missingok) /etc/m.conf")
        self.odd("hl", "%post\nstat -c %%h /opt/a/x > /opt/n; echo more >> /opt/b/x; chmod 600 /usr/share/h/x; rm /opt/b/empty; ln /opt/a/empty /opt/e2\n",
                 "mkdir -p opt/a opt/b usr/share/h; echo x > opt/a/x; ln opt/a/x opt/b/x; ln opt/a/x usr/share/h/x; echo e > opt/a/e; : > opt/a/empty; ln opt/a/empty opt/b/empty", "/opt/a\n/opt/b\n/usr/share/h")
        self.odd("up", "%pre\necho 'upg:x:77:' >> /etc/group; echo 'upu:x:77:77::/:/bin/sh' >> /etc/passwd\n%post\nstat -c '%%U %%u %%G %%g' /var/lib/up/f > /opt/who\n", "mkdir -p var/lib/up; echo > var/lib/up/f",
                 "%attr(0750,upu,upg) /var/lib/up\n%attr(0640,upu,upg) /var/lib/up/f")
        nodes, _ = self.as_rpm(sorted(["shell", "ca", "cb", "da", "db", "gh", "hl", "up"]))
        self.assertEqual((nodes["/var/lib/up/f"]["names"], nodes["/var/lib/up/f"]["ids"]), ("upu:upg", "77:77"))

    def test_odd_order(self):
        """Loops of requirements, arguments of triggers, priorities over several packages."""
        for a, b in (("l1", "l2"), ("l2", "l3"), ("l3", "l1")):
            self.odd(a, f"%pre\necho pre {a} $(ls /opt/l) >> /opt/log\n%post\necho post {a} $(ls /opt/l) >> /opt/log\n", f"mkdir -p opt/l; echo > opt/l/{a}", f"/opt/l/{a}", tags=f"Requires(post): {b}\nRequires: shell")
        for a, b in (("m1", "m2"), ("m2", "m3"), ("m3", "m1"), ("m4", "m2")):
            self.odd(a, f"%pre\necho pre {a} $(ls /opt/l) >> /opt/log\n%posttrans\necho posttrans {a} >> /opt/log\n", f"mkdir -p opt/l; echo > opt/l/{a}", f"/opt/l/{a}", tags=f"Requires(pre): {b}\nRequires(posttrans): m4\nRequires: shell")
        self.odd("tr", "%triggerin -p <lua> -- tt\nlocal f = io.open('/opt/lua', 'a') f:write(tostring(arg[1]), ' ', tostring(arg[2]), ' ', tostring(arg[3]), '\\n') f:close()\n%triggerin -- tt, shell, tr\necho \"in $1 $2 $#\" >> /opt/tr\n"
                 "%triggerprein -- tt\necho \"prein $1 $2\" >> /opt/tr\n%filetriggerin -- /opt/tt /opt/none\necho \"f $1 $2 $#\" >> /opt/tr; cat >> /opt/tr\n%transfiletriggerin -- /opt/tt\necho \"tf $1 $2 $#\" >> /opt/tr; cat >> /opt/tr\n")
        self.odd("tt", "", "mkdir -p opt/tt/d; echo > opt/tt/f; echo > opt/tt/d/g; ln -s f opt/tt/l; touch opt/tt/gh", "/opt/tt/f\n/opt/tt/d\n/opt/tt/l\n%ghost /opt/tt/gh")
        for n, ps in (("p1", (50, 2000000, 10000)), ("p2", (50, 1999999, 9999)), ("p3", (2000000, 1, 100000))):
            self.odd(n, "".join(f"%filetriggerin -P {p} -- /opt/pr\necho {n} {p} $(cat) >> /opt/prio\n%transfiletriggerin -P {p} -- /opt/pr\necho T {n} {p} $(cat) >> /opt/prio\n" for p in ps), f"mkdir -p opt/pr; echo > opt/pr/{n}", f"/opt/pr/{n}")
        self.odd("w", "%filetriggerin -- /opt/s\necho run >> /opt/slog; cat >> /opt/slog\n%transfiletriggerin -- /opt/s\necho whole >> /opt/slog; cat >> /opt/slog\n")
        for n in "abcd":  # directories of several packages
            self.odd("x" + n, "", f"mkdir -p opt/s/d{n}; echo > opt/s/d{n}/f; echo > opt/b{n}", f"/opt/b{n}\n%dir /opt/s\n/opt/s/d{n}", tags="Requires: w\n" if n != "a" else "Requires: shell\n")
        self.as_rpm(sorted(["shell", "l1", "l2", "l3", "m1", "m2", "m3", "m4", "tr", "tt", "p1", "p2", "p3", "w", "xa", "xb", "xc", "xd"]))

    def test_hostile(self):
        """Nothing but the image's own tree is seen or changed; whoever takes too much is stopped."""
        self.kit.package("spy", tags="Requires: shell", scripts="""%%post
cat %s/secret /proc/1/root%s/secret > /opt/stolen 2>/dev/null; ls / | tr '\\n' ' ' > /opt/seen; (echo > /dev/tcp/127.0.0.1/%d) 2>/dev/null && echo connected > /opt/net
cut -d: -f1 /proc/net/dev | sed 1,2d | tr -d ' ' > /opt/devices; hostname > /opt/host; echo x > /../../outside; ls /proc/self/fd | wc -l > /opt/fds; mount -t tmpfs x /opt 2>/dev/null; mknod /opt/disk b 8 0 2>/dev/null; true
kill -9 -1
""" % (self.dir, self.dir, 9))
        (self.dir / "secret").write_text("secret")
        p = self.kit.project(self.dir / "p", ["shell", "spy"])
        out = p.ashlar("image", "build", "one")
        nodes = p.dump()
        self.assertIn("/opt/stolen", nodes)
        self.assertEqual(nodes["/opt/stolen"]["size"], "0")
        self.assertNotIn("/opt/net", nodes)
        self.assertNotIn("/opt/disk", nodes)
        self.assertEqual(nodes["/outside"]["origin"], "scriptlet:%post(spy-1.0-1.noarch)")
        self.assertFalse(os.path.exists("/outside"))
        self.assertEqual(nodes["/opt/devices"]["size"], "3") # "lo"
        self.kit.package("bomb", tags="Requires: shell", scripts="%pre\nb() { b & b & }; b; sleep 1; exit 1\n")
        start = time.monotonic()
        out = self.kit.project(self.dir / "bomb", ["shell", "bomb"]).ashlar("image", "build", "one", status=1).stderr
        self.assertIn("%pre(bomb-1.0-1.noarch)", out)
        self.assertLess(time.monotonic() - start, 60)
        self.kit.package("filler", tags="Requires: shell", scripts="%pre\nhead -c 3000000000 /dev/zero > /opt/zeros\n")
        out = self.kit.project(self.dir / "filler", ["shell", "filler"]).ashlar("image", "build", "one", status=1).stderr
        self.assertIn("cannot read what was changed: files of more than 512 MiB", out)
        self.assertIn("%pre(filler-1.0-1.noarch)", out)
        self.kit.package("filler", tags="Requires: shell", scripts="%post\nhead -c 600000000 /dev/zero > /opt/zeros\n")
        out = self.kit.project(self.dir / "filler-post", ["shell", "filler"]).ashlar("image", "build", "one", status=1).stderr
        self.assertIn("cannot read what was changed: files of more than 512 MiB", out)
        self.assertIn("%post(filler-1.0-1.noarch)", out)

    def test_environment(self):
        """What the builder has in its environment, tokens and the like, is in no process that a scriptlet can look at."""
        self.kit.package("looker", tags="Requires: shell", scripts="""%post -p /bin/bash
cat /proc/[0-9]*/environ | tr '\\0' '\\n' > /opt/shell
%posttrans -p <lua>
local f, out = io.open("/proc/self/environ"), io.open("/opt/lua", "w") out:write(f and f:read("a") or "") out:close()
os.execute("grep -a -c token-of-the-builder /opt/shell > /opt/in-shell; grep -a -c token-of-the-builder /opt/lua > /opt/in-lua; grep -c HOME=/root /opt/shell > /opt/own")
""")
        p = self.kit.project(self.dir / "p", ["shell", "looker"])
        nodes = p.dump(env={**p.env, "A_SECRET": "token-of-the-builder"})
        none, some = hashlib.sha256(b"0\n").hexdigest(), nodes["/opt/own"]["sha256"]
        self.assertNotEqual(some, none)
        self.assertEqual((nodes["/opt/in-shell"]["sha256"], nodes["/opt/in-lua"]["sha256"]), (none, none))

    def test_accounts(self):
        """Users of sysusers.d are there for scriptlets."""
        self.kit.package("users", tags="Requires: shell", install="mkdir -p %{buildroot}/usr/lib/sysusers.d %{buildroot}/var/lib/app; echo 'u app 321 \"App\" /var/lib/app' > %{buildroot}/usr/lib/sysusers.d/app.conf",
                         files="/usr/lib/sysusers.d/app.conf\n/var/lib/app", scripts="%post\nid -u app > /opt/uid; touch /var/lib/app/file; chown app:app /var/lib/app/file; echo 'late:x:400:' >> /etc/group; echo 'late:x:400:400::/:/bin/sh' >> /etc/passwd; touch /opt/late; chown late:late /opt/late\n")
        p = self.kit.project(self.dir / "p", ["shell", "users"])
        nodes = p.dump()
        self.assertEqual((nodes["/var/lib/app/file"]["names"], nodes["/var/lib/app/file"]["ids"]), ("app:app", "321:321"))
        self.assertEqual((nodes["/opt/late"]["names"], nodes["/opt/late"]["ids"]), ("late:late", "400:400"))

    def test_ordinary_user(self):
        """A user with a range of ids gets what root gets; one without is told what is missing."""
        if os.geteuid():
            self.skipTest("starts as root")
        self.kit.package("owned", tags="Requires: shell", scripts="%post\ntouch /opt/a; chown 2:8 /opt/a; chmod 4755 /opt/a; setcap cap_net_raw=ep /opt/a; setpriv --reuid=2 --regid=8 --clear-groups id > /opt/id\n")
        p = self.kit.project(self.dir / "p", ["shell", "owned"])
        as_root = p.dump()
        self.assertEqual(as_root["/opt/a"]["ids"], "2:8")
        for path in [p.path, *p.path.rglob("*")]:
            os.chown(path, 65534, 65534)
        home = self.dir / "home"
        home.mkdir()
        os.chown(home, 65534, 65534)
        env = {**p.env, "ASHLAR_STORE": str(home / "store"), "HOME": str(home), "TMPDIR": str(home)}
        ids = self.dir / "subid"
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
        ids.write_text("")
        with_ids = ["unshare", "-m", "sh", "-c", f'mount --bind {ids} /etc/subuid; mount --bind {ids} /etc/subgid; exec "$@"', "-"]
        out = p.ashlar("image", "dump", "one", env=env, prefix=[*with_ids, *drop], status=1).stderr
        self.assertIn("has no range of 65535 subordinate ids", out)
        ids.write_text("nobody:524288:65536\n")
        self.assertEqual(p.dump(env=env, prefix=[*with_ids, *drop]), as_root)


if __name__ == "__main__":
    unittest.main()
