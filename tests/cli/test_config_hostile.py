"""Configurations that try to hurt: loops of links and includes, very many of everything."""
import json, os
from ashcli import Case, main

class Hostile(Case):
    def check(self, status, text=None, **more):
        if text is not None:
            self.write("ashlar.toml", text)
        return self.run_ashlar("config", "check", status=status, timeout=60, **more)

    def test_include_of_a_fifo_does_not_wait(self):
        self.write("fifo/ashlar.toml", 'includes = ["pipe"]\n')
        os.mkfifo(self.dir / "fifo/pipe")
        self.assertIn("fifo/ashlar.toml:1:13: error: cannot read", self.run_ashlar("-C", "fifo", "config", "check", status=3).stderr)

    def test_symlink_loops(self):
        self.write("ashlar.toml", "includes = ['a/**/*.toml', 'loop.toml']\n")
        self.write("a/x.toml", "[components.x]\n")
        os.symlink("..", self.dir / "a" / "up")
        os.symlink("loop.toml", self.dir / "loop.toml")
        self.assertIn("loop.toml", self.check(3).stderr)
        (self.dir / "loop.toml").unlink()
        self.write("ashlar.toml", "includes = ['a/**/*.toml']\n")
        self.assertIn("1 component,", self.check(0).stdout)

    def test_includes_may_lead_upwards(self):
        self.write("shared.toml", "[components.bash]\n")
        self.write("p/ashlar.toml", "includes = ['../shared.toml', '../nothing/*.toml']\n")
        self.assertIn("1 component,", self.run_ashlar("-C", "p", "config", "check").stdout)

    def test_long_chain_of_includes(self):
        for i in range(2000):
            self.write(f"f{i}.toml", f"includes = ['f{i + 1}.toml']\n[components.c{i}]\n")
        self.write("f2000.toml", "includes = ['ashlar.toml']\n")
        self.assertEqual(self.check(3, "includes = ['f0.toml']\n").stderr.count("include cycle"), 1)
        self.write("f2000.toml", "")
        self.assertIn("2000 components", self.check(0).stdout)

    def test_many_components(self):
        n = 100000
        p = self.check(0, "".join(f"[components.c{i}]\nbuild.without = ['docs']\n" for i in range(n)))
        self.assertIn(f"{n} components", p.stdout)
        self.check(3, "".join(f"[components.c{i}]\nspec = {{ type = 'upstream', upstream-distro = {{ name = 'f{i}' }} }}\n" for i in range(20000)))
        self.write("a.toml", "".join(f"[components.c{i}]\n" for i in range(20000)))
        p = self.check(3, "includes = ['a.toml']\n" + "".join(f"[components.c{i}]\n" for i in range(20000)))
        self.assertEqual(p.stderr.count("duplicate component"), 20000)

    def test_many_images(self):
        self.check(3, "".join(f"[images.i{i}]\ninherits = ['i{i + 1}']\n" for i in range(200)) + "[images.i200]\n")
        self.check(3, "".join(f"[images.i{i}]\ninherits = ['i{(i + 1) % 40}']\n" for i in range(40)))

    def test_images_that_inherit_in_diamonds(self):
        text = "[images.i0]\npackages = ['a']\n" + "".join(f"[images.i{i}]\ninherits = ['i{i - 1}', 'i{i - 1}']\n" for i in range(1, 40))
        self.check(0, text)
        self.assertEqual(json.loads(self.run_ashlar("config", "dump", "--resolved", "--format=json").stdout)["images"]["i39"]["packages"], ["a"])

    def test_not_a_file(self):
        os.mkfifo(self.dir / "pipe.toml")
        (self.dir / "secret.toml").write_text("")
        self.check(3, 'includes = ["missing\\u0000.toml", "nul\\u0000"]\n')
        self.check(3, b"[components.bash]\n\xff\xfe = 1\n")
        self.check(3, "a = " + "[" * 100000)

    def test_unreadable(self):
        self.write("ashlar.toml", "includes = ['*.toml.d/x']\n")
        self.assertIn("no mistakes", self.check(0).stdout)

if __name__ == "__main__":
    main()
