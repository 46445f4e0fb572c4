import SinterCPU
import SinterCore
import SinterForms
import Testing

@Suite("Schedules of scans, scatters, sorts, rows and repetition")
struct OrderScheduleTests {
  @Test(arguments: [[5], [3, 17], [4, 3, 20], [2, 0, 3]]) func scans(shape: [Int]) throws {
    for axis in shape.indices {
      for (exclusive, reversed) in [(false, false), (true, false), (false, true), (true, true)] {
        try checkSchedules([symbolic(noise(shape), ["n"] + shape.dropFirst().map { _ in nil })]) { l, v in
          [
            try l.scan(.sum, v[0].shape, axis: axis, exclusive: exclusive, reversed: reversed) { b, i in
              b.load(v[0].id, i)
            }
          ]
        }
      }
    }
  }

  @Test func scatters() throws {
    let index = HostTensor.i64([4], [2, 0, 2, 9])
    for combine in [nil, Combine.sum, .maximum] {
      for n in [1, 5, 20] {
        // Rows of updates to rows of the base; the last row lies outside.
        try checkSchedules(noise([3, n]), index, noise([4, n], seed: 2)) { l, v in
          [
            try l.scatter(TensorType(.f32, [3, Dim(n)]), domain: [4, Dim(n)], combine: combine) { b, i in
              b.load(v[0].id, i)
            } update: { b, i in
              ([b.load(v[1].id, [i[0]]), i[1]], b.load(v[2].id, i))
            }
          ]
        }
        // Along the last axis, a lane may not run over the index.
        try checkSchedules(noise([n, 3]), index, noise([n, 4], seed: 2)) { l, v in
          [
            try l.scatter(TensorType(.f32, [Dim(n), 3]), domain: [Dim(n), 4], combine: combine) { b, i in
              b.load(v[0].id, i)
            } update: { b, i in
              ([i[0], b.load(v[1].id, [i[1]])], b.load(v[2].id, i))
            }
          ]
        }
      }
    }
  }

  @Test(arguments: [(1, 1), (5, 5), (17, 3), (64, 64), (100, 100), (300, 2), (130, 70)]) func sorts(n: Int, k: Int)
    throws
  {
    var values = noise([n, 3]).array(of: Float.self).map { ($0 * 4).rounded() }
    if n > 4 { values[4] = .nan }
    let x = HostTensor.f32([n, 3], values)
    for descending in [false, true] {
      try checkSchedules(x) { l, v in
        [try l.sort([Dim(n), 3], axis: 0, count: Dim(k), descending: descending) { b, i in b.load(v[0].id, i) }]
      }
      try checkSchedules([symbolic(x, ["n", nil])], machines: [.x86_64_v4]) { l, v in
        [try l.sort(["n", 3], axis: 0, count: Dim(k), descending: descending) { b, i in b.load(v[0].id, i) }]
      }
    }
  }

  @Test(arguments: [1, 3, 16, 17, 40]) func softmaxRows(n: Int) throws {
    for isSymbolic in [false, true] {
      var l = Lowering(name: "softmax")
      let row = isSymbolic ? Dim("n") : Dim(n)
      let x = l.input(TensorType(.f32, ["b", 3, row]), named: "x")
      let m = try l.reduce(.maximum, ["b", 3, 1], over: [row]) { b, i, k in b.load(x.id, [i[0], i[1], k[0]]) }
      let e = try l.element(["b", 3, row]) { b, i in
        (b.load(x.id, i) - b.load(m.id, [i[0], i[1], b.constant(0, .i64)])).unary(.exp)
      }
      let s = try l.reduce(.sum, ["b", 3, 1], over: [row]) { b, i, k in b.load(e.id, [i[0], i[1], k[0]]) }
      let y = try l.element(["b", 3, row]) { b, i in
        b.load(e.id, i) / b.load(s.id, [i[0], i[1], b.constant(0, .i64)])
      }
      l.output(y, named: "y")
      var program = l.program
      let members = program.steps.compactMap { step -> RowGroup.Member? in
        if case .compute(let value, let form) = step { .init(value: value, form: form) } else { nil }
      }
      for stored in [[y.id], [y.id, s.id], members.map(\.value)] {
        program.steps = [.rows(RowGroup(rows: ["b", 3], members: members, stored: stored))]
        try checkSchedules(of: program, [noise([2, 3, n])])
      }
    }
  }

  /// Softmax as fusion leaves it: the exponentials stand in the sum and in the quotient, and are computed once.
  @Test(arguments: [1, 5, 16, 33]) func sharedExponentials(n: Int) throws {
    for isSymbolic in [false, true] {
      var l = Lowering(name: "softmax")
      let row = isSymbolic ? Dim("n") : Dim(n)
      let x = l.input(TensorType(.f32, ["b", row]), named: "x")
      let m = try l.reduce(.maximum, ["b", 1], over: [row]) { b, i, k in b.load(x.id, [i[0], k[0]]) }
      func exponential(_ b: BodyBuilder, _ i: Expr, _ k: Expr) -> Expr {
        (b.load(x.id, [i, k]) - b.load(m.id, [i, b.constant(0, .i64)])).unary(.exp)
      }
      let s = try l.reduce(.sum, ["b", 1], over: [row]) { b, i, k in exponential(b, i[0], k[0]) }
      let t = try l.reduce(.sum, ["b"], over: [row]) { b, i, k in
        let e = exponential(b, i[0], k[0])
        return e * e
      }
      let y = try l.element(["b", row]) { b, i in
        exponential(b, i[0], i[1]) / b.load(s.id, [i[0], b.constant(0, .i64)]) + b.load(t.id, [i[0]])
      }
      l.output(y, named: "y")
      var program = l.program
      let members = program.steps.compactMap { step -> RowGroup.Member? in
        if case .compute(let value, let form) = step { .init(value: value, form: form) } else { nil }
      }
      program.steps = [.rows(RowGroup(rows: ["b"], members: members, stored: [y.id]))]
      try checkSchedules(of: program, [noise([3, n])], tolerance: 1e-4)
      if n < 16 { continue }
      let kernels = try Scheduler.schedule(program, for: .x86_64_v4).description
      #expect(kernels.split(separator: "1.44269").count - 1 <= 6)
    }
  }

  /// Mean and squared deviation of each channel with channels last: rows are not contiguous, so members are computed apart.
  @Test(arguments: [3, 16, 40]) func channelMoments(c: Int) throws {
    var l = Lowering(name: "moments")
    let x = l.input(TensorType(.f32, ["n", 9, Dim(c)]), named: "x")
    let s = try l.reduce(.sum, ["n", Dim(c)], over: [9]) { b, i, k in b.load(x.id, [i[0], k[0], i[1]]) }
    let d = try l.reduce(.sum, ["n", Dim(c)], over: [9]) { b, i, k in
      let e = b.load(x.id, [i[0], k[0], i[1]]) - b.load(s.id, i) * 0.111
      return e * e
    }
    l.output(d, named: "d")
    var program = l.program
    let members = program.steps.compactMap { step -> RowGroup.Member? in
      if case .compute(let value, let form) = step { .init(value: value, form: form) } else { nil }
    }
    program.steps = [.rows(RowGroup(rows: ["n", Dim(c)], members: members, stored: [d.id]))]
    try checkSchedules(of: program, [noise([2, 9, c])], tolerance: 1e-4)
  }

  @Test(arguments: [false, true]) func repetition(reversed: Bool) throws {
    for iterations in [0, 1, 4] {
      try checkSchedules([symbolic(noise([iterations, 3]), ["t", nil]), (TensorType(.f32, [3]), noise([3], seed: 2))]) {
        l, v in
        let (final, collected) = try l.repetition(
          count: "t", carried: [v[1], v[1]], sliced: [v[0]], reversed: reversed
        ) {
          l, carried, slices in
          let next = try l.element([3]) { b, i in b.load(carried[0].id, i) * 0.5 + b.load(slices[0].id, i) }
          let other = try l.element([3]) { b, i in
            b.load(carried[1].id, [b.constant(2, .i64) - i[0]]) + b.load(next.id, i)
          }
          let shown = try l.element([3]) { b, i in b.load(next.id, i) + b.load(carried[0].id, i) }
          return ([next, other], [shown, carried[1], next])
        }
        return final + collected
      }
    }
  }

  @Test func carriedValuesThatChangePlaces() throws {
    try checkSchedules(noise([3]), noise([3], seed: 2)) { l, v in
      try l.repetition(count: 5, carried: v, sliced: []) { l, carried, _ in
        (next: [carried[1], carried[0]], collected: [])
      }.final
    }
  }
}
