import Glibc

/// What the environment tells Sinter. Every variable that it reads is here; `docs/flags.md` is made from this list.
public struct Flags: Hashable, Sendable {
  /// A variable of the environment.
  public struct Variable: Hashable, Sendable {
    /// Its name.
    public var name: String
    /// What it does, in one sentence.
    public var summary: String
  }

  /// `SINTER_VERIFY`: hold the graph and the programs below it against their invariants after every pass.
  public var verify = false
  /// `SINTER_DUMP`: a directory that gets one file for each stage that changed something.
  public var dumpDirectory: String?
  /// `SINTER_STOP_AFTER`: apply that many rewrites and no more, to find the one that breaks a model.
  public var stopAfter: Int?
  /// `SINTER_TIME`: print how long each stage took.
  public var time = false
  /// `SINTER_JSON_ERRORS`: the command line tells errors in JSON.
  public var jsonErrors = false
  /// `SINTER_BLESS`: tests rewrite their golden files instead of comparing with them.
  public var bless = false
  /// `SINTER_FUZZ`: how many cases each random test tries.
  public var fuzz: Int?
  /// `SINTER_FUZZ_SECONDS`: for how long the random test of sizes goes on.
  public var fuzzSeconds: Int?
  /// `SINTER_FUZZ_SEED`: the first seed of the random test of sizes.
  public var fuzzSeed: Int?

  /// All variables that Sinter reads.
  public static let variables: [Variable] = [
    Variable(
      name: "SINTER_VERIFY",
      summary: "Any value but 0 checks all invariants after every pass; a failure names the pass."),
    Variable(
      name: "SINTER_DUMP",
      summary: "A directory that gets a text file, such as 007-fold.sinter, after each stage that changed something."),
    Variable(
      name: "SINTER_STOP_AFTER",
      summary: "Stops rewriting after this many rewrites: halving the number finds the one that breaks a model."),
    Variable(name: "SINTER_TIME", summary: "Any value but 0 prints the time of each stage to standard error."),
    Variable(
      name: "SINTER_JSON_ERRORS",
      summary: "Any value but 0 makes the command print errors as a JSON array on standard error."),
    Variable(name: "SINTER_BLESS", summary: "Any value but 0 makes tests rewrite their golden files."),
    Variable(name: "SINTER_FUZZ", summary: "How many cases each random test tries, instead of a few."),
    Variable(name: "SINTER_FUZZ_SECONDS", summary: "For how many seconds the random test of sizes goes on."),
    Variable(name: "SINTER_FUZZ_SEED", summary: "The seed of the first graph of the random test of sizes."),
  ]

  public init() {}

  /// Reads variables; the process's environment unless told otherwise.
  public init(reading variable: (String) -> String?) {
    func isOn(_ name: String) -> Bool { variable(name).map { !$0.isEmpty && $0 != "0" } ?? false }
    verify = isOn("SINTER_VERIFY")
    dumpDirectory = variable("SINTER_DUMP").flatMap { $0.isEmpty ? nil : $0 }
    stopAfter = variable("SINTER_STOP_AFTER").flatMap { Int($0) }
    time = isOn("SINTER_TIME")
    jsonErrors = isOn("SINTER_JSON_ERRORS")
    bless = isOn("SINTER_BLESS")
    fuzz = variable("SINTER_FUZZ").flatMap { Int($0) }.map { max($0, 1) }
    fuzzSeconds = variable("SINTER_FUZZ_SECONDS").flatMap { Int($0) }
    fuzzSeed = variable("SINTER_FUZZ_SEED").flatMap { Int($0) }
  }

  /// The flags of this process.
  public static func fromEnvironment() -> Flags {
    Flags { name in getenv(name).map { String(cString: $0) } }
  }

  /// The page `docs/flags.md`.
  public static var documentation: String {
    var page = "# Environment variables\n\n| variable | what it does |\n|---|---|\n"
    for variable in variables { page += "| `\(variable.name)` | \(variable.summary) |\n" }
    return page
  }
}
