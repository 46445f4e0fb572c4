internal import CLLVM
import SinterCore
import SinterKernelIR

extension KernelEmitter {
  /// Sums a block of products; see `TileDot`.
  ///
  /// By the processor's tiles where it has them: up to four of sums, and as many for rows and columns as these need, all of 16 rows of 64 bytes, so
  /// that they are configured once. Elsewhere row by row.
  func tileDot(_ block: TileDot) throws {
    let operands = Operands(
      left: try place(block.left, block.leftAt), right: try place(block.right, block.rightAt),
      sums: try place(block.sums, block.sumsAt), depth: try self[block.depth],
      request: try block.request.map { try place(block.right, $0.at) })
    let (left, right) = (element(of: block.left), element(of: block.right))
    if let name = ir.target.tileDot(left, right) { return tiles(block, operands, name, left) }
    if left == .bf16 { pairRows(block, operands) } else { byteRows(block, operands, isSigned: left == .i8) }
  }

  /// The addresses of a block's first elements, how many elements are summed, and from where on elements are asked for.
  private struct Operands {
    var left, right, sums, depth: IRValue
    var request: IRValue?
  }

  private func place(_ memory: Memory, _ at: Register) throws -> IRValue {
    ir.address(memoryType(element(of: memory)), base(of: memory), try self[at])
  }

  // MARK: Tiles

  /// Tiles of sums come first, then those of columns, then those of rows. Their numbers are given: LLVM's own choice has them pass through the stack.
  private func tiles(_ block: TileDot, _ operands: Operands, _ name: String, _ element: ElementType) {
    let (rows, columns) = (block.rows / TileDot.tileRows, block.columns / TileDot.tileRows)
    let type = memoryType(element)
    let bytes = element.bits / 8
    let interleave = TileDot.interleave(element)
    func tile(_ number: Int) -> IRValue { ir.int(ir.i8, Int64(number)) }
    func load(_ number: Int, _ base: IRValue, _ index: IRValue, pitch: Int) {
      ir.intrinsic("llvm.x86.tileloadd64", [], [tile(number), ir.address(type, base, index), ir.index(pitch * bytes)])
    }
    let sums = rows * columns
    for number in 0..<sums { ir.intrinsic("llvm.x86.tilezero", [], [tile(number)]) }
    steps(block, operands.depth, TileDot.run(element), initial: []) { along, k, _ in
      let down = ir.mul(k, ir.index(block.rightPitch / interleave))
      if let request = block.request, let base = operands.request {
        let asked = ir.mul(k, ir.index(request.runs))
        for run in 0..<request.runs {
          prefetch(ir.address(type, base, ir.add(asked, Int64(run * TileDot.run(element)))))
        }
      }
      for column in 0..<columns {
        load(
          sums + column, operands.right, ir.add(down, Int64(column * TileDot.tileRows * interleave)),
          pitch: block.rightPitch)
      }
      for row in 0..<rows {
        let left = sums + columns + row
        load(
          left, operands.left, ir.add(along, Int64(row * TileDot.tileRows * block.leftPitch)), pitch: block.leftPitch)
        for column in 0..<columns {
          ir.intrinsic(name, [], [tile(row * columns + column), tile(left), tile(sums + column)])
        }
      }
      return []
    }
    for number in 0..<sums {
      let first = (number / columns * block.columns + number % columns) * TileDot.tileRows
      ir.intrinsic(
        "llvm.x86.tilestored64", [],
        [tile(number), ir.address(ir.i32, operands.sums, ir.index(first)), ir.index(block.columns * 4)])
    }
  }

  /// Walks the steps along a block's reduced axis, stretch after stretch.
  ///
  /// - Parameter body: takes how far a step is from the beginning of a row on the left, its number along all stretches, and what is carried.
  /// - Returns: what is carried from the last step.
  @discardableResult
  private func steps(
    _ block: TileDot, _ depth: IRValue, _ step: Int, initial: [IRValue],
    _ body: (_ along: IRValue, _ k: IRValue, _ carried: [IRValue]) -> [IRValue]
  ) -> [IRValue] {
    func walk(_ stretches: ArraySlice<TileDot.Stretch>, _ along: IRValue, _ stretch: IRValue, _ carried: [IRValue])
      -> [IRValue]
    {
      guard let first = stretches.first else {
        let before = ir.mul(stretch, depth)
        return iterations(from: ir.index(0), to: depth, step: step, copies: 1, initial: carried) { k, carried in
          body(ir.add(along, k), ir.add(before, k), carried)
        }.carried
      }
      return iterations(from: ir.index(0), to: ir.index(first.count), step: 1, copies: 1, initial: carried) {
        index, carried in
        walk(
          stretches.dropFirst(), ir.add(along, ir.mul(index, ir.index(first.pitch))),
          ir.add(ir.mul(stretch, ir.index(first.count)), index), carried)
      }.carried
    }
    return walk(block.stretches[...], ir.index(0), ir.index(0), initial)
  }

  /// Whether the kernel sums in the processor's tiles, which are then configured for all of it.
  var usesTiles: Bool {
    func uses(_ block: Block) -> Bool {
      block.statements.contains { statement in
        switch statement {
        case .tileDot(let block): ir.target.tileDot(element(of: block.left), element(of: block.right)) != nil
        case .loop(let loop): uses(loop.body)
        case .branch(let branch): uses(branch.then) || uses(branch.otherwise)
        case .constant, .size, .unary, .binary, .multiplyAdd, .dot, .scale, .compare, .select, .cast, .bitcast,
          .broadcast, .lanes, .extract, .combineLanes, .shuffle, .load, .store, .gather, .scatter, .lookup, .check,
          .prefetch:
          false
        }
      }
    }
    return uses(kernel.body)
  }

  /// Makes all eight tiles 16 rows of 64 bytes.
  func configureTiles() {
    let (bytes, tiles) = (64, 8)
    var configuration = [UInt8](repeating: 0, count: bytes)
    configuration[0] = 1  // the only palette
    for tile in 0..<tiles {
      configuration[16 + 2 * tile] = UInt8(TileDot.rowBytes)
      configuration[48 + tile] = UInt8(TileDot.tileRows)
    }
    let memory = ir.stackArray(ir.i8, bytes, alignment: bytes)
    ir.store(ir.vectorConstant(configuration.map { ir.int(ir.i8, Int64($0)) }), memory, alignment: bytes)
    ir.intrinsic("llvm.x86.ldtilecfg", [], [memory])
  }

  /// Lets go of the tiles, which the system would save and restore otherwise.
  func releaseTiles() { ir.intrinsic("llvm.x86.tilerelease", [], []) }

  // MARK: Without tiles

  /// The vectors of sums of one row after another.
  private func rows(
    _ block: TileDot, _ operands: Operands, _ element: ElementType,
    _ sums: (_ left: IRValue, _ columns: [IRValue]) -> [IRValue]
  ) {
    let (type, interleave) = (memoryType(element), TileDot.interleave(element))
    iterations(from: ir.index(0), to: ir.index(block.rows), step: 1, copies: 1, initial: []) { row, _ in
      let left = ir.address(type, operands.left, ir.mul(row, ir.index(block.leftPitch)))
      let columns = stride(from: 0, to: block.columns, by: TileDot.tileRows).map {
        ir.address(type, operands.right, ir.index($0 * interleave))
      }
      let target = ir.mul(row, ir.index(block.columns))
      for (index, sum) in sums(left, columns).enumerated() {
        ir.store(
          sum, ir.address(ir.i32, operands.sums, ir.add(target, Int64(index * TileDot.tileRows))), alignment: 4)
      }
      return []
    }
  }

  /// The elements of a row that belong to one step, for all columns, and those of each vector of columns.
  private func step(
    _ block: TileDot, _ element: ElementType, _ along: IRValue, _ k: IRValue, _ left: IRValue, _ columns: [IRValue]
  ) -> (row: IRValue, columns: [IRValue]) {
    let (type, interleave) = (memoryType(element), TileDot.interleave(element))
    let word = ir.load(ir.i32, ir.address(type, left, along), alignment: element.bits / 8)
    let down = ir.mul(k, ir.index(block.rightPitch / interleave))
    let vector = ir.vector(type, TileDot.tileRows * interleave)
    return (
      ir.bitcast(ir.broadcast(word, TileDot.tileRows), vector),
      columns.map { ir.load(vector, ir.address(type, $0, down), alignment: element.bits / 8) }
    )
  }

  private func byteRows(_ block: TileDot, _ operands: Operands, isSigned: Bool) {
    let zero = ir.zero(ir.vector(ir.i32, TileDot.tileRows))
    rows(block, operands, .i8) { left, columns in
      steps(block, operands.depth, TileDot.interleave(.i8), initial: columns.map { _ in zero }) { along, k, sums in
        let step = step(block, .i8, along, k, left, columns)
        return zip(sums, step.columns).map { dot(step.row, $1, $0, isSigned: isSigned) }
      }
    }
  }

  private func pairRows(_ block: TileDot, _ operands: Operands) {
    let zero = ir.zero(ir.vector(ir.f32, TileDot.tileRows))
    rows(block, operands, .bf16) { left, columns in
      steps(block, operands.depth, TileDot.run(.bf16), initial: columns.map { _ in zero }) { along, first, totals in
        // The sums of even places, then those of odd ones.
        let halves = iterations(
          from: ir.index(0), to: ir.index(TileDot.run(.bf16)), step: TileDot.interleave(.bf16), copies: 1,
          initial: columns.flatMap { _ in [zero, zero] }
        ) { k, sums in
          let step = step(block, .bf16, ir.add(along, k), ir.add(first, k), left, columns)
          return step.columns.enumerated().flatMap { index, column in
            pairProducts(step.row, column, to: (even: sums[2 * index], odd: sums[2 * index + 1]))
          }
        }.carried
        return totals.enumerated().map { index, total in
          ir.fadd(total, ir.fadd(halves[2 * index], halves[2 * index + 1]))
        }
      }
    }
  }
}
