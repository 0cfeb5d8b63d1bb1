"""The module table of docs/architecture.md names exactly the modules of meson.build, and links between pages lead somewhere."""
import pathlib
import re
import sys

top = pathlib.Path(sys.argv[1])
build = re.search(r"^modules = \[\n(.*?)^\]", (top / "meson.build").read_text(), re.M | re.S).group(1)
modules = re.findall(r"^  \['([^']+)'", build, re.M)
page = (top / "docs/architecture.md").read_text()
table = re.search(r"^\| module \| job \|\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.M).group(1)
documented = re.findall(r"^\| ([\w-]+) \|", table, re.M)
problems = [f"docs/architecture.md: no row for module '{m}'" for m in modules if m not in documented]
problems += [f"docs/architecture.md: module '{m}' is not in meson.build" for m in documented if m not in modules]
if [m for m in modules if m in documented] != [m for m in documented if m in modules]:
    problems.append("docs/architecture.md: the modules stand in another order than in meson.build")
for file in [*top.glob("*.md"), *top.glob("docs/*.md")]:
    for link in re.findall(r"\]\((?!\w+:|#)([^)#]+)", file.read_text()):
        if not (file.parent / link).exists():
            problems.append(f"{file.relative_to(top)}: link to '{link}' leads nowhere")
print("\n".join(problems) or f"{len(modules)} modules")
sys.exit(bool(problems))
