import ArgumentParser
import Sinter
import SinterIR
import SinterPasses

/// `sinter opt`: passes on a graph, as text.
struct OptCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "opt",
    abstract: "Run passes on a graph and print its text form.",
    discussion: """
      Example: sinter opt graph.sinter --passes fold,drop-dead
      Passes: \(Pipelines.all.map { "\($0.name) (\($0.summary))" }.joined(separator: "\n        "))
      """)

  @OptionGroup var model: ModelArgument

  @Option(help: "Names of passes in the order in which they run; all of the standard pipeline by default.")
  var passes: String?

  @Option(name: [.customShort("o"), .customLong("output")], help: "The file to write; standard output by default.")
  var output = "-"

  func run() throws {
    let graph = try model.graph()
    var compiler = Compiler()
    try OutputFile.write(try compiler.optimize(graph, with: try chosen()).description, to: output)
  }

  private func chosen() throws -> [Pass] {
    guard let passes else { return Pipelines.optimize }
    return try passes.split(separator: ",").map { name in
      guard let pass = Pipelines.all.first(where: { $0.name == name }) else {
        let known = Pipelines.all.map(\.name).joined(separator: ", ")
        throw ValidationError("there is no pass \"\(name)\"; known are \(known)")
      }
      return pass
    }
  }
}
