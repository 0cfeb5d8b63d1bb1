"""A made-up tree of 7,500 components of which everything was built, some 26,000 packages, with a lock and an upstream: what a plan, a build of what is known, a lock, and the record of one build cost in it.
There is no peer that we know of."""
import json, os, subprocess, sys, tempfile
from pathlib import Path
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / d) for d in ("lib", "cli")]
import builttree, spectree
from benchlib import ASHLAR, finish, measure, report

PROGRAM, SIZE = sys.argv[1], int(os.environ.get("ASHLAR_BENCH_COMPONENTS", "7500"))
LESS = 3                                                # a tree of so many times fewer components: what grows faster than the tree shows there


class Tree:
    def __init__(self, directory, size):
        self.project, self.store, repository = directory / "project", directory / "store", directory / "repository"
        self.names = [f"comp{i:04d}" for i in range(size - len(spectree.CORE))]
        self.model = spectree.model(self.names, cycles=20 * size // 7500)
        judge, elsewhere = spectree.Judge(self.model), set(sorted(self.model)[::3])
        for n in spectree.CORE:                         # all that buildroots start from
            elsewhere |= {judge.owner[p] for p in judge.root(self.model[n].packages)}
        spectree.write(self.model, self.project, elsewhere=repository)
        builttree.write(self.model, self.project, self.store)
        builttree.repository({n: self.model[n] for n in elsewhere}, repository)
        subprocess.run([PROGRAM, "prime", self.project, self.store], check=True, stderr=subprocess.DEVNULL)
        self.command = [ASHLAR, "-q", "-C", self.project, "--store", self.store, "--json"]
        needed = {judge.owner[p] for n in self.model for p in judge.root(self.model[n].needs)}
        self.leaf = next(n for n in sorted(self.model) if n not in needed)

    def ashlar(self, *words):
        return json.loads(subprocess.run([*self.command, *words], check=True, capture_output=True, text=True).stdout)

    def check(self):
        """What is measured is what is meant."""
        counts = self.ashlar("build", "plan", "--all")
        if {c["state"] for c in counts["components"]} != {"built"} or counts["counts"]["from-built-packages"] != len(self.model) or counts["counts"]["specs-read"] or counts["reader"] != "rpmspec":
            raise SystemExit(f"not everything counts as built and read: {counts['counts']}")
        return counts["counts"]

    def all_known(self):
        known = self.ashlar("component", "build", "--no-lock", "--all")
        if known["cached"] != len(self.model) or any(c["seconds"] for c in known["components"]):
            raise SystemExit("what is known was built, or asked for")

    def change(self):
        """Another package of a component that nobody needs."""
        record = self.project / "ashlar.built"
        text = record.read_text()
        at = text.index("sha256 = ", text.index("packages", text.index(f'name = "{self.leaf}"')))
        other = builttree.put(self.store, builttree.rpm(self.leaf, "99", "1", "x86_64", [], [], ["/usr/bin/other"], f"{self.leaf}-99-1.src.rpm"))
        record.write_text(text[:at] + f'sha256 = "{other}"' + text[at + len('sha256 = ""') + 64:])


with tempfile.TemporaryDirectory(prefix="ashlar-bench-", dir="/var/tmp") as tmp:
    tree, small = Tree(Path(tmp) / "large", SIZE), Tree(Path(tmp) / "small", SIZE // LESS)
    counts = tree.check()
    small.check()
    print(f"{len(tree.model)} components, {counts['packages']} packages, load {os.getloadavg()[0]:.1f}")
    scale, of_all = SIZE / 7500, ["component", "build", "--all"]
    one = tree.names[100]
    for name, limit, verb in (("build plan --all", 2, ["build", "plan", "--all"]), ("build plan of one", 2, ["build", "plan", one]), ("build impact of one", 2, ["build", "impact", one]), ("lock", 2, ["lock"]),
                              ("component list", 0.2, ["component", "list"]), ("component build of one, known", 0.5, ["component", "build", one]), ("component build --all, all known", 3, of_all)):
        wall, cpu, peak = measure([*tree.command, *verb], runs=3)
        report(f"everything built: {name}", wall, max(limit * scale, 0.3), "s", f"CPU {cpu:.2f} s, peak {peak / 2**20:.0f} MiB")
    for name, verb in (("build plan --all", ["build", "plan", "--all"]), ("lock", ["lock"]), ("component build --all", of_all)):
        more, less = (measure([*t.command, *verb], runs=3)[1] for t in (tree, small))
        report(f"CPU of {name}, beside a tree with a third of it", more / less, 1.5 * LESS, "x")
    tree.all_known()
    tree.change()
    tree.all_known()
    wall, cpu, peak = measure([*tree.command, *of_all, "--no-lock"], runs=3)
    report("something else was built: component build --all", wall, max(4 * scale, 0.3), "s", f"CPU {cpu:.2f} s, peak {peak / 2**20:.0f} MiB")
    read, record = map(float, subprocess.run([PROGRAM, "record", tree.project], check=True, capture_output=True, text=True).stdout.split())
    report("ashlar.built: read", read, 50, "ms")
    report("ashlar.built: one build taken in, and synced", record, 100, "ms", f"{(tree.project / 'ashlar.built').stat().st_size / 2**20:.1f} MiB")
finish()
