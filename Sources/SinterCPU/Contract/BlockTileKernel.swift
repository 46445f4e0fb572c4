import SinterCore
import SinterKernelIR

/// Sums tiles of a product with weights of few bits: Σ over blocks of scale · Σ of left · (q − zero).
///
/// Weights are unpacked in registers. On the left there are floats, which are multiplied with weights that became floats; or signed bytes with
/// scales of their own, which are multiplied and added four at a time, exactly, until a block is done.
struct BlockTileKernel: TileSums {
  /// The left side, [rows, blocks, block], and what belongs to its blocks [rows, blocks].
  enum Left {
    case floats(Memory)
    case bytes(Memory, scales: Memory)
  }
  /// Where integers are counted from.
  enum Zero {
    case constant(Int)
    /// Zero points in panels like the scales, and the sum of each block on the left, [rows, blocks] of f32.
    case each(Memory, sums: Memory)
    /// The sum of each block of bytes on the left times the zero point, negative, [rows, blocks] of i32.
    case folded(Memory)

    /// What is taken off each integer.
    var number: Int { if case .constant(let value) = self { value } else { 0 } }
  }

  let scope: KernelScope
  var accumulate: ElementType { .f32 }
  let left: Left
  /// Words of weights: i32 beside floats, u8 beside bytes, where the weights are integers.
  let weights: Memory
  let scales: Memory
  let zero: Zero
  let panels: BlockPanels
  let lanes: Int
  /// How many bytes of weights ahead of what it reads a step asks for; 0: it does not.
  let ahead: Int
  /// Blocks; `lhsStride` is not looked at.
  var reductions: [TileKernel.Reduction] = []

  private var b: KernelBuilder { scope.builder }

  /// Sums and temporaries that a vector of each row takes, so that tiles fit into registers.
  static func rows(vectors: Int, _ machine: Machine) -> Int {
    let operation = machine.tiledOperation
    let registers = machine.vectorRegisters - operation.temporaries - vectors * (operation.columnRegisters - 1)
    return Swift.max(1, (registers - 2 * vectors - 3) / (2 * vectors))
  }

  func accumulators(
    tile: RegisterTile, lhsBase: Register, rows: [Register], column: Register, masks: [Register?]
  ) -> [Register] {
    let none = b.constant(.float(0), .f32, lanes: lanes)
    let size = panels.block
    // Of the left side's blocks: the number of the first, and of each row's first beside it.
    let firstBlock = b.binary(.floorDivide, lhsBase, b.index(size))
    let rowBlocks = rows.map { b.binary(.floorDivide, $0, b.index(size)) }
    return b.loop(
      "block", from: b.index(0), to: b.index(panels.blocks),
      carrying: [Register](repeating: none, count: tile.accumulators)
    ) { block, totals in
      let at = b.add(column, b.multiply(block, panels.width))
      let lefts = rows.map { b.add(b.add(lhsBase, $0), b.multiply(block, size)) }
      let places = rowBlocks.map { b.add(b.add(firstBlock, $0), block) }
      let sums = self.sums(tile, lefts: lefts, places: places, at: at)
      return finish(tile, sums, totals, places: places, at: at)
    }
  }

  /// Adds what a block gives to the totals.
  private func finish(
    _ tile: RegisterTile, _ sums: [Register], _ totals: [Register], places: [Register], at: Register
  ) -> [Register] {
    let vectors = (0..<tile.vectors).map { b.add(at, $0 * lanes) }
    let factors = vectors.map { b.load(scales, at: $0, lanes: lanes) }
    var offsets: [Register] = []
    if case .each(let zeros, _) = zero {
      offsets = vectors.map { b.unary(.negate, b.load(zeros, at: $0, lanes: lanes)) }
    }
    return (0..<tile.rows).flatMap { row -> [Register] in
      func spread(_ memory: Memory) -> Register { b.broadcast(b.load(memory, at: places[row]), lanes: lanes) }
      var blockSum: Register?
      if case .each(_, let memory) = zero { blockSum = spread(memory) }
      var own: Register?
      if case .bytes(_, let memory) = left { own = spread(memory) }
      return (0..<tile.vectors).map { vector in
        let number = row * tile.vectors + vector
        var sum = b.cast(sums[number], to: .f32)
        if let blockSum { sum = b.multiplyAdd(offsets[vector], blockSum, sum) }
        let factor = own.map { b.multiply($0, factors[vector]) } ?? factors[vector]
        return b.multiplyAdd(sum, factor, totals[number])
      }
    }
  }

  /// The sums of one block, of f32 or of i32.
  private func sums(_ tile: RegisterTile, lefts: [Register], places: [Register], at: Register) -> [Register] {
    let initial: [Register]
    switch (left, zero) {
    case (.floats, _):
      initial = [Register](repeating: b.constant(.float(0), .f32, lanes: lanes), count: tile.accumulators)
    case (.bytes, .folded(let memory)):
      initial = places.flatMap { place -> [Register] in
        let own = b.broadcast(b.load(memory, at: place), lanes: lanes)
        return [Register](repeating: own, count: tile.vectors)
      }
    case (.bytes, _):
      initial = [Register](repeating: b.constant(.int(0), .i32, lanes: lanes), count: tile.accumulators)
    }
    // In elements of the memory of weights.
    let unit = isBytes ? 4 : 1
    let words = b.multiply(at, panels.words * unit)
    func step(_ word: Register, _ current: [Register]) -> [Register] {
      let first = b.add(words, b.multiply(word, panels.width * unit))
      let place = b.multiply(word, panels.perWord)
      let packed = (0..<tile.vectors).map { vector in
        let at = b.add(first, vector * lanes * unit)
        if ahead > 0 { b.prefetch(weights, at: b.add(at, isBytes ? ahead : ahead / 4)) }
        return b.load(weights, at: at, lanes: lanes * unit)
      }
      return isBytes
        ? dots(tile, packed, lefts.map { b.add($0, place) }, current)
        : products(tile, packed, lefts.map { b.add($0, place) }, current)
    }
    if writesOut(tile) {
      return (0..<panels.words).reduce(initial) { step(b.index($1), $0) }
    }
    return b.loop("word", from: b.index(0), to: b.index(panels.words), carrying: initial) { step($0, $1) }
  }

  /// Whether the words of a block are written out, not done in a loop: where they are few, and where a multiply-add and an integer as a float are
  /// an instruction or two. Else LLVM would move what comes before products to where no register is left for it.
  func writesOut(_ tile: RegisterTile) -> Bool {
    let operation = scope.machine.operation(of: left)
    return operation.temporaries == 0 && panels.element.isInteger
      && panels.block / operation.depth * tile.accumulators <= Self.longest
  }
  /// Multiply-adds that are written out at most.
  private static let longest = 400

  private var isBytes: Bool { if case .bytes = left { true } else { false } }

  /// A word of each column times as many bytes of each row.
  private func dots(_ tile: RegisterTile, _ packed: [Register], _ lefts: [Register], _ sums: [Register]) -> [Register] {
    guard case .bytes(let memory, _) = left else { return sums }
    let width = 4 * lanes
    return (0..<(8 / panels.bits)).reduce(sums) { sums, part in
      let integers = packed.map { word -> Register in
        let mask = b.constant(.int((1 << Int64(panels.bits)) - 1), .u8, lanes: width)
        let shift = b.constant(.int(Int64(part * panels.bits)), .u8, lanes: width)
        if panels.bits == 8 { return word }
        let low = part == 0 ? word : b.binary(.shiftRight, word, shift)
        let alone = (part + 1) * panels.bits == 8 ? low : b.binary(.and, low, mask)
        // Numbers of so few bits are the same as signed bytes.
        return scope.machine.byteDot.takesSignedLeft ? b.bitcast(alone, to: .i8) : alone
      }
      return (0..<tile.rows).flatMap { row -> [Register] in
        let four = b.load(memory, at: b.add(lefts[row], part * 4), lanes: 4)
        let factor = b.repeated(four, lanes: width)
        return integers.indices.map { b.dot(integers[$0], factor, sums[row * tile.vectors + $0]) }
      }
    }
  }

  /// A word of each column times as many floats of each row.
  private func products(
    _ tile: RegisterTile, _ packed: [Register], _ lefts: [Register], _ sums: [Register]
  ) -> [Register] {
    guard case .floats(let memory) = left else { return sums }
    return (0..<panels.perWord).reduce(sums) { sums, place in
      let columns = packed.map { panels.number(place, of: $0, b, counting: zero.number) }
      return (0..<tile.rows).flatMap { row -> [Register] in
        let element = b.cast(b.load(memory, at: b.add(lefts[row], place)), to: .f32)
        let factor = b.broadcast(element, lanes: lanes)
        return columns.indices.map { b.multiplyAdd(factor, columns[$0], sums[row * tile.vectors + $0]) }
      }
    }
  }
}

extension Machine {
  /// What multiplies a left side with weights of few bits.
  fileprivate func operation(of left: BlockTileKernel.Left) -> TileOperation {
    switch left {
    case .floats: multiplyAdd(.f32)
    case .bytes: byteDot
    }
  }
}
