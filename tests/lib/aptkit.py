"""A small signed apt archive for tests: debs by dpkg-deb, indices by hand, the signature by gpg; apt itself judges it.

    a = Archive(kit, folder)
    a.deb("lib", files={"usr/lib/lib/data": "1"})
    a.deb("app", version="2-1", Depends="lib (>= 1)")
    a.publish()                      # what was made so far; again after more debs, with drop=["app"] without some
"""
import email.utils, hashlib, lzma, os, pathlib, shutil, subprocess


class Archive:
    def __init__(self, kit, root, suite="trixie", arches=("amd64", "arm64"), user="Archive"):
        self.kit, self.root, self.suite, self.arches, self.user = kit, pathlib.Path(root), suite, arches, user
        self.root.mkdir(parents=True, exist_ok=True)
        self.key = kit.key(user, "ed25519")
        self.keyring = kit.dir / f"{user}.gpg"
        self.keyring.write_bytes(subprocess.run(["gpg", "--export", user], env=kit.env, check=True, capture_output=True).stdout)
        self.stanzas = {}  # (name, version, arch) -> text
        self.sources = {}  # name -> text

    def deb(self, name, version="1.0-1", arch="all", files=None, **fields):
        tree = self.kit.dir / f"deb-{name}-{version}-{arch}".replace(":", "_")
        shutil.rmtree(tree, ignore_errors=True)
        files = {f"usr/share/{name}/data": f"{name} {version}\n", **(files or {})}
        for path, text in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        control = {"Package": name, "Version": version, "Architecture": arch, "Maintainer": "A Test <test@example.org>", "Installed-Size": "1", "Section": "misc", "Priority": "optional",
                   **{k.replace("_", "-"): v for k, v in fields.items()}, "Description": f"the test package {name}"}
        (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
        (tree / "DEBIAN/control").write_text("".join(f"{k}: {v}\n" for k, v in control.items()))
        subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(tree)], check=True)
        for script in ("preinst", "postinst", "prerm", "postrm"):
            if (tree / "DEBIAN" / script).exists():
                (tree / "DEBIAN" / script).chmod(0o755)
        file = f"pool/main/{name}/{name}_{version.split(':')[-1]}_{arch}.deb"
        (self.root / file).parent.mkdir(parents=True, exist_ok=True)
        self.kit.run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree, self.root / file)
        self.index(name, version, arch, control, file)
        return self.root / file

    def index(self, name, version, arch, control, file):
        data = (self.root / file).read_bytes()
        self.stanzas[name, version, arch] = "".join(f"{k}: {v}\n" for k, v in control.items()) + f"Filename: {file}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"

    def source(self, name, version, files, sums=("sha256",)):
        """A source package: files by name, as bytes; sums: which digests the index has."""
        folder = f"pool/main/{name[0]}/{name}"
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        for file, data in files.items():
            (self.root / folder / file).write_bytes(data)
        field = {"md5": "Files", "sha256": "Checksums-Sha256", "sha512": "Checksums-Sha512"}
        lists = "".join(f"{field[s]}:\n" + "".join(f" {hashlib.new(s, d).hexdigest()} {len(d)} {f}\n" for f, d in files.items()) for s in sums)
        self.sources[name] = f"Package: {name}\nBinary: {name}\nVersion: {version}\nArchitecture: any\nFormat: 3.0 (quilt)\n{lists}Directory: {folder}\n"

    def publish(self, at=1700000000, drop=(), user=None):
        for name in drop:
            self.stanzas = {k: v for k, v in self.stanzas.items() if k[0] != name}
        dists, sums = self.root / "dists" / self.suite, []
        for arch in self.arches:
            text = "\n".join(v for k, v in sorted(self.stanzas.items()) if k[2] in (arch, "all")).encode()
            folder = dists / f"main/binary-{arch}"
            folder.mkdir(parents=True, exist_ok=True)
            for suffix, data in (("", text), (".xz", lzma.compress(text))):
                (folder / f"Packages{suffix}").write_bytes(data)
                sums.append((hashlib.sha256(data).hexdigest(), len(data), f"main/binary-{arch}/Packages{suffix}"))
            (folder / "Packages").unlink()  # listed, not there: as Debian does it
        if self.sources:
            text = "\n".join(v for k, v in sorted(self.sources.items())).encode()
            (dists / "main/source").mkdir(parents=True, exist_ok=True)
            for suffix, data in (("", text), (".xz", lzma.compress(text))):
                (dists / f"main/source/Sources{suffix}").write_bytes(data)
                sums.append((hashlib.sha256(data).hexdigest(), len(data), f"main/source/Sources{suffix}"))
        release = f"Origin: Test\nSuite: {self.suite}\nCodename: {self.suite}\nDate: {email.utils.formatdate(at, usegmt=True)}\nArchitectures: {' '.join(self.arches)}\nComponents: main\nSHA256:\n"
        (dists / "Release").write_text(release + "".join(f" {d} {n} {p}\n" for d, n, p in sums))
        (dists / "InRelease").unlink(missing_ok=True)
        self.kit.run("gpg", "--batch", "--yes", "--clearsign", "-u", user or self.user, "-o", dists / "InRelease", dists / "Release")

    def env(self, url=None):
        """For ashlar: where this archive is, and its keyring."""
        return {"ASHLAR_APT_MIRROR": url or f"file://{self.root}", "ASHLAR_APT_KEYRING": str(self.keyring)}
