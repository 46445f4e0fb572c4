// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "Sinter",
  products: [
    .library(name: "Sinter", targets: ["Sinter", "SinterIR", "SinterOps"]),
    .library(name: "SinterModel", targets: ["SinterModel"]),
    .executable(name: "sinter", targets: ["SinterCLI"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    // C, and C made visible to Swift.
    .target(name: "SinterABI"),
    .target(name: "SinterRuntime", dependencies: ["SinterABI"], exclude: ["runtime"]),
    .target(name: "CLLVM", linkerSettings: [.linkedLibrary("LLVM-19")]),
    .target(name: "COnnx", exclude: ["onnx.proto"], linkerSettings: [.linkedLibrary("protobuf-c")]),
    .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),

    // The straight line, from the bottom up.
    .target(name: "SinterCore"),
    .target(name: "SinterKernel", dependencies: ["SinterCore", "COpenBLAS"]),
    .target(name: "SinterIR", dependencies: ["SinterCore", "SinterKernel"]),
    .target(name: "SinterOps", dependencies: ["SinterCore", "SinterKernel", "SinterIR"]),
    .target(name: "SinterPasses", dependencies: ["SinterCore", "SinterKernel", "SinterIR", "SinterOps"]),
    .target(name: "SinterLLVM", dependencies: ["SinterCore", "SinterKernel", "SinterRuntime", "CLLVM"]),
    .target(name: "SinterONNX", dependencies: ["SinterCore", "SinterIR", "SinterOps", "COnnx"]),
    .target(name: "SinterVisual", dependencies: ["SinterCore", "SinterKernel", "SinterIR"]),
    .target(name: "SinterModel", dependencies: ["SinterCore", "SinterABI"]),

    // What users import, and the command line.
    .target(
      name: "Sinter",
      dependencies: [
        "SinterCore", "SinterKernel", "SinterIR", "SinterOps", "SinterPasses", "SinterLLVM", "SinterONNX",
        "SinterVisual", "SinterModel",
      ]),
    .executableTarget(
      name: "SinterCLI",
      dependencies: [
        "Sinter", "SinterCore", "SinterIR", "SinterKernel", "SinterLLVM", "SinterModel", "SinterONNX", "SinterOps",
        "SinterPasses", "SinterVisual", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // The model zoo.
    .executableTarget(
      name: "digits-demo", dependencies: ["Sinter"], path: "models/digits",
      exclude: [
        "README.md", "classify.c", "data", "demo.sh", "digits.safetensors", "prepare_data.py", "train_digits.py",
      ]),

    .testTarget(
      name: "SinterRuntimeTests", dependencies: ["SinterCore", "SinterLLVM"], exclude: ["programs"]),
    .testTarget(name: "SinterModelTests", dependencies: ["SinterCore", "SinterLLVM", "SinterModel"]),
    .testTarget(
      name: "SinterTests",
      dependencies: ["Sinter", "SinterCore", "SinterIR", "SinterKernel", "SinterLLVM", "SinterOps", "SinterONNX"],
      exclude: ["Goldens"]),
    .testTarget(name: "SinterCLITests", dependencies: ["SinterCLI", "Sinter", "SinterCore"]),
    .testTarget(name: "StructureTests", dependencies: ["SinterCore", "SinterIR", "SinterOps"]),
    .testTarget(
      name: "SinterLLVMTests",
      dependencies: [
        "SinterCore", "SinterKernel", "SinterIR", "SinterOps", "SinterPasses", "SinterLLVM", "TestSupport",
      ]),
    .testTarget(name: "SinterCoreTests", dependencies: ["SinterCore"]),
    .testTarget(name: "SinterKernelTests", dependencies: ["SinterKernel", "SinterCore", "TestSupport"]),
    .target(
      name: "TestSupport", dependencies: ["SinterCore", "SinterIR", "SinterOps"], path: "Tests/TestSupport"),
    .testTarget(
      name: "SinterPassesTests",
      dependencies: ["SinterCore", "SinterKernel", "SinterIR", "SinterOps", "SinterPasses", "TestSupport"],
      exclude: ["Goldens"]),
    .testTarget(
      name: "CompilerTests",
      dependencies: [
        "Sinter", "SinterCore", "SinterKernel", "SinterIR", "SinterLLVM", "SinterONNX", "SinterOps", "TestSupport",
      ], exclude: ["programs"]),
    .testTarget(
      name: "PromiseTests",
      dependencies: ["SinterCLI", "Sinter", "SinterCore", "SinterLLVM", "SinterONNX", "SinterOps", "TestSupport"],
      exclude: ["programs"]),
    .testTarget(name: "SinterIRTests", dependencies: ["SinterCore", "SinterKernel", "SinterIR", "SinterOps"]),
    .testTarget(
      name: "SinterOpsTests",
      dependencies: [
        "SinterCore", "SinterKernel", "SinterIR", "SinterOps", "SinterPasses", "SinterONNX", "TestSupport",
      ]),
    .testTarget(name: "SinterONNXTests", dependencies: ["SinterONNX", "SinterCore", "SinterIR", "SinterOps"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c11
)
