// swift-tools-version: 6.2
import PackageDescription

// A command with all in it that compiling takes, LLVM and a linker among it, from archives that packaging/static.sh makes: make wheel.
let archives = Context.environment["SINTER_STATIC"]
let isStatic = archives != nil

// What serves models has dependencies of its own, which nobody resolves or builds who does not serve: swift build --traits Serve.
let http: TargetDependencyCondition? = .when(traits: ["ServeHTTP"])
let grpc: TargetDependencyCondition? = .when(traits: ["Serve"])

let package = Package(
  name: "Sinter",
  products: [
    .library(name: "Sinter", targets: ["Sinter", "SinterIR", "SinterOps"]),
    .library(name: "SinterFrontEnd", targets: ["SinterFrontEnd", "SinterIR", "SinterOps"]),
    .library(name: "SinterModel", targets: ["SinterModel"]),
    .library(name: "SinterModels", targets: ["SinterModels"]),
    .library(name: "SinterVision", targets: ["SinterVision"]),
    .library(name: "SinterTables", targets: ["SinterTables"]),
    .library(name: "SinterRecords", targets: ["SinterRecords"]),
    .executable(name: "sinter", targets: ["SinterCLI"]),
    .executable(name: "sinter-serve", targets: ["SinterServe"]),
  ],
  traits: [
    .trait(name: "ServeHTTP", description: "sinter-serve answers over HTTP; brings Hummingbird and SwiftNIO"),
    .trait(
      name: "Serve", description: "sinter-serve answers over HTTP and gRPC; brings gRPC and BoringSSL besides",
      enabledTraits: ["ServeHTTP"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/swiftcsv/SwiftCSV", from: "0.10.0"),
    // Of the traits Serve and ServeHTTP only.
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
  ],
  targets: [
    // C, and C made visible to Swift.
    .target(name: "SinterABI"),
    .target(
      name: "SinterRuntime", dependencies: ["SinterABI"], exclude: ["runtime"],
      cSettings: isStatic ? [.define("SINTER_STATIC")] : [],
      linkerSettings: isStatic ? [.linkedLibrary("sinter-prebuilt")] : []),
    .target(
      name: "CLLVM",
      cxxSettings: archives.map { [.define("SINTER_STATIC"), .unsafeFlags(["-fno-rtti", "-I\($0)/lld/include"])] }
        ?? [],
      linkerSettings: (isStatic ? ["lld", "LLVM-19", "z", "zstd"] : ["LLVM-19"]).map { .linkedLibrary($0) }),
    .target(name: "COnnx", exclude: ["onnx.proto"], linkerSettings: [.linkedLibrary("protobuf-c")]),
    .target(name: "SinterBindings", exclude: ["templates"]),
    .target(name: "SinterViewer", exclude: ["page"]),
    .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CPNG", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CTurboJPEG", providers: [.apt(["libturbojpeg0-dev"])]),

    // The straight line, from the bottom up.
    .target(name: "SinterCore"),
    .target(name: "SinterForms", dependencies: ["SinterCore", "COpenBLAS"]),
    .target(name: "SinterIR", dependencies: ["SinterCore", "SinterForms"]),
    .target(name: "SinterOps", dependencies: ["SinterCore", "SinterForms", "SinterIR"]),
    .target(name: "SinterPasses", dependencies: ["SinterCore", "SinterForms", "SinterIR", "SinterOps"]),
    .target(name: "SinterGradient", dependencies: ["SinterCore", "SinterIR", "SinterOps"]),
    .target(name: "SinterQuantize", dependencies: ["SinterCore", "SinterIR", "SinterOps", "SinterPasses"]),
    .target(name: "SinterKernelIR", dependencies: ["SinterCore", "SinterForms"]),
    .target(name: "SinterCPU", dependencies: ["SinterCore", "SinterForms", "SinterKernelIR"]),
    .target(
      name: "SinterLLVM",
      dependencies: ["SinterCore", "SinterForms", "SinterKernelIR", "SinterCPU", "SinterRuntime", "CLLVM"]),
    .target(name: "SinterONNX", dependencies: ["SinterCore", "SinterIR", "SinterOps", "COnnx"]),
    .target(name: "SinterVisual", dependencies: ["SinterCore", "SinterForms", "SinterIR", "SinterViewer"]),
    .target(name: "SinterModel", dependencies: ["SinterCore", "SinterABI"]),

    // What users import, and the command line.
    .target(
      name: "SinterFrontEnd",
      dependencies: ["SinterCore", "SinterIR", "SinterOps", "SinterPasses", "SinterGradient", "SinterONNX", "CZlib"]),
    .target(
      name: "Sinter",
      dependencies: [
        "SinterCore", "SinterForms", "SinterIR", "SinterOps", "SinterPasses", "SinterGradient", "SinterQuantize",
        "SinterKernelIR", "SinterCPU", "SinterLLVM", "SinterONNX", "SinterVisual", "SinterModel", "SinterFrontEnd",
      ]),
    .target(name: "SinterVision", dependencies: ["Sinter", "SinterCore", "CPNG", "CTurboJPEG"]),
    .target(
      name: "SinterTables", dependencies: ["Sinter", "SinterCore", .product(name: "SwiftCSV", package: "SwiftCSV")]),
    .target(name: "SinterRecords", dependencies: ["Sinter", "SinterCore", "SinterIR", "SinterVision"]),
    .executableTarget(
      name: "SinterCLI",
      dependencies: [
        "Sinter", "SinterCore", "SinterIR", "SinterKernelIR", "SinterCPU", "SinterLLVM", "SinterModel", "SinterONNX",
        "SinterGradient", "SinterOps", "SinterPasses", "SinterQuantize", "SinterVisual", "SinterBindings",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // Models behind HTTP and gRPC: what answers a request, without dependencies, and the servers around it.
    .target(name: "SinterServing", dependencies: ["SinterCore", "SinterModel"]),
    .executableTarget(
      name: "SinterServe",
      dependencies: [
        "SinterServing", "SinterCore", "SinterModel",
        .product(name: "ArgumentParser", package: "swift-argument-parser", condition: http),
        .product(name: "HummingbirdCore", package: "hummingbird", condition: http),
        .product(name: "GRPCCore", package: "grpc-swift-2", condition: grpc),
        .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport", condition: grpc),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf", condition: grpc),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: http),
        .product(name: "Logging", package: "swift-log", condition: http),
        .product(name: "NIOCore", package: "swift-nio", condition: http),
        .product(name: "NIOPosix", package: "swift-nio", condition: http),
        .product(name: "HTTPTypes", package: "swift-http-types", condition: http),
        .product(name: "SwiftProtobuf", package: "swift-protobuf", condition: grpc),
      ], exclude: ["protocol"]),

    // The model zoo.
    .executableTarget(
      name: "digits-demo", dependencies: ["Sinter"], path: "models/digits",
      exclude: [
        "README.md", "classify.c", "train.c", "data", "demo.sh", "prepare_data.py",
      ]),

    .target(name: "SinterModels", dependencies: ["Sinter"], path: "models/vision", exclude: ["README.md"]),

    .executableTarget(
      name: "training-bench", dependencies: ["Sinter", "SinterModels"], path: "Tests/Peers/training",
      exclude: ["networks.py", "networks_jax.py", "requirements.txt"]),

    .executableTarget(
      name: "mnist", dependencies: ["Sinter", "ExampleSupport"], path: "models/mnist", exclude: ["README.md"]),
    .executableTarget(name: "descent", dependencies: ["Sinter"], path: "models/descent", exclude: ["README.md"]),
    .executableTarget(
      name: "regression", dependencies: ["Sinter", "SinterTables"], path: "models/regression",
      exclude: ["README.md", "data", "prepare_data.py"]),
    .executableTarget(name: "xor", dependencies: ["Sinter"], path: "models/xor", exclude: ["README.md"]),
    .executableTarget(
      name: "fashion", dependencies: ["Sinter", "SinterRecords", "SinterVision"], path: "models/fashion",
      exclude: ["README.md"]),
    .executableTarget(name: "cifar", dependencies: ["Sinter"], path: "models/cifar", exclude: ["README.md"]),

    // The programs of the lessons.
    .executableTarget(name: "lessons", dependencies: ["Sinter"], path: "docs/learn/code"),

    // What the examples below have in common: arguments, pictures, texts.
    .target(name: "ExampleSupport", dependencies: ["Sinter"], path: "models/support", exclude: ["harbor.txt"]),
    .executableTarget(
      name: "autoencoder", dependencies: ["Sinter", "SinterVision", "ExampleSupport"], path: "models/autoencoder",
      exclude: ["README.md"]),
    .executableTarget(
      name: "characters", dependencies: ["Sinter", "ExampleSupport"], path: "models/characters",
      exclude: ["README.md"]),
    .executableTarget(
      name: "series", dependencies: ["Sinter", "ExampleSupport"], path: "models/series", exclude: ["README.md"]),
    .executableTarget(
      name: "gpt", dependencies: ["Sinter", "ExampleSupport"], path: "models/gpt", exclude: ["README.md"]),
    .executableTarget(
      name: "gan", dependencies: ["Sinter", "SinterVision", "ExampleSupport"], path: "models/gan",
      exclude: ["README.md"]),
    .executableTarget(
      name: "vit", dependencies: ["Sinter", "ExampleSupport"], path: "models/vit", exclude: ["README.md"]),
    .executableTarget(
      name: "unet", dependencies: ["Sinter", "SinterVision", "ExampleSupport"], path: "models/unet",
      exclude: ["README.md"]),
    .executableTarget(
      name: "style", dependencies: ["Sinter", "SinterVision", "ExampleSupport"], path: "models/style",
      exclude: ["README.md"]),
    .executableTarget(
      name: "transfer", dependencies: ["Sinter", "ExampleSupport"], path: "models/transfer", exclude: ["README.md"]),
    .executableTarget(
      name: "vae", dependencies: ["Sinter", "SinterVision", "ExampleSupport"], path: "models/vae",
      exclude: ["README.md"]),

    .testTarget(
      name: "SinterRuntimeTests", dependencies: ["SinterCore", "SinterLLVM"], exclude: ["programs"]),
    .testTarget(name: "SinterModelTests", dependencies: ["SinterCore", "SinterLLVM", "SinterModel"]),
    .testTarget(
      name: "SinterTests",
      dependencies: [
        "Sinter", "SinterModels", "SinterCore", "SinterForms", "SinterIR", "SinterKernelIR", "SinterLLVM", "SinterOps",
        "SinterONNX",
      ],
      exclude: ["Fixtures", "Goldens"]),
    .testTarget(
      name: "SinterTrainingTests",
      dependencies: ["Sinter", "SinterCore", "SinterRecords", "SinterTables", "SinterVision", "ExampleSupport", "xor"],
      exclude: ["Fixtures"]),
    .testTarget(name: "SinterServingTests", dependencies: ["Sinter", "SinterCore", "SinterModel", "SinterServing"]),
    .testTarget(name: "SinterCLITests", dependencies: ["SinterCLI", "Sinter", "SinterCore"]),
    .testTarget(name: "StructureTests", dependencies: ["SinterCore", "SinterIR", "SinterOps"]),
    .testTarget(
      name: "SinterLLVMTests",
      dependencies: [
        "SinterCore", "SinterForms", "SinterIR", "SinterOps", "SinterPasses", "SinterKernelIR", "SinterCPU",
        "SinterLLVM",
        "TestSupport",
      ]),
    .testTarget(name: "SinterCoreTests", dependencies: ["SinterCore"]),
    .testTarget(name: "SinterFormsTests", dependencies: ["SinterForms", "SinterCore", "TestSupport"]),
    .testTarget(
      name: "SinterKernelIRTests", dependencies: ["SinterKernelIR", "SinterForms", "SinterCore", "TestSupport"]),
    .testTarget(
      name: "SinterCPUTests",
      dependencies: ["SinterCPU", "SinterKernelIR", "SinterForms", "SinterCore", "TestSupport"]),
    .target(
      name: "TestSupport", dependencies: ["SinterCore", "SinterForms", "SinterIR", "SinterOps"],
      path: "Tests/TestSupport"),
    .testTarget(
      name: "SinterPassesTests",
      dependencies: ["SinterCore", "SinterForms", "SinterIR", "SinterOps", "SinterPasses", "TestSupport"],
      exclude: ["Goldens"]),
    .testTarget(
      name: "CompilerTests",
      dependencies: [
        "Sinter", "SinterCore", "SinterForms", "SinterIR", "SinterLLVM", "SinterModel", "SinterONNX", "SinterOps",
        "SinterPasses", "TestSupport",
      ], exclude: ["programs", "Images"]),
    .testTarget(
      name: "PromiseTests",
      dependencies: ["SinterCLI", "Sinter", "SinterCore", "SinterLLVM", "SinterONNX", "SinterOps", "TestSupport"],
      exclude: ["programs"]),
    .testTarget(
      name: "SinterQuantizeTests",
      dependencies: [
        "Sinter", "SinterCore", "SinterIR", "SinterONNX", "SinterOps", "SinterPasses", "SinterQuantize", "TestSupport",
      ]),
    .testTarget(name: "SinterIRTests", dependencies: ["SinterCore", "SinterForms", "SinterIR", "SinterOps"]),
    .testTarget(
      name: "SinterGradientTests",
      dependencies: [
        "SinterGradient", "Sinter", "SinterCore", "SinterForms", "SinterIR", "SinterModel", "SinterONNX", "SinterOps",
        "TestSupport",
      ], exclude: ["Fixtures", "programs"]),
    .testTarget(
      name: "SinterOpsTests",
      dependencies: [
        "SinterCore", "SinterForms", "SinterIR", "SinterOps", "SinterPasses", "SinterONNX", "TestSupport",
      ]),
    .testTarget(
      name: "SinterVisualTests",
      dependencies: [
        "Sinter", "SinterCore", "SinterForms", "SinterIR", "SinterONNX", "SinterOps", "SinterVisual",
      ]),
    .testTarget(name: "SinterONNXTests", dependencies: ["SinterONNX", "SinterCore", "SinterIR", "SinterOps"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c11,
  cxxLanguageStandard: .cxx17
)

// The readers for libFuzzer, built with --sanitize=fuzzer: make fuzz-files.
if Context.environment["SINTER_FUZZER"] != nil {
  package.products.append(.library(name: "SinterFuzz", type: .static, targets: ["SinterFuzz"]))
  package.targets.append(
    .target(
      name: "SinterFuzz",
      dependencies: [
        "SinterCore", "SinterForms", "SinterIR", "SinterKernelIR", "SinterONNX", "SinterOps", "SinterPasses",
      ],
      path: "Tests/Fuzz/Harness"))
}
