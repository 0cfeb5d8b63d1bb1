"""Generated relations of imported packages against rpm's own generators (/usr/lib/rpm), over real packages.

    test_generators.py RPM...

For each package: unpack it, let elfdeps, pkgconfigdeps.sh, perl.prov and script.req speak, compare with what the header says. Requirements may stand as Requires or
(where Debian's own relations do not prove them) Recommends; those that the package itself satisfies are left out, as rpm's solver would ignore them."""
import os, re, subprocess, sys, tempfile

LIB = "/usr/lib/rpm/"
KINDS = {
    "elf": re.compile(r"^(lib|ld[-.6]).*\.so.*(\(.*\))?$|^rtld\("),
    "pkgconfig": re.compile(r"^pkgconfig\((?!x86-64\)|aarch-64\))"),  # not the name of a package with its architecture
    "perl": re.compile(r"^perl\((?!:)"), # perl(:VERSION) is of distro/names.toml
}


def run(argv, text=""):
    return subprocess.run(argv, input=text, capture_output=True, text=True, errors="surrogateescape").stdout


def lines(text):
    return {re.sub(r"\s+", " ", l.strip()) for l in text.split("\n") if l.strip()}


def query(rpm, what):
    return lines(run(["rpm", "-qp", "--nosignature", "--" + what, rpm]))


def clean(dep):
    # characters that rpm's own relations cannot carry are replaced when we import
    m = re.match(r"^(.*?) ([<>=]+) (.*)$", dep)
    return dep if not m else "%s %s %s" % (m[1], m[2].replace("==", "="), re.sub(r"[^0-9A-Za-z._+~^:]", "_", m[3]))


def judge(root):
    paths = []
    for d, _, names in os.walk(root):
        paths += [os.path.join(d, n) for n in names if not os.path.islink(os.path.join(d, n)) and os.path.isfile(os.path.join(d, n))]
    paths.sort()
    provides, requires = {"elf": set(), "pkgconfig": set(), "perl": set()}, {"elf": set(), "pkgconfig": set()}
    elf = []
    for p in paths:
        with open(p, "rb") as f:
            if f.read(4) == b"\x7fELF" and not p.startswith(root + "/usr/lib/debug/"):
                elf.append(p)
    provides["elf"] = lines(run([LIB + "elfdeps", "--provides"], "\n".join(elf) + "\n"))
    requires["elf"] = lines(run([LIB + "elfdeps", "--requires"], "\n".join(elf) + "\n"))
    for p in paths:
        if re.search(r"^/usr/(lib/([^/]*/)?|share/)pkgconfig/[^/]*\.pc$", p[len(root):]):
            provides["pkgconfig"] |= lines(run([LIB + "pkgconfigdeps.sh", "--provides"], p + "\n"))
            requires["pkgconfig"] |= lines(run([LIB + "pkgconfigdeps.sh", "--requires"], p + "\n"))
        if p.endswith(".pm"):
            provides["perl"] |= lines(run([LIB + "perl.prov", p]))
    requires["pkgconfig"] = {r for r in requires["pkgconfig"] if r.startswith("pkgconfig(")}
    return provides, requires


def main():
    bad = compared = 0
    for rpm in sys.argv[1:]:
        with tempfile.TemporaryDirectory(dir="/tmp") as root:
            subprocess.run("rpm2cpio '%s' | cpio -idm --quiet --no-absolute-filenames 2>/dev/null" % os.path.abspath(rpm), shell=True, cwd=root)
            subprocess.run(["chmod", "-R", "u+rX", root])
            want_provides, want_requires = judge(root)
            have_provides, have_requires = query(rpm, "provides"), query(rpm, "requires") | query(rpm, "recommends")
            names = {p.split(" ")[0] for p in have_provides}
            for kind, want in want_provides.items():
                have = {p for p in have_provides if KINDS[kind].match(p) and p != "rtld(GNU_HASH)" and not re.match(r"^perl\((x86|aarch)-64\)", p)}
                want = {clean(w) for w in want}
                compared += len(want)
                if have != want:
                    bad += 1
                    print(os.path.basename(rpm), kind, "provides: only rpm's", sorted(want - have)[:6], "only ours", sorted(have - want)[:6])
            for kind, want in want_requires.items():
                have = {p for p in have_requires if KINDS[kind].match(p)}
                want = {w for w in map(clean, want) if w.split(" ")[0] not in names}
                compared += len(want)
                if have != want:
                    bad += 1
                    print(os.path.basename(rpm), kind, "requires: only rpm's", sorted(want - have)[:6], "only ours", sorted(have - want)[:6])
    print("%d packages, %d relations compared, %d differences" % (len(sys.argv) - 1, compared, bad))
    sys.exit(1 if bad else 0)


main()
