extension Dim {
  /// The smaller of both. Minima and maxima of minima and maxima are written as one maximum of minima, from which all is gone that
  /// cannot decide, and what is common to all sizes stands outside: `min(n + 3, max(n, n + m))` is `n + min(3, m)`.
  public static func min(_ a: Dim, _ b: Dim) -> Dim { extremum(of: a, b, isMaximum: false) }

  /// The greater of both, written as `min` does.
  public static func max(_ a: Dim, _ b: Dim) -> Dim { extremum(of: a, b, isMaximum: true) }

  private static func extremum(of a: Dim, _ b: Dim, isMaximum: Bool) -> Dim {
    if let x = a.value, let y = b.value { return Dim(isMaximum ? Swift.max(x, y) : Swift.min(x, y)) }
    if a.isOverflow || b.isOverflow { return .overflow }
    if a == b { return a }
    if let difference = (a - b).value { return (difference >= 0) == isMaximum ? a : b }
    if let difference = (b - a).value { return (difference >= 0) == isMaximum ? b : a }
    if a.extremumTerms == 0 && b.extremumTerms == 0 {
      // What nearly all are: two sizes without a minimum or maximum.
      if isAtMost(a, b) {
        if isAtMost(b, a) { return order(a, b) < 0 ? a : b }
        return isMaximum ? b : a
      }
      if isAtMost(b, a) { return isMaximum ? a : b }
      return MaximumOfMinima(clauses: isMaximum ? [[a], [b]] : [[a, b]]).dim
    }
    let (x, y) = (MaximumOfMinima(a), MaximumOfMinima(b))
    guard let both = isMaximum ? x.maximum(y) : x.minimum(y) else {
      // Too long to be written as one.
      let (first, second) = order(a, b) < 0 ? (a, b) : (b, a)
      return Dim(atom: isMaximum ? .maximum(first, second) : .minimum(first, second))
    }
    if both.clauses == x.clauses { return a }
    if both.clauses == y.clauses { return b }
    return both.dim
  }

  /// The quotient by a positive number of one minimum or maximum plus a number: that of the quotients. Nil for other sizes.
  func extremumDivided(by divisor: Int) -> Dim? {
    guard terms.count == 1, extremumTerm != nil else { return nil }
    return MaximumOfMinima(self).divided(by: divisor)?.dim
  }
}

/// The greatest of the smallest of some sizes: any nesting of minima and maxima in one form, which depends only on what is nested, not how.
private struct MaximumOfMinima {
  /// Sizes of which the smallest counts: sorted, and none of them known to be at least another one.
  typealias Clause = [Dim]

  /// None of them known to be at most another one. Sorted wherever two forms are compared.
  var clauses: [Clause]

  /// A form with more sizes is not written out.
  private static let limit = 24

  init(clauses: [Clause]) { self.clauses = clauses }

  // MARK: From sizes

  /// A size in this form: one clause of the size itself, unless it is a minimum or maximum, times a positive number, plus what has none.
  init(_ dim: Dim) {
    clauses = [[dim]]
    guard let index = dim.extremumTerm else { return }
    let term = dim.terms[index]
    guard term.coefficient > 0, let inner = Self.clauses(of: term.factors[0]) else { return }
    if dim.atom != nil {
      clauses = inner
      return
    }
    let rest = dim.removingTerm(at: index)
    let scale = Dim(term.coefficient)
    let scaled = inner.map { $0.map { $0 * scale + rest }.sorted { Dim.order($0, $1) < 0 } }
    if scaled.contains(where: { $0.contains(where: \.isOverflow) }) { return }
    clauses = scaled.sorted(by: Self.isIncreasing)
  }

  /// Nil for what was too long to be written in this form, and is therefore like a symbol.
  private static func clauses(of atom: Dim.Atom) -> [Clause]? {
    var found: [Clause] = []
    switch atom {
    case .minimum:
      let members = atom.members
      if members.contains(where: { MaximumOfMinima($0).clauses != [[$0]] }) { return nil }
      found = [members]
    case .maximum:
      for member in atom.members {
        let clauses = MaximumOfMinima(member).clauses
        if clauses.count > 1 { return nil }
        found += clauses
      }
    case .symbol, .quotient, .remainder, .joint, .place, .scaled, .product, .overflow: return nil
    }
    if found.reduce(0, { $0 + $1.count }) > limit { return nil }
    return found.map { $0.sorted { Dim.order($0, $1) < 0 } }.sorted(by: isIncreasing)
  }

  // MARK: Arithmetic

  /// Nil where the result is too long.
  func maximum(_ other: MaximumOfMinima) -> MaximumOfMinima? { Self.reduced(clauses + other.clauses) }

  /// Nil where the result is too long.
  func minimum(_ other: MaximumOfMinima) -> MaximumOfMinima? {
    if clauses.count == 1 && other.clauses.count == 1 { return Self.reduced([clauses[0] + other.clauses[0]]) }
    // Each size of one stands beside each clause of the other: sizes that are long themselves would grow with every step.
    guard clauses.count * other.clauses.count <= 2 * Self.limit else { return nil }
    let product = Self.reduced(clauses.flatMap { x in other.clauses.map { y in x + y } })
    guard let product, product.atoms <= atoms + other.atoms + Self.limit else { return nil }
    return product
  }

  /// Nil where this is a size of its own, so that dividing it would ask for the same again.
  func divided(by divisor: Int) -> MaximumOfMinima? {
    if clauses.count == 1 && clauses[0].count == 1 { return nil }
    return Self.reduced(clauses.map { $0.map { $0 / Dim(divisor) } })
  }

  private var atoms: Int { clauses.reduce(0) { $1.reduce($0) { $0 + $1.atoms } } }

  private static func reduced(_ raw: [Clause]) -> MaximumOfMinima? {
    if raw.count == 1 && raw[0].count == 1 { return MaximumOfMinima(clauses: raw) }
    guard let table = SizeTable(Array(raw.joined())) else { return nil }
    let shortened = raw.map { table.set(of: $0) }.map { clause in
      table.elements(of: clause).reversed().reduce(clause) { kept, size in
        let others = kept & ~(1 << size)
        return others & table.below[size] == 0 ? kept : others
      }
    }
    var kept = shortened.map { (set: $0, clause: table.sizes(of: $0)) }.sorted { isIncreasing($0.clause, $1.clause) }
    // A minimum is at most another one where each size in that has one below it here. Of two that are equal the first one stays.
    for index in kept.indices.reversed() {
      let clause = kept[index].set
      let isNeedless = kept.indices.contains { other in
        other != index && table.elements(of: kept[other].set).allSatisfy { table.below[$0] & clause != 0 }
      }
      if isNeedless { kept.remove(at: index) }
    }
    if kept.reduce(0, { $0 + $1.clause.count }) > limit { return nil }
    return MaximumOfMinima(clauses: kept.map(\.clause))
  }

  /// Up to 64 sizes, sorted, and which of them are at most which others. Sets of them are bits.
  private struct SizeTable {
    var sizes: [Dim]
    /// For each size, itself and those that are known to be at most it.
    var below: [UInt64]

    /// Nil where there are too many.
    init?(_ all: [Dim]) {
      sizes = []
      for size in all.sorted(by: { Dim.order($0, $1) < 0 }) where sizes.last != size { sizes.append(size) }
      let sizes = sizes
      if sizes.count > 64 { return nil }
      below = sizes.indices.map { greater in
        sizes.indices.reduce(0) { $1 == greater || Dim.isAtMost(sizes[$1], sizes[greater]) ? $0 | 1 << $1 : $0 }
      }
    }

    func set(of clause: Clause) -> UInt64 {
      clause.reduce(0) { set, size in sizes.firstIndex(of: size).map { set | 1 << $0 } ?? set }
    }

    func elements(of set: UInt64) -> [Int] { sizes.indices.filter { set & 1 << $0 != 0 } }

    func sizes(of set: UInt64) -> Clause { elements(of: set).map { sizes[$0] } }
  }

  private static func isIncreasing(_ a: Clause, _ b: Clause) -> Bool {
    for (x, y) in zip(a, b) {
      let order = Dim.order(x, y)
      if order != 0 { return order < 0 }
    }
    return a.count < b.count
  }

  // MARK: To sizes

  var dim: Dim {
    if clauses.count == 1 { return Self.minimum(of: clauses[0]) }
    let (shift, scale) = Self.common(of: Array(clauses.joined()))
    let members = clauses.map { Self.minimum(of: $0.map { Self.without($0, shift, scale) }) }
    return Self.chain(members) { .maximum($0, $1) } * Dim(scale) + shift
  }

  private static func minimum(of clause: Clause) -> Dim {
    if clause.count == 1 { return clause[0] }
    let (shift, scale) = common(of: clause)
    return chain(clause.map { without($0, shift, scale) }) { .minimum($0, $1) } * Dim(scale) + shift
  }

  private static func chain(_ members: [Dim], _ atom: (Dim, Dim) -> Dim.Atom) -> Dim {
    if members.count == 2 {
      return Dim.order(members[0], members[1]) < 0
        ? Dim(atom: atom(members[0], members[1])) : Dim(atom: atom(members[1], members[0]))
    }
    let sorted = members.sorted { Dim.order($0, $1) < 0 }
    return sorted.dropLast().reversed().reduce(sorted[sorted.count - 1]) { Dim(atom: atom($1, $0)) }
  }

  /// All sizes are `shift + scale · rest`, where no product has a negative coefficient in a rest, each is missing in one, and no number
  /// divides them all. The shift has no minimum and no maximum, and so each rest as many as the size.
  ///
  /// Nothing is moved where numbers are so great that sums of them might overflow.
  private static func common(of sizes: [Dim]) -> (shift: Dim, scale: Int) {
    if sizes.contains(where: { $0.greatestNumber > 1 << 40 }) { return (Dim(0), 1) }
    var shift = sizes.dropFirst().reduce(sizes[0]) { Dim.merged($0, $1) { (Swift.min($0, $1), false) } }
    if shift.extremumTerms > 0 {
      shift = Dim(sorted: shift.terms.filter { !$0.isExtremum }, constant: shift.constant)
    }
    var divisor: UInt = 0
    for size in sizes {
      let rest = size - shift
      divisor = rest.terms.reduce(Dim.gcd(divisor, rest.constant.magnitude)) { Dim.gcd($0, $1.coefficient.magnitude) }
    }
    return (shift, Int(divisor))
  }

  private static func without(_ size: Dim, _ shift: Dim, _ scale: Int) -> Dim {
    let rest = size - shift
    if scale == 1 { return rest }
    return Dim(
      sorted: rest.terms.map { Dim.Term(coefficient: $0.coefficient / scale, factors: $0.factors) },
      constant: rest.constant / scale)
  }
}

extension Dim {
  /// How many symbols stand in it, each as often as it does.
  var atoms: Int {
    terms.reduce(0) { sum, term in
      term.factors.reduce(sum) { sum, factor in factor.operands.map { sum + $0.atoms + $1.atoms } ?? sum + 1 }
    }
  }

  fileprivate var greatestNumber: UInt {
    terms.reduce(constant.magnitude) { Swift.max($0, $1.coefficient.magnitude) }
  }

  /// The one term that is a minimum or maximum times a number; nil where there is none, or another one.
  fileprivate var extremumTerm: Int? {
    extremumTerms == 1 ? terms.firstIndex(where: \.isExtremum) : nil
  }

  fileprivate var extremumTerms: Int { terms.reduce(0) { $0 + ($1.isExtremum ? 1 : 0) } }
}

extension Dim.Term {
  /// Whether this is a minimum or maximum times a number.
  fileprivate var isExtremum: Bool {
    guard factors.count == 1 else { return false }
    switch factors[0] {
    case .minimum, .maximum: return true
    case .symbol, .quotient, .remainder, .joint, .place, .scaled, .product, .overflow: return false
    }
  }
}
