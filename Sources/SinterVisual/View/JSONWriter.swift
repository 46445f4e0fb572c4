/// Writes JSON that may stand inside of an HTML page: no `<`, `>` or `&` stands for itself.
struct JSONWriter {
  private(set) var text = ""

  mutating func raw(_ part: String) { text += part }

  mutating func string(_ value: String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "<", ">", "&", "\u{2028}", "\u{2029}", "\u{0}"..."\u{1f}", "\u{7f}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }

  /// A number; null where it is none.
  mutating func number(_ value: Double) {
    guard value.isFinite else { return raw("null") }
    raw(value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)")
  }

  mutating func integers(_ values: some Sequence<Int>) {
    raw("[" + values.map(String.init).joined(separator: ",") + "]")
  }

  mutating func list<T>(_ values: some Sequence<T>, _ write: (inout JSONWriter, T) -> Void) {
    raw("[")
    var isFirst = true
    for value in values {
      if !isFirst { raw(",") }
      isFirst = false
      write(&self, value)
    }
    raw("]")
  }

  mutating func strings(_ values: some Sequence<String>) { list(values) { $0.string($1) } }

  /// `"name":`, with a comma before it but for the first.
  mutating func key(_ name: String, first: Bool = false) { raw((first ? "\"" : ",\"") + name + "\":") }
}
