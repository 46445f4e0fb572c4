import SinterCore
import SinterForms
import SinterKernelIR

/// Writes the loops of one task of attention.
struct AttendKernel {
  /// A factor at the task's batch: rows of a depth, or keys of columns.
  struct Side {
    var memory: Memory
    var first: Register
    /// Elements from one row or key to the next, and along it.
    var stride: Dim
    var depthStride: Dim
  }

  let scope: KernelScope
  let form: AttendForm
  let plan: AttendPlan
  let store: TileStore
  let rowGroup: CollapsedAxes.Group
  let columnGroup: CollapsedAxes.Group
  let query: Side
  let key: Side
  let value: Side
  /// See `AttendForm.keyReach`; nil where rows are not those of one axis.
  let reach: Dim?

  private var b: KernelBuilder { scope.builder }
  private var lanes: Int { plan.lanes }
  private var zero: Register { b.float(0, form.accumulate) }

  /// The memory of a task.
  private struct Scratch {
    var panels: Memory?
    var scores: Memory
    /// For each row whose scores are held: what its sums are multiplied with.
    var factors: Memory
    /// For each row of the task, where keys come block by block: the greatest score, the sum of weights, and the weighted sums of columns.
    var greatest, weights, sums: Memory?
  }

  /// A block of keys.
  private struct Block {
    /// The first key and how many there are; `known` where that is a number.
    var start, count: Register
    var known: Int?
  }

  /// Elements between the sums of one row and the next.
  private var sumStride: Int { (plan.columns + lanes - 1) / lanes * lanes }

  private func scratch() -> Scratch {
    let type = form.accumulate
    var scratch = Scratch(
      scores: b.local("scores", type, count: plan.scoreRows * plan.scoreStride),
      factors: b.local("factors", type, count: plan.scoreRows))
    if plan.isFew != true { scratch.panels = b.local("keys", type, count: Swift.max(1, plan.panels.count)) }
    if !plan.isWhole {
      scratch.greatest = b.local("greatest", type, count: plan.taskRows)
      scratch.weights = b.local("weights", type, count: plan.taskRows)
      scratch.sums = b.local("sums", type, count: plan.taskRows * sumStride)
    }
    return scratch
  }

  func emit(rowBlock: Register) {
    let scratch = scratch()
    let from = b.multiply(rowBlock, plan.taskRows)
    let to = b.binary(.minimum, b.add(from, plan.taskRows), scope.dim(plan.rows))
    func forEachRows(_ work: (Register, Register) -> Void) {
      b.loop("rows", from: from, to: to, step: plan.scoreRows) { first in
        work(first, b.binary(.minimum, b.add(first, plan.scoreRows), to))
      }
    }
    let isFew = plan.isFew == nil ? b.compare(.lessOrEqual, b.subtract(to, from), b.index(AttendPlan.fewRows)) : nil
    func choose(few: () -> Void, many: () -> Void) {
      if let isFew {
        b.branch(
          isFew,
          then: {
            few()
            return []
          },
          otherwise: {
            many()
            return []
          })
      } else if plan.isFew == true {
        few()
      } else {
        many()
      }
    }
    func work(_ block: Block) {
      if plan.isFew != true {
        choose(few: {}, many: { pack(block, scratch) })
      }
      forEachRows { first, last in
        let seen = seen(block, before: last)
        choose(
          few: { dotProducts(first, last, seen, scratch) }, many: { products(first, last, seen, scratch) })
        weigh(first, last, from: from, seen, scratch)
        sum(first, last, from: from, seen, scratch)
      }
    }
    if plan.isWhole {
      return work(Block(start: b.index(0), count: scope.dim(plan.keys), known: plan.keys.value))
    }
    begin(to: b.subtract(to, from), scratch)
    let size = plan.panels.columns
    b.loop("keys", from: b.index(0), to: scope.dim(plan.keys), step: size) { start in
      let count = b.binary(.minimum, b.subtract(scope.dim(plan.keys), start), b.index(size))
      guard let reach else { return work(Block(start: start, count: count)) }
      b.when(b.compare(.less, start, b.add(to, scope.dim(reach)))) { work(Block(start: start, count: count)) }
    }
    finish(from, to, scratch)
  }

  /// The part of a block that some rows can see.
  private func seen(_ block: Block, before last: Register) -> Block {
    guard let reach, block.known.map({ $0 > ScoreRows.vectorLimit * lanes }) ?? true else { return block }
    let end = b.subtract(b.add(last, scope.dim(reach)), block.start)
    let count = b.binary(.maximum, b.index(0), b.binary(.minimum, block.count, end))
    return Block(start: block.start, count: count)
  }

  // MARK: Scores

  private func pack(_ block: Block, _ scratch: Scratch) {
    guard let panels = scratch.panels else { return }
    KeyPanels(
      scope: scope, layout: plan.panels, accumulate: form.accumulate, source: key.memory, keyStride: key.stride,
      depthStride: key.depthStride, panels: panels
    ).pack(first: keyOffset(block.start), count: block.count, known: block.known)
  }

  private func keyOffset(_ index: Register) -> Register { b.add(key.first, b.multiply(index, scope.dim(key.stride))) }

  /// The number of rows in all, where a block of scores either holds them all or whole tiles.
  private func rowCount(_ tile: RegisterTile) -> Dim? {
    plan.scoreRows % tile.rows == 0 || plan.rows.value.map { $0 <= plan.scoreRows } ?? false ? plan.rows : nil
  }

  /// The products of some rows and all keys of a block, by register tiles over the packed keys.
  private func products(_ first: Register, _ last: Register, _ block: Block, _ scratch: Scratch) {
    guard let panels = scratch.panels else { return }
    let kernel = TileKernel(
      scope: scope, lhs: query.memory, rhs: panels, accumulate: form.accumulate, lanes: lanes,
      reductions: [.init(extent: Dim(plan.depth), lhsStride: query.depthStride, rhsStride: 1)], isPacked: true,
      usualTile: plan.scoreTile)
    let layout = plan.panels
    func fill(_ panel: Register, vectors: Int) {
      let at = b.multiply(panel, layout.width * layout.depth)
      let column = b.multiply(panel, layout.width)
      let whole = RegisterTile(rows: plan.scoreTile.rows, vectors: vectors)
      whole.forEachTile(
        in: scope, from: first, to: last, count: rowCount(plan.scoreTile), mayBeFew: plan.isFew == false
      ) { rows in
        let stride = scope.dim(query.stride)
        let sums = kernel.accumulators(
          tile: RegisterTile(rows: rows.count, vectors: vectors),
          lhsBase: b.add(query.first, rows.existing == nil ? b.multiply(rows.first, stride) : b.index(0)),
          rows: rows.clamped(b)?.map { b.multiply($0, stride) } ?? (0..<rows.count).map { b.multiply(stride, $0) },
          column: at, masks: [Register?](repeating: nil, count: vectors))
        let target = b.add(b.multiply(b.subtract(rows.first, first), plan.scoreStride), column)
        rows.forEach(b) { r in
          for v in 0..<vectors {
            b.store(sums[r * vectors + v], scratch.scores, at: b.add(target, r * plan.scoreStride + v * lanes))
          }
        }
      }
    }
    let used = b.binary(.floorDivide, b.add(block.count, layout.width - 1), b.index(layout.width))
    if layout.fullPanels > 0 {
      b.loop("panel", from: b.index(0), to: b.binary(.minimum, used, b.index(layout.fullPanels))) {
        fill($0, vectors: layout.vectors)
      }
    }
    guard layout.tailColumns > 0 else { return }
    b.when(b.compare(.greater, used, b.index(layout.fullPanels))) {
      fill(b.index(layout.fullPanels), vectors: layout.tailVectors)
    }
  }

  /// The products of few rows and the keys of a block, which are read as they lie.
  private func dotProducts(_ first: Register, _ last: Register, _ block: Block, _ scratch: Scratch) {
    let vectors = (plan.depth + lanes - 1) / lanes
    func load(_ side: Side, _ base: Register, _ vector: Int) -> Register {
      let left = plan.depth - vector * lanes
      let mask = left < lanes ? scope.prefixMask(b.index(left), lanes: lanes) : nil
      return b.cast(b.load(side.memory, at: b.add(base, vector * lanes), lanes: lanes, mask: mask), to: form.accumulate)
    }
    b.loop("row", from: first, to: last) { row in
      let base = b.add(query.first, b.multiply(row, scope.dim(query.stride)))
      let factors = (0..<vectors).map { load(query, base, $0) }
      let target = b.multiply(b.subtract(row, first), plan.scoreStride)
      b.loop("key", from: b.index(0), to: block.count, unroll: 2) { index in
        let from = keyOffset(b.add(block.start, index))
        // Two chains, so that a long depth does not wait for each addition.
        var sums = [Register?](repeating: nil, count: 2)
        for vector in 0..<vectors {
          let own = load(key, from, vector)
          let sum = sums[vector % 2]
          sums[vector % 2] = sum.map { b.multiplyAdd(factors[vector], own, $0) } ?? b.multiply(factors[vector], own)
        }
        guard let even = sums[0] else { return }
        let total = b.combineLanes(.sum, sums[1].map { b.add(even, $0) } ?? even)
        b.store(total, scratch.scores, at: b.add(target, index))
      }
    }
  }

  // MARK: Weights

  /// Makes weights of the products, row by row.
  private func weigh(_ first: Register, _ last: Register, from: Register, _ block: Block, _ scratch: Scratch) {
    let lowest = b.float(
      form.accumulate == .f64 ? -Double.greatestFiniteMagnitude : -Double(Float.greatestFiniteMagnitude),
      form.accumulate)
    b.loop("row", from: first, to: last) { row in
      let rowSymbol = scope.bind(row)
      let startSymbol = scope.bind(block.start)
      let keySymbol = scope.newSymbol()
      var place = store
      place.extents[rowSymbol] = rowGroup.extent
      place.set(rowGroup, first: form.batch.count, index: Dim(rowSymbol))
      let start = plan.isWhole ? Dim(0) : Dim(startSymbol)
      if plan.isWhole { place.extents[keySymbol] = form.keys }
      let isPlain = form.score[form.score.results[0]].node == .accumulator(0)
      let emitter =
        isPlain
        ? nil
        : BodyEmitter(
          form.score, scope: scope,
          axes: place.axes.prefix(form.batch.count + form.rows.count) + [start + Dim(keySymbol)], extents: place.extents
        )
      var fixed = Set(store.extents.keys)
      fixed.formUnion([rowSymbol, startSymbol])
      let rows = ScoreRows(
        scope: scope, emitter: emitter, keySymbol: keySymbol, fixed: fixed, accumulate: form.accumulate, lanes: lanes,
        scores: scratch.scores)
      let held = b.subtract(row, first)
      let at = b.multiply(held, plan.scoreStride)
      func weighed(_ greatest: Register) -> (greatest: Register, sum: Register) {
        func run() -> (greatest: Register, sum: Register) {
          rows.weigh(at: at, count: block.count, known: block.known, greatest: greatest)
        }
        return emitter.map { $0.scoped(run) } ?? run()
      }
      guard let greatest = scratch.greatest, let weights = scratch.weights else {
        b.store(inverse(weighed(lowest).sum), scratch.factors, at: held)
        return
      }
      let own = b.subtract(row, from)
      let before = b.load(greatest, at: own)
      let (top, sum) = weighed(before)
      let factor = b.math(.weight, b.subtract(before, top))
      b.store(factor, scratch.factors, at: held)
      b.store(top, greatest, at: own)
      b.store(b.add(b.multiply(b.load(weights, at: own), factor), sum), weights, at: own)
    }
  }

  /// What a row's sums are multiplied with in the end.
  private func inverse(_ sum: Register) -> Register {
    var sum = sum
    let one = b.float(1, form.accumulate)
    if form.emptyIsZero { sum = b.select(b.compare(.equal, sum, zero), one, sum) }
    if plan.keys.value == nil {
      sum = b.select(b.compare(.equal, scope.dim(plan.keys), b.index(0)), one, sum)
    }
    return b.binary(.divide, one, sum)
  }

  // MARK: Sums

  /// Tiles of columns: the first column, the vectors, and the masks of those that are not full.
  private func forEachColumns(_ work: (Register, Int, [Register?]) -> Void) {
    let width = plan.valueTile.vectors * lanes
    let full = plan.columns / width
    if full > 0 {
      b.loop("columns", from: b.index(0), to: b.index(full * width), step: width) {
        work($0, plan.valueTile.vectors, [Register?](repeating: nil, count: plan.valueTile.vectors))
      }
    }
    let left = plan.columns - full * width
    guard left > 0 else { return }
    let vectors = (left + lanes - 1) / lanes
    var masks = [Register?](repeating: nil, count: vectors)
    if left % lanes != 0 { masks[vectors - 1] = scope.prefixMask(b.index(left % lanes), lanes: lanes) }
    work(b.index(full * width), vectors, masks)
  }

  /// Sums the values of a block by its weights, for some rows.
  private func sum(_ first: Register, _ last: Register, from: Register, _ block: Block, _ scratch: Scratch) {
    let count = block.known.map { Dim($0) } ?? Dim(scope.bind(block.count))
    let kernel = TileKernel(
      scope: scope, lhs: scratch.scores, rhs: value.memory, accumulate: form.accumulate, lanes: lanes,
      reductions: [.init(extent: count, lhsStride: 1, rhsStride: value.stride)], isPacked: false,
      usualTile: plan.valueTile)
    let start = b.add(value.first, b.multiply(block.start, scope.dim(value.stride)))
    forEachColumns { column, vectors, masks in
      let whole = RegisterTile(rows: plan.valueTile.rows, vectors: vectors)
      whole.forEachTile(in: scope, from: first, to: last, count: rowCount(plan.valueTile)) { rows in
        let tile = RegisterTile(rows: rows.count, vectors: vectors)
        /// For each row its number from `start` on, of the last that exists in place of those that do not.
        func numbers(from start: Register) -> [Register] {
          rows.clamped(b)?.map { b.subtract($0, start) }
            ?? (0..<rows.count).map { b.add(b.subtract(rows.first, start), $0) }
        }
        let held = numbers(from: first)
        let factors = { held.map { b.broadcast(b.load(scratch.factors, at: $0), lanes: lanes) } }
        func multiplied(from initial: [Register]) -> [Register] {
          let isEven = rows.existing == nil
          return kernel.accumulators(
            tile: tile, lhsBase: isEven ? b.multiply(held[0], plan.scoreStride) : b.index(0),
            rows: held.enumerated().map { isEven ? b.index($0 * plan.scoreStride) : b.multiply($1, plan.scoreStride) },
            column: b.add(start, column), masks: masks, initial: initial)
        }
        guard let sums = scratch.sums else {
          let zero = b.float(0, form.accumulate, lanes: lanes)
          let result = multiplied(from: [Register](repeating: zero, count: tile.accumulators))
          let scales = factors()
          return put(rows, vectors, column, masks, result.enumerated().map { b.multiply($1, scales[$0 / vectors]) })
        }
        let targets = numbers(from: from).map { b.add(b.multiply($0, sumStride), column) }
        func place(_ number: Int) -> Register { b.add(targets[number / vectors], number % vectors * lanes) }
        let scales = factors()
        let initial = (0..<tile.accumulators).map {
          b.multiply(b.load(sums, at: place($0), lanes: lanes), scales[$0 / vectors])
        }
        let result = multiplied(from: initial)
        rows.forEach(b) { row in
          for number in (row * vectors)..<((row + 1) * vectors) { b.store(result[number], sums, at: place(number)) }
        }
      }
    }
  }

  private func put(_ rows: TileRows, _ vectors: Int, _ column: Register, _ masks: [Register?], _ sums: [Register]) {
    store.emit(
      rows: rows, vectors: vectors, lanes: lanes, column: column, masks: masks, sums: .registers(sums),
      rowGroup: rowGroup,
      rowFirst: form.batch.count, columnGroup: columnGroup, columnFirst: form.batch.count + form.rows.count)
  }

  // MARK: Block by block

  /// No key yet: no weight, no sum.
  private func begin(to count: Register, _ scratch: Scratch) {
    guard let greatest = scratch.greatest, let weights = scratch.weights, let sums = scratch.sums else { return }
    let lowest = b.float(
      form.accumulate == .f64 ? -Double.greatestFiniteMagnitude : -Double(Float.greatestFiniteMagnitude),
      form.accumulate)
    b.loop("begin", from: b.index(0), to: count) { row in
      b.store(lowest, greatest, at: row)
      b.store(zero, weights, at: row)
    }
    b.loop("begin", from: b.index(0), to: b.multiply(count, sumStride), step: lanes) {
      b.store(b.float(0, form.accumulate, lanes: lanes), sums, at: $0)
    }
  }

  /// The sums over all keys, divided by those of the weights.
  private func finish(_ from: Register, _ to: Register, _ scratch: Scratch) {
    guard let weights = scratch.weights, let sums = scratch.sums else { return }
    forEachColumns { column, vectors, masks in
      b.loop("row", from: from, to: to) { row in
        let own = b.subtract(row, from)
        let scale = b.broadcast(inverse(b.load(weights, at: own)), lanes: lanes)
        let at = b.add(b.multiply(own, sumStride), column)
        let result = (0..<vectors).map { b.multiply(b.load(sums, at: b.add(at, $0 * lanes), lanes: lanes), scale) }
        put(TileRows(count: 1, first: row, existing: nil), vectors, column, masks, result)
      }
    }
  }
}
