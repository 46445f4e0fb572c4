import ArgumentParser
import Sinter
import SinterIR

/// `sinter check`: everything that keeps a model from compiling.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Tell every operator, type and shape of a model that would not compile, with the names of nodes.",
    discussion: """
      Example: sinter check model.onnx --bind batch=1

      What depends on a node that is told of is left out, and all else is checked to the end: operators, types and shapes, lowering, \
      schedules. Nothing is told of exactly the models that compile.
      """)

  @OptionGroup var model: ModelArgument

  func run() throws {
    var (graph, problems) = try ModelFile(path: model.model).partialGraph(binding: ModelArgument.sizes(model.bind))
    var compiler = Compiler()
    problems += compiler.problems(of: graph).filter { !problems.contains($0) }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    print("\(model.model) compiles: \(graph.order.count) nodes")
    for port in graph.outputs where !port.note.isEmpty { print("output \(port.name): \(port.note)") }
  }
}
