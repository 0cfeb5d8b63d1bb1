"""Metadata of 2,000 packages, beside createrepo_c: at least 3 times faster; unchanged: at most 0.1 s (issue 3). On tmpfs, in one run.
The set is made here and is like a distribution's in what metadata are made of (files, relations, changelogs), with small payloads. Both programs must digest every byte of every package, so the larger the payloads, the
nearer both come to the speed of SHA-256: with ASHLAR_BENCH_STORE set, the packages of that store are measured, too, without a limit, beside what digesting them takes alone."""
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


def of_store(store, folder):
    """Hard links to the RPMs of a store on the same file system: real packages, imported ones for the most part."""
    folder.mkdir()
    for blob in pathlib.Path(store).glob("blobs/sha256/*/*"):
        with open(blob, "rb") as f:
            if f.read(4) == b"\xed\xab\xee\xdb":
                os.link(blob, folder / f"{blob.name}.rpm")
    return folder


def compare(rpms):
    def forget():
        shutil.rmtree(rpms / "repodata", ignore_errors=True)
    files = list(rpms.glob("*.rpm"))
    print(f"{len(files)} packages, {sum(f.stat().st_size for f in files) / 1e6:.0f} MB", flush=True)
    digests = measure(["sh", "-c", f"ls | xargs -P {os.cpu_count()} -n {max(1, len(files) // os.cpu_count() + 1)} openssl dgst -sha256"], runs=2, cwd=rpms, prepare=forget)
    peer = measure(["createrepo_c", "-q", "--no-database", "--workers", os.cpu_count(), rpms], runs=3, prepare=forget)
    ours = measure([ASHLAR, "-q", "repo", "index", rpms], runs=5, prepare=forget)
    again = measure([ASHLAR, "-q", "repo", "index", rpms], runs=5)
    for name, m in (("digests alone", digests), ("createrepo_c", peer), ("ashlar", ours), ("ashlar, unchanged", again)):
        print(f"{name:<17} {m[0]:6.3f} s  cpu {m[1]:6.3f} s" + (f"   {peer[0] / m[0]:.1f} times faster, {peer[1] / m[1]:.1f} times less cpu" if name == "ashlar" else ""))
    return peer, ours, again


def main():
    with tempfile.TemporaryDirectory(prefix="ashlar-bench-", dir="/dev/shm") as temp:
        rpms = make(pathlib.Path(temp))
        peer, ours, again = compare(rpms)
        report("metadata of 2,000 packages, createrepo_c / 3", ours[0], peer[0] / 3, "s")
        report("the same, unchanged", again[0], 0.1, "s")
        if os.environ.get("ASHLAR_BENCH_STORE", "").startswith("/dev/shm/"):
            compare(of_store(os.environ["ASHLAR_BENCH_STORE"], pathlib.Path(temp) / "store"))
    finish()


if __name__ == "__main__":
    main()
