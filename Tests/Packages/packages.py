"""Packages of compiled models: a program in each language, built against one and run.

    packages.py --sinter .build/debug/sinter

C and C++ need g++, Rust needs rustc; what is not installed is left out and named. NumPy makes the expected results.
"""

import argparse
import json
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h

C = r"""
#include <stdio.h>
#include "net.h"
int main(void) {
  const SinterLibrary *library = sinter_library();
  SinterSession *session;
  float x[6] = {1, 2, 3, 4, 5, 6}, y[4];
  int64_t s;
  if (library->open(NULL, &session)) return 1;
  if (net_run(library, session, 2, x, y, &s)) return 2;
  printf("%g %g %g %g %lld\n", y[0], y[1], y[2], y[3], (long long)s);
  library->close(session);
  return 0;
}
"""

CPP = r"""
#include <cstdio>
#include "net.hpp"
int main(int, char **argv) {
  std::vector<float> x = {1, 2, 3, 4, 5, 6};
  std::vector<sinter::Output> kept;
  {
    net::Session linked, loaded(std::string(argv[1]), 1);
    for (net::Session *session : {&linked, &loaded}) {
      auto outputs = session->run({sinter::view(x.data(), {2, 3})});
      if (outputs[0].shape() != std::vector<int64_t>{2, 2}) return 1;
      for (float value : outputs[0].as<float>()) std::printf("%g ", value);
      std::printf("%lld\n", (long long)outputs[1].as<int64_t>()[0]);
      kept = std::move(outputs);
    }
    float y[4];
    auto outputs = loaded.run({sinter::view(x.data(), {2, 3})}, {sinter::view(y, {2, 2})});
    if (outputs[0].value().tensor.data != y) return 2;
    auto none = loaded.run({sinter::view(x.data(), {0, 3})});
    if (none[0].as<float>().size() != 0) return 3;
    try {
      loaded.run({sinter::view(x.data(), {3, 2})});
      return 4;
    } catch (const sinter::Error &error) {
      if (error.status() != SINTER_SHAPE_MISMATCH) return 5;
      std::printf("%s\n", error.what());
    }
    try {
      outputs[0].as<double>();
      return 6;
    } catch (const sinter::Error &) {
    }
    try {
      net::Session absent("no-such-file.so");
      return 7;
    } catch (const sinter::Error &) {
    }
  }
  return kept[0].as<float>()[3] == y_expected ? 0 : 8;
}
"""

RUST = r"""
mod net;
fn main() -> Result<(), net::Error> {
    let path = std::env::args().nth(1).unwrap();
    let x: Vec<f32> = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let mut model = net::Model::open(&path, 1)?;
    assert_eq!((model.inputs(), model.outputs()), (vec!["x".to_string()], vec!["y".to_string(), "s".to_string()]));
    let outputs = model.run(&[net::Tensor::new(&x, &[2, 3])])?;
    assert_eq!(outputs[0].shape(), [2, 2]);
    let refused = model.run(&[net::Tensor::new(&x, &[3, 2])]).err().unwrap();
    assert_eq!(refused.status, 2);
    assert!(model.run(&[net::Tensor::new::<f32>(&[], &[0, 3])])?[0].as_slice::<f32>()?.is_empty());
    assert!(outputs[0].as_slice::<f64>().is_err());
    assert!(net::Model::open("no-such-file.so", 1).is_err());
    drop(model);
    let y: &[f32] = outputs[0].as_slice()?;
    println!("{} {} {} {} {}", y[0], y[1], y[2], y[3], outputs[1].as_slice::<i64>()?[0]);
    println!("{refused}");
    let mut other = net::Model::open(&path, 1)?;
    std::thread::spawn(move || other.run(&[net::Tensor::new(&[1.0f32; 3], &[1, 3])]).unwrap()).join().unwrap();
    Ok(())
}
"""

PYTHON = r"""
import array, sys
if "without" in sys.argv: sys.modules["numpy"] = None
import net
model = net.Model(threads=1)
assert model.inputs == [("x", "float32", ("n", 3))], model.inputs
if net.numpy:
    x, empty = net.numpy.arange(1, 7, dtype="float32").reshape(2, 3), net.numpy.zeros((0, 3), "float32")
else:
    x, empty = memoryview(array.array("f", [1, 2, 3, 4, 5, 6])).cast("B").cast("f", [2, 3]), None
y, s = model(x)
if net.numpy:
    assert model(empty)[0].shape == (0, 2) and model(x.T.copy().T)[0].tolist() == y.tolist() and model([[1, 2, 3]])[0].shape == (1, 2)
del model
print(*(f"{value:g}" for row in y.tolist() for value in row), s[0])
try:
    net.Model()(y)
    raise SystemExit("not refused")
except net.SinterError as error:
    assert error.status == 2
    print(error)
"""


def build(folder: Path, sinter: str) -> Path:
    """A package of y = x · w and s = the number of rows of x, for any number of rows."""
    w = np.array([[1, -1], [2, 0.5], [0, 3]], np.float32)
    nodes = [h.make_node("MatMul", ["x", "w"], ["y"]), h.make_node("Shape", ["x"], ["s"], start=0, end=1)]
    graph = h.make_graph(
        nodes, "net", [h.make_tensor_value_info("x", T.FLOAT, ["n", 3])],
        [h.make_tensor_value_info("y", T.FLOAT, ["n", 2]), h.make_tensor_value_info("s", T.INT64, [1])],
        [onnx.numpy_helper.from_array(w, "w")])
    file = folder / "net.onnx"
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=9), file)
    package = folder / "package"
    for _ in range(2):  # the second time over the first
        subprocess.run([sinter, "compile", file, "--package", package, "--weights-beside"], check=True)
    provenance = json.loads((package / "provenance.json").read_text())
    assert provenance["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest(), provenance
    page = (package / "README.md").read_text()
    assert "| input | `x` | `f32[n, 3]` |" in page and provenance["sha256"] in page, page
    assert not [path for path in package.parent.iterdir() if path.name.startswith(".")], "temporary folders stay"
    text = "".join(path.read_text() for path in package.rglob("*") if path.suffix in (".py", ".rs", ".hpp", ".pc", ".cmake"))
    assert not [word for word in ("@NAME@", "@PORTS@", "@UPPER@", "@VERSION@", "@IDENTIFIER@") if word in text]
    return package, np.arange(1, 7, dtype=np.float32).reshape(2, 3) @ w


def run(*command, **options) -> list[str]:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if result.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\nended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout.splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sinter", default=".build/debug/sinter")
    sinter = str(Path(parser.parse_args().sinter).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package, y = build(folder, sinter)
        wanted = " ".join(f"{value:g}" for value in y.ravel()) + " 2"
        refusal = "dimension 1 is 2, expected 3"
        library = package / "libnet.so"

        flags = [f"-I{package}/include", f"-L{package}", "-lnet", f"-Wl,-rpath,{package}"]
        if shutil.which("pkg-config"):
            found = run("pkg-config", "--cflags", "--libs", package / "net.pc")[0].split()
            assert [Path(flag[2:]).resolve() for flag in found if flag[:2] in ("-I", "-L")] == [(package / "include").resolve(), package.resolve()]
            flags = found
        else:
            print("not tried, since pkg-config is not installed: net.pc")
        (folder / "c.c").write_text(C)
        run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", folder / "c.c", "-o", folder / "c", *flags)
        assert run(folder / "c") == [wanted], run(folder / "c")
        print("C: right")

        (folder / "cpp.cpp").write_text(CPP.replace("y_expected", f"{y[1, 1]:g}"))
        for standard in ("c++17", "c++20"):
            run("g++", f"-std={standard}", "-Wall", "-Wextra", "-Werror", folder / "cpp.cpp", "-o", folder / "cpp", *flags, "-ldl")
            lines = run(folder / "cpp", library)
            assert lines[:2] == [wanted, wanted] and refusal in lines[2], lines
        print("C++: right")

        for mode in ("with", "without"):
            lines = run(sys.executable, "-c", PYTHON, mode, cwd=package)
            assert lines[0] == wanted and refusal in lines[1], lines
            print(f"Python {mode} NumPy: right")

        if shutil.which("rustc"):
            (folder / "main.rs").write_text(RUST)
            shutil.copy(package / "net.rs", folder)
            run("rustc", "--edition", "2021", "-D", "warnings", folder / "main.rs", "-o", folder / "rust")
            lines = run(folder / "rust", library)
            assert lines[0] == wanted and refusal in lines[1], lines
            print("Rust: right")
        else:
            print("not tried, since rustc is not installed: net.rs")

        if shutil.which("cmake"):
            (folder / "CMakeLists.txt").write_text(
                "cmake_minimum_required(VERSION 3.13)\nproject(p C)\nfind_package(net REQUIRED PATHS ${PACKAGE}/cmake NO_DEFAULT_PATH)\n"
                "add_executable(program c.c)\ntarget_link_libraries(program net::net)\n")
            run("cmake", "-S", folder, "-B", folder / "build", f"-DPACKAGE={package}")
            run("cmake", "--build", folder / "build")
            assert run(folder / "build/program") == [wanted]
            print("CMake: right")
        else:
            print("not tried, since cmake is not installed: net-config.cmake")


if __name__ == "__main__":
    main()
