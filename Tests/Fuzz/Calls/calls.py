#!/usr/bin/env python3
"""Builds the program that calls compiled libraries under libFuzzer, and runs it: make fuzz-calls.

    calls.py --sinter .build/debug/sinter --seconds 600

The libraries are those of the files in Tests/Fuzz/corpus, with a symbol for each size that may be one, and of other files that are named.
Their C runtime, and calls.c, are instrumented for addresses and undefined behaviour.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "Tests" / "Conformance"))

import variants

SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g", "-O1",
    "-fno-sanitize-address-globals-dead-stripping"]  # each library has a runtime of its own, of the same source

IMAGES = ["-ljpeg", "-lpng16", "-ltiff", "-lwebp", "-lopenjp2"]  # of libraries that decode images


def clang():
    """The compiler that comes with Swift, which has libFuzzer."""
    swift = subprocess.run(["swiftc", "-print-target-info"], capture_output=True, text=True, check=True).stdout
    resources = re.search(r'"runtimeResourcePath"\s*:\s*"([^"]*)"', swift).group(1)
    return str(Path(resources).parents[1] / "bin" / "clang")


def compiled(sinter, models, folder, compiler):
    """Objects of the models that compile, by the names of their tables."""
    environment = os.environ | {"CC": " ".join([compiler, *SANITIZERS, "-fsanitize=fuzzer-no-link"])}
    found = {}
    for index, model in enumerate(models):
        name = f"model{index}"
        source, target = folder / f"{name}.onnx", folder / f"{name}.o"
        for make in (variants.symbolic, None):
            source.write_bytes(make(model).SerializeToString() if make else model.read_bytes())
            done = subprocess.run([sinter, "compile", source, "-o", target, "--name", name], capture_output=True, text=True, env=environment)
            if done.returncode == 0:
                found[name] = target
                break
        else:
            print(f"{model.name} does not compile: {done.stderr.strip().splitlines()[:1]}", file=sys.stderr)
    return found


def build(sinter, models, folder):
    """The program that calls all of them."""
    compiler = clang()
    objects = compiled(sinter, models, folder, compiler)
    table = ['#include "sinter.h"']
    table += [f"extern const SinterLibrary *{name}_library(void);" for name in objects]
    table += [f"const SinterLibrary *models[{len(objects)}];", f"const size_t model_count = {len(objects)};"]
    table += ["__attribute__((constructor)) static void fill(void) {"]
    table += [f"  models[{index}] = {name}_library();" for index, name in enumerate(objects)] + ["}"]
    Path(folder, "table.c").write_text("\n".join(table) + "\n")
    program = folder / "calls"
    subprocess.run(
        [compiler, *SANITIZERS, "-fsanitize=fuzzer", "-fuse-ld=lld", "-std=gnu11", "-Wall", "-Wextra", "-I", ROOT / "Sources" / "SinterABI" / "include",
         Path(__file__).with_name("calls.c"), folder / "table.c", *objects.values(), "-o", program, "-lm", "-lpthread", *IMAGES], check=True)
    print(f"{len(objects)} libraries", flush=True)
    return program


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--seconds", type=int, default=600, help="for how long (600)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".build" / "fuzz" / "calls", help="where objects and found inputs go")
    parser.add_argument("models", nargs="*", type=Path, help="other files to call besides those of the corpus")
    arguments = parser.parse_args()
    found = arguments.folder / "found"
    found.mkdir(parents=True, exist_ok=True)
    # A loop runs as often as an input says, which may be for years.
    models = sorted(path for path in (ROOT / "Tests" / "Fuzz" / "corpus").glob("*.onnx") if path.stem != "Loop") + arguments.models
    program = build(str(Path(arguments.sinter).resolve()), models, arguments.folder)
    # Of what no machine has malloc gives nothing, and the library says so. For the fuzzer, which would take asking for a fault, that is never too much.
    sanitizer = "allocator_may_return_null=1:max_allocation_size_mb=1024:" + os.environ.get("ASAN_OPTIONS", "")
    environment = os.environ | {"ASAN_OPTIONS": sanitizer}
    return subprocess.run(
        [program, f"-max_total_time={arguments.seconds}", "-max_len=1024", "-timeout=20", "-rss_limit_mb=2048", f"-malloc_limit_mb={1 << 30}",
         "-print_final_stats=1", f"-artifact_prefix={arguments.folder}/", found], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
