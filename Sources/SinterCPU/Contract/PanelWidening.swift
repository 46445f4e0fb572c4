import SinterCore
import SinterKernelIR

/// Writes a part of a panel of f16 or bf16 weights as f32 into memory of the task: what many rows are multiplied with before the next part
/// takes its place. Widened as a tile reads them, weights would cost each tile the instructions that its multiply-adds compete with.
struct PanelWidening {
  let scope: KernelScope
  let panels: Memory
  let lanes: Int
  /// As many steps along the reduced axis as are widened at once, a panel's width each.
  let target: Memory

  /// Tiles of rows from which on widening pays.
  private static let leastTiles = 3
  /// Steps of a part for which it pays to have sums wait, where parts are as short as the innermost of several reduced axes.
  private static let leastSteps = 64

  /// Steps along the innermost reduced axis that are widened at once, so that they stay in the first-level cache beside the rows: all steps along
  /// all axes where they do. Nil where a product as planned should widen as it reads.
  ///
  /// - Parameters:
  ///   - plan: with the reduced axes in one.
  ///   - depth: the steps along all reduced axes, and `inner` those along the innermost.
  static func step(
    _ plan: ProductPlan, depth: Int, inner: Int, weights: ElementType, accumulate: ElementType, machine: Machine
  ) -> Int? {
    guard depth > 0, weights != accumulate, accumulate == .f32, plan.tile.streams(machine) == 1,
      let rows = plan.rows.value,
      Swift.min(plan.blockRows, rows) >= Self.leastTiles * plan.tile.rows
    else { return nil }
    let most = machine.level1 / 2 / (plan.width * accumulate.bits / 8)
    if depth <= most { return depth }
    let parts = (inner + most - 1) / Swift.max(1, most)
    let step = (inner + parts - 1) / Swift.max(1, parts)
    return inner == depth || step >= Self.leastSteps ? step : nil
  }

  /// - Parameters:
  ///   - panel: the place of the panel.
  ///   - start: the first step; `extent` steps follow.
  /// - Returns: where the first step lies in `target`.
  func emit(panel: Register, start: Register, extent: Int, vectors: Int) -> Register {
    let b = scope.builder
    let width = vectors * lanes
    let first = b.add(panel, b.multiply(start, width))
    b.loop("widened", from: b.index(0), to: b.index(extent * width), step: width) { at in
      let from = b.add(first, at)
      for vector in 0..<vectors {
        let weights = b.load(panels, at: b.add(from, vector * lanes), lanes: lanes)
        b.store(b.cast(weights, to: .f32), target, at: b.add(at, vector * lanes))
      }
    }
    return b.index(0)
  }
}

extension ProductKernel {
  /// Has panels widened before tiles read them, `step` steps at once.
  mutating func widen(_ kernel: TileKernel, step: Int) {
    let target = kernel.scope.builder.local("widened", .f32, count: step * plan.width)
    let widening = PanelWidening(scope: kernel.scope, panels: kernel.rhs, lanes: plan.lanes, target: target)
    let wide = TileKernel(
      scope: kernel.scope, lhs: kernel.lhs, rhs: target, accumulate: kernel.accumulate, lanes: kernel.lanes,
      reductions: kernel.reductions, isPacked: true, usualTile: kernel.usualTile)
    if plan.depthStep == nil { self.kernel = wide } else { stepped = wide }
    source = kernel.rhs
    unpacked = { widening.emit(panel: $0, start: $1, extent: $2, vectors: $3) }
  }
}
