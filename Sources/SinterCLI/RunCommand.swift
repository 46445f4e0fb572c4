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

  @Option(help: ArgumentHelp("A symbolic size of random inputs; 1 by default.", valueName: "symbol=size"))
  var size: [String] = []

  @Option(help: "Threads; 0 for all.")
  var threads = 0

  @Option(
    name: [.customShort("o"), .customLong("output")], help: "A folder for the outputs, as NAME.npy; printed by default."
  )
  var output: String?

  func run() throws {
    try model.withLibrary { library in
      let session = try library.session(threads: threads)
      let tensors = try inputs.tensors(for: library.inputs, sizes: ModelArgument.sizes(size), makingUp: false)
      try show(session.run(tensors), library.outputs)
    }
  }

  private func show(_ results: [HostTensor], _ ports: [SinterModel.Port]) throws {
    if let output { try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true) }
    for (port, tensor) in zip(ports, results) {
      if let output {
        let path = "\(output)/\(Symbol.sanitizedName(port.name)).npy"
        try NpyFile.write(tensor, to: path)
        print("\(port.name): \(tensor.element)\(tensor.shape) in \(path)")
      } else {
        print("\(port.name): \(tensor.element)\(tensor.shape) \(Self.summary(tensor))")
      }
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
