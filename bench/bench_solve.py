"""Solve a server's closure against all packages of the apt upstream, beside dnf with a warm cache over the same metadata, process start to end: at least 3 times faster (issue 3).
Needs the network once, for the archive's indices; without it there is nothing to measure (exit status 77)."""
import os, pathlib, shutil, subprocess, sys, tempfile

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parent.parent / "tests/lib")]
import dnfjudge  # noqa: E402
from benchlib import ASHLAR, finish, measure, report  # noqa: E402

SERVER = ["systemd", "udev", "openssh-server", "bash", "coreutils", "util-linux", "e2fsprogs", "iproute2", "sudo", "vim-tiny", "less", "curl", "ca-certificates", "openssl", "rsyslog", "chrony", "nginx",
          "postgresql", "python3", "git", "rsync", "tmux", "tcpdump", "strace", "dnf", "kmod", "dbus", "login", "passwd", "procps"]
PROJECT = """[project]
description = "bench"
[upstreams.all]
type = "rpm-md"
base-uri = "file://{repo}"
disable-gpg-check = true
[images.server]
kind = "disk"
arches = ["x86_64"]
packages = [{packages}]
"""


def main():
    exporter, distro = sys.argv[1], sys.argv[2]
    with tempfile.TemporaryDirectory(prefix="ashlar-bench-", dir="/dev/shm") as temp:
        folder = pathlib.Path(temp)
        repo = folder / "repo"
        (repo / "repodata").mkdir(parents=True)
        store = os.environ.get("ASHLAR_BENCH_STORE", str(folder / "store"))
        out = subprocess.run([exporter, distro, store, folder], capture_output=True, text=True)
        if out.returncode != 0:
            print("no archive to be had:", out.stderr.strip())
            sys.exit(77)
        print(out.stdout.strip(), flush=True)
        n = int(out.stdout.split()[0])
        (repo / "repodata/repomd.xml").write_text('<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision></repomd>')
        for kind, root in (("filelists", "filelists"), ("other", "otherdata")):
            (folder / f"{kind}.xml").write_text(f'<?xml version="1.0"?><{root} xmlns="http://linux.duke.edu/metadata/{kind}" packages="{n if kind == "x" else 0}"></{root}>')
        for kind in ("primary", "filelists", "other"):
            subprocess.run(["modifyrepo_c", f"--mdtype={kind}", "--compress-type=gz", folder / f"{kind}.xml", repo / "repodata"], check=True, capture_output=True)
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "ASHLAR_STORE": str(folder / "store2")}
        dnf = dnfjudge.Dnf(folder / "dnf", env, {"all": {"baseurl": f"file://{repo}", "metadata_expire": "never"}})
        conf = folder / "dnf/dnf.conf"
        conf.write_text(conf.read_text().replace("metadata_expire=0", "metadata_expire=never"))
        argv = ["dnf", "-c", conf, "--releasever=1", "--installroot", folder / "dnf/root", "--assumeno", "-C", "install", *SERVER]
        subprocess.run(["dnf", "-c", conf, "--releasever=1", "--installroot", folder / "dnf/root", "-q", "makecache"], env=env, check=True, capture_output=True)
        theirs = subprocess.run([str(a) for a in argv], env=env, capture_output=True, text=True)
        (folder / "ashlar.toml").write_text(PROJECT.format(repo=repo, packages=", ".join(f'"{p}"' for p in SERVER)))
        lock = [ASHLAR, "-C", folder, "lock", "--dry-run"]
        ours = subprocess.run([str(a) for a in lock], env=env, capture_output=True, text=True)
        if ours.returncode:
            sys.exit(f"ashlar does not solve: {ours.stderr}")
        print("dnf:", next((l.strip() for l in theirs.stdout.splitlines() if "Install " in l), theirs.stderr[-400:] + theirs.stdout[-200:]), "| ashlar:", (ours.stdout.splitlines() or [ours.stderr[-400:]])[-1], flush=True)
        makecache = ["dnf", "-c", conf, "--releasever=1", "--installroot", folder / "dnf/root", "-q", "makecache", "--refresh"]
        a = measure(["sh", "-c", '"$@"; [ $? = 1 ]', "sh", *argv], runs=3, env=env)
        b = measure(lock, runs=5, env=env)
        c = measure(makecache, runs=1, env=env, prepare=lambda: shutil.rmtree(folder / "dnf/cache", ignore_errors=True))
        d = measure(lock, runs=1, env=env, prepare=lambda: shutil.rmtree(folder / "store2/cache", ignore_errors=True))
        print(f"first run over new metadata, for comparison: dnf makecache alone {c[0]:.2f} s, ashlar with its solve {d[0]:.2f} s")
        print(f"dnf, warm    {a[0]:6.2f} s  cpu {a[1]:6.2f} s  peak {a[2] / 1e6:.0f} MB\nashlar, warm {b[0]:6.2f} s  cpu {b[1]:6.2f} s  peak {b[2] / 1e6:.0f} MB   {a[0] / b[0]:.1f} times faster")
        report("solve a server's closure, dnf / 3", b[0], a[0] / 3, "s")
    finish()


if __name__ == "__main__":
    main()
