import SinterCore

extension ElementType {
  /// A float of 16 bits, whose arithmetic is done in f32.
  fileprivate var isRounded: Bool { self == .f16 || self == .bf16 }
}

extension BodyBuilder {
  /// Adds a node, or what it equals by arithmetic on constants and by identities that hold for every value.
  package func simplified(_ node: ExprNode, _ type: ElementType) -> Expr {
    switch node {
    case .binary(let function, let a, let b):
      if type == .i64, let simpler = simplifiedIndex(function, a, b) { return simpler }
      if type == .bool { return simplifiedTruth(function, a, b) }
      return append(node, type)
    case .compare(let comparison, let a, let b):
      if self[a].type == .i64, let x = dim(a), let y = dim(b), let difference = (x - y).value {
        return bool(comparison.holds(difference))
      }
      return append(node, type)
    case .select(let condition, let a, let b):
      if case .constant(.int(let value)) = self[condition].node { return expr(value != 0 ? a : b) }
      if a == b { return expr(a) }
      return append(node, type)
    case .cast(let a):
      return simplifiedCast(a, to: type)
    case .unary(.not, let a):
      if type == .bool, case .constant(.int(let value)) = self[a].node { return bool(value == 0) }
      return append(node, type)
    case .constant, .axis, .size, .load, .accumulator, .unary, .bitcast, .checked:
      return append(node, type)
    }
  }

  package func expr(_ id: ExprID) -> Expr { Expr(id: id, type: self[id].type, builder: self) }

  /// A size or number that an i64 expression is for certain, independent of any axis.
  func dim(_ id: ExprID) -> Dim? {
    switch self[id].node {
    case .constant(.int(let value)): Dim(Int(value))
    case .size(let dim): dim
    case .constant(.float), .axis, .load, .accumulator, .unary, .binary, .compare, .select, .cast, .bitcast, .checked:
      nil
    }
  }

  private func simplifiedIndex(_ function: BinaryFunction, _ a: ExprID, _ b: ExprID) -> Expr? {
    let x = dim(a)
    let y = dim(b)
    if let x, let y {
      switch function {
      case .add: return size(x + y)
      case .subtract: return size(x - y)
      case .multiply: return size(x * y)
      case .floorDivide where y.value != 0: return size(x / y)
      case .modulo where y.value != 0: return size(x % y)
      case .minimum: return size(Dim.min(x, y))
      case .maximum: return size(Dim.max(x, y))
      case .divide, .floorDivide, .modulo, .remainder, .power, .and, .or, .xor, .shiftLeft, .shiftRight, .arcTangent2:
        return nil
      }
    }
    switch function {
    case .add:
      if x?.value == 0 { return expr(b) }
      if y?.value == 0 { return expr(a) }
    case .subtract:
      if y?.value == 0 { return expr(a) }
    case .multiply:
      if x?.value == 1 { return expr(b) }
      if y?.value == 1 { return expr(a) }
      if x?.value == 0 || y?.value == 0 { return constant(0, .i64) }
    case .floorDivide, .divide:
      if y?.value == 1 { return expr(a) }
    case .modulo, .remainder:
      if y?.value == 1 { return constant(0, .i64) }
    case .power, .minimum, .maximum, .and, .or, .xor, .shiftLeft, .shiftRight, .arcTangent2: break
    }
    return nil
  }

  private func simplifiedTruth(_ function: BinaryFunction, _ a: ExprID, _ b: ExprID) -> Expr {
    func known(_ id: ExprID) -> Bool? {
      if case .constant(.int(let value)) = self[id].node { value != 0 } else { nil }
    }
    switch (function, known(a), known(b)) {
    case (.and, true?, _), (.or, false?, _): return expr(b)
    case (.and, _, true?), (.or, _, false?): return expr(a)
    case (.and, false?, _), (.and, _, false?): return bool(false)
    case (.or, true?, _), (.or, _, true?): return bool(true)
    default: return append(.binary(function, a, b), .bool)
    }
  }

  private func simplifiedCast(_ a: ExprID, to type: ElementType) -> Expr {
    let from = self[a]
    switch from.node {
    case .constant(.int(let value)) where type.isFloat && from.type != .u64:
      return append(.constant(.float(Double(value))), type)
    case .constant(.float(let value)) where type == .f64 || type == .f32:
      return append(.constant(.float(type == .f32 ? Double(Float(value)) : value)), type)
    case .constant(.int(let value)) where type == .i64 && from.type != .u64:
      return append(.constant(.int(value)), type)
    case .cast(let inner) where self[inner].type == type && from.type.holdsAll(of: type):
      return expr(inner)
    case .cast(let inner) where widensExactly && type == .f32 && self[inner].type == .f32 && from.type.isRounded:
      return expr(inner)
    case .cast(let inner) where isStored(inner, of: from.type):
      return expr(inner).cast(to: type)
    case .constant, .axis, .size, .load, .accumulator, .unary, .binary, .compare, .select, .cast, .bitcast, .checked:
      return append(.cast(a), type)
    }
  }

  /// Whether an expression loads what a wider type stores, and nothing that the narrower one does not have.
  private func isStored(_ id: ExprID, of type: ElementType) -> Bool {
    guard case .load(let value, _, let condition, let otherwise) = self[id].node, storedWide(value) == type else {
      return false
    }
    return condition == nil || otherwise == .int(0)
  }
}

extension Comparison {
  /// Whether the comparison of two numbers holds, given their difference.
  package func holds(_ difference: Int) -> Bool {
    switch self {
    case .equal: difference == 0
    case .notEqual: difference != 0
    case .less: difference < 0
    case .lessOrEqual: difference <= 0
    case .greater: difference > 0
    case .greaterOrEqual: difference >= 0
    }
  }
}

extension ElementType {
  /// Whether each value of another type survives a conversion to this one and back.
  package func holdsAll(of other: ElementType) -> Bool {
    if self == other { return true }
    switch (self, other) {
    case (.f64, .f32), (.f64, .f16), (.f64, .bf16), (.f32, .f16), (.f32, .bf16): return true
    case (.f64, .i32), (.f64, .i16), (.f64, .i8), (.f64, .u32), (.f64, .u16), (.f64, .u8), (.f32, .i16), (.f32, .i8),
      (.f32, .u16), (.f32, .u8):
      return true
    case (.i64, .i32), (.i64, .i16), (.i64, .i8), (.i64, .u32), (.i64, .u16), (.i64, .u8), (.i64, .bool), (.i32, .i16),
      (.i32, .i8), (.i32, .u16), (.i32, .u8), (.i32, .bool):
      return true
    default: return false
    }
  }
}

extension Body {
  /// The same body without expressions that no result needs.
  package func pruned() -> Body {
    var needed = [Bool](repeating: false, count: exprs.count)
    for result in results { needed[result.position] = true }
    for index in exprs.indices.reversed() where needed[index] {
      for argument in exprs[index].node.arguments { needed[argument.position] = true }
    }
    var map = [ExprID](repeating: ExprID(0), count: exprs.count)
    var kept: [Expr] = []
    for index in exprs.indices where needed[index] {
      map[index] = ExprID(kept.count)
      kept.append(Expr(node: exprs[index].node.mapArguments { map[$0.position] }, type: exprs[index].type))
    }
    return Body(exprs: kept, results: results.map { map[$0.position] })
  }
}
