"""The TOML parser over the whole real tree, beside python's tomllib on the same files: CPU time, ratio. Fails above the limit."""
import os, resource, statistics, subprocess, sys, tempfile, time, tomllib
from pathlib import Path

LIMIT_MS = 30.0
tool, ashlar, tree = sys.argv[1], sys.argv[2], Path(os.environ["ASHLAR_SHARED"]) / "corpus/azurelinux-4.0/config-tree.tar.zst"

def cpu_of_children(argv, **kwargs):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    p = subprocess.run(argv, check=True, capture_output=True, text=True, **kwargs)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return p.stdout, 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

with tempfile.TemporaryDirectory(prefix="ashlar-bench-") as folder:
    subprocess.run(["tar", "-C", folder, "--zstd", "-xf", tree], check=True)
    files = sorted(str(p) for p in Path(folder).rglob("*.toml"))
    size = sum(os.path.getsize(f) for f in files)
    out, _ = cpu_of_children([tool, "30"], input="".join(f + "\n" for f in files))
    ours = statistics.median(float(line.split()[0]) for line in out.splitlines())
    memory = int(out.split()[-1])
    whole = min(cpu_of_children([ashlar, "toml", "check", *files])[1] for _ in range(5))
    theirs = []
    for _ in range(3):
        start = time.process_time()
        for f in files:
            tomllib.loads(Path(f).read_bytes().decode())
        theirs.append(1000 * (time.process_time() - start))
    theirs = statistics.median(theirs)

print(f"toml: {len(files)} files, {size / 1e6:.2f} MB: read and parsed in {ours:.1f} ms CPU (limit {LIMIT_MS:.0f}), python3 tomllib {theirs:.0f} ms: {theirs / ours:.0f} times as fast")
print(f"toml: 'ashlar toml check' on all of them, whole process: {whole:.1f} ms CPU; documents take {memory / size:.1f} times the text")
sys.exit(ours > LIMIT_MS or whole > LIMIT_MS)
