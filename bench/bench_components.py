"""component list over the real tree; rendering the corpus's overlay cases, once and a thousand copies."""
import shutil, subprocess, sys, tempfile
from pathlib import Path
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "cli"))
import cases
from benchlib import ASHLAR, SHARED, finish, measure, report

with tempfile.TemporaryDirectory(prefix="ashlar-bench-") as tmp:
    tmp = Path(tmp)
    tree = tmp / "tree"
    tree.mkdir()
    subprocess.run(["tar", "--zstd", "-xf", SHARED / "corpus/azurelinux-4.0/config-tree.tar.zst", "-C", tree], check=True)
    wall, cpu, peak = measure([ASHLAR, "-C", tree, "component", "list"], runs=10)
    report("component list, 7,583 components: wall", wall * 1000, 100, "ms", f"CPU {cpu * 1000:.0f} ms")
    report("component list, 7,583 components: peak memory", peak / 2**20, 64, "MiB")
    for copies, limit, runs in ((33, 0.3, 5), (1000, 4.0, 3)):
        project = tmp / f"cases{copies}"
        made = cases.make(SHARED / "corpus/overlay-cases", project, copies)
        out = project / "specs"
        wall, cpu, peak = measure([ASHLAR, "-q", "-C", project, "component", "render", "--specs", project / "upstream"], runs=runs,
                                  prepare=lambda: shutil.rmtree(out, ignore_errors=True))
        assert len(list(out.glob("*/*.spec"))) == len(made)
        report(f"component render, {len(made)} overlay cases, all new: wall", wall, limit, "s", f"CPU {cpu:.2f} s, peak {peak / 2**20:.0f} MiB")
        wall, cpu, peak = measure([ASHLAR, "-q", "-C", project, "component", "render", "--check", "--specs", project / "upstream"], runs=runs)
        report(f"component render --check, {len(made)} overlay cases: wall", wall, limit, "s", f"CPU {cpu:.2f} s")
finish()
