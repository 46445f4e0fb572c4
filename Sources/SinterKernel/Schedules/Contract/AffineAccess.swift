import SinterCore

/// An operand of a contraction as memory: a value whose element for an index lies at `base` + Σ index · stride.
struct AffineAccess: Hashable {
  var value: FormValueID
  var base: Dim
  /// One an axis of the body that was analysed.
  var strides: [Dim]

  /// Reads a body as an access; nil where it is more than one plain load (a conversion of its type aside), or where an index is not linear in
  /// the axes.
  ///
  /// - Parameter free: how many of the first axes may stand in indices in any way. They are part of the base, and have no stride.
  init?(_ body: Body, axes: Int, free: Int = 0, shape: (FormValueID) -> [Dim]) {
    var root = body.results[0]
    if case .cast(let inner) = body[root].node { root = inner }
    guard case .load(let value, let indices, nil, _) = body[root].node else { return nil }
    let symbols = (free..<axes).map(Self.axisSymbol)
    var offset = Dim(0)
    for (index, stride) in zip(indices, ScheduleContext.strides(shape(value))) {
      guard let dim = body.indexDim(index) else { return nil }
      offset = offset + dim * stride
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

  static func axisSymbol(_ axis: Int) -> Symbol { Symbol("#axis\(axis)") }
}

extension Body {
  /// An i64 expression over axes and sizes as arithmetic; axes are `AffineAccess.axisSymbol`. Nil where it depends on data.
  func indexDim(_ id: ExprID) -> Dim? {
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
}

/// Axes that are walked as one, with the stride of the innermost.
struct CollapsedAxes {
  struct Group: Hashable {
    /// Positions in the list of axes, neighbours.
    var axes: Range<Int>
    var extent: Dim
    /// The stride in each of the accesses that were asked for.
    var strides: [Dim]
  }
  var groups: [Group] = []

  /// Joins neighbours wherever every access walks them densely.
  init(extents: [Dim], strides: [[Dim]]) {
    for axis in extents.indices {
      let own = Group(axes: axis..<(axis + 1), extent: extents[axis], strides: strides.map { $0[axis] })
      guard let last = groups.last else {
        groups.append(own)
        continue
      }
      if last.extent == 1 {
        groups[groups.count - 1] = Group(axes: last.axes.lowerBound..<(axis + 1), extent: own.extent, strides: own.strides)
      } else if own.extent == 1 {
        groups[groups.count - 1].axes = last.axes.lowerBound..<(axis + 1)
      } else if zip(last.strides, own.strides).allSatisfy({ $0 == $1 * own.extent }) {
        groups[groups.count - 1] = Group(
          axes: last.axes.lowerBound..<(axis + 1), extent: last.extent * own.extent, strides: own.strides)
      } else {
        groups.append(own)
      }
    }
  }
}
