"""The driver: options anywhere, exit status, suggestions, help, man page, completion, output."""
import re, shutil, subprocess, unittest
from ashcli import ASHLAR, Case, main

class Driver(Case):
    def test_usage_errors(self):
        for args, words in [
            ([], "no command given"), (["hlep"], "did you mean 'ashlar help'"), (["--jsno", "help"], "did you mean --json"), (["help", "a", "b", "c"], "unexpected argument 'c'"),
            (["help", "--completion=tcsh"], "none of bash|zsh|fish"), (["-x"], "unknown option -x"), (["-j", "many", "help"], "not a number"), (["help", "-C"], "needs a value"),
            (["--json=1", "help"], "takes no value"), (["--color", "blue", "help"], "none of auto|always|never"), (["help", "nothing-like-it"], "no command 'nothing-like-it'"),
        ]:
            p = self.run_ashlar(*args, status=2)
            self.assertIn(words, p.stderr, args)
            self.assertEqual(p.stdout, "")

    def test_global_options_anywhere(self):
        for args in (["--color=always", "-C", "/", "help"], ["help", "-C/", "--color", "never"], ["-qvv", "help", "-j4", "--timings"]):
            self.assertIn("usage: ashlar", self.run_ashlar(*args).stdout)
        self.assertIn("wall", self.run_ashlar("--timings", "help").stderr)
        self.assertEqual(self.events(self.run_ashlar("--timings", "help", "--json").stderr)[0]["event"], "timings")

    def test_json_diagnostics(self):
        d = self.diagnostics(self.run_ashlar("--json", "hlep", status=2).stderr)
        self.assertEqual([(x["severity"], x["code"], x["hint"]) for x in d], [("error", "usage", "did you mean 'ashlar help'?")])

    def commands(self):
        out = self.run_ashlar("--help").stdout
        block = out.split("commands:\n")[1].split("\nglobal options:")[0]
        return [re.match(r"  ([a-z0-9-]+(?: [a-z0-9-]+)?)(?:  |$)", line).group(1).split() for line in block.splitlines() if re.match(r"  [a-z]", line)]

    def test_help_for_every_command(self):
        commands = self.commands()
        self.assertIn(["help"], commands)
        for c in commands:
            p = self.run_ashlar(*c, "--help")
            self.assertTrue(p.stdout.startswith("usage: ashlar " + " ".join(c)), p.stdout[:200])
            self.assertEqual(p.stderr, "")
            self.assertEqual(self.run_ashlar("help", *c).stdout, p.stdout)
            self.assertTrue(all(len(line) <= 110 for line in p.stdout.splitlines()), f"long lines in the help of {c}")

    def test_version(self):
        self.assertRegex(self.run_ashlar("--version").stdout, r"^ashlar \d+\.\d+\.\d+\n$")

    def test_man_page(self):
        page = self.run_ashlar("help", "--man").stdout
        for c in self.commands():
            self.assertIn(".SS ashlar " + " ".join(c).replace("-", "\\-"), page)
        path = self.write("ashlar.1", page)
        linters = [["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(path)], ["groff", "-man", "-Tutf8", "-ww", "-z", str(path)], ["mandoc", "-Tlint", "-Wwarning", str(path)]]
        used = 0
        for command in linters:
            if shutil.which(command[0]):
                p = subprocess.run(command, capture_output=True, text=True, env={**self.env, "MANWIDTH": "100"})
                self.assertEqual((p.returncode, p.stderr), (0, ""), command)
                used += 1
        self.assertTrue(used, "none of man, groff and mandoc is installed")

    def complete(self, *words, setup=""):
        """What bash offers for the last word."""
        script = f"""source <("$0" help --completion bash); ashlar() {{ "$ASHLAR_PROGRAM" "$@"; }}; {setup}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ashlar 2> /dev/null; printf '%s\\n' "${{COMPREPLY[@]}}" """
        p = subprocess.run(["bash", "-c", script, ASHLAR, "ashlar", *words], capture_output=True, text=True, cwd=self.dir, env={**self.env, "ASHLAR_PROGRAM": ASHLAR}, check=True)
        return [w for w in p.stdout.splitlines() if w]

    def test_bash_completion(self):
        self.assertEqual(self.complete("hel"), ["help"])
        self.assertEqual(self.complete("--colo"), ["--color"])
        self.assertEqual(self.complete("--color", "a"), ["auto", "always"])
        self.assertEqual(self.complete("--color=never", "help", "--comp"), ["--completion"])
        self.assertEqual(self.complete("help", "--completion", "z"), ["zsh"])
        self.assertEqual(self.complete("-C", "/", "hel"), ["help"])
        nouns = {c[0] for c in self.commands()}
        self.assertEqual(set(self.complete("")), nouns)
        for noun in nouns:
            verbs = {c[1] for c in self.commands() if c[0] == noun and len(c) > 1}
            if verbs:
                self.assertEqual(set(self.complete(noun, "")), verbs, noun)

    def test_names_are_not_expanded_on_completion(self):
        self.write("p/ashlar.toml", '[components."$(touch${IFS}ran)"]\n[components."a b"]\n[components.abc]\n')
        self.assertEqual(self.complete("-C", "p", "component", "show", "a"), ["a\\ b", "abc"])
        self.assertEqual(len(self.complete("-C", "p", "component", "show", "")), 3)
        self.assertFalse((self.dir / "ran").exists())

    def test_completion_scripts_parse(self):
        fish = self.run_ashlar("help", "--completion", "fish").stdout
        for line in fish.splitlines(): # every quote inside a text is escaped: fish itself is seldom there
            self.assertEqual(line.replace("\\'", "").count("'") % 2, 0, line)
        zsh = self.run_ashlar("help", "--completion", "zsh").stdout
        subprocess.run(["bash", "-n"], input="".join(l.split("_ashlar_words", 1)[-1] + "\n" for l in zsh.splitlines() if ") _ashlar_words" in l).replace(";;", ""), text=True, check=True)
        for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])):
            path = self.write("script." + shell, self.run_ashlar("help", "--completion", shell).stdout)
            if shutil.which(shell):
                subprocess.run([*check, str(path)], check=True)
        if shutil.which("shellcheck"):
            p = subprocess.run(["shellcheck", "-s", "bash", "-S", "error", str(self.dir / "script.bash")], capture_output=True, text=True)
            self.assertEqual(p.returncode, 0, p.stdout)

    def test_closed_pipe_is_quiet(self):
        p = subprocess.run(["bash", "-c", 'set -o pipefail; "$0" help --man | true; "$0" help --man | head -n 1 > /dev/null; echo $?', ASHLAR], capture_output=True, text=True, env=self.env)
        self.assertEqual((p.stdout, p.stderr), ("0\n", ""))

    def test_full_output(self):
        with open("/dev/full", "w") as full:
            p = subprocess.run([ASHLAR, "help"], stdout=full, stderr=subprocess.PIPE, text=True, env=self.env)
        self.assertEqual(p.returncode, 1)
        self.assertIn("No space left", p.stderr)

    def test_colours(self):
        self.assertIn("\033[1;31merror", self.on_terminal("hlep")[1])
        self.assertNotIn("\033[", self.on_terminal("hlep", env={"NO_COLOR": "1"})[1])
        self.assertNotIn("\033[", self.on_terminal("hlep", "--color=never")[1])
        self.assertIn("\033[1;31merror", self.run_ashlar("hlep", "--color=always", status=2, env={"NO_COLOR": "1"}).stderr)
        self.assertNotIn("\033[", self.run_ashlar("hlep", status=2).stderr)

    def test_locale_does_not_matter(self):
        want = self.run_ashlar("--help").stdout
        for locale in ("C", "C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8"):
            self.assertEqual(self.run_ashlar("--help", env={"LC_ALL": locale}).stdout, want)

if __name__ == "__main__":
    main()
