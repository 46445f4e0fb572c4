import ArgumentParser
import Sinter
import SinterONNX
import SinterPasses

/// `sinter export`: the optimized graph as standard ONNX.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write the simplified graph as standard ONNX, without private operators.",
    discussion: "Example: sinter export model.onnx -o simplified.onnx --bind batch=1")

  @OptionGroup var model: ModelArgument

  @Option(
    name: [.customShort("o"), .customLong("output")], help: "The file to write; - for standard output.",
    completion: .file())
  var output: String

  @Option(
    help: ArgumentHelp(
      "The opset of the file, from \(OnnxExporter.oldestOpset) on.",
      discussion:
        "Operators that came later are written in terms of others; what that opset cannot say is refused by name. Without it, the opset is the model's own, and newer where an operator needs it."
    ))
  var opset: Int?

  @Flag(
    help: """
      Write the graph as it was read, without simplifying it: each operator as itself, constants stored. Sizes that --bind gives are bound \
      all the same.
      """)
  var unoptimized = false

  func validate() throws { try OutputFile.check(output, hasEnding: [".onnx"]) }

  func run() throws {
    var compiler = Compiler()
    let graph = try compiler.optimize(try model.graph(), with: unoptimized ? [] : Pipelines.simplify)
    try OnnxExporter(opset: opset).file(of: graph).write(to: OutputFile.path(output))
  }
}
