import SinterCore
import SinterForms

/// What a body's index arithmetic comes to: each load's place in memory, each comparison of indices, as `Dim` over loop
/// indices.
///
/// An i64 expression that is not such arithmetic (a loaded index, a converted float) is opaque: a symbol of its own
/// stands for it.
struct BodyIndices {
  let body: Body
  let simplifier: IndexSimplifier
  /// The value of an i64 expression; nil for those that nothing needs as an index.
  private(set) var dims: [Dim?]
  /// The element that a load reads, counted from the value's first one.
  private(set) var flats: [ExprID: Dim] = [:]
  /// Truth values that are the same for all indices.
  private(set) var known: [ExprID: Bool] = [:]
  private(set) var opaque: [Symbol: ExprID] = [:]
  /// The loop indices on which an expression depends. `varying` stands in it for accumulators.
  private(set) var dependence: [Set<Symbol>]

  static let varying = Symbol("#accumulator")
  /// Terms beyond which arithmetic is data, not indices.
  private static let termLimit = 12

  /// - Parameter axes: the body's axes over loop indices that `simplifier` knows.
  init(
    _ body: Body, axes: [Dim], values: EntityMap<FormValueID, FormProgram.Value>, simplifier: IndexSimplifier,
    newSymbol: () -> Symbol
  ) {
    self.body = body
    self.simplifier = simplifier
    dims = []
    dependence = []
    dims.reserveCapacity(body.exprs.count)
    dependence.reserveCapacity(body.exprs.count)
    for (position, expr) in body.exprs.enumerated() {
      let id = ExprID(position)
      var dim: Dim?
      if expr.type == .i64 {
        dim = Self.dim(expr.node, axes: axes, simplifier: simplifier) { dims[$0.position] }
        if dim == nil {
          let symbol = newSymbol()
          opaque[symbol] = id
          dim = Dim(symbol)
        }
      }
      dims.append(dim)

      if case .compare(let comparison, let a, let b) = expr.node, let x = dims[a.position], let y = dims[b.position] {
        known[id] = simplifier.comparison(comparison, difference: x - y)
      } else if expr.type == .bool {
        known[id] = Self.truth(expr.node) { known[$0] }
      }
      if case .load(let value, let list, _, _) = expr.node {
        let strides = TensorType.strides(values[value].type.shape)
        let flat = zip(list, strides).reduce(Dim(0)) { $0 + (dims[$1.0.position] ?? 0) * $1.1 }
        flats[id] = simplifier.simplified(flat)
      }

      var found: Set<Symbol> = []
      switch expr.node {
      case .axis, .size, .constant:
        if let dim { found = Set(dim.symbols.filter(\.isIndex)) }
      case .accumulator: found = [Self.varying]
      case .load(_, _, let condition, _):
        found = symbols(of: flats[id] ?? 0)
        if let condition, known[condition] == nil { found.formUnion(dependence[condition.position]) }
      case .unary, .binary, .compare, .select, .cast, .bitcast, .checked:
        if known[id] != nil {
          found = []
        } else if let dim, !dim.symbols.contains(where: { opaque[$0] != nil }) {
          found = Set(dim.symbols.filter(\.isIndex))
        } else {
          for argument in expr.node.arguments { found.formUnion(dependence[argument.position]) }
        }
      }
      dependence.append(found)
    }
  }

  /// The loop indices in an index, those that its opaque parts depend on included.
  func symbols(of dim: Dim) -> Set<Symbol> {
    var found: Set<Symbol> = []
    for symbol in dim.symbols where symbol.isIndex {
      if let id = opaque[symbol] { found.formUnion(dependence[id.position]) } else { found.insert(symbol) }
    }
    return found
  }

  func isOpaque(_ dim: Dim) -> Bool { dim.symbols.contains { opaque[$0] != nil } }

  private static func dim(
    _ node: ExprNode, axes: [Dim], simplifier: IndexSimplifier, _ of: (ExprID) -> Dim?
  ) -> Dim? {
    switch node {
    case .constant(.int(let value)): return Dim(Int(value))
    case .axis(let n): return axes[n]
    case .size(let dim): return dim
    case .unary(.negate, let a): return of(a).map { -$0 }
    case .binary(let function, let a, let b):
      guard let x = of(a), let y = of(b) else { return nil }
      let isDivisor = y.symbols.allSatisfy { !$0.isIndex } && y.value != 0
      var result: Dim
      switch function {
      case .add: result = x + y
      case .subtract: result = x - y
      case .multiply:
        guard (x.terms.count + 1) * (y.terms.count + 1) <= termLimit * 2 else { return nil }
        result = x * y
      case .floorDivide where isDivisor: result = x / y
      case .modulo where isDivisor: result = x % y
      case .minimum: result = Dim.min(x, y)
      case .maximum: result = Dim.max(x, y)
      case .divide, .floorDivide, .modulo, .remainder, .power, .and, .or, .xor, .shiftLeft, .shiftRight, .arcTangent2:
        return nil
      }
      result = simplifier.simplified(result)
      return result.terms.count <= termLimit ? result : nil
    case .constant(.float), .load, .accumulator, .unary, .compare, .select, .cast, .bitcast, .checked: return nil
    }
  }

  private static func truth(_ node: ExprNode, _ known: (ExprID) -> Bool?) -> Bool? {
    switch node {
    case .constant(.int(let value)): value != 0
    case .unary(.not, let a): known(a).map { !$0 }
    case .binary(.and, let a, let b):
      if known(a) == false || known(b) == false { false } else if known(a) == true { known(b) } else { nil }
    case .binary(.or, let a, let b):
      if known(a) == true || known(b) == true { true } else if known(a) == false { known(b) } else { nil }
    default: nil
    }
  }

  /// All indices that the body's meaning rests on: what has to keep its form when loops are merged or split.
  var roots: [Dim] {
    var isIndexOnly = [Bool](repeating: true, count: body.exprs.count)
    for result in body.results { isIndexOnly[result.position] = false }
    var found: [Dim] = Array(flats.values)
    for (position, expr) in body.exprs.enumerated().reversed() {
      let id = ExprID(position)
      switch expr.node {
      case .load(_, let list, let condition, _):
        // The flat index stands for the list; opaque parts count for themselves.
        for index in list where dims[index.position].map(isOpaque) == true { isIndexOnly[index.position] = false }
        if let condition { isIndexOnly[condition.position] = false }
      case .compare(_, let a, let b):
        if known[id] != nil { continue }
        if let x = dims[a.position], let y = dims[b.position], !isOpaque(x), !isOpaque(y) {
          found.append(simplifier.simplified(x - y))
        } else {
          isIndexOnly[a.position] = false
          isIndexOnly[b.position] = false
        }
      case .constant, .axis, .size, .accumulator, .unary, .binary, .select, .cast, .bitcast, .checked:
        let isWhole = expr.type == .i64 && dims[position].map { !isOpaque($0) } == true
        if isWhole {
          if !isIndexOnly[position], let dim = dims[position] { found.append(dim) }
        } else {
          for argument in expr.node.arguments { isIndexOnly[argument.position] = false }
        }
      }
    }
    return found.filter { !$0.isConstant }
  }
}
