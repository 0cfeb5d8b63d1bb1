"""build plan --all over a made-up tree of the size of Azure Linux 4.0 (its 7,583 names, specs shaped after real ones), once specs have been read; beside python's graphlib.

The peer gets less to do: its data lie ready as one JSON file (no configuration, no specs to render and digest), it matches names only (no versions, no rich dependencies), and it orders what BuildRequires name
directly (not what packages require). No tool that we know answers the whole question.

Then what reading a spec with rpmspec in the sandbox takes, of 400 of them in a buildroot of the host's own rpm, and what that comes to for all."""
import json, shutil, subprocess, sys, tempfile, time
from pathlib import Path
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / d) for d in ("lib", "cli")]
import buildkit, spectree
from benchlib import ASHLAR, SHARED, finish, measure, report

PEER = """
import graphlib, json, sys
model = json.load(open(sys.argv[1]))
giver = {}
for name, c in model.items():
    for package, given, files in c["packages"]:
        for g in [package, *given, *files]:
            giver.setdefault(g.split(" ")[0], name)
edges = {}
for name, c in model.items():
    edges[name] = set() if c["cut"] else {giver[d.split(" ")[0]] for d in c["needs"] if d.split(" ")[0] in giver} - {name}
print(len(list(graphlib.TopologicalSorter(edges).static_order())))
"""

with tempfile.TemporaryDirectory(prefix="ashlar-bench-", dir="/dev/shm") as tmp:
    tmp = Path(tmp)
    tree, project, store = tmp / "tree", tmp / "project", tmp / "store"
    tree.mkdir()
    subprocess.run(["tar", "--zstd", "-xf", SHARED / "corpus/azurelinux-4.0/config-tree.tar.zst", "-C", tree], check=True)
    names = [line.split("\t")[0] for line in subprocess.run([ASHLAR, "-C", tree, "component", "list"], check=True, capture_output=True, text=True).stdout.splitlines()]
    shutil.rmtree(tree)
    model = spectree.model(names, cycles=20)
    spectree.write(model, project)
    needs = sum(len(c.needs) for c in model.values())
    provides = sum(len(given) + 2 for c in model.values() for given, _, _ in c.packages.values())
    plan = [ASHLAR, "-q", "-C", project, "--store", store, "--json", "build", "plan", "--all", "--plain"]
    start = time.monotonic()
    out = json.loads(subprocess.run(plan, check=True, capture_output=True, text=True).stdout)
    print(f"{len(out['components'])} components, {out['counts']['packages']} packages, {needs} BuildRequires, {provides} provides, {len(out['cycles'])} cycles; the first plan, which reads all specs: {time.monotonic() - start:.2f} s")
    wall, cpu, peak = measure(plan, runs=5)
    report("build plan --all, specs known: wall", wall, 2, "s", f"CPU {cpu:.2f} s")
    report("build plan --all: peak memory", peak / 2**20, 512, "MiB")
    wall, cpu, _ = measure([*plan[:-4], "--json", "build", "impact", "openssl", "--plain"], runs=3)
    report("build impact openssl: wall", wall, 2, "s", f"CPU {cpu:.2f} s")
    cut = {c["name"] for c in out["components"] if c["cut"] or c["staged"]}
    (tmp / "model.json").write_text(json.dumps({n: {"needs": c.needs, "packages": [[p, g, f] for p, (g, _, f) in c.packages.items()], "cut": n in cut} for n, c in model.items()}))
    (tmp / "peer.py").write_text(PEER)
    theirs, their_cpu, _ = measure([sys.executable, tmp / "peer.py", tmp / "model.json"], runs=3)
    print(f"python graphlib over ready data, names only, direct edges only: {theirs:.2f} s wall, {their_cpu:.2f} s CPU")

SOME = 400
kit = buildkit.BuildKit()
try:
    p = kit.project("some")
    some = spectree.model([n for n in names if n.replace("-", "").isalnum()][:SOME], cycles=0)
    spectree.write(some, p.path)
    for n in some:
        p.components[n] = ""
    p.write()
    p.lock()

    def forget():
        shutil.rmtree(kit.store / "cache/specinfo", ignore_errors=True)
    plan = [ASHLAR, "-q", "-C", p.path, "--json", "build", "plan", "--all"]
    out = json.loads(subprocess.run(plan, check=True, capture_output=True, text=True, env=p.env).stdout)
    if (out["reader"], out["counts"]["specs-read"]) != ("rpmspec", len(some)):
        raise SystemExit(f"specs were not read by rpmspec: {out['counts']}")
    wall, _, peak = measure(plan, runs=1, prepare=forget, env=p.env)
    report("build plan --all, a spec read by rpmspec: wall", 1000 * wall / len(some), 100, "ms", f"{len(some)} specs in {wall:.1f} s; {len(names)} would take {wall / len(some) * len(names) / 60:.1f} min, once")
    wall, cpu, _ = measure(plan, runs=3, env=p.env)
    report("the same, specs known: wall", wall, 0.3, "s", f"CPU {cpu:.2f} s")
finally:
    kit.close()
finish()
