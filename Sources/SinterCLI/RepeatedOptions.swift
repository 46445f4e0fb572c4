import ArgumentParser
import Foundation

/// Options for one value that are given more than once. The parser takes the last of them and says nothing; here they are refused.
enum RepeatedOptions {
  /// What the parser tells of a command's arguments.
  private struct Tool: Decodable {
    struct Command: Decodable { var arguments: [Argument]? }
    struct Argument: Decodable {
      struct Name: Decodable {
        var kind: String
        var name: String
        /// As it is written on the command line.
        var text: String { (kind == "long" ? "--" : "-") + name }
      }
      var kind: String
      var isRepeating: Bool
      var parsingStrategy: String
      var names: [Name]?
    }
    var command: Command
  }

  /// - Throws: a `ValidationError` that names both values.
  static func check(_ arguments: [String], of command: any ParsableCommand.Type) throws {
    let known = try JSONDecoder().decode(Tool.self, from: Data(command._dumpHelp().utf8)).command.arguments ?? []
    // What another program takes is its own affair.
    if known.contains(where: { $0.parsingStrategy == "allRemainingInput" }) { return }
    var options: [String: Int] = [:]
    for (number, argument) in known.enumerated() where argument.kind == "option" {
      for name in argument.names ?? [] { options[name.text] = number }
    }
    var given: [Int: String] = [:]
    var rest = arguments[...]
    while let word = rest.popFirst(), word != "--" {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard word.hasPrefix("-"), let number = options[parts[0]],
        let value = parts.count > 1 ? parts[1] : rest.popFirst()
      else { continue }
      if known[number].isRepeating { continue }
      let text = "\(parts[0]) \(value)"
      if let other = given.updateValue(text, forKey: number) {
        throw ValidationError("\(other) and \(text) give one option two values: give it once")
      }
    }
  }
}
