import ArgumentParser
import Foundation
import Sinter
import SinterCore
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

  @OptionGroup var model: ModelArgument
  @OptionGroup var inputs: InputArguments
  @OptionGroup var math: MathArgument

  @Option(help: ArgumentHelp("A symbolic size of random inputs; 1 by default.", valueName: "symbol=size"))
  var size: [String] = []

  @Option(parsing: .unconditional, help: "Threads; 0 for all.")
  var threads = 0

  @Option(
    name: [.customShort("o"), .customLong("output")], help: "A folder for the outputs, as NAME.npy; printed by default."
  )
  var output: String?

  @Option(help: "Write the outputs in JSON, with all their values; - for standard output.", completion: .file())
  var json: String?

  func validate() throws {
    if threads < 0 { throw ValidationError("--threads must be at least 0, but is \(threads)") }
    if inputs.seed != 0, !inputs.random { throw ValidationError("--seed is for --random") }
    if output == "" || output == "-" {
      throw ValidationError("-o takes the path of a folder; --json - writes outputs to standard output")
    }
  }

  func run() throws {
    try OutputFile.requireWritable(json)
    try model.withLibrary(math: math) { library in
      let session = try library.limitedSession(threads: threads)
      let values = try inputs.values(for: library.inputs, sizes: ModelArgument.sizes(size), makingUp: false)
      let results = try session.run(values: values)
      if let json {
        try OutputFile.write(ValueText.json(zip(library.outputs, results).map { ($0.name, $1) }), to: json)
      }
      if json != "-" { try show(results, library.outputs) }
    }
  }

  private func show(_ results: [HostValue], _ ports: [SinterModel.Port]) throws {
    if let output { try Files.createFolder(output) }
    for (port, value) in zip(ports, results) { try show(value, port.name, file: Symbol.sanitizedName(port.name)) }
  }

  /// A value, or its parts one after another: `scores[2]`, in `scores.2.npy`.
  private func show(_ value: HostValue, _ name: String, file: String) throws {
    switch value {
    case .none: StandardOutput.print("\(name): nothing")
    case .tensor(let tensor):
      if let output {
        let path = "\(output)/\(file).npy"
        try NpyFile.write(tensor, to: path)
        StandardOutput.print("\(name): \(tensor.element)\(tensor.shape) in \(path)")
      } else {
        StandardOutput.print("\(name): \(tensor.element)\(tensor.shape) \(Self.summary(tensor))")
      }
    case .sequence(let elements):
      if elements.isEmpty { StandardOutput.print("\(name): a sequence of 0 elements") }
      for (index, element) in elements.enumerated() { try show(element, "\(name)[\(index)]", file: "\(file).\(index)") }
    case .map(let keys, let values):
      try show(.tensor(keys), "\(name) keys", file: "\(file).keys")
      try show(.tensor(values), "\(name) values", file: "\(file).values")
    }
  }

  private static func summary(_ tensor: HostTensor) -> String {
    if tensor.element == .string {
      let shown = tensor.strings.prefix(8).map(TensorText.quoted).joined(separator: " ")
      return tensor.strings.count > 8 ? shown + " …" : shown
    }
    guard let values = tensor.doubles else { return "" }
    let shown = values.prefix(8).map { String(format: "%.6g", $0) }.joined(separator: " ")
    return values.count > 8 ? shown + " …" : shown
  }
}
