import SinterCore
import SinterKernelIR

/// Sums tiles of a convolution with one channel a group: rows are pixels, columns are channels, and each channel meets only its own weights.
/// The right side is [taps…, channels], as it lies.
struct DepthwiseSums: TileSums {
  let scope: KernelScope
  let lhs: Memory
  let rhs: Memory
  let accumulate: ElementType
  let lanes: Int
  /// The offset of the first channel's weights.
  let rhsBase: Register
  /// Over the taps.
  var reductions: [TileKernel.Reduction]

  private var b: KernelBuilder { scope.builder }

  func accumulators(
    tile: RegisterTile, lhsBase: Register, rows: [Register], column: Register, masks: [Register?]
  ) -> [Register] {
    let zero = b.constant(.float(0), accumulate, lanes: lanes)
    let channel = b.subtract(column, rhsBase)
    return descend(
      reductions[...], rows, b.add(lhsBase, channel), column, masks,
      [Register](repeating: zero, count: tile.accumulators))
  }

  private func descend(
    _ loops: ArraySlice<TileKernel.Reduction>, _ rows: [Register], _ left: Register, _ right: Register,
    _ masks: [Register?], _ sums: [Register]
  ) -> [Register] {
    guard let first = loops.first else {
      let weights = masks.indices.map {
        b.cast(b.load(rhs, at: b.add(right, $0 * lanes), lanes: lanes, mask: masks[$0]), to: accumulate)
      }
      return rows.indices.flatMap { row in
        masks.indices.map { vector in
          let at = b.add(b.add(left, rows[row]), vector * lanes)
          let value = b.load(lhs, at: at, lanes: lanes, mask: masks[vector])
          return b.multiplyAdd(value, weights[vector], sums[row * masks.count + vector])
        }
      }
    }
    let iterations = first.iterations(scope)
    return b.loop(
      "tap", from: iterations.from, to: iterations.to,
      unroll: first.iterations == nil ? Swift.min(first.extent.value ?? 1, 4) : 1,
      carrying: sums
    ) { k, current in
      descend(
        loops.dropFirst(), rows, b.add(left, b.multiply(k, scope.index(first.lhsStride))),
        b.add(right, b.multiply(k, scope.index(first.rhsStride))), masks, current)
    }
  }
}
