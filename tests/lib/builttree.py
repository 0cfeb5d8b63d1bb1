"""A made-up tree of which everything was built: packages as bytes in the store, made without rpmbuild (thousands of them take seconds), and the ashlar.built that says so."""
import gzip, hashlib, struct, subprocess
from pathlib import Path

LT, GT, EQ = 2, 4, 8
SENSE = {"<": LT, ">": GT, "=": EQ, "<=": LT | EQ, ">=": GT | EQ}
TAG = {"name": 1000, "version": 1001, "release": 1002, "summary": 1004, "buildtime": 1006, "license": 1014, "arch": 1022, "sourcerpm": 1044, "filesizes": 1028, "filemodes": 1030, "filerdevs": 1033, "filemtimes": 1034,
       "filelinktos": 1036, "fileflags": 1037, "fileusername": 1039, "filegroupname": 1040, "filedigests": 1035, "filedevices": 1095, "fileinodes": 1096, "dirindexes": 1116, "basenames": 1117, "dirnames": 1118,
       "provides": (1047, 1112, 1113), "requires": (1049, 1048, 1050)}
INT16, INT32, STRING, BIN, STRINGS = 3, 4, 6, 7, 8


def header(entries, region):
    """rpm's header: index and store, sealed by a region tag (rpm-software-management.github.io, "RPM V4 header format")."""
    index, store = [], b""
    for tag, kind, values in sorted(entries):
        align = {INT16: 2, INT32: 4}.get(kind, 1)
        store += b"\0" * (-len(store) % align)
        data = b"".join(struct.pack(">H" if kind == INT16 else ">I", v) for v in values) if kind in (INT16, INT32) else values if kind == BIN else b"".join(v.encode() + b"\0" for v in values)
        index.append((tag, kind, len(store), len(values)))
        store += data
    trailer = struct.pack(">IIiI", region, BIN, -16 * (len(index) + 1), 16)
    index.insert(0, (region, BIN, len(store), 16))
    store += trailer
    return b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", len(index), len(store)) + b"".join(struct.pack(">IIII", *e) for e in index) + store


def relations(kind, deps):
    names, versions, flags = [], [], []
    for dep in deps:
        name, op, evr = dep.split(" ") if not dep.startswith("(") and " " in dep else (dep, "", "")
        names.append(name)
        versions.append(evr)
        flags.append(SENSE.get(op, 0))
    return [(TAG[kind][0], STRINGS, names), (TAG[kind][1], INT32, flags), (TAG[kind][2], STRINGS, versions)] if deps else []


def cpio(files):
    """One byte in each file ("newc": cpio(5))."""
    out = b""
    for path, data in [*((f".{f}" if f.startswith("/") else f, b"x") for f in files), ("TRAILER!!!", b"")]:
        head = [0, 0o100644 if data else 0, 0, 0, 1, 1700000000 if data else 0, len(data), 0, 0, 0, 0, len(path) + 1, 0]
        out += b"070701" + b"".join(b"%08x" % n for n in head) + path.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return out


def rpm(name, version, release, arch, provides, requires, files, source):
    entries = [(TAG["name"], STRING, [name]), (TAG["version"], STRING, [version]), (TAG["release"], STRING, [release]), (TAG["summary"], STRING, [f"Part {name}"]), (TAG["license"], STRING, ["MIT"]),
               (TAG["arch"], STRING, [arch]), (TAG["buildtime"], INT32, [1700000000])] + ([(TAG["sourcerpm"], STRING, [source])] if source else [(1106, INT32, [1])])
    payload = gzip.compress(cpio(sorted(files)), 1, mtime=0)
    entries += [(1124, STRING, ["cpio"]), (1125, STRING, ["gzip"]), (1126, STRING, ["9"]), (5092, STRINGS, [hashlib.sha256(payload).hexdigest()]), (5093, INT32, [8])]
    entries += relations("provides", [*provides, f"{name} = {version}-{release}"]) + relations("requires", requires)
    if files:
        files = sorted(files)
        place = lambda f: f[:f.rfind("/") + 1]
        dirs = sorted({place(f) for f in files})
        n = len(files)
        entries += [(TAG["basenames"], STRINGS, [f[len(place(f)):] for f in files]), (TAG["dirnames"], STRINGS, dirs), (TAG["dirindexes"], INT32, [dirs.index(place(f)) for f in files]),
                    (TAG["filesizes"], INT32, [1] * n), (TAG["filemodes"], INT16, [0o100644] * n), (TAG["filerdevs"], INT16, [0] * n), (TAG["filemtimes"], INT32, [1700000000] * n), (TAG["filelinktos"], STRINGS, [""] * n),
                    (TAG["fileflags"], INT32, [0] * n), (TAG["fileusername"], STRINGS, ["root"] * n), (TAG["filegroupname"], STRINGS, ["root"] * n), (TAG["filedigests"], STRINGS, [hashlib.sha256(b"x").hexdigest()] * n),
                    (5011, INT32, [8]), (TAG["filedevices"], INT32, [1] * n), (TAG["fileinodes"], INT32, list(range(1, n + 1)))]
    lead = b"\xed\xab\xee\xdb\x03\x00" + struct.pack(">hh", 0 if source else 1, 1) + name.encode()[:65].ljust(66, b"\0") + struct.pack(">hh", 1, 5) + b"\0" * 16
    main = header(entries, 63)
    signature = header([(269, STRING, [hashlib.sha1(main).hexdigest()])], 62)
    signature += b"\0" * (-len(signature) % 8)
    return lead + signature + main + payload


def put(store, data):
    hex = hashlib.sha256(data).hexdigest()
    path = Path(store) / "blobs/sha256" / hex[:2] / hex
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return hex


def built(components, store, fingerprints=None, arch="x86_64"):
    """Packages of spectree's components into the store; the text of ashlar.built. fingerprints: of each component, as "component fingerprint" prints them; else made up."""
    lines = ["# Made by tests/lib/builttree.py", "", "version = 1"]
    log = put(store, b"a log\n")
    for n in sorted(components):
        c = components[n]
        digest = lambda what: hashlib.sha256(f"{n} {what}".encode()).hexdigest()
        fingerprint = (fingerprints or {}).get(n) or digest("fingerprint")
        record = put(store, f'{{"component":"{n}"}}\n'.encode())
        lines += ["", "[[components]]", f'name = "{n}"', f'arch = "{arch}"', f'key = "{digest("key")}"', f'fingerprint = "{fingerprint}"', f'base = "{c.version}-1"', f'log = "{log}"', f'provenance = "{record}"', "packages = ["]
        source = f"{n}-{c.version}-1.src.rpm"
        packages = [(p, "binary", rpm(p, c.version, "1", arch, given, requires, [*files, f"/usr/share/{p}/data", f"/usr/lib/{p}.so.1"], source)) for p, (given, requires, files) in c.packages.items()]
        packages.append((n, "source", rpm(n, c.version, "1", arch, [], c.needs, [f"{n}.spec"], None)))
        for p, kind, data in sorted((f"{p}-{c.version}-1.{arch if kind == 'binary' else 'src'}", kind, data) for p, kind, data in packages):
            lines.append(f'        {{ nevra = "{p}", kind = "{kind}", size = {len(data)}, sha256 = "{put(store, data)}" }},')
        lines.append("]")
    return "\n".join(lines) + "\n"


def write(components, project, store, **more):
    (Path(project) / "ashlar.built").write_text(built(components, store, **more))


def repository(components, directory, release="0"):
    """An rpm-md repository with packages of these components as somebody else built them before: of an older release."""
    directory = Path(directory)
    directory.mkdir(parents=True)
    for n in sorted(components):
        c = components[n]
        for p, (_, requires, files) in c.packages.items():
            mine = [r.replace(f"= {c.version}-1", f"= {c.version}-{release}") if r == f"{n} = {c.version}-1" else r for r in requires]
            (directory / f"{p}-{c.version}-{release}.x86_64.rpm").write_bytes(rpm(p, c.version, release, "x86_64", c.packages[p][0], mine, [*files, f"/usr/share/{p}/data"], f"{n}-{c.version}-{release}.src.rpm"))
    subprocess.run(["createrepo_c", "-q", "--no-database", "--revision", "1700000000", "--set-timestamp-to-revision", directory], check=True)
