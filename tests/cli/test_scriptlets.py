"""Scriptlets that no handler covers: what they do to an image is what they do when rpm installs the same packages; and what they cannot do."""
import os, pathlib, shutil, subprocess, sys, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import scriptkit  # noqa: E402


class Scriptlets(unittest.TestCase):
    maxDiff = 6000

    @classmethod
    def setUpClass(cls):
        cls.kit = scriptkit.ScriptKit()

    @classmethod
    def tearDownClass(cls):
        cls.kit.close()

    def setUp(self):
        self.dir = self.kit.kit.dir / self.id().rsplit(".", 1)[-1]
        self.dir.mkdir()

    def as_rpm(self, packages, keys="", intended=()):
        """The same tree from both; returns Ashlar's nodes and rpm's process."""
        project = self.kit.project(self.dir / "p", packages, keys)
        nodes = project.dump()
        if os.geteuid():
            return nodes, None
        judge = self.kit.rpm_root(self.dir / "root", packages)
        have, have_links = scriptkit.facts_of_dump(nodes)
        want, want_links = scriptkit.facts_of_root(self.dir / "root")
        for path in [p for p in {**have, **want} if p in intended or nodes.get(p, {}).get("origin", "").startswith("handler:")]:
            have.pop(path, None)
            want.pop(path, None)
        for path in sorted(set(have) | set(want)):
            self.assertEqual(have.get(path), want.get(path), f"{path}: {nodes.get(path)}\n{judge.stdout}{judge.stderr}")
        self.assertEqual(have_links, want_links)
        return nodes, judge

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


if __name__ == "__main__":
    unittest.main()
