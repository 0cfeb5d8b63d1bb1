"""The server of distro/ as a disk, raw and fixed VHD, on tmpfs with a warm store (issue 5, section 4), beside dnf --installroot and mke2fs -d of the same packages, and the floor.
Needs the archive once, unless ASHLAR_BENCH_STORE names a store that has the packages; without them there is nothing to measure (exit status 77)."""
import itertools, os, pathlib, shutil, subprocess, sys, tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bench_image import floor, peers, tree_bytes  # noqa: E402
from benchlib import ASHLAR, finish, measure, report  # noqa: E402

DISTRO = pathlib.Path(sys.argv[1])
DISK = """
[images.{name}]
inherits = ["server"]
kind = "disk"
formats = ["raw", "vhd"]
{more}
"""


def main():
    with tempfile.TemporaryDirectory(prefix="ashlar-bench-", dir="/dev/shm") as temp:
        folder = pathlib.Path(temp)
        project, store = folder / "distro", pathlib.Path(os.environ.get("ASHLAR_BENCH_STORE", folder / "store"))
        shutil.copytree(DISTRO, project)
        env = {**os.environ, "ASHLAR_STORE": str(store), "LC_ALL": "C.UTF-8", "HOME": str(folder)}
        definition = project / "images/bench-disk.toml"
        states = {}
        for state, more in (("with", 'packages = ["nano"]'), ("without", "")):
            definition.write_text(DISK.format(name="bench", more=more))
            lock = subprocess.run([ASHLAR, "-C", project, "-q", "lock"], env=env, capture_output=True, text=True)
            if lock.returncode != 0:
                print("no archive to be had:", lock.stderr.strip()[-400:])
                return 77
            states[state] = (definition.read_text(), (project / "ashlar.lock").read_text())
        build = [ASHLAR, "-C", project, "-q", "-j", "2", "image", "build", "bench"]
        out = folder / "out/images/bench"
        subprocess.run(build, env=env, check=True)
        size, entries = tree_bytes(env, project, "bench")
        written = sum(f.stat().st_blocks * 512 for f in out.iterdir() if f.suffix in (".raw", ".vhd"))
        copy = floor(folder, size, written)
        print(f"server as a disk: {size / 1e6:.0f} MB of files in {entries} entries, {written / 1e6:.0f} MB written as raw and VHD, load {os.getloadavg()[0]:.1f}; floor: reading and writing as many bytes {copy:.2f} s")
        wall, cpu, memory = measure([*build, "--force"], env=env)
        report("server, raw + VHD", wall, 1.5, "s", f"CPU {cpu:.2f} s, {wall / copy:.1f} times the floor")
        report("server, raw + VHD: memory", memory / (1 << 20), 512, "MiB")
        turn = itertools.cycle(("with", "without"))

        def change():
            text, lock = states[next(turn)]
            definition.write_text(text)
            (project / "ashlar.lock").write_text(lock)
        wall, cpu, _ = measure(build, prepare=change, env=env)
        report("server, one package changed", wall, 0.8, "s", f"CPU {cpu:.2f} s")
        wall, cpu, _ = measure(build, env=env)
        report("server, nothing changed", wall, 0.1, "s", f"CPU {cpu:.2f} s")
        if shutil.which("dnf") and os.geteuid() == 0:
            image, mke2fs = folder / "peer.img", []
            n, dnf, _ = peers(folder, project, store, env, lambda root: mke2fs.extend(
                measure(["mke2fs", "-q", "-t", "ext4", "-F", "-d", root, image, "1G"], runs=1, prepare=lambda: image.unlink(missing_ok=True), env=env)))
            again = measure([*build, "--force"], env=env)
            report(f"peer: dnf --installroot ({n} packages) + mke2fs -d", dnf[0] + mke2fs[0], 600, "s", f"dnf {dnf[0]:.1f} s, mke2fs {mke2fs[0]:.1f} s: {(dnf[0] + mke2fs[0]) / again[0]:.0f} times ours")
    return 0


code = main()
if code:
    sys.exit(code)
finish()
