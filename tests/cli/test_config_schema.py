"""The JSON Schema against ajv, a validator of others: it accepts the real tree and the project with every key, and refuses what 'ashlar config check' refuses."""
import copy, json, shutil, subprocess, tomllib, unittest
from pathlib import Path
from ashcli import Case, SHARED, main
from test_config import GOLDEN, GOOD, unpack_tree

# Reads {"schema", "documents": [{"def", "value"}]}, writes a list: null where a document is accepted, else why not.
JUDGE = """
const Ajv = require("ajv/dist/2020");
const input = JSON.parse(require("fs").readFileSync(0));
const ajv = new Ajv({ strict: true, strictTypes: true, strictTuples: true });
ajv.addSchema(input.schema, "s");
const judges = {};
console.log(JSON.stringify(input.documents.map(d => {
        const judge = judges[d.def] ??= ajv.compile({ $ref: "s#/$defs/" + d.def });
        return judge(d.value) ? null : ajv.errorsText(judge.errors);
})));
"""

def toml_value(v):
    if isinstance(v, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml_value(x)}" for k, x in v.items()) + " }"
    if isinstance(v, list):
        return "[" + ", ".join(map(toml_value, v)) + "]"
    return "true" if v is True else "false" if v is False else json.dumps(v)

def toml_text(doc):
    return "".join(f"{json.dumps(k)} = {toml_value(v)}\n" for k, v in doc.items())

def places(value, path=()):
    """Every value of a document with its path."""
    if path:
        yield path, value
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(child, (*path, key))

def changed(doc, path, new):
    """The document with the value at path changed; new(None) removes it."""
    doc = copy.deepcopy(doc)
    at = doc
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return doc

class Schema(Case):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("npm"):
            raise unittest.SkipTest("npm is missing: ajv cannot be installed (apt-get install npm)")

    def setUp(self):
        super().setUp()
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "ajv@8"], cwd=self.dir, check=True, timeout=300)
        self.write("judge.js", JUDGE)
        self.schema = json.loads(self.run_ashlar("config", "schema").stdout)

    def judge(self, documents):
        """documents: (name of a definition, value). Gives what ajv says of each."""
        text = json.dumps({"schema": self.schema, "documents": [{"def": d, "value": v} for d, v in documents]})
        return json.loads(subprocess.run(["node", "judge.js"], cwd=self.dir, input=text, capture_output=True, text=True, check=True, timeout=300).stdout)

    def test_accepts(self):
        (self.dir / "tree").mkdir()
        unpack_tree(self.dir / "tree")
        files = sorted((self.dir / "tree").rglob("*.toml"))
        self.assertGreater(len(files), 200)
        documents = [("file", tomllib.loads(f.read_text())) for f in files]
        names = [str(f) for f in files]
        for directory in (self.dir / "tree", GOOD):
            for how in ([], ["--resolved"]):
                documents.append(("file", json.loads(self.run_ashlar("-C", directory, "config", "dump", "--format=json", *how).stdout)))
                names.append(f"dump of {directory} {how}")
        documents += [("file", tomllib.loads((GOOD / "ashlar.toml").read_text())), ("overlay-file", tomllib.loads((GOOD / "overlays" / "bash.overlay.toml").read_text()))]
        self.assertEqual([(n, e) for n, e in zip(names + ["good", "good overlay file"], self.judge(documents)) if e], [])

    def mutations(self, doc):
        """(what, document): one mistake each, of every kind and in every place."""
        for path, value in places(doc):
            where = ".".join(map(str, path))
            if path[0] in ("$schema",):
                continue
            if isinstance(value, dict):
                yield f"{where}: unknown key", changed(doc, (*path, "zz-unknown"), 7)
                yield f"{where}: a string for a table", changed(doc, path, "text") if not isinstance(path[-1], int) or "inputs" not in path else None
            elif isinstance(value, list):
                yield f"{where}: a string for an array", changed(doc, path, "text")
                yield f"{where}: a number in an array", changed(doc, path, [*value, 7])
            elif isinstance(value, bool):
                yield f"{where}: a string for a boolean", changed(doc, path, "true")
            elif isinstance(value, int):
                yield f"{where}: a string for a number", changed(doc, path, "1")
                yield f"{where}: a negative number", changed(doc, path, -1)
            else:
                yield f"{where}: a number for a string", changed(doc, path, 7)
                yield f"{where}: a table for a string", changed(doc, path, {"a": "b"})
        yield "top level: unknown key", {**doc, "zz-unknown": {}}

    def rule_mutations(self, doc):
        """Values that are of the right type, but no words of the schema, of no valid form, missing or contradictory."""
        defs = self.schema["$defs"]
        def walk(name, value, path):
            rules = defs[name]
            for key in rules.get("required", []):
                less = copy.deepcopy(doc)
                at = less
                for k in path:
                    at = at[k]
                del at[key]
                yield f"{path} without {key}", less
            for key, v in value.items():
                rule = rules["properties"][key]
                if "enum" in rule:
                    yield f"{path} {key}: no word", changed(doc, (*path, key), "zz-no-word")
                if "pattern" in rule and key not in ("path", "source", "gpg-key"):
                    for bad in (" /../\n", "$6"):
                        if not __import__("re").search(rule["pattern"], bad):
                            yield f"{path} {key}: bad form", changed(doc, (*path, key), bad)
                            break
                more = rule.get("additionalProperties")
                if "$ref" in rule:
                    yield from walk(rule["$ref"].split("/")[-1], v, (*path, key))
                elif isinstance(more, dict) and "$ref" in more:
                    for k, x in v.items():
                        yield from walk(more["$ref"].split("/")[-1], x, (*path, key, k))
                elif rule.get("items", {}).get("$ref"):
                    for i, x in enumerate(v):
                        yield from walk(rule["items"]["$ref"].split("/")[-1], x, (*path, key, i))
        yield from walk("file", doc, ())
        for kind, fields in {"spec-add-tag": {"tag": "T"}, "spec-set-tag": {"value": "x"}, "spec-remove-tag": {}, "spec-append-lines": {"section": "%build"}, "spec-search-replace": {"replacement": "x"},
                             "spec-remove-section": {}, "spec-remove-subpackage": {"package": "a", "section": "%files"}, "patch-add": {"file": "a"}, "patch-remove": {}, "file-add": {"file": "a"},
                             "file-rename": {"file": "a"}, "file-search-replace": {"regex": "a"}, "file-prepend-lines": {"file": "a", "lines": []}, "file-remove": {"source": "a", "file": "b"},
                             "spec-insert-tag": {"tag": "T", "value": ""}, "spec-update-tag": {"tag": "T", "value": "v", "regex": "r"}}.items():
            yield f"overlay {kind} {fields}", {"components": {"a": {"overlays": [{"type": kind, **fields}]}}}
        for what in ({"build": {"check": {"skip": True}}}, {"build": {"failure": {"expected": True}}}, {"spec": {"type": "local"}},
                     {"source-files": [{"filename": "a", "replace-upstream": True}]}, {"source-files": [{"filename": "a", "origin": {"type": "download"}}]},
                     {"source-files": [{"filename": "a", "hash-type": "SHA256"}]},
                     {"overlays": [{"type": "patch-add", "source": "a", "metadata": {"category": "upstream-backport", "upstream-status": "upstreamed"}}]},
                     {"overlays": [{"type": "patch-add", "source": "a", "metadata": {"category": "upstream-backport", "upstream-status": "unknown", "commits": [{"url": "https://example.org/1"}]}}]}):
            yield f"component {what}", {"components": {"a": what}}

    def test_refuses_what_ashlar_refuses(self):
        good = tomllib.loads((GOOD / "ashlar.toml").read_text())
        shutil.copytree(GOOD, self.dir / "good")
        cases = [(w, d) for w, d in [*self.mutations(good), *self.rule_mutations(good)] if d is not None]
        self.assertGreater(len(cases), 800)
        verdicts = self.judge([("file", d) for _, d in cases])
        self.assertEqual([w for (w, _), v in zip(cases, verdicts) if v is None], [], "accepted by the schema")
        wrong = []
        for what, doc in cases:
            (self.dir / "good" / "ashlar.toml").write_text(toml_text(doc))
            p = self.run_ashlar("-C", "good", "config", "check", status=None)
            if p.returncode != 3 or "ashlar.toml:" not in p.stderr:
                wrong.append(what)
        self.assertEqual(wrong, [], "accepted by ashlar")

    def test_refuses_mutations_of_the_real_tree(self):
        (self.dir / "tree").mkdir()
        unpack_tree(self.dir / "tree")
        documents = [tomllib.loads(f.read_text()) for f in sorted((self.dir / "tree" / "base" / "comps").rglob("*.comp.toml"))]
        cases = [(w, d) for doc in documents for w, d in self.mutations(doc) if d is not None]
        self.assertGreater(len(cases), 1500)
        self.assertEqual([w for (w, _), v in zip(cases, self.judge([("file", d) for _, d in cases])) if v is None], [])

if __name__ == "__main__":
    main()
