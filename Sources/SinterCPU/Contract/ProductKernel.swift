import SinterCore
import SinterKernelIR

/// Writes the loops of one task: panels, then tiles of rows, full ones first, then what is left (see `TileRows`).
struct ProductKernel {
  var plan: ProductPlan
  var kernel: any TileSums
  /// Nil: the right side is read as it lies, or in panels that are all as wide as a tile.
  var packed: PanelLayout?
  /// Elements from one packed panel to the next, where no layout tells.
  var panelStep: Register?
  /// Neighbours along the reduced axis that lie side by side in such panels.
  var panelInterleave = 1
  /// Elements from one panel to the next, where tiles should ask for what lies that far ahead.
  var askDistance: Int?
  var rhsBase: Register
  /// The offset of a row on the left: that of the tile's first row, and what each row adds to it.
  var rowOffsets: (_ first: Register, _ count: Int) -> (base: Register, deltas: [Register])
  /// The reduced axes of a tile, where its rows decide which iterations are taken.
  var reductions: ((_ first: Register, _ count: Int) -> [TileKernel.Reduction])?
  /// What follows on the sums is long: it is written once for all tiles.
  var storesLong = false
  /// The kernel for plans that take the innermost reduced axis in steps.
  var stepped: TileKernel?
  /// How many of the innermost reduced axes a step goes over: one, a part of which is a step, or several, all of which are one.
  var steppedLoops = 1
  /// Makes a step's part of a panel, or all of it for plans without steps, where it is not there yet: gets the panel's offset, the first place
  /// along the reduced axes, how many follow, and how many vectors of columns; gives the part's offset on the right.
  var unpacked: ((_ panel: Register, _ start: Register, _ extent: Int, _ vectors: Int) -> Register)?
  /// Where parts are made from, one element for one: tiles ask for the next part's.
  var source: Memory?

  private var b: KernelBuilder { kernel.scope.builder }
  private var scope: KernelScope { kernel.scope }

  /// What is done with a finished tile: its rows, its first column, its vectors of columns, the lanes that exist in each, and the sums.
  typealias Store = (
    _ rows: TileRows, _ column: Register, _ vectors: Int, _ masks: [Register?], _ sums: TileResult
  ) -> Void

  func emit(rowBlock: Register, columnBlock: Register, store: Store) {
    let panelFrom = b.multiply(columnBlock, plan.blockPanels)
    let panelTo = b.binary(.minimum, b.add(panelFrom, plan.blockPanels), scope.dim(plan.panels))
    let rowFrom = b.multiply(rowBlock, plan.blockRows)
    let rowTo = b.binary(.minimum, b.add(rowFrom, plan.blockRows), scope.dim(plan.rows))
    let width = plan.width
    let full = plan.columns / Dim(width)
    let fullTo = plan.panels == full ? panelTo : b.binary(.minimum, panelTo, scope.dim(full))
    if full.value != 0 {
      b.loop("panel", from: panelFrom, to: fullTo) { panel in
        let masks = [Register?](repeating: nil, count: plan.tile.vectors)
        rows(
          from: rowFrom, to: rowTo, column: b.multiply(panel, width), offset: panelOffset(panel),
          vectors: plan.tile.vectors, loadMasks: masks, storeMasks: masks, store)
      }
    }
    guard plan.panels != full else { return }
    let from = b.binary(.maximum, panelFrom, scope.dim(full))
    if let columns = plan.columns.value {
      b.loop("tail", from: from, to: panelTo) { panel in
        let vectors = (columns % width + plan.lanes - 1) / plan.lanes
        var masks = [Register?](repeating: nil, count: vectors)
        if columns % plan.lanes != 0 { masks[vectors - 1] = mask(columns % plan.lanes) }
        let none = [Register?](repeating: nil, count: vectors)
        rows(
          from: rowFrom, to: rowTo, column: b.multiply(panel, width), offset: panelOffset(panel), vectors: vectors,
          loadMasks: packed == nil && panelStep == nil ? masks : none, storeMasks: masks, store)
      }
      return
    }
    // The number of columns is known only at run time: vector by vector, the last one masked.
    b.loop("tail", from: from, to: panelTo) { panel in
      let first = b.multiply(panel, width)
      b.loop("vector", from: first, to: scope.dim(plan.columns), step: plan.lanes) { column in
        let left = b.subtract(scope.dim(plan.columns), column)
        let limit = b.broadcast(b.cast(b.binary(.minimum, left, b.index(plan.lanes)), to: .i32), lanes: plan.lanes)
        let masks: [Register?] = [b.compare(.less, b.laneNumbers(plan.lanes, .i32), limit)]
        let offset =
          panelStep == nil
          ? b.add(rhsBase, column) : b.add(panelOffset(panel), b.multiply(b.subtract(column, first), panelInterleave))
        rows(
          from: rowFrom, to: rowTo, column: column, offset: offset, vectors: 1,
          loadMasks: panelStep == nil ? masks : [nil], storeMasks: masks, isBrief: true, store)
      }
    }
  }

  private func mask(_ count: Int) -> Register {
    b.compare(
      .less, b.laneNumbers(plan.lanes, .i32), b.constant(.int(Int64(count)), .i32, lanes: plan.lanes))
  }

  private func panelOffset(_ panel: Register) -> Register {
    if let panelStep { return b.add(rhsBase, b.multiply(panel, panelStep)) }
    if let packed { return b.add(rhsBase, b.multiply(panel, packed.width * packed.depth)) }
    return b.add(rhsBase, b.multiply(panel, plan.width))
  }

  private func rows(
    from: Register, to: Register, column: Register, offset: Register, vectors: Int, loadMasks: [Register?],
    storeMasks: [Register?], isBrief: Bool = false, _ store: Store
  ) {
    if let step = plan.depthStep, let stepped,
      let depth = stepped.reductions.suffix(steppedLoops).reduce(Dim(1), { $0 * $1.extent }).value
    {
      return rows(
        stepped, step: step, depth: depth, from: from, to: to, column: column, offset: offset, vectors: vectors,
        masks: storeMasks, store)
    }
    let right = unpacked.map { $0(offset, b.index(0), packed?.depth ?? 0, vectors) } ?? offset
    forEachTile(from: from, to: to, vectors: vectors, isBrief: isBrief) { rows in
      let (base, deltas) = offsets(rows)
      var kernel = kernel
      let distance = askDistance ?? (panelStep == nil ? packed.map { $0.width * $0.depth } : nil)
      if let distance, vectors == plan.tile.vectors, plan.asksAhead {
        let step = plan.width * (packed?.interleave ?? panelInterleave)
        ask(&kernel, rows, from: from, to: to, at: b.add(offset, distance), count: distance, step: step)
      }
      if let reductions { kernel.reductions = reductions(rows.first, rows.count) }
      return kernel.accumulators(
        tile: RegisterTile(rows: rows.count, vectors: vectors), lhsBase: base, rows: deltas, column: right,
        masks: loadMasks)
    } finish: { rows, sums in
      store(rows, column, vectors, storeMasks, sums)
    }
  }

  private func forEachTile(
    from: Register, to: Register, vectors: Int, isBrief: Bool = false, _ sums: (TileRows) -> [Register],
    finish: (TileRows, TileResult) -> Void
  ) {
    let tile = RegisterTile(rows: plan.tile.rows, vectors: vectors)
    let leavesRows = plan.rows.value == nil && plan.rows.exactQuotient(by: Dim(tile.rows)) == nil
    if storesLong, leavesRows, !isBrief {
      return tile.forEachTileJoined(
        in: scope, from: from, to: to, lanes: plan.lanes, accumulate: kernel.accumulate, sums
      ) { finish($0, .memory($1)) }
    }
    tile.forEachTile(in: scope, from: from, to: to, count: plan.rows, isBrief: isBrief) {
      finish($0, .registers(sums($0)))
    }
  }

  /// Has a tile ask for its share of what comes next: `count` elements that begin at `place`.
  private func ask(
    _ kernel: inout some TileSums, _ rows: TileRows, from: Register, to: Register, at place: Register, count: Int,
    step: Int
  ) {
    // Where all blocks have as many rows, that is a number.
    let known = plan.rows.value.flatMap {
      $0 <= plan.blockRows || $0 % plan.blockRows == 0 ? b.index(Swift.min($0, plan.blockRows)) : nil
    }
    kernel.ask(
      plan.tile.request(
        b, row: b.subtract(rows.first, from), of: known ?? b.subtract(to, from),
        usual: plan.rows.value.map { Swift.min($0, plan.blockRows) }, at: place, count: count, step: step, in: source))
  }

  /// Where the rows of a tile lie on the left: an offset, and what each row adds to it.
  private func offsets(_ rows: TileRows) -> (base: Register, deltas: [Register]) {
    guard let clamped = rows.clamped(b) else { return rowOffsets(rows.first, rows.count) }
    return (
      b.index(0),
      clamped.map { row in
        let (base, deltas) = rowOffsets(row, 1)
        return b.add(base, deltas[0])
      }
    )
  }

  /// An iteration of the loops around the innermost reduced axis: what it adds to offsets on the left, the steps before it, and its indices.
  private struct Iteration {
    var left: Register
    var steps: Register
    var indices: [Register] = []
  }

  private func forEachIteration(
    _ loops: ArraySlice<TileKernel.Reduction>, _ iteration: Iteration, _ work: (Iteration) -> Void
  ) {
    guard let loop = loops.first else { return work(iteration) }
    b.loop("tap", from: b.index(0), to: scope.index(loop.extent)) { index in
      let next = Iteration(
        left: b.add(iteration.left, b.multiply(index, scope.index(loop.lhsStride))),
        steps: b.add(iteration.steps, b.multiply(index, scope.index(loop.rhsStride))),
        indices: iteration.indices + [index])
      forEachIteration(loops.dropFirst(), next, work)
    }
  }

  /// Writes work of a tile in an iteration, left out where the tile takes no part in it.
  private func when(_ iteration: Iteration, isOf loops: ArraySlice<TileKernel.Reduction>, _ work: () -> Void) {
    let bounds = zip(iteration.indices, loops).compactMap { index, loop in
      loop.iterations.map { (index: index, iterations: $0) }
    }
    func check(_ bounds: ArraySlice<(index: Register, iterations: TileKernel.Reduction.Iterations)>) {
      guard let (index, iterations) = bounds.first else { return work() }
      b.when(b.compare(.lessOrEqual, iterations.from, index)) {
        b.when(b.compare(.less, index, iterations.to)) { check(bounds.dropFirst()) }
      }
    }
    check(bounds[...])
  }

  /// The same of a packed panel, step by step along the innermost reduced axes: sums wait in memory meanwhile.
  private func rows(
    _ stepped: TileKernel, step: Int, depth: Int, from: Register, to: Register, column: Register, offset: Register,
    vectors: Int, masks: [Register?], _ store: Store
  ) {
    let (width, element) = (vectors * plan.lanes, stepped.accumulate)
    let pitch = stepped.panelWidth ?? width
    let whole = RegisterTile(rows: plan.tile.rows, vectors: vectors)
    // The last tile may have rows too many.
    let restRows = whole.restRows(scope.machine)
    let waiting = b.local("sums", element, count: (plan.blockRows + restRows - 1) * width)
    let zero = b.constant(element.isFloat ? .float(0) : .int(0), element, lanes: plan.lanes)
    let waitingRows = b.add(b.subtract(to, from), restRows - 1)
    b.loop("sum", from: b.index(0), to: b.multiply(waitingRows, width), step: plan.lanes) {
      b.store(zero, waiting, at: $0)
    }
    let loops = stepped.reductions.dropLast(steppedLoops)

    func places(_ rows: TileRows) -> [Register] {
      let first = b.multiply(b.subtract(rows.first, from), width)
      return (0..<(rows.count * vectors)).map { b.add(first, $0 * plan.lanes) }
    }
    func held(_ rows: TileRows) -> [Register] { places(rows).map { b.load(waiting, at: $0, lanes: plan.lanes) } }
    func part(_ iteration: Iteration, _ start: Register, _ extent: Int, finish: Bool) {
      let steps = loops.isEmpty ? start : b.add(iteration.steps, start)
      let right = unpacked?(offset, steps, extent, vectors) ?? b.add(offset, b.multiply(steps, pitch))
      func summed(_ rows: TileRows) -> [Register] {
        let (base, deltas) = offsets(rows)
        var kernel = stepped
        if steppedLoops == 1 {
          kernel.reductions = [stepped.reductions[loops.endIndex]]
          kernel.reductions[0].extent = Dim(extent)
        } else {
          kernel.reductions = (reductions?(rows.first, rows.count) ?? stepped.reductions).suffix(steppedLoops)
        }
        if plan.asksAhead, vectors == plan.tile.vectors, source != nil || unpacked == nil {
          let next = b.add(offset, b.multiply(b.add(steps, extent), pitch))
          ask(&kernel, rows, from: from, to: to, at: next, count: extent * pitch, step: pitch)
        }
        let left = b.add(base, b.multiply(start, scope.index(kernel.reductions[0].lhsStride)))
        return kernel.accumulators(
          tile: RegisterTile(rows: rows.count, vectors: vectors),
          lhsBase: loops.isEmpty ? left : b.add(left, iteration.left), rows: deltas, column: right,
          masks: [Register?](repeating: nil, count: vectors), initial: held(rows))
      }
      if finish {
        return forEachTile(from: from, to: to, vectors: vectors, summed) { store($0, column, vectors, masks, $1) }
      }
      whole.forEachTile(in: scope, from: from, to: to, count: plan.rows) { rows in
        when(iteration, isOf: reductions?(rows.first, rows.count).dropLast(steppedLoops) ?? loops) {
          for (sum, place) in zip(summed(rows), places(rows)) { b.store(sum, waiting, at: place) }
        }
      }
    }
    let last = (depth - 1) / step * step
    forEachIteration(loops, Iteration(left: b.index(0), steps: b.index(0))) { iteration in
      b.loop("part", from: b.index(0), to: b.index(last), step: step) { part(iteration, $0, step, finish: false) }
      part(iteration, b.index(last), depth - last, finish: loops.isEmpty)
    }
    if loops.isEmpty { return }
    forEachTile(from: from, to: to, vectors: vectors, held) { store($0, column, vectors, masks, $1) }
  }
}
