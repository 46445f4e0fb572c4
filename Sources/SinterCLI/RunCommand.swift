import ArgumentParser
import Foundation
import Sinter
import SinterLLVM
import SinterModel

/// `sinter run`: a model on given or random inputs.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run an ONNX model or a compiled library once, and print or write its outputs.",
    discussion: """
      Example: sinter run libdigits.so image=digit.npy
               sinter run model.onnx --random --size batch=4 -o outputs
      """)

  @Argument(help: "An ONNX file, or a library that sinter compiled.", completion: .file())
  var model: String

  @Argument(help: "Inputs: port=FILE.npy, or one FILE.npz with an array for each port.")
  var inputs: [String] = []

  @Flag(help: "Make up the inputs that no file gives: floats in 0 ..< 1, small integers.")
  var random = false

  @Option(help: "The seed of random inputs.")
  var seed: UInt64 = 0

  @Option(help: ArgumentHelp("A symbolic size of random inputs; 1 by default.", valueName: "symbol=size"))
  var size: [String] = []

  @Option(help: "Threads; 0 for all.")
  var threads = 0

  @Option(name: [.customShort("o"), .customLong("output")], help: "A folder for the outputs, as NAME.npy; printed by default.")
  var output: String?

  func run() throws {
    guard model.hasSuffix(".so") else {
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sinter-\(UUID().uuidString)").path
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let argument = try ModelArgument.parse([model])
      var compiler = Compiler()
      var options = LibraryOptions(target: compiler.target)
      options.writesHeaders = false
      let path = "\(folder)/model.so"
      _ = try LibraryCompiler.compile(try compiler.kernels(of: argument.graph()), to: path, options: options)
      return try run(CompiledLibrary(path))
    }
    try run(CompiledLibrary(model))
  }

  private func run(_ library: CompiledLibrary) throws {
    let session = try library.session(threads: threads)
    let tensors = try values(library.inputs)
    let results = try session.run(tensors)
    if let output { try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true) }
    for (port, tensor) in zip(library.outputs, results) {
      if let output {
        let path = "\(output)/\(Symbol.sanitizedName(port.name)).npy"
        try NpyFile.write(tensor, to: path)
        print("\(port.name): \(tensor.element)\(tensor.shape) in \(path)")
      } else {
        print("\(port.name): \(tensor.element)\(tensor.shape) \(Self.summary(tensor))")
      }
    }
  }

  private func values(_ ports: [SinterModel.Port]) throws -> [HostTensor] {
    var given: [String: HostTensor] = [:]
    for argument in inputs {
      if argument.hasSuffix(".npz"), !argument.contains("=") {
        given.merge(try NpyFile.readArchive(argument)) { $1 }
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { throw ValidationError("\"\(argument)\" is not of the form port=FILE.npy") }
      given[parts[0]] = try NpyFile.read(parts[1])
    }
    var problems = given.keys.filter { name in !ports.contains { $0.name == name } }.sorted().map {
      Diagnostic(
        .user, "run.port", "there is no input \"\($0)\"", hint: "inputs are " + ports.map(\.name).joined(separator: ", "))
    }
    let sizes = try ModelArgument.sizes(size)
    var generator = SplitMix64(seed: seed)
    let tensors = ports.map { port -> HostTensor? in
      if let tensor = given[port.name] { return tensor }
      guard random, let element = port.element, let shape = port.shape else {
        problems.append(
          Diagnostic(.user, "run.input", "input \(port) is not given", hint: "add \(port.name)=FILE.npy, or --random"))
        return nil
      }
      let dims = shape.map { dimension -> Int in
        switch dimension {
        case .fixed(let size): size
        case .symbol(let name): sizes[Symbol(name)] ?? 1
        case .unknown: 1
        }
      }
      return generator.tensor(element, dims)
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    return tensors.compactMap { $0 }
  }

  private static func summary(_ tensor: HostTensor) -> String {
    guard let values = tensor.doubles else { return "" }
    let shown = values.prefix(8).map { String(format: "%.6g", $0) }.joined(separator: " ")
    return values.count > 8 ? shown + " …" : shown
  }
}

extension SplitMix64 {
  /// Floats in 0 ..< 1, integers and truth values 0 or 1.
  mutating func tensor(_ element: ElementType, _ shape: [Int]) -> HostTensor {
    let count = shape.reduce(1, *)
    if element == .string { return HostTensor(strings: [String](repeating: "", count: count), shape: shape) }
    let values = (0..<count).map { _ in uniform() }
    if element.isFloat { return HostTensor(element, shape, doubles: values) }
    return HostTensor(element, shape, integers: values.map { $0 < 0.5 ? 0 : 1 })
  }
}
