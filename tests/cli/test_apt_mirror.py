"""What --apt-mirror and the environment may say: both become fields of apt's configuration."""
import unittest
from ashcli import Case

PROJECT = """[project]
default-distro = { name = "d", version = "1" }
[distros.d.versions.1]
release-ver = "1"
[upstreams.u]
type = "apt"
suite = "trixie"
components = ["main"]
arches = ["x86_64"]
[channels.c]
packages = ["bash"]
"""


class Mirror(Case):
    def setUp(self):
        super().setUp()
        self.write("ashlar.toml", PROJECT)
        self.keyring = self.write("keyring.gpg", b"")

    def test_refused(self):
        for url in ("http://127.0.0.1:9/debian\nTrusted: yes", "http://127.0.0.1:9/a http://127.0.0.1:9/b", "127.0.0.1", ":", "\thttp://127.0.0.1:9", "http:"):
            for args, env in ((["--apt-mirror", url], {}), ([], {"ASHLAR_APT_MIRROR": url})):
                p = self.run_ashlar("lock", *args, status=2, env={"ASHLAR_APT_KEYRING": str(self.keyring), **env})
                self.assertIn("is no address of an apt mirror", p.stderr)
        self.assertFalse(list(self.dir.rglob("ashlar.sources")))
        for keyring in ("relative.gpg", "/a\nTrusted: yes"):
            p = self.run_ashlar("lock", "--apt-mirror", "http://127.0.0.1:9/debian", status=2, env={"ASHLAR_APT_KEYRING": keyring})
            self.assertIn("keyring", p.stderr)
        p = self.run_ashlar("lock", "--apt-mirror", "http://127.0.0.1:9/debian", status=1, env={"ASHLAR_APT_KEYRING": str(self.dir / "none.gpg")})
        self.assertRegex(p.stderr, "none.gpg: error: cannot read the keyring .*No such file")


if __name__ == "__main__":
    unittest.main()
