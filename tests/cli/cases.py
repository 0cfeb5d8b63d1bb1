"""A project made from the corpus's overlay cases: for tests and for the benchmark.

    python3 cases.py CORPUS/overlay-cases PROJECT [COPIES]     components in PROJECT/comps, upstream's specs in PROJECT/upstream
"""
import os, re, shutil, sys
from pathlib import Path

TOP = """includes = ["comps/*/component.toml"]
[project]
rendered-specs-dir = "specs"
[distros.up.versions.1]
release-ver = "1"
[default-component-config]
spec = { type = "upstream", upstream-distro = { name = "up", version = "1" } }
"""

def make(corpus, project, copies=None):
    """Gives the components: name -> the case's directory. More copies than cases: NAME-1, NAME-2 ... in turn."""
    cases = sorted(p for p in Path(corpus).iterdir() if p.is_dir())
    project = Path(project)
    (project / "comps").mkdir(parents=True)
    (project / "ashlar.toml").write_text(TOP)
    made = {}
    for n in range(copies or len(cases)):
        case = cases[n % len(cases)]
        name = case.name.split("@")[0]
        new = name if n < len(cases) else f"{name}-{n // len(cases)}"
        directory, upstream = project / "comps" / new, project / "upstream" / new
        directory.mkdir()
        for f in case.iterdir():
            if f.name in ("before.spec", "after.spec", "case.json", "sources"):
                continue
            if f.name == "component.toml":
                text = re.sub(r'components\.(?:"%s"|%s)(?=[.\]])' % (re.escape(name), re.escape(name)), f'components."{new}"', f.read_text())
                (directory / f.name).write_text(text)
            elif f.is_dir():
                shutil.copytree(f, directory / f.name, copy_function=shutil.copyfile)
            else:
                shutil.copyfile(f, directory / f.name)
        if (case / "sources").is_dir():
            shutil.copytree(case / "sources", upstream, copy_function=shutil.copyfile)
            os.chmod(upstream, 0o755)
        else:
            upstream.mkdir(parents=True)
        shutil.copyfile(case / "before.spec", upstream / f"{new}.spec")
        made[new] = case
    return made

if __name__ == "__main__":
    make(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
