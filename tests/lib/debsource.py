"""Test data out of Debian source packages: fetched through apt with a private state, at test time; nothing of it is committed."""
import os
import pathlib
import re
import subprocess
import tarfile


def machine_sources(suites=None):
    """The machine's own Debian sources as deb-src, in one-line form; suites replaces them by others."""
    lines = []
    for path in [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*.sources")]:
        text = path.read_text() if path.exists() else ""
        for block in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"^(\w[\w-]*):[ \t]*(.*)$", block, re.M))
            if "URIs" not in fields or "Suites" not in fields or "debian" not in fields["URIs"]:
                continue
            signed = f"[signed-by={fields['Signed-By']}] " if "Signed-By" in fields else ""
            if suites and "security" in fields["Suites"]:
                continue
            for suite in suites or fields["Suites"].split():
                lines.append(f"deb-src {signed}{fields['URIs'].split()[0]} {suite} main")
    return lines


def fetch(folder, package, suites=None):
    """Downloads what it can of a source package; gives the archives that arrived. A pool may have lost some: then the next suite is asked."""
    folder = pathlib.Path(folder)
    state = folder / f"apt-{'-'.join(suites or ['own'])}"
    for d in ("lists/partial", "cache/archives/partial"):
        (state / d).mkdir(parents=True, exist_ok=True)
    (state / "sources.list").write_text("\n".join(machine_sources(suites)) + "\n")
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::sourcelist={state}/sources.list", "-o", "Dir::Etc::sourceparts=/nonexistent", "-o", f"Dir::State={state}", "-o", f"Dir::State::lists={state}/lists",
           "-o", f"Dir::Cache={state}/cache", "-o", "Acquire::Retries=2"]
    if not any((state / "lists").glob("*Sources*")):
        subprocess.run([*apt, "update"], check=False, capture_output=True)
    out = folder / f"{package}-{'-'.join(suites or ['own'])}"
    out.mkdir(exist_ok=True)
    subprocess.run([*apt, "source", "--download-only", package], cwd=out, check=False, capture_output=True)
    return sorted(p for p in out.glob("*.orig.tar.*") if not p.name.endswith(".asc"))


def unpack(archive, folder, suffixes):
    """The members with one of these suffixes, by path within the archive."""
    found = {}
    with tarfile.open(archive) as tar:
        for m in tar:
            if m.isfile() and m.name.endswith(tuple(suffixes)):
                target = pathlib.Path(folder) / m.name.replace("/", "_")
                target.write_bytes(tar.extractfile(m).read())
                found[m.name] = target
    return found


def cache_dir():
    base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "ashlar-test-sources"
    base.mkdir(parents=True, exist_ok=True)
    return base
