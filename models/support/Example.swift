import Foundation
import Sinter

/// What the programs of `models` have in common: arguments by place, errors as text, and rows of the table that `make examples` prints.
public struct Example {
  public let name: String
  private let usage: String
  private let arguments: [String]

  /// Runs a program: prints what goes wrong, and ends the process with 2 where the arguments are at fault, else with 1.
  ///
  /// - Parameters:
  ///   - usage: what is printed where the arguments are at fault: the program's name and its arguments.
  ///   - most: how many arguments there may be.
  public static func main(_ usage: String, most: Int, _ body: (Example) throws -> Void) {
    let example = Example(
      name: usage.split(separator: " ").first.map(String.init) ?? usage, usage: usage,
      arguments: Array(CommandLine.arguments.dropFirst()))
    guard example.arguments.count <= most else { example.stop() }
    do { try body(example) } catch {
      print(error)
      exit(1)
    }
  }

  /// The argument at a place, counted from 0.
  public func text(_ place: Int, _ standard: String) -> String {
    arguments.indices.contains(place) ? arguments[place] : standard
  }

  /// The argument at a place, where there is one.
  public func optional(_ place: Int) -> String? { arguments.indices.contains(place) ? arguments[place] : nil }

  /// The whole number at a place.
  public func number(_ place: Int, _ standard: Int, atLeast least: Int = 1) -> Int {
    guard let number = Int(text(place, "\(standard)")), number >= least else { stop() }
    return number
  }

  /// One of some words at a place, the first by default.
  public func choice(_ place: Int, _ words: [String]) -> String {
    let word = text(place, words[0])
    guard words.contains(word) else { stop() }
    return word
  }

  private func stop() -> Never {
    print("usage: \(usage)")
    exit(2)
  }

  /// A row of the table of examples.
  ///
  /// - Parameters:
  ///   - run: what was run.
  ///   - figures: what came of it, in the format of `String(format:)`.
  ///   - expected: what is to come of a run in full.
  public func row(_ run: String, _ figures: String, _ values: Double..., expected: String = "") {
    print("| `\(name)` | \(run) | \(String(format: figures, arguments: values)) | \(expected) |")
  }

  /// Ends the program with an error unless something holds that must, whatever the run.
  public func check(_ holds: Bool, _ message: String) throws {
    if !holds { throw DiagnosticError(.user, "example.\(name)", message) }
  }

  /// Makes a folder for what a run leaves; nil where nothing is asked for.
  public static func folder(_ path: String?) throws -> String? {
    if let path { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    return path
  }

  /// A line about the run as it goes on.
  public static func tell(_ text: String, _ values: Double...) {
    print(values.isEmpty ? text : String(format: text, arguments: values))
    fflush(nil)
  }

  /// The seconds that something takes.
  public static func seconds(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock(), begin = clock.now
    try body()
    return (clock.now - begin) / .seconds(1)
  }
}
