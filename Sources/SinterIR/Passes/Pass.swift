import SinterCore

/// A function from graphs to graphs that compute the same.
public struct Pass: Sendable {
  /// Short, in words joined by hyphens: the name on the command line and in dumps.
  public let name: String
  /// What it does, in one sentence.
  public let summary: String
  /// Changes the graph, and tells the log of each change.
  public let run: @Sendable (inout Graph, inout RewriteLog) throws -> Void

  /// A pass. What `run` changes it tells the log, which may ask it to stop.
  public init(
    _ name: String, _ summary: String, run: @escaping @Sendable (inout Graph, inout RewriteLog) throws -> Void
  ) {
    self.name = name
    self.summary = summary
    self.run = run
  }
}

/// Numbered files, one for each stage that changed something: `007-fuse.forms`.
public struct StageDumps: Sendable {
  private let directory: String?
  private var count = 0

  /// Writes nothing where there is no directory.
  public init(directory: String?) { self.directory = directory }

  /// Writes the next file.
  public mutating func write(_ text: @autoclosure () -> String, as name: String, suffix: String) throws {
    defer { count += 1 }
    guard let directory else { return }
    let number = "\(count)"
    try Files.createFolder(directory)
    let padding = String(repeating: "0", count: max(0, 3 - number.count))
    try Files.write(text(), to: "\(directory)/\(padding)\(number)-\(name).\(suffix)")
  }
}

/// Runs passes one after another, with what the flags ask for around each.
public struct PassManager {
  /// What is checked, written down and timed.
  public let flags: Flags
  /// What the passes changed.
  public private(set) var log: RewriteLog
  /// The files that were written.
  public private(set) var dumps: StageDumps
  /// Milliseconds each pass took, in the order of running.
  public private(set) var times: [(name: String, milliseconds: Double)] = []

  /// A manager without a pass run yet; the flags say what is verified and written, and after how many rewrites to stop.
  public init(flags: Flags, dumps: StageDumps? = nil) {
    self.flags = flags
    self.dumps = dumps ?? StageDumps(directory: flags.dumpDirectory)
    log = RewriteLog(limit: flags.stopAfter)
  }

  /// Runs passes in order.
  public mutating func run(_ passes: [Pass], on graph: inout Graph) throws {
    for pass in passes { try run(pass, on: &graph) }
  }

  /// Runs one pass, unless no more rewrites are allowed. Throws what it throws, and what the verifier finds behind it, with the pass's name.
  public mutating func run(_ pass: Pass, on graph: inout Graph) throws {
    guard log.isOpen else { return }
    let before = log.count
    let clock = ContinuousClock()
    let start = clock.now
    do {
      try pass.run(&graph, &log)
    } catch let error as DiagnosticError {
      throw error.located(at: "pass \(pass.name)")
    }
    times.append((pass.name, (clock.now - start).milliseconds))
    guard log.count > before else { return }
    try dumps.write(graph.description, as: pass.name, suffix: "sinter")
    guard flags.verify else { return }
    let problems = GraphVerifier.problems(of: graph)
    if !problems.isEmpty { throw DiagnosticError(problems).located(at: "after pass \(pass.name)") }
  }
}

extension Duration {
  /// As a number, for reports.
  package var milliseconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) * 1e3 + Double(attoseconds) * 1e-15
  }
}
