import SinterCore

/// Rewrites a body into one with the same meaning and plainer indices, knowing the sizes of its axes.
///
/// Indices become sums of multiples. With what is known of their bounds, `(i·C + j) / C` becomes `i` and `(i·C + j) % C` becomes `j`
/// where `0 <= j < C`; so a reshape of a reshape, a slice of a concatenation and the like melt together. Conditions that
/// always or never hold go, and so do the loads that nothing reads then. Sizes may be symbolic; a body runs only where each of its
/// axes has an element, so symbols that are sizes of axes count as at least one.
package struct BodySimplifier {
  private let builder: BodyBuilder
  private let extents: [Dim]
  private let ranges: [Symbol: ClosedRange<Int>]
  private let shape: (FormValueID) -> [Dim]
  private let scalar: (FormValueID) -> Scalar?
  /// What is known of expressions of the new body.
  private var sums: [ExprID: IndexSum] = [:]
  private var bounds: [ExprID: Bounds?] = [:]

  /// The least and greatest value, both included.
  struct Bounds {
    var low: Dim
    var high: Dim
  }

  /// - Parameters:
  ///   - values: the types of the values that the body loads from.
  ///   - extents: the sizes of the body's axes.
  init(values: EntityMap<FormValueID, FormProgram.Value>, extents: [Dim], ranges: [Symbol: ClosedRange<Int>]) {
    builder = BodyBuilder { values[$0].type.element }
    self.extents = extents
    self.ranges = Self.ranges(ranges, whereNotEmpty: extents)
    shape = { values[$0].type.shape }
    scalar = { values[$0].constant.flatMap(Scalar.init(only:)) }
  }

  private static func ranges(
    _ ranges: [Symbol: ClosedRange<Int>], whereNotEmpty extents: [Dim]
  ) -> [Symbol: ClosedRange<Int>] {
    var ranges = ranges
    for extent in extents where extent.constant == 0 && extent.terms.count == 1 {
      for case .symbol(let symbol) in extent.terms[0].factors {
        let range = ranges[symbol] ?? 0...Int.max
        ranges[symbol] = Swift.max(range.lowerBound, 1)...Swift.max(range.upperBound, 1)
      }
    }
    return ranges
  }

  /// - Parameter extents: the sizes of the body's axes.
  package static func simplify(
    _ body: Body, extents: [Dim], values: EntityMap<FormValueID, FormProgram.Value>, ranges: [Symbol: ClosedRange<Int>]
  ) -> Body {
    var simplifier = BodySimplifier(values: values, extents: extents, ranges: ranges)
    return simplifier.simplify(body)
  }

  mutating func simplify(_ body: Body) -> Body {
    var map: [Expr] = []
    map.reserveCapacity(body.exprs.count)
    for item in body.exprs {
      map.append(simplified(item) { map[$0.position] })
    }
    return builder.body(body.results.map { map[$0.position] })
  }

  private mutating func simplified(_ item: Body.Expr, _ new: (ExprID) -> Expr) -> Expr {
    switch item.node {
    case .axis(let n):
      if extents[n] == 1 { return builder.constant(0, .i64) }
      return builder.axis(n)
    case .size(let dim): return builder.size(dim)
    case .load(let value, let indices, let condition, let otherwise):
      return load(value, indices.map(new), condition.map(new), otherwise, item.type)
    case .binary(let function, let a, let b) where item.type == .i64:
      return index(function, new(a), new(b))
    case .compare(let comparison, let a, let b) where new(a).type == .i64:
      return compare(comparison, new(a), new(b))
    case .checked(let a, let bound, let error):
      let (value, limit) = (new(a), new(bound))
      let above = difference(limit, value).map { isNonNegative($0 - IndexSum(constant: 1)) } ?? false
      if above, isNonNegative(sum(value)) { return value }
      return value.checked(below: limit, error: error)
    case .select(let condition, let a, let b):
      return select(new(condition), new(a), new(b))
    case .constant, .accumulator, .unary, .binary, .compare, .cast, .bitcast:
      return builder.simplified(item.node.mapArguments { new($0).id }, item.type)
    }
  }

  private func select(_ condition: Expr, _ a: Expr, _ b: Expr) -> Expr {
    // A load that is guarded by the very condition and gives the other side otherwise is the whole select.
    if case .load(let value, let indices, condition.id?, let otherwise) = builder[a.id].node,
      case .constant(let scalar) = builder[b.id].node, scalar != otherwise
    {
      return builder.append(.load(value, indices, condition: condition.id, otherwise: scalar), a.type)
    }
    if case .load(_, _, condition.id?, let otherwise) = builder[a.id].node,
      case .constant(otherwise) = builder[b.id].node
    {
      return a
    }
    return builder.select(condition, a, b)
  }

  private mutating func load(
    _ value: FormValueID, _ indices: [Expr], _ condition: Expr?, _ otherwise: Scalar, _ type: ElementType
  ) -> Expr {
    var condition = condition
    if let given = condition, case .constant(.int(let holds)) = builder[given.id].node {
      if holds == 0 { return builder.constant(otherwise, type) }
      condition = nil
    }
    if condition == nil, let scalar = scalar(value) { return builder.constant(scalar, type) }
    // Along an axis of one element there is one index.
    let sizes = shape(value)
    let plain = indices.enumerated().map { axis, index in
      axis < sizes.count && sizes[axis] == 1 ? builder.constant(0, .i64) : index
    }
    return builder.append(
      .load(
        value, plain.map(\.id), condition: condition?.id,
        // Without a condition the other value is never used; one spelling makes equal loads equal.
        otherwise: condition == nil ? (type.isFloat ? .float(0) : .int(0)) : otherwise), type)
  }

  // MARK: Sums

  /// What an i64 expression is as a sum.
  private func sum(_ expr: Expr) -> IndexSum {
    if let known = sums[expr.id] { return known }
    if let dim = builder.dim(expr.id) { return IndexSum(constant: dim) }
    return IndexSum(atom: expr.id)
  }

  /// The expression that computes a sum.
  private mutating func expr(_ sum: IndexSum) -> Expr {
    if let dim = sum.dim { return builder.size(dim) }
    if let atom = sum.atom { return builder.expr(atom) }
    var result: Expr?
    for term in sum.terms {
      let product = builder.expr(term.atom) * builder.size(term.coefficient)
      result = result.map { $0 + product } ?? product
    }
    guard var total = result else { return builder.size(sum.constant) }
    // The least integer has no opposite.
    if let value = sum.constant.value, value < 0, value > Int.min {
      total = total - builder.constant(-value, .i64)
    } else {
      total = total + builder.size(sum.constant)
    }
    sums[total.id] = sum
    return total
  }

  private mutating func index(_ function: BinaryFunction, _ a: Expr, _ b: Expr) -> Expr {
    let (x, y) = (sum(a), sum(b))
    switch function {
    case .add: return expr(recombined(x + y))
    case .subtract: return expr(recombined(x - y))
    case .multiply:
      if let factor = y.dim { return expr(x.scaled(by: factor)) }
      if let factor = x.dim { return expr(y.scaled(by: factor)) }
    case .floorDivide:
      if let divisor = y.dim, let result = quotient(x, divisor) { return expr(result) }
    case .modulo:
      if let divisor = y.dim, let result = remainder(x, divisor) { return expr(result) }
    case .divide:
      if let divisor = y.dim, isNonNegative(x), let result = quotient(x, divisor) { return expr(result) }
    case .remainder:
      if let divisor = y.dim, isNonNegative(x), let result = remainder(x, divisor) { return expr(result) }
    case .minimum:
      if isNonNegative(y - x) { return a }
      if isNonNegative(x - y) { return b }
    case .maximum:
      if isNonNegative(x - y) { return a }
      if isNonNegative(y - x) { return b }
    case .power, .and, .or, .xor, .shiftLeft, .shiftRight, .arcTangent2: break
    }
    return builder.simplified(.binary(function, a.id, b.id), .i64)
  }

  /// `c·D·(x / D) + c·(x % D)` is `c·x`.
  private func recombined(_ sum: IndexSum) -> IndexSum {
    for term in sum.terms {
      guard case .binary(.modulo, let inner, let by) = builder[term.atom].node, let divisor = builder.dim(by) else {
        continue
      }
      for other in sum.terms where other.coefficient == term.coefficient * divisor {
        if case .binary(.floorDivide, inner, let by2) = builder[other.atom].node, builder.dim(by2) == divisor {
          var rest = sum
          rest.terms.removeAll { $0.atom == term.atom || $0.atom == other.atom }
          return recombined(rest + self.sum(builder.expr(inner)).scaled(by: term.coefficient))
        }
      }
    }
    return sum
  }

  // MARK: Quotients and remainders

  /// `(D·whole + rest) / D`; nil where nothing is known that would help.
  private mutating func quotient(_ x: IndexSum, _ divisor: Dim) -> IndexSum? {
    guard isDivisor(divisor), isBounded(x) else { return nil }
    let (whole, rest) = x.split(by: divisor)
    if isBetweenZero(rest, and: divisor) { return recombined(whole) }
    if let (factor, u, _) = commonFactor(rest, divisor), let inner = divisor.exactQuotient(by: factor) {
      return quotient(u, inner).map { recombined(whole + $0) }
    }
    if let atom = rest.atom {
      switch builder[atom].node {
      case .binary(.floorDivide, let inner, let by):
        // (x / a) / b = x / (a·b)
        if let first = builder.dim(by), isDivisor(first),
          let result = quotient(sum(builder.expr(inner)), first * divisor)
        {
          return recombined(whole + result)
        }
      case .binary(.modulo, let inner, let by):
        // (x % (a·b)) / b = (x / b) % a
        if let modulus = builder.dim(by), let left = modulus.exactQuotient(by: divisor),
          let quotient = quotient(sum(builder.expr(inner)), divisor), let result = remainder(quotient, left)
        {
          return recombined(whole + result)
        }
      case .constant, .axis, .size, .load, .accumulator, .unary, .binary, .compare, .select, .cast, .bitcast, .checked:
        break
      }
    }
    let atom = builder.append(.binary(.floorDivide, expr(rest).id, builder.size(divisor).id), .i64)
    return recombined(whole + IndexSum(atom: atom.id))
  }

  private mutating func remainder(_ x: IndexSum, _ divisor: Dim) -> IndexSum? {
    guard isDivisor(divisor), isBounded(x) else { return nil }
    let (_, rest) = x.split(by: divisor)
    if isBetweenZero(rest, and: divisor) { return rest }
    if let (factor, u, v) = commonFactor(rest, divisor), let inner = divisor.exactQuotient(by: factor) {
      return remainder(u, inner).map { recombined($0.scaled(by: factor) + v) }
    }
    if let atom = rest.atom, case .binary(.modulo, let inner, let by) = builder[atom].node,
      let modulus = builder.dim(by), modulus.exactQuotient(by: divisor) != nil
    {
      // (x % (a·b)) % b = x % b
      return remainder(sum(builder.expr(inner)), divisor)
    }
    return IndexSum(atom: builder.append(.binary(.modulo, expr(rest).id, builder.size(divisor).id), .i64).id)
  }

  /// A factor of the divisor with which the sum is `factor · u + v`, `0 <= v < factor`.
  private mutating func commonFactor(_ x: IndexSum, _ divisor: Dim) -> (factor: Dim, u: IndexSum, v: IndexSum)? {
    var tried: Set<Dim> = []
    for term in x.terms where term.coefficient != 1 {
      for factor in [term.coefficient, commonDivisor(term.coefficient, divisor)].compactMap({ $0 }) {
        guard factor != 1, factor != divisor, tried.insert(factor).inserted, isDivisor(factor),
          divisor.exactQuotient(by: factor) != nil
        else { continue }
        let (u, v) = x.split(by: factor)
        if isBetweenZero(v, and: factor) { return (factor, u, v) }
      }
    }
    return nil
  }

  private func commonDivisor(_ a: Dim, _ b: Dim) -> Dim? {
    guard var x = a.value?.magnitude, var y = b.value?.magnitude else { return nil }
    while y != 0 { (x, y) = (y, x % y) }
    return x > 1 ? Int(exactly: x).map { Dim($0) } : nil
  }

  /// Sizes that indices are divided by are those of spaces with elements, so a symbolic one counts as positive.
  private func isDivisor(_ dim: Dim) -> Bool {
    if let value = dim.value { return value > 0 }
    return dim.isNonNegative(ranges)
  }

  // MARK: Bounds

  /// Whether bounds of all atoms are known, so that no product can have wrapped around.
  private mutating func isBounded(_ x: IndexSum) -> Bool {
    for term in x.terms where bounds(of: term.atom) == nil { return false }
    return true
  }

  private mutating func isBetweenZero(_ x: IndexSum, and limit: Dim) -> Bool {
    guard let range = bounds(of: x) else { return false }
    return range.low.isNonNegative(ranges) && (limit - range.high - Dim(1)).isNonNegative(ranges)
  }

  private mutating func isNonNegative(_ x: IndexSum) -> Bool {
    bounds(of: x).map { $0.low.isNonNegative(ranges) } ?? false
  }

  private mutating func difference(_ a: Expr, _ b: Expr) -> IndexSum? {
    a.type == .i64 && b.type == .i64 ? sum(a) - sum(b) : nil
  }

  private mutating func bounds(of x: IndexSum) -> Bounds? {
    var result = Bounds(low: x.constant, high: x.constant)
    for term in x.terms {
      guard let range = bounds(of: term.atom) else { return nil }
      let (a, b) = (range.low * term.coefficient, range.high * term.coefficient)
      if term.coefficient.isNonNegative(ranges) {
        result = Bounds(low: result.low + a, high: result.high + b)
      } else if (-term.coefficient).isNonNegative(ranges) {
        result = Bounds(low: result.low + b, high: result.high + a)
      } else {
        return nil
      }
    }
    return result
  }

  private mutating func bounds(of atom: ExprID) -> Bounds? {
    if let known = bounds[atom] { return known }
    let found = findBounds(of: atom)
    bounds[atom] = .some(found)
    return found
  }

  private mutating func findBounds(of atom: ExprID) -> Bounds? {
    switch builder[atom].node {
    case .axis(let n): return Bounds(low: 0, high: extents[n] - 1)
    case .binary(.floorDivide, let a, let b):
      guard let divisor = builder.dim(b), isDivisor(divisor), let range = bounds(of: sum(builder.expr(a))) else {
        return nil
      }
      return Bounds(low: range.low / divisor, high: range.high / divisor)
    case .binary(.modulo, _, let b):
      guard let divisor = builder.dim(b), isDivisor(divisor) else { return nil }
      return Bounds(low: 0, high: divisor - 1)
    case .binary(.minimum, let a, let b):
      guard let x = bounds(of: sum(builder.expr(a))), let y = bounds(of: sum(builder.expr(b))) else { return nil }
      return Bounds(low: Dim.min(x.low, y.low), high: Dim.min(x.high, y.high))
    case .binary(.maximum, let a, let b):
      guard let x = bounds(of: sum(builder.expr(a))), let y = bounds(of: sum(builder.expr(b))) else { return nil }
      return Bounds(low: Dim.max(x.low, y.low), high: Dim.max(x.high, y.high))
    case .checked(_, let b, _):
      return builder.dim(b).map { Bounds(low: 0, high: $0 - 1) }
    case .constant, .size, .load, .accumulator, .unary, .binary, .compare, .select, .cast, .bitcast: return nil
    }
  }

  private mutating func compare(_ comparison: Comparison, _ a: Expr, _ b: Expr) -> Expr {
    let difference = sum(a) - sum(b)
    if let range = bounds(of: difference) {
      func isAbove(_ least: Int) -> Bool { (range.low - Dim(least)).isNonNegative(ranges) }
      func isBelow(_ most: Int) -> Bool { (Dim(most) - range.high).isNonNegative(ranges) }
      let always: Bool
      let never: Bool
      switch comparison {
      case .less: (always, never) = (isBelow(-1), isAbove(0))
      case .lessOrEqual: (always, never) = (isBelow(0), isAbove(1))
      case .greater: (always, never) = (isAbove(1), isBelow(0))
      case .greaterOrEqual: (always, never) = (isAbove(0), isBelow(-1))
      case .equal: (always, never) = (isAbove(0) && isBelow(0), isAbove(1) || isBelow(-1))
      case .notEqual: (always, never) = (isAbove(1) || isBelow(-1), isAbove(0) && isBelow(0))
      }
      if always { return builder.bool(true) }
      if never { return builder.bool(false) }
    }
    return builder.simplified(.compare(comparison, a.id, b.id), .bool)
  }
}
