extension Dim.Atom {
  private var rank: Int {
    switch self {
    case .symbol: 0
    case .quotient: 1
    case .remainder: 2
    case .minimum: 3
    case .maximum: 4
    case .joint: 5
    case .place: 6
    case .scaled: 7
    case .product: 8
    case .overflow: 9
    }
  }

  /// Less than zero where `a` stands first, zero where both are equal: a total order, so that canonical forms are unique.
  static func order(_ a: Dim.Atom, _ b: Dim.Atom) -> Int {
    switch (a, b) {
    case (.symbol(let x), .symbol(let y)): return x == y ? 0 : x < y ? -1 : 1
    case (.quotient(let p, let q), .quotient(let r, let s)), (.remainder(let p, let q), .remainder(let r, let s)),
      (.minimum(let p, let q), .minimum(let r, let s)), (.maximum(let p, let q), .maximum(let r, let s)),
      (.joint(let p, let q), .joint(let r, let s)), (.place(let p, let q), .place(let r, let s)),
      (.scaled(let p, let q), .scaled(let r, let s)), (.product(let p, let q), .product(let r, let s)):
      let first = Dim.order(p, r)
      return first != 0 ? first : Dim.order(q, s)
    default: return a.rank - b.rank
    }
  }

  /// The order of terms with these factors.
  static func order(_ a: [Dim.Atom], _ b: [Dim.Atom]) -> Int {
    // Higher degrees first, as polynomials are written.
    if a.count != b.count { return b.count - a.count }
    for (x, y) in zip(a, b) {
      let order = order(x, y)
      if order != 0 { return order }
    }
    return 0
  }
}

extension Dim {
  /// Less than zero where `a` stands first, zero where both are equal: a total order. It says nothing of which is greater.
  static func order(_ a: Dim, _ b: Dim) -> Int {
    if a.terms.count != b.terms.count { return a.terms.count - b.terms.count }
    for (x, y) in zip(a.terms, b.terms) {
      let order = Atom.order(x.factors, y.factors)
      if order != 0 { return order }
      if x.coefficient != y.coefficient { return x.coefficient < y.coefficient ? -1 : 1 }
    }
    return a.constant == b.constant ? 0 : a.constant < b.constant ? -1 : 1
  }
}
