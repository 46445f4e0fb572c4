import SinterCore
import SinterKernel
import Testing

@Suite("Schedules of concatenations")
struct PieceScheduleTests {
  /// Five operands of different widths, joined along one axis, with work behind.
  @Test(arguments: [0, 1, 2])
  func concatenations(axis: Int) throws {
    let widths = [3, 16, 1, 32, 8]
    let tensors = widths.enumerated().map { number, width in
      var shape = [12, 14, 10]
      shape[axis] = width
      return noise(shape, seed: number + 1)
    }
    try checkSchedules(tensors.map { ($0.type, $0) }) { l, v in
      var shape: [Dim] = [12, 14, 10]
      shape[axis] = Dim(widths.reduce(0, +))
      let total = try l.element(shape) { b, i in
        var result: Expr?
        var start = 0
        for (operand, width) in zip(v, widths) {
          let isHere = i[axis] >= b.constant(start, .i64) && i[axis] < b.constant(start + width, .i64)
          var source = i
          source[axis] = i[axis] - b.constant(start, .i64)
          let part = b.load(operand.id, source, where: isHere)
          result = result.map { b.select(isHere, part, $0) } ?? part
          start += width
        }
        return (result ?? b.constant(0.0, .f32)).maximum(b.constant(0.0, .f32)) * 2
      }
      return [total]
    }
  }

  /// Fused programs, scheduled, compute what the forms mean.
  @Test(arguments: 0..<24)
  func fusedRandomPrograms(seed: Int) throws {
    var maker = RandomForms(seed: 1000 + seed, isSymbolic: seed % 2 == 1)
    let program = try maker.program(steps: 10)
    try checkSchedules(of: Fusion.fuse(program).program, maker.inputs, tolerance: 1e-3, machines: [.x86_64_v4])
  }
}
