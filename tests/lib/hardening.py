"""What a linked file has of each hardening claim of docs/rpm-config.md. Each check can fail: test_build_macros.py builds, with the distribution's flags, a program and one counterpart for each claim, in which just that is switched off."""
import re, subprocess


def run(*args):
    return subprocess.run([*map(str, args)], capture_output=True, text=True, check=True).stdout


# What the compiler wrote into the debug information of each unit.
COMPILED = {"optimised": "-O2", "stack clash flag": "-fstack-clash-protection", "stack protector flag": "-fstack-protector-strong", "control flow flag": "-fcf-protection=full"}
PROBE = re.compile(r"\borq\s+\$0x0,(0x[0-9a-f]+)?\(%rsp[,)]")
PAGE = 4096  # a step that is larger may jump over the page that guards the stack


class Elf:
    """An executable or library, and the file with its debug information when there is one."""
    def __init__(self, path, debug=None):
        self.path, self.debug = path, debug
        self.text = run("readelf", "-W", "-h", "-l", "-d", "-n", "--dyn-syms", path)
        self.code = run("objdump", "-d", "--no-show-raw-insn", "-j", ".text", path)

    def has(self, pattern):
        return re.search(pattern, self.text, re.M) is not None

    def executable(self):
        return self.has(r"^\s*INTERP") and not re.search(r"\.so(\.|$)", self.path.name)

    def functions(self):
        """Exported ones: name -> address, size."""
        return {name: (int(address, 16), int(size, 0)) for address, size, name in re.findall(r"(\w{16})\s+(\w+) FUNC\s+GLOBAL DEFAULT\s+\d+ ([^\s@]+)", self.text)}

    def instructions(self, name):
        """Of an exported function."""
        address, size = self.functions()[name]
        return [line for line in self.code.splitlines() if (m := re.match(r"\s*([0-9a-f]+):\t", line)) and address <= int(m[1], 16) < address + size]

    def calls(self, name):
        """Names of the C library that an exported function calls."""
        return set(re.findall(r"<(\w+)@(?:plt|GLIBC)", "\n".join(self.instructions(name))))

    def imports(self, pattern):
        return self.has(rf"UND {pattern}")

    def unmarked(self):
        """Exported functions that an indirect branch must not go to. _start is of the C library's start files, and nothing but the kernel goes there."""
        starts = {int(m[1], 16): m[2] for m in re.finditer(r"(?m)^\s*([0-9a-f]+):\t(\S+)", self.code)}
        return sorted(name for name, (address, _) in self.functions().items() if name != "_start" and address in starts and starts[address] != "endbr64")

    def steps(self):
        """By how much the stack grows at once, where that is more than a page."""
        return sorted({int(n, 16) for n in re.findall(r"\bsub\s+\$0x([0-9a-f]+),%rsp", self.code) if PAGE < int(n, 16) < 1 << 31})

    def probes(self):
        return PROBE.search(self.code) is not None

    def units(self):
        """What each unit of C was compiled with."""
        return [set(u.split()) for u in re.findall(r"DW_AT_producer\s*:.*?(GNU C\d+ .*)", run("readelf", "-wi", "--dwarf-depth=1", self.debug))]

    def faults(self):
        """Claims that do not hold."""
        wants = {"position independent": r"^\s*Type:\s+DYN", "RELRO": r"GNU_RELRO", "BIND_NOW": r"BIND_NOW|Flags:.*\bNOW\b", "IBT": r"x86 feature:.*\bIBT\b", "SHSTK": r"x86 feature:.*\bSHSTK\b", "build id": r"Build ID: [0-9a-f]{40}"}
        if self.executable():
            wants["PIE"] = r"Flags:.*\bPIE\b"
        out = [name for name, pattern in wants.items() if not self.has(pattern)]
        out += ["run path"] if self.has(r"\((RPATH|RUNPATH)\)") else []
        out += ["executable stack"] if not self.has(r"GNU_STACK\s.*RW ") else []
        out += [f"stack step {n}" for n in self.steps()]
        out += [f"branch target {name}" for name in self.unmarked()]
        for unit in self.units() if self.debug else ():
            out += [name for name, flag in COMPILED.items() if flag not in unit and name not in out]
        return out


COMPILES = re.compile(r"(?:^|[\s/])(?:[\w.-]+-)?(?:gcc|g\+\+|cc|c\+\+)(?:-\d+)?\s(?:.*\s)?-c\s")
TALKS = re.compile(r"\s*(?:libtool: (?!compile:)|checking |configure|\S*sh \S*libtool )")  # of a compiler, and calls none
LEVEL = re.compile(r"-([DU]) ?_FORTIFY_SOURCE(?:=(\d))?")


def fortified(log):
    """Of the lines of a build's log that compile something: how many do so with checks of level 3, and those that do not (the last setting of a line is the one that holds)."""
    lines = [line for line in log.replace("\\\n", " ").splitlines() if COMPILES.search(line) and not TALKS.match(line)]
    bad = [line for line in lines if (LEVEL.findall(line) or [None])[-1] != ("D", "3")]
    return len(lines) - len(bad), bad
