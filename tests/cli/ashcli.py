"""What the command line tests share: running the program, small projects, the corpus."""
import json, os, pty, shutil, subprocess, sys, tempfile, unittest
from pathlib import Path

ASHLAR = os.environ.get("ASHLAR") or str(Path(__file__).resolve().parents[2] / "build" / "ashlar")
SHARED = Path(os.environ.get("ASHLAR_SHARED") or Path(__file__).resolve().parents[2] / ".." / "shared").resolve()

class Case(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="ashlar-cli-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.dir / "home"), "XDG_CACHE_HOME": str(self.dir / "cache"), "TMPDIR": str(self.dir)}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def run_ashlar(self, *args, status=0, input=None, cwd=None, env=None, timeout=120, text=True, preexec_fn=None):
        """Runs the program; the exit status must be as said (None: any). Gives the finished process."""
        p = subprocess.run([ASHLAR, *map(str, args)], input=input, cwd=cwd or self.dir, env={**self.env, **(env or {})}, capture_output=True, text=text,
                           timeout=timeout, preexec_fn=preexec_fn)
        if status is not None and p.returncode != status:
            self.fail(f"ashlar {' '.join(map(str, args))}: exit status {p.returncode}, not {status}\n--- stdout\n{p.stdout[:3000]}\n--- stderr\n{p.stderr[:3000]}")
        return p

    def events(self, stderr):
        """The JSON lines of standard error."""
        return [json.loads(line) for line in stderr.splitlines()]

    def diagnostics(self, stderr):
        return [d for e in self.events(stderr) if e["event"] == "diagnostics" for d in e["diagnostics"]]

    def on_terminal(self, *args, env=None):
        """Standard output and error on a pseudo terminal."""
        master, slave = pty.openpty()
        p = subprocess.Popen([ASHLAR, *args], stdout=slave, stderr=slave, stdin=slave, env={**self.env, "TERM": "xterm", **(env or {})}, cwd=self.dir)
        os.close(slave)
        out = b""
        try:
            while chunk := os.read(master, 65536):
                out += chunk
        except OSError:
            pass
        os.close(master)
        return p.wait(), out.decode()

    def write(self, path, text):
        path = self.dir / path
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text)
        return path

def tree_of(directory):
    """All files below a directory: relative path -> bytes."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(Path(directory).rglob("*")) if p.is_file()}

def main():
    unittest.main(verbosity=1)
