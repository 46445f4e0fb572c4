extension Dim: CustomStringConvertible {
  /// As read back by `Dim(parsing:)`: `batch`, `past + 1`, `2*h - 1`, `floor((h + 1) / 2) + 1`, `max(a, b, 8)`.
  public var description: String {
    if terms.isEmpty { return "\(constant)" }
    var text = ""
    for term in terms {
      let body = term.factors.map(Self.describe).joined(separator: "*")
      let magnitude = term.coefficient.magnitude
      let piece = magnitude == 1 ? body : "\(magnitude)*\(body)"
      if text.isEmpty {
        text = term.coefficient < 0 ? "-" + piece : piece
      } else {
        text += (term.coefficient < 0 ? " - " : " + ") + piece
      }
    }
    if constant > 0 { text += " + \(constant)" }
    if constant < 0 { text += " - \(constant.magnitude)" }
    return text
  }

  private static func describe(_ atom: Atom) -> String {
    func group(_ dim: Dim) -> String {
      (dim.value ?? -1) >= 0 || dim.symbol != nil ? "\(dim)" : "(\(dim))"
    }
    func call(_ name: String) -> String {
      name + "(" + atom.members.map(\.description).joined(separator: ", ") + ")"
    }
    switch atom {
    case .symbol(let symbol): return symbol.name
    case .quotient(let a, let b): return "floor(\(group(a)) / \(group(b)))"
    case .remainder: return call("mod")
    case .minimum: return call("min")
    case .maximum: return call("max")
    case .joint: return call("joint")
    case .place: return call("place")
    case .scaled(let a, let b): return "scaled(\(a), \(b.value.flatMap { factor($0) } ?? 0))"
    case .product: return call("product")
    case .overflow: return "overflow()"
    }
  }
}
