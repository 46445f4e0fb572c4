import ArgumentParser
import Foundation
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

  enum Stage: String, CaseIterable, ExpressibleByArgument { case imported, optimized, fused }

  @OptionGroup var model: ModelArgument

  @Option(name: [.customShort("o"), .customLong("output")], help: "The file to write.", completion: .file())
  var output: String

  @Option(help: "The graph as read, after all passes, or as fused kernels.")
  var stage: Stage = .imported

  @Flag(help: "Draw blocks that repeat once, with their number.")
  var fold = false

  func validate() throws { try OutputFile.check(output, hasEnding: [".dot", ".svg", ".png"]) }

  func run() throws {
    var graph = try model.graph()
    var compiler = Compiler()
    if stage != .imported { graph = try compiler.optimize(graph) }
    let text: String
    if stage == .fused {
      text = FormDOTWriter.text(of: try compiler.fuse(compiler.lower(graph)))
    } else {
      text = DOTWriter.text(of: graph, foldingRepeats: fold)
    }
    guard let format = ["svg", "png"].first(where: { output.hasSuffix("." + $0) }) else {
      return try OutputFile.write(text, to: output)
    }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sinter-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (source, drawn) = ("\(folder)/graph.dot", "\(folder)/graph.\(format)")
    try OutputFile.write(text, to: source)
    let result: Subprocess.Result
    do {
      result = try Subprocess.run("dot", ["-T\(format)", source, "-o", drawn])
    } catch {
      throw DiagnosticError(
        .user, "graph.dot", "dot cannot be started", hint: "install graphviz, or write a .dot file")
    }
    guard result.succeeded, let data = FileManager.default.contents(atPath: drawn) else {
      throw DiagnosticError(.user, "graph.dot", "graphviz failed", output: result.output)
    }
    let file = try AtomicFile(output)
    try data.withUnsafeBytes { try file.append($0) }
    try file.commit()
  }
}
