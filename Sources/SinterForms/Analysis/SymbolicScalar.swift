import SinterCore

/// One element of a tensor that shapes determine.
enum SymbolicScalar: Hashable {
  /// An integer (a truth value is 0 or 1), or a float that is `size / divisor`; the divisor is positive.
  case size(Dim, divisor: Int)
  /// A float that is no simple fraction.
  case float(Double)

  static func size(_ dim: Dim) -> SymbolicScalar { .size(dim, divisor: 1) }
  static func bool(_ value: Bool) -> SymbolicScalar { .size(Dim(value ? 1 : 0)) }

  /// The element as a size, where it is a whole one.
  var dim: Dim? {
    switch self {
    case .size(let dim, divisor: 1): dim
    case .size(let dim, let divisor): dim.exactQuotient(by: Dim(divisor))
    case .float: nil
    }
  }

  /// The number that it is for certain.
  var number: Double? {
    switch self {
    case .size(let dim, let divisor): dim.value.map { Double($0) / Double(divisor) }
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
    guard case .size(let dim, let divisor) = a else { return nil }
    switch function {
    case .negate: return .size(-dim, divisor: divisor)
    case .abs: return isAtLeast(dim, 0) ? a : isAtMost(dim, 0) ? .size(-dim, divisor: divisor) : nil
    case .floor: return .size(dim / Dim(divisor))
    case .ceil: return .size(dim.ceilDivided(by: Dim(divisor)))
    case .truncate: return truncated(dim, divisor)
    case .round: return divisor == 1 ? a : nil
    case .not: return type == .bool ? dim.value.map { .bool($0 == 0) } : dim.value.map { .size(Dim(~$0)) }
    case .isNaN: return .bool(false)
    case .exp, .weight, .log, .sqrt, .sin, .cos, .tan, .asin, .acos, .atan, .sinh, .cosh, .tanh, .asinh, .acosh, .atanh,
      .erf:
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
    case .modulo: return isAtLeast(y, 1) ? .size(x % y) : nil
    case .divide:
      guard isAtLeast(y, 1) else { return nil }
      if let exact = x.exactQuotient(by: y) { return .size(exact) }
      return isAtLeast(x, 0) ? .size(x / y) : isAtMost(x, 0) ? .size(-((-x) / y)) : nil
    case .remainder: return isAtLeast(y, 1) && isAtLeast(x, 0) ? .size(x % y) : nil
    case .minimum: return .size(minimum(x, y))
    case .maximum: return .size(maximum(x, y))
    case .power:
      guard let exponent = y.value, (0...4).contains(exponent) else { return nil }
      return .size((0..<exponent).reduce(Dim(1)) { power, _ in power * x })
    case .and, .or, .xor, .shiftLeft, .shiftRight, .arcTangent2: return nil
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
    func decide(_ holds: Bool, _ fails: Bool) -> SymbolicScalar? { holds ? .bool(true) : fails ? .bool(false) : nil }
    switch comparison {
    case .equal: return decide(isNotPositive && isNotNegative, isNegative || isPositive)
    case .notEqual: return decide(isNegative || isPositive, isNotPositive && isNotNegative)
    case .less: return decide(isNegative, isNotNegative)
    case .lessOrEqual: return decide(isNotPositive, isPositive)
    case .greater: return decide(isPositive, isNotPositive)
    case .greaterOrEqual: return decide(isNotNegative, isNegative)
    }
  }

  func cast(_ a: SymbolicScalar, from: ElementType, to type: ElementType) -> SymbolicScalar? {
    if type == .bool { return compare(.notEqual, a, .size(Dim(0))) }
    if type.isFloat {
      guard let x = a.number else { return a }
      return .init(type == .f64 ? x : Double(NarrowFloat.rounded(Float(x), to: type)))
    }
    guard type.isInteger else { return nil }
    if from.isFloat, let x = a.number { return .size(Dim(Int(type.integer(saturating: x)))) }
    if from.isFloat, case .size(let dim, let divisor) = a { return truncated(dim, divisor) }
    if let value = a.dim?.value { return .size(Dim(Int(type.wrapped(Int64(value))))) }
    return type.bits >= 32 ? a : nil
  }

  private func truncated(_ dim: Dim, _ divisor: Int) -> SymbolicScalar? {
    if let exact = dim.exactQuotient(by: Dim(divisor)) { return .size(exact) }
    if isAtLeast(dim, 0) { return .size(dim / Dim(divisor)) }
    return isAtMost(dim, 0) ? .size(-((-dim) / Dim(divisor))) : nil
  }

  private func isAtLeast(_ dim: Dim, _ limit: Int) -> Bool { dim.bounds(ranges).lower.map { $0 >= limit } ?? false }
  private func isAtMost(_ dim: Dim, _ limit: Int) -> Bool { dim.bounds(ranges).upper.map { $0 <= limit } ?? false }

  private func minimum(_ x: Dim, _ y: Dim) -> Dim {
    isAtMost(x - y, 0) ? x : isAtLeast(x - y, 0) ? y : Dim.min(x, y)
  }

  private func maximum(_ x: Dim, _ y: Dim) -> Dim {
    isAtLeast(x - y, 0) ? x : isAtMost(x - y, 0) ? y : Dim.max(x, y)
  }
}
