import SinterCore

/// One element of a tensor that shapes determine.
package enum SymbolicScalar: Hashable, Sendable {
  /// An integer (a truth value is 0 or 1), or a float that is `size / divisor`; the divisor is positive.
  case size(Dim, divisor: Int)
  /// An f32 that is a size times a positive number that is no simple fraction, rounded.
  case product(Dim, Float)
  /// A float that is no simple fraction.
  case float(Double)

  package static func size(_ dim: Dim) -> SymbolicScalar { .size(dim, divisor: 1) }
  static func bool(_ value: Bool) -> SymbolicScalar { .size(Dim(value ? 1 : 0)) }

  /// The element as a size, where it is a whole one.
  package var dim: Dim? {
    switch self {
    case .size(let dim, divisor: 1): dim
    case .size(let dim, let divisor): dim.exactQuotient(by: Dim(divisor))
    case .product, .float: nil
    }
  }

  /// Every symbol that `replacement` names replaced.
  package func substituting(_ replacement: (Symbol) -> Dim?) -> SymbolicScalar {
    switch self {
    case .size(let dim, let divisor): .size(dim.substituting(replacement), divisor: divisor)
    case .product(let dim, let factor): .product(dim.substituting(replacement), factor)
    case .float: self
    }
  }

  /// The symbols in it.
  package var symbols: [Symbol] {
    switch self {
    case .size(let dim, _), .product(let dim, _): dim.symbols
    case .float: []
    }
  }

  /// The number that it is for certain.
  var number: Double? {
    switch self {
    case .size(let dim, let divisor): dim.value.map { Double($0) / Double(divisor) }
    case .product(let dim, let factor): dim.value.map { Double(Float($0) * factor) }
    case .float(let value): value
    }
  }

  /// A float as a fraction of small numbers where it is one exactly.
  init(_ value: Double) {
    var numerator = value
    var divisor = 1
    while divisor <= 1 << 20, numerator.rounded() != numerator, numerator.isFinite {
      numerator *= 2
      divisor *= 2
    }
    if numerator.rounded() == numerator, numerator.magnitude < 0x1p50, !(value == 0 && value.sign == .minus) {
      self = .size(Dim(Int(numerator)), divisor: divisor)
    } else {
      self = .float(value)
    }
  }
}

/// Arithmetic on elements that shapes determine. Nil: not expressible, or not decidable.
struct SymbolicArithmetic {
  let ranges: [Symbol: ClosedRange<Int>]

  /// Sizes stay far below this, so that floats hold them exactly and integers do not wrap.
  private static let exactLimit = 1 << 24

  func unary(_ function: UnaryFunction, _ a: SymbolicScalar, _ type: ElementType) -> SymbolicScalar? {
    if type.isFloat, let x = a.number {
      var value = [x]
      var result = [0.0]
      if function == .isNaN { return .bool(x.isNaN) }
      ScalarLanes.unary(function, &value, &result, 1)
      return .init(type == .f64 ? result[0] : Double(NarrowFloat.rounded(Float(result[0]), to: type)))
    }
    if case .product(let dim, let factor) = a { return unary(function, dim, factor) }
    guard case .size(let dim, let divisor) = a else { return nil }
    switch function {
    case .negate: return .size(-dim, divisor: divisor)
    case .abs: return .size(isAtLeast(dim, 0) ? dim : isAtMost(dim, 0) ? -dim : Dim.max(dim, -dim), divisor: divisor)
    case .floor: return .size(dim / Dim(divisor))
    case .ceil: return .size(dim.ceilDivided(by: Dim(divisor)))
    case .truncate: return truncated(dim, divisor)
    case .round: return divisor == 1 ? a : nil
    case .not: return type == .bool ? .size(1 - dim) : type.kind == .signed ? .size(-1 - dim) : nil
    case .isNaN: return .bool(false)
    case .exp, .weight, .log, .sqrt, .sin, .cos, .tan, .asin, .acos, .atan, .sinh, .cosh, .tanh, .asinh, .acosh, .atanh,
      .erf:
      return nil
    }
  }

  /// Only the whole part of a rounded product is a size.
  private func unary(_ function: UnaryFunction, _ dim: Dim, _ factor: Float) -> SymbolicScalar? {
    switch function {
    case .floor: return .size(Dim.scaled(dim, by: factor))
    case .ceil: return .size(-Dim.scaled(-dim, by: factor))
    case .truncate: return truncated(dim, factor)
    case .isNaN: return .bool(false)
    case .negate, .abs, .round, .not, .exp, .weight, .log, .sqrt, .sin, .cos, .tan, .asin, .acos, .atan, .sinh, .cosh,
      .tanh,
      .asinh, .acosh, .atanh, .erf:
      return nil
    }
  }

  func binary(
    _ function: BinaryFunction, _ a: SymbolicScalar, _ b: SymbolicScalar, _ type: ElementType
  ) -> SymbolicScalar? {
    if type.isFloat { return float(function, a, b, type) }
    guard let x = a.dim, let y = b.dim else { return nil }
    if let p = x.value, let q = y.value {
      var result: Int64 = 0
      var (left, right) = (Int64(p), Int64(q))
      ScalarLanes.binary(function, type, &left, &right, &result, 1)
      return .size(Dim(Int(result)))
    }
    switch function {
    case .add: return .size(x + y)
    case .subtract: return .size(x - y)
    case .multiply: return .size(x * y)
    case .floorDivide: return isAtLeast(y, 1) ? .size(x / y) : nil
    case .modulo:
      if isAtLeast(y, 1) || isAtMost(y, -1) { return .size(x % y) }
      // A remainder by zero is zero.
      return isAtLeast(y, 0) ? .size(x % Dim.max(y, 1)) : nil
    case .divide:
      guard isAtLeast(y, 1) else { return nil }
      if let exact = x.exactQuotient(by: y) { return .size(exact) }
      return isAtLeast(x, 0) ? .size(x / y) : isAtMost(x, 0) ? .size(-((-x) / y)) : nil
    case .remainder:
      guard isAtLeast(y, 1) else { return nil }
      return isAtLeast(x, 0) ? .size(x % y) : isAtMost(x, 0) ? .size(-((-x) % y)) : nil
    case .minimum: return .size(minimum(x, y))
    case .maximum: return .size(maximum(x, y))
    case .power:
      guard let exponent = y.value, (0...4).contains(exponent) else { return nil }
      return .size((0..<exponent).reduce(Dim(1)) { power, _ in power * x })
    case .shiftLeft: return y.value.flatMap { (0..<62).contains($0) ? .size(x * Dim(1 << $0)) : nil }
    case .shiftRight: return y.value.flatMap { (0..<62).contains($0) ? .size(x / Dim(1 << $0)) : nil }
    case .and, .or, .xor, .arcTangent2: return nil
    }
  }

  private func float(
    _ function: BinaryFunction, _ a: SymbolicScalar, _ b: SymbolicScalar, _ type: ElementType
  ) -> SymbolicScalar? {
    if let x = a.number, let y = b.number {
      var (left, right, result) = ([x], [y], [0.0])
      ScalarLanes.binary(function, &left, &right, &result, 1)
      return .init(type == .f64 ? result[0] : Double(NarrowFloat.rounded(Float(result[0]), to: type)))
    }
    if function == .multiply, type == .f32 {
      switch (a, b) {
      case (.size(let size, divisor: 1), .float(let factor)), (.float(let factor), .size(let size, divisor: 1)):
        let factor = Float(factor)
        guard factor.isFinite, factor != 0 else { return nil }
        return factor > 0 ? .product(size, factor) : .product(-size, -factor)
      default: break
      }
    }
    guard case .size(let x, let p) = a, case .size(let y, let q) = b else { return nil }
    switch function {
    case .add: return reduced(x * Dim(q) + y * Dim(p), p * q)
    case .subtract: return reduced(x * Dim(q) - y * Dim(p), p * q)
    case .multiply: return reduced(x * y, p * q)
    case .divide:
      if let divisor = y.value, divisor != 0 {
        guard divisor.magnitude < Self.exactLimit else { return nil }
        return reduced(x * Dim(divisor < 0 ? -q : q), p * abs(divisor))
      }
      return (x * Dim(q)).exactQuotient(by: y * Dim(p)).map { .size($0) }
    case .minimum: return p == q ? .size(minimum(x, y), divisor: p) : nil
    case .maximum: return p == q ? .size(maximum(x, y), divisor: p) : nil
    case .floorDivide, .modulo, .remainder, .power, .and, .or, .xor, .shiftLeft, .shiftRight, .arcTangent2: return nil
    }
  }

  private func reduced(_ dim: Dim, _ divisor: Int) -> SymbolicScalar? {
    var (dim, divisor) = (dim, divisor)
    for prime in [2, 3, 5, 7] {
      while divisor % prime == 0, let smaller = dim.exactQuotient(by: Dim(prime)) {
        dim = smaller
        divisor /= prime
      }
    }
    return divisor < Self.exactLimit ? .size(dim, divisor: divisor) : nil
  }

  func compare(_ comparison: Comparison, _ a: SymbolicScalar, _ b: SymbolicScalar) -> SymbolicScalar? {
    // As integers where they are such: an f64 does not tell large ones apart.
    if let x = a.dim?.value, let y = b.dim?.value {
      var (left, right, result) = (Int64(x), Int64(y), Int64(0))
      ScalarLanes.compare(comparison, &left, &right, &result, 1)
      return .bool(result != 0)
    }
    if let x = a.number, let y = b.number {
      var (left, right, result) = ([x], [y], [Int64(0)])
      ScalarLanes.compare(comparison, &left, &right, &result, 1)
      return .bool(result[0] != 0)
    }
    guard case .size(let x, let p) = a, case .size(let y, let q) = b else { return nil }
    let bounds = (x * Dim(q) - y * Dim(p)).bounds(ranges)
    let isNegative = bounds.upper.map { $0 < 0 } ?? false
    let isPositive = bounds.lower.map { $0 > 0 } ?? false
    let isNotPositive = bounds.upper.map { $0 <= 0 } ?? false
    let isNotNegative = bounds.lower.map { $0 >= 0 } ?? false
    // Where sizes decide when they are known, the truth is a size as well: 1 where it holds, else 0.
    let difference = x * Dim(q) - y * Dim(p)
    func isPositiveNumber(_ dim: Dim) -> Dim { Dim.min(Dim.max(dim, 0), 1) }
    func decide(_ holds: Bool, _ fails: Bool, _ truth: @autoclosure () -> Dim) -> SymbolicScalar? {
      if holds || fails { return .bool(holds) }
      let dim = truth()
      return dim.isOverflow ? nil : .size(dim)
    }
    switch comparison {
    case .equal:
      return decide(
        isNotPositive && isNotNegative, isNegative || isPositive,
        1 - isPositiveNumber(difference) - isPositiveNumber(-difference))
    case .notEqual:
      return decide(
        isNegative || isPositive, isNotPositive && isNotNegative,
        isPositiveNumber(difference) + isPositiveNumber(-difference))
    case .less: return decide(isNegative, isNotNegative, isPositiveNumber(-difference))
    case .lessOrEqual: return decide(isNotPositive, isPositive, 1 - isPositiveNumber(difference))
    case .greater: return decide(isPositive, isNotPositive, isPositiveNumber(difference))
    case .greaterOrEqual: return decide(isNotNegative, isNegative, 1 - isPositiveNumber(-difference))
    }
  }

  /// One of two, as a truth says that only sizes decide. Nil where the one that does not count might have no value, or what comes out is long.
  func select(_ truth: Dim, _ a: SymbolicScalar, _ b: SymbolicScalar) -> SymbolicScalar? {
    guard case .size(let x, let p) = a, case .size(let y, let q) = b, p == q, !x.mayHaveNoValue, !y.mayHaveNoValue
    else {
      return nil
    }
    let chosen = truth * (x - y) + y
    return chosen.isOverflow || chosen.terms.count > Self.termLimit ? nil : .size(chosen, divisor: p)
  }

  private static let termLimit = 12

  func cast(_ a: SymbolicScalar, from: ElementType, to type: ElementType) -> SymbolicScalar? {
    if type == .bool { return compare(.notEqual, a, .size(Dim(0))) }
    if type.isFloat {
      guard let x = a.number else {
        if case .product = a { return type == .f32 ? a : nil }
        return a
      }
      if type == .f64 { return .init(x) }
      // Rounded once, not to f64 before.
      return .init(Double(NarrowFloat.rounded(a.dim?.value.map { Float($0) } ?? Float(x), to: type)))
    }
    guard type.isInteger else { return nil }
    if from.isFloat, let x = a.number { return .size(Dim(Int(type.integer(saturating: x)))) }
    if from.isFloat, case .size(let dim, let divisor) = a { return truncated(dim, divisor) }
    if case .product(let dim, let factor) = a { return truncated(dim, factor) }
    if let value = a.dim?.value { return .size(Dim(Int(type.wrapped(Int64(value))))) }
    return type.bits >= 32 ? a : nil
  }

  private func truncated(_ dim: Dim, _ divisor: Int) -> SymbolicScalar? {
    if let exact = dim.exactQuotient(by: Dim(divisor)) { return .size(exact) }
    if isAtLeast(dim, 0) { return .size(dim / Dim(divisor)) }
    return isAtMost(dim, 0) ? .size(-((-dim) / Dim(divisor))) : nil
  }

  private func truncated(_ dim: Dim, _ factor: Float) -> SymbolicScalar? {
    if isAtLeast(dim, 0) { return .size(Dim.scaled(dim, by: factor)) }
    return isAtMost(dim, 0) ? .size(-Dim.scaled(-dim, by: factor)) : nil
  }

  func isAtLeast(_ dim: Dim, _ limit: Int) -> Bool { dim.bounds(ranges).lower.map { $0 >= limit } ?? false }
  private func isAtMost(_ dim: Dim, _ limit: Int) -> Bool { dim.bounds(ranges).upper.map { $0 <= limit } ?? false }

  private func minimum(_ x: Dim, _ y: Dim) -> Dim {
    isAtMost(x - y, 0) ? x : isAtLeast(x - y, 0) ? y : Dim.min(x, y)
  }

  private func maximum(_ x: Dim, _ y: Dim) -> Dim {
    isAtLeast(x - y, 0) ? x : isAtMost(x - y, 0) ? y : Dim.max(x, y)
  }
}

extension Dim {
  /// Whether something in it divides by what may be zero, or overflows.
  fileprivate var mayHaveNoValue: Bool {
    isOverflow
      || terms.contains { term in
        term.factors.contains { factor in
          guard let (a, b) = factor.operands else { return false }
          switch factor {
          case .quotient, .remainder: return (b.bounds().lower ?? 0) < 1 || a.mayHaveNoValue
          case .symbol, .minimum, .maximum, .joint, .place, .scaled, .product, .overflow:
            return a.mayHaveNoValue || b.mayHaveNoValue
          }
        }
      }
  }
}
