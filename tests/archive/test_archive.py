"""The apt upstream against the real archive (network, through this machine's own apt configuration; skipped where there is none):

1. every relation of the archive, judged both ways (archive-relations), for amd64 and arm64;
2. a server's closure is imported, twice: the second run does nothing, and a run from nothing gives the same bytes;
3. rpm's own generators agree with the generated relations of all of them;
4. rpm -K accepts every package, and dnf installs all of them into an empty root without a conflict."""
import glob, hashlib, os, shutil, subprocess, sys, tempfile, time

ASHLAR, RELATIONS, DISTRO, HERE = (os.environ[k] for k in ("ASHLAR", "RELATIONS", "DISTRO", "HERE"))
TABLES = ["--names", DISTRO + "/names.toml", "--imports", DISTRO + "/imports.toml"]
SERVER = """systemd-sysv systemd-resolved systemd-boot openssh-server chrony rsyslog cron logrotate sudo vim-tiny curl ca-certificates iproute2 iputils-ping nftables less man-db python3 perl git
 base-files base-passwd passwd login dash bash coreutils util-linux mount e2fsprogs findutils grep sed gawk gzip tar hostname procps kmod dbus-broker locales tzdata dnf
 libssl-dev zlib1g-dev libcurl4-openssl-dev libxml2-dev libglib2.0-dev libwww-perl python3-requests libfmt-dev""".split()


def run(argv, **more):
    return subprocess.run(argv, capture_output=True, text=True, **more)


def must(argv, **more):
    r = run(argv, **more)
    if r.returncode != 0:
        sys.exit("%s: exit status %d\n%s%s" % (" ".join(argv[:6]), r.returncode, r.stdout[-4000:], r.stderr[-4000:]))
    return r.stdout


def relations(store, arch):
    lists = glob.glob("%s/apt/*-%s/**/*_Packages" % (store, arch), recursive=True)
    print(must([RELATIONS, HERE + "/explained.txt"] + lists, env=dict(os.environ, ARCH=arch, NAMES=TABLES[1], IMPORTS=TABLES[3])))


def digests(folder):
    return {os.path.basename(p): hashlib.sha256(open(p, "rb").read()).hexdigest() for p in glob.glob(folder + "/*.rpm")}


def main():
    work = tempfile.mkdtemp(prefix="ashlar-archive-")
    try:
        store = work + "/store"
        base = [ASHLAR, "-q", "--store", store, "upstream"]
        r = run(base + ["sync", "--arch", "amd64"] + TABLES)
        if r.returncode == 75 or (r.returncode != 0 and "no apt" in r.stderr):
            print("skipped: the archive cannot be reached\n" + r.stderr)
            sys.exit(77)
        if r.returncode != 0:
            sys.exit(r.stderr)
        must(base + ["sync", "--arch", "arm64"] + TABLES)
        relations(store, "amd64")
        relations(store, "arm64")
        importing = base + ["import", "--arch", "amd64"] + TABLES + SERVER
        must(importing + ["-o", work + "/a"])
        start = time.time()
        must(importing)
        print("second run: %.2f s" % (time.time() - start))
        shutil.rmtree(store + "/cache/apt-import")
        must(importing + ["-j", "1", "-o", work + "/b"])
        if digests(work + "/a") != digests(work + "/b"):
            sys.exit("two imports gave different bytes")
        rpms = sorted(glob.glob(work + "/a/*.rpm"))
        for rpm in rpms:
            if not must(["rpm", "-K", "--nosignature", rpm]).endswith("digests OK\n"):
                sys.exit("rpm -K refuses " + rpm)
        print(must([sys.executable, "-B", HERE + "/test_generators.py"] + rpms))
        must(["createrepo_c", "-q", work + "/a"])
        with open(work + "/dnf.conf", "w") as f:
            f.write("[main]\nreposdir=/dev/null\ncachedir=%s/cache\ninstall_weak_deps=0\ngpgcheck=0\n[r]\nname=r\nbaseurl=file://%s/a\n" % (work, work))
        names = must(["rpm", "-qp", "--nosignature", "--qf", "%{NAME}\n"] + rpms).split()
        if os.geteuid() == 0:
            must(["dnf", "-q", "-y", "-c", work + "/dnf.conf", "--installroot", work + "/root", "--releasever", "13", "install"] + names)
            print("dnf installed %d packages" % len(names))
    finally:
        shutil.rmtree(work, ignore_errors=True)


main()
