import SinterCPU
import SinterCore
import SinterForms
import SinterKernelIR
import Testing

@Suite("Element schedules")
struct ElementScheduleTests {
  static let sizes = [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100]

  @Test(arguments: sizes) func oneAxis(n: Int) throws {
    try checkSchedules(noise([n]), noise([n], seed: 2)) { l, v in
      [try l.element([Dim(n)]) { b, i in b.load(v[0].id, i) * b.load(v[1].id, i) + 1 }]
    }
    try checkSchedules([symbolic(noise([n]), ["n"])]) { l, v in
      [try l.element(["n"]) { b, i in b.load(v[0].id, i) * 2 }]
    }
  }

  @Test(arguments: [(1, 5), (3, 16), (4, 17), (5, 33), (33, 3), (0, 4), (2, 0)]) func broadcast(m: Int, n: Int) throws {
    try checkSchedules(noise([m, n]), noise([n], seed: 2), noise([m], seed: 3)) { l, v in
      [
        try l.element([Dim(m), Dim(n)]) { b, i in
          b.load(v[0].id, i) + b.load(v[1].id, [i[1]]) * b.load(v[2].id, [i[0]])
        }
      ]
    }
    try checkSchedules([
      symbolic(noise([m, n]), ["m", "n"]), symbolic(noise([n], seed: 2), ["n"]), symbolic(noise([m], seed: 3), ["m"]),
    ]) { l, v in
      [
        try l.element(["m", "n"]) { b, i in
          b.load(v[0].id, i) + b.load(v[1].id, [i[1]]) * b.load(v[2].id, [i[0]])
        }
      ]
    }
  }

  @Test(arguments: [(3, 5), (16, 16), (17, 33), (40, 19), (64, 64), (1, 9), (50, 4)]) func transpose(m: Int, n: Int)
    throws
  {
    try checkSchedules(noise([m, n])) { l, v in
      [try l.element([Dim(n), Dim(m)]) { b, i in b.load(v[0].id, [i[1], i[0]]) }]
    }
    try checkSchedules([symbolic(noise([m, n]), ["m", "n"])]) { l, v in
      [try l.element(["n", "m"]) { b, i in b.load(v[0].id, [i[1], i[0]]) }]
    }
    try checkSchedules(noise([3, m, n])) { l, v in
      [try l.element([Dim(n), 3, Dim(m)]) { b, i in b.load(v[0].id, [i[1], i[2], i[0]]) }]
    }
  }

  /// Panels of some columns, row after row: with a last one that is not full, and with more columns than are read. Where rows are many and runs are
  /// short, eight rows are done for all panels before the next eight are.
  @Test(arguments: [(rows: 264, width: 13, columns: 35, isBlocked: true), (260, 13, 26, false), (264, 200, 400, false)])
  func panels(rows: Int, width: Int, columns: Int, isBlocked: Bool) throws {
    let count = (columns + width - 1) / width
    func copy(_ l: inout Lowering, _ v: [Operand]) throws -> [Operand] {
      [
        try l.element([Dim(count), Dim(rows), Dim(width)]) { b, i in
          let column = i[0] * b.constant(width, .i64) + i[2]
          return b.load(v[0].id, [i[1], column], where: column < b.constant(columns, .i64))
        }
      ]
    }
    try checkSchedules(noise([rows, columns])) { try copy(&$0, $1) }
    var lowering = Lowering(name: "panels")
    let x = lowering.input(TensorType(.f32, [Dim(rows), Dim(columns)]), named: "x")
    for (index, output) in try copy(&lowering, [x]).enumerated() { lowering.output(output, named: "y\(index)") }
    let kernel = try #require(try Scheduler.schedule(lowering.program, for: .x86_64_v4).kernels.elements.first)
    #expect(kernel.name.contains("\(rows / 8)x_\(count)x_8x_\(width)") == isBlocked, "\(kernel.name)")
  }

  @Test(arguments: [3, 20, 33]) func transposeAndPad(c: Int) throws {
    let (h, w) = (5, 18)
    try checkSchedules(noise([c, h, w])) { l, v in
      [
        try l.element([Dim(h + 2), Dim(w + 1), Dim(c)]) { b, i in
          let y = i[0] - b.constant(1, .i64)
          let zero = b.constant(0, .i64)
          let inside = (y >= zero) && (y < b.constant(h, .i64)) && (i[1] < b.constant(w, .i64))
          return b.load(v[0].id, [i[2], y, i[1]], where: inside, otherwise: .float(-1))
        }
      ]
    }
  }

  @Test(arguments: [4, 16, 20]) func reshapedHeads(d: Int) throws {
    // [b, s, h·d] from [b, h, s, d], and back.
    try checkSchedules(noise([2, 3, 5, d])) { l, v in
      [
        try l.element([2, 5, Dim(3 * d)]) { b, i in
          let size = b.size(Dim(d))
          return b.load(v[0].id, [i[0], i[2].floorDivided(by: size), i[1], i[2].modulo(size)])
        }
      ]
    }
    try checkSchedules([symbolic(noise([2, 5, 3 * d]), ["b", "s", nil])]) { l, v in
      [
        try l.element(["b", 3, "s", Dim(d)]) { b, i in
          b.load(v[0].id, [i[0], i[2], i[1] * b.size(Dim(d)) + i[3]])
        }
      ]
    }
  }

  @Test func flatReshape() throws {
    try checkSchedules([symbolic(noise([4, 6, 10]), ["n", nil, nil])]) { l, v in
      [
        try l.element([Dim("n") * 3, 20]) { b, i in
          let flat = i[0] * b.constant(20, .i64) + i[1]
          let ten = b.constant(10, .i64)
          let six = b.constant(6, .i64)
          let rest = flat.floorDivided(by: ten)
          return b.load(v[0].id, [rest.floorDivided(by: six), rest.modulo(six), flat.modulo(ten)]) + 1
        }
      ]
    }
  }

  @Test(arguments: [(5, 1, 2), (16, 3, 3), (33, 0, 4)]) func padAndConcat(n: Int, before: Int, after: Int) throws {
    let total = n + before + after
    try checkSchedules(noise([3, n])) { l, v in
      [
        try l.element([3, Dim(total)]) { b, i in
          let at = i[1] - b.constant(before, .i64)
          return b.load(
            v[0].id, [i[0], at], where: (at >= b.constant(0, .i64)) && (at < b.constant(n, .i64)), otherwise: .float(7))
        }
      ]
    }
    for axis in 0..<2 {
      try checkSchedules(noise([n, n]), noise([n, n], seed: 2)) { l, v in
        let shape: [Dim] = axis == 0 ? [Dim(2 * n), Dim(n)] : [Dim(n), Dim(2 * n)]
        return [
          try l.element(shape) { b, i in
            let size = b.constant(n, .i64)
            let isFirst = i[axis] < size
            var second = i
            second[axis] = i[axis] - size
            return b.select(
              isFirst, b.load(v[0].id, i, where: isFirst), b.load(v[1].id, second, where: i[axis] >= size))
          }
        ]
      }
    }
  }

  @Test(arguments: [1, 16, 21]) func gathers(n: Int) throws {
    let table = noise([10, n])
    let rows = HostTensor.i64([2, 3], [0, 9, 3, 3, 1, 7])
    try checkSchedules(table, rows) { l, v in
      let error = l.error("row %0 is not one of %1")
      return [
        try l.element([2, 3, Dim(n)]) { b, i in
          let row = b.load(v[1].id, [i[0], i[1]]).checked(below: b.constant(10, .i64), error: error)
          return b.load(v[0].id, [row, i[2]])
        },
        try l.element([Dim(n), 2, 3]) { b, i in b.load(v[0].id, [b.load(v[1].id, [i[1], i[2]]), i[0]]) },
      ]
    }
  }

  /// Weighted lines of a channels-last image, channels first in the result: places and weights come from tables.
  @Test(arguments: [(2, 9), (3, 16), (5, 17), (8, 4), (21, 40), (70, 33)]) func turnedResults(c: Int, w: Int) throws {
    let (lines, h) = (4, 3)
    let tables: [(TensorType, HostTensor)] = [
      (TensorType(.i64, [2, 3]), .i64([2, 3], [0, 3, 1, 2, 3, 0])),
      (TensorType(.f32, [2, 3]), noise([2, 3], seed: 2)),
      (TensorType(.i64, [2, Dim(w)]), .i64([2, w], (0..<(2 * w)).map { ($0 * 5 + 1) % w })),
    ]
    func check(_ image: (TensorType, HostTensor), _ channels: Dim, _ columns: Dim) throws {
      try checkSchedules([image] + tables) { l, v in
        func tap(_ b: BodyBuilder, _ i: [Expr], _ k: Int, byColumn: Bool) -> Expr {
          let number = b.constant(k, .i64)
          let weight = b.load(v[2].id, [number, i[1]])
          let line = b.load(v[1].id, [number, i[1]])
          let column = byColumn ? b.load(v[3].id, [number, i[2]]) : i[2]
          return b.load(v[0].id, [line, column, i[0]]) * weight
        }
        return try [false, true].map { byColumn in
          try l.element([channels, Dim(h), columns]) { b, i in
            tap(b, i, 0, byColumn: byColumn) + tap(b, i, 1, byColumn: byColumn)
          }
        }
      }
    }
    let image = noise([lines, w, c])
    try check((image.type, image), Dim(c), Dim(w))
    try check(symbolic(image, [nil, nil, "c"]), "c", Dim(w))
  }

  @Test(arguments: [3, 16, 37]) func turnedResultsOfSymbolicLength(w: Int) throws {
    try checkSchedules([
      symbolic(noise([w, 6]), ["w", nil]), symbolic(noise([w, 6], seed: 2), ["w", nil]),
      symbolic(noise([w], seed: 3), ["w"]),
    ]) { l, v in
      [
        try l.element([6, "w"]) { b, i in
          b.load(v[0].id, [i[1], i[0]]) * b.load(v[1].id, [i[1], i[0]]) + b.constant(0.5, .f32)
        },
        try l.element([6, "w"]) { b, i in
          b.load(v[0].id, [i[1], i[0]]) * b.load(v[1].id, [i[1], i[0]]) + b.load(v[2].id, [i[1]])
        },
      ]
    }
  }

  /// Axes of few elements behind others: repeated elements, and elements of several values in turn.
  @Test(arguments: [(1, 2), (3, 5), (21, 16), (5, 37)]) func interleaved(c: Int, w: Int) throws {
    for factor in [2, 3, 4] {
      let two = HostTensor.f32([factor], (0..<factor).map { Float($0) - 0.5 })
      func check(_ image: (TensorType, HostTensor), _ last: (TensorType, HostTensor), _ c: Dim, _ w: Dim) throws {
        try checkSchedules([image, last, (two.type, two)]) { l, v in
          let size = Dim(factor)
          return try [
            l.element([c, 2 * size, w * size]) { b, i in
              let f = b.constant(factor, .i64)
              return b.load(v[0].id, [i[1].floorDivided(by: f), i[2].floorDivided(by: f), i[0]])
            },
            l.element([c, 2 * size, w * size]) { b, i in
              let f = b.constant(factor, .i64)
              return b.load(v[1].id, [i[0], i[1].floorDivided(by: f), i[2].floorDivided(by: f)])
            },
            l.element([2, w, c, size]) { b, i in
              let isFirst = i[3] < b.constant(1, .i64)
              let other = b.load(v[1].id, [i[2], i[0], i[1]], where: !isFirst)
              return b.select(isFirst, b.load(v[0].id, [i[0], i[1], i[2]], where: isFirst), other)
            },
            l.element([c, w, size]) { b, i in
              b.load(v[0].id, [b.constant(1, .i64), i[1], i[0]]) * b.load(v[2].id, [i[2]])
            },
          ]
        }
      }
      let (image, last) = (noise([2, w, c]), noise([c, 2, w], seed: 2))
      try check((image.type, image), (last.type, last), Dim(c), Dim(w))
      try check(symbolic(image, [nil, "w", nil]), symbolic(last, [nil, nil, "w"]), Dim(c), "w")
    }
  }

  @Test func failedChecks() throws {
    var l = Lowering(name: "test")
    let x = l.input(TensorType(.i64, [20]), named: "x")
    let error = l.error("index %0 is out of range")
    let y = try l.element([20]) { b, i in b.load(x.id, i).checked(below: b.constant(5, .i64), error: error) }
    l.output(y, named: "y")
    let program = try Scheduler.schedule(l.program, for: .x86_64_v4)
    var values = [Int](repeating: 4, count: 20)
    _ = try KernelInterpreter(program).run([.i64([20], values)])
    values[17] = 11
    let failure = #expect(throws: DiagnosticError.self) { try KernelInterpreter(program).run([.i64([20], values)]) }
    #expect(failure?.diagnostics.first?.message == "index 11 is out of range")
  }

  @Test(arguments: [-1, 2, 3, -2]) func steps(step: Int) throws {
    let n = 40
    let count = (n + abs(step) - 1) / abs(step)
    try checkSchedules(noise([3, n])) { l, v in
      [
        try l.element([3, Dim(count)]) { b, i in
          b.load(v[0].id, [i[0], i[1] * b.constant(step, .i64) + b.constant(step < 0 ? n - 1 : 0, .i64)])
        }
      ]
    }
  }

  @Test func narrowTypes() throws {
    for type in [ElementType.f16, .bf16, .i8, .u8, .i32, .f64, .bool, .i4, .u2] {
      try checkSchedules(noise([5, 9])) { l, v in
        let narrow = try l.element([5, 9]) { b, i in (b.load(v[0].id, i) * 3).cast(to: type) }
        return [try l.element([9, 5]) { b, i in b.load(narrow.id, [i[1], i[0]]).cast(to: .f32) + 1 }, narrow]
      }
    }
  }

  @Test func outputsThatAreInputs() throws {
    try checkSchedules(noise([5]), noise([2, 17])) { l, v in
      let c = l.constant(.f32([3], [1, 2, 3]))
      let y = try l.element([5]) { b, i in b.load(v[0].id, i) + 1 }
      let z = try l.element([5]) { b, i in b.load(y.id, i) * 2 }
      return [v[1], c, y, z, y]
    }
  }

  @Test func equalKernelsExistOnce() throws {
    var l = Lowering(name: "test")
    var x = l.input(TensorType(.f32, [8, 8]), named: "x")
    for _ in 0..<4 { x = try l.element([8, 8]) { b, i in b.load(x.id, i) * 2 } }
    l.output(x, named: "y")
    let program = try Scheduler.schedule(l.program, for: .x86_64_v4)
    #expect(program.kernels.count == 1)
    #expect(program.steps.count == 4)
  }
}
