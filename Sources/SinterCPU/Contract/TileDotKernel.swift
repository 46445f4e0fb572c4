import SinterCore
import SinterForms
import SinterKernelIR

/// Writes one task of a product in blocks of tiles (`TileDot`): a block's rows pass all panels of the task, or a panel passes all blocks, whichever
/// reads less again. In the latter case the next panel is asked for meanwhile.
///
/// Rows that lie evenly, whole lines apart, are read where they are; the last block begins so early that it is a whole one. Others are copied side
/// by side first, with zeros up to whole steps: windows in steps of several pixels, rows that end in the middle of a step, and those of the last
/// block where they may be fewer than a block has.
struct TileDotKernel {
  let scope: KernelScope
  let plan: ProductPlan
  let layout: PanelLayout
  let operation: TileOperation
  let lhs: Memory
  let rhs: Memory
  let rhsBase: Register
  /// The reduced axes; extents are numbers, the innermost one's elements lie side by side, and steps on the right count elements.
  let reductions: [TileKernel.Reduction]
  /// The offset of a row on the left.
  let rowOffset: (_ row: Register) -> Register
  /// From one row on the left to the next, where this is the same for all.
  let rowPitch: Int?
  /// Which of these rows have results, where rows are read where they lie and their number is known. The rows of the plan are then places.
  var spaced: SpacedRows?

  private var b: KernelBuilder { scope.builder }
  private var run: Int { TileDot.run(operation.left) }

  /// Elements of a row, and those that panels have.
  private var depth: Int { reductions.reduce(1) { $0 * ($1.extent.value ?? 0) } }

  /// Steps along the reduced axes with as many zeros as fill the last instruction.
  static func padded(_ offsets: [Int], _ operation: TileOperation) -> [Int] {
    let run = TileDot.run(operation.left)
    return offsets + [Int](repeating: PanelLayout.zero, count: (run - offsets.count % run) % run)
  }

  /// Bytes of rows that a task may hold: what other locals leave.
  private static let mostRowBytes = Kernel.localLimit / 8 * 7

  /// Elements from one copied row to the next: a step more than it has, and an odd number of lines, so that rows lie in different sets of a cache.
  private static func pitch(depth: Int, run: Int) -> Int { ((depth + run - 1) / run + 1) / 2 * 2 * run + run }

  /// The tile of a product, where tiles are faster than vectors.
  static func tile(
    _ operation: TileOperation, rows: Int?, columns: Int, depth: Int, _ machine: Machine
  ) -> RegisterTile? {
    let columnVectors = (columns + TileDot.tileRows - 1) / TileDot.tileRows
    let run = TileDot.run(operation.left)
    // Two tiles of rows, where there are more than one and copies of so many fit.
    let sizes =
      (rows.map { $0 <= TileDot.tileRows } ?? false) ? [TileDot.tileRows] : [TileDot.mostRows, TileDot.tileRows]
    let rowBytes = pitch(depth: depth, run: run) * operation.left.bits / 8
    guard machine.lanes(operation.accumulator, columns: columns) == TileDot.tileRows, depth > 0,
      rows.map({ $0 > RegisterTile.fewRows }) ?? true,
      let height = sizes.first(where: { $0 * rowBytes <= mostRowBytes })
    else { return nil }
    let tile = RegisterTile(rows: height, vectors: Swift.min(columnVectors, 2))
    // Tiles take whole ones of rows and of the reduced axis, and have their sums go through memory.
    let rowCount = rows ?? TaskSplit.guess
    let steps = (rowCount + TileDot.tileRows - 1) / TileDot.tileRows * ((depth + run - 1) / run)
    let cycles = Double(steps) * machine.cyclesPerTileDot + Double(2 * rowCount)
    let vectorCycles = Double(rowCount * ((depth + operation.depth - 1) / operation.depth))
    return cycles < vectorCycles / Double(machine.multiplyAddsPerCycle) ? tile : nil
  }

  func emit(rowBlock: Register, columnBlock: Register, store: ProductKernel.Store) {
    let panelFrom = b.multiply(columnBlock, plan.blockPanels)
    let panelTo = b.binary(.minimum, b.add(panelFrom, plan.blockPanels), scope.dim(plan.panels))
    let rowFrom = b.multiply(rowBlock, plan.blockRows)
    let rowTo = b.binary(.minimum, b.add(rowFrom, plan.blockRows), scope.dim(plan.rows))
    let block = plan.tile.rows
    let memory = Scratch(
      sums: b.local("sums", operation.accumulator, count: block * plan.width),
      rows: spaced != nil || isDirect && plan.rows.exactQuotient(by: Dim(block)) != nil
        ? nil : b.local("rows", operation.left, count: block * Self.pitch(depth: depth, run: run)))
    func rows(_ work: (TileRows, Left) -> Void) {
      guard let spaced else { return forEachBlock(from: rowFrom, to: rowTo) { work($0, left($0, memory)) } }
      b.loop("row", from: rowFrom, to: rowTo, step: block) { work(self.rows(at: $0, spaced), left(at: $0, spaced)) }
    }
    func panels(_ work: (_ panel: Register, _ vectors: Int, _ masks: [Register?]) -> Void) {
      let full = b.binary(.minimum, panelTo, b.index(layout.fullPanels))
      b.loop("panel", from: panelFrom, to: full) {
        work($0, layout.vectors, [Register?](repeating: nil, count: layout.vectors))
      }
      guard layout.tailVectors > 0 else { return }
      b.loop("tail", from: b.binary(.maximum, panelFrom, b.index(layout.fullPanels)), to: panelTo) {
        work($0, layout.tailVectors, tailMasks)
      }
    }
    if memory.rows == nil, readsPanelsOnce {
      panels { panel, vectors, masks in
        rows { rows, left in
          let request = request(after: panel, place: b.subtract(left.place, rowFrom), vectors: vectors)
          self.panel(panel, rows, left, vectors: vectors, masks: masks, memory, request, store)
        }
      }
    } else {
      rows { rows, left in
        panels { self.panel($0, rows, left, vectors: $1, masks: $2, memory, nil, store) }
      }
    }
  }

  /// Blocks of rows in a task.
  private var blocks: Int { (plan.blockRows + plan.tile.rows - 1) / plan.tile.rows }

  /// Whether panel after panel passes the rows of a task: they are several blocks, its panels do not stay beside one in the first-level cache, and the
  /// rows read again for each panel are fewer bytes than the panels read again for each block.
  private var readsPanelsOnce: Bool {
    let panelBytes = plan.blockPanels * plan.width * layout.depth * operation.right.bits / 8
    let rowBytes = plan.blockRows * (rowPitch ?? 0) * operation.left.bits / 8
    return blocks > 1 && panelBytes > scope.machine.level1 / 2 && plan.blockPanels * rowBytes < blocks * panelBytes
  }

  /// What a block asks for of the panel after its own: an equal part each.
  private func request(after panel: Register, place: Register, vectors: Int) -> TileDot.Request {
    let runs = TileDot.tileRows * vectors
    let share = (runs + blocks - 1) / blocks
    let panelElements = layout.width * layout.depth
    let part = b.multiply(b.binary(.floorDivide, place, b.index(plan.tile.rows)), share * layout.depth)
    let last = b.index(Swift.max(0, panelElements - share * layout.depth))
    let next = b.add(rhsBase, b.multiply(b.add(panel, 1), panelElements))
    return TileDot.Request(at: b.add(next, b.binary(.minimum, part, last)), runs: share)
  }

  private func forEachBlock(from: Register, to: Register, _ work: (TileRows) -> Void) {
    let block = plan.tile.rows
    let isWhole = plan.rows.exactQuotient(by: Dim(block)) != nil
    let whole = b.binary(.floorDivide, b.subtract(to, from), b.index(block))
    let end = isWhole ? to : b.add(from, b.multiply(whole, block))
    b.loop("row", from: from, to: end, step: block) { work(TileRows(count: block, first: $0, existing: nil)) }
    if isWhole { return }
    b.when(b.compare(.less, end, to)) {
      if let rest = plan.rows.value.map({ $0 % block }) {
        work(TileRows(count: rest, first: end, existing: nil))
      } else {
        work(TileRows(count: block, first: end, existing: b.subtract(to, end)))
      }
    }
  }

  /// Memory of a task: a block's sums, and its rows where they are copied.
  private struct Scratch {
    var sums: Memory
    var rows: Memory?
  }

  /// A block's rows: where the first one begins, and how far the others are apart.
  private struct Left {
    var memory: Memory
    var at: Register
    var pitch: Int
    /// As the instruction has them.
    var count: Int
    /// The first one's number.
    var place: Register
    /// Elements of a row that lie side by side, and where the others are.
    var depth: Int
    var stretches: [TileDot.Stretch] = []
  }

  // MARK: Rows

  /// Whether rows of whole blocks are read where they lie.
  private var isDirect: Bool { Self.isDirect(reductions, rowPitch: rowPitch, operation) }

  static func isDirect(_ reductions: [TileKernel.Reduction], rowPitch: Int?, _ operation: TileOperation) -> Bool {
    func isLine(_ count: Int?) -> Bool { count.map { $0 > 0 && $0 % TileDot.run(operation.left) == 0 } ?? false }
    guard let inner = reductions.last, inner.lhsStride == 1 else { return false }
    return isLine(inner.extent.value) && isLine(rowPitch)
      && reductions.dropLast().allSatisfy { $0.extent.value != nil && ($0.lhsStride.value ?? 0) > 0 }
  }

  /// A row that is read where it lies.
  private func direct(_ place: Register, at: Register, count: Int) -> Left {
    Left(
      memory: lhs, at: at, pitch: rowPitch ?? 0, count: count, place: place,
      depth: reductions.last?.extent.value ?? 0,
      stretches: reductions.dropLast().map {
        TileDot.Stretch(count: $0.extent.value ?? 0, pitch: $0.lhsStride.value ?? 0)
      })
  }

  /// The place at which the block of a place begins: the last one ends with the last row.
  private func start(_ place: Register, _ spaced: SpacedRows) -> Register {
    spaced.places % plan.tile.rows == 0
      ? place : b.binary(.minimum, place, b.index(spaced.places - plan.tile.rows))
  }

  private func left(at place: Register, _ spaced: SpacedRows) -> Left {
    let offset = b.multiply(start(place, spaced), rowPitch ?? 0)
    return direct(place, at: b.add(rowOffset(b.index(0)), offset), count: plan.tile.rows)
  }

  /// The rows of a block with results.
  private func rows(at place: Register, _ spaced: SpacedRows) -> TileRows {
    let block = plan.tile.rows
    if spaced.kept == spaced.all, spaced.count % block == 0 {
      return TileRows(count: block, first: place, existing: nil)
    }
    let start = start(place, spaced)
    let first = spaced.results(before: place, b)
    let end = b.binary(.minimum, b.add(place, block), b.index(spaced.places))
    return TileRows(
      count: block, first: first, existing: b.subtract(spaced.results(before: end, b), first),
      place: { b.subtract(spaced.place(of: b.add(first, $0), b), start) })
  }

  private func left(_ rows: TileRows, _ scratch: Scratch) -> Left {
    let count = (rows.count + TileDot.tileRows - 1) / TileDot.tileRows * TileDot.tileRows
    guard let memory = scratch.rows, !(isDirect && rows.existing == nil && rows.count == count) else {
      return direct(rows.first, at: rowOffset(rows.first), count: count)
    }
    let pitch = Self.pitch(depth: depth, run: run)
    let none = b.constant(operation.left.isFloat ? .float(0) : .int(0), operation.left, lanes: run)
    b.loop("copy", from: b.index(0), to: rows.existing ?? b.index(rows.count)) { row in
      let target = b.multiply(row, pitch)
      if depth % run > 0 { b.store(none, memory, at: b.add(target, depth)) }
      copy(reductions[...], from: rowOffset(b.add(rows.first, row)), to: target, in: memory)
    }
    return Left(
      memory: memory, at: b.index(0), pitch: pitch, count: count, place: rows.first, depth: layout.depth)
  }

  /// Copies a row. What is stored too much is overwritten by what follows, or zero.
  private func copy(
    _ loops: ArraySlice<TileKernel.Reduction>, from source: Register, to target: Register, in memory: Memory
  ) {
    guard let first = loops.first, let extent = first.extent.value else {
      return b.store(b.load(lhs, at: source), memory, at: target)
    }
    guard loops.count == 1, first.lhsStride == 1 else {
      return b.loop("tap", from: b.index(0), to: b.index(extent)) { index in
        copy(
          loops.dropFirst(), from: b.add(source, b.multiply(index, scope.index(first.lhsStride))),
          to: b.add(target, b.multiply(index, scope.index(first.rhsStride))), in: memory)
      }
    }
    func move(_ at: Register, mask: Register?) {
      b.store(b.load(lhs, at: b.add(source, at), lanes: run, mask: mask), memory, at: b.add(target, at))
    }
    let whole = extent / run * run
    b.loop("step", from: b.index(0), to: b.index(whole), step: run, unroll: 4) { move($0, mask: nil) }
    if extent > whole { move(b.index(whole), mask: scope.prefixMask(b.index(extent - whole), lanes: run)) }
  }

  // MARK: Panels

  private var tailMasks: [Register?] {
    var masks = [Register?](repeating: nil, count: layout.tailVectors)
    let rest = layout.tailColumns % layout.lanes
    if rest > 0 { masks[masks.count - 1] = scope.prefixMask(b.index(rest), lanes: layout.lanes) }
    return masks
  }

  private func panel(
    _ panel: Register, _ rows: TileRows, _ left: Left, vectors: Int, masks: [Register?], _ scratch: Scratch,
    _ request: TileDot.Request?, _ store: ProductKernel.Store
  ) {
    let columns = vectors * layout.lanes
    b.tileDot(
      TileDot(
        sums: scratch.sums, at: b.index(0), left: left.memory, at: left.at, pitch: left.pitch, right: rhs,
        at: b.add(rhsBase, b.multiply(panel, layout.width * layout.depth)), pitch: columns * layout.interleave,
        rows: left.count, columns: columns, depth: b.index(left.depth), stretches: left.stretches,
        request: request))
    store(rows, b.multiply(panel, layout.width), vectors, masks, .memory(scratch.sums))
  }
}
