"""Metadata of 2,000 packages, beside createrepo_c: at least 3 times faster; unchanged: at most 0.1 s (issue 3). On tmpfs, in one run."""
import pathlib, shutil, subprocess, sys, tempfile, os

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from benchlib import ASHLAR, finish, measure, report  # noqa: E402

N = 2000


def make(folder):
    """By one rpmbuild run: each package has 20 files, relations, a changelog and 60 kB that do not compress."""
    spec = ["Name: bench", "Version: 1", "Release: 1", "Summary: s", "License: MIT", "AutoReqProv: no", "%description", "d"]
    for i in range(N):
        spec += [f"%package -n p{i:04}", "Summary: A package for measuring", "AutoReqProv: no", f"Requires: p{(i * 7) % N:04} >= 1, /bin/sh, libc.so.6(GLIBC_2.34)(64bit)", f"Provides: feature({i}) = {i}",
                 f"%description -n p{i:04}", "A text of some length, as packages have it. " * 8, f"%files -n p{i:04}", f"/usr/share/p{i:04}", f"/usr/bin/tool{i:04}"]
    spec += ["%install", f"for i in $(seq -f %04.0f 0 {N - 1}); do d=%{{buildroot}}/usr/share/p$i; mkdir -p $d %{{buildroot}}/usr/bin; cd $d; touch file-{{1..18}}; head -c 60000 /dev/urandom > data; : > %{{buildroot}}/usr/bin/tool$i; done",
             "%changelog"] + [f"* Mon Jan {day:02} 2025 Some One <one@example.org> - 1-{day}\n- a change of day {day}" for day in (27, 20, 13, 6)]
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
