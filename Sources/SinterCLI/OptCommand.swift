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

  func validate() throws {
    try OutputFile.check(output, hasEnding: [".sinter"])
    if !plugin.isEmpty, passes == nil {
      throw ValidationError("--plugin goes with --passes, which says when its passes run")
    }
  }

  func run() throws {
    let graph = try model.graph()
    var compiler = Compiler()
    let optimized = try compiler.optimize(graph, with: try chosen())
    if output == "-" { return try OutputFile.write(optimized.description, to: output) }
    try GraphTextFile.write(optimized, to: output)
  }

  private func chosen() throws -> [Pass] {
    guard let passes else { return Pipelines.optimize }
    let all = try Pipelines.all + plugin.flatMap { try PluginProgram($0).passes }
    // Which of two would run cannot be seen from the name.
    for (index, pass) in all.enumerated() where all[..<index].contains(where: { $0.name == pass.name }) {
      throw ValidationError("two passes are named \"\(pass.name)\"; give the plugin's another name")
    }
    return try passes.split(separator: ",").map { name in
      guard let pass = all.first(where: { $0.name == name }) else {
        let known = all.map(\.name).joined(separator: ", ")
        throw ValidationError("there is no pass \"\(name)\"; known are \(known)")
      }
      return pass
    }
  }
}
