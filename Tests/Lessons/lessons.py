#!/usr/bin/env python3
"""Runs the lessons in docs/learn: their programs, commands and cells, and compares what comes out with what the pages show.

    python lessons.py --build .build/debug               # all lessons
    python lessons.py --build .build/debug --only 4 6    # some
    python lessons.py --build .build/debug --bless       # writes the drawings anew
    python lessons.py --build .build/debug --pages a.md  # other pages, which have no program of their own

Blocks of the English pages are run; a Swift test holds the Korean ones to the same blocks. … in an output stands for what differs from
machine to machine; numbers of outputs that are marked `about` may differ by a twentieth.
"""

import argparse
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from pages import LEARN, ROOT, blocks, labels, pattern, pictures

DIGITS = ROOT / "models/digits/data"


class Wrong(Exception):
    pass


def compare(expected, output, what):
    match = pattern(expected).fullmatch(output if output.endswith("\n") or not output else output + "\n")
    if not match:
        raise Wrong(f"{what} gives\n{indented(output)}but the page shows\n{indented(expected)}")


NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def compare_about(expected, output, what):
    """The same words, and numbers that are nearly the same."""
    same = NUMBER.split(expected.rstrip()) == NUMBER.split(output.rstrip())
    pairs = zip(NUMBER.findall(expected), NUMBER.findall(output))
    if not same or any(abs(float(a) - float(b)) > 0.05 * abs(float(a)) for a, b in pairs):
        raise Wrong(f"{what} gives\n{indented(output)}but the page shows about\n{indented(expected)}")


def indented(text):
    return "".join(f"    {line}\n" for line in text.rstrip("\n").split("\n"))


class Lesson:
    """One page in a folder of its own."""

    def __init__(self, page, build, folder):
        self.page, self.build, self.folder = page, build, folder
        self.number = int(page.name[:2]) if page.is_relative_to(LEARN) else None
        self.names = {"__name__": "__main__"}
        self.environment = {
            **os.environ, "PATH": f"{build}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "python/src"),
            "SINTER_COMMAND": str(build / "sinter"), "COLUMNS": "200", "LC_ALL": "C.UTF-8",
        }

    def run(self):
        for file in sorted((LEARN / "files").glob("*")):
            shutil.copy(file, self.folder)
        os.symlink(DIGITS, self.folder / "digits")
        self.printed = self.shell(f"lessons {self.number}") if self.number else ""
        output = None
        for block in blocks(self.page):
            try:
                output = self.one(block, output)
            except Wrong as problem:
                raise Wrong(f"{self.page.relative_to(ROOT)}:{block.line}: {problem}") from None

    def one(self, block, output):
        """Runs or compares a block; gives the output that the next one may show."""
        if block.argument == "elsewhere":
            return None
        if block.language == "text":
            if output is None:
                raise Wrong("there is nothing before this output that gives one")
            if output is self.program:
                return self.from_program(block.text)
            (compare_about if block.argument == "about" else compare)(block.text, output, "the block above")
            return None
        if block.language == "swift":
            return self.swift(block)
        if block.language == "console":
            self.console(block.text)
            return None
        if block.language == "python":
            return self.cell(block)
        if block.language in ("c", "sinter"):
            if (LEARN / "files" / block.argument).read_text(encoding="utf-8") != block.text:
                raise Wrong(f"docs/learn/files/{block.argument} is another text")
            return None
        raise Wrong(f"a block cannot be “{block.info}”")

    program = object()

    def from_program(self, expected):
        match = pattern(expected).search(self.printed)
        if not match:
            raise Wrong(f"the program goes on with\n{indented(self.printed)}but the page shows\n{indented(expected)}")
        self.printed = self.printed[match.end():]
        return None

    def shell(self, command):
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0 and "|| " not in command:
            raise Wrong(f"{command} ends with {done.returncode}:\n{indented(done.stdout)}")
        return done.stdout

    def console(self, text):
        for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
            lines = part.split("\n")
            count = next(i for i, line in enumerate(lines) if not line.endswith("\\")) + 1
            command, expected = "\n".join(lines[:count]), "\n".join(lines[count:])
            # A command that is refused says so; its status is not what the page is about.
            output = self.shell(command + " || true" if "error:" in expected else command)
            compare(expected, output, command) if expected.strip() or output.strip() else None

    def cell(self, block):
        shown, here = io.StringIO(), os.getcwd()
        os.chdir(self.folder)
        try:
            with contextlib.redirect_stdout(shown):
                exec(compile(block.text, f"{self.page.name}:{block.line}", "exec"), self.names)
        except Exception:
            raise Wrong(f"the cell fails:\n{indented(traceback.format_exc())}") from None
        finally:
            os.chdir(here)
        return shown.getvalue()

    def swift(self, block):
        if block.argument == "refused":
            return self.refused(block.text)
        if block.argument:
            return self.program
        file = self.folder / "block.swift"
        file.write_text(block.text)
        done = typecheck(self.build, [file])
        if done.returncode != 0:
            raise Wrong(f"Swift does not take it:\n{indented(done.stdout)}")
        return None

    def refused(self, code):
        """What Swift's compiler says of lines that it does not take, without the place."""
        file = self.folder / "refused.swift"
        file.write_text("import Sinter\nfunc refused(_ x: Tensor) -> Tensor {\n" + code + "}\n")
        done = typecheck(self.build, [file])
        if done.returncode == 0:
            raise Wrong("Swift takes these lines")
        return re.search(r"error: [^\n]*", done.stdout).group() + "\n"

    def drawings(self, blesses):
        for name in pictures(self.page):
            drawn, kept = self.folder / name, LEARN / "pictures" / name
            if not drawn.exists():
                raise Wrong(f"{self.page.relative_to(ROOT)} shows {name}, but no command of it draws that")
            if blesses:
                shutil.copy(drawn, kept)
            elif not kept.exists() or labels(drawn) != labels(kept):
                raise Wrong(f"docs/learn/pictures/{name} is not what the commands draw: --bless writes it anew")


def typecheck(build, files):
    """Swift's compiler on files of a user's, who sees what is public and nothing else."""
    sources = ROOT / "Sources"
    options = ["-I", build / "Modules"]
    for module in ("COpenBLAS", "CZlib", "CLLVM/include"):
        options += ["-I", sources / module]
    for module in ("SinterABI", "SinterRuntime"):
        options += ["-Xcc", f"-I{sources / module / 'include'}"]
    for module in sorted(build.glob("*.build/module.modulemap")):
        options += ["-Xcc", f"-fmodule-map-file={module}"]
    return subprocess.run(
        ["swiftc", "-typecheck", "-swift-version", "6", "-package-name", "reader", "-parse-as-library", *(str(part) for part in [*options, *files])],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--build", type=Path, default=ROOT / ".build/debug", help="the folder with sinter and lessons")
    options.add_argument("--only", nargs="*", type=int, help="numbers of lessons")
    options.add_argument("--pages", nargs="*", type=Path, help="other pages than those of the lessons")
    options.add_argument("--bless", action="store_true", help="write the drawings anew")
    given = options.parse_args()
    build = given.build.resolve()
    sys.path.insert(0, str(ROOT / "python/src"))
    os.environ["SINTER_COMMAND"] = str(build / "sinter")
    wrong = []
    pages = [page.resolve() for page in given.pages or []] or sorted((LEARN / "en").glob("[0-9]*.md"))
    if not given.pages:
        done = typecheck(build, sorted((LEARN / "code").glob("*.swift")))
        if done.returncode != 0:
            wrong.append("the lessons' code needs what is not public:\n" + indented(done.stdout))
    for page in pages:
        if given.only and int(page.name[:2]) not in given.only:
            continue
        with tempfile.TemporaryDirectory(prefix="sinter-lesson-") as folder:
            lesson = Lesson(page, build, Path(folder))
            try:
                lesson.run()
                lesson.drawings(given.bless)
                print(f"{page.name}: as shown")
            except Wrong as problem:
                wrong.append(str(problem))
    for problem in wrong:
        print(problem, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
