import SinterCore
import SinterKernelIR
import Testing

@testable import SinterLLVM

/// Blocks of products in tiles: on processors that have tiles, and as they are written for others.
@Suite struct TileDotTests {
  struct Block: Sendable, CustomTestStringConvertible {
    var left: ElementType, right: ElementType
    var rows: Int, columns: Int
    /// Whole instructions along the reduced axis.
    var steps: Int
    /// Stretches of a row, nested.
    var counts: [Int] = []
    var testDescription: String { "\(left)·\(right) \(rows)x\(columns), \(steps) steps \(counts)" }

    var sum: ElementType { left == .bf16 ? .f32 : .i32 }
    /// Of a stretch, and of a whole row.
    var stretch: Int { steps * TileDot.run(left) }
    var depth: Int { counts.reduce(stretch, *) }
    /// Rows overlap where they have stretches; else they lie further apart than they are long. Panels are wider than the block.
    var leftPitch: Int { counts.isEmpty ? depth + 3 : TileDot.run(left) }
    var stretches: [TileDot.Stretch] {
      zip(counts, [4 * stretch + 64, stretch + 16].suffix(counts.count)).map { TileDot.Stretch(count: $0, pitch: $1) }
    }
    /// Where a step of a row lies, from its first element on.
    func along(_ k: Int) -> Int {
      guard stretch > 0 else { return 0 }
      var (number, sum) = (k / stretch, k % stretch)
      for stretch in stretches.reversed() {
        sum += number % stretch.count * stretch.pitch
        number /= stretch.count
      }
      return sum
    }
    var rightPitch: Int { (columns + 16) * TileDot.interleave(right) }

    /// Where the right side has what belongs to a step and a column.
    func place(_ k: Int, _ column: Int) -> Int {
      let interleave = TileDot.interleave(right)
      return k / interleave * rightPitch + column * interleave + k % interleave
    }

    var inputs: [HostTensor] {
      [
        TileKernelTests.numbers(left, (rows - 1) * leftPitch + along(Swift.max(0, depth - 1)) + 2, 3),
        TileKernelTests.numbers(right, (depth / TileDot.interleave(right) + 1) * rightPitch, 5),
        HostTensor(.i64, [1], values: [Int64(stretch)]),
      ]
    }

    /// The depth is read at run time: no loop is taken apart for it.
    var program: KernelProgram {
      SinterLLVMTests.program(inputs: inputs, output: sum, count: rows * columns) { b, x, y in
        b.tileDot(
          TileDot(
            sums: y, at: b.index(0), left: x[0], at: b.index(1), pitch: leftPitch, right: x[1], at: b.index(0),
            pitch: rightPitch, rows: rows, columns: columns, depth: b.load(x[2], at: b.index(0)),
            stretches: stretches, request: counts.isEmpty ? nil : TileDot.Request(at: b.index(0), runs: 2)))
      }
    }
  }

  static let blocks =
    [(16, 16), (16, 32), (32, 16), (32, 32)].flatMap { rows, columns in
      [(ElementType.u8, ElementType.i8), (.i8, .i8), (.bf16, .bf16)].flatMap { left, right in
        [0, 1, 3].map { Block(left: left, right: right, rows: rows, columns: columns, steps: $0) }
      }
    }
    + [(ElementType.u8, ElementType.i8), (.bf16, .bf16)].flatMap { left, right in
      [[3], [2, 3]].map { Block(left: left, right: right, rows: 32, columns: 16, steps: 2, counts: $0) }
    }

  /// Integers are exact and floats nearly so, and compiled code gives what the interpreter does, bit by bit.
  @Test(arguments: runnableTargets, blocks) func sums(target: Target, block: Block) throws {
    let given = try KernelRunner(block.program, target: target).run(block.inputs)[0]
    #expect(given.doubles == (try KernelInterpreter(block.program).run(block.inputs)[0].doubles))
    let (left, right) = (try #require(block.inputs[0].doubles), try #require(block.inputs[1].doubles))
    let sums = try #require(given.doubles)
    for row in 0..<block.rows {
      for column in 0..<block.columns {
        let exact = (0..<block.depth).reduce(0) {
          $0 + left[1 + row * block.leftPitch + block.along($1)] * right[block.place($1, column)]
        }
        let allowed = block.left == .bf16 ? 1e-5 : 0
        #expect(abs(sums[row * block.columns + column] - exact) <= allowed, "row \(row), column \(column)")
      }
    }
  }

  /// The order of sums of bf16 shows: numbers of all magnitudes.
  @Test(arguments: runnableTargets) func pairsAreSummedInOrder(target: Target) throws {
    let block = Block(left: .bf16, right: .bf16, rows: 16, columns: 16, steps: 4)
    var generator = Generator(state: 9)
    let inputs =
      block.inputs.prefix(2).map { tensor in
        HostTensor(
          .bf16, tensor.shape,
          doubles: (0..<tensor.count).map { _ in Double(generator.float()) * Double(1 << (generator.next() % 20)) })
      } + block.inputs.suffix(1)
    let given = try KernelRunner(block.program, target: target).run(inputs)[0].array(of: Float.self)
    #expect(given == (try KernelInterpreter(block.program).run(inputs)[0].array(of: Float.self)))
    let (left, right) = (try #require(inputs[0].doubles), try #require(inputs[1].doubles))
    let run = TileDot.run(.bf16)
    for row in 0..<block.rows {
      for column in 0..<block.columns {
        var total: Float = 0
        for step in 0..<block.steps {
          let halves = (0..<2).map { parity in
            stride(from: step * run + parity, to: (step + 1) * run, by: 2).reduce(Float(0)) {
              Float(Double($0) + left[1 + row * block.leftPitch + $1] * right[block.place($1, column)])
            }
          }
          total += halves[0] + halves[1]
        }
        #expect(given[row * block.columns + column] == total, "row \(row), column \(column)")
      }
    }
  }

  /// A step of a block is its sums of products and the tiles that these need; nothing passes through the stack.
  @Test(arguments: blocks.filter { $0.steps > 1 }) func stepsAreInstructions(block: Block) throws {
    let target = try Target.named("sapphirerapids")
    let program = block.program
    let assembly = try Assembly(program, target: target)
    let loops = program.kernels.indices.flatMap { assembly.innermostLoops(of: $0, program.kernels[$0]) }.filter {
      $0.count { $0.hasPrefix("tdp") } > 0
    }
    let (rows, columns) = (block.rows / 16, block.columns / 16)
    #expect(loops.map { $0.count { $0.hasPrefix("tdp") } } == [rows * columns])
    #expect(loops.map { $0.count { $0.hasPrefix("tile") } } == [rows + columns])
    let spills = loops.flatMap(\.spills)
    #expect(spills.isEmpty)
  }
}
