#!/usr/bin/env python3
"""Holds the pages of the project to what is there: links to files and headings, hashes of commits, and the README's table of modules
with the article for each. Looks for public declarations of the modules that users import that have no documentation.

    python3 Tests/Lint/lint.py
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]\[]*(?:\[[^\]]*\][^\]\[]*)?\]\(([^)\s]+)\)")
COMMIT = re.compile(r"commit `([0-9a-f]{7,40})` \(\*([^*]+)\*\)", re.IGNORECASE)


def pages():
    """The Markdown files that git knows or would know; without git all that no build made."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        return [page for page in sorted(ROOT.rglob("*.md")) if not page.relative_to(ROOT).parts[0].startswith(".")]
    return [ROOT / name for name in done.stdout.split("\n") if name and (ROOT / name).exists()]


def prose(text):
    """A page without fenced blocks and code, in which brackets are no links."""
    text = re.sub(r"^```.*?^```$", lambda found: "\n" * found.group().count("\n"), text, flags=re.M | re.S)
    text = re.sub(r"``.*?``", "``", text)
    return text


def anchors(page):
    """What headings are called in links, as hosting services make it."""
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+)$", prose(page.read_text(encoding="utf-8")), flags=re.M):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-"))
    return found


def links(page):
    text = prose(page.read_text(encoding="utf-8"))
    for found in LINK.finditer(text):
        target = found[1]
        where = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}"
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            yield f"{where}: there is no {target}"
        elif not file.is_relative_to(ROOT):
            yield f"{where}: {target} lies outside of the project"
        elif anchor and anchor not in anchors(file):
            yield f"{where}: {path or page.name} has no heading “{anchor}”"


def commits(page):
    """Commits that a page names: each is there, with that subject. A copy without history cannot tell."""
    text = " ".join(page.read_text(encoding="utf-8").split())
    for hash, subject in COMMIT.findall(text):
        done = subprocess.run(
            ["git", "-C", str(ROOT), "log", "-1", "--format=%s", hash], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if done.returncode != 0:
            if not is_shallow():
                yield f"{page.relative_to(ROOT)}: there is no commit {hash}"
        elif " ".join(done.stdout.split()) != subject:
            yield f"{page.relative_to(ROOT)}: commit {hash} is called “{done.stdout.strip()}”"


def is_shallow():
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--is-shallow-repository"],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.strip() != "false"


def modules():
    """The README's table: every target of Sources that holds Swift, below those that it depends on, and nothing that is not there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    start = readme.find("| `Sources/` | holds |")
    if start < 0:
        yield "README.md has no table of Sources/"
        return
    table = readme[start:].split("\n\n")[0]
    rows = [name for row in table.split("\n")[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    manifest = (ROOT / "Package.swift").read_text(encoding="utf-8")
    with_swift = {folder.name for folder in (ROOT / "Sources").iterdir() if any(folder.rglob("*.swift"))}
    for name in sorted(with_swift - set(rows)):
        yield f"README.md: the table has no row for {name}"
    for name in rows:
        if not (ROOT / "Sources" / name).is_dir():
            yield f"README.md: the table has a row for {name}, which is not in Sources/"
    articles = ROOT / "Sources/Sinter/Sinter.docc/Modules"
    listed = set(re.findall(r"<doc:(\w+)Module>", (articles / "Modules.md").read_text(encoding="utf-8")))
    written = {page.stem.removesuffix("Module") for page in articles.glob("*Module.md")}
    for name in sorted(set(rows) - (listed & written)):
        yield f"{articles.relative_to(ROOT)}: {name} has a row in the README, but no article {name}Module.md with a place in Modules.md"
    seen = set()
    for name in [name for name in rows if name in with_swift]:
        found = re.search(rf'[tT]arget\(\s*name: "{name}"(.*?)(?=\.(?:target|executableTarget|testTarget|systemLibrary)\(|\Z)', manifest, re.S)
        needs = set(re.findall(r'"(\w+)"', found[1])) & with_swift & set(rows) if found else set()
        for other in sorted(needs - seen - {name}):
            yield f"README.md: {name} depends on {other}, which must stand above it in the table"
        seen.add(name)


DOCUMENTED = ("Sinter", "SinterCore", "SinterForms", "SinterFrontEnd", "SinterGradient", "SinterIR", "SinterLLVM", "SinterModel", "SinterONNX",
              "SinterOps", "SinterPasses", "SinterQuantize", "SinterRecords", "SinterTables", "SinterVision")
DECLARATION = re.compile(
    r"\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:public|open)\s+"
    r"(?:(?:final|static|class|mutating|nonmutating|override|indirect|nonisolated|convenience|required|\w+\(set\))\s+)*"
    r"(let|var|func|init|subscript|struct|class|enum|protocol|actor|typealias)\b\s*(?:`?(\w+)|(\S+?)[(<])?")
# What protocols of Swift's library ask for, and what a type's own documentation says: an initializer that takes nothing, or a literal.
WITNESSES = {"description", "debugDescription", "hash", "encode", "next", "startIndex", "endIndex", "count"}
PLAIN = re.compile(r"\binit(?:\(\)|\((?:arrayLiteral|dictionaryLiteral)\b)")


def undocumented():
    """Public declarations without a comment of ///, but for what protocols document, those of the project or Swift's own."""
    sources = {path: path.read_text(encoding="utf-8").split("\n") for path in sorted((ROOT / "Sources").rglob("*.swift"))}
    known = set(WITNESSES)
    for lines in sources.values():
        for body in re.findall(r"^public protocol [^{]*\{(.*?)^\}", "\n".join(lines), re.S | re.M):
            known |= set(re.findall(r"^  (?:static |mutating )*(?:var|func) `?(\w+)", body, re.M))
    for path, lines in sources.items():
        if path.relative_to(ROOT / "Sources").parts[0] not in DOCUMENTED:
            continue
        for number, line in enumerate(lines):
            found = DECLARATION.match(line)
            if not found or found[2] in known or found[1] == "func" and found[3] or PLAIN.search(line):
                continue
            before = number - 1
            while before >= 0 and lines[before].strip().startswith("@"):
                before -= 1
            if before < 0 or not lines[before].strip().startswith("///"):
                yield f"{path.relative_to(ROOT)}:{number + 1}: {found[1]} {found[2] or ''} is public and has no comment of ///"


def main():
    found = [problem for page in pages() for check in (links, commits) for problem in check(page)]
    found += modules()
    found += undocumented()
    for problem in found:
        print(problem, file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
