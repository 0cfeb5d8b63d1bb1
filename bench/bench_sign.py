"""Sign 285 packages, beside one call of rpmsign --addsign, with RSA 4096 and Ed25519: at least 5 times faster with each (issue 3). On tmpfs, in one run."""
import os, pathlib, shutil, subprocess, sys, tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import rpmset  # noqa: E402
from benchlib import ASHLAR, finish, measure, report  # noqa: E402


def main():
    with tempfile.TemporaryDirectory(prefix="ashlar-bench-", dir="/dev/shm") as temp:
        folder = pathlib.Path(temp)
        rpms = rpmset.make(folder / "set")
        work, home = folder / "work", folder / "g"
        home.mkdir(mode=0o700)
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GNUPGHOME": str(home), "LC_ALL": "C.UTF-8"}
        print(f"{len(rpms)} packages, {sum(p.stat().st_size for p in rpms) / 1e6:.0f} MB", flush=True)

        def fresh():
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(folder / "set/rpms", work)
        try:
            for algorithm in ("rsa4096", "ed25519"):
                gpg = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
                subprocess.run([*gpg, "--quick-gen-key", algorithm, algorithm, "sign", "never"], env=env, check=True, capture_output=True)
                secret = folder / f"{algorithm}.key"
                secret.write_bytes(subprocess.run([*gpg, "--armor", "--export-secret-keys", algorithm], env=env, check=True, capture_output=True).stdout)
                names = [work / p.relative_to(folder / "set/rpms") for p in rpms]
                peer = measure(["rpmsign", "--addsign", "--define", f"_gpg_name {algorithm}", "--define", "__gpg /usr/bin/gpg", *names], runs=1, prepare=fresh, env=env)
                ours = measure([ASHLAR, "-q", "package", "sign", "--key", secret, *names], runs=2, prepare=fresh, env=env)
                print(f"{algorithm:8} rpmsign {peer[0]:6.2f} s  cpu {peer[1]:6.2f} s   ashlar {ours[0]:6.2f} s  cpu {ours[1]:6.2f} s   {peer[0] / ours[0]:.1f} times faster", flush=True)
                report(f"sign {len(rpms)} packages with {algorithm}, rpmsign / 5", ours[0], peer[0] / 5, "s")
        finally:
            subprocess.run(["gpgconf", "--kill", "all"], env=env, check=False, capture_output=True)
    finish()


if __name__ == "__main__":
    main()
