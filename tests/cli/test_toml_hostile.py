"""ashlar toml on hostile files, under hard limits of time, memory and stack."""
import json, resource
from pathlib import Path
from ashcli import ASHLAR, Case, main

SANITIZED = b"__asan_" in Path(ASHLAR).read_bytes() # its shadow memory does not fit the limit

def limits(cpu, mib):
    def set_limits():
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
        if not SANITIZED:
            resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))
            resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))
    return set_limits

class Hostile(Case):
    def test_hostile(self):
        """200 MB string, a million keys, nesting: 10 s of CPU, 1 MiB of stack, memory a small multiple of the text."""
        n = 10**6
        cases = [
            ("string", 'a = "' + "x" * 200_000_000 + '"\n', 0, 1000),
            ("literal", "a = '''" + "xy\n" * 66_000_000 + "'''\n", 0, 1000),
            ("keys", "".join(f"a.k{i} = 1\n" for i in range(n)), 0, 1000),
            ("parts", "a." * n + "b = 1\n", "nested deeper", 600),
            ("arrays", "a = " + "[" * 100_000 + "]" * 100_000, "nested deeper", 600),
            ("inline", "a = " + "{a=" * 100_000 + "1" + "}" * 100_000, "nested deeper", 600),
            ("tables", "[[a]]\n" * n, 0, 1000),
            ("cut", 'a = "' + "x" * 200_000_000, "not closed", 1000),
        ]
        for name, text, error, mib in cases:
            f = self.write(f"{name}.toml", text)
            p = self.run_ashlar("toml", "check", f, status=1 if error else 0, preexec_fn=limits(10, mib))
            if error:
                self.assertIn(error, p.stderr)
                self.assertLess(len(p.stderr), 2000)
            f.unlink()

    def test_hostile_decode(self):
        p = self.run_ashlar("toml", "decode", self.write("s.toml", 'a = "' + "\\u00fc" * 1_000_000 + '"\n'), preexec_fn=limits(10, 600))
        self.assertEqual(len(json.loads(p.stdout)["a"]["value"]), 1_000_000)

if __name__ == "__main__":
    main()
