"""A stock dnf with everything of its own in one folder: configuration, cache, logs, installation root."""
import pathlib
import subprocess


class Dnf:
    def __init__(self, folder, env, repos, arch="x86_64"):
        """repos: name -> dictionary of what stands in its section."""
        self.folder, self.env = pathlib.Path(folder), env
        (self.folder / "repos.d").mkdir(parents=True, exist_ok=True)
        conf = {"cachedir": self.folder / "cache", "logdir": self.folder / "log", "persistdir": self.folder / "lib", "reposdir": self.folder / "repos.d", "varsdir": self.folder / "vars", "plugins": 0,
                "install_weak_deps": 0, "metadata_expire": 0, "tsflags": "nocontexts", "ignorearch": 1, "arch": arch, "retries": 1, "fastestmirror": 0, "zchunk": 0}
        (self.folder / "dnf.conf").write_text("[main]\n" + "".join(f"{k}={v}\n" for k, v in conf.items()))
        text = "".join(f"[{name}]\nname={name}\nenabled=1\n" + "".join(f"{k}={v}\n" for k, v in {"gpgcheck": 0, "repo_gpgcheck": 0, **keys}.items()) for name, keys in repos.items())
        (self.folder / "repos.d/all.repo").write_text(text)

    def run(self, *args, check=True):
        p = subprocess.run(["dnf", "-c", str(self.folder / "dnf.conf"), "--releasever=1", "--installroot", str(self.folder / "root"), "-y", "-q", *map(str, args)], env=self.env, capture_output=True, text=True)
        if check and p.returncode != 0:
            raise AssertionError(f"dnf {' '.join(map(str, args))}: exit status {p.returncode}\n{p.stdout}\n{p.stderr}")
        return p
