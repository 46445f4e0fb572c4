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
      sums: try place(block.sums, block.sumsAt), depth: try self[block.depth])
    let (left, right) = (element(of: block.left), element(of: block.right))
    if let name = ir.target.tileDot(left, right) { return tiles(block, operands, name, left) }
    if left == .bf16 { pairRows(block, operands) } else { byteRows(block, operands, isSigned: left == .i8) }
  }

  /// The addresses of a block's first elements, and how many elements are summed.
  private struct Operands {
    var left, right, sums, depth: IRValue
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
    iterations(from: ir.index(0), to: operands.depth, step: TileDot.run(element), copies: 1, initial: []) { k, _ in
      let down = ir.mul(k, ir.index(block.rightPitch / interleave))
      for column in 0..<columns {
        load(
          sums + column, operands.right, ir.add(down, Int64(column * TileDot.tileRows * interleave)),
          pitch: block.rightPitch)
      }
      for row in 0..<rows {
        let left = sums + columns + row
        load(
          left, operands.left, ir.add(k, Int64(row * TileDot.tileRows * block.leftPitch)), pitch: block.leftPitch)
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
    _ block: TileDot, _ element: ElementType, _ k: IRValue, _ left: IRValue, _ columns: [IRValue]
  ) -> (row: IRValue, columns: [IRValue]) {
    let (type, interleave) = (memoryType(element), TileDot.interleave(element))
    let word = ir.load(ir.i32, ir.address(type, left, k), alignment: element.bits / 8)
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
      iterations(
        from: ir.index(0), to: operands.depth, step: TileDot.interleave(.i8), copies: 1,
        initial: columns.map { _ in zero }
      ) { k, sums in
        let step = step(block, .i8, k, left, columns)
        return zip(sums, step.columns).map { dot(step.row, $1, $0, isSigned: isSigned) }
      }.carried
    }
  }

  private func pairRows(_ block: TileDot, _ operands: Operands) {
    let zero = ir.zero(ir.vector(ir.f32, TileDot.tileRows))
    rows(block, operands, .bf16) { left, columns in
      iterations(
        from: ir.index(0), to: operands.depth, step: TileDot.run(.bf16), copies: 1, initial: columns.map { _ in zero }
      ) { first, totals in
        // The sums of even places, then those of odd ones.
        let halves = iterations(
          from: first, to: ir.add(first, Int64(TileDot.run(.bf16))), step: TileDot.interleave(.bf16), copies: 1,
          initial: columns.flatMap { _ in [zero, zero] }
        ) { k, sums in
          let step = step(block, .bf16, k, left, columns)
          return step.columns.enumerated().flatMap { index, column in
            pairProducts(step.row, column, to: (even: sums[2 * index], odd: sums[2 * index + 1]))
          }
        }.carried
        return totals.enumerated().map { index, total in
          ir.fadd(total, ir.fadd(halves[2 * index], halves[2 * index + 1]))
        }
      }.carried
    }
  }
}
