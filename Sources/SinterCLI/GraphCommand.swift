import ArgumentParser
import Sinter
import SinterIR
import SinterVisual

/// `sinter graph`: a drawing of a model.
struct GraphCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph",
    abstract: "Draw a model as DOT, or as SVG or PNG through graphviz.",
    discussion: """
      Example: sinter graph model.onnx -o model.svg --stage optimized
      The output's ending chooses: .dot, .svg or .png.
      """)

  @OptionGroup var model: ModelArgument

  @Option(name: [.customShort("o"), .customLong("output")], help: "The file to write.", completion: .file())
  var output: String

  @Option(help: "The graph as read, after all passes, or as fused kernels.")
  var stage: DrawingStage = .imported

  @Flag(help: "Draw blocks that repeat once, with their number.")
  var fold = false

  @OptionGroup var json: JSONOption

  private struct Report: Encodable {
    var output: String
    var stage: String
    /// Boxes and arrows of the diagram, before any folding.
    var nodes: Int
    var edges: Int
    /// Nodes that could not be read, and stand in the drawing as the file names them.
    var problems: [JSONProblem]
  }

  func validate() throws {
    try OutputFile.check(output, hasEnding: [".dot", ".svg", ".png"])
    try json.check(beside: output)
  }

  func run() throws {
    var compiler = Compiler()
    let (graph, problems) = try model.drawableGraph()
    let diagram = try compiler.diagram(of: graph, stage)
    let text = DOTWriter.text(of: diagram, foldingRepeats: fold)
    if output == "-" { try OutputFile.write(text, to: output) } else { try Graphviz.write(dot: text, to: output) }
    try json.write(
      Report(
        output: output, stage: stage.rawValue, nodes: diagram.nodes.count, edges: diagram.edges.count,
        problems: problems.map(JSONProblem.init)))
  }
}

extension DrawingStage: ExpressibleByArgument {}
