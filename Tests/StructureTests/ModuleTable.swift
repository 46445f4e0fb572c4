/// One row of the architecture: a target, what it holds, and the modules that its files may import.
struct ModuleRow {
  let name: String
  let holds: String
  let mayImport: Set<String>
  /// Modules that a file may only import as `internal import`, so that no C type shows in an interface.
  var onlyInternally: Set<String> = []
}

/// The architecture as a table. `Glibc` and `Synchronization` are open to every module.
let moduleTable: [ModuleRow] = [
  ModuleRow(
    name: "SinterCore", holds: "element types, shapes, host tensors, typed indices, diagnostics, flags",
    mayImport: []),
  ModuleRow(
    name: "SinterForms", holds: "loop forms: bodies, lowering, fusion, text, verifier, interpreter",
    mayImport: ["SinterCore", "COpenBLAS"], onlyInternally: ["COpenBLAS"]),
  ModuleRow(
    name: "SinterIR", holds: "graph, operators as a protocol, builder, verifier, evaluator, pass manager",
    mayImport: ["SinterCore", "SinterForms"]),
  ModuleRow(
    name: "SinterOps", holds: "one file per operator or family",
    mayImport: ["SinterCore", "SinterForms", "SinterIR"]),
  ModuleRow(
    name: "SinterPasses", holds: "one pass per file, and the pipelines",
    mayImport: ["SinterCore", "SinterForms", "SinterIR", "SinterOps"]),
  ModuleRow(
    name: "SinterGradient", holds: "reverse-mode differentiation of graphs",
    mayImport: ["SinterCore", "SinterIR", "SinterOps"]),
  ModuleRow(
    name: "SinterQuantize", holds: "models made to compute in bytes: ranges, numbers, inserted nodes, errors",
    mayImport: ["SinterCore", "SinterIR", "SinterOps", "SinterPasses"]),
  ModuleRow(
    name: "SinterKernelIR", holds: "kernels: builder, text, verifier, interpreter, math, memory planner",
    mayImport: ["SinterCore", "SinterForms"]),
  ModuleRow(
    name: "SinterCPU", holds: "from forms to kernels for a processor: machine, cost, schedules, tuning",
    mayImport: ["SinterCore", "SinterForms", "SinterKernelIR"]),
  ModuleRow(
    name: "SinterLLVM", holds: "kernels to LLVM, targets, object files, linking",
    mayImport: ["SinterCore", "SinterForms", "SinterKernelIR", "SinterCPU", "SinterRuntime", "CLLVM"],
    onlyInternally: ["CLLVM", "SinterRuntime"]),
  ModuleRow(
    name: "SinterONNX", holds: "ONNX files to graphs and back",
    mayImport: ["SinterCore", "SinterIR", "SinterOps", "COnnx"], onlyInternally: ["COnnx"]),
  ModuleRow(
    name: "SinterVisual", holds: "drawings, and the page of sinter view",
    mayImport: ["SinterCore", "SinterForms", "SinterIR", "SinterViewer"], onlyInternally: ["SinterViewer"]),
  ModuleRow(
    name: "SinterModel", holds: "loads a compiled library and runs it",
    mayImport: ["SinterCore", "SinterABI"], onlyInternally: ["SinterABI"]),
  ModuleRow(
    name: "SinterFrontEnd", holds: "networks in Swift: layers, functions, traces, parameters, data; no compiler",
    mayImport: [
      "SinterCore", "SinterIR", "SinterOps", "SinterPasses", "SinterGradient", "SinterONNX", "CZlib", "Foundation",
    ], onlyInternally: ["CZlib"]),
  ModuleRow(
    name: "Sinter", holds: "what users import",
    mayImport: [
      "SinterCore", "SinterForms", "SinterIR", "SinterOps", "SinterPasses", "SinterKernelIR", "SinterCPU", "SinterLLVM",
      "SinterONNX", "SinterQuantize", "SinterGradient", "SinterVisual", "SinterModel", "SinterFrontEnd", "Foundation",
    ]),
  ModuleRow(
    name: "SinterVision", holds: "images: PNG and JPEG files, folders of classes",
    mayImport: ["Sinter", "SinterCore", "CPNG", "CTurboJPEG", "Foundation"], onlyInternally: ["CPNG", "CTurboJPEG"]),
  ModuleRow(
    name: "SinterTables", holds: "tables of text: CSV files to tensors",
    mayImport: ["Sinter", "SinterCore", "SwiftCSV", "Foundation"]),
  ModuleRow(
    name: "SinterRecords", holds: "what a run leaves behind: curves, TensorBoard's events, MLflow's folders",
    mayImport: ["Sinter", "SinterCore", "SinterIR", "SinterVision", "Foundation"]),
  ModuleRow(
    name: "SinterServing", holds: "what answers a request to a served model: protocol, queue, batches, versions",
    mayImport: ["SinterCore", "SinterModel"]),
  ModuleRow(
    name: "SinterServe", holds: "the servers around it, of the trait Serve",
    mayImport: [
      "SinterServing", "SinterCore", "SinterModel", "ArgumentParser", "Foundation", "FoundationEssentials", "GRPCCore",
      "GRPCNIOTransportHTTP2",
      "GRPCProtobuf", "HTTPTypes", "HummingbirdCore", "Logging", "NIOCore", "NIOPosix", "ServiceLifecycle",
      "SwiftProtobuf",
    ]),
  ModuleRow(
    name: "SinterCLI", holds: "the command line",
    mayImport: [
      "Sinter", "SinterCore", "SinterForms", "SinterIR", "SinterOps", "SinterPasses", "SinterKernelIR", "SinterCPU",
      "SinterLLVM", "SinterONNX", "SinterQuantize", "SinterGradient", "SinterVisual", "SinterModel", "SinterBindings",
      "ArgumentParser",
      "Foundation",
    ]),
]
