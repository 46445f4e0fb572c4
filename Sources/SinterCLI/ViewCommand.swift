import ArgumentParser
import Foundation
import Sinter
import SinterCore
import SinterIR
import SinterModel
import SinterVisual

/// `sinter view`: a page that shows a model in a browser.
struct ViewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "view",
    abstract: "Write a page that shows a model in a browser: as imported, optimized and fused.",
    discussion: """
      Example: sinter view model.onnx -o model.html
               sinter view model.onnx -o model.html --measure

      The page is one file that needs no network and nothing beside it. Layers and repetitions are folded; a click unfolds them. docs/viewer.md \
      describes everything it shows.
      """)

  @OptionGroup var model: ModelArgument
  @OptionGroup var inputs: InputArguments
  @OptionGroup var math: MathArgument

  @Option(name: [.customShort("o"), .customLong("output")], help: "The page to write.", completion: .file())
  var output: String

  @Option(help: "Stages to show, with commas between: imported, optimized, fused.")
  var stages = "imported,optimized,fused"

  @Option(help: "Colour boxes by the times in a file that sinter profile --json wrote.", completion: .file())
  var profile: String?

  @Flag(help: "Measure these times now, on inputs given or made up.")
  var measure = false

  @Option(help: ArgumentHelp("A symbolic size of made-up inputs; 1 by default.", valueName: "symbol=size"))
  var size: [String] = []

  @Option(parsing: .unconditional, help: "Threads to measure with; 0 for all.")
  var threads = 0

  @Flag(name: .customLong("no-statistics"), help: "Do not look at the elements of weights.")
  var noStatistics = false

  @OptionGroup var json: JSONOption

  private struct Report: Encodable {
    var output: String
    var bytes: Int
    var stages: [String]
    /// Why nodes are shown as the file names them, and stages left out.
    var problems: [JSONProblem]
    /// Where the times come from, if there are any.
    var times: String?
  }

  func validate() throws {
    try json.check(beside: output)
    try OutputFile.check(output, hasEnding: [".html", ".htm"])
    if threads < 0 { throw ValidationError("--threads must be at least 0, but is \(threads)") }
    if profile != nil, measure { throw ValidationError("give either --profile or --measure") }
    if !inputs.inputs.isEmpty, !measure { throw ValidationError("inputs are for --measure") }
    if !size.isEmpty || threads != 0 || inputs.random || inputs.seed != 0, !measure {
      throw ValidationError("--size, --threads, --random and --seed are for --measure")
    }
    if math.math != .f32, !measure { throw ValidationError("--math is for --measure") }
  }

  func run() throws {
    let chosen = try stages.listed.map { name in
      guard let stage = DrawingStage(rawValue: name) else {
        throw ValidationError("there is no stage \"\(name)\"; known are imported, optimized, fused")
      }
      return stage
    }
    guard !chosen.isEmpty else { throw ValidationError("--stages takes at least one of imported, optimized, fused") }
    try OutputFile.requireWritable(output, json.json)
    let (graph, unknown) = try model.drawableGraph()
    var view = ModelView(of: graph, title: CompileCommand.name(ofFile: model.model), stages: Set(chosen))
    for problem in view.problems { Terminal.note("a later stage is left out: \(problem)") }
    view.page.hasStatistics = !noStatistics
    var times: String?
    if let profile {
      let file = try ProfileReport.read(profile)
      try file.refuseNodes(missingIn: view, of: model.model, profile)
      view.setTimes(file.times, file.words)
      times = file.words
    } else if measure {
      let report = ProfileReport(try measured(), nil)
      view.setTimes(report.times, report.words)
      times = report.words
    }
    let page = view.page.html
    try OutputFile.write(page, to: output)
    try json.write(
      Report(
        output: output, bytes: page.utf8.count, stages: view.page.stages.map(\.name),
        problems: (unknown + view.problems).map(JSONProblem.init), times: times))
  }

  private func measured() throws -> RunProfile {
    try model.withLibrary(profiles: true, math: math) { library in
      let session = try library.session(threads: threads)
      let values = try inputs.values(for: library.inputs, sizes: ModelArgument.sizes(size), makingUp: true)
      return try RunProfile(of: session, on: values, runs: 20)
    }
  }
}

extension ProfileReport {
  /// Where the times come from.
  var words: String {
    let total = String(format: "%.3g ms", milliseconds)
    return "medians of \(runs) runs of \(model) on \(target), \(total) per run"
  }

  var times: [LaunchTime] { launches.map { LaunchTime(nodes: $0.nodes, milliseconds: $0.milliseconds) } }

  /// Refuses a profile of another model: one that names nodes which this one does not have.
  func refuseNodes(missingIn view: ModelView, of model: String, _ path: String) throws {
    var seen = view.labels
    let strange = launches.flatMap(\.nodes).filter { !$0.isEmpty && seen.insert($0).inserted }
    if strange.isEmpty { return }
    let names = strange.prefix(3).map { "\"\($0)\"" }.joined(separator: ", ")
    let more = strange.count > 3 ? " and \(strange.count - 3) more" : ""
    throw DiagnosticError(
      .user, "view.profile",
      "\(path) is a profile of another model, named \(self.model): \(model) has no \(names)\(more)",
      hint: "write one with sinter profile \(model) --json FILE, or give --measure")
  }

  static func read(_ path: String) throws -> ProfileReport {
    let data = Data(try Files.contents(of: path))
    do {
      return try JSONDecoder().decode(ProfileReport.self, from: data)
    } catch {
      throw DiagnosticError(
        .user, "view.profile", "\(path) is no profile", hint: "write one with sinter profile MODEL --json FILE")
    }
  }
}
