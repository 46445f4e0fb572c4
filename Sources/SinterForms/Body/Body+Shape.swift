import SinterCore

extension Body {
  /// The number of loads from a value.
  package func loads(of value: FormValueID) -> Int {
    exprs.count { if case .load(value, _, _, _) = $0.node { true } else { false } }
  }

  /// The number of loads from a value that have a condition, or have none.
  package func loads(of value: FormValueID, conditional: Bool) -> Int {
    exprs.count {
      if case .load(value, _, let condition, _) = $0.node { (condition != nil) == conditional } else { false }
    }
  }

  /// Whether each load from a value reads, without condition, the element at the place that is computed.
  ///
  /// - Parameter shape: the value's; along an axis of one element the index may be zero.
  package func readsInPlace(_ value: FormValueID, _ shape: [Dim]) -> Bool {
    exprs.allSatisfy { expr in
      guard case .load(value, let indices, let condition, _) = expr.node else { return true }
      return condition == nil && isPlace(indices[...], shape)
    }
  }

  /// Whether indices are the axes, one after another; along an axis of one element zero will do.
  package func isPlace(_ indices: ArraySlice<ExprID>, _ shape: [Dim]) -> Bool {
    indices.count == shape.count
      && indices.enumerated().allSatisfy { axis, index in
        self[index].node == .axis(axis) || (shape[axis] == 1 && self[index].node == .constant(.int(0)))
      }
  }

  /// Whether the result is an element of some value, at most converted: nothing is computed.
  package var isPlain: Bool {
    guard results.count == 1 else { return false }
    var id = results[0]
    while true {
      switch self[id].node {
      case .cast(let a): id = a
      case .load(_, _, let condition, _): return condition == nil
      case .constant, .axis, .size, .accumulator, .unary, .binary, .compare, .select, .bitcast, .checked: return false
      }
    }
  }

  /// Whether all loads are unconditional and their indices are sums of multiples of axes.
  package var hasOnlyAffineLoads: Bool { hasOnlyAffineLoads(free: 0) }

  /// The same, where the first `free` axes may stand in indices in any way.
  package func hasOnlyAffineLoads(free: Int) -> Bool {
    var isAffine: [Bool] = []
    var isFree: [Bool] = []
    isAffine.reserveCapacity(exprs.count)
    for expr in exprs {
      switch expr.node {
      case .axis(let axis): isFree.append(axis < free)
      case .size: isFree.append(true)
      case .constant: isFree.append(expr.type == .i64)
      case .binary(let function, let a, let b):
        isFree.append(function.isIndexArithmetic && isFree[a.position] && isFree[b.position])
      case .load, .accumulator, .unary, .compare, .select, .cast, .bitcast, .checked: isFree.append(false)
      }
      if isFree[isFree.count - 1] {
        isAffine.append(true)
        continue
      }
      switch expr.node {
      case .axis, .size: isAffine.append(true)
      case .constant: isAffine.append(expr.type == .i64)
      case .binary(.add, let a, let b), .binary(.subtract, let a, let b):
        isAffine.append(isAffine[a.position] && isAffine[b.position])
      case .binary(.multiply, let a, let b):
        isAffine.append(
          isAffine[a.position] && isAffine[b.position] && (self[a].node.isSize || self[b].node.isSize))
      case .load(_, let indices, let condition, _):
        if condition != nil || !indices.allSatisfy({ isAffine[$0.position] }) { return false }
        isAffine.append(false)
      case .accumulator, .unary, .binary, .compare, .select, .cast, .bitcast, .checked: isAffine.append(false)
      }
    }
    return true
  }
}

extension BinaryFunction {
  /// Whether sizes can be computed with it.
  fileprivate var isIndexArithmetic: Bool {
    switch self {
    case .add, .subtract, .multiply, .floorDivide, .modulo, .minimum, .maximum: true
    case .divide, .remainder, .power, .and, .or, .xor, .shiftLeft, .shiftRight, .arcTangent2: false
    }
  }
}

extension ExprNode {
  /// Whether it is a number or a size, the same for all elements.
  package var isSize: Bool {
    switch self {
    case .constant, .size: true
    case .axis, .load, .accumulator, .unary, .binary, .compare, .select, .cast, .bitcast, .checked: false
    }
  }
}

extension Body {
  /// The type of what its only result is converted from; nil where that is no conversion.
  package var castType: ElementType? {
    guard results.count == 1, case .cast(let inner) = self[results[0]].node else { return nil }
    return self[inner].type
  }

  /// The same without the conversion of its only result.
  package var withoutCast: Body {
    guard results.count == 1, case .cast(let inner) = self[results[0]].node else { return self }
    return Body(exprs: exprs, results: [inner])
  }

  /// The same with its only result converted to a type.
  package func cast(to type: ElementType) -> Body {
    if self[results[0]].type == type { return self }
    return Body(exprs: exprs + [Expr(node: .cast(results[0]), type: type)], results: [ExprID(exprs.count)])
  }
}
