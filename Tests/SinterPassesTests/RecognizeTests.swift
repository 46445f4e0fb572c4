import SinterCore
import SinterIR
import SinterOps
import SinterPasses
import TestSupport
import Testing

@Suite struct RecognizeTests {
  /// Writes formulas as exporters spell them.
  private struct Speller {
    var builder = GraphBuilder(name: "spelled")
    func number(_ value: Float) -> HostTensor { .f32([], [value]) }
    mutating func binary(_ kind: Binary.Kind, _ a: ValueID, _ b: ValueID) throws -> ValueID {
      try builder.add1(Binary(kind), [a, b])
    }
    mutating func binary(_ kind: Binary.Kind, _ a: ValueID, _ b: Float) throws -> ValueID {
      try binary(kind, a, builder.constant(number(b)))
    }
    mutating func unary(_ kind: Unary.Kind, _ x: ValueID) throws -> ValueID { try builder.add1(Unary(kind), [x]) }
    mutating func clip(_ x: ValueID, _ low: Float, _ high: Float) throws -> ValueID {
      try builder.add1(Clip(), [x, builder.constant(number(low)), builder.constant(number(high))])
    }
  }

  private struct Spelling: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var expected: any Operator
    var write: @Sendable (inout Speller, ValueID) throws -> ValueID
  }

  private static func swish(_ alpha: Double) -> Swish {
    var op = Swish()
    op.alpha = alpha
    return op
  }

  private static let spellings: [Spelling] = [
    Spelling(testDescription: "gelu as PyTorch writes it", expected: Gelu()) { s, x in
      let erf = try s.unary(.erf, try s.binary(.divide, x, Float(2).squareRoot()))
      return try s.binary(.multiply, try s.binary(.multiply, x, try s.binary(.add, erf, 1)), 0.5)
    },
    Spelling(testDescription: "gelu with the half first", expected: Gelu()) { s, x in
      let erf = try s.unary(.erf, try s.binary(.multiply, x, 0.70710677))
      return try s.binary(.multiply, try s.binary(.multiply, x, 0.5), try s.binary(.add, erf, 1))
    },
    Spelling(testDescription: "gelu by tanh with a power", expected: Gelu(.tanh)) { s, x in
      let cube = try s.binary(.multiply, try s.binary(.power, x, 3), 0.044715)
      let tanh = try s.unary(.tanh, try s.binary(.multiply, try s.binary(.add, x, cube), 0.7978846))
      return try s.binary(.multiply, try s.binary(.multiply, x, 0.5), try s.binary(.add, tanh, 1))
    },
    Spelling(testDescription: "gelu by tanh, factored", expected: Gelu(.tanh)) { s, x in
      let square = try s.binary(.multiply, try s.binary(.multiply, x, x), 0.044715)
      let inner = try s.binary(.multiply, try s.binary(.multiply, x, 0.7978846), try s.binary(.add, square, 1))
      return try s.binary(.multiply, x, try s.binary(.multiply, try s.binary(.add, try s.unary(.tanh, inner), 1), 0.5))
    },
    Spelling(testDescription: "SiLU", expected: swish(1)) { s, x in
      try s.binary(.multiply, x, try s.unary(.sigmoid, x))
    },
    Spelling(testDescription: "gelu by sigmoid", expected: swish(Double(Float(1.702)))) { s, x in
      try s.binary(.multiply, try s.unary(.sigmoid, try s.binary(.multiply, x, 1.702)), x)
    },
    Spelling(testDescription: "hardswish by clip", expected: Unary(.hardSwish)) { s, x in
      try s.binary(.divide, try s.binary(.multiply, x, try s.clip(try s.binary(.add, x, 3), 0, 6)), 6)
    },
    Spelling(testDescription: "mish", expected: Unary(.mish)) { s, x in
      try s.binary(.multiply, x, try s.unary(.tanh, try s.unary(.softplus, x)))
    },
  ]

  @Test(arguments: spellings) private func findsTheOperator(_ spelling: Spelling) throws {
    var speller = Speller()
    let x = speller.builder.input(Fact(.f32, ["n", 6]), named: "x")
    speller.builder.output(try spelling.write(&speller, x), named: "y")
    let graph = try expectSameMeaning(speller.builder.graph, after: [.recognize, .deadCode], sizes: [Symbol("n"): 3])
    #expect(graph.order.count == 1, "\(graph)")
    #expect(graph.order.last.map { graph.nodes[$0].op.isEqual(to: spelling.expected) } == true, "\(graph)")
  }

  /// Mean of the last axes.
  private static func mean(_ s: inout Speller, _ x: ValueID) throws -> ValueID {
    try s.builder.add1(Reduce(.mean), [x, s.builder.constant(.i64([1], [-1]))])
  }

  @Test(arguments: ["divide", "reciprocal", "power"]) func findsLayerNormalization(_ spelling: String) throws {
    var s = Speller()
    let x = s.builder.input(Fact(.f32, ["n", 3, 6]), named: "x")
    let d = try s.binary(.subtract, x, try Self.mean(&s, x))
    let variance = try s.binary(.add, try Self.mean(&s, try s.binary(.power, d, 2)), 1e-5)
    var y: ValueID
    switch spelling {
    case "divide": y = try s.binary(.divide, d, try s.unary(.sqrt, variance))
    case "reciprocal": y = try s.binary(.multiply, try s.unary(.reciprocal, try s.unary(.sqrt, variance)), d)
    default: y = try s.binary(.multiply, d, try s.binary(.power, variance, -0.5))
    }
    y = try s.binary(.multiply, y, s.builder.constant(.random([6], seed: 1)))
    y = try s.binary(.add, s.builder.constant(.random([6], seed: 2)), y)
    s.builder.output(y, named: "y")
    let graph = try expectSameMeaning(s.builder.graph, after: [.recognize, .deadCode], sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames == ["LayerNormalization"])
  }

  @Test func findsRMSNormalization() throws {
    var s = Speller()
    let x = s.builder.input(Fact(.f32, ["n", 6]), named: "x")
    let square = try s.binary(.add, try Self.mean(&s, try s.binary(.multiply, x, x)), 1e-6)
    let y = try s.binary(
      .multiply, x, try s.binary(.divide, s.builder.constant(s.number(1)), try s.unary(.sqrt, square)))
    s.builder.output(try s.binary(.multiply, s.builder.constant(.random([6], seed: 1)), y), named: "y")
    let graph = try expectSameMeaning(s.builder.graph, after: [.recognize, .deadCode], sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames == ["RMSNormalization"])
  }

  @Test func otherNumbersAreSomethingElse() throws {
    var speller = Speller()
    let x = speller.builder.input(Fact(.f32, [4, 6]), named: "x")
    let erf = try speller.unary(.erf, try speller.binary(.divide, x, 1.5))
    let product = try speller.binary(.multiply, x, try speller.binary(.add, erf, 1))
    speller.builder.output(try speller.binary(.multiply, product, 0.5), named: "y")
    let graph = try expectSameMeaning(speller.builder.graph, after: [.recognize, .deadCode])
    #expect(graph.order.count == 5)
  }

  /// Weights that few bits hold, as a file spells their product.
  struct FewBits: Sendable, CustomTestStringConvertible {
    var type: ElementType
    var axis: Int
    var blockSize: Int
    var hasZeroPoints: Bool
    var isTransposed: Bool
    var isGemm: Bool
    /// K, which need not be a number of blocks.
    var depth = 48
    var columns = 5
    var scale = ElementType.f32
    var testDescription: String {
      "\(type) \(depth)x\(columns), axis \(axis), blocks of \(blockSize), zero points \(hasZeroPoints), scales \(scale), transposed \(isTransposed), Gemm \(isGemm)"
    }
  }

  @Test(
    arguments: [ElementType.i4, .u4, .i2, .u2, .f4e2m1].flatMap { type in
      [
        FewBits(type: type, axis: 0, blockSize: 16, hasZeroPoints: false, isTransposed: false, isGemm: false),
        FewBits(type: type, axis: 0, blockSize: 32, hasZeroPoints: true, isTransposed: false, isGemm: true),
        FewBits(type: type, axis: -1, blockSize: 16, hasZeroPoints: true, isTransposed: true, isGemm: false, depth: 41),
        FewBits(type: type, axis: 1, blockSize: 32, hasZeroPoints: false, isTransposed: true, isGemm: true),
        FewBits(type: type, axis: 1, blockSize: 0, hasZeroPoints: true, isTransposed: false, isGemm: false),
        FewBits(type: type, axis: 0, blockSize: 0, hasZeroPoints: false, isTransposed: true, isGemm: true, depth: 7),
      ]
    }
      // Bytes with a scale per block, where they are many.
      + [ElementType.i8, .u8, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz].flatMap { type in
        [
          FewBits(
            type: type, axis: 0, blockSize: 32, hasZeroPoints: false, isTransposed: false, isGemm: false, depth: 512,
            columns: 40),
          FewBits(
            type: type, axis: 0, blockSize: 64, hasZeroPoints: true, isTransposed: false, isGemm: true, depth: 500,
            columns: 35),
          FewBits(
            type: type, axis: 1, blockSize: 32, hasZeroPoints: true, isTransposed: true, isGemm: false, depth: 512,
            columns: 33),
        ]
      }
      // Scales that are powers of two, as microscaling formats have them.
      + [ElementType.f4e2m1, .f8e5m2].map { type in
        FewBits(
          type: type, axis: 0, blockSize: 32, hasZeroPoints: false, isTransposed: false, isGemm: false, depth: 512,
          columns: 40, scale: .f8e8m0)
      }) func productsByWeightsOfFewBits(_ item: FewBits) throws
  {
    let (depth, columns) = (item.depth, item.columns)
    let shape = item.isTransposed ? [columns, depth] : [depth, columns]
    let axis = item.axis < 0 ? item.axis + 2 : item.axis
    var entries = shape
    if item.blockSize > 0 {
      entries[axis] = (shape[axis] + item.blockSize - 1) / item.blockSize
    } else {
      entries = [shape[axis]]
    }
    let range = item.type.isInteger ? item.type.integerRange : (lowerBound: 0, upperBound: 0)
    func integers(_ shape: [Int], _ step: Int) -> HostTensor {
      let count = shape.reduce(1, *)
      if !item.type.isInteger {
        // Zero points of floats are zero.
        let few = step == 31 ? [0] : [0, 0.5, -1, 1.5, 2, -3, 4, -6, -0.5, 1, 3, 6]
        return HostTensor(item.type, shape, doubles: (0..<count).map { few[$0 * step % few.count] })
      }
      let span = Int(range.upperBound - range.lowerBound) + 1
      return HostTensor(
        item.type, shape, integers: (0..<count).map { range.lowerBound + Int64($0 * step % 97 % span) })
    }
    var dequantize = DequantizeLinear()
    (dequantize.axis, dequantize.blockSize) = (item.axis, item.blockSize)
    let scale: HostTensor
    if item.scale == .f32 {
      scale = .random(entries, seed: 4)
    } else {
      dequantize.outputType = ElementType.f32.onnx
      scale = HostTensor(
        item.scale, entries, doubles: (0..<entries.reduce(1, *)).map { [0.25, 1, 0.5, 2, 0.125][$0 % 5] })
    }
    var builder = GraphBuilder(name: "few-bits")
    let x = builder.input(Fact(.f32, ["n", Dim(depth)]), named: "x")
    let zero = item.hasZeroPoints ? builder.constant(integers(entries, 31)) : nil
    var w = try builder.add1(
      dequantize,
      [builder.constant(integers(shape, 89)), builder.constant(scale), zero])
    if item.isGemm {
      var gemm = Gemm()
      gemm.transB = item.isTransposed
      builder.output(try builder.add1(gemm, [x, w, builder.constant(.random([columns], seed: 5))]), named: "y")
    } else {
      if item.isTransposed { w = try builder.add1(Transpose([1, 0]), [w]) }
      builder.output(try builder.add1(MatMul(), [x, w]), named: "y")
    }
    let graph = try expectSameMeaning(
      builder.graph, after: [.keepBytes, .recognize, .deadCode], sizes: [Symbol("n"): 3])
    let product =
      item.type.isFloat && item.type.bits == 8 ? ["Float8MatMul"] + (item.isGemm ? ["Binary"] : []) : ["MatMulNBits"]
    #expect(graph.operatorNames == product)
  }

  /// Bytes with one scale per column, and few bytes, are faster as floats, which constant folding makes of them.
  @Test(arguments: [(512, 40, 0), (64, 32, 32)]) func otherBytesStay(_ depth: Int, _ columns: Int, _ blockSize: Int)
    throws
  {
    var dequantize = DequantizeLinear()
    (dequantize.axis, dequantize.blockSize) = (blockSize > 0 ? 0 : 1, blockSize)
    var builder = GraphBuilder(name: "bytes")
    let x = builder.input(Fact(.f32, ["n", Dim(depth)]), named: "x")
    let bytes = (0..<(depth * columns)).map { Int64($0 * 7 % 251 - 125) }
    let w = builder.constant(HostTensor(.i8, [depth, columns], integers: bytes))
    let scale = builder.constant(.random(blockSize > 0 ? [depth / blockSize, columns] : [columns], seed: 3))
    builder.output(try builder.add1(MatMul(), [x, try builder.add1(dequantize, [w, scale])]), named: "y")
    let graph = try expectSameMeaning(
      builder.graph, after: [.keepBytes, .recognize, .deadCode], sizes: [Symbol("n"): 3])
    #expect(graph.operatorNames == ["DequantizeLinear", "MatMul"])
  }

  /// Blocks along the columns, or of another size, are no weights of a MatMulNBits.
  @Test(arguments: [(1, 16), (0, 3)]) func otherBlocksStay(_ axis: Int, _ blockSize: Int) throws {
    var dequantize = DequantizeLinear()
    (dequantize.axis, dequantize.blockSize) = (axis, blockSize)
    var builder = GraphBuilder(name: "few-bits")
    let x = builder.input(Fact(.f32, ["n", 48]), named: "x")
    let w = builder.constant(HostTensor(.i4, [48, 32], integers: (0..<1536).map { Int64($0 % 16 - 8) }))
    let scale = builder.constant(.random(axis == 1 ? [48, 2] : [16, 32], seed: 3))
    builder.output(try builder.add1(MatMul(), [x, try builder.add1(dequantize, [w, scale])]), named: "y")
    let graph = try expectSameMeaning(builder.graph, after: [.recognize, .deadCode], sizes: [Symbol("n"): 3])
    #expect(graph.operatorNames == ["DequantizeLinear", "MatMul"])
  }

  /// An epsilon of more axes gives the result more axes than a normalization has.
  @Test(arguments: [[], [1], [1, 1, 1], [2, 1, 1]]) func epsilonsOfMoreAxesStay(_ shape: [Int]) throws {
    for isCentered in [true, false] {
      var s = Speller()
      let x = s.builder.input(Fact(.f32, [3, 4]), named: "x")
      let axes = s.builder.constant(.i64([1], [-1]))
      func mean(_ value: ValueID) throws -> ValueID { try s.builder.add1(Reduce(.mean), [value, axes]) }
      let centered = isCentered ? try s.binary(.subtract, x, try mean(x)) : x
      let square = try mean(try s.binary(.multiply, centered, centered))
      let epsilon = s.builder.constant(.f32(shape, [Float](repeating: 1e-5, count: shape.reduce(1, *))))
      let root = try s.unary(.sqrt, try s.binary(.add, square, epsilon))
      s.builder.output(try s.binary(.divide, centered, root), named: "y")
      let graph = try expectSameMeaning(s.builder.graph, after: [.recognize, .deadCode])
      #expect(graph.operatorNames.contains { $0.hasSuffix("Normalization") } == (shape.count <= 2))
    }
  }
}
