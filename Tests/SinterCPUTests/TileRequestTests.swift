import SinterCore
import SinterForms
import SinterKernelIR
import TestSupport
import Testing

@testable import SinterCPU

/// What tiles of many rows ask for while they multiply.
@Suite struct TileRequestTests {
  private static func product(_ m: Int, _ n: Int, _ k: Int) throws -> FormProgram {
    var lowering = Lowering(name: "product")
    let x = lowering.input(TensorType(.f32, [Dim(m), Dim(k)]), named: "x")
    let w = lowering.constant(noise([k, n], seed: 2))
    let y = try lowering.contract(
      batch: [], m: [Dim(m)], n: [Dim(n)], k: [Dim(k)], accumulate: .f32,
      lhs: { builder, _, m, k in builder.load(x.id, m + k) },
      rhs: { builder, _, n, k in builder.load(w.id, k + n) })
    lowering.output(y, named: "y")
    return lowering.program
  }

  /// Depths of whole groups of steps, and such that leave steps over.
  @Test(arguments: [(256, 96, 16), (256, 96, 17), (128, 768, 11)])
  func sumsAreTheSame(rows: Int, columns: Int, depth: Int) throws {
    try checkSchedules(
      of: try Self.product(rows, columns, depth), [noise([rows, depth])], machines: [.x86_64_v4])
  }

  /// An iteration of the loop over the reduced axis is as many steps as share a line that is asked for, four at most: the more tiles share in a panel, the
  /// fewer elements each step asks for.
  @Test(arguments: [(rows: 128, columns: 96, step: 1), (256, 96, 2), (128, 768, 4)])
  func oneLineIsAskedForOnce(rows: Int, columns: Int, step: Int) throws {
    let program = try Scheduler.schedule(try Self.product(rows, columns, 128), for: .x86_64_v4)
    let kernel = try #require(program.kernels.elements.first { $0.name.hasPrefix("contract") })
    let lines = kernel.description.split(separator: "\n")
    let loops = lines.filter { $0.contains(" \"k\" ") }
    #expect(!loops.isEmpty && loops.allSatisfy { $0.contains(" step \(step) ") })
    #expect(lines.count { $0.contains("prefetch") } == loops.count)
  }
}
