import ArgumentParser
import Sinter
import SinterIR
import SinterPasses

/// `sinter opt`: passes on a graph, as text.
struct OptCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "opt",
    abstract: "Run passes on a graph and print its text form, or write it with its weights beside it.",
    discussion: """
      Example: sinter opt graph.sinter --passes fold,drop-dead
               sinter opt model.onnx -o model.sinter
               sinter opt model.onnx --plugin ./my-passes --passes fold,merge-exponentials

      A file gets its weights beside it, in a file of safetensors of its name and .safetensors, and is a model for every other command.

      Passes: \(Pipelines.all.map { "\($0.name) (\($0.summary))" }.joined(separator: "\n        "))
      """)

  @OptionGroup var model: ModelArgument

  @Option(help: "Names of passes in the order in which they run; all of the standard pipeline by default.")
  var passes: String?

  @Option(
    help: ArgumentHelp(
      "A program with passes of your own, made with PassPlugin.run; --passes names them like the others.",
      valueName: "program"), completion: .file())
  var plugin: [String] = []

  @Option(name: [.customShort("o"), .customLong("output")], help: "The file to write; standard output by default.")
  var output = "-"

  @OptionGroup var json: JSONOption

  private struct Report: Encodable {
    struct Pass: Encodable {
      var name: String
      var milliseconds: Double
    }
    var output: String
    var nodesBefore: Int
    var nodesAfter: Int
    /// In the order in which they ran.
    var passes: [Pass]
    /// How often each rule applied.
    var rewrites: [String: Int]
  }

  func validate() throws {
    try OutputFile.check(output, hasEnding: [".sinter"])
    try json.check(beside: output)
    if !plugin.isEmpty, passes == nil {
      throw ValidationError("--plugin goes with --passes, which says when its passes run")
    }
  }

  func run() throws {
    let graph = try model.graph()
    var compiler = Compiler()
    let optimized = try compiler.optimize(graph, with: try chosen())
    if output == "-" {
      try OutputFile.write(optimized.description, to: output)
    } else {
      try GraphTextFile.write(optimized, to: output)
    }
    try json.write(
      Report(
        output: output, nodesBefore: graph.order.count, nodesAfter: optimized.order.count,
        passes: compiler.stages.map { .init(name: $0.name, milliseconds: $0.milliseconds) },
        rewrites: compiler.rewrites.countByRule))
  }

  private func chosen() throws -> [Pass] {
    guard let passes else { return Pipelines.optimize }
    let all = try Pipelines.all + plugin.flatMap { try PluginProgram($0).passes }
    // Which of two would run cannot be seen from the name.
    for (index, pass) in all.enumerated() where all[..<index].contains(where: { $0.name == pass.name }) {
      throw ValidationError("two passes are named \"\(pass.name)\"; give the plugin's another name")
    }
    return try passes.listed.map { name in
      guard let pass = all.first(where: { $0.name == name }) else {
        let known = all.map(\.name).joined(separator: ", ")
        throw ValidationError("there is no pass \"\(name)\"; known are \(known)")
      }
      return pass
    }
  }
}
