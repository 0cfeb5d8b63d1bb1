"""A C toolchain's buildroot from a warm store (issue 6), beside dnf --installroot of the same packages. Needs the archive once, unless ASHLAR_BENCH_STORE names a store that has the packages; without them
there is nothing to measure (exit status 77)."""
import os, pathlib, shutil, subprocess, sys, tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from benchlib import ASHLAR, finish, measure, report  # noqa: E402

PROGRAM, DISTRO = sys.argv[1], pathlib.Path(sys.argv[2])
PROJECT = """
[project]
default-distro = {{ name = "bench", version = "1" }}
[distros.bench.versions.1]
release-ver = "1"
[upstreams.debian-13]
default = true
type = "apt"
suite = "trixie"
components = ["main"]
arches = ["x86_64"]
names = "{distro}/names.toml"
import-overlays = "{distro}/imports.toml"
[build]
packages = ["bash", "coreutils", "gcc", "make", "rpm-build", "debugedit", "tar", "patch", "xz", "gzip", "bzip2", "diffutils", "findutils", "sed", "grep", "gawk", "file", "binutils", "glibc-devel", "cpio"]
upstreams = ["debian-13"]
"""
MORE = ["zlib-devel", "xz-devel"]  # what a component requires beyond


def dnf_root(folder, store, packages):
    repo, root, conf = folder / "repo", folder / "root", folder / "dnf.conf"
    repo.mkdir()
    for nevra, digest in packages:
        os.symlink(store / "blobs/sha256" / digest[:2] / digest, repo / f"{nevra.replace(':', '%3a')}.rpm")
    subprocess.run(["createrepo_c", "-q", repo], check=True)
    conf.write_text(f"[main]\nreposdir={folder}/none\nvarsdir={folder}/none\ncachedir={folder}/cache\nlogdir={folder}\ngpgcheck=0\ninstall_weak_deps=0\nplugins=0\ntsflags=nodocs\n[all]\nname=all\nbaseurl=file://{repo}\nmetadata_expire=never\n")

    def clean():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
    took = measure(["dnf", "-q", "-y", "-c", conf, "--releasever=1", "--installroot", root, "install", *[n.rsplit("-", 2)[0] for n, _ in packages]], runs=1, prepare=clean)
    clean()
    return took


def main():
    with tempfile.TemporaryDirectory(prefix="ashlar-bench-", dir="/dev/shm") as temp:
        folder = pathlib.Path(temp)
        project, store = folder / "p", pathlib.Path(os.environ.get("ASHLAR_BENCH_STORE", folder / "store"))
        project.mkdir()
        (project / "ashlar.toml").write_text(PROJECT.format(distro=DISTRO))
        env = {**os.environ, "ASHLAR_STORE": str(store), "LC_ALL": "C.UTF-8", "HOME": str(folder)}
        lock = subprocess.run([ASHLAR, "-C", project, "-q", "lock"], env=env, capture_output=True, text=True)
        if lock.returncode != 0:
            print("no archive to be had:", lock.stderr.strip()[-400:])
            sys.exit(77)
        command = [PROGRAM, project, store, *MORE]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        packages = [line.split() for line in said[1:]]
        warm = measure(command, prepare=lambda: shutil.rmtree(store / "cache/buildroot-set", ignore_errors=True))  # solved each time
        known = measure(command)
        own = "ASHLAR_BENCH_STORE" not in os.environ  # else others may be building in it
        fresh = measure(command, runs=2, prepare=lambda: subprocess.run(["rm", "-rf", store / "buildroots"], check=True)) if own else None
        new = measure([PROGRAM, project, store, "flex", *MORE], runs=2, prepare=lambda: [p.unlink() for p in (store / "buildroots").glob("*.state") if p.read_text().startswith("over")]) if own else None
        dnf = dnf_root(folder, store, packages)
        print(f"{len(packages)} packages")
        for name, f in (("dnf --installroot", dnf), ("ashlar, nothing composed before", fresh), ("ashlar, the base composed before", new), ("ashlar, composed before, solved anew", warm), ("ashlar, the same again", known)):
            if f:
                print(f"{name:<66} {f[0]:6.3f} s  cpu {f[1]:6.3f} s  peak {f[2] / (1 << 20):4.0f} MiB")
        report("buildroot: solved, there, a program run in it", warm[0], 0.5, "s")
        report("the same, asked for before", known[0], 0.2, "s")
        report("of what dnf --installroot takes", 100 * warm[0] / dnf[0], 100 / 8, "%", f"{dnf[0] / warm[0]:.0f} times faster")
        if own:
            report("the same, what the component adds not composed before", new[0], 1, "s")
            report("the same, nothing composed before, of dnf", 100 * fresh[0] / dnf[0], 100 / 2, "%", f"{dnf[0] / fresh[0]:.1f} times faster")
    finish()


if __name__ == "__main__":
    main()
