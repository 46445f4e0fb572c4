import SinterCore

/// What computing a body once costs, in additions of vectors, roughly.
struct FusionCost {
  /// Arithmetic. A body that costs nothing only moves elements.
  var work = 0.0
  /// Elements read.
  var loads = 0.0

  init(_ body: Body) {
    var isIndex = [Bool](repeating: true, count: body.exprs.count)
    for result in body.results { isIndex[result.position] = false }
    for position in body.exprs.indices.reversed() {
      let node = body.exprs[position].node
      // What only leads to an element is cheaper than the work on it.
      if case .load = node { continue }
      if !isIndex[position] { for argument in node.arguments { isIndex[argument.position] = false } }
    }
    for (position, expr) in body.exprs.enumerated() {
      switch expr.node {
      case .constant, .axis, .size, .accumulator, .bitcast: break
      case .load(_, _, let condition, _):
        loads += 1
        if condition != nil { work += 1 }
      case .unary(let function, _): work += Self.cost(of: function)
      case .binary(let function, _, let b):
        work +=
          isIndex[position] ? Self.indexCost(of: function, divisor: body[b].node) : Self.cost(of: function, expr.type)
      case .compare, .select: work += isIndex[position] ? 0.25 : 1
      case .cast: work += isIndex[position] ? 0 : 0.5
      case .checked: work += 0.5
      }
    }
  }

  private static func cost(of function: UnaryFunction) -> Double {
    switch function {
    case .negate, .abs, .floor, .ceil, .round, .truncate, .not, .isNaN: 1
    case .sqrt: 6
    case .exp, .weight, .tanh, .erf: 20
    case .log, .sin, .cos, .tan, .asin, .acos, .atan, .sinh, .cosh, .asinh, .acosh, .atanh: 25
    }
  }

  private static func cost(of function: BinaryFunction, _ type: ElementType) -> Double {
    switch function {
    case .add, .subtract, .multiply, .minimum, .maximum, .and, .or, .xor, .shiftLeft, .shiftRight: 1
    case .divide: type.isFloat ? 4 : 20
    case .floorDivide, .modulo, .remainder: type.isFloat ? 10 : 20
    case .power, .arcTangent2: 40
    }
  }

  private static func indexCost(of function: BinaryFunction, divisor: ExprNode) -> Double {
    switch function {
    case .floorDivide, .modulo, .divide, .remainder: if case .constant = divisor { 2 } else { 8 }
    case .add, .subtract, .multiply, .minimum, .maximum, .and, .or, .xor, .shiftLeft, .shiftRight, .power, .arcTangent2:
      0
    }
  }

  /// Whether computing `evaluations` times as many elements as there are beats storing them once and reading them.
  func prefersInlining(evaluations: Double, _ limits: FusionLimits) -> Bool {
    if evaluations <= 1.5 { return true }
    let again = evaluations * (work + loads * limits.accessCost)
    let stored = work + loads * limits.accessCost + limits.storeCost + evaluations * limits.accessCost
    return again <= stored
  }
}

extension Dim {
  /// A guess at the size for costs: symbols count as the middle of a narrow range, else as 32.
  func estimate(_ ranges: [Symbol: ClosedRange<Int>]) -> Double {
    if let value { return Double(value) }
    let guess = evaluated { symbol in
      guard let range = ranges[symbol] else { return 32 }
      return range.upperBound < 1 << 16 ? (range.lowerBound + range.upperBound) / 2 : Swift.max(32, range.lowerBound)
    }
    return Double(guess ?? 32)
  }
}
