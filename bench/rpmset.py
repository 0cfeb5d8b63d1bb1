"""About 285 packages with about 390 MB of real files for benchmarks: the files of this machine's own Debian packages, made into RPMs by one rpmbuild run."""
import os
import pathlib
import stat
import subprocess
import sys

PACKAGES, BYTES = 285, 391_000_000


def files_of(package):
    out = subprocess.run(["dpkg-query", "-L", package], capture_output=True, text=True).stdout.splitlines()
    files = []
    for path in out:
        try:
            st = os.lstat(path)
        except OSError:
            continue
        if path.startswith("/usr/") and (stat.S_ISREG(st.st_mode) or stat.S_ISLNK(st.st_mode)) and not any(c in path for c in " %*?[]{}\"'\\$"):
            files.append((path, st.st_size if stat.S_ISREG(st.st_mode) else 0))
    return files


def choose():
    """Whole packages, the mixture as installed, until count and size are near the numbers above."""
    names = subprocess.run(["dpkg-query", "-W", "-f", "${Package}:${Architecture}\\n"], check=True, capture_output=True, text=True).stdout.split()
    sized = []
    for name in names:
        files = files_of(name)
        size = sum(s for _, s in files)
        if files and size < 60_000_000:
            sized.append((size, name, files))
    # The mixture as installed: every so-many-th by size, the largest left out until the sum fits.
    sized.sort(key=lambda t: (t[0], t[1]))
    best = None
    for drop in range(len(sized) - PACKAGES):
        pool = sized[:len(sized) - drop]
        chosen = [pool[i * (len(pool) - 1) // (PACKAGES - 1)] for i in range(PACKAGES)]
        total = sum(c[0] for c in chosen)
        if best is None or abs(total - BYTES) < best[0]:
            best = (abs(total - BYTES), chosen)
        if total < BYTES:
            break
    return [(name, files) for _, name, files in best[1]]


def make(folder, payload="w3.zstdio"):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    spec = ["Name: bench", "Version: 1", "Release: 1", "Summary: s", "License: MIT", "AutoReqProv: no", "%description", "d"]
    install = []
    for i, (name, files) in enumerate(choose()):
        short = "p%03d-%s" % (i, name.split(":")[0].replace("+", "p"))
        listing = folder / f"{short}.list"
        listing.write_text("".join(f"{p}\n" for p, _ in files))
        spec += [f"%package -n {short}", "Summary: s", "AutoReqProv: no", f"%description -n {short}", "d", f"%files -n {short} -f {listing}"]
        install += [f"tar -C / -cf - -T {listing} --transform='s,^/,,' 2>/dev/null | tar -C %{{buildroot}} -xf -"]
    spec += ["%install", "mkdir -p %{buildroot}"] + install
    (folder / "bench.spec").write_text("\n".join(spec) + "\n")
    subprocess.run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {folder}/top", "--define", f"_rpmdir {folder}/rpms", "--define", f"_binary_payload {payload}", "--define",
                    "_build_name_fmt %%{NAME}.rpm", "--define", "__os_install_post %{nil}", "--define", "debug_package %{nil}", "--define", "_missing_doc_files_terminate_build 0",
                    "--define", "_build_id_links none", folder / "bench.spec"], check=True, env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"},
                   stdout=subprocess.DEVNULL)
    subprocess.run(["rm", "-rf", folder / "top"], check=True)
    return sorted((folder / "rpms").glob("*.rpm"))


if __name__ == "__main__":
    rpms = make(sys.argv[1])
    print(len(rpms), "packages,", sum(p.stat().st_size for p in rpms), "bytes")
