"""What tests of handlers share: a root directory, the tool that runs handlers over it, and what came out."""
import os, pathlib, shutil, subprocess, tempfile, unittest

TOOL = os.environ["ASHLAR_HANDLER_TOOL"]
EPOCH = "1700000000"


def have(tool):
    return shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin:/usr/lib/systemd")


class Case(unittest.TestCase):
    maxDiff = 8000

    def setUp(self):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ashlar-handlers-", dir=base))
        self.addCleanup(lambda: subprocess.run(["chmod", "-R", "u+rwX", self.dir]) and shutil.rmtree(self.dir))
        self.root, self.out = self.dir / "root", self.dir / "out"
        (self.root / "etc").mkdir(parents=True)
        self.out.mkdir()

    def put(self, path, text="", mode=0o644):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(mode)

    def link(self, path, target):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).symlink_to(target)

    def handle(self, *args, fails=False):
        shutil.rmtree(self.out)
        self.out.mkdir()
        r = subprocess.run([TOOL, "--dir", self.root, "--out", self.out, *args], capture_output=True, text=True)
        self.assertEqual(r.returncode, 1 if fails else 0, r.stderr)
        self.err = r.stderr
        self.listing = {line.split(" ")[0]: line.split(" ")[1:] for line in r.stdout.splitlines()}
        return r

    def made(self, path):
        return (self.out / path).read_bytes()

    def project(self, text):
        (self.dir / "p").mkdir(exist_ok=True)
        (self.dir / "p" / "ashlar.toml").write_text('[project]\ndescription = "t"\n[images.i]\nkind = "container"\n' + text)
        return ["--project", self.dir / "p", "--image", "i"]

    def lock(self, users, groups):
        text = 'version = 1\nsource-date-epoch = %s\nseed = "00000000-0000-4000-8000-000000000000"\n' % EPOCH
        for name, ids in (("users", users), ("groups", groups)):
            text += f"\n[{name}]\n" + "".join(f'"{k}" = {v}\n' for k, v in sorted(ids.items()))
        (self.dir / "ashlar.lock").write_text(text)
        return ["--lock", self.dir / "ashlar.lock"]
