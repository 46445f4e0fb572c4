import ArgumentParser
import Foundation
import Sinter
import SinterIR
import SinterONNX

/// `sinter reduce`: the smallest part of a model that still fails.
struct ReduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reduce",
    abstract: "Remove nodes from a model for as long as a command still fails on it.",
    discussion: """
      Example: sinter reduce model.onnx -o small.onnx --check 'sinter diff {} --against onnxruntime'

      The command is run by the shell; {} stands for the file to try, which otherwise comes last. It fails where its exit status is not 0. What a part \
      reads of nodes that are gone becomes its input.
      """)

  @OptionGroup var model: ModelArgument

  @Option(
    name: [.customShort("o"), .customLong("output")], help: "The file to write, .onnx or .sinter.", completion: .file())
  var output: String

  @Option(help: "The command that fails.")
  var check: String

  @Option(
    help:
      "Text that the command's output must contain for a failure to count, so that no other failure takes its place.")
  var message: String?

  @OptionGroup var json: JSONOption

  private struct Report: Encodable {
    var output: String
    var nodesBefore: Int
    var nodesAfter: Int
    /// How many parts were tried.
    var trials: Int
    /// A line of text for each node that is left.
    var nodes: [String]
  }

  func validate() throws {
    if check.allSatisfy(\.isWhitespace) { throw ValidationError("--check needs a command") }
    try json.check(beside: output)
    guard output.hasSuffix(".onnx") || output.hasSuffix(".sinter") else {
      throw ValidationError("the output ends with .onnx or .sinter, which is what the command is given")
    }
  }

  func run() throws {
    try OutputFile.requireWritable(output, json.json)
    let graph = try model.graph()
    let result = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      Result { try reduced(graph, in: folder) }
    }
    let reducer = try result.get()
    try Self.write(reducer.graph, to: output)
    let lines = reducer.graph.order.map { reducer.graph.describe($0) }
    json.say("\(lines.count) of \(graph.order.count) nodes still fail, \(reducer.trials) parts tried")
    for line in lines { json.say("  \(line)") }
    try json.write(
      Report(
        output: output, nodesBefore: graph.order.count, nodesAfter: lines.count, trials: reducer.trials, nodes: lines))
  }

  private func reduced(_ graph: Graph, in folder: String) throws -> GraphReducer {
    let path = "\(folder)/part" + (output.hasSuffix(".onnx") ? ".onnx" : ".sinter")
    func fails(_ graph: Graph) throws -> Bool {
      do { try Self.write(graph, to: path) } catch { return false }
      let quoted = "'" + path.replacing("'", with: "'\\''") + "'"
      let command = check.contains("{}") ? check.replacing("{}", with: quoted) : check + " " + quoted
      let outcome = try Subprocess.run("/bin/sh", ["-c", command])
      if outcome.status == 126 || outcome.status == 127 {
        throw DiagnosticError(
          .user, "reduce.command", "the shell cannot run \(command)", hint: "check --check's spelling and PATH",
          output: outcome.output)
      }
      return !outcome.succeeded && (message.map { outcome.output.contains($0) } ?? true)
    }
    // What cannot be written is told as such: that a part cannot be only rules that part out.
    try Self.write(graph, to: path)
    // As it is written, and not as it was read: what fails must be what is taken apart.
    guard try fails(graph) else {
      throw DiagnosticError(
        .user, "reduce.check", "the command does not fail on the whole model",
        hint: "it must end with another status than 0" + (message == nil ? "" : ", and its output hold the message"))
    }
    return try GraphReducer(graph, fails: fails) { Terminal.progress("\($0) nodes") }
  }

  private static func write(_ graph: Graph, to path: String) throws {
    if path.hasSuffix(".onnx") {
      try OnnxExporter().file(of: graph).write(to: path)
    } else {
      try GraphTextFile.write(graph, to: path)
    }
  }
}
