/// The texts of errors that checks report when a model runs.
package enum ErrorText {
  /// The text with the value that failed for %0, the bound that it did not keep for %1, and for %2 the value as it was before the bound was added
  /// because it was negative.
  package static func filled(_ text: String, value: Int64, bound: Int64) -> String {
    var message = ""
    var rest = text[...]
    while let percent = rest.firstIndex(of: "%") {
      message += rest[..<percent]
      rest = rest[rest.index(after: percent)...]
      switch rest.first {
      case "0": message += "\(value)"
      case "1": message += "\(bound)"
      case "2": message += "\(value < 0 ? value &- bound : value)"
      default:
        message += "%"
        continue
      }
      rest = rest.dropFirst()
    }
    return message + rest
  }
}
