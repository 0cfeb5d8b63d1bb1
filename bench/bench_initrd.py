"""An initrd from nothing (issue 5, section 4), on tmpfs, beside dracut with the same kernel's modules: dracut takes the building machine's programs, ours are those of the tree.
Needs the archive once, unless ASHLAR_BENCH_STORE names a store that has the packages; without them there is nothing to measure (exit status 77)."""
import os, pathlib, shutil, subprocess, sys, tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from benchlib import ASHLAR, finish, measure, report  # noqa: E402

DISTRO, PROGRAM = pathlib.Path(sys.argv[1]), sys.argv[2]
IMAGE = """
[images.boots]
kind = "directory"
arches = ["x86_64"]
boot-loader = "systemd-boot"
upstreams = ["debian-13", "ashlar"]
packages = ["ashlar-boot", "base-files", "base-passwd", "bash", "coreutils", "e2fsprogs", "grep", "kmod", "libc-bin", "linux-image-cloud-amd64", "mount", "systemd", "systemd-boot-efi", "systemd-repart", "udev", "util-linux"]
"""


def main():
    with tempfile.TemporaryDirectory(prefix="ashlar-bench-", dir="/dev/shm") as temp:
        folder = pathlib.Path(temp)
        project, store = folder / "distro", pathlib.Path(os.environ.get("ASHLAR_BENCH_STORE", folder / "store"))
        shutil.copytree(DISTRO, project)
        (project / "images/bench-boots.toml").write_text(IMAGE)
        env = {**os.environ, "ASHLAR_STORE": str(store), "LC_ALL": "C.UTF-8", "HOME": str(folder)}
        lock = subprocess.run([ASHLAR, "-C", project, "-q", "lock"], env=env, capture_output=True, text=True)
        if lock.returncode != 0:
            print("no archive to be had:", lock.stderr.strip()[-400:])
            sys.exit(77)
        subprocess.run([ASHLAR, "-C", project, "-q", "image", "build", "boots"], env=env, check=True)
        tree = folder / "out/images/boots/boots-x86_64"
        kernel = next((tree / "usr/lib/modules").iterdir())
        out = folder / "initrd"
        ours = measure([PROGRAM, "--root", tree, "--filesystem", "ext4", "--output", out, kernel.name], env=env)
        print(f"initrd: {out.stat().st_size / 1e6:.1f} MB, cpu {ours[1]:.2f} s, peak {ours[2] / (1 << 20):.0f} MiB")
        if shutil.which("dracut"):
            theirs = folder / "dracut"
            figures = measure(["dracut", "-q", "--no-hostonly", "--kver", kernel.name, "-k", kernel, "--force", "--compress", "zstd", "--tmpdir", folder, theirs], runs=1)
            print(f"dracut: {figures[0]:.2f} s, cpu {figures[1]:.2f} s, {theirs.stat().st_size / 1e6:.1f} MB")
        report("initrd from nothing", ours[0], 1.5, "s")
    finish()


if __name__ == "__main__":
    main()
