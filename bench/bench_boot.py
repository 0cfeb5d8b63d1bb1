"""From power-on to the login prompt (issue 5, section 4): the server of distro/ beside Debian 13 with the same packages, made by mmdebstrap with Debian's own kernel, initramfs-tools and systemd-boot, as Debian sets it up.
Both boot for the first time, in turns, in the same machine: what 'image test' starts. Needs root and the archive; ASHLAR_BENCH_STORE may name a store that has the packages. Exit status 77: nothing to measure."""
import json, os, pathlib, shutil, statistics, subprocess, sys, tempfile, tomllib

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from benchlib import ASHLAR, finish, report  # noqa: E402

DISTRO, ROUNDS = pathlib.Path(sys.argv[1]), int(os.environ.get("ASHLAR_BENCH_BOOTS", "3"))
MIB = 1 << 20
ESP, ROOT = ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "11111111-1111-4111-8111-111111111111"), ("4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "22222222-2222-4222-8222-222222222222")
SIZES = (256 * MIB, 1600 * MIB)


def run(*argv, **more):
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True, **more).stdout


def debian(folder, sources, packages):
    """A root as Debian's packages leave it. Host keys are taken out: they are made at the first boot, as in ours (mmdebstrap sees to the machine-id)."""
    root = folder / "debian"
    run("mmdebstrap", "--quiet", "--mode=root", "--variant=essential", "--format=directory", "--aptopt=APT::Install-Recommends false", f"--include={','.join(packages)}", "trixie", root, sources)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "efi").mkdir(exist_ok=True)
    (root / "etc/fstab").write_text(f"PARTUUID={ROOT[1]} / ext4 rw,relatime 0 1\nPARTUUID={ESP[1]} /efi vfat umask=0077 0 2\n")
    (root / "etc/hostname").write_text("debian\n")
    return root


def disk(folder, root, options):
    """ESP and root as in our image, sizes included; the loader, the kernel and the initramfs that Debian made."""
    tree, raw = folder / "esp", folder / "debian.raw"
    kernel = next((root / "boot").glob("vmlinuz-*"))
    version = kernel.name.removeprefix("vmlinuz-")
    for d in ("EFI/BOOT", "loader/entries", "debian"):
        (tree / d).mkdir(parents=True)
    shutil.copy(root / "usr/lib/systemd/boot/efi/systemd-bootx64.efi", tree / "EFI/BOOT/BOOTX64.EFI")
    shutil.copy(kernel, tree / "debian/linux")
    shutil.copy(root / f"boot/initrd.img-{version}", tree / "debian/initrd")
    (tree / "loader/loader.conf").write_text("#timeout 3\n#console-mode keep\n")  # as bootctl installs it
    (tree / f"loader/entries/debian-{version}.conf").write_text(f"title Debian\nversion {version}\nlinux /debian/linux\ninitrd /debian/initrd\noptions root=PARTUUID={ROOT[1]} rw {options}\n")
    with raw.open("wb") as f:
        f.truncate(sum(SIZES) + 2 * MIB)
    script = "label: gpt\n" + "".join(f"start={start // 512}, size={size // 512}, type={kind}, uuid={uuid}\n" for start, size, (kind, uuid) in ((MIB, SIZES[0], ESP), (MIB + SIZES[0], SIZES[1], ROOT)))
    run("sfdisk", "-q", raw, input=script)
    esp, ext4 = folder / "esp.img", folder / "root.img"
    esp.touch()
    os.truncate(esp, SIZES[0])
    run("mkfs.vfat", esp)
    run("mcopy", "-s", "-i", esp, *tree.iterdir(), "::")
    run("mke2fs", "-q", "-t", "ext4", "-d", root, ext4, f"{SIZES[1] >> 10}k")
    for part, start in ((esp, 1), (ext4, 1 + SIZES[0] // MIB)):
        run("dd", f"if={part}", f"of={raw}", "bs=1M", f"seek={start}", "conv=notrunc,sparse")
        part.unlink()
    return raw, (tree / "debian/initrd").stat().st_size


def login(env, raw):
    p = subprocess.run([ASHLAR, "-C", DISTRO, "--json", "image", "test", str(raw), "--disk-size", "4"], env=env, capture_output=True, text=True)
    result = json.loads(p.stdout)
    if "login-seconds" not in result:
        raise SystemExit(f"{raw} did not come to a login:\n{p.stdout}{p.stderr}")
    bad = [c for c in result["checks"] if not c["good"]]
    return result["login-seconds"], result["accel"], result["memory-used"] if "memory-used" in result else 0, ", ".join(f"{c['name']}: {c.get('what', '')}" for c in bad)


def main():
    if os.geteuid() != 0 or not shutil.which("mmdebstrap") or not shutil.which("qemu-system-x86_64"):
        print("needs root, mmdebstrap and QEMU")
        return 77
    with tempfile.TemporaryDirectory(prefix="ashlar-bench-", dir="/dev/shm") as temp:
        folder = pathlib.Path(temp)
        project, store = folder / "distro", pathlib.Path(os.environ.get("ASHLAR_BENCH_STORE", folder / "store"))
        shutil.copytree(DISTRO, project)
        env = {**os.environ, "ASHLAR_STORE": str(store), "LC_ALL": "C.UTF-8", "HOME": str(folder), "TMPDIR": temp}
        lock = subprocess.run([ASHLAR, "-C", project, "-q", "lock"], env=env, capture_output=True, text=True)
        if lock.returncode != 0:
            print("no archive to be had:", lock.stderr.strip()[-400:])
            return 77
        run(ASHLAR, "-C", project, "-q", "image", "build", "server", env=env)
        image = tomllib.loads((project / "images/server.toml").read_text())["images"]["server"]
        packages = [p for p in image["packages"] if p != "ashlar-boot"] + ["initramfs-tools"]
        root = debian(folder, next(store.glob("apt/*-amd64/etc/sources.list.d/*.sources")), packages)
        theirs, initrd = disk(folder, root, " ".join(image["kernel-command-line"]))
        shutil.rmtree(root)
        ours = folder / "out/images/server/server-x86_64.raw"
        print(f"Debian 13: {len(packages)} packages asked for, initramfs {initrd / 1e6:.1f} MB")
        times = {"Ashlar": [], "Debian": []}
        for _ in range(ROUNDS):
            for name, raw in (("Ashlar", ours), ("Debian", theirs)):
                seconds, accel, memory, bad = login(env, raw)
                times[name].append(seconds)
                print(f"{name}: login after {seconds:.1f} s ({accel}), {memory >> 20} MiB used, load {os.getloadavg()[0]:.1f}{'; ' + bad if bad else ''}", flush=True)
        ratio = statistics.median(times["Ashlar"]) / statistics.median(times["Debian"])
        report("boot to login, beside Debian 13", ratio, 1.0, "", f"medians {statistics.median(times['Ashlar']):.1f} s and {statistics.median(times['Debian']):.1f} s; best {min(times['Ashlar']):.1f} s and {min(times['Debian']):.1f} s")
    return 0


code = main()
if code:
    sys.exit(code)
finish()
