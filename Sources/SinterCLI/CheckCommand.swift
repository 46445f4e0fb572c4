import ArgumentParser
import Sinter
import SinterIR

/// `sinter check`: everything that keeps a model from compiling.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract:
      "List everything in a model that would not compile: operators, types and shapes, with the names of nodes.",
    discussion: """
      Example: sinter check model.onnx --bind batch=1

      Nodes that depend on a reported one are skipped; everything else is checked through all stages: operators, types and shapes, \
      lowering, schedules. A model compiles if, and only if, nothing is reported.
      """)

  @OptionGroup var model: ModelArgument

  @Option(help: "Write what was found in JSON; - for standard output.", completion: .file())
  var json: String?

  private struct Report: Encodable {
    var compiles: Bool
    var nodes: Int
    var problems: [JSONProblem]
    /// What is worth knowing about an output, by its name.
    var notes: [String: String]
  }

  func run() throws {
    var (graph, problems) = try ModelFile(path: model.model).partialGraph(binding: ModelArgument.sizes(model.bind))
    var compiler = Compiler()
    problems += compiler.problems(of: graph).filter { !problems.contains($0) }
    let noted = graph.outputs.filter { !$0.note.isEmpty }
    if let json {
      let report = Report(
        compiles: problems.isEmpty, nodes: graph.order.count, problems: problems.map(JSONProblem.init),
        notes: Dictionary(noted.map { ($0.name, $0.note) }) { first, _ in first })
      try OutputFile.write(JSONText.of(report) ?? "{}", to: json)
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    if json == "-" { return }
    StandardOutput.print("\(model.model) compiles: \(graph.order.count) nodes")
    for port in noted { StandardOutput.print("output \(port.name): \(port.note)") }
  }
}
