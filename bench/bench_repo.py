"""Metadata of 2,000 packages, beside createrepo_c: at least 3 times faster; unchanged: at most 0.1 s (issue 3). On tmpfs, in one run."""
import pathlib, shutil, subprocess, sys, tempfile, os

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from benchlib import ASHLAR, finish, measure, report  # noqa: E402

N = 2000


def make(folder):
    """By one rpmbuild run. Each package has 60 files (names of this machine's own packages), a score of relations, ten changelog entries and 60 kB that do not compress: about what primary, filelists and
    other of a distribution have on average."""
    names = sorted({l.rsplit("/", 1)[-1] for f in pathlib.Path("/var/lib/dpkg/info").glob("*.list") for l in f.read_text(errors="replace").splitlines()} - {""})
    names = [n for n in names if n[0].isalpha() and n.isascii() and n.replace("-", "").replace("_", "").replace(".", "").isalnum()]
    step = max(1, len(names) // (58 * 40))
    names = names[::step][:58 * 40]
    spec = ["Name: bench", "Version: 1", "Release: 1", "Summary: s", "License: MIT", "AutoReqProv: no", "%description", "d"]
    for i in range(N):
        spec += [f"%package -n p{i:04}", "Summary: A package for measuring", "AutoReqProv: no", f"Requires: p{(i * 7) % N:04} >= 1, /bin/sh, libc.so.6(GLIBC_2.34)(64bit)", f"Provides: feature({i}) = {i}",
                 *[f"Requires: lib{names[(i * 11 + k * 97) % len(names)].replace('.', '')} >= {k}.{i}" for k in range(12)], *[f"Provides: {names[(i * 5 + k * 31) % len(names)].replace('.', '')} = {i}-{k}" for k in range(6)],
                 f"%description -n p{i:04}", "A text of some length, as packages have it. " * 8, f"%files -n p{i:04}", f"/usr/share/p{i:04}", f"/usr/bin/tool{i:04}"]
    spec += ["%install", f"for k in $(seq 0 {N - 1}); do i=$(printf %%04d $k); n=$((k % 40)); d=%{{buildroot}}/usr/share/p$i; mkdir -p $d %{{buildroot}}/usr/bin; cd $d; touch $(sed -n $(( n * 58 + 1 )),$(( n * 58 + 58 ))p {folder}/names); head -c 60000 /dev/urandom > data; : > %{{buildroot}}/usr/bin/tool$i; done",
             "%changelog"] + [f"* Mon Jan {day:02} 2025 Some One <one@example.org> - 1-{day}\n- a change of day {day}" for day in (27, 20, 13, 6)] + [f"* Mon Dec {day:02} 2024 Some One <one@example.org> - 0-{day}\n- {' '.join(names[day * 20:day * 20 + 12])}" for day in (30, 23, 16, 9, 2)]
    (folder / "names").write_text("\n".join(names) + "\n")
    (folder / "bench.spec").write_text("\n".join(spec) + "\n")
    subprocess.run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {folder}/top", "--define", f"_rpmdir {folder}/rpms", "--define", "_binary_payload w1.gzdio", "--define", "_build_name_fmt %%{NAME}.rpm",
                    "--define", "__os_install_post %{nil}", "--define", "debug_package %{nil}", folder / "bench.spec"], check=True, env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"},
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.rmtree(folder / "top")
    return folder / "rpms"


def main():
    with tempfile.TemporaryDirectory(prefix="ashlar-bench-", dir="/dev/shm") as temp:
        rpms = make(pathlib.Path(temp))
        files = list(rpms.glob("*.rpm"))
        print(f"{len(files)} packages, {sum(f.stat().st_size for f in files) / 1e6:.0f} MB", flush=True)

        def forget():
            shutil.rmtree(rpms / "repodata", ignore_errors=True)
        peer = measure(["createrepo_c", "-q", "--no-database", "--workers", os.cpu_count(), rpms], runs=3, prepare=forget)
        ours = measure([ASHLAR, "-q", "repo", "index", rpms], runs=3, prepare=forget)
        again = measure([ASHLAR, "-q", "repo", "index", rpms], runs=5)
        print(f"createrepo_c      {peer[0]:6.3f} s  cpu {peer[1]:6.3f} s\nashlar            {ours[0]:6.3f} s  cpu {ours[1]:6.3f} s   {peer[0] / ours[0]:.1f} times faster\nashlar, unchanged {again[0]:6.3f} s  cpu {again[1]:6.3f} s")
        report("metadata of 2,000 packages, createrepo_c / 3", ours[0], peer[0] / 3, "s")
        report("the same, unchanged", again[0], 0.1, "s")
    finish()


if __name__ == "__main__":
    main()
