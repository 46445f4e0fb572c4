import SinterCPU
import SinterCore
import SinterForms
import SinterKernelIR
import Testing

/// Products with weights of few bits against the meaning of their forms.
@Suite struct BlockScheduleTests {
  struct Product: Sendable, CustomTestStringConvertible {
    var rows: Int, columns: Int, blocks: Int, block: Int
    var type = ElementType.u4
    var zero = Zero.middle
    var isRounded = false
    var rowName: String?
    var splitsBlocks = false

    enum Zero: String, Sendable { case none, middle, integers, floats }

    var bits: Int { type.bits }

    var testDescription: String {
      "\(rowName ?? "\(rows)")x\(columns) over \(blocks)x\(block) of \(type), \(zero.rawValue), \(isRounded ? "bytes" : "floats")"
    }

    /// All numbers that a type has, in turns.
    private func narrow(_ shape: [Int], _ step: Int) -> HostTensor {
      let all = (0..<UInt32(1 << bits)).map { Double(NarrowFloat.decode($0, as: type)) }
        .filter { $0.isFinite && abs($0) <= 16 }
      return HostTensor(type, shape, doubles: (0..<shape.reduce(1, *)).map { all[$0 * step % all.count] })
    }

    func program() throws -> (FormProgram, [HostTensor]) {
      var lowering = Lowering(name: "product")
      let m = rowName.map { Dim(symbol: $0) } ?? Dim(rows)
      func integers(_ shape: [Int], _ step: Int) -> HostTensor {
        if type.isFloat {
          return narrow(shape, step)
        }
        return HostTensor(type, shape, integers: (0..<shape.reduce(1, *)).map { Int64($0 * step % 1009 % (1 << bits)) })
      }
      let q = lowering.constant(integers([columns, blocks, block], 37))
      func small(_ shape: [Int], seed: Int, by factor: Float) -> HostTensor {
        .f32(shape, noise(shape, seed: seed).array(of: Float.self).map { $0 * factor })
      }
      // Sums of a few at most, so that what counts is the error beside the largest.
      let scales = lowering.constant(
        small([columns, blocks], seed: 3, by: 0.125 / Float(type.isFloat ? 8 : 1 << bits)))
      let offsets: Operand? =
        switch zero {
        case .none, .middle: nil
        case .integers: lowering.constant(integers([columns, blocks], 41))
        case .floats: lowering.constant(noise([columns, blocks], seed: 4))
        }
      let left: Operand, leftScales: Operand?
      if isRounded {
        left = lowering.input(TensorType(.i8, [m, Dim(blocks), Dim(block)]), named: "a")
        leftScales = lowering.input(TensorType(.f32, [m, Dim(blocks)]), named: "scales")
      } else {
        left = lowering.input(TensorType(.f32, [m, Dim(blocks), Dim(block)]), named: "a")
        leftScales = nil
      }
      // As fusion takes axes apart where what comes before has other ones.
      let k = splitsBlocks ? [Dim(blocks / 2), 2, Dim(block)] : [Dim(blocks), Dim(block)]
      func place(_ builder: BodyBuilder, _ k: [Expr]) -> [Expr] {
        splitsBlocks ? [k[0] * builder.constant(2, .i64) + k[1], k[2]] : k
      }
      let y = try lowering.contract(
        batch: [], m: [m], n: [Dim(columns)], k: k, accumulate: .f32,
        lhs: { builder, _, m, k in
          let k = place(builder, k)
          let value = builder.load(left.id, m + k).cast(to: .f32)
          return leftScales.map { value * builder.load($0.id, m + [k[0]]) } ?? value
        },
        rhs: { builder, _, n, k in
          let k = place(builder, k)
          let scale = builder.load(scales.id, n + [k[0]])
          if zero == .none { return builder.load(q.id, n + k).cast(to: .f32) * scale }
          let value = builder.load(q.id, n + k).cast(to: .i32)
          guard let offsets else {
            return (value - builder.constant(1 << (bits - 1), .i32)).cast(to: .f32) * scale
          }
          let offset = builder.load(offsets.id, n + [k[0]])
          if zero == .floats { return (value.cast(to: .f32) - offset) * scale }
          return (value - offset.cast(to: .i32)).cast(to: .f32) * scale
        })
      let moved = try lowering.element([m, Dim(columns)]) { builder, index in builder.load(y.id, index) + 0.5 }
      lowering.output(moved, named: "y")
      let shape = [rows, blocks, block]
      if !isRounded { return (lowering.program, [noise(shape)]) }
      let bytes = (0..<shape.reduce(1, *)).map { Int64($0 * 59 % 255 - 127) }
      return (
        lowering.program, [HostTensor(.i8, shape, integers: bytes), small([rows, blocks], seed: 7, by: 1 / 128)]
      )
    }
  }

  static let products: [Product] = [
    Product(rows: 1, columns: 20, blocks: 3, block: 32),
    Product(rows: 1, columns: 130, blocks: 2, block: 16, isRounded: true),
    Product(rows: 3, columns: 17, blocks: 2, block: 16, type: .u2, zero: .integers),
    Product(rows: 3, columns: 40, blocks: 1, block: 16, type: .u2, zero: .integers, isRounded: true),
    Product(rows: 2, columns: 33, blocks: 2, block: 16, type: .u8, zero: .floats),
    Product(rows: 9, columns: 33, blocks: 2, block: 16, type: .u8, isRounded: true),
    Product(rows: 13, columns: 35, blocks: 10, block: 16, zero: .floats),
    Product(rows: 15, columns: 50, blocks: 3, block: 64, zero: .integers, isRounded: true),
    Product(rows: 30, columns: 5, blocks: 1, block: 256, type: .u2),
    Product(rows: 7, columns: 20, blocks: 2, block: 128, type: .u8, zero: .integers),
    Product(rows: 2, columns: 18, blocks: 4, block: 32, splitsBlocks: true),
    Product(rows: 8, columns: 18, blocks: 4, block: 32, zero: .integers, isRounded: true, splitsBlocks: true),
    Product(rows: 1, columns: 1, blocks: 1, block: 16),
    Product(rows: 2, columns: 37, blocks: 3, block: 32, type: .u8, zero: .none),
    Product(rows: 14, columns: 35, blocks: 4, block: 32, type: .f8e5m2, zero: .none),
    Product(rows: 1, columns: 37, blocks: 3, block: 32, type: .f8e4m3fn, zero: .none),
    Product(rows: 3, columns: 20, blocks: 2, block: 16, type: .f8e4m3fnuz, zero: .none),
    Product(rows: 6, columns: 33, blocks: 2, block: 64, type: .f8e5m2, zero: .none, rowName: "rows"),
    Product(rows: 13, columns: 33, blocks: 9, block: 32, type: .f8e5m2fnuz, zero: .none, rowName: "rows"),
    Product(rows: 0, columns: 7, blocks: 2, block: 32, rowName: "rows"),
    Product(rows: 1, columns: 40, blocks: 2, block: 32, rowName: "rows"),
    Product(rows: 4, columns: 40, blocks: 2, block: 32, zero: .integers, rowName: "rows"),
    Product(rows: 11, columns: 40, blocks: 9, block: 32, rowName: "rows"),
    Product(rows: 11, columns: 40, blocks: 2, block: 32, zero: .integers, isRounded: true, rowName: "rows"),
  ]

  @Test(arguments: products) func meaning(_ product: Product) throws {
    let (program, inputs) = try product.program()
    let fused = Fusion.fuse(program).program
    try checkSchedules(of: fused, inputs, tolerance: 2e-5, machines: ByteScheduleTests.machines)
    let scheduled = try Scheduler.schedule(fused, for: .x86_64_v4)
    let kind = product.isRounded ? "i8" : "f32"
    #expect(scheduled.kernels.elements.contains { $0.name.hasPrefix("contract_\(kind)\(product.type)_") })
  }

  /// The library holds the integers in as many bits as the model.
  @Test func weightsStayPacked() throws {
    let (program, _) = try Product(rows: 1, columns: 64, blocks: 4, block: 32).program()
    let scheduled = try Scheduler.schedule(program, for: .x86_64_v4)
    let bytes = scheduled.buffers.elements.reduce(0) { sum, buffer in
      if case .constant(let tensor) = buffer.storage { sum + tensor.bytes.count } else { sum }
    }
    #expect(bytes == 64 * 4 * (32 / 2 + 4))
  }

  /// Integers of processors with other instructions are the same ones.
  @Test func bytesGiveEqualResultsEverywhere() throws {
    let (program, inputs) = try Product(rows: 5, columns: 19, blocks: 1, block: 64, isRounded: true).program()
    let results = try ByteScheduleTests.machines.map { machine -> [Double] in
      var scheduled = try Scheduler.schedule(program, for: machine)
      MemoryPlanner.plan(&scheduled)
      return try #require(try KernelInterpreter(scheduled).run(inputs)[0].doubles)
    }
    for result in results { #expect(result == results[0]) }
  }
}
