import SinterCore
import SinterForms
import Testing

@Suite("Reduce schedules")
struct ReduceScheduleTests {
  static let shapes = [(1, 1), (3, 5), (2, 16), (5, 17), (16, 3), (17, 33), (70, 9), (4, 200), (3, 0), (0, 3), (0, 0)]

  @Test(arguments: shapes) func rowsAndColumns(m: Int, n: Int) throws {
    for combine in [Combine.sum, .product, .minimum, .maximum] {
      try checkSchedules(noise([m, n])) { l, v in
        [
          try l.reduce(combine, [Dim(m)], over: [Dim(n)]) { b, i, k in b.load(v[0].id, [i[0], k[0]]) },
          try l.reduce(combine, [Dim(n)], over: [Dim(m)]) { b, i, k in b.load(v[0].id, [k[0], i[0]]) },
          try l.reduce(combine, [], over: [Dim(m), Dim(n)]) { b, i, k in b.load(v[0].id, k).unary(.abs) },
        ]
      }
      try checkSchedules([symbolic(noise([m, n]), ["m", "n"])]) { l, v in
        [
          try l.reduce(combine, ["m"], over: ["n"]) { b, i, k in b.load(v[0].id, [i[0], k[0]]) },
          try l.reduce(combine, ["n"], over: ["m"]) { b, i, k in b.load(v[0].id, [k[0], i[0]]) },
          try l.reduce(combine, [], over: ["m", "n"]) { b, i, k in b.load(v[0].id, k) },
        ]
      }
    }
  }

  @Test(arguments: shapes.filter { $0.0 > 0 && $0.1 > 0 }) func positions(m: Int, n: Int) throws {
    var values = noise([m, n]).array(of: Float.self).map { ($0 * 2).rounded() }
    if values.count > 40 { values[33] = .nan }
    let x = HostTensor.f32([m, n], values)
    for combine in [Combine.firstMinimumIndex, .lastMinimumIndex, .firstMaximumIndex, .lastMaximumIndex] {
      try checkSchedules(x) { l, v in
        [
          try l.reduce(combine, [Dim(m)], over: [Dim(n)]) { b, i, k in b.load(v[0].id, [i[0], k[0]]) },
          try l.reduce(combine, [Dim(n)], over: [Dim(m)]) { b, i, k in b.load(v[0].id, [k[0], i[0]]) },
          try l.reduce(combine, [Dim(n)], over: [Dim(m)]) { b, i, k in b.load(v[0].id, [k[0], i[0]]).cast(to: .i32) },
        ]
      }
    }
  }

  @Test func products() throws {
    for (m, n, k) in [(3, 4, 5), (5, 33, 16), (16, 16, 40)] {
      try checkSchedules(noise([m, k]), noise([k, n], seed: 2), noise([n], seed: 3)) { l, v in
        let y = try l.contract(batch: [], m: [Dim(m)], n: [Dim(n)], k: [Dim(k)], accumulate: .f32) { b, _, i, k in
          b.load(v[0].id, [i[0], k[0]])
        } rhs: { b, _, i, k in
          b.load(v[1].id, [k[0], i[0]])
        }
        return [try l.element([Dim(m), Dim(n)]) { b, i in b.load(y.id, i) + b.load(v[2].id, [i[1]]) }]
      }
    }
  }

  @Test(arguments: [true, false]) func convolutions(channelsLast: Bool) throws {
    let x = noise(channelsLast ? [2, 7, 9, 4] : [2, 4, 7, 9])
    for (groups, stride) in [(1, 1), (2, 2), (4, 1)] {
      let w = noise([8, 4 / groups, 3, 3], seed: 5)
      let (h, wide) = ((7 + 2 - 3) / stride + 1, (9 + 2 - 3) / stride + 1)
      let shape: [Dim] = channelsLast ? [2, Dim(h), Dim(wide), 8] : [2, 8, Dim(h), Dim(wide)]
      try checkSchedules(x, w, tolerance: 1e-4) { l, v in
        [
          l.convolve(
            v[0], v[1], result: shape, window: [3, 3], strides: [stride, stride], dilations: [1, 1], padsBegin: [1, 1],
            groups: groups, channelsLast: channelsLast, accumulate: .f32)
        ]
      }
    }
  }

  @Test func pooling() throws {
    for c in [3, 16, 70] {
      try checkSchedules([symbolic(noise([2, 9, 9, c]), ["n", nil, nil, nil])]) { l, v in
        [
          try l.reduce(.maximum, ["n", 5, 5, Dim(c)], over: [3, 3]) { b, i, k in
            let y = i[1] * b.constant(2, .i64) + k[0] - b.constant(1, .i64)
            let x = i[2] * b.constant(2, .i64) + k[1] - b.constant(1, .i64)
            let zero = b.constant(0, .i64)
            let nine = b.constant(9, .i64)
            let inside = (y >= zero) && (y < nine) && (x >= zero) && (x < nine)
            return b.load(v[0].id, [i[0], y, x, i[3]], where: inside, otherwise: .float(-.infinity))
          }
        ]
      }
    }
  }

  @Test func longSums() throws {
    let n = 70_001
    try checkSchedules(noise([n]), tolerance: 1e-4) { l, v in
      [try l.reduce(.sum, [], over: [Dim(n)]) { b, _, k in b.load(v[0].id, k) }]
    }
    try checkSchedules([symbolic(noise([2, 40_000]), [nil, "n"])], tolerance: 1e-4, machines: [.x86_64_v4]) { l, v in
      [
        try l.reduce(.sum, [2], over: ["n"]) { b, i, k in
          b.load(v[0].id, [i[0], k[0]]) * b.load(v[0].id, [i[0], k[0]])
        }
      ]
    }
  }

  @Test func emptyReductions() throws {
    try checkSchedules([symbolic(noise([3, 0]), ["m", "n"])]) { l, v in
      [
        try l.reduce(.sum, ["m"], over: ["n"]) { b, i, k in b.load(v[0].id, [i[0], k[0]]) },
        try l.reduce(.maximum, ["n"], over: ["m"]) { b, i, k in b.load(v[0].id, [k[0], i[0]]) },
      ]
    }
  }
}
