import SinterCore
import SinterForms
import SinterKernelIR

/// Writes the kernel of a `WinogradSchedule`.
struct WinogradKernel {
  let scope: KernelScope
  let form: ConvolveForm
  let plan: WinogradPlan
  let transposed: [TransposedAxis]
  let table: BufferID?
  let layout: PanelLayout
  let inputShape: [Dim]
  let shape: [Dim]
  let result: FormValueID
  let image: Memory
  let weights: Memory
  let scratch: Memory

  var b: KernelBuilder { scope.builder }
  var lanes: Int { plan.lanes }
  var axes: [WinogradAxis] { plan.axes }

  /// Where what a task computes lies, along each axis.
  struct Frame {
    /// The element of the input that the first tap of place 0 meets.
    var starts: [Register]
    /// Places of the phase; nil: all of the result's.
    var ends: [Register]?
    /// Where the phase's places lie in the result; nil: each is its own.
    var lattice: [TileStore.Lattice]?
    /// The first element of the weights.
    var weights: Register
  }

  private func frame(_ phase: Register) -> Frame {
    guard let table else {
      return Frame(starts: form.padsBegin.map { b.subtract(b.index(0), scope.dim($0)) }, weights: b.index(0))
    }
    let places = scope.unflatten(phase, transposed.map { Dim($0.phases) })
    let own = TransposedPhase(transposed, window: form.window, places: places, table: table, scope)
    let ends = zip(transposed, own.place).map { axis, place in
      axis.isEven && axis.places != 1
        ? scope.dim(axis.places)
        : b.binary(
          .floorDivide, b.subtract(scope.dim(axis.extent + Dim(axis.stride - 1)), scope.index(place)),
          b.index(axis.stride))
    }
    let number = b.binary(.floorDivide, own.before, b.index(axes.reduce(1) { $0 * $1.window }))
    return Frame(
      starts: own.starts, ends: ends, lattice: own.lattice(transposed, images: shape[0]),
      weights: b.multiply(number, layout.count))
  }

  /// Where a patch lies: its image, and along each axis the number of its first place among those `resultStep` apart, the first of which
  /// is place `first`.
  struct Patch {
    var image: Register
    var place: [Register]
    var first: [Register?]
  }

  func patch(_ number: Register) -> Patch {
    let numbers = scope.unflatten(number, [plan.images] + axes.map(\.patches))
    var patch = Patch(image: numbers[0], place: [], first: [])
    for (axis, number) in zip(axes, numbers[1...]) {
      let isSpread = axis.resultStep > 1
      let step = b.index(axis.resultStep)
      patch.place.append(b.multiply(isSpread ? b.binary(.floorDivide, number, step) : number, axis.results))
      patch.first.append(isSpread ? b.binary(.modulo, number, step) : nil)
    }
    return patch
  }

  func emit() {
    let parts = b.index(plan.columnParts)
    let part = b.binary(.modulo, b.task, parts)
    let rest = b.binary(.floorDivide, b.task, parts)
    let isOnePhase = plan.phases == 1
    let chunk = isOnePhase ? rest : b.binary(.modulo, rest, scope.dim(plan.chunks))
    let frame = frame(isOnePhase ? b.index(0) : b.binary(.floorDivide, rest, scope.dim(plan.chunks)))
    let input = b.multiply(b.task, plan.scratch)
    let products = b.add(input, plan.places * plan.inputStride)
    let chunkPatches = scope.dim(plan.chunkPatches)
    let from = b.multiply(chunk, chunkPatches)
    let to = b.binary(.minimum, b.add(from, chunkPatches), scope.dim(plan.patches))
    let panelFrom = b.multiply(part, plan.partPanels)
    let panelTo = b.binary(.minimum, b.add(panelFrom, plan.partPanels), b.index(plan.panels))
    b.loop("block", from: from, to: to, step: plan.blockPatches) { block in
      let count = b.binary(.minimum, b.subtract(to, block), b.index(plan.blockPatches))
      b.loop("patch", from: b.index(0), to: count) { t in
        let (patch, target) = (patch(b.add(block, t)), b.add(input, b.multiply(t, plan.channelStride)))
        let parts = axes.parts
        if parts == 1 { return transformInput(patch, frame, parts: axes.map { _ in b.index(0) }, to: target) }
        b.loop("part", from: b.index(0), to: b.index(parts)) { part in
          transformInput(
            patch, frame, parts: scope.unflatten(part, axes.map { Dim($0.parts) }),
            to: b.add(target, b.multiply(part, plan.channels / parts)))
        }
      }
      func panels(from: Register, to: Register, columns: Int) {
        b.loop("panel", from: from, to: to) { panel in
          let vectors = (columns + lanes - 1) / lanes
          multiply(panel, frame, vectors: vectors, count: count, input: input, products: products)
          b.loop("patch", from: b.index(0), to: count) { t in
            let at = b.add(products, b.multiply(t, vectors * lanes))
            transformOutput(
              patch(b.add(block, t)), frame, from: at, column: b.multiply(panel, plan.width), columns: columns)
          }
        }
      }
      let full = b.index(layout.fullPanels)
      if layout.fullPanels > 0 {
        panels(from: panelFrom, to: b.binary(.minimum, panelTo, full), columns: plan.width)
      }
      if layout.tailColumns > 0 {
        panels(from: b.binary(.maximum, panelFrom, full), to: panelTo, columns: layout.tailColumns)
      }
    }
  }

  // MARK: Products

  /// The products of a block's patches with one panel: place after place, to `place · productStride` from `products` on.
  private func multiply(
    _ panel: Register, _ frame: Frame, vectors: Int, count: Register, input: Register, products: Register
  ) {
    let width = vectors * lanes
    let kernel = TileKernel(
      scope: scope, lhs: scratch, rhs: weights, accumulate: .f32, lanes: lanes,
      reductions: [.init(extent: Dim(plan.channels), lhsStride: 1, rhsStride: 1)], isPacked: true,
      usualTile: plan.tile)
    let panelAt = b.add(frame.weights, b.multiply(panel, layout.width * layout.depth))
    // A place's weights come from memory while those of the place before it are multiplied.
    let asksAhead =
      plan.tile.asksAhead(rows: plan.onlyBlock ?? plan.blockPatches) && scope.machine.streams(bytes: plan.weightBytes)
    b.loop("place", from: b.index(0), to: b.index(plan.places)) { place in
      let lhs = b.add(input, b.multiply(place, plan.inputStride))
      let column = b.add(panelAt, b.multiply(place, plan.channels * width))
      let out = b.add(products, b.multiply(place, plan.productStride))
      let whole = RegisterTile(rows: plan.tile.rows, vectors: vectors)
      whole.forEachTile(in: scope, from: b.index(0), to: count, count: plan.patches) { rows in
        var kernel = kernel
        if asksAhead {
          let amount = plan.channels * width
          kernel.ask(
            plan.tile.request(
              b, row: rows.first, of: plan.onlyBlock.map { b.index($0) } ?? count, usual: plan.usualBlock,
              at: b.add(column, amount), count: amount, step: width))
        }
        let sums = kernel.accumulators(
          tile: RegisterTile(rows: rows.count, vectors: vectors),
          lhsBase: b.add(lhs, rows.existing == nil ? b.multiply(rows.first, plan.channelStride) : b.index(0)),
          rows: rows.clamped(b)?.map { b.multiply($0, plan.channelStride) }
            ?? (0..<rows.count).map { b.index($0 * plan.channelStride) },
          column: column,
          masks: [Register?](repeating: nil, count: vectors))
        let first = b.add(out, b.multiply(rows.first, width))
        rows.forEach(b) { row in
          for index in (row * vectors)..<((row + 1) * vectors) {
            b.store(sums[index], scratch, at: b.add(first, index * lanes))
          }
        }
      }
    }
  }

  // MARK: Transforms

  /// All places of a patch, row-major, as indices along the axes.
  func indices(_ extents: [Int]) -> [[Int]] {
    extents.reduce([[]]) { all, extent in all.flatMap { index in (0..<extent).map { index + [$0] } } }
  }

  /// Vectors of all places of a patch with the axes' matrices applied along each axis; row-major before and after.
  func apply(_ matrix: (WinogradTransform) -> [[Double]], to values: [Register]) -> [Register] {
    var values = values
    var extents = axes.map(\.size)
    for (axis, transform) in axes.map(\.transform).enumerated() {
      guard let transform else { continue }
      values = LinearMap(matrix(transform), b).along(axis, of: &extents, values)
    }
    return values
  }
}
