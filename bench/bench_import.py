"""Importing a server's packages from the apt upstream, beside the floor: xz -d of all their payloads on two cores. Needs the archive (skipped without); on tmpfs where there is one."""
import glob, os, shutil, subprocess, sys, tempfile, time
from benchlib import ASHLAR, finish, measure, report

HERE = os.path.dirname(os.path.abspath(__file__))
TABLES = ["--names", HERE + "/../distro/names.toml", "--imports", HERE + "/../distro/imports.toml"]
WANTED = """linux-image-amd64 systemd-sysv systemd-resolved openssh-server chrony rsyslog cron logrotate sudo vim-tiny curl ca-certificates iproute2 iputils-ping nftables less man-db python3 perl git
 base-files base-passwd passwd login dash bash coreutils util-linux mount e2fsprogs findutils grep sed gawk gzip tar hostname procps kmod dbus-broker locales tzdata lvm2 gnupg dnf""".split()

work = tempfile.mkdtemp(prefix="ashlar-bench-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
try:
    base = [ASHLAR, "-q", "--store", work, "upstream"]
    if subprocess.run(base + ["sync", "--arch", "amd64"] + TABLES, capture_output=True).returncode != 0:
        print("import: skipped, the archive cannot be reached")
        sys.exit(0)
    out = work + "/out"
    subprocess.run(base + ["import", "--arch", "amd64", "-o", out] + TABLES + WANTED, check=True)
    names = subprocess.run(["rpm", "-qp", "--nosignature", "--qf", "%{NAME}\n"] + glob.glob(out + "/*.rpm"), capture_output=True, text=True, check=True).stdout.split()
    debs = [p for p in glob.glob(work + "/blobs/sha256/*/*") if open(p, "rb").read(8) == b"!<arch>\n"]
    size = sum(map(os.path.getsize, debs))
    print("%d packages, %.1f MB of debs, load %.1f" % (len(names), size / 1e6, os.getloadavg()[0]))
    scale = size / 131.9e6  # the limit was set for 131.9 MB
    floor = measure(["sh", "-c", "printf '%s\\n' \"$@\" | xargs -P2 -n1 sh -c 'ar p \"$0\" data.tar.xz | xz -dc > /dev/null'", "sh"] + debs, runs=1)
    report("floor: xz -d of all debs, 2 cores", floor[0], 3.0 * scale * 3, "s", "CPU %.1f s" % floor[1])
    argv = base + ["import", "--arch", "amd64", "--no-deps", "-j", "2"] + TABLES + names
    first = measure(argv, runs=1, prepare=lambda: shutil.rmtree(work + "/cache/apt-import", ignore_errors=True))
    report("import, 2 threads", first[0], 8.0 * scale, "s", "CPU %.1f s, %.2f times the floor, peak %d MiB" % (first[1], first[0] / floor[0], first[2] >> 20))
    second = measure(base + ["import", "--arch", "amd64", "-j", "2"] + TABLES + WANTED, runs=3) # the whole command: it resolves again, and finds every package
    report("import again", second[0], 0.1, "s")
finally:
    shutil.rmtree(work, ignore_errors=True)
finish()
