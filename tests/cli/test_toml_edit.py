"""TOML against python's tomllib as the judge: reading; the editor on chosen texts before and after, and random edits of random texts against a model."""
import copy, datetime, json, math, os, random, re, subprocess, tempfile, tomllib, unittest
from pathlib import Path

TOOL = os.environ.get("ASHLAR_TOML_EDIT") or str(Path(__file__).resolve().parents[2] / "build" / "tests" / "toml-edit")

def run(ops):
    p = subprocess.run([TOOL], input="".join(json.dumps(op) + "\n" for op in ops), capture_output=True, text=True, timeout=300)
    if p.returncode:
        raise AssertionError(f"exit status {p.returncode}: {p.stderr}")
    return [json.loads(line) for line in p.stdout.splitlines()]

def key(k):
    return k if re.fullmatch(r"[A-Za-z0-9_-]+", k) else json.dumps(k)

def path_text(path):
    return "".join(f"[{s}]" if isinstance(s, int) else ("." if i else "") + key(s) for i, s in enumerate(path))

class Chosen(unittest.TestCase):
    def edit(self, before, op, path, value, after, version="1.1"):
        got = run([["load", before, version], [op, path, value]])[-1]
        self.assertNotIn("error", got, got)
        self.assertEqual(got["text"], after)

    def refuse(self, before, op, path, value, words):
        got = run([["load", before, "1.1"], [op, path, value]])[-1]
        self.assertIn("error", got)
        self.assertIn(words, got["message"])
        self.assertEqual(got["text"], before)

    def test_replace(self):
        self.edit("# top\na = 1 # one\nb = 2\n", "set", "a", "x", '# top\na = "x" # one\nb = 2\n')
        self.edit("a = [\n    1, # one\n    2,\n]\n", "set", "a", [3, 4, 5], "a = [\n    3,\n    4,\n    5,\n]\n")
        self.edit("a = {b = {c = 1}, d = 2}\n", "set", "a.b.c", True, "a = {b = {c = true}, d = 2}\n")
        self.edit("[[t]]\nx = 1\n[[t]]\nx = 2\n", "set", "t[-1].x", 3, "[[t]]\nx = 1\n[[t]]\nx = 3\n")
        self.refuse("[a]\n", "set", "a", 1, "a table that is not written in braces")

    def test_insert(self):
        self.edit("a = 1\n\n# about t\n[t]\n  x = 1 # c\n\n[u]\n", "set", "t.y", 2, "a = 1\n\n# about t\n[t]\n  x = 1 # c\n  y = 2\n\n[u]\n")
        self.edit("[t]\nlong   = 1\nx      = 2\n[u]\n", "set", "t.name", 3, "[t]\nlong   = 1\nx      = 2\nname   = 3\n[u]\n")
        self.edit("[t]\na=1\n", "set", "t.b", 2, "[t]\na=1\nb=2\n")
        self.edit("# licence\n\n# t\n[t]\n", "set", "v", 1, "# licence\n\nv = 1\n\n# t\n[t]\n")
        self.edit("a.b = 1\nc = 2\n", "set", "a.d", 3, "a.b = 1\na.d = 3\nc = 2\n")
        self.edit("a = {b = 1}\n", "set", "a.c.d", 2, "a = {b = 1, c.d = 2}\n")
        self.edit("a = {}\n", "set", "a.c", 2, "a = { c = 2 }\n")
        self.edit("a = {\n  b = 1, # x\n}\n", "set", "a.c", 2, "a = {\n  b = 1, # x\n  c = 2,\n}\n")
        self.edit("[a.b]\nx = 1\n", "set", "a.y", 1, "[a]\ny = 1\n\n[a.b]\nx = 1\n")
        self.edit("a = 1", "set", "b", 2, "a = 1\nb = 2\n")
        self.edit("a = 1\r\n", "set", "b", 2, "a = 1\r\nb = 2\r\n")
        self.edit("", "set", "a.b", 2, "[a]\nb = 2\n")
        self.edit("\ufeffa = 1\n", "set", "b", 2, "\ufeffa = 1\nb = 2\n")
        self.edit("a = 1\n", "set", '"x y".b', "it's \"q\"\\", 'a = 1\n\n["x y"]\nb = "it\'s \\"q\\"\\\\"\n')
        self.refuse("a = 1\n", "set", "a.b", 1, "no table")
        self.refuse("a = [1]\n", "set", "a[3]", 1, "no such item")

    def test_tables(self):
        self.edit("[a]\nx = 1\n\n# b\n[b]\n", "add-table", "a.c", {"y": 1}, "[a]\nx = 1\n\n[a.c]\ny = 1\n\n# b\n[b]\n")
        self.edit("[a]\nx = 1\n", "add-table", "b", None, "[a]\nx = 1\n\n[b]\n")
        self.edit("[c.bash]\n[c.zsh]\n", "add-table", "c.fish", None, "[c.bash]\n[c.zsh]\n[c.fish]\n")
        self.edit("[[o]]\nx = 1\n\n[end]\n", "append", "o", {"x": 2}, "[[o]]\nx = 1\n\n[[o]]\nx = 2\n\n[end]\n")
        self.edit("[c.bash]\nx = 1\n", "append", "c.bash.o", {"x": 2}, "[c.bash]\nx = 1\n\n[[c.bash.o]]\nx = 2\n")
        self.refuse("[a]\n", "add-table", "a", None, "there already")

    def test_append(self):
        self.edit("a = [1, 2]\n", "append", "a", 3, "a = [1, 2, 3]\n")
        self.edit("a = [1, 2,]\n", "append", "a", 3, "a = [1, 2, 3,]\n")
        self.edit("a = []\n", "append", "a", 3, "a = [3]\n")
        self.edit("a = [\n  1, # one\n  2 # two\n  # end\n]\n", "append", "a", 3, "a = [\n  1, # one\n  2, # two\n  3\n  # end\n]\n")
        self.edit("a = [\n\t'x',\n]\n", "append", "a", "y", "a = [\n\t'x',\n\t\"y\",\n]\n")
        self.edit("a = [\n  # none yet\n]\n", "append", "a", 1, "a = [\n  # none yet\n  1,\n]\n")
        self.edit("b = 1\n", "append", "a", 1, "b = 1\na = [1]\n")
        self.edit("a = [\n  1 ]\n", "append", "a", 2, "a = [\n  1,\n  2 ]\n")

    def test_remove(self):
        self.edit("# c\na = 1 # x\nb = 2\n", "remove", "a", None, "# c\nb = 2\n")
        self.edit("a = [1, 2, 3]\n", "remove", "a[0]", None, "a = [2, 3]\n")
        self.edit("a = [1, 2, 3]\n", "remove", "a[-1]", None, "a = [1, 2]\n")
        self.edit("a = [1]\n", "remove", "a[0]", None, "a = []\n")
        self.edit("a = [\n  1, # one\n  2, # two\n]\n", "remove", "a[1]", None, "a = [\n  1, # one\n]\n")
        self.edit("a = { b = 1, c = 2 }\n", "remove", "a.c", None, "a = { b = 1 }\n")
        self.edit("a = { b.x = 1, c = 2, b.y = 3 }\n", "remove", "a.b", None, "a = { c = 2 }\n")
        self.edit("[a]\nx = 1\n\n# about b\n[b]\ny = 1\n# end of b\n\n# alone\n\n[c]\n", "remove", "b", None, "[a]\nx = 1\n\n# alone\n\n[c]\n")
        self.edit("[a]\n[a.b]\nx = 1\n[c]\n[a.d]\n", "remove", "a", None, "[c]\n")
        self.edit("[[t]]\nx = 1\n\n[[t]]\nx = 2\n", "remove", "t[1]", None, "[[t]]\nx = 1\n")
        self.edit("a.b = 1\nc = 1\na.d = 2\n", "remove", "a", None, "c = 1\n")
        self.refuse("a = 1\n", "remove", "b", None, "there is no 'b'")

    def test_emit(self):
        values = {"n": 1, "f": 2.0, "big": 1e300, "s": "a\tb\nc\\", "lit": 'C:\\x "q"', "multi": "one\ntwo \"\"\" three\n", "e": [], "l": ["x" * 30] * 5, "t": {}, "u": {"v": {"w": 1}},
                  "a": [{"x": 1}, {"y": {"z": [{"q": 1}]}}], "mixed": [1, {"x": 2}], "": {"": 1}, "ü": "\u0000\u001f\u007f\U0001f600", "cr": "a\r\nb", "q": "'''\n\"\"\"\"", "end": "x\n'"}
        text = run([["emit", "", values]])[0]
        self.assertEqual(tomllib.loads(text), values)
        self.assertEqual(run([["emit", "", tomllib.loads(text)]])[0], run([["emit", "", values]])[0])
        self.assertIn("\"", text)

# ---- random edits of random texts ----

class Maker:
    """Random TOML with all kinds of layout; only what TOML 1.0 allows, so that tomllib can judge it."""
    KEYS = ["a", "b", "c", "name", "long-key", "x_1", "7", "ü", "with space", 'q"q', ""]

    def __init__(self, seed):
        self.r = random.Random(seed)

    def comment(self):
        return self.r.choice(["", "", " # c%d" % self.r.randrange(1000), "\t#]},[{"])

    def string(self):
        return self.r.choice(["x", "", "two words", "l1\nl2", 'q"\'\\', "tab\t", "é", "#no]", "a\r\nb", "'''\"\"\"", "end\\"])

    def scalar(self):
        r = self.r
        return r.choice([str(r.randrange(-9, 99)), "0x1F", "1.5", "true", "1979-05-27", "07:32:00", '"s"', "'l]}'", '"""m\n]"""', "'''\n# x\n'''", json.dumps(self.string()).replace("\\u007f", "\\u007F")])

    def value(self, depth=0, inline=False):
        r = self.r
        if depth > 2 or r.random() < 0.55:
            return self.scalar()
        items = [self.value(depth + 1, inline) for _ in range(r.randrange(4))]
        if r.random() < 0.5:
            keys = r.sample(self.KEYS, len(items))
            items = [self.value(depth + 1, True) for _ in items]
            return r.choice(["{%s}", "{ %s }"]) % r.choice([", ", ","]).join(key(k) + (".z" if r.random() < 0.2 else "") + r.choice([" = ", "="]) + v for k, v in zip(keys, items)) if items else "{}"
        style = 0 if inline and r.random() < 0.7 else r.randrange(4)
        if not items:
            return r.choice(["[]", "[ ]", "[\n  # none\n]", "[\n]"])
        if style == 0:
            return "[" + ", ".join(items) + r.choice(["]", ",]", " ]"])
        if style == 1:
            return "[\n" + "".join("    " + v + "," + self.comment() + "\n" for v in items) + r.choice(["]", "  # end\n]"])
        if style == 2:
            return "[\n" + ",\n".join("  " + v for v in items) + self.comment() + "\n]"
        return "[ " + ", # c\n  ".join(items) + " ]"

    def pairs(self, n, indent=""):
        r, out = self.r, []
        pad = r.random() < 0.3
        for k in r.sample(self.KEYS, min(n, len(self.KEYS))):
            name = r.choice(["", "", "", "sub.", "d.e."]) + key(k)
            if r.random() < 0.1:
                out.append(indent + "# comment\n")
            out.append(indent + (name.ljust(12) if pad else name) + (" = " if pad else r.choice([" = ", "="])) + self.value() + self.comment() + "\n")
            if r.random() < 0.1:
                out.append("\n")
        return "".join(out)

    def text(self):
        r = self.r
        out = r.choice(["", "# licence\n\n", "# touching\n"]) + self.pairs(r.randrange(4))
        for _ in range(r.randrange(7)):
            parts = ".".join(key(r.choice(["t", "u", "v w", "a"])) for _ in range(r.randrange(1, 4)))
            header = r.choice(["[%s]", "[%s]", "[[%s]]"]) % parts
            indent = r.choice(["", "", "  "])
            out += r.choice(["", "\n", "\n\n# about it\n", "# about\n"]) + indent + header + self.comment() + "\n" + self.pairs(r.randrange(4), indent + r.choice(["", "  "]))
        out += r.choice(["", "", "\n# the end\n", "\n"])
        if r.random() < 0.1:
            out = out.rstrip("\n")
        return out

def paths_of(v, path=()):
    yield path
    if isinstance(v, (dict, list)):
        for k, x in v.items() if isinstance(v, dict) else enumerate(v):
            yield from paths_of(x, path + (k,))

def at(v, path):
    for s in path:
        v = v[s]
    return v

def without_empty(v):
    """Tables and arrays that hold nothing are not told apart from missing ones: parents that were only implied vanish with what implied them."""
    if isinstance(v, dict):
        pruned = {k: without_empty(x) for k, x in v.items()}
        return {k: x for k, x in pruned.items() if x not in ({}, [])}
    return [without_empty(x) for x in v] if isinstance(v, list) else v

def is_subsequence(part, whole):
    rest = iter(whole)
    return all(any(x == y for y in rest) for x in part)

def touched_lines(old, new):
    """Lines of old between what both begin and end with; empty ones aside."""
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return len([line for line in old if line.strip()])

class Random(unittest.TestCase):
    ROUNDS = int(os.environ.get("ROUNDS", "1500"))

    def new_value(self, r):
        return r.choice([1, -5, 2.5, True, "s", 'q"\'\\', "two\nlines\n", [], [1, 2], ["a", "b'"], {"k": 1}, {"k": {"l": "x"}}, [{"p": 1}, {"q": [1]}], ["y" * 40] * 3])

    def plan(self, r, data):
        """One edit: what to ask for, and what the data must be after it (None: it may be refused)."""
        all_paths = [p for p in paths_of(data) if p]
        op, value, want = r.choice(["set", "set", "insert", "insert", "append", "remove", "add-table"]), self.new_value(r), copy.deepcopy(data)
        if op == "insert" or not all_paths:
            tables = [p for p in [()] + all_paths if isinstance(at(data, p), dict)]
            path = r.choice(tables) + tuple(r.choice(["new", "new key", "n.e", "zz"]) for _ in range(r.randrange(1, 3)))
            try:
                at(data, path)
                return None
            except KeyError:
                pass
            v = want
            for s in path[:-1]:
                v = v.setdefault(s, {}) if isinstance(v, dict) else v[s]
            v[path[-1]] = value
            return "set", path, value, want, "insert"
        path = r.choice(all_paths)
        if op == "set":
            at(want, path[:-1])[path[-1]] = value
        elif op == "remove":
            del at(want, path[:-1])[path[-1]]
        elif op == "append":
            if not isinstance(at(data, path), list):
                return None
            at(want, path).append(value)
        else:
            tables = [p for p in [()] + all_paths if isinstance(at(data, p), dict) and "fresh" not in at(data, p)]
            if not tables:
                return None
            path, value = r.choice(tables) + ("fresh",), r.choice([{}, {"m": 1, "n": ["x"]}])
            at(want, path[:-1])["fresh"] = value
        return op, path, value, want, op

    def test_random(self):
        ops, plans = [], []
        for seed in range(self.ROUNDS):
            maker = Maker(seed)
            text = maker.text()
            if maker.r.random() < 0.2:
                text = text.replace("\r\n", "\n").replace("\n", "\r\n")
            try:
                data = tomllib.loads(text)
            except tomllib.TOMLDecodeError:
                continue
            for _ in range(4):
                plan = self.plan(maker.r, data)
                if plan:
                    ops += [["load", text, "1.0"], [plan[0], path_text(plan[1]), plan[2]]]
                    plans.append((seed, text, *plan))
        answers, done, refused = run(ops)[1::2], {}, {}
        self.assertEqual(len(answers), len(plans))
        for (seed, text, op, path, value, want, kind), got in zip(plans, answers):
            what = f"seed {seed}: {op} {path_text(path)} {value!r}\n--- before\n{text}\n--- after\n{got.get('text')}\n--- {got.get('message')}"
            if "error" in got:
                refused[kind] = refused.get(kind, 0) + 1
                self.assertIn(kind, ("set", "append"), what) # a table with a header is not replaced by a value; an array of tables takes tables only
                self.assertTrue(isinstance(at(tomllib.loads(text), path), (dict, list)), what)
                self.assertEqual(got["text"], text, what)
                continue
            done[kind] = done.get(kind, 0) + 1
            after = tomllib.loads(got["text"])
            if kind == "remove":
                self.assertEqual(without_empty(after), without_empty(want), what)
            else:
                self.assertEqual(after, want, what)
            old, new = text.splitlines(), got["text"].splitlines()
            if kind in ("insert", "add-table", "append"):
                self.assertLessEqual(touched_lines(old, new), 1, what)
            if kind == "remove":
                self.assertLessEqual(len([line for line in new if line not in old]), 2, what)
            if kind == "set":
                comments = [line for line in old if re.match("# (about|comment|licence|touching|the end)", line)]
                self.assertTrue(is_subsequence(comments, new), what)
        print("edits:", done, "refused:", refused)
        self.assertGreater(sum(done.values()), len(plans) // 2)

# ---- reading: the same texts by tomllib ----

def same(want, got):
    if isinstance(want, dict):
        return isinstance(got, dict) and list(want) == list(got) and all(same(want[k], got[k]) for k in want)
    if isinstance(want, list):
        return isinstance(got, list) and len(want) == len(got) and all(map(same, want, got))
    if isinstance(want, datetime.datetime):
        return datetime.datetime.fromisoformat(got) == want
    if isinstance(want, (datetime.date, datetime.time)):
        return type(want).fromisoformat(got) == want
    if isinstance(want, float) and not math.isfinite(want):
        return got is None
    return type(want) == type(got) and want == got or isinstance(want, float) and want == got

class Judge(unittest.TestCase):
    def compare(self, texts):
        accepted = 0
        for text, got in zip(texts, run([["load", t, "1.0"] for t in texts])):
            try:
                want = tomllib.loads(text)
            except (ValueError, RecursionError):
                self.assertIn("error", got, text)
                continue
            if "error" in got and re.search("fit 64 bits|too large for 64 bits", got["message"]):
                continue # python's numbers have no limit, or become infinite
            self.assertNotIn("error", got, text)
            self.assertTrue(same(want, got["data"]), text)
            accepted += 1
        return accepted

    def test_random(self):
        texts = [Maker(seed).text() for seed in range(1000)]
        r = random.Random(1)
        for text in list(texts):
            i = r.randrange(len(text) + 1)
            texts.append(text[:i] + r.choice(["\n", '"', "'", "[", "]", "{", "}", "=", ".", ",", "#", "\\", " ", "\r", "0", "_", "e", "x = 1\n", "[t]\n", "[[t]]\n", '\"\"\"']) + text[i + r.randrange(3):])
        self.assertGreater(self.compare(texts), 500)

    def test_real_tree(self):
        tree = Path(os.environ.get("ASHLAR_SHARED", "/nowhere")) / "corpus/azurelinux-4.0/config-tree.tar.zst"
        if not tree.exists():
            self.skipTest("no corpus")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["tar", "-C", folder, "--zstd", "-xf", tree], check=True)
            texts = [p.read_bytes().decode() for p in sorted(Path(folder).rglob("*.toml"))]
        self.assertEqual(self.compare(texts), len(texts))

if __name__ == "__main__":
    unittest.main(verbosity=1)
