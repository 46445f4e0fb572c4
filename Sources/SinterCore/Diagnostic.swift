/// Something that went wrong, told so that the reader can mend it.
public struct Diagnostic: Hashable, Sendable {
  /// Whose mistake it is. Only front ends (importers, the trace, the command line) raise the first.
  public enum Kind: String, Hashable, Sendable {
    /// The input is wrong.
    case user = "error"
    /// The input is right, but Sinter does not support it.
    case limit = "unsupported"
    /// Sinter is wrong.
    case bug = "internal error"
  }

  /// Whose mistake it is.
  public var kind: Kind
  /// A short stable name such as `onnx.truncated`, for tests and for searching.
  public var id: String
  /// What happened, with the expected and the given value. One sentence without a full stop.
  public var message: String
  /// Where: nodes, layer paths, files; innermost first.
  public var places: [String]
  /// What to do about it, where that is known.
  public var hint: String?
  /// What another program printed about it, in lines.
  public var output: String?

  /// A diagnostic of a kind under a stable name. The message is one sentence without a full stop.
  public init(
    _ kind: Kind, _ id: String, _ message: String, at places: [String] = [], hint: String? = nil, output: String? = nil
  ) {
    self.kind = kind
    self.id = id
    self.message = message
    self.places = places
    self.hint = hint
    self.output = output
  }
}

extension Diagnostic: CustomStringConvertible {
  /// One line: `error: MatMul: inner sizes differ: 768 and 512 (node /encoder/MatMul_3); hint`, and the output of another program behind it.
  ///
  /// Names and texts come from files that anybody may have written: what would move the cursor, begin a line or turn the direction of writing
  /// is shown as an escape.
  public var description: String {
    var text = "\(kind.rawValue): \(message)"
    if !places.isEmpty { text += " (" + places.joined(separator: ", ") + ")" }
    if let hint { text += "; " + hint }
    let lines = (output ?? "").split(separator: "\n")
    return ([Substring(text)] + lines).map { Self.printable($0) }.joined(separator: "\n")
  }

  private static func printable(_ text: some StringProtocol) -> String {
    if text.unicodeScalars.allSatisfy({ !isHidden($0) }) { return String(text) }
    return text.unicodeScalars.map { isHidden($0) ? $0.escaped(asASCII: true) : String($0) }.joined()
  }

  private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}

/// All that went wrong in one stage.
public struct DiagnosticError: Error, Sendable, CustomStringConvertible {
  /// All that was found, in the order in which it was.
  public var diagnostics: [Diagnostic]

  /// An error of everything that was found, in the order in which it was.
  public init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

  /// An error of a single diagnostic.
  public init(
    _ kind: Diagnostic.Kind, _ id: String, _ message: String, at places: [String] = [], hint: String? = nil,
    output: String? = nil
  ) {
    diagnostics = [Diagnostic(kind, id, message, at: places, hint: hint, output: output)]
  }

  public var description: String { diagnostics.map(\.description).joined(separator: "\n") }

  /// The same errors with a place added to each: the node that was at work, the file it came from.
  public func located(at place: String) -> DiagnosticError {
    DiagnosticError(
      diagnostics.map { diagnostic in
        var copy = diagnostic
        if !copy.places.contains(place) { copy.places.append(place) }
        return copy
      })
  }

  /// The same errors with a path that means nothing to the user, of a temporary file, under the name that it stands for; taken away where there is
  /// none.
  package func naming(_ path: String, as name: String?) -> DiagnosticError {
    DiagnosticError(
      diagnostics.map { diagnostic in
        var copy = diagnostic
        if let name { copy.message = copy.message.replacing(path, with: name) }
        copy.places = copy.places.compactMap { $0 == path ? name : $0 }
        return copy
      })
  }
}
