#!/usr/bin/env python3
"""Holds Sinter's promises on any ONNX files.

    promises.py --sinter .build/release/sinter a.onnx b.onnx --size sequence=32

For each model:
  bytes    two compilations, in processes of their own and on one thread and three, give the same library, header and export;
  runs     outputs have the same bits on 1, 2, 3 and 7 threads and in every run, and nothing is allocated after the first run of
           a shape, with the library's own threads and with the host's (Tests/PromiseTests/programs/promises.c counts).

Open sizes are 1 and then 2, but for those given. Needs a C compiler, and no Python packages.
"""

import argparse
import filecmp
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEVELS = "x86-64-v2,x86-64-v4"


def run(*command):
    """What a program printed. An error holds the last of it."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{Path(str(command[0])).name}: {done.stdout.strip()[-500:] or f'status {done.returncode}'}")
    return done.stdout.strip()


def build_host(folder):
    host = folder / "promises"
    run(*os.environ.get("CC", "cc").split(), "-std=c11", "-O1", "-fno-builtin", "-I", ROOT / "Sources/SinterABI/include",
        ROOT / "Tests/PromiseTests/programs/promises.c", "-o", host, "-ldl", "-lpthread")
    return host


def check(path, host, arguments, folder):
    """Raises what does not hold; otherwise tells what was seen."""
    places = [folder / "first", folder / "second"]
    for place, threads in zip(places, (1, 3)):
        place.mkdir()
        run(arguments.sinter, "compile", path, "-o", place / "model.so", "--header", "--threads", threads)
        run(arguments.sinter, "compile", path, "-o", place / "levels.so", "--cpu", LEVELS, "--threads", threads)
        run(arguments.sinter, "export", path, "-o", place / "model.onnx")
    for name in sorted(file.name for file in places[0].iterdir()):
        if not filecmp.cmp(places[0] / name, places[1] / name, shallow=False):
            raise RuntimeError(f"two compilations give different bytes: {name}")
    return run(host, places[0] / "model.so", 1, 2, *arguments.size)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="ONNX files")
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--size", action="append", default=[], metavar="NAME=N", help="the value of an open size")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="sinter-promises-") as name:
        host = build_host(Path(name))
        for path in arguments.models:
            label = Path(path).stem if Path(path).stem != "model" else Path(path).resolve().parent.name
            with tempfile.TemporaryDirectory(dir=name) as folder:
                try:
                    print(f"{label:24} {check(path, host, arguments, Path(folder))}", flush=True)
                except RuntimeError as error:  # one model must not end the others
                    failed += 1
                    print(f"{label:24} BROKEN: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
