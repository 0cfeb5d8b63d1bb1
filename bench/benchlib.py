"""What benchmarks share: run a program several times, print its figures beside their limits; exit status 1 when one is exceeded."""
import os, resource, subprocess, sys, time
from pathlib import Path

ASHLAR = os.environ.get("ASHLAR") or str(Path(__file__).resolve().parents[1] / "build" / "ashlar")
SHARED = Path(os.environ.get("ASHLAR_SHARED") or Path(__file__).resolve().parents[2] / "shared").resolve()
failed = False

def measure(argv, runs=5, prepare=None, **more):
    """The best of some runs: (wall seconds, CPU seconds, peak bytes). Warm caches: the first run does not count."""
    best = None
    for i in range(runs + 1):
        if prepare:
            prepare()
        start = time.monotonic()
        p = subprocess.Popen([str(a) for a in argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
        _, status, used = os.wait4(p.pid, 0)
        wall = time.monotonic() - start
        p.returncode = os.waitstatus_to_exitcode(status)
        if p.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, argv))}: exit status {p.returncode}")
        figures = (wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
        if i and (best is None or figures[0] < best[0]):
            best = figures
    return best

def report(name, value, limit, unit, note=""):
    global failed
    over = value > limit
    failed = failed or over
    print(f"{name:<58} {value:>9.2f} {unit:<4} limit {limit:>8.2f} {unit:<4} {100 * value / limit:>5.0f} %{'  EXCEEDED' if over else ''}{'  ' + note if note else ''}", flush=True)

def finish():
    sys.exit(1 if failed else 0)
