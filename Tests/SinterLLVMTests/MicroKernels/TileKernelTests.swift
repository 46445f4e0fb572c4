import SinterCore
import SinterKernelIR
import Testing

@testable import SinterCPU
@testable import SinterLLVM

/// The tiles of products: each that registers hold, by each operation of each processor's table.
@Suite struct TileKernelTests {
  /// Elements along the reduced axis: more than whole steps of any operation, and than any number of streams.
  static let depth = 39

  struct Tile: CustomStringConvertible {
    var operation: TileOperation
    var tile: RegisterTile
    var lanes: Int
    var description: String { "\(operation.left)·\(operation.right) \(tile.rows)x\(tile.vectors * lanes)" }

    /// All that fit into the registers of a machine.
    static func all(_ machine: Machine) -> [Tile] {
      machine.tileOperations.filter { $0.rows == 1 }.flatMap { operation in
        RegisterTile.all(machine: machine.tiling(with: operation)).map {
          Tile(operation: operation, tile: $0, lanes: machine.lanes(operation.accumulator))
        }
      }
    }

    /// Of each number of vectors the tile with most rows, which has no register to spare, and the smallest tile, which sums in most streams.
    static func narrowest(_ machine: Machine) -> [Tile] {
      let all = all(machine)
      return all.filter { item in
        item.tile.accumulators == 1
          || !all.contains {
            $0.operation == item.operation && $0.tile.vectors == item.tile.vectors && $0.tile.rows > item.tile.rows
          }
      }
    }

    /// Sums of this tile that a step along the reduced axis adds to.
    func streams(_ machine: Machine) -> Int {
      let streams = tile.streams(machine.tiling(with: operation))
      let iterations = depth / operation.depth
      return streams > 1 && iterations >= 4 * streams ? streams : 1
    }

    /// A panel of the right side, and rows of the left, as many elements apart as they are long.
    ///
    /// - Parameter asks: whether steps ask for what is read later, several of them for one line.
    func kernel(_ machine: Machine, asks: Bool = false) -> MicroKernel {
      let width = tile.vectors * lanes
      let steps = DepthSteps([.init(extent: Dim(depth), lhsStride: 1, rhsStride: 1)], operation: operation)
      let layout = PanelLayout(
        columns: width, depth: steps.padded(Array(0..<depth)).count, lanes: lanes, vectors: tile.vectors,
        interleave: operation.depth)
      let left = numbers(operation.rowElement, tile.rows * depth, 3)
      let right = numbers(operation.right, width * depth, 5)
      let panel = layout.pack(
        right, base: 0, columnStride: depth, depthOffsets: steps.padded(Array(0..<depth)))
      let description = "\(self)".map { $0.isLetter || $0.isNumber ? $0 : "_" }
      return MicroKernel(
        named: String(description), for: machine, [left] + (panel.map { [$0] } ?? []), to: operation.accumulator,
        count: tile.rows * width
      ) { scope, x, y in
        let b = scope.builder
        var kernel = TileKernel(
          scope: scope, lhs: x[0], rhs: x[1], accumulate: operation.accumulator, lanes: lanes,
          reductions: operation.depth > 1 ? steps.loops : [.init(extent: Dim(depth), lhsStride: 1, rhsStride: 1)],
          isPacked: true, usualTile: tile, operation: operation, tail: operation.depth > 1 ? steps.tail : 0)
        if asks { kernel.ask(TileRequest(first: b.index(0), advance: b.index(1), usualAdvance: 1)) }
        let sums = kernel.accumulators(
          tile: tile, lhsBase: b.index(0), rows: (0..<tile.rows).map { b.index($0 * depth) }, column: b.index(0),
          masks: [Register?](repeating: nil, count: tile.vectors))
        for (index, sum) in sums.enumerated() { b.store(sum, y, at: b.index(index * lanes)) }
      }
    }

    /// The same by three loops: exact sums, wrapped around for integers.
    func check(_ result: HostTensor, _ target: Target) throws {
      let width = tile.vectors * lanes
      let left = try #require(numbers(operation.rowElement, tile.rows * depth, 3).doubles)
      let right = try #require(numbers(operation.right, width * depth, 5).doubles)
      let given = try #require(result.doubles)
      let allowed = operation.accumulator.isFloat ? (operation.accumulator == .f64 ? 1e-13 : 1e-5) : 0
      for row in 0..<tile.rows {
        for column in 0..<width {
          var exact = 0.0
          for k in 0..<depth { exact += left[row * depth + k] * right[column * depth + k] }
          let difference = abs(given[row * width + column] - exact)
          guard difference <= allowed else {
            Issue.record("\(target.name), \(self): \(given[row * width + column]) instead of \(exact)")
            return
          }
        }
      }
    }
  }

  /// Numbers of any sign that fill their types' range; products of integers of 32 bits are exact in f64.
  static func numbers(_ element: ElementType, _ count: Int, _ seed: UInt64) -> HostTensor {
    var generator = Generator(state: seed)
    switch element {
    case .u8:
      return HostTensor(.u8, [count], values: (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
    case .i8:
      return HostTensor(.i8, [count], values: (0..<count).map { _ in Int8(truncatingIfNeeded: generator.next()) })
    case .i16:
      return HostTensor(.i16, [count], values: (0..<count).map { _ in Int16(truncatingIfNeeded: generator.next()) })
    case .i32: return HostTensor(.i32, [count], values: (0..<count).map { _ in Int32(generator.next() % 8191) - 4095 })
    case let type: return HostTensor(type, [count], doubles: (0..<count).map { _ in Double(generator.float()) })
    }
  }

  @Test(arguments: Processors.runnable) func sumProducts(processor: String) throws {
    let target = try Target.named(processor)
    // Floats of either width and integers take the same way.
    let machine = target.machine
    let tiles =
      Tile.all(machine).filter { $0.operation == machine.multiplyAdd(.f32) || $0.operation.depth > 1 }
      + Tile.narrowest(machine).filter {
        $0.operation == machine.multiplyAdd(.f64) || $0.operation == .multiplyAdd(.i32)
      }
    let results = try MicroKernels(tiles.map { $0.kernel(machine) }).run(on: target)
    for (tile, result) in zip(tiles, results) { try tile.check(result, target) }
  }

  @Test(arguments: Processors.all + Processors.foreign) func stayInRegisters(processor: String) throws {
    let target = try Processors.target(processor)
    // Without vectors, integers share their registers with addresses.
    for operation in target.machine.tileOperations
    where operation.rows == 1 && (target.architecture != .riscv64 || operation.accumulator.isFloat) {
      let tiles = Tile.narrowest(target.machine).filter { $0.operation == operation }
      let code = MultiplyAddCode(operation, on: target)
      let kernels = MicroKernels(tiles.map { $0.kernel(target.machine) })
      for (tile, loops) in zip(tiles, try kernels.loops(on: target, with: code.matches)) {
        // Where columns have sums of their own, these are added to as another row's are.
        let sums = tile.tile.accumulators + (operation.takesSignedLeft ? tile.tile.vectors : 0)
        code.check(loops, count: sums * tile.streams(target.machine), "\(processor), \(tile)")
      }
    }
  }

  /// LLVM may not add products of several steps to each other before it adds them to sums.
  @Test(arguments: Processors.all) func integersStayInRegistersWhileAsking(processor: String) throws {
    let target = try Processors.target(processor)
    for operation in target.machine.tileOperations where operation.rows == 1 && operation.addsProducts {
      let tiles = Tile.narrowest(target.machine).filter {
        $0.operation == operation && $0.streams(target.machine) == 1
      }
      let code = MultiplyAddCode(operation, on: target)
      let kernels = MicroKernels(tiles.map { $0.kernel(target.machine, asks: true) })
      for (tile, loops) in zip(tiles, try kernels.loops(on: target, with: code.matches)) {
        code.check(loops, count: tile.tile.accumulators, "\(processor), \(tile)")
      }
    }
  }

  /// An element of a row is an operand of the multiply-add: nothing repeats it in a vector before. The first row's load may, where it moves the
  /// address on as well.
  @Test(arguments: Target.names(of: .aarch64)) func rowsAreMultipliedByElement(processor: String) throws {
    let target = try Target.named(processor, for: "aarch64-linux-gnu")
    let operation = target.machine.multiplyAdd(.f32)
    let tiles = Tile.narrowest(target.machine).filter { $0.operation == operation && $0.tile.vectors > 1 }
    let kernels = MicroKernels(tiles.map { $0.kernel(target.machine) })
    for (tile, loops) in zip(tiles, try kernels.loops(on: target, with: { $0 == "fmla" })) {
      let lines = loops.flatMap(\.lines)
      let products = lines.filter { line in line.contains("fmla") }
      let others = products.filter { !$0.contains(".s[") }
      let first = tile.tile.streams(target.machine) * tile.tile.vectors
      #expect(!products.isEmpty && others.count <= first, "\(processor), \(tile): \(others.isEmpty ? lines : others)")
    }
  }
}
