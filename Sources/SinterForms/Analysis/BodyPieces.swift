import SinterCore

/// A part of a space, and what a body is there.
package struct BodyPiece {
  /// Where the part begins along each axis, and how long it is.
  package var starts: [Int]
  package var shape: [Dim]
  /// The body over the part; its axes begin at zero.
  package var body: Body
}

extension Body {
  /// More parts than this are not made.
  private static var pieceLimit: Int { 96 }

  /// The body taken apart where its conditions change: for a concatenation, a part an operand, each without conditions. Empty where that does
  /// not free several loads from conditions.
  ///
  /// - Parameter extents: the sizes of the body's axes.
  package func pieces(
    _ extents: [Dim], values: EntityMap<FormValueID, FormProgram.Value>, ranges: [Symbol: ClosedRange<Int>]
  ) -> [BodyPiece] {
    let outer = piecesAlongOne(extents, values: values, ranges: ranges)
    let all = outer.flatMap { piece in
      let inner = piece.body.pieces(piece.shape, values: values, ranges: ranges)
      if inner.isEmpty { return [piece] }
      return inner.map { BodyPiece(starts: zip(piece.starts, $0.starts).map(+), shape: $0.shape, body: $0.body) }
    }
    return all.count <= Self.pieceLimit ? all : outer
  }

  /// The same along one axis.
  private func piecesAlongOne(
    _ extents: [Dim], values: EntityMap<FormValueID, FormProgram.Value>, ranges: [Symbol: ClosedRange<Int>]
  ) -> [BodyPiece] {
    let guarded = guardedLoads
    guard guarded >= 2, let (axis, cuts) = cuts(extents).max(by: { $0.cuts.count < $1.cuts.count }),
      let extent = extents[axis].value, cuts.count < Self.pieceLimit
    else { return [] }
    let bounds = [0] + cuts.sorted() + [extent]
    let count = extents.reduce(Dim(1), *).estimate(ranges)
    guard count >= 256 * Double(bounds.count) else { return [] }
    let pieces = zip(bounds, bounds.dropFirst()).map { low, high in
      let builder = BodyBuilder { values[$0].type.element }
      var axes = extents.indices.map { builder.axis($0) }
      axes[axis] = axes[axis] + builder.constant(low, .i64)
      var sizes = extents
      sizes[axis] = Dim(high - low)
      let moved = builder.body(builder.inline(self, axes: axes))
      return BodyPiece(
        starts: extents.indices.map { $0 == axis ? low : 0 }, shape: sizes,
        body: BodySimplifier.simplify(moved, extents: sizes, values: values, ranges: ranges))
    }
    return pieces.allSatisfy { 2 * $0.body.guardedLoads <= guarded } ? pieces : []
  }

  private var guardedLoads: Int {
    exprs.count { if case .load(_, _, _?, _) = $0.node { true } else { false } }
  }

  /// For each axis the indices, inside the axis, at which comparisons of that axis with a number change.
  private func cuts(_ extents: [Dim]) -> [(axis: Int, cuts: Set<Int>)] {
    var found: [Int: Set<Int>] = [:]
    for expr in exprs {
      guard case .compare(let comparison, let a, let b) = expr.node, self[a].type == .i64, let x = indexDim(a),
        let y = indexDim(b)
      else { continue }
      for axis in extents.indices {
        guard let (coefficient, rest) = (x - y).linear(in: AffineAccess.axisSymbol(axis)), let number = rest.value,
          let extent = extents[axis].value
        else { continue }
        // The comparison is of `axis + number` or of `number - axis` with zero.
        let places: [Int]
        switch (coefficient.value, comparison) {
        case (1, .less), (1, .greaterOrEqual): places = [-number]
        case (1, .lessOrEqual), (1, .greater): places = [1 - number]
        case (1, .equal), (1, .notEqual): places = [-number, 1 - number]
        case (-1, .less), (-1, .greaterOrEqual): places = [number + 1]
        case (-1, .lessOrEqual), (-1, .greater): places = [number]
        case (-1, .equal), (-1, .notEqual): places = [number, number + 1]
        default: continue
        }
        for place in places where place > 0 && place < extent { found[axis, default: []].insert(place) }
      }
    }
    return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}
