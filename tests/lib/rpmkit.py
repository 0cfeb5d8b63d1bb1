"""RPM packages for tests: made by rpmbuild, signed by rpmsign, judged by rpm. Everything below one temporary folder, HOME included."""
import gzip
import hashlib
import json
import os
import pathlib
import re
import struct
import subprocess
import tempfile

SPEC = """Name: {name}
Version: {version}
Release: {release}
Summary: A test package
License: MIT
{tags}
%description
Made by a test.
%install
{install}
%files
{files}
{more}
"""

FULL_INSTALL = """mkdir -p %{buildroot}/usr/bin %{buildroot}/etc %{buildroot}/var/lib/kit %{buildroot}/usr/share/doc/kit
head -c 300000 /dev/zero | tr '\\\\0' 'x' > %{buildroot}/usr/bin/big
echo hello > %{buildroot}/usr/bin/tool; chmod 755 %{buildroot}/usr/bin/tool
ln %{buildroot}/usr/bin/tool %{buildroot}/usr/bin/tool-again; ln %{buildroot}/usr/bin/tool %{buildroot}/usr/bin/zool
ln -s tool %{buildroot}/usr/bin/link
: > %{buildroot}/usr/share/doc/kit/empty
echo a=1 > %{buildroot}/etc/kit.conf; echo b > %{buildroot}/etc/kit.keep
echo doc > %{buildroot}/usr/share/doc/kit/README
mkfifo %{buildroot}/var/lib/kit/pipe"""
FULL_FILES = """%attr(4755,root,root) %caps(cap_net_raw=ep) /usr/bin/big
/usr/bin/tool
/usr/bin/tool-again
/usr/bin/zool
/usr/bin/link
%dir %attr(0750,kit,kit) /var/lib/kit
/var/lib/kit/pipe
%config /etc/kit.conf
%config(noreplace) /etc/kit.keep
%ghost %attr(0600,root,root) /var/lib/kit/state
%doc /usr/share/doc/kit/README
/usr/share/doc/kit/empty"""
FULL_TAGS = """Provides: kit(feature) = 1:2-3, other
Requires: /bin/sh, glibc >= 2.30, (a or b)
Recommends: nice
Suggests: nicer > 1
Conflicts: enemy < 2
Obsoletes: ancient <= 0:1-1
"""


class Kit:
    def __init__(self, parent=None):
        self.temp = tempfile.TemporaryDirectory(prefix="ashlar-rpm-", dir=parent)
        self.dir = pathlib.Path(self.temp.name)
        self.home = self.dir / "home"
        self.gnupg = self.dir / "g"
        for d in (self.home, self.gnupg, self.dir / "db"):
            d.mkdir(mode=0o700)
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8", "GNUPGHOME": str(self.gnupg), "SOURCE_DATE_EPOCH": "1700000000",
                    "TMPDIR": str(self.dir)}

    def close(self):
        subprocess.run(["gpgconf", "--kill", "all"], env=self.env, check=False, capture_output=True)
        self.temp.cleanup()

    def run(self, *argv, check=True, **kw):
        return subprocess.run([str(a) for a in argv], env=self.env, check=check, capture_output=True, text=True, **kw)

    def build(self, name="kit", version="1.0", release="1", payload="w6.gzdio", tags="", install="true", files="", more="", arch="noarch", defines=(), macros=None):
        spec = self.dir / f"{name}-{version}-{release}.spec"
        tags = f"BuildArch: noarch\n{tags}" if arch == "noarch" else tags
        spec.write_text(SPEC.format(name=name, version=version, release=release, tags=tags, install=install, files=files, more=more))
        out = self.dir / "rpms"
        args = ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {self.dir}/top", "--define", f"_rpmdir {out}", "--define", "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
                "--define", f"_binary_payload {payload}", "--define", "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
                "--define", "__os_install_post %{nil}", "--define", "debug_package %{nil}", "--define", "use_source_date_epoch_as_buildtime 1", "--define", "_buildhost test"]
        for d in defines:
            args += ["--define", d]
        if macros:
            args += ["--load", str(macros)]
        if arch not in ("noarch", os.uname().machine):
            args += ["--target", arch]
        self.run(*args, spec)
        return out / f"{name}-{version}-{release}.{arch}.rpm"

    def full(self, **kw):
        return self.build(tags=FULL_TAGS, install=FULL_INSTALL, files=FULL_FILES, **kw)

    # -- keys --
    def key(self, user, algorithm="ed25519", expire="never", faked=None):
        time = ["--faked-system-time", faked] if faked else []
        self.run("gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *time, "--quick-gen-key", user, algorithm, "sign", expire)
        out = self.dir / (user.replace(" ", "-") + ".asc")
        out.write_text(self.run("gpg", "--armor", "--export", user).stdout)
        return out

    def sign(self, rpm, user, digest="sha256", gpg="/usr/bin/gpg", extra=()):
        self.run("rpmsign", "--addsign", "--define", f"_gpg_name {user}", "--define", f"__gpg {gpg}", "--define", f"_gpg_digest_algo {digest}", *extra, rpm)
        return rpm

    def keyring(self, *keys):
        db = self.dir / f"db/{len(list((self.dir / 'db').iterdir()))}"
        db.mkdir()
        for k in keys:
            self.run("rpmkeys", "--define", f"_dbpath {db}", "--import", k)
        return db

    def rpm_verdicts(self, paths, db=None):
        """path -> True when rpmkeys -K finds nothing wrong with it."""
        db = db or self.keyring()
        out = self.run("rpmkeys", "--define", f"_dbpath {db}", "--define", "_pkgverify_level digest", "-K", *paths, check=False)
        verdicts = {}
        for p in paths:  # of a file that it cannot read it prints the name and no line end
            m = re.search(re.escape(str(p)) + r": ([a-zA-Z ]+)\n", out.stdout)
            verdicts[str(p)] = bool(m) and m[1].endswith("OK") and "NOT OK" not in m[1]
        return verdicts


def judge(paths, keys=(), sha1=False):
    args = [os.environ["ASHLAR_RPM_JUDGE"]] + (["--sha1"] if sha1 else [])
    for k in keys:
        args += ["--key", str(k)]
    out = subprocess.run(args + [str(p) for p in paths], check=True, capture_output=True, text=True)
    # librnp as Debian builds it would write a line of its own about a wrong signature
    assert out.stderr == "", f"a library writes to standard error: {out.stderr}"
    return {j["path"].encode("latin-1").decode(): j for j in map(json.loads, out.stdout.splitlines())}


class Forgery:
    """A package's bytes, open for changes of the same length; save() makes its digests right again, so that only what reads deeper can tell."""

    def __init__(self, path):
        data = pathlib.Path(path).read_bytes()
        sig_end, self.sig = self._header(data, 96)
        self.start = (sig_end + 7) // 8 * 8
        main_end, self.main = self._header(data, self.start)
        self.head, self.header, self.payload = bytearray(data[:self.start]), bytearray(data[self.start:main_end]), data[main_end:]

    @staticmethod
    def _header(data, at):
        n, size = struct.unpack(">II", data[at + 8:at + 16])
        base = at + 16 + n * 16
        tags = {}
        for e in range(at + 16, base, 16):
            tag, _, offset, _ = struct.unpack(">IIiI", data[e:e + 16])
            tags[tag] = base + offset
        return base + size, tags

    def replace(self, tag, old, new):
        """In a tag's strings of the main header."""
        old, new = old.encode() + b"\0", new.encode() + b"\0"
        assert len(old) == len(new)
        at = self.header.index(old, self.main[tag] - self.start)
        self.header[at:at + len(new)] = new
        return self

    def number(self, tag, index, value, size=4):
        at = self.main[tag] - self.start + index * size
        self.header[at:at + size] = value.to_bytes(size, "big")
        return self

    def in_payload(self, old, new):
        """Of a gzip payload, uncompressed."""
        plain = gzip.decompress(self.payload)
        assert plain.count(old) >= 1
        self.payload = gzip.compress(plain.replace(old, new), mtime=0)
        return self

    def strip_payload(self, order):
        """The payload in rpm's form for files past 4 GiB: "07070X" and an index into the header's file list, which order gives for each name."""
        plain, out, at = gzip.decompress(self.payload), b"", 0
        while True:
            size, name_size = int(plain[at + 54:at + 62], 16), int(plain[at + 94:at + 102], 16)
            name = plain[at + 110:at + 110 + name_size - 1].decode()
            if name == "TRAILER!!!":
                break
            data = (at + 110 + name_size + 3) // 4 * 4
            out += b"07070X%08x\0\0" % order[name.lstrip(".")]
            out += plain[data:data + size] + bytes(-size % 4)
            at = (data + size + 3) // 4 * 4
        self.payload = gzip.compress(out + plain[at:], mtime=0)
        return self

    def save(self, path):
        def put(area, at, text):
            area[at:at + len(text)] = text
        put(self.header, self.main[5092] - self.start, hashlib.sha256(self.payload).hexdigest().encode())
        body = bytes(self.header)
        put(self.head, self.sig[269], hashlib.sha1(body).hexdigest().encode())
        put(self.head, self.sig[273], hashlib.sha256(body).hexdigest().encode())
        if 1000 in self.sig:
            put(self.head, self.sig[1000], struct.pack(">I", len(body) + len(self.payload)))
        if 1004 in self.sig:
            put(self.head, self.sig[1004], hashlib.md5(body + self.payload).digest())
        path = pathlib.Path(path)
        path.write_bytes(bytes(self.head) + body + self.payload)
        return path
