import SinterCore
import SinterKernelIR
import Testing

@testable import SinterCPU
@testable import SinterLLVM

/// Products of few columns, which sum along the lanes of vectors.
@Suite struct DotKernelTests {
  /// Whole vectors, and a part of one.
  static let depth = 77

  struct Case: CustomStringConvertible {
    var element: ElementType
    var tile: RegisterTile
    var columns: Int
    var lanes: Int
    /// Elements along the reduced axis.
    var depth: Int
    var description: String { "\(element) \(tile.rows)x\(columns)" }

    static func all(_ machine: Machine) -> [Case] {
      [ElementType.f32, .f64].flatMap { element -> [Case] in
        (1...4).flatMap { columns -> [Case] in
          let lanes = machine.lanes(element)
          // Without masks only whole vectors are summed so.
          let depth = machine.hasMasks ? DotKernelTests.depth : DotKernelTests.depth / lanes * lanes
          guard DotKernel.serves(columns: columns, run: depth, lanes: lanes, machine: machine) else { return [] }
          return Set([1, 2, 5, 8].map { DotKernel.tile(rows: $0, columns: columns, machine: machine) }).sorted {
            $0.rows < $1.rows
          }.map { Case(element: element, tile: $0, columns: columns, lanes: lanes, depth: depth) }
        }
      }
    }

    var sides: (left: HostTensor, right: HostTensor) {
      (TileKernelTests.numbers(element, tile.rows * depth, 3), TileKernelTests.numbers(element, columns * depth, 5))
    }

    func kernel(_ machine: Machine) -> MicroKernel {
      let width = DotKernel.storeLanes(columns)
      return MicroKernel(
        named: "dot_\(element)_\(tile.rows)x\(columns)", for: machine, [sides.left, sides.right], to: element,
        count: tile.rows * width
      ) { scope, x, y in
        let b = scope.builder
        let kernel = DotKernel(
          scope: scope, lhs: x[0], rhs: x[1], accumulate: element, lanes: lanes, columns: columns,
          columnStep: b.index(depth), reductions: [.init(extent: Dim(depth), lhsStride: 1, rhsStride: 1)])
        let sums = kernel.accumulators(
          tile: tile, lhsBase: b.index(0), rows: (0..<tile.rows).map { b.index($0 * depth) }, column: b.index(0),
          masks: [nil])
        for (row, sum) in sums.enumerated() { b.store(sum, y, at: b.index(row * width)) }
      }
    }
  }

  @Test(arguments: Processors.runnable) func sumProducts(processor: String) throws {
    let target = try Target.named(processor)
    let cases = Case.all(target.machine)
    for (item, result) in zip(cases, try MicroKernels(cases.map { $0.kernel(target.machine) }).run(on: target)) {
      let (left, right) = (try #require(item.sides.left.doubles), try #require(item.sides.right.doubles))
      let given = try #require(result.doubles)
      for row in 0..<item.tile.rows {
        for column in 0..<item.columns {
          let exact = (0..<item.depth).reduce(0) { $0 + left[row * item.depth + $1] * right[column * item.depth + $1] }
          let difference = abs(given[row * DotKernel.storeLanes(item.columns) + column] - exact)
          #expect(difference < (item.element == .f64 ? 1e-13 : 1e-5), "\(processor), \(item): row \(row), \(column)")
        }
      }
    }
  }

  @Test(arguments: Processors.all + Processors.foreign) func stayInRegisters(processor: String) throws {
    let target = try Processors.target(processor)
    let cases = Case.all(target.machine)
    for element in [ElementType.f32, .f64] {
      let code = MultiplyAddCode(target.machine.multiplyAdd(element), on: target)
      let own = cases.filter { $0.element == element }
      let kernels = MicroKernels(own.map { $0.kernel(target.machine) })
      for (item, loops) in zip(own, try kernels.loops(on: target, with: code.matches)) {
        code.check(loops, count: item.tile.rows * item.columns, "\(processor), \(item)")
      }
    }
  }
}
