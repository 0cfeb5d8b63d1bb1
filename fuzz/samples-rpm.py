"""Samples for fuzz-rpm, made by rpmbuild: small packages of every payload compression, a source package's shape, hard links, capabilities, no files. Usage: samples-rpm.py FOLDER"""
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests" / "lib"))
import rpmkit  # noqa: E402

INSTALL = "mkdir -p %{buildroot}/a/b; echo x > %{buildroot}/a/f; ln %{buildroot}/a/f %{buildroot}/a/g; ln -s f %{buildroot}/a/l; : > %{buildroot}/a/e"
FILES = "%attr(4711,u,g) %caps(cap_kill=p) /a/f\n/a/g\n%config /a/l\n%dir /a/b\n%ghost /a/e"


def main():
    out, kit = pathlib.Path(sys.argv[1]), rpmkit.Kit()
    out.mkdir(parents=True, exist_ok=True)
    try:
        for i, payload in enumerate(["w1.gzdio", "w1.xzdio", "w1.zstdio", "w1.bzdio", "w1.lzdio", "w.ufdio"]):
            shutil.copy(kit.build(name=payload.split(".")[1], payload=payload, install=INSTALL, files=FILES, tags="Requires: a >= 1\nConflicts: b\n" if i == 0 else ""), out)
        shutil.copy(kit.build(name="empty"), out)
        whole = (out / "ufdio-1.0-1.noarch.rpm").read_bytes()
        (out / "cut.rpm").write_bytes(whole[:-40])
    finally:
        kit.close()


main()
