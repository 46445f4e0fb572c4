#!/usr/bin/env python3
"""Runs the notebooks of docs/learn and compares their outputs, or makes them from their sources.

    python notebooks.py --build .build/debug            # runs all cells, and holds them against docs/learn/notebooks/*/*.ipynb
    python notebooks.py --build .build/debug --bless    # writes those files anew, outputs among them

The sources are docs/learn/notebooks/*.py: cells after `# %%`, prose in each language after `# @en` and `# @ko`. Cells are Python, or
lines that begin with ! for the shell, as Jupyter has them.
"""

import argparse
import ast
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from lessons import DIGITS, Wrong, compare_about
from pages import LEARN, ROOT, labels_of

LANGUAGES = ("en", "ko")


def cells(source):
    """(kind, text) of each cell; of prose a dictionary by language."""
    found = []
    for part in source.split("# %%")[1:]:
        head, _, body = part.partition("\n")
        if head.strip() != "[markdown]":
            found.append(("code", body.strip("\n")))
            continue
        prose, language = {}, None
        for line in body.strip("\n").split("\n"):
            if line in [f"# @{name}" for name in LANGUAGES]:
                language = line[3:]
                prose[language] = []
            else:
                prose[language].append(line[2:])
        found.append(("markdown", {name: "\n".join(lines) for name, lines in prose.items()}))
    return found


def run(code, names):
    """What a cell shows, as Jupyter's outputs: what it prints, then its last expression."""
    if code.startswith("!"):
        text = "".join(shell(line[1:]) for line in code.split("\n"))
        return [stream(text)] if text else []
    tree = ast.parse(code)
    last = ast.Expression(tree.body.pop().value) if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, outputs, value = io.StringIO(), [], None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        if last is not None:
            value = eval(compile(last, "cell", "eval"), names)
    if printed.getvalue():
        outputs.append(stream(printed.getvalue()))
    if value is not None:
        data = {"text/plain": repr(value)}
        drawing = value._repr_svg_() if hasattr(value, "_repr_svg_") else None
        outputs.append({
            "output_type": "execute_result", "execution_count": None, "metadata": {},
            "data": {"image/svg+xml": drawing, "text/plain": "a drawing"} if drawing else data})
    return outputs


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def shell(command):
    done = subprocess.run(["bash", "-c", command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise Wrong(f"{command} ends with {done.returncode}:\n{done.stdout}")
    return done.stdout


def executed(source):
    """The cells of a source with their outputs, run one after another in a folder of their own."""
    names, here = {"__name__": "__main__"}, os.getcwd()
    with tempfile.TemporaryDirectory(prefix="sinter-notebook-") as folder:
        os.symlink(DIGITS, Path(folder) / "digits")
        os.chdir(folder)
        try:
            return [(kind, text, run(text, names) if kind == "code" else []) for kind, text in cells(source.read_text(encoding="utf-8"))]
        except Wrong:
            raise
        except Exception:
            raise Wrong(f"{source.name}: a cell fails:\n{traceback.format_exc()}") from None
        finally:
            os.chdir(here)


def notebook(done, language):
    """Jupyter's file format 4.5."""
    made = []
    for number, (kind, text, outputs) in enumerate(done):
        cell = {"cell_type": kind, "id": f"cell{number}", "metadata": {}, "source": text if kind == "code" else text[language]}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": outputs}
        made.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": made, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}


def compare(kept, new, file):
    if len(kept["cells"]) != len(new["cells"]):
        raise Wrong(f"{file}: {len(kept['cells'])} cells, its source has {len(new['cells'])}")
    for old, now in zip(kept["cells"], new["cells"]):
        if (old["cell_type"], old["source"]) != (now["cell_type"], now["source"]):
            raise Wrong(f"{file}: the cell\n{old['source']}\nis another one in its source")
        if len(old.get("outputs", [])) != len(now.get("outputs", [])):
            raise Wrong(f"{file}: the cell\n{old['source']}\ngives {now.get('outputs')}")
        for shown, given in zip(old.get("outputs", []), now.get("outputs", [])):
            one, other = (output.get("data", {"text/plain": output.get("text")}) for output in (shown, given))
            if one.keys() != other.keys() or labels_of(one.get("image/svg+xml", "")) != labels_of(other.get("image/svg+xml", "")):
                raise Wrong(f"{file}: the cell\n{old['source']}\ndraws something else")
            compare_about(one["text/plain"], other["text/plain"], f"{file}: the cell\n{old['source']}\n")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--build", type=Path, default=ROOT / ".build/debug", help="the folder with sinter")
    options.add_argument("--bless", action="store_true", help="write the notebooks anew")
    given = options.parse_args()
    build = given.build.resolve()
    os.environ.update(SINTER_COMMAND=str(build / "sinter"), PATH=f"{build}:{os.environ['PATH']}")
    sys.path.insert(0, str(ROOT / "python/src"))
    wrong = []
    for source in sorted((LEARN / "notebooks").glob("*.py")):
        try:
            done = executed(source)
            for language in LANGUAGES:
                file = LEARN / "notebooks" / language / f"{source.stem}.ipynb"
                made = notebook(done, language)
                if given.bless:
                    file.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
                else:
                    compare(json.loads(file.read_text(encoding="utf-8")), made, file.relative_to(ROOT))
            print(f"{source.name}: as shown")
        except Wrong as problem:
            wrong.append(str(problem))
    for problem in wrong:
        print(problem, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
