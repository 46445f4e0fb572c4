"""The pages of docs/learn as lists of blocks, and how their outputs are compared."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEARN = ROOT / "docs/learn"


@dataclass
class Block:
    """A fenced block: the words behind the fence, its lines, and the line of the page where it begins."""

    info: str
    text: str
    line: int

    @property
    def language(self):
        return self.info.split(" ")[0] if self.info else ""

    @property
    def argument(self):
        return self.info.partition(" ")[2]


def blocks(page):
    """All fenced blocks of a page, in order."""
    found, fence = [], None
    for number, line in enumerate(Path(page).read_text(encoding="utf-8").split("\n"), 1):
        if fence is None and line.startswith("```"):
            fence = Block(line[3:].strip(), "", number)
        elif fence is not None and line == "```":
            found.append(fence)
            fence = None
        elif fence is not None:
            fence.text += line + "\n"
    if fence is not None:
        raise SystemExit(f"{page}:{fence.line}: the block has no end")
    return found


def pictures(page):
    """The drawings that a page shows, as names of files in docs/learn/pictures."""
    return re.findall(r"!\[[^\]]*\]\(\.\./pictures/([^)]+)\)", Path(page).read_text(encoding="utf-8"))


def pattern(expected):
    """A regular expression for an output: … stands for anything in a line, a line that is … alone for any lines."""
    lines = []
    for line in expected.rstrip("\n").split("\n"):
        if line.strip() == "…":
            lines.append(r"(?:[^\n]*\n)*?")
        else:
            lines.append("[^\n]*?".join(re.escape(part.rstrip() if last else part) for part, last in parts(line)) + "[ ]*\n")
    return re.compile("".join(lines))


def parts(line):
    pieces = line.split("…")
    return [(piece, number == len(pieces) - 1) for number, piece in enumerate(pieces)]


def labels(drawing):
    """What a drawing says, whatever version of graphviz placed it where. Register tiles at the end of kernels' names differ between processors."""
    return labels_of(Path(drawing).read_text(encoding="utf-8"))


def labels_of(svg):
    return sorted(re.sub(r"^(kernel \w+)_\d+x\d+$", r"\1", label) for label in re.findall(r"<text[^>]*>([^<]*)</text>", svg))
