"""The differential oracle: the same packages by dnf with scripts and by Ashlar, compared node by node. What differs must be named by a rule of tests/oracle/differences.toml."""
import fnmatch
import hashlib
import os
import pathlib
import stat
import struct
import subprocess
import tomllib

EMPTY = hashlib.sha256(b"").hexdigest()
FIELDS = ("type", "mode", "user", "group", "capability", "link", "content", "hardlinks")
WIDEST = 40  # paths that one rule may stand for


def unescape(text):
    out, i = bytearray(), 0
    raw = text.encode()
    while i < len(raw):
        if raw[i:i + 2] == b"\\x":
            out.append(int(raw[i + 2:i + 4], 16))
            i += 4
        else:
            out.append(raw[i])
            i += 1
    return os.fsdecode(bytes(out))


def of_dump(text):
    """path -> fields, of what `ashlar image dump` prints."""
    nodes, groups = {}, {}
    for line in text.splitlines()[1:]:
        path, kind, mode, _, owner, _, origin, *more = line.split(" ")
        path, more = unescape(path), dict(m.split("=", 1) for m in more)
        user, group = map(unescape, owner.split(":"))
        nodes[path] = {"type": kind, "mode": int(mode, 8), "user": user, "group": group, "origin": unescape(origin), "link": unescape(more["to"]) if "to" in more else None,
                       "capability": more.get("xattr.security.capability"), "content": more.get("sha256") or (EMPTY if kind == "file" else None)}
        if kind == "file":
            first = unescape(more["hard"]) if "hard" in more else path
            groups.setdefault(first, set()).add(path)
    for first, names in groups.items():
        for name in names:
            nodes[name]["hardlinks"] = tuple(sorted(names)) if len(names) > 1 else None
            for field in ("content", "mode", "user", "group", "capability"):
                nodes[name][field] = nodes[first][field]
    return nodes


def accounts(file):
    return {int(line.split(":")[2]): line.split(":")[0] for line in file.read_text().splitlines() if line.count(":") > 2} if file.is_file() else {}


KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFCHR: "char", stat.S_IFBLK: "block", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}


def of_root(root):
    """The same of a directory; names of owners by its own account files."""
    root = pathlib.Path(root)
    users, groups = accounts(root / "etc/passwd"), accounts(root / "etc/group")
    nodes, inodes = {}, {}

    def add(file, path):
        st = os.lstat(file)
        kind = KINDS[stat.S_IFMT(st.st_mode)]
        node = {"type": kind, "mode": stat.S_IMODE(st.st_mode), "user": users.get(st.st_uid, "root" if st.st_uid == 0 else str(st.st_uid)),
                "group": groups.get(st.st_gid, "root" if st.st_gid == 0 else str(st.st_gid)), "link": os.readlink(file) if kind == "link" else None, "capability": None, "content": None}
        if kind == "file":
            node["content"] = hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()
            try:
                node["capability"] = os.getxattr(file, "security.capability").hex()
            except OSError:
                pass
            inodes.setdefault(st.st_ino, set()).add(path)
            node["inode"] = st.st_ino
        nodes[path] = node

    add(root, "/")
    for folder, dirs, files in os.walk(root):
        for name in dirs + files:
            file = os.path.join(folder, name)
            add(file, "/" + os.path.relpath(file, root))
    for path, node in nodes.items():
        if node["type"] == "file":
            names = inodes[node.pop("inode")]
            node["hardlinks"] = tuple(sorted(names)) if len(names) > 1 else None
    return nodes


class Rules:
    """What may differ, and why. A rule names paths (globs: * stays within one directory), the sets that it is for, the side that alone has the path or the fields that differ."""

    def __init__(self, file, chosen):
        self.chosen, self.rules = chosen, []
        for number, rule in enumerate(tomllib.loads(pathlib.Path(file).read_text())["difference"]):
            where = f"{file}: difference {number + 1} ({rule.get('paths')})"
            if set(rule) - {"sets", "paths", "only", "fields", "reason", "below"} or not rule.get("paths") or len(rule.get("reason", "")) < 20 or not rule.get("sets"):
                raise AssertionError(f"{where}: needs sets, paths, a reason, and only or fields")
            if ("only" in rule) == ("fields" in rule) or rule.get("only", "dnf") not in ("dnf", "ashlar") or set(rule.get("fields", ())) - set(FIELDS):
                raise AssertionError(f"{where}: 'only' is dnf or ashlar, 'fields' are of {FIELDS}: one of both")
            if any(p in ("/", "/*") or "**" in p or p.startswith("/*") for p in rule["paths"]):
                raise AssertionError(f"{where}: too wide")
            rule["hits"] = []
            if chosen in rule["sets"]:
                self.rules.append(rule)

    @staticmethod
    def matches(path, rule):
        for pattern in rule["paths"]:
            if path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern):
                return True
            if rule.get("below") and path.startswith(pattern + "/"):
                return True
        return False

    def explain(self, path, only=None, field=None):
        for rule in self.rules:
            if (rule.get("only") == only if only else field in rule.get("fields", ())) and self.matches(path, rule):
                rule["hits"].append(path)
                return True
        return False

    def misuse(self):
        """Rules that nothing needs any more, or that hide too much."""
        for rule in self.rules:
            if not rule["hits"]:
                yield f"the rule for {rule['paths']} explains nothing in the set {self.chosen}: remove it"
            elif len(set(rule["hits"])) > WIDEST and not rule.get("below"):
                yield f"the rule for {rule['paths']} explains {len(set(rule['hits']))} paths in the set {self.chosen}: at most {WIDEST}"


def compare(theirs, ours, rules):
    """A list of sentences: what no rule explains."""
    found = []
    for path in sorted(theirs.keys() | ours.keys()):
        a, b = theirs.get(path), ours.get(path)
        if not a or not b:
            side, other = ("dnf", "Ashlar") if a else ("ashlar", "dnf")
            if not rules.explain(path, only=side):
                found.append(f"{path}: not made by {other} ({a['type'] if a else b['type'] + ', ' + b['origin']})")
            continue
        for field in FIELDS:
            x, y = a.get(field), b.get(field)
            if field == "mode" and a["type"] == "link":
                continue
            if x != y and not rules.explain(path, field=field):
                show = (lambda v: oct(v) if isinstance(v, int) else str(v)[:100])
                found.append(f"{path}: {field}: dnf {show(x)}, Ashlar {show(y)} ({b['origin']})")
    return found + list(rules.misuse())


# ---- accounts: the same names in the same order of kinds; numbers that are chosen, not given, may differ ----
def normal_accounts(root_file, text, fixed):
    """Lines of passwd, group, shadow or gshadow, sorted; a number that is not fixed is "?"."""
    out = []
    for line in text.splitlines():
        parts = line.split(":")
        if root_file in ("passwd", "group"):
            if int(parts[2]) not in fixed["group" if root_file == "group" else "user"]:
                parts[2] = "?"
            if root_file == "passwd" and int(parts[3]) not in fixed["group"]:
                parts[3] = "?"
        if root_file == "shadow":
            parts[2] = "day" if parts[2] else ""
        out.append(":".join(parts))
    return sorted(out)


def run(argv, **kw):
    p = subprocess.run([str(a) for a in argv], capture_output=True, text=True, stdin=subprocess.DEVNULL, **kw)
    if p.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit status {p.returncode}\n{p.stdout[-3000:]}\n{p.stderr[-3000:]}")
    return p


# ---- kmod's indexes (libkmod-index.c): a trie of big-endian offsets whose upper bits say what a node has; versions of depmod lay it out in different orders ----
def kmod_index(data):
    """Sorted (key, priority, value)."""
    out = []
    magic, version, root = struct.unpack(">III", data[:12])
    assert (magic, version) == (0xB007F457, 0x00020001), "no index of kmod"

    def string(at):
        end = data.index(b"\0", at)
        return data[at:end], end + 1

    def node(offset, key):
        at = offset & 0x0FFFFFFF
        if offset & 0x80000000:
            prefix, at = string(at)
            key += prefix
        if offset & 0x20000000:
            first, last = data[at], data[at + 1]
            for i, child in enumerate(struct.unpack_from(f">{last - first + 1}I", data, at + 2)):
                if child:
                    node(child, key + bytes([first + i]))
            at += 2 + 4 * (last - first + 1)
        if offset & 0x40000000:
            count, = struct.unpack_from(">I", data, at)
            at += 4
            for _ in range(count):
                priority, = struct.unpack_from(">I", data, at)
                value, at = string(at + 4)
                out.append((key, priority, value))
    node(root, b"")
    return sorted(out)
