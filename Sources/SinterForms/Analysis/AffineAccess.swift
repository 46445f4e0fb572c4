import SinterCore

/// An operand of a contraction as memory: a value whose element for an index lies at `base` + Σ index · stride.
package struct AffineAccess: Hashable {
  package var value: FormValueID
  package var base: Dim
  /// One an axis of the body that was analysed.
  package var strides: [Dim]
  /// Indices that data determine, each by the symbol that stands for it in `base`.
  package var picks: [Pick] = []

  /// An index that data determine, the same for all axes but the first ones: which matrix of a stack a product reads, say.
  package struct Pick: Hashable {
    package var symbol: Symbol
    /// In the body that was analysed.
    package var index: ExprID
    /// The axis of the value along which it counts.
    package var axis: Int
  }

  /// Reads a body as an access; nil where it is more than one plain load (a conversion of its type aside), or where an index is not linear in
  /// the axes.
  ///
  /// - Parameters:
  ///   - free: how many of the first axes may stand in indices in any way. They are part of the base, and have no stride.
  ///   - picking: how many of the first axes an index may depend on that data determine; nil: there may be none.
  package init?(_ body: Body, axes: Int, free: Int = 0, picking: Int? = nil, shape: (FormValueID) -> [Dim]) {
    var root = body.results[0]
    if case .cast(let inner) = body[root].node { root = inner }
    guard case .load(let value, let indices, nil, _) = body[root].node else { return nil }
    let symbols = (free..<axes).map(Self.axisSymbol)
    var offset = Dim(0)
    for (axis, (index, stride)) in zip(indices, TensorType.strides(shape(value))).enumerated() {
      if let dim = body.indexDim(index) {
        offset = offset + dim * stride
        continue
      }
      guard let picking, !body.depends(index, onAxesFrom: picking) else { return nil }
      let pick = Pick(symbol: Symbol("#pick\(index.position)"), index: index, axis: axis)
      picks.append(pick)
      offset = offset + Dim(pick.symbol) * stride
    }
    self.value = value
    strides = [Dim](repeating: 0, count: free)
    for symbol in symbols {
      guard let (coefficient, rest) = offset.linear(in: symbol) else { return nil }
      // A stride that itself has an axis in it is no stride.
      if coefficient.symbols.contains(where: \.isIndex) { return nil }
      strides.append(coefficient)
      offset = rest
    }
    base = offset
  }

  init(value: FormValueID, base: Dim, strides: [Dim]) {
    self.value = value
    self.base = base
    self.strides = strides
  }

  package static func axisSymbol(_ axis: Int) -> Symbol { Symbol("#axis\(axis)") }
}

extension Body {
  /// Whether an expression depends on one of the axes from `first` on.
  package func depends(_ id: ExprID, onAxesFrom first: Int) -> Bool {
    var found: [Bool] = []
    found.reserveCapacity(id.position + 1)
    for expr in exprs[...id.position] {
      if case .axis(let axis) = expr.node {
        found.append(axis >= first)
      } else {
        found.append(expr.node.arguments.contains { found[$0.position] })
      }
    }
    return found[id.position]
  }

  /// An i64 expression over axes and sizes as arithmetic; axes are `AffineAccess.axisSymbol`. Nil where it depends on data.
  package func indexDim(_ id: ExprID) -> Dim? {
    switch self[id].node {
    case .constant(.int(let value)): return Dim(Int(value))
    case .size(let dim): return dim
    case .axis(let axis): return Dim(AffineAccess.axisSymbol(axis))
    case .binary(let function, let a, let b):
      guard let x = indexDim(a), let y = indexDim(b) else { return nil }
      switch function {
      case .add: return x + y
      case .subtract: return x - y
      case .multiply: return x * y
      case .floorDivide: return x / y
      case .modulo: return x % y
      case .minimum: return Dim.min(x, y)
      case .maximum: return Dim.max(x, y)
      case .divide, .remainder, .power, .and, .or, .xor, .shiftLeft, .shiftRight, .arcTangent2: return nil
      }
    case .constant(.float), .load, .accumulator, .unary, .compare, .select, .cast, .bitcast, .checked: return nil
    }
  }

  /// The number g with which an index is `axis + g · extent`.
  package func columnGroup(_ index: ExprID, axis: Int, extent: Dim) -> Int? {
    guard let dim = indexDim(index) else { return nil }
    let offset = dim - Dim(AffineAccess.axisSymbol(axis))
    return offset == 0 ? 0 : offset.exactQuotient(by: extent)?.value.flatMap { $0 > 0 ? $0 : nil }
  }
}
