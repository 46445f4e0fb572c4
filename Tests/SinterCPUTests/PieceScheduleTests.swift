import SinterCore
import SinterForms
import TestSupport
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

  /// Images of several sizes with channels last, one after another with channels first, behind rows of another kind: parts within a part,
  /// some of whose loads run along another axis than the result.
  @Test(arguments: [4, 17, 32]) func concatenationsOfTurned(channels: Int) throws {
    let counts = [40, 16, 3]
    let images = counts.enumerated().map { noise([$1, channels], seed: $0 + 1) }
    let total = counts.reduce(0, +)
    try checkSchedules((images + [noise([2, total], seed: 9)]).map { ($0.type, $0) }) { l, v in
      let rows: [Dim] = [2 + Dim(channels), Dim(total)]
      let joined = try l.element(rows) { b, i in
        let two = b.constant(2, .i64)
        let isFirst = i[0] < two
        let channel = i[0] - two
        var result = b.constant(0.0, .f32)
        var start = 0
        for (image, count) in zip(v, counts) {
          let place = i[1] - b.constant(start, .i64)
          let isHere = !isFirst && place >= b.constant(0, .i64) && place < b.constant(count, .i64)
          result = b.select(isHere, b.load(image.id, [place, channel], where: isHere), result)
          start += count
        }
        return b.select(isFirst, b.load(v[3].id, i, where: isFirst), result).unary(.abs)
      }
      // And with two values to a place.
      let pairs = try l.element([Dim(total), 5]) { b, i in
        let two = b.constant(2, .i64)
        let isFirst = i[1] < two
        let other = b.load(v[3].id, [b.constant(1, .i64), i[0]], where: !isFirst)
        return b.select(isFirst, b.load(v[3].id, [i[1], i[0]], where: isFirst), other)
      }
      return [joined, pairs]
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
