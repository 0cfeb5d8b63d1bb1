"""What librpm says of a package, in the shape of rpm-judge's answer."""
import sys

sys.path.append("/usr/lib/python3/dist-packages")  # for a python3 that is not the system's own
import rpm  # noqa: E402

RELATIONS = ("provides", "requires", "conflicts", "obsoletes", "recommends", "suggests")


def latin(value):
    if value is None:
        return ""
    return value.decode("latin-1") if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape").decode("latin-1")


def read(path):
    ts = rpm.TransactionSet()
    ts.setVSFlags(-1)
    with open(path, "rb") as f:
        h = ts.hdrFromFdno(f.fileno())
    get = lambda tag: h[tag]  # noqa: E731
    src = h.isSource()
    epoch = get(rpm.RPMTAG_EPOCH)
    out = {"nevra": "%s-%s%s-%s.%s" % (h["name"], f"{epoch}:" if epoch else "", h["version"], h["release"], "src" if src else h["arch"])}
    for kind in RELATIONS:
        tag = kind[:-1]
        names, evrs, flags = (h[tag + part] or [] for part in ("name", "version", "flags"))
        evrs = evrs or [""] * len(names)
        flags = flags or [0] * len(names)
        out[kind] = [[latin(n), latin(e), f] for n, e, f in zip(names, evrs, flags)]
    files = rpm.files(h)
    out["files"] = []
    for f in files:
        out["files"].append({"path": latin(f.name), "size": f.size, "mode": f.mode & 0xFFFF, "flags": f.fflags, "mtime": f.mtime, "rdev": f.rdev, "color": f.color, "nlink": f.nlink,
                             "verify": f.vflags & 0xFFFFFFFF, "user": latin(f.user), "group": latin(f.group), "link": latin(f.linkto), "caps": latin(f.caps), "digest": (f.digest or "") if (f.digest or "").strip("0") else ""})
    return out


def differences(ours, path):
    """Texts, one for each thing in which our reader and librpm differ."""
    theirs, found = read(path), []
    if ours["nevra"].encode("latin-1") != theirs["nevra"].encode("utf-8", "surrogateescape"):
        found.append(f"nevra {ours['nevra']} / {theirs['nevra']}")
    for kind in RELATIONS:
        if ours[kind] != theirs[kind]:
            found.append(f"{kind}: {ours[kind]} / {theirs[kind]}")
    if len(ours["files"]) != len(theirs["files"]):
        return found + [f"{len(ours['files'])} files / {len(theirs['files'])}"]
    for a, b in zip(ours["files"], theirs["files"]):
        mine = {k: a[k] for k in b if k != "path"}
        mine["path"] = a["dir"] + a["base"]
        if mine["nlink"] != b["nlink"] and not b["mode"] & 0o100000:
            mine["nlink"] = b["nlink"]
        for k, v in b.items():
            if mine[k] != v:
                found.append(f"{b['path']}: {k} {mine[k]!r} / {v!r}")
    return found
