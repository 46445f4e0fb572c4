import SinterCore
import SinterKernelIR
import Testing

@testable import SinterCPU
@testable import SinterLLVM

/// Products with weights of few bits, unpacked in registers.
@Suite struct BlockTileKernelTests {
  static let block = 32, blocks = 3

  struct Case: CustomStringConvertible {
    var element: ElementType
    var tile: RegisterTile
    /// The left side is signed bytes with scales of their own, multiplied by this; nil: floats.
    var bytes: TileOperation?
    var operation: TileOperation
    var lanes: Int
    var hasMultiplyAdd: Bool

    var description: String { "\(bytes == nil ? "f32" : "i8")·\(element) \(tile.rows)x\(width)" }
    var width: Int { tile.vectors * lanes }
    var depth: Int { block * blocks }
    var bits: Int { element.bits }
    var zero: Int { element.isFloat ? 0 : 1 << (bits - 1) }

    static func all(_ machine: Machine) -> [Case] {
      [nil, machine.byteDot].flatMap { bytes in
        let operation = bytes ?? machine.multiplyAdd(.f32)
        let tiling = machine.tiling(with: operation)
        let floats: [ElementType] = [.f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz]
        return ([.u2, .u4, .u8] + (bytes == nil ? floats : [])).flatMap { element in
          [1, 2, 4].flatMap { vectors -> [Case] in
            if vectors == 4, machine.vectorRegisters < 32 { return [] }
            // More rows of floats are multiplied with weights that were unpacked before.
            let most = BlockTileKernel.rows(vectors: vectors, tiling)
            return [1, bytes == nil ? Swift.min(most, RegisterTile.fewRows) : most].map {
              Case(
                element: element, tile: RegisterTile(rows: $0, vectors: vectors), bytes: bytes,
                operation: operation, lanes: machine.lanes(.f32), hasMultiplyAdd: machine.hasMultiplyAdd)
            }
          }
        }
      }
    }

    // MARK: What is multiplied

    /// Weights [columns, blocks, block].
    private var weights: HostTensor {
      var generator = Generator(state: 11)
      let shape = [width * depth]
      if element.isFloat {
        // Up to 6, which all of these types have.
        return HostTensor(
          element, shape, doubles: shape.flatMap { (0..<$0).map { _ in Double(generator.float()) * 6 } })
      }
      return HostTensor(
        element, shape, integers: (0..<shape[0]).map { _ in Int64(generator.next() % UInt64(1 << bits)) })
    }
    private func scales(_ count: Int, _ seed: UInt64) -> [Float] {
      var generator = Generator(state: seed)
      return (0..<count).map { _ in (generator.float() + 2) / 64 }
    }
    private var columnScales: [Float] { scales(width * blocks, 13) }
    private var rowScales: [Float] { scales(tile.rows * blocks, 17) }
    private var left: HostTensor { TileKernelTests.numbers(bytes == nil ? .f32 : .i8, tile.rows * depth, 19) }

    func kernel(_ machine: Machine) -> MicroKernel {
      let panels = BlockPanels(columns: width, blocks: blocks, block: block, element: element, width: width)
      let words = panels.pack(weights, as: bytes == nil ? .i32 : .u8)
      var inputs = [left, words, panels.pack(columnScales)]
      if bytes != nil {
        let left = left.array(of: Int8.self)
        let sums = (0..<(tile.rows * blocks)).map { place in
          Int32(-zero) * left[(place * block)..<((place + 1) * block)].reduce(0) { $0 + Int32($1) }
        }
        inputs += [.f32([rowScales.count], rowScales), HostTensor(.i32, [sums.count], values: sums)]
      }
      let name = String(description.map { $0.isLetter || $0.isNumber ? $0 : "_" })
      return MicroKernel(named: name, for: machine, inputs, to: .f32, count: tile.rows * width) { scope, x, y in
        let b = scope.builder
        let kernel = BlockTileKernel(
          scope: scope, left: bytes == nil ? .floats(x[0]) : .bytes(x[0], scales: x[3]), weights: x[1], scales: x[2],
          zero: bytes == nil ? .constant(zero) : .folded(x[4]), panels: panels, lanes: lanes, ahead: machine.streamAhead
        )
        let sums = kernel.accumulators(
          tile: tile, lhsBase: b.index(0), rows: (0..<tile.rows).map { b.index($0 * depth) }, column: b.index(0),
          masks: [Register?](repeating: nil, count: tile.vectors))
        for (index, sum) in sums.enumerated() { b.store(sum, y, at: b.index(index * lanes)) }
      }
    }

    /// The same sums in f64.
    func check(_ result: HostTensor, _ processor: String) throws {
      let (given, left) = (try #require(result.doubles), try #require(left.doubles))
      let (weights, columnScales, rowScales) = (try #require(weights.doubles), columnScales, rowScales)
      for row in 0..<tile.rows {
        for column in 0..<width {
          var exact = 0.0, largest = 0.0
          for item in 0..<blocks {
            var scale = Double(columnScales[column * blocks + item])
            if bytes != nil { scale *= Double(rowScales[row * blocks + item]) }
            for place in (item * block)..<((item + 1) * block) {
              let product = left[row * depth + place] * (weights[column * depth + place] - Double(zero)) * scale
              (exact, largest) = (exact + product, Swift.max(largest, abs(product)))
            }
          }
          guard abs(given[row * width + column] - exact) <= 1e-5 * largest * Double(block) else {
            Issue.record("\(processor), \(self): \(given[row * width + column]) instead of \(exact)")
            return
          }
        }
      }
    }

    private var isWrittenOut: Bool { operation.temporaries == 0 && element.isInteger }

    /// Multiply-adds of the inner loop: of a block's elements, and what turns its sums into the totals, where that is written out; else of a word.
    var multiplyAdds: Int {
      let depth = bytes?.depth ?? 1
      if !isWrittenOut {
        // What widens narrow floats is a multiply-add too, where that is one instruction.
        let widened = element.isFloat && hasMultiplyAdd ? tile.vectors : 0
        return 32 / bits / depth * (tile.accumulators + widened)
      }
      return (block / depth + (bytes == nil ? 1 : 0)) * tile.accumulators
    }
    /// LLVM moves loads up in what is written out, a block or a word of sixteen integers: a few registers more than there are cost less than
    /// another loop. The numbers that widen narrow floats are read from the stack where registers are few, and on AArch64 part of what is widened.
    var spills: Int {
      if element.isFloat { return operation.temporaries == 0 ? 2 : multiplyAdds * 3 / 4 }
      return isWrittenOut ? multiplyAdds / 12 : bits == 2 ? multiplyAdds : 0
    }
  }

  @Test(arguments: Processors.runnable) func sumProducts(processor: String) throws {
    let target = try Target.named(processor)
    let cases = Case.all(target.machine)
    let results = try MicroKernels(cases.map { $0.kernel(target.machine) }).run(on: target)
    for (item, result) in zip(cases, results) { try item.check(result, processor) }
  }

  @Test(arguments: Processors.all + ["generic", "neoverse-v1"].map { "aarch64-linux-gnu " + $0 })
  func stayInRegisters(processor: String) throws {
    let target = try Processors.target(processor)
    let cases = Case.all(target.machine)
    for isBytes in [false, true] {
      let own = cases.filter { ($0.bytes != nil) == isBytes }
      let code = MultiplyAddCode(own[0].bytes ?? target.machine.multiplyAdd(.f32), on: target)
      let kernels = MicroKernels(own.map { $0.kernel(target.machine) })
      for (item, loops) in zip(own, try kernels.loops(on: target, with: code.matches)) {
        code.check(loops, count: item.multiplyAdds, spills: item.spills, "\(processor), \(item)")
      }
    }
  }
}
