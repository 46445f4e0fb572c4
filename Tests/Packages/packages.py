"""Packages of compiled models: a program in each language, built against one and run.

    packages.py --sinter .build/debug/sinter

C and C++ need g++, Rust needs rustc, Go needs go; what is not installed is left out and named. NumPy makes the expected results.
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

GO = r"""
package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"sync"

	"program/net"
)

func demand(right bool, what string) {
	if !right {
		panic(what)
	}
}

func main() {
	model, err := net.Open(os.Args[1], 1)
	demand(err == nil, fmt.Sprint(err))
	float := net.DataType{Code: 2, Bits: 32}
	demand(reflect.DeepEqual(model.Inputs(), []net.Port{{Name: "x", Type: float, Shape: []int64{-1, 3}, Symbols: []string{"n", ""}}}), "inputs")
	demand(len(model.Outputs()) == 2 && len(model.States()) == 0, "outputs")
	x := []float32{1, 2, 3, 4, 5, 6}
	outputs, err := model.Run(net.Of(x, 2, 3))
	demand(err == nil && reflect.DeepEqual(outputs[0].Shape(), []int64{2, 2}) && outputs[0].Type() == float, "outputs")
	_, refusal := model.Run(net.Of(x, 3, 2))
	var refused *net.Error
	demand(errors.As(refusal, &refused) && refused.Status == 2, "status")
	none, err := model.Run(net.Of([]float32{}, 0, 3))
	demand(err == nil && none[0].Shape()[0] == 0, "no rows")
	empty, err := net.Elements[float32](none[0])
	demand(err == nil && len(empty) == 0, "no elements")
	_, err = net.Elements[float64](outputs[0])
	demand(err != nil, "another type")
	whole, err := net.Raw[uint32](outputs[0])
	demand(err == nil && len(whole) == 4, "bits")
	for _, tensor := range []net.Tensor{
		net.Of(x, 4, 3), net.Of(x, -2, -3), net.Of(x, 1<<62, 1<<62), net.Of([]float32{}, 1<<32, 1<<32), net.OfType(x, net.DataType{Code: 2, Bits: 16}, 2, 3),
		net.Of([]float64{1, 2, 3}, 1, 3), net.Of([]string{"a", "b", "c"}, 1, 3), {},
	} {
		_, err = model.Run(tensor)
		demand(err != nil, fmt.Sprint(tensor.Shape()))
	}
	_, err = model.Run()
	demand(err != nil, "no input")
	for _, path := range []string{"no-such-file.so", "zero\x00", os.Args[0]} {
		_, err = net.Open(path, 1)
		demand(err != nil, path)
	}
	var all sync.WaitGroup
	for turn := 0; turn < 8; turn++ {
		all.Add(1)
		go func(value float32) {
			defer all.Done()
			for i := 0; i < 50; i++ {
				outputs, err := model.Run(net.Of([]float32{value, value, value}, 1, 3))
				demand(err == nil, fmt.Sprint(err))
				y, _ := net.Elements[float32](outputs[0])
				demand(y[0] == 3*value && y[1] == 2.5*value, fmt.Sprint(y))
			}
		}(float32(turn))
	}
	all.Wait()
	model.Close()
	model.Close()
	_, err = model.Run(net.Of(x, 2, 3))
	demand(err != nil, "closed")
	y, _ := net.Elements[float32](outputs[0])
	s, _ := net.Elements[int64](outputs[1])
	fmt.Println(y[0], y[1], y[2], y[3], s[0])
	fmt.Println(refusal)
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


# The model of `build_state`, whose file is match.onnx, a keyword of Rust.

STATE_C = r"""
#include "match_.h"
int main(void) {
  const int numbers[] = {MATCH__INPUT_COUNT_2, MATCH__INPUT_COUNT, MATCH__STATE_W, MATCH__STATE_W_2, MATCH__STATE_COUNT};
  const int wanted[] = {0, 1, 0, 1, 2};
  for (int i = 0; i < 5; i++)
    if (numbers[i] != wanted[i]) return i + 1;
  return 0;
}
"""

STATE_CPP = r"""
#include "match_.hpp"
#include <cstdio>
int main(int, char **argv) {
  match_::Session session(1);
  std::vector<int64_t> x = {10, 20};
  if (session.states().size() != 2 || session.state("W") != 1) return 1;
  for (int turn = 0; turn < 3; turn++) {
    auto outputs = session.run({sinter::view(x.data(), {2})});
    std::printf("%lld ", (long long)outputs[0].as<int64_t>()[1]);
  }
  session.save_state(argv[1]);
  const int64_t value = 100;
  session.write_state("w", sinter::view(&value, {}));
  if (session.read_state("w").as<int64_t>()[0] != 100 || session.read_state(0).as<int64_t>()[0] != 100) return 2;
  sinter::Session other(&session.library(), 1);
  if (other.read_state(1).as<int64_t>()[0] != 1) return 3;
  other.restore_state(argv[1]);
  std::printf("%lld %lld\n", (long long)other.read_state("w").as<int64_t>()[0], (long long)other.read_state("W").as<int64_t>()[0]);
  if (session.library().run(session.handle(), nullptr, nullptr) == SINTER_OK) return 4;
  int refused = 0;
  auto refuses = [&](auto action) {
    try {
      action();
    } catch (const sinter::Error &) {
      refused++;
    }
  };
  refuses([&] { session.read_state("x"); });
  refuses([&] { session.read_state(2); });
  refuses([&] { session.write_state(0, sinter::view(x.data(), {2})); });
  refuses([&] { session.restore_state("no-such-file"); });
  return refused == 4 ? 0 : 5;
}
"""

STATE_RUST = r"""
mod match_;
fn main() -> Result<(), match_::Error> {
    let arguments: Vec<String> = std::env::args().collect();
    let mut model = match_::Model::open(&arguments[1], 1)?;
    assert_eq!((model.inputs(), model.states()), (vec!["count".to_string()], vec!["w".to_string(), "W".to_string()]));
    for _ in 0..3 {
        print!("{} ", model.run(&[match_::Tensor::new(&[10i64, 20], &[2])])?[0].as_slice::<i64>()?[1]);
    }
    model.save_state(&arguments[2])?;
    model.write_state("w", &match_::Tensor::new(&[100i64], &[]))?;
    assert_eq!(model.read_state("w")?.as_slice::<i64>()?, [100]);
    assert!(model.write_state("w", &match_::Tensor::new(&[1i64, 2], &[2])).is_err());
    assert!(model.read_state("x").is_err() && model.restore_state("no-such-file").is_err());
    model.restore_state(&arguments[2])?;
    println!("{} {}", model.read_state("w")?.as_slice::<i64>()?[0], model.read_state("W")?.as_slice::<i64>()?[0]);
    let mut stateless = match_::Model::open(&arguments[3], 1)?;
    assert!(stateless.states().is_empty() && stateless.save_state(&arguments[2]).is_err() && stateless.read_state("w").is_err());
    Ok(())
}
"""

STATE_GO = r"""
package main

import (
	"fmt"
	"os"

	"program/match_"
	other "program/net"
)

func demand(right bool, what string) {
	if !right {
		panic(what)
	}
}

func main() {
	model, err := match_.Open(os.Args[1], 1)
	demand(err == nil && len(model.States()) == 2 && model.States()[1].Name == "W", "states")
	number := func(name string) int64 {
		state, err := model.ReadState(name)
		demand(err == nil && len(state.Shape()) == 0, name)
		values, err := match_.Elements[int64](state)
		demand(err == nil && len(values) == 1, name)
		return values[0]
	}
	for turn := 0; turn < 3; turn++ {
		outputs, err := model.Run(match_.Of([]int64{10, 20}, 2))
		demand(err == nil, fmt.Sprint(err))
		y, _ := match_.Elements[int64](outputs[0])
		fmt.Print(y[1], " ")
	}
	demand(model.SaveState(os.Args[2]) == nil, "save")
	demand(model.WriteState("w", match_.Of([]int64{100})) == nil && number("w") == 100, "write")
	demand(model.WriteState("w", match_.Of([]int64{1, 2}, 2)) != nil && model.WriteState("x", match_.Of([]int64{1})) != nil, "refuse")
	demand(model.RestoreState("no-such-file") != nil && number("w") == 100 && model.RestoreState(os.Args[2]) == nil, "restore")
	fmt.Println(number("w"), number("W"))
	stateless, err := other.Open(os.Args[3], 1)
	demand(err == nil && stateless.SaveState(os.Args[2]) != nil, "no state")
	_, err = stateless.ReadState("w")
	demand(err != nil, "no state")
}
"""

STATE_PYTHON = r"""
import array, sys, threading
if "without" in sys.argv: sys.modules["numpy"] = None
from match_ import Model, SinterError
model = Model(threads=1)
assert model.states == [("w", "int64", ()), ("W", "int64", ())], model.states
x = array.array("q", [10, 20])
print(*(model(x).tolist()[1] for _ in range(3)), end=" ")
model.save_state(sys.argv[1])
model.set_state("w", memoryview(array.array("q", [100])).cast("B").cast("q", []) if "without" in sys.argv else 100)
assert model.state("w").tolist() in (100, [100])
threads = [threading.Thread(target=lambda: [model(x) for _ in range(50)]) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert model.state("w").tolist() in (300, [300]), model.state("w")
model.restore_state(sys.argv[1])
print(*(value if isinstance(value, int) else value[0] for value in (model.state("w").tolist(), model.state("W").tolist())))
for action in (lambda: model.restore_state("no-such-file"), lambda: model.set_state("w", x), lambda: Model(sys.argv[2]).save_state("x")):
    try:
        action()
        raise SystemExit("not refused")
    except SinterError:
        pass
"""

TEXT_GO = r"""
package main

import (
	"fmt"
	"os"

	"program/text"
)

func main() {
	model, err := text.Open(os.Args[1], 1)
	if err != nil {
		panic(err)
	}
	outputs, err := model.Run(text.Of([]string{"가", "b", ""}, 3), text.Of([]string{"나", "", ""}, 3))
	if err != nil {
		panic(err)
	}
	y, err := text.Elements[string](outputs[0])
	fmt.Println(y)
	if _, err = text.Elements[int8](outputs[0]); err == nil {
		panic("another type")
	}
}
"""

# Linked with two packages, of which the program gets one's sinter_library() for both; and a model without inputs.
TWO_CPP = r"""
#include "net.hpp"
#include "match_.hpp"
#include <cstdio>
int main(int, char **argv) {
  int refused = 0;
  try {
    net::Session session;
  } catch (const sinter::Error &error) {
    refused++, std::puts(error.what());
  }
  try {
    match_::Session session;
  } catch (const sinter::Error &error) {
    refused++, std::puts(error.what());
  }
  net::Session net(std::string(argv[1]), 1);
  match_::Session match(std::string(argv[2]), 1);
  if (net.outputs().size() != 2 || match.outputs().size() != 1 || net.states().size() != 0) return 2;
  try {
    net.save_state("x");
    return 3;
  } catch (const sinter::Error &) {
  }
  sinter::Session constant(sinter::load(argv[3]), 1);
  if (constant.run({})[0].as<float>()[0] != 3) return 4;
  return refused == 1 ? 0 : 1;
}
"""


def build_state(folder: Path, sinter: str) -> Path:
    """A package of y = count + w + W, after which w is greater by one and W, from 1, twice what it was."""
    nodes = [
        h.make_node("Add", ["count", "w"], ["part"]), h.make_node("Add", ["part", "W"], ["y"]),
        h.make_node("Add", ["w", "one"], ["w.next"]), h.make_node("Add", ["W", "W"], ["W.next"])]
    scalar = [(name, T.INT64, []) for name in ("w", "W")]
    graph = h.make_graph(
        nodes, "match", [h.make_tensor_value_info(*port) for port in [("count", T.INT64, ["n"]), *scalar]],
        [h.make_tensor_value_info("y", T.INT64, ["n"]), *(h.make_tensor_value_info(f"{name}.next", *rest) for name, *rest in scalar)],
        [h.make_tensor(name, T.INT64, [], [value]) for name, value in (("w", 0), ("W", 1), ("one", 1))])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=9)
    for name in ("w", "W"):
        model.metadata_props.add(key=f"sinter.state:{name}", value=f"{name}.next")
    onnx.save(model, folder / "match.onnx")
    package = folder / "state"
    subprocess.run([sinter, "compile", folder / "match.onnx", "--package", package], check=True)
    return package


def check_names(folder: Path, sinter: str) -> None:
    """Names that a language reserves, or that the package has itself, get an underscore."""
    for name in ("sinter", "lambda", "requires", "os", "func"):
        shutil.copy(folder / "match.onnx", folder / f"{name}.onnx")
        subprocess.run([sinter, "compile", folder / f"{name}.onnx", "--package", folder / name], check=True)
        found = {path.name for path in (folder / name).rglob("*") if path.is_file()}
        assert {f"{name}_.py", f"{name}_.hpp", f"lib{name}_.so", "sinter.h"} <= found, found


def build(folder: Path, sinter: str) -> tuple[Path, np.ndarray]:
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
    text = "".join(path.read_text() for path in package.rglob("*") if path.suffix in (".py", ".rs", ".go", ".hpp", ".pc", ".cmake"))
    assert not [word for word in ("@NAME@", "@PORTS@", "@UPPER@", "@VERSION@", "@IDENTIFIER@") if word in text]
    return package, np.arange(1, 7, dtype=np.float32).reshape(2, 3) @ w


def check_state(folder: Path, sinter: str, other: Path) -> None:
    package = build_state(folder, sinter)
    check_names(folder, sinter)
    library, file, wanted = package / "libmatch_.so", folder / "state.safetensors", ["21 23 26 3 8"]
    constant = h.make_graph(
        [h.make_node("Constant", [], ["y"], value=h.make_tensor("v", T.FLOAT, [1], [3]))], "constant", [],
        [h.make_tensor_value_info("y", T.FLOAT, [1])])
    onnx.save(h.make_model(constant, opset_imports=[h.make_opsetid("", 18)], ir_version=9), folder / "constant.onnx")
    run(sinter, "compile", folder / "constant.onnx", "-o", folder / "libconstant.so")

    flags = [f"-I{package}/include", f"-L{package}", "-lmatch_", f"-Wl,-rpath,{package}"]
    warnings = ["-Wall", "-Wextra", "-Werror"]
    for name, text in {"state.c": STATE_C, "state.cpp": STATE_CPP, "two.cpp": TWO_CPP, "state.rs": STATE_RUST}.items():
        (folder / name).write_text(text)
    run("cc", "-std=c11", *warnings, folder / "state.c", "-o", folder / "state_c", *flags)
    run(folder / "state_c")
    both = [*flags, f"-I{other}/include", f"-L{other}", "-lnet", f"-Wl,-rpath,{other}", "-Wl,--no-as-needed", "-ldl"]
    for standard in ("c++17", "c++20"):
        run("g++", f"-std={standard}", *warnings, folder / "state.cpp", "-o", folder / "state_cpp", *flags, "-ldl")
        assert run(folder / "state_cpp", file) == wanted
        run("g++", f"-std={standard}", *warnings, folder / "two.cpp", "-o", folder / "two", *both)
        refusals = run(folder / "two", other / "libnet.so", library, folder / "libconstant.so")
        assert len(refusals) == 1 and "link one model, load others by path" in refusals[0], refusals
    for mode in ("with", "without"):
        assert run(sys.executable, "-c", STATE_PYTHON, file, other / "libnet.so", mode, cwd=package) == wanted
    if shutil.which("rustc"):
        shutil.copy(package / "match_.rs", folder)
        run("rustc", "--edition", "2021", "-D", "warnings", folder / "state.rs", "-o", folder / "state_rust")
        assert run(folder / "state_rust", library, file, other / "libnet.so") == wanted
    if shutil.which("go"):
        program = build_go(folder / "state_go", STATE_GO, package, other)
        assert run(program, library, file, other / "libnet.so") == wanted
        check_go_text(folder, sinter)


def build_go(folder: Path, text: str, *packages: Path) -> Path:
    """A module of that program, in which packages lie as folders named after their models."""
    folder.mkdir()
    (folder / "go.mod").write_text("module program\n\ngo 1.18\n")
    (folder / "main.go").write_text(text.lstrip())
    for package in packages:
        shutil.copytree(package, folder / next(package.glob("*.rs")).stem)
    files = [folder / "main.go", *folder.glob("*/model.go")]
    assert not run("gofmt", "-l", *files), run("gofmt", "-d", *files)
    run("go", "vet", "./...", cwd=folder)
    run("go", "build", "-o", "program", ".", cwd=folder)
    return folder / "program"


def check_go_text(folder: Path, sinter: str) -> None:
    """Text in and out of Go."""
    graph = h.make_graph(
        [h.make_node("StringConcat", ["a", "b"], ["y"])], "text", [h.make_tensor_value_info(name, T.STRING, ["n"]) for name in ("a", "b")],
        [h.make_tensor_value_info("y", T.STRING, ["n"])])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 20)], ir_version=9), folder / "text.onnx")
    run(sinter, "compile", folder / "text.onnx", "--package", folder / "text")
    program = build_go(folder / "text_go", TEXT_GO, folder / "text")
    assert run(program, folder / "text/libtext.so") == ["[가나 b ]"]


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

        if shutil.which("go"):
            lines = run(build_go(folder / "go", GO, package), library)
            assert lines[0] == wanted and refusal in lines[1], lines
            print("Go: right")
        else:
            print("not tried, since go is not installed: model.go")

        check_state(folder, sinter, package)
        print("state, several models, names: right")

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
