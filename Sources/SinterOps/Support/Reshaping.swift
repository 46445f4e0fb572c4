import SinterCore
import SinterForms

extension Lowering {
  /// The same elements, row-major, under other sizes with the same product.
  mutating func reshape(_ x: Operand, to shape: [Dim]) throws -> Operand {
    if x.shape == shape { return x }
    return try element(shape) { builder, index in
      builder.load(x.id, Reshaping.index(builder, index, of: shape, into: x.shape))
    }
  }

  /// Axis j of the result is axis `order[j]` of the operand.
  mutating func transpose(_ x: Operand, _ order: [Int]) throws -> Operand {
    try element(order.map { x.shape[$0] }) { builder, index in
      var own = index
      for (j, axis) in order.enumerated() { own[axis] = index[j] }
      return builder.load(x.id, own)
    }
  }
}

/// Index arithmetic of reshapes.
///
/// Axes are taken in groups with equal products on either side, as few at a time as possible, so that only axes that are really split or
/// joined cost a division.
enum Reshaping {
  /// The index of the element of `own` that a reshape puts at `index` of `shape`.
  static func index(_ builder: BodyBuilder, _ index: [Expr], of shape: [Dim], into own: [Dim]) -> [Expr] {
    var result: [Expr] = []
    var (i, j) = (0, 0)
    while i < own.count || j < shape.count {
      let (nextI, nextJ) = nextBoundary(own, shape, i, j)
      let sizes = Array(own[i..<nextI])
      if sizes.count == 1 && nextJ - j == 1 {
        result.append(index[j])
      } else {
        let linear = linearize(builder, Array(index[j..<nextJ]), Array(shape[j..<nextJ]))
        result += delinearize(builder, linear, sizes)
      }
      (i, j) = (nextI, nextJ)
    }
    return result
  }

  /// The position in row-major order of an index.
  static func linearize(_ builder: BodyBuilder, _ index: [Expr], _ sizes: [Dim]) -> Expr {
    var position = builder.constant(0, .i64)
    for (at, size) in zip(index, sizes) { position = position * builder.size(size) + at }
    return position
  }

  /// The index of a position in row-major order.
  static func delinearize(_ builder: BodyBuilder, _ position: Expr, _ sizes: [Dim]) -> [Expr] {
    var result: [Expr] = []
    var stride = Dim(1)
    let first = sizes.firstIndex { $0 != 1 } ?? sizes.count
    for (axis, size) in sizes.enumerated().reversed() {
      if size == 1 {
        result.append(builder.constant(0, .i64))
        continue
      }
      let whole = position.floorDivided(by: builder.size(stride))
      result.append(axis == first ? whole : whole.modulo(builder.size(size)))
      stride = stride * size
    }
    return result.reversed()
  }

  /// The nearest pair of places behind (i, j) before which the products of both lists agree; the ends where none is found.
  private static func nextBoundary(_ own: [Dim], _ shape: [Dim], _ i: Int, _ j: Int) -> (Int, Int) {
    func products(_ sizes: ArraySlice<Dim>) -> [Dim] {
      sizes.reduce(into: [Dim(1)]) { $0.append($0[$0.count - 1] * $1) }
    }
    let left = products(own[i...])
    let right = products(shape[j...])
    for total in 1..<max(left.count + right.count - 1, 2) {
      for p in 0...total where p < left.count && total - p < right.count && left[p] == right[total - p] {
        // An axis of size 1 joins no group of its own when both sides go on with equal sizes.
        return (i + p, j + total - p)
      }
    }
    return (own.count, shape.count)
  }
}
