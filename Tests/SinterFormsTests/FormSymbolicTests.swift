import SinterCore
import SinterForms
import Testing

@Suite("Contents that are sizes")
struct FormSymbolicTests {
  private func run(
    _ inputs: [(TensorType, FormSymbolicInterpreter.Contents)], ranges: [Symbol: ClosedRange<Int>] = [:],
    _ build: (inout Lowering, [Operand]) throws -> Operand
  ) throws -> [Dim]? {
    var lowering = Lowering(name: "test")
    for (symbol, range) in ranges { lowering.setRange(range, of: symbol) }
    let operands = inputs.enumerated().map { lowering.input($1.0, named: "x\($0)") }
    lowering.output(try build(&lowering, operands), named: "y")
    guard let scalars = FormSymbolicInterpreter.run(lowering.program, inputs.map(\.1))[0] else { return nil }
    let dims = scalars.compactMap(\.dim)
    return dims.count == scalars.count ? dims : nil
  }

  /// Where(Equal(shape, -1), other, shape), as exporters of Expand write it.
  @Test func whereEqualMinusOne() throws {
    let result = try run([
      (TensorType(.i64, [3]), .sizes(["batch", -1, 7])), (TensorType(.i64, [3]), .sizes(["x", "y", "z"])),
    ]) { l, v in
      try l.element([3]) { b, i in
        let shape = b.load(v[0].id, i)
        return b.select(shape .== b.constant(-1, .i64), b.load(v[1].id, i), shape)
      }
    }
    #expect(result == ["batch", "y", 7])
  }

  /// What a size decides is a size as well.
  @Test func choicesBySizesAreSizes() throws {
    let one: (inout Lowering, [Operand]) throws -> Operand = { l, v in
      try l.element([1]) { b, i in
        let size = b.load(v[0].id, i)
        return b.select(size .== b.constant(1, .i64), b.constant(5, .i64), size)
      }
    }
    let type = TensorType(.i64, [1])
    let open = try #require(try run([(type, .sizes(["s"]))], one)?.first)
    for size in 0...4 { #expect(open.evaluated { _ in size } == (size == 1 ? 5 : size)) }
    #expect(try run([(type, .sizes(["s"]))], ranges: [Symbol("s"): 2...9], one) == ["s"])
    #expect(try run([(type, .unknown)], one) == nil)
  }

  /// An f64 does not tell integers apart from 2^53 on.
  @Test func largeIntegersAreCompared() throws {
    let type = TensorType(.i64, [2])
    let contents: [Dim] = [Dim((1 << 60) - 1), Dim(.max)], less: [Dim] = [Dim((1 << 60) - 2), Dim(.max - 1)]
    let comparisons: [(compare: (Expr, Expr) -> Expr, expected: Dim)] = [
      ({ $0 .== $1 }, 0), ({ $0 .!= $1 }, 1), ({ $0 > $1 }, 1), ({ $0 <= $1 }, 0),
    ]
    for (compare, expected) in comparisons {
      let result = try run([(type, .sizes(contents)), (type, .sizes(less))]) { l, v in
        try l.element([2]) { b, i in
          b.select(compare(b.load(v[0].id, i), b.load(v[1].id, i)), b.constant(1, .i64), b.constant(0, .i64))
        }
      }
      #expect(result == [expected, expected])
    }
    let greatest = try run([(type, .sizes([Dim(.max - 1), Dim(.max)]))]) { l, v in
      try l.reduce(.firstMaximumIndex, [], over: [2]) { b, _, inner in b.load(v[0].id, inner) }
    }
    #expect(greatest == [1])
    // 2^60 + 2^36 + 1 lies just above the middle of two f32; an f64 is the middle.
    let single = try run([(TensorType(.i64, [1]), .sizes([Dim((1 << 60) + (1 << 36) + 1)]))]) { l, v in
      try l.element([1]) { b, i in b.load(v[0].id, i).cast(to: .f32).cast(to: .i64) }
    }
    #expect(single == [Dim((1 << 60) + (1 << 37))])
  }

  /// What a u64 holds beyond the greatest i64 is no size.
  @Test func wrappedNumbersAreNotSizes() throws {
    let type = TensorType(.u64, [1])
    func isLess(_ a: Dim, _ b: Dim) throws -> [Dim]? {
      try run([(type, .sizes([a])), (type, .sizes([b]))]) { l, v in
        try l.element([1]) { b, i in
          b.select(b.load(v[0].id, i) < b.load(v[1].id, i), b.constant(1, .i64), b.constant(0, .i64))
        }
      }
    }
    #expect(try isLess(1, 2) == [1])
    #expect(try isLess(Dim(.min), 1) == nil)
    let difference = try run([(type, .sizes(["n"])), (type, .sizes(["m"]))]) { l, v in
      try l.element([1]) { b, i in b.load(v[0].id, i) - b.load(v[1].id, i) }
    }
    #expect(difference == nil)
  }

  @Test func sizesThroughFloats() throws {
    // Floor(Cast(h) * 0.5), as exporters of Upsample write it.
    let result = try run([(TensorType(.i64, [1]), .sizes(["h"])), (TensorType(.f32, [1]), .tensor(.f32([1], [0.5])))]) {
      l, v in
      try l.element([1]) { b, i in
        (b.load(v[0].id, i).cast(to: .f32) * b.load(v[1].id, i)).unary(.floor).cast(to: .i64)
      }
    }
    #expect(result == [Dim("h") / 2])
  }

  /// Factors that are no simple fractions: the product is rounded to 32 bits before it is rounded down.
  @Test func sizesThroughProductsOfFloats() throws {
    for (function, sign) in [(UnaryFunction.floor, 1), (.ceil, -1), (.truncate, 1)] {
      let result = try run([
        (TensorType(.i64, [1]), .sizes(["h"])), (TensorType(.f32, [1]), .tensor(.f32([1], [9 / 7]))),
      ]) { l, v in
        try l.element([1]) { b, i in
          (b.load(v[0].id, i).cast(to: .f32) * b.load(v[1].id, i)).unary(function).cast(to: .i64)
        }
      }
      #expect(result == [Dim.scaled(Dim("h") * Dim(sign), by: 9 / 7) * Dim(sign)])
    }
    // What is not rounded is no size.
    let open = try run([
      (TensorType(.i64, [1]), .sizes(["h"])), (TensorType(.f32, [1]), .tensor(.f32([1], [9 / 7]))),
    ]) { l, v in
      try l.element([1]) { b, i in b.load(v[0].id, i).cast(to: .f32) * b.load(v[1].id, i) }
    }
    #expect(open == nil)
  }

  @Test func truthsMagnitudesAndShiftsAreSizes() throws {
    func each(_ build: @escaping (BodyBuilder, Expr) -> Expr, _ expected: (Int) -> Int) throws {
      let result = try run([(TensorType(.i64, [1]), .sizes(["s"]))]) { l, v in
        try l.element([1]) { b, i in build(b, b.load(v[0].id, i)) }
      }
      let size = try #require(result?.first)
      for number in 0...9 { #expect(size.evaluated { _ in number } == expected(number), "\(size) at \(number)") }
    }
    func four(_ b: BodyBuilder) -> Expr { b.constant(4, .i64) }
    try each({ ($1 - four($0)).unary(.abs) }, { abs($0 - 4) })
    try each({ $1.applying(.shiftRight, $0.constant(2, .i64)) }, { $0 >> 2 })
    try each({ $1.applying(.shiftLeft, $0.constant(2, .i64)) }, { $0 << 2 })
    try each({ (four($0) - $1).modulo(four($0)) }, { ((4 - $0) % 4 + 4) % 4 })
    try each({ $0.constant(-1, .i64).modulo($1) }, { $0 == 0 ? 0 : $0 - 1 })
    try each({ $0.select($1 < four($0), $1 * 2, four($0)) }, { $0 < 4 ? $0 * 2 : 4 })
    try each(
      { $0.select(($1 >= four($0)) && !($1 .== $0.constant(6, .i64)), $1, four($0)) }, { $0 >= 4 && $0 != 6 ? $0 : 4 })
  }

  @Test func productsAndConcatenations() throws {
    let count = try run([(TensorType(.i64, [3]), .sizes(["n", "h", 4]))]) { l, v in
      try l.reduce(.product, [], over: [3]) { b, _, i in b.load(v[0].id, i) }
    }
    #expect(count == [Dim("n") * Dim("h") * 4])
    let joined = try run([(TensorType(.i64, [2]), .sizes(["n", "h"])), (TensorType(.i64, [1]), .sizes([-1]))]) { l, v in
      try l.element([3]) { b, i in
        let isFirst = i[0] < b.constant(2, .i64)
        return b.select(
          isFirst, b.load(v[0].id, i, where: isFirst), b.load(v[1].id, [i[0] - b.constant(2, .i64)], where: !isFirst))
      }
    }
    #expect(joined == ["n", "h", -1])
  }

  @Test func integerDivisionOfWhatIsNotNegative() throws {
    let result = try run([(TensorType(.i64, []), .sizes([Dim("h") + 1]))]) { l, v in
      try l.element([]) { b, _ in b.load(v[0].id, []) / b.constant(2, .i64) }
    }
    #expect(result == [(Dim("h") + 1) / 2])
  }
}
