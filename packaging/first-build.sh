#!/bin/sh
# Makes a package of one's own that depends on this one, as the README says, builds it from nothing, runs its program, and prints the seconds:
# first-build.sh [FOLDER]. The program traces a network, exports it, compiles it and runs it.
set -eu
cd "$(dirname "$0")/.."
sinter=$PWD
folder=${1:-.build/first}
rm -rf "$folder"
mkdir -p "$folder/Sources/App"
cat >"$folder/Package.swift" <<END
// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "App",
  dependencies: [.package(name: "Sinter", path: "$sinter")],
  targets: [.executableTarget(name: "App", dependencies: [.product(name: "Sinter", package: "Sinter")])])
END
cat >"$folder/Sources/App/main.swift" <<'END'
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
cd "$folder"
time -p swift build
"$(swift build --show-bin-path)/App"
