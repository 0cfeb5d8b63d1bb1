"""A made-up distribution: a project with many components whose specs need each other, always the same one for the same names and seed; and what follows from it, worked out here.

Its shape is that of real trees: some dozens of components at the root that everything needs (staged, or they would need each other), long chains above, several packages to a component, provides as
pkgconfig(x), perl(X::Y), python3dist(x), libx.so.1()(64bit), versioned ones, files; requirements with versions, rich ones, a few cycles that nothing breaks."""
import random
from pathlib import Path

CORE = ["bash", "binutils", "coreutils", "diffutils", "findutils", "gawk", "gcc", "glibc", "grep", "gzip", "make", "patch", "pkgconf", "redhat-rpm-config", "rpm", "sed", "tar", "util-linux", "xz"]
FLAVOURS = [("", 1), ("-libs", 2), ("-devel", 3), ("-doc", 1), ("-utils", 1), ("-python3", 1)]


class Component:
    def __init__(self, name, version):
        self.name, self.version, self.stage = name, version, None
        self.needs = []       # BuildRequires
        self.packages = {}    # name -> (provides, requires, files)


def upper(name):
    return "".join(c if c.isalnum() else "_" for c in name).title().replace("_", "")


def give(c, rng, provides):
    """Its packages, and what they provide: about as many as asked for in all."""
    flavours = FLAVOURS[:1] + rng.sample(FLAVOURS[1:], rng.choice([0, 1, 2, 2, 3, 4]))
    if provides > 20 and ("-devel", 3) not in flavours:
        flavours.append(("-devel", 3))
    share = max(1, provides // sum(w for _, w in flavours))
    for suffix, weight in flavours:
        given = []
        for k in range(share * weight):
            given.append({"-libs": f"lib{c.name}.{k}.so.{k % 3}()(64bit)", "-devel": f"pkgconfig({c.name}.{k}) = {c.version}", "-python3": f"python3dist({c.name}-m{k}) = {c.version}",
                          "-doc": f"{c.name}-doc-part{k}", "-utils": f"{c.name}-tool{k} = {c.version}-1"}.get(suffix, f"perl({upper(c.name)}::P{k}) = {c.version}"))
        c.packages[c.name + suffix] = (given, [], [f"/usr/bin/{c.name}"] if suffix == "" else [])


def some_dep(c, rng):
    """One way to ask for something of this component."""
    package = rng.choice(sorted(c.packages))
    given, _, files = c.packages[package]
    way = rng.random()
    if way < 0.25 or not given:
        return package
    if way < 0.35:
        return f"{package} >= {c.version}"
    if way < 0.40 and files:
        return files[0]
    dep = rng.choice(given)
    return dep if way < 0.5 or " = " not in dep else dep.split(" = ")[0] + rng.choice(["", "", f" >= {c.version}"])


def model(names, seed=1, provides=33, needs=8, cycles=6):
    rng = random.Random(seed)
    names = sorted(set(names) | set(CORE))
    rest = [n for n in names if n not in CORE]
    rng.shuffle(rest)
    order = sorted(CORE) + rest
    all_of = {n: Component(n, f"{rng.randrange(1, 9)}.{rng.randrange(0, 30)}") for n in order}
    for n in order:
        give(all_of[n], rng, rng.randrange(provides // 2, provides * 3 // 2 + 1))
    for i, n in enumerate(order):
        c = all_of[n]
        if n in CORE:
            c.stage = "bootstrap"
        for _ in range(rng.randrange(needs // 2, needs * 3 // 2 + 1)):
            # Mostly what is near the root, as everything real needs the same few things.
            below = all_of[order[min(int(i * rng.random() ** 2), max(i - 1, 0))]] if i else c
            c.needs.append(some_dep(below, rng))
        packages = sorted(c.packages)
        for p in packages:
            requires = c.packages[p][1]
            for _ in range(rng.randrange(0, 4)):
                if i:
                    requires.append(some_dep(all_of[order[int(i * rng.random() ** 2)]], rng))
            if p != c.name and rng.random() < 0.6:
                requires.append(f"{c.name} = {c.version}-1")
            if i > 3 and rng.random() < 0.02:
                a, b = (all_of[order[rng.randrange(i)]] for _ in range(2))
                requires.append(rng.choice([f"({a.name} if {b.name})", f"({a.name} or nothing-has-this)", f"({a.name} and {b.name})"]))
    for _ in range(cycles):   # nothing breaks these: what is below needs something from above
        i = rng.randrange(len(CORE), len(order) - 1)
        k = min(len(order) - 1, i + rng.randrange(1, 40))
        low, high = all_of[order[i]], all_of[order[k]]
        low.needs.append(high.name)
        high.needs.append(low.name)
    return all_of


def spec(c, rng):
    lines = ["# Made by tests/lib/spectree.py", "%bcond_without tests", f"%global upstream {c.name}", "", f"Name:           {c.name}", f"Version:        {c.version}", "Release:        1%{?dist}",
             f"Summary:        Component {c.name}", "License:        MIT", "URL:            https://example.org/%{name}", ""]
    lines += [f"BuildRequires:  {d}" for d in c.needs] + [""]

    def relations(p):
        given, requires, files = c.packages[p]
        mine = lambda d: d.replace(f"{c.name} = {c.version}-1", "%{name} = %{version}-%{release}") if d == f"{c.name} = {c.version}-1" else d
        return [f"Provides:       {g}" for g in given] + [f"Requires:       {mine(r)}" for r in requires]

    lines += relations(c.name) + ["", "%description", "Text that says in some words what it is good for, and for whom.", ""]
    for p in sorted(c.packages):
        if p == c.name:
            continue
        lines += [f"%package {p[len(c.name) + 1:]}", f"Summary:        Part {p}"] + relations(p) + ["", f"%description {p[len(c.name) + 1:]}", f"The part {p} of %{{name}}.", ""]
    lines += ["%prep", "%autosetup -p1", "", "%build", "%configure --disable-static \\", "  --enable-shared", "%make_build", "", "%install", "%make_install", "", "%check", "%if %{with tests}", "make check", "%endif", ""]
    for p in sorted(c.packages):
        lines += ["%files" + ("" if p == c.name else f" {p[len(c.name) + 1:]}"), *(c.packages[p][2]), f"%{{_datadir}}/{p}/", ""]
    lines += ["%changelog"]
    for k in range(rng.randrange(5, 40)):
        lines += [f"* Mon Jan {1 + 7 * (k % 4):02d} 2024 A Builder <a@example.org> - {c.version}-{k}", "- Rebuilt for one thing or another, as it is done all the time", ""]
    return "\n".join(lines) + "\n"


def write(components, directory, seed=1, stages=True, elsewhere=None):
    """The project: ashlar.toml and specs/NAME/NAME.spec. elsewhere: a repository (builttree.repository) that bases of buildroots come from; None: they come from components, and there is no lock."""
    rng, directory = random.Random(seed), Path(directory)
    core = " ".join(f'"{n}",' for n in CORE)
    lines = ["[project]", 'description = "made up"', 'output-dir = "out"', "", '[upstreams.built]', 'type = "components"', "", "[upstreams.elsewhere]", "default = true", 'type = "rpm-md"',
             f'base-uri = "file://{elsewhere or "/nonexistent"}"', "disable-gpg-check = true", "", "[build]", f"packages = [{core}]", 'upstreams = ["built", "elsewhere"]',
             'base-upstreams = ["built"]' if not elsewhere else "", "", "[build.stages.bootstrap]",
             f"packages = [{core}]", 'upstreams = ["elsewhere"]', "", "[components]"]
    for n in sorted(components):
        c = components[n]
        stage = 'build = { stage = "bootstrap" }, ' if c.stage and stages else ""
        lines.append(f'"{n}" = {{ {stage}spec = {{ type = "local", path = "specs/{n}/{n}.spec" }} }}')
        d = directory / "specs" / n
        d.mkdir(parents=True, exist_ok=True)
        (d / f"{n}.spec").write_text(spec(c, rng))
    (directory / "ashlar.toml").write_text("\n".join(lines) + "\n")


# ---- what follows, by the plainest means ----
def split_rich(dep):
    a, op, b = dep.strip("()").split(" ", 2)
    return a, op, b


class Judge:
    def __init__(self, components):
        self.components = components
        self.owner, self.giver = {}, {}
        for n in sorted(components):
            for p, (given, _, files) in components[n].packages.items():
                self.owner[p] = n
                for g in [p, *given, *files]:
                    self.giver.setdefault(g.split(" ")[0], []).append(p)

    def meets(self, dep, inside):
        """Packages that a requirement brings into a buildroot where "inside" is already."""
        if dep.startswith("("):
            a, op, b = split_rich(dep)
            if op == "if":
                return self.meets(a, inside) if any(p in inside for p in self.giver.get(b, [])) else []
            if op == "or":
                return self.meets(a, inside) or self.meets(b, inside)
            return self.meets(a, inside) + self.meets(b, inside)
        found = self.giver.get(dep.split(" ")[0], [])
        assert len(found) <= 1, (dep, found)
        return found

    def root(self, deps):
        """All packages of a buildroot."""
        inside, before = set(), None
        while before != len(inside):   # again for conditions that became true
            before, todo = len(inside), list(deps)
            seen = set()
            while todo:
                for p in self.meets(todo.pop(), inside):
                    if p not in seen:
                        seen.add(p)
                        todo += self.components[self.owner[p]].packages[p][1]
            inside |= seen
        return inside

    def edges(self, core=CORE, stages=True):
        """Component -> the components whose packages its buildroot has; its own are never there."""
        return {n: set() if c.stage and stages else {self.owner[p] for p in self.root([*c.needs, *core])} - {n} for n, c in self.components.items()}


def reachable(edges, start):
    seen, todo = set(), list(edges[start])
    while todo:
        n = todo.pop()
        if n not in seen:
            seen.add(n)
            todo += edges[n]
    return seen


def cycles(edges):
    """Sets of components that need each other: by mutual reachability, without any cleverness."""
    far = {n: reachable(edges, n) for n in edges}
    return sorted({tuple(sorted(m for m in far[n] if n in far[m])) for n in edges if n in far[n]})
