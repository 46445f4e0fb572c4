import ArgumentParser
import Sinter

/// `--json`: what a command found or wrote, for programs. Keys are in camelCase and in order; a number that JSON has not is a text,
/// `"infinity"` or `"nan"`.
struct JSONOption: ParsableArguments {
  @Option(help: "Write a report in JSON; - for standard output, in place of the text.", completion: .file())
  var json: String?

  var isOnStandardOutput: Bool { json == "-" }

  /// Refuses a report where something else is to be written.
  func check(beside output: String?) throws {
    try OutputFile.check(json, of: "--json", beside: output)
  }

  /// Writes the report, where one is wanted.
  func write<Report: Encodable>(_ report: @autoclosure () throws -> Report) throws {
    guard let json else { return }
    try OutputFile.write(JSONText.of(try report()) ?? "{}", to: json)
  }

  /// Prints text for people, unless a report takes its place.
  func say(_ text: @autoclosure () -> String) {
    if !isOnStandardOutput { StandardOutput.print(text()) }
  }
}
