import SinterCPU
import SinterCore
import SinterForms
import Testing

/// Products that a repetition computes in each iteration.
@Suite struct RepeatedProductTests {
  private func program(_ size: Int) throws -> FormProgram {
    var l = Lowering(name: "repeated")
    let start = l.input(TensorType(.f32, [1, Dim(size)]), named: "start")
    let weights = l.constant(noise([size, size], seed: 3))
    let (final, _) = try l.repetition(count: 3, carried: [start], sliced: []) { l, carried, _ in
      let product = try l.contract(
        batch: [], m: [1], n: [Dim(size)], k: [Dim(size)], accumulate: .f32,
        lhs: { b, _, m, k in b.load(carried[0].id, m + k) }, rhs: { b, _, n, k in b.load(weights.id, k + n) })
      return ([try l.element(product.shape) { b, i in b.load(product.id, i) * 0.05 + 0.5 }], [])
    }
    l.output(final[0], named: "y")
    return l.program
  }

  /// Weights that do not fit into the second-level cache pass in one order and in the other by turns; others pass as they lie.
  @Test func weightsPassInTurns() throws {
    let size = 200
    for (level2, takesTurns) in [(16 << 10, true), (1 << 20, false)] {
      var machine = Machine.x86_64_v4
      machine.level2 = level2
      let program = try program(size)
      let scheduled = try Scheduler.schedule(program, for: machine)
      let products = scheduled.kernels.elements.filter { $0.name.hasPrefix("contract") }
      #expect(products.map { $0.sizeCount > 0 } == [takesTurns])
      try checkSchedules(of: program, [noise([1, size])], machines: [machine])
    }
  }
}
