"""Images of distro/ on tmpfs with a warm store (issue 4, section 6), beside what dnf and rpm take to install the same packages, and the floor: the bytes that must be read and written.
Needs the archive once, unless ASHLAR_BENCH_STORE names a store that has the packages; without them there is nothing to measure (exit status 77)."""
import os, pathlib, re, shutil, subprocess, sys, tempfile, time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from benchlib import ASHLAR, finish, measure, report  # noqa: E402

DISTRO = pathlib.Path(sys.argv[1])
# About 280 packages with what they need: a server without a desktop.
SERVER = ["base-files", "bash", "bind9-dnsutils", "btrfs-progs", "ca-certificates", "chrony", "coreutils", "cron", "curl", "dbus", "dnf", "e2fsprogs", "git", "htop", "iproute2", "iputils-ping", "kmod", "less",
          "login", "logrotate", "lvm2", "man-db", "mdadm", "nano", "network-manager", "nftables", "nginx", "openssh-server", "openssl", "parted", "passwd", "postgresql-client", "procps", "python3", "rsync", "rsyslog",
          "strace", "sudo", "systemd", "systemd-resolved", "systemd-sysv", "tcpdump", "tmux", "tzdata", "udev", "util-linux", "vim-tiny", "wget", "xfsprogs"]
IMAGE = """
[images.server-set]
kind = "archive"
arches = ["x86_64"]
packages = [{packages}]
users.root = {{ uid = 0, home = "/root", shell = "/usr/bin/bash", system = true }}
groups.mail = {{ gid = 8, system = true }}
"""


def floor(folder, read, written):
    """Copying as many bytes within memory."""
    a, b = folder / "floor-in", folder / "floor-out"
    with open(a, "wb") as o:
        for _ in range(read >> 20):
            o.write(bytes(1 << 20))
    best = 9e9
    for _ in range(5):
        start = time.monotonic()
        with open(a, "rb") as i, open(b, "wb") as o:
            while data := i.read(1 << 20):
                if o.tell() < written:
                    o.write(data)
        best = min(best, time.monotonic() - start)
    a.unlink()
    b.unlink()
    return best


def tree_bytes(env, project, image, arch="x86_64"):
    dump = subprocess.run([ASHLAR, "-C", project, "image", "dump", image, "--arch", arch], env=env, check=True, capture_output=True, text=True).stdout
    return sum(int(n) for n in re.findall(r" size=(\d+)", dump)), dump.count("\n") - 1


def peers(folder, project, store, env, look=lambda root: None):
    """dnf and rpm, each into an empty root, of the server's packages; look sees what dnf made."""
    lock = (project / "ashlar.lock").read_text()
    section = lock[lock.index('name = "server-set"'):]
    names = re.findall(r'"([^"]+\.(?:x86_64|noarch))"', section[section.index("packages"):].split("]")[0])
    digests = dict(re.findall(r'nevra = "([^"]+)".*?sha256 = "([0-9a-f]{64})"', lock))
    repo = folder / "repo"
    repo.mkdir()
    for nevra in names:
        os.symlink(store / "blobs/sha256" / digests[nevra][:2] / digests[nevra], repo / f"{nevra.replace(':', '%3a')}.rpm")
    subprocess.run(["createrepo_c", "-q", repo], check=True)
    root = folder / "root"
    conf = folder / "dnf.conf"
    conf.write_text(f"[main]\nreposdir={folder}/none\nvarsdir={folder}/none\ncachedir={folder}/cache\nlogdir={folder}\ngpgcheck=0\ninstall_weak_deps=0\nplugins=0\n[all]\nname=all\nbaseurl=file://{repo}\nmetadata_expire=never\n")

    def clean():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
    dnf = measure(["dnf", "-q", "-y", "-c", conf, "--releasever=1", "--installroot", root, "install", *[n.rsplit("-", 2)[0] for n in names]], runs=1, prepare=clean, env=env)
    look(root)
    rpm = measure(["rpm", "--root", root, "--nosignature", "-U", "--nodeps", "--excludedocs", "--define", "_pkgverify_level none", "--define", "_dbpath /var/lib/rpm", *sorted(repo.glob("*.rpm"))], runs=1, prepare=clean, env=env)
    clean()
    return len(names), dnf, rpm


def main():
    with tempfile.TemporaryDirectory(prefix="ashlar-bench-", dir="/dev/shm") as temp:
        folder = pathlib.Path(temp)
        project, store = folder / "distro", pathlib.Path(os.environ.get("ASHLAR_BENCH_STORE", folder / "store"))
        shutil.copytree(DISTRO, project)
        (project / "images/bench-server.toml").write_text(IMAGE.format(packages=", ".join(f'"{p}"' for p in SERVER)))
        env = {**os.environ, "ASHLAR_STORE": str(store), "LC_ALL": "C.UTF-8", "HOME": str(folder)}
        lock = subprocess.run([ASHLAR, "-C", project, "-q", "lock"], env=env, capture_output=True, text=True)
        if lock.returncode != 0:
            print("no archive to be had:", lock.stderr.strip()[-400:])
            sys.exit(77)
        images = ["container-base", "container-distroless-minimal", "container-distroless-base", "container-distroless-debug", "server-set"]
        subprocess.run([ASHLAR, "-C", project, "-q", "image", "build", *images], env=env, check=True)

        def forget(*kinds):
            for kind in kinds:
                shutil.rmtree(store / "cache" / kind, ignore_errors=True)

        def build(*args, **more):
            return measure([ASHLAR, "-C", project, "-q", "image", "build", "--force", *args], env=env, **more)
        cold = {"prepare": lambda: forget("chunk", "stream"), "runs": 3}
        base = build("container-base")
        base_cold = build("container-base", **cold)
        one = build("container-base", "--arch", "x86_64")
        one_cold = build("container-base", "--arch", "x86_64", **cold)
        less = build("container-distroless-base")
        less_cold = build("container-distroless-base", **cold)
        every = build(*images)
        subprocess.run([ASHLAR, "-C", project, "-q", "image", "build", "container-base"], env=env, check=True)
        same = measure([ASHLAR, "-C", project, "-q", "image", "build", "container-base"], env=env)
        dump = [ASHLAR, "-C", project, "-q", "image", "dump", "server-set"]
        tree = measure(dump, env=env)
        tree_cold = measure(dump, env=env, runs=3, prepare=lambda: forget("handler"))
        stages = subprocess.run([ASHLAR, "-C", project, "image", "build", "--force", "container-base", "--timings"], env=env, check=True, capture_output=True, text=True).stderr
        n, dnf, rpm = peers(folder, project, store, env)
        size, entries = tree_bytes(env, project, "server-set")
        base_size = sum(tree_bytes(env, project, "container-base", a)[0] for a in ("x86_64", "aarch64"))
        written = sum(f.stat().st_size for f in (folder / "out/images/container-base/container-base.oci/blobs/sha256").iterdir())
        print(f"container-base, both architectures: {base_size / 1e6:.0f} MB of files, {written / 1e6:.0f} MB written; the floor, reading and writing them: {floor(folder, base_size, written):.3f} s")
        print(f"server: {n} packages, {entries} entries, {size / 1e6:.0f} MB of files; the floor, reading and writing them: {floor(folder, size, size):.3f} s")
        for name, f in (("dnf --installroot", dnf), ("rpm -U --nodeps", rpm), ("ashlar, into a tree, handlers not cached", tree_cold), ("ashlar, into a tree", tree), ("container-base, both architectures, compressed for the first time", base_cold)):
            print(f"{name:<66} {f[0]:6.3f} s  cpu {f[1]:6.3f} s  peak {f[2] / (1 << 20):4.0f} MiB")
        report("container-base, both architectures", base[0], 0.4, "s")
        report("container-base, one architecture", one[0], 0.4, "s")
        report("the same, compressed for the first time", one_cold[0], 0.4, "s")
        report("container-distroless-base, both architectures", less[0], 0.15, "s")
        report("the same, compressed for the first time", less_cold[0], 0.15, "s")
        report("container-base, nothing changed", same[0], 0.1, "s")
        report("server into a tree and its dump, handlers not cached", tree_cold[0], 0.5, "s")
        report("the same, handlers cached", tree[0], 0.15, "s")
        report("peak memory of all that", max(f[2] for f in (base, base_cold, one_cold, less_cold, every, tree, tree_cold)) / (1 << 20), 300, "MiB")
        print("stages of container-base:", stages, sep="\n", flush=True)
    finish()


if __name__ == "__main__":
    main()
