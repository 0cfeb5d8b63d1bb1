"""A made-up tree of 7,500 components of which everything was built, some 26,000 packages: what a plan, a build of what is known, and the record of one build cost in it. There is no peer that we know of."""
import json, os, subprocess, sys, tempfile
from pathlib import Path
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / d) for d in ("lib", "cli")]
import builttree, spectree
from benchlib import ASHLAR, finish, measure, report

PROGRAM, SIZE = sys.argv[1], int(os.environ.get("ASHLAR_BENCH_COMPONENTS", "7500"))

with tempfile.TemporaryDirectory(prefix="ashlar-bench-", dir="/var/tmp") as tmp:
    tmp = Path(tmp)
    project, store = tmp / "project", tmp / "store"
    names = [f"comp{i:04d}" for i in range(SIZE - len(spectree.CORE))]
    model = spectree.model(names, cycles=20)
    spectree.write(model, project)
    builttree.write(model, project, store)
    command = [ASHLAR, "-q", "-C", project, "--store", store, "--json"]
    subprocess.run([PROGRAM, "prime", project, store], check=True)
    out = json.loads(subprocess.run([*command, "build", "plan", "--all", "--plain"], check=True, capture_output=True, text=True).stdout)
    if {c["state"] for c in out["components"]} != {"built"} or out["counts"]["from-built-packages"] != len(model):
        raise SystemExit(f"not everything counts as built: {out['counts']}")
    print(f"{len(model)} components, {out['counts']['packages']} packages, load {os.getloadavg()[0]:.1f}")
    scale = SIZE / 7500
    for name, limit, verb in (("build plan --all", 2, ["build", "plan", "--all", "--plain"]), ("build impact of one", 2, ["build", "impact", names[100], "--plain"]), ("component list", 0.2, ["component", "list"]),
                              ("component build of one, known", 0.3, ["component", "build", "--no-lock", names[100]]), ("component build --all, all known", 10, ["component", "build", "--no-lock", "--all"])):
        wall, cpu, peak = measure([*command, *verb], runs=3)
        report(f"everything built: {name}", wall, max(limit * scale, 0.3), "s", f"CPU {cpu:.2f} s, peak {peak / 2**20:.0f} MiB")
    known = json.loads(subprocess.run([*command, "component", "build", "--no-lock", "--all"], check=True, capture_output=True, text=True).stdout)
    if known["cached"] != len(model) or any(c["seconds"] for c in known["components"]):
        raise SystemExit("what is known was built, or asked for")
    read, record = map(float, subprocess.run([PROGRAM, "record", project], check=True, capture_output=True, text=True).stdout.split())
    report("ashlar.built: read", read, 50, "ms")
    report("ashlar.built: one build taken in, and synced", record, 100, "ms", f"{(project / 'ashlar.built').stat().st_size / 2**20:.1f} MiB")
finish()
