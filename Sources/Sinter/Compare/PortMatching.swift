import SinterIR

/// Which port of one model is which of another's.
package enum PortMatching {
  /// For each input that a second model wants, the place of the one that a first model has: that of the same name, or the same place where no name is
  /// shared. Throws where neither says it.
  package static func places(of wanted: [String], among given: [String]) throws(DiagnosticError) -> [Int] {
    let named = wanted.map { given.firstIndex(of: $0) }
    let places = named.compactMap { $0 }
    if places.count == wanted.count { return places }
    if places.isEmpty, wanted.count == given.count { return Array(wanted.indices) }
    throw DiagnosticError(
      .user, "diff.inputs", "inputs of the two models do not match by name",
      hint: "inputs are \(list(given)) and \(list(wanted)): give them the same names")
  }

  private static func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }
}
