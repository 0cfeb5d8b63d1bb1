"""KIWI descriptions: those of the corpus, read a second time with ElementTree; one with everything; hostile ones."""
import json, os, pathlib, shutil, subprocess, sys, tempfile, unittest
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
from ashcli import ASHLAR  # noqa: E402

SHARED = pathlib.Path(os.environ.get("ASHLAR_SHARED", "../shared"))
FULL = """<?xml version="1.0"?>
<image schemaversion="8.3" name="full">
  <description type="system"><author>a</author><contact>c</contact><specification>Everything &amp; more</specification></description>
  <profiles><profile name="base" description="b"/><profile name="top" description="t" import="true"><requires profile="base"/></profile><profile name="other" description="o"/></profiles>
  <preferences><version>1.2.3</version><packagemanager>dnf5</packagemanager><locale>de_DE.UTF-8,en_US</locale><keytable>de</keytable><timezone>Europe/Berlin</timezone><rpm-excludedocs>true</rpm-excludedocs>
    <bootsplash-theme>x</bootsplash-theme></preferences>
  <preferences profiles="base">
    <type image="docker">
      <containerconfig name="n/m" tag="7" additionalnames=":latest,:x,other:1" user="u" workingdir="/w" maintainer="M">
        <entrypoint execute="/init"><argument name="-a"/><argument name="b c"/></entrypoint><subcommand execute="run"/>
        <expose><port number="80"/><port number="443/tcp"/></expose><volumes><volume name="/v"/></volumes>
        <environment><env name="A" value="1"/><env name="B" value=""/></environment><labels><label name="l" value="x"/></labels><history author="h"/>
      </containerconfig>
    </type>
  </preferences>
  <preferences profiles="other"><type image="iso"/></preferences>
  <users><user name="root" password="$6$x" pwdformat="encrypted" home="/root" groups="root,wheel" id="0" shell="/bin/sh"/><user name="p" password="secret" pwdformat="plain"/></users>
  <repository type="rpm-md"><source path="obs://x"/></repository>
  <packages type="image"><package name="a"/><package name="x86" arch="x86_64"/><package name="both" arch="x86_64,aarch64"/><ignore name="no"/><namedCollection name="core"/><archive name="t.tar"/></packages>
  <packages type="bootstrap" profiles="top"><package name="boot"/><package name="a"/></packages>
  <packages type="image" profiles="other"><package name="never"/></packages>
  <packages type="delete"><package name="gone"/></packages>
</image>
"""


class Kiwi(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ashlar-kiwi-"))
        self.addCleanup(lambda: shutil.rmtree(self.dir))

    def ashlar(self, *args, status=0):
        p = subprocess.run([ASHLAR, "-C", self.dir, *args], capture_output=True, text=True, env={**os.environ, "ASHLAR_STORE": str(self.dir / "store")})
        self.assertEqual(p.returncode, status, p.stdout + p.stderr)
        return p

    def plan(self, image, *args):
        return json.loads(self.ashlar("image", "plan", image, "--json", *args).stdout)

    def write(self, text, profile=None):
        (self.dir / "x.kiwi").write_text(text)
        more = f', profile = "{profile}"' if profile else ""
        (self.dir / "ashlar.toml").write_text('[project]\ndescription = "t"\n[images.i]\ndescription = "d"\ndefinition = { type = "kiwi", path = "x.kiwi"' + more + " }\n")

    @staticmethod
    def expected(file, profile, arch):
        """As an independent reading has it: packages, and the type with what is in it."""
        root = ET.parse(file).getroot()
        mine = lambda e: (not e.get("profiles") or profile in e.get("profiles").split(",")) and (not e.get("arch") or arch in e.get("arch").split(","))
        packages = []
        for section in root.findall("packages"):
            for p in section.findall("package"):
                if section.get("type") in ("image", "bootstrap") and mine(section) and mine(p) and p.get("name") not in packages:
                    packages.append(p.get("name"))
        preferences = [p for p in root.findall("preferences") if mine(p)]
        (kind,) = [t for p in preferences for t in p.findall("type")]
        find = lambda name: next((p.findtext(name) for p in preferences if p.find(name) is not None), None)
        return packages, kind, find

    @unittest.skipUnless((SHARED / "corpus/azurelinux-4.0/config-tree.tar.zst").exists(), "no corpus")
    def test_corpus(self):
        subprocess.run(["tar", "--zstd", "-xf", SHARED / "corpus/azurelinux-4.0/config-tree.tar.zst", "-C", self.dir], check=True)
        listed = {line.split("\t")[0]: line.split("\t") for line in self.ashlar("image", "list").stdout.splitlines()}
        self.assertEqual(len(listed), 5)
        for name, row in listed.items():
            for arch in ("x86_64", "aarch64"):
                plan = self.plan(name, "--arch", arch)
                packages, kind, find = self.expected(plan["definition"], plan.get("profile"), arch)
                self.assertEqual(plan["packages"], packages, name)
                lines = pathlib.Path(plan["definition"]).read_text().splitlines()
                for note in plan["not-supported"]:
                    self.assertTrue("line" not in note or 1 <= note["line"] <= len(lines))
                if kind.get("image") == "oci":
                    container = kind.find("containerconfig")
                    self.assertEqual((plan["kind"], plan["formats"], row[1]), ("container", ["oci"], "container (kiwi)"))
                    self.assertEqual((plan["oci.user"], plan["oci.working-directory"], plan["reference"]), (container.get("user"), container.get("workingdir"), container.get("name")))
                    self.assertEqual(plan["oci.tags"], [container.get("tag"), container.get("additionalnames")[1:]])
                    execute = container.find("subcommand").get("execute")
                    self.assertEqual(plan.get("oci.command"), [execute] if execute else None)
                else:
                    self.assertEqual((plan["kind"], plan["formats"]), ("disk", ["vhd"]))
                    self.assertEqual(plan["kernel-command-line"], kind.get("kernelcmdline").split())
                    self.assertEqual((plan["size"], plan["time-zone"], plan["keymap"], plan["locale"]), (kind.findtext("size") + kind.find("size").get("unit"), find("timezone"), find("keytable"), find("locale") + ".UTF-8"))
                    self.assertEqual(plan["partitions"], [{"type": "esp", "size": kind.get("efipartsize") + "M"}, {"type": "root", "filesystem": kind.get("filesystem"), "label": kind.get("rootfs_label")}])
                    text = " ".join(n["text"] for n in plan["not-supported"])
                    for word in ("formatoptions", "grub2", "console", "repository"):
                        self.assertIn(word, text)
        p = self.ashlar("image", "build", "vm-base", status=3)
        self.assertIn("no native definition", p.stderr)

    def test_everything(self):
        self.write(FULL)
        plan = self.plan("i")
        self.assertEqual(plan["packages"], ["a", "x86", "both", "boot"])
        self.assertEqual(self.plan("i", "--arch", "aarch64")["packages"], ["a", "both", "boot"])
        self.assertEqual({k: v for k, v in plan.items() if k.startswith("oci.")}, {
            "oci.user": "u", "oci.working-directory": "/w", "oci.entrypoint": ["/init", "-a", "b c"], "oci.command": ["run"], "oci.tags": ["7", "latest", "x"], "oci.exposed-ports": ["80", "443/tcp"],
            "oci.volumes": ["/v"], "oci.environment": {"A": "1", "B": ""}, "oci.labels": {"maintainer": "M", "l": "x"}})
        self.assertEqual((plan["kind"], plan["formats"], plan["locale"], plan["documentation"], plan["description"], plan["exclude-packages"]), ("container", ["docker"], "de_DE.UTF-8", "false", "d", ["no"]))
        self.assertEqual(plan["users"], [{"name": "root", "home": "/root", "shell": "/bin/sh", "uid": 0, "groups": ["root", "wheel"]}, {"name": "p"}])
        where = {(n.get("line"), n["text"]) for n in plan["not-supported"]}
        line = lambda what: 1 + FULL[:FULL.index(what)].count("\n")
        self.assertEqual(where, {(line("<locale"), "further locales: en_US"), (line("<bootsplash"), "<bootsplash-theme>"), (line("<containerconfig"), "further name other:1"), (line("<history"), "<history>"),
                                 (line('"plain"'), "the password of p in clear text: a hash is needed"), (line("<source"), "repository obs://x: packages come from the project's upstreams"),
                                 (line("<namedCollection"), "<namedCollection>"), (line("<archive"), "<archive>"), (line('"delete"'), "packages of type delete")})
        self.assertIn("x.kiwi:9: further name", self.ashlar("image", "plan", "i").stdout)
        self.write(FULL, "other")
        plan = self.plan("i")
        self.assertEqual((plan["kind"], plan["packages"]), ("disk", ["a", "x86", "both", "never"]))
        self.write(FULL, "missing")
        self.assertIn("no profile 'missing'", self.ashlar("image", "plan", "i", status=3).stderr)

    def test_hostile(self):
        bomb = '<!DOCTYPE image [<!ENTITY a "' + "x" * 1000 + '">' + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)) + "]>"
        for text in ("", "no xml", "<image>", '<?xml version="1.0"?><other/>', bomb + "<image>&j;</image>", '<!DOCTYPE image SYSTEM "file:///etc/passwd"><image/>', "<image>" + "<a>" * 60 + "</a>" * 60 + "</image>",
                     '<!DOCTYPE image [<!ENTITY e SYSTEM "file:///etc/passwd">]><image><description><specification>&e;</specification></description></image>', "<image>" + "<a/>" * 100001 + "</image>"):
            self.write(text)
            p = self.ashlar("image", "plan", "i", status=1)
            self.assertIn("x.kiwi", p.stderr)
            self.assertNotIn("root:", p.stdout + p.stderr)
            self.ashlar("image", "list")
        (self.dir / "x.kiwi").unlink()
        self.ashlar("config", "check", status=3)


if __name__ == "__main__":
    unittest.main()
