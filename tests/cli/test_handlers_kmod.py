"""The handler of kernel modules against depmod, over modules that are made here (assembler) and over those of the host, if it has any."""
import gzip, lzma, os, pathlib, shutil, subprocess, sys, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
from handlerkit import Case, have  # noqa: E402

VERSION = "6.1.0-test"
DIR = "usr/lib/modules/" + VERSION
OUTPUTS = ["modules." + n for n in ("dep", "dep.bin", "alias", "alias.bin", "softdep", "symbols", "symbols.bin", "builtin.bin", "builtin.alias.bin", "devname")]


@unittest.skipUnless(have("depmod") and have("as"), "no depmod or assembler")
class Depmod(Case):
    def module(self, path, exports=(), imports=(), crc=True, versions=(), **info):
        """info: alias=[...], softdep=[...], ..."""
        text = [".section .modinfo,\"a\""] + [f'.asciz "{k}={v}"' for k, values in info.items() for v in values]
        if versions:
            text.append('.section __versions,"a"')
            for v in versions:
                text += [".quad 1", f'.ascii "{v}"', f".fill {56 - len(v)},1,0"]
        text += [".text"] + [f".quad {i}" for i in imports]
        for e in exports:
            text += [f".globl {e}", f"{e}: .quad 0"] + ([f".globl __crc_{e}", f"__crc_{e} = 0x1234"] if crc else ['.section __ksymtab_strings,"a"', f'.asciz "{e}"', ".text"])
        plain = self.dir / "plain.o"
        subprocess.run([have("as"), "-o", plain], input="\n".join(text) + "\n", text=True, check=True)
        data = plain.read_bytes()
        if path.endswith(".xz"):
            data = lzma.compress(data, check=lzma.CHECK_CRC32)
        elif path.endswith(".gz"):
            data = gzip.compress(data, mtime=0)
        elif path.endswith(".zst"):
            data = subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout
        self.put(f"{DIR}/{path}", data)

    def compare(self, outputs=OUTPUTS, *args):
        judge = self.dir / "judge"
        if judge.exists():
            shutil.rmtree(judge)
        shutil.copytree(self.root / DIR, judge / "lib/modules" / VERSION, symlinks=True)
        config = self.root / "etc/depmod.d"
        subprocess.run([have("depmod"), "-b", judge, *(["-C", config] if config.exists() else ["-C", "/nonexistent"]), VERSION], check=True, capture_output=True)
        self.handle(*args, "depmod")
        for name in outputs:
            self.assertEqual(self.made(f"{DIR}/{name}"), (judge / "lib/modules" / VERSION / name).read_bytes(), name)
        self.assertEqual(sorted(self.listing), sorted("/" + DIR + "/" + n for n in OUTPUTS))

    def crafted(self, suffix=""):
        self.module(f"kernel/lib/base-lib.ko{suffix}", exports=["base_a", "base_b"], alias=["of:N*T*Cvendor,a-b"])
        self.module(f"kernel/lib/mid.ko{suffix}", exports=["mid_a"], imports=["base_a", "printk"], alias=["pci:v00008086d*", "pci:v0000-[0-9]*", "char-major-10-229", "devname:mid/x"], crc=False)
        self.module(f"kernel/drivers/top.ko{suffix}", imports=["mid_a"], versions=["base_b", "module_layout"], alias=["pci:v00008086d*", "devname:nope"],
                    softdep=["pre: base-lib post: other"], firmware=["a/b.bin"])
        self.module(f"kernel/drivers/z.ko{suffix}", imports=["base_b", "mid_a", "base_a"], alias=["block-major-7-*", "block-major-7-3", "devname:loop-z"])
        self.put(DIR + "/modules.order", "kernel/lib/mid.ko\nkernel/drivers/top.ko\nkernel/lib/gone.ko\nkernel/lib/base-lib.ko\n")
        self.put(DIR + "/modules.builtin", "kernel/fs/built-in.ko\nkernel/fs/other.ko\n")
        self.put(DIR + "/modules.builtin.modinfo", b"built_in.alias=fs-built\0built_in.license=GPL\0other.alias=fs-[a-b]\0other.alias=fs-built\0")

    def test_crafted(self):
        self.crafted()
        self.compare()

    def test_compressed(self):
        for suffix in (".xz", ".zst"):
            shutil.rmtree(self.root / DIR, ignore_errors=True)
            self.crafted(suffix)
            self.compare()
        want = self.made(DIR + "/modules.dep")
        shutil.rmtree(self.root / DIR)
        self.crafted(".gz")  # Debian's depmod is built without zlib: no judge
        self.handle("depmod")
        self.assertEqual(self.made(DIR + "/modules.dep"), want.replace(b".zst", b".gz"))

    def test_without_lists(self):
        for i in range(40):
            self.module(f"kernel/many/m{i * 7}.ko", exports=[f"sym_{i}"], imports=[f"sym_{(i * 3) % 17}"] if i > 16 else [], alias=[f"a{i}"])
        self.compare()

    def test_loop(self):
        self.module("kernel/a.ko", exports=["a"], imports=["b"])
        self.module("kernel/b.ko", exports=["b"], imports=["a"])
        self.module("kernel/c.ko", imports=["a"], alias=["c"])
        self.handle("depmod")
        self.assertIn("needs itself by way of others", self.err)
        self.assertEqual(self.made(DIR + "/modules.dep"), b"kernel/c.ko:\n")  # depmod gives up and writes nothing

    def test_search_order(self):
        self.module("kernel/a.ko", alias=["old"])
        self.module("updates/a.ko", alias=["new"])
        self.module("extra/a.ko", alias=["extra"])
        self.compare()
        self.assertIn(b"alias new a", self.made(DIR + "/modules.alias"))
        self.put("etc/depmod.d/x.conf", "# x\nsearch extra updates built-in\n")
        self.compare()
        self.assertIn(b"alias extra a", self.made(DIR + "/modules.alias"))
        self.put("etc/depmod.d/y.conf", "override a * updates\n")
        self.compare()
        self.assertIn(b"alias new a", self.made(DIR + "/modules.alias"))

    def test_damaged(self):
        self.crafted()
        self.put(DIR + "/kernel/bad.ko", b"\x7fELF" + b"\xff" * 100)
        self.put(DIR + "/kernel/text.ko", "no module")
        self.handle("depmod")
        self.assertIn("kernel/bad.ko cannot be read", self.err)
        self.assertIn("kernel/text.ko cannot be read: not an ELF file", self.err)
        self.assertIn(b"kernel/bad.ko:\n", self.made(DIR + "/modules.dep"))

    def test_nothing(self):
        self.handle("depmod")
        self.put("usr/lib/modules/x/vmlinuz")
        self.handle("depmod")
        self.assertEqual(self.listing, {})

    def test_cached(self):
        self.crafted()
        store = ["--store", self.dir / "store"]
        self.handle(*store, "depmod")
        first = {n: self.made(f"{DIR}/{n}") for n in OUTPUTS}
        self.handle(*store, "depmod")
        self.assertEqual(first, {n: self.made(f"{DIR}/{n}") for n in OUTPUTS})
        self.module("kernel/new.ko", alias=["new-one"])
        self.compare(OUTPUTS, *store)

    def test_of_the_host(self):
        kernels = [d for d in pathlib.Path("/usr/lib/modules").glob("*") if (d / "modules.order").exists()] if pathlib.Path("/usr/lib/modules").is_dir() else []
        if not kernels:
            self.skipTest("no kernel here")
        shutil.copytree(kernels[0], self.root / DIR, symlinks=True, ignore=lambda d, names: [n for n in names if n in ("build", "source") or n in OUTPUTS])
        self.compare()


if __name__ == "__main__":
    unittest.main()
