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

  func validate() throws { try OutputFile.check(output, hasEnding: [".dot", ".svg", ".png"]) }

  func run() throws {
    var compiler = Compiler()
    let diagram = try compiler.diagram(of: model.drawableGraph(), stage)
    let text = DOTWriter.text(of: diagram, foldingRepeats: fold)
    if output == "-" { return try OutputFile.write(text, to: output) }
    try Graphviz.write(dot: text, to: output)
  }
}

extension DrawingStage: ExpressibleByArgument {}
