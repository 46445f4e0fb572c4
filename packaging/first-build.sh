#!/bin/sh
# Makes packages of one's own that depend on this one, as the README says, builds each from nothing, runs its program, and prints the seconds:
# first-build.sh [FOLDER]. The first takes what defines and traces networks, and neither resolves, builds nor links LLVM; its program traces a network and
# exports it. The second takes all of Sinter, and its program compiles the network and runs it, too.
set -eu
cd "$(dirname "$0")/.."
sinter=$PWD
folder=${1:-.build/first}
rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

build() {  # product
  mkdir -p "$folder/$1/Sources/App"
  cat >"$folder/$1/Package.swift" <<END
// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "App",
  dependencies: [.package(name: "Sinter", path: "$sinter")],
  targets: [.executableTarget(name: "App", dependencies: [.product(name: "$1", package: "Sinter")])])
END
  cat >"$folder/$1/Sources/App/main.swift"
  cd "$folder/$1"
  echo "== $1"
  time -p swift build
  program=$(swift build --show-bin-path)/App
  "$program"
}

build SinterFrontEnd <<'END'
import SinterFrontEnd

struct Net: UnaryLayer {
  var hidden = Linear(4, 8), last = Linear(8, 2)
  func forward(_ x: Tensor) -> Tensor { last(hidden(x).relu()) }
}

let graph = try trace(Net(), .f32("batch", 4)).initialized(seed: 1).optimized()
try graph.export("net.onnx")
print(try (tensor([1, 2, 3]) * 2).sum().numbers())
END
if objdump -p "$program" | grep -i llvm; then
  echo "first-build.sh: a program that only defines and traces is linked with LLVM" >&2
  exit 1
fi
build Sinter <<'END'
import Sinter

struct Net: UnaryLayer {
  var hidden = Linear(4, 8), last = Linear(8, 2)
  func forward(_ x: Tensor) -> Tensor { last(hidden(x).relu()) }
}

let graph = try trace(Net(), .f32("batch", 4)).initialized(seed: 1).optimized()
try graph.export("net.onnx")
let model = try graph.compile(to: "libnet.so")
let results = try model.run(.f32([3, 4], [Float](repeating: 1, count: 12)))
print(results[0].shape)
END
