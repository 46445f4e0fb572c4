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

  @OptionGroup var json: JSONOption

  private struct Report: Encodable {
    var output: String
    /// Versions by domain; that of ONNX itself is `ai.onnx`.
    var opsets: [String: Int]
    /// Of the graph that is written.
    var nodes: Int
    var inputs: [PortInspection]
    var outputs: [PortInspection]
  }

  func validate() throws {
    try OutputFile.check(output, hasEnding: [".onnx"])
    try json.check(beside: output)
  }

  func run() throws {
    var compiler = Compiler()
    let graph = try compiler.optimize(try model.graph(), with: unoptimized ? [] : Pipelines.simplify)
    let file = try OnnxExporter(opset: opset).file(of: graph)
    try file.write(to: try OutputFile.path(output))
    let (inputTypes, outputTypes) = (
      graph.inputs.map { graph.type(of: $0) }, graph.outputs.map { graph.type(of: $0.value) }
    )
    try json.write(
      Report(
        output: output,
        opsets: Dictionary(file.operatorSets.map { ($0.domain.isEmpty ? "ai.onnx" : $0.domain, Int($0.version)) }) {
          a, _ in a
        },
        nodes: graph.order.count, inputs: graph.callerInputs.map { PortInspection($0, inputTypes) },
        outputs: graph.callerOutputs.map { PortInspection($0, outputTypes) }))
  }
}
