import SinterCore
import SinterForms
import Testing

/// Builds a program with one output and runs it.
func run(
  _ inputs: [(TensorType, HostTensor)], _ build: (inout Lowering, [Operand]) throws -> Operand
) throws -> HostTensor {
  var lowering = Lowering(name: "test")
  var operands: [Operand] = []
  for (index, input) in inputs.enumerated() { operands.append(lowering.input(input.0, named: "x\(index)")) }
  lowering.output(try build(&lowering, operands), named: "y")
  return try FormInterpreter(lowering.program).run(inputs.map(\.1))[0]
}

/// The same where the types are those of the tensors.
func run(_ inputs: HostTensor..., build: (inout Lowering, [Operand]) throws -> Operand) throws -> HostTensor {
  try run(inputs.map { ($0.type, $0) }, build)
}

func iota(_ shape: [Int], from first: Float = 0) -> HostTensor {
  .f32(shape, (0..<shape.reduce(1, *)).map { first + Float($0) })
}

@Suite("Interpreter of forms")
struct FormInterpreterTests {
  @Test func transposesAcrossChunks() throws {
    let x = iota([37, 41])
    let y = try run(x) { l, v in try l.element([41, 37]) { b, i in b.load(v[0].id, [i[1], i[0]]) } }
    let expected = (0..<41).flatMap { i in (0..<37).map { j in Double(j * 41 + i) } }
    #expect(y.doubles == expected)
  }

  @Test func bindsSymbolsAndChecksThem() throws {
    let type = TensorType(.f32, ["n", Dim("n") * 2])
    let y = try run([(type, iota([2, 4]))]) { l, v in
      try l.element([Dim("n") * Dim("n")]) { b, i in b.size("n").cast(to: .f32) + i[0].cast(to: .f32) }
    }
    #expect(y.shape == [4])
    #expect(y.doubles == [2, 3, 4, 5])
    let error = #expect(throws: DiagnosticError.self) {
      try run([(type, iota([2, 5]))]) { _, v in v[0] }
    }
    #expect(error?.diagnostics.map(\.message) == ["input x0: axis 1 must be 2*n = 4, but is 5"])
  }

  @Test func guardedLoadsReadNothingOutside() throws {
    let y = try run(iota([3], from: 1)) { l, v in
      try l.element([6]) { b, i in
        let at = i[0] - b.constant(2, .i64)
        return b.load(
          v[0].id, [at], where: (at >= b.constant(0, .i64)) && (at < b.constant(3, .i64)), otherwise: .float(-1))
      }
    }
    #expect(y.doubles == [-1, -1, 1, 2, 3, -1])
  }

  @Test func loadsOutsideAreOurMistake() throws {
    let error = #expect(throws: DiagnosticError.self) {
      try run(iota([3])) { l, v in try l.element([4]) { b, i in b.load(v[0].id, [i[0]]) } }
    }
    #expect(error?.diagnostics[0].kind == .bug)
    #expect(error?.diagnostics[0].message == "element [3] of %0 is read, whose shape is [3]")
  }

  @Test func checksReportTheirText() throws {
    let error = #expect(throws: DiagnosticError.self) {
      try run(iota([3]), HostTensor.i64([2], [1, 7])) { l, v in
        let number = l.error("index %0 is not below %1")
        return try l.element([2]) { b, i in
          b.load(v[0].id, [b.load(v[1].id, i).checked(below: b.constant(3, .i64), error: number)])
        }
      }
    }
    #expect(error?.diagnostics[0].message == "index 7 is not below 3")
    #expect(error?.diagnostics[0].kind == .user)
  }

  @Test(arguments: [
    (Combine.sum, [3.0, 12]), (.product, [0, 60]), (.minimum, [0, 3]), (.maximum, [2, 5]),
    (.firstMinimumIndex, [0, 0]), (.lastMaximumIndex, [2, 2]),
  ])
  func reduces(combine: Combine, expected: [Double]) throws {
    let y = try run(iota([2, 3])) { l, v in
      try l.reduce(combine, [2], over: [3]) { b, o, i in b.load(v[0].id, o + i) }
    }
    #expect(y.doubles == expected)
  }

  @Test func reducesNothingToTheIdentity() throws {
    let y = try run(HostTensor.f32([2, 0], [])) { l, v in
      try l.reduce(.maximum, [2], over: [0]) { b, o, i in b.load(v[0].id, o + i) }
    }
    #expect(y.doubles == [-.infinity, -.infinity])
  }

  @Test func nanWinsExtrema() throws {
    let x = HostTensor.f32([4], [1, .nan, 3, .nan])
    for (combine, expected) in [
      (Combine.firstMinimumIndex, 1.0), (.lastMinimumIndex, 3), (.firstMaximumIndex, 1), (.lastMaximumIndex, 3),
    ] {
      let y = try run(x) { l, v in try l.reduce(combine, [], over: [4]) { b, _, i in b.load(v[0].id, i) } }
      #expect(y.doubles == [expected], "\(combine)")
    }
  }

  @Test func contractsBatches() throws {
    let y = try run(iota([2, 2, 3]), iota([3, 2])) { l, v in
      try l.contract(
        batch: [2], m: [2], n: [2], k: [3], accumulate: .f32,
        lhs: { b, batch, m, k in b.load(v[0].id, batch + m + k) }, rhs: { b, _, n, k in b.load(v[1].id, k + n) })
    }
    #expect(y.doubles == [10, 13, 28, 40, 46, 67, 64, 94])
    let z = try run(HostTensor(.i8, [1, 2], integers: [100, 100]), HostTensor(.u8, [2, 1], integers: [200, 200])) {
      l, v in
      try l.contract(
        batch: [], m: [1], n: [1], k: [2], accumulate: .i32,
        lhs: { b, _, m, k in b.load(v[0].id, m + k) }, rhs: { b, _, n, k in b.load(v[1].id, k + n) })
    }
    #expect(z.doubles == [40000])
  }

  @Test(arguments: [false, true])
  func convolvesWithGroupsStridesAndPads(channelsLast: Bool) throws {
    // One image of 4 channels, 5 by 4; 2 groups, 6 features, 3 by 2 taps, stride 2 by 1, pads 1 by 0, dilation 1 by 2.
    let x = iota([1, 4, 5, 4]).doubles!
    let w = iota([6, 2, 3, 2], from: -30).doubles!
    var expected = [Double](repeating: 0, count: 6 * 3 * 2)
    for f in 0..<6 {
      for h in 0..<3 {
        for v in 0..<2 {
          for c in 0..<2 {
            for p in 0..<3 {
              for q in 0..<2 where (0..<5).contains(h * 2 - 1 + p) {
                let source = ((f / 3 * 2 + c) * 5 + h * 2 - 1 + p) * 4 + v + 2 * q
                let target = channelsLast ? (h * 2 + v) * 6 + f : (f * 3 + h) * 2 + v
                expected[target] += x[source] * w[((f * 2 + c) * 3 + p) * 2 + q]
              }
            }
          }
        }
      }
    }
    let weight = HostTensor(.f32, [6, 2, 3, 2], doubles: w)
    let y = try run(iota([1, 4, 5, 4]), weight) { l, v in
      var input = v[0]
      if channelsLast {
        input = try l.element([1, 5, 4, 4]) { b, i in b.load(v[0].id, [i[0], i[3], i[1], i[2]]) }
      }
      return l.convolve(
        input, v[1], result: channelsLast ? [1, 3, 2, 6] : [1, 6, 3, 2], window: [3, 2], strides: [2, 1],
        dilations: [1, 2], padsBegin: [1, 0], groups: 2, channelsLast: channelsLast, accumulate: .f32)
    }
    #expect(y.doubles == expected)
  }

  @Test(arguments: [
    (false, false, [0.0, 1, 3, 3, 7, 12]), (true, false, [0, 0, 1, 0, 3, 7]), (false, true, [3, 3, 2, 12, 9, 5]),
    (true, true, [3, 2, 0, 9, 5, 0]),
  ])
  func scans(exclusive: Bool, reversed: Bool, expected: [Double]) throws {
    let y = try run(iota([2, 3])) { l, v in
      try l.scan(.sum, [2, 3], axis: 1, exclusive: exclusive, reversed: reversed) { b, i in b.load(v[0].id, i) }
    }
    #expect(y.doubles == expected)
  }

  @Test func scattersInOrder() throws {
    let indices = HostTensor.i64([4], [1, 5, 1, 0])
    for (combine, expected) in [(Combine?.none, [3.0, 2, 2]), (.sum, [3, 3, 2]), (.maximum, [3, 2, 2])] {
      let y = try run(iota([3]), indices) { l, v in
        try l.scatter(
          v[0].type, domain: [4], combine: combine, base: { b, i in b.load(v[0].id, i) },
          update: { b, i in ([b.load(v[1].id, i)], i[0].cast(to: .f32)) })
      }
      #expect(y.doubles == expected)
    }
  }

  @Test func sortsStablyWithNaNLargest() throws {
    let x = HostTensor.f32([5], [2, .nan, 1, 2, -1])
    for (descending, expected) in [(false, [4.0, 2, 0, 3, 1]), (true, [1, 0, 3, 2, 4])] {
      let y = try run(x) { l, v in
        try l.sort([5], axis: 0, count: 5, descending: descending) { b, i in b.load(v[0].id, i) }
      }
      #expect(y.doubles == expected)
    }
    let first = try run(iota([2, 4])) { l, v in
      try l.sort([2, 4], axis: 1, count: 2, descending: true) { b, i in b.load(v[0].id, i) }
    }
    #expect(first.doubles == [3, 2, 3, 2])
  }

  @Test(arguments: [false, true])
  func repeats(reversed: Bool) throws {
    let y = try run(iota([3, 2])) { l, v in
      let zero = try l.element([2]) { b, _ in b.constant(0.0, .f32) }
      let (_, collected) = try l.repetition(count: 3, carried: [zero], sliced: [v[0]], reversed: reversed) {
        l, current, slice in
        let next = try l.element([2]) { b, i in b.load(current[0].id, i) + b.load(slice[0].id, i) }
        return ([next], [next])
      }
      return collected[0]
    }
    #expect(y.doubles == (reversed ? [6, 9, 6, 8, 4, 5] : [0, 1, 2, 4, 6, 9]))
  }

  @Test func comparesText() throws {
    let a = HostTensor(strings: ["x", "y", "z"], shape: [3])
    let b = HostTensor(strings: ["x", "z", "z"], shape: [3])
    let equal = try run(a, b) { l, v in
      try l.element([3]) { b, i in b.load(v[0].id, i) .== b.load(v[1].id, i) }
    }
    #expect(equal.doubles == [1, 0, 1])
    let reversed = try run(a) { l, v in
      try l.element([3]) { b, i in b.load(v[0].id, [b.constant(2, .i64) - i[0]]) }
    }
    #expect(reversed.strings == ["z", "y", "x"])
  }

  @Test(arguments: [ElementType.i4, .u4, .i2, .u2, .i8, .u64, .bool])
  func integersSurviveCopying(type: ElementType) throws {
    let values = (0..<1030).map { type.wrapped(Int64($0 * 7 - 3)) }
    let x = HostTensor(type, [1030], integers: values)
    let y = try run(x) { l, v in try l.element([1030]) { b, i in b.load(v[0].id, [b.constant(1029, .i64) - i[0]]) } }
    #expect(y.int64s == values.reversed())
  }

  struct ArithmeticCase: Sendable {
    let function: BinaryFunction
    let type: ElementType
    let a, b, expected: Double
  }

  @Test(arguments: [
    ArithmeticCase(function: .add, type: .i8, a: 127, b: 1, expected: -128),
    ArithmeticCase(function: .subtract, type: .u16, a: 0, b: 1, expected: 65535),
    ArithmeticCase(function: .divide, type: .i32, a: -7, b: 2, expected: -3),
    ArithmeticCase(function: .divide, type: .i32, a: -7, b: 0, expected: 0),
    ArithmeticCase(function: .floorDivide, type: .i64, a: -7, b: 2, expected: -4),
    ArithmeticCase(function: .modulo, type: .i64, a: -7, b: 3, expected: 2),
    ArithmeticCase(function: .remainder, type: .i64, a: -7, b: 3, expected: -1),
    ArithmeticCase(function: .modulo, type: .f32, a: -7, b: 3, expected: 2),
    ArithmeticCase(function: .remainder, type: .f64, a: -7, b: 3, expected: -1),
    ArithmeticCase(function: .power, type: .i32, a: 3, b: 4, expected: 81),
    ArithmeticCase(function: .shiftLeft, type: .u8, a: 3, b: 7, expected: 128),
    ArithmeticCase(function: .shiftRight, type: .i8, a: -8, b: 1, expected: -4),
    ArithmeticCase(function: .shiftLeft, type: .u8, a: 3, b: 8, expected: 0),
    ArithmeticCase(function: .maximum, type: .f32, a: -1, b: 2, expected: 2),
    ArithmeticCase(function: .power, type: .f32, a: 2, b: 0.5, expected: Double(Float(2).squareRoot())),
  ])
  func computes(_ test: ArithmeticCase) throws {
    let y = try run(HostTensor(test.type, [], doubles: [test.a]), HostTensor(test.type, [], doubles: [test.b])) {
      l, v in
      try l.element([]) { b, _ in b.load(v[0].id, []).applying(test.function, b.load(v[1].id, [])) }
    }
    #expect(y.doubles == [test.expected], "\(test)")
  }
}
