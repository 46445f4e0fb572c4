import Foundation
import Sinter

/// What the command line writes for programs: keys in order, so that equal results are equal texts.
enum JSONText {
  /// Numbers that JSON has not are texts. Nil where a value cannot be written at all.
  static func of(_ value: some Encodable) -> String? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "infinity", negativeInfinity: "-infinity", nan: "nan")
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) }
  }
}

/// A diagnostic for programs: the parts of what its line says.
struct JSONProblem: Codable {
  /// `error`, `unsupported`, or `internal error`.
  var kind: String
  /// A stable name, such as `onnx.operator`.
  var id: String
  var message: String
  /// Nodes, layers, files; innermost first.
  var places: [String]
  var hint: String?
  var output: String?

  init(_ diagnostic: Diagnostic) {
    kind = diagnostic.kind.rawValue
    id = diagnostic.id
    message = diagnostic.message
    places = diagnostic.places
    hint = diagnostic.hint
    output = diagnostic.output
  }

  var diagnostic: Diagnostic {
    Diagnostic(Diagnostic.Kind(rawValue: kind) ?? .user, id, message, at: places, hint: hint, output: output)
  }
}
