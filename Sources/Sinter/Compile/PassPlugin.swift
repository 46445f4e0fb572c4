import Foundation
import SinterGradient
import SinterIR
import SinterOps

/// Passes of yours as a program of its own, which `sinter opt --plugin PROGRAM` runs among the compiler's.
///
///     import Sinter
///     import SinterIR
///
///     PassPlugin.run([.mergeExponentials])
///
/// Between the two programs graphs travel as text, with their weights beside it: `PROGRAM passes` lists the passes, a line each with a tab
/// between name and summary, and `PROGRAM run NAME IN.sinter OUT.sinter` runs one. A program in any language may do the same.
public enum PassPlugin {
  /// Does what the command line asks for, and ends the process: with status 0, or with a sentence on standard error and status 1.
  ///
  /// - Parameter operators: what nodes may be. Where a pass adds operators of yours, `sinter` does not know them: they must be gone when it
  ///   ends.
  public static func run(
    _ passes: [Pass], arguments: [String] = CommandLine.arguments, operators: OpTable = .complete
  ) -> Never {
    do {
      if let text = try answer(passes, Array(arguments.dropFirst()), operators) { print(text) }
      exit(0)
    } catch {
      StandardError.write("\(error)\n")
      exit(1)
    }
  }

  private static func answer(_ passes: [Pass], _ arguments: [String], _ operators: OpTable) throws -> String? {
    if arguments == ["passes"] { return passes.map { "\($0.name)\t\($0.summary)" }.joined(separator: "\n") }
    guard arguments.count == 4, arguments[0] == "run", let pass = passes.first(where: { $0.name == arguments[1] })
    else {
      let known = passes.map(\.name).joined(separator: ", ")
      throw DiagnosticError(
        .user, "plugin.usage", "expected \"passes\", or \"run NAME IN.sinter OUT.sinter\" with a name out of \(known)",
        hint: "sinter opt --plugin calls this program")
    }
    var flags = Flags.fromEnvironment()
    flags.verify = true
    var manager = PassManager(flags: flags)
    var graph = try GraphTextFile.read(arguments[2], operators: operators)
    try manager.run(pass, on: &graph)
    try GraphTextFile.write(graph, to: arguments[3])
    return nil
  }
}

/// A program that holds passes, as the compiler sees it.
package struct PluginProgram {
  package let passes: [Pass]

  /// Asks the program at `path` what passes it has.
  package init(_ path: String) throws {
    // A name without a slash is that of a file here, or else one to search for.
    let program = !path.contains("/") && Files.exists(path) ? "./\(path)" : path
    let listed = try Subprocess.run(program, ["passes"])
    let lines = listed.output.split(separator: "\n").map {
      $0.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    }
    guard listed.succeeded, !lines.isEmpty, lines.allSatisfy({ $0.count == 2 && !$0[0].isEmpty }) else {
      throw DiagnosticError(
        .user, "plugin.list", "\(path) does not list its passes", hint: "a program made with PassPlugin.run does",
        output: listed.output)
    }
    passes = lines.map { line in
      Pass(line[0], line[1]) { graph, log in
        let before = graph
        graph = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
          Result { try Self.run(line[0], of: program, on: before, in: folder) }
        }.get()
        if graph.description != before.description { log.add(line[0]) }
      }
    }
  }

  private static func run(_ pass: String, of program: String, on graph: Graph, in folder: String) throws -> Graph {
    let (given, made) = ("\(folder)/in.sinter", "\(folder)/out.sinter")
    try GraphTextFile.write(graph, to: given)
    let result = try Subprocess.run(program, ["run", pass, given, made])
    guard result.succeeded else {
      throw DiagnosticError(.user, "plugin.run", "the pass \(pass) of \(program) failed", output: result.output)
    }
    guard Files.exists(made) else {
      throw DiagnosticError(
        .user, "plugin.run", "the pass \(pass) of \(program) ended with status 0 but wrote no graph",
        hint: "a program made with PassPlugin.run writes it to the last of its arguments", output: result.output)
    }
    return try GraphTextFile.read(made)
  }
}
