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

  /// The mean over places of channels that are joined, as at the end of GoogLeNet.
  @Test func meansOfConcatenations() throws {
    let tensors = [384, 384, 128, 128].enumerated().map { noise([1, 7, 7, $1], seed: $0 + 1) }
    try checkSchedules(tensors.map { ($0.type, $0) }) { l, v in
      let sum = try l.reduce(.sum, [1, 1, 1, 1024], over: [7, 7]) { b, o, i in
        var result: Expr?
        var start = 0
        for operand in v {
          let width = operand.shape[3].value ?? 0
          let isHere = o[3] >= b.constant(start, .i64) && o[3] < b.constant(start + width, .i64)
          let part = b.load(operand.id, [o[0]] + i + [o[3] - b.constant(start, .i64)], where: isHere)
          result = result.map { b.select(isHere, part, $0) } ?? part
          start += width
        }
        return result ?? b.constant(0.0, .f32)
      }
      return [try l.element(sum.shape) { b, i in b.load(sum.id, i) / 49 }]
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
