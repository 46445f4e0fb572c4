import SinterCore
import SinterIR
import SinterOps
import SinterPasses
import TestSupport
import Testing

@Suite struct FoldTests {
  private static func conv(_ builder: inout GraphBuilder, bias: Bool) throws -> ValueID {
    let x = builder.input(Fact(.f32, ["n", 3, 6, 5]), named: "x")
    let w = builder.constant(.random([4, 3, 3, 2], seed: 2))
    return try builder.add1(Conv(), [x, w] + (bias ? [builder.constant(.random([4], seed: 3))] : []))
  }

  private static func positive(_ count: Int, seed: UInt64) -> HostTensor {
    .f32([count], HostTensor.random([count], seed: seed).array(of: Float.self).map { abs($0) + 0.5 })
  }

  @Test(arguments: [false, true]) func batchNormalizationGoesIntoTheConvolution(bias: Bool) throws {
    var builder = GraphBuilder(name: "conv-bn")
    let y = try Self.conv(&builder, bias: bias)
    let parameters = (0..<4).map { builder.constant(Self.positive(4, seed: UInt64($0))) }
    builder.output(try builder.add1(BatchNormalization(), [y] + parameters), named: "y")
    let graph = try expectSameMeaning(builder.graph, after: [.foldIntoWeights, .deadCode], sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames == ["Conv"])
  }

  @Test(arguments: [false, true]) func batchNormalizationAloneGoesIntoTheConvolution(bias: Bool) throws {
    var builder = GraphBuilder(name: "conv-bn")
    builder.origin = [Origin(node: "conv")]
    let y = try Self.conv(&builder, bias: bias)
    builder.origin = [Origin(node: "norm")]
    let parameters = (0..<4).map { builder.constant(Self.positive(4, seed: UInt64($0))) }
    let z = try builder.add1(BatchNormalization(), [y] + parameters)
    // Behind what is no convolution it stays, and so does a scale.
    let active = try builder.add1(Unary(.relu), [z])
    let normalized = try builder.add1(BatchNormalization(), [active] + parameters)
    builder.output(try builder.add1(Binary(.multiply), [normalized, builder.constant(.f32([], [3]))]), named: "y")
    let graph = try expectSameMeaning(builder.graph, after: Pipelines.prepareQuantization, sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames == ["Conv", "Unary", "BatchNormalization", "Binary"])
    #expect(graph.nodes[graph.order[0]].origin.map(\.node) == ["conv", "norm"], "named after the convolution")
  }

  @Test func batchNormalizationOfWhatOthersUseStays() throws {
    var builder = GraphBuilder(name: "conv-bn")
    let y = try Self.conv(&builder, bias: true)
    let parameters = (0..<4).map { builder.constant(Self.positive(4, seed: UInt64($0))) }
    builder.output(try builder.add1(BatchNormalization(), [y] + parameters), named: "y")
    builder.output(y, named: "z")
    let graph = try expectSameMeaning(builder.graph, after: [.foldNormalization], sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames == ["Conv", "BatchNormalization"])
  }

  @Test func batchNormalizationGoesIntoTheTransposedConvolution() throws {
    var builder = GraphBuilder(name: "deconv-bn")
    let x = builder.input(Fact(.f32, ["n", 3, 4, 4]), named: "x")
    let y = try builder.add1(ConvTranspose(), [x, builder.constant(.random([3, 4, 2, 2], seed: 1))])
    let parameters = (0..<4).map { builder.constant(Self.positive(4, seed: UInt64($0))) }
    builder.output(try builder.add1(BatchNormalization(), [y] + parameters), named: "y")
    let graph = try expectSameMeaning(builder.graph, after: [.foldIntoWeights, .deadCode], sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames == ["ConvTranspose"])
  }

  @Test func batchNormalizationAloneBecomesScaleAndShift() throws {
    var builder = GraphBuilder(name: "bn")
    let x = builder.input(Fact(.f32, ["n", 4, 5]), named: "x")
    let parameters = (0..<4).map { builder.constant(Self.positive(4, seed: UInt64($0))) }
    builder.output(try builder.add1(BatchNormalization(), [x] + parameters), named: "y")
    let graph = try expectSameMeaning(builder.graph, after: [.foldIntoWeights, .deadCode], sizes: [Symbol("n"): 3])
    #expect(graph.operatorNames == ["Binary", "Binary"])
  }

  @Test(arguments: [Binary.Kind.multiply, .divide, .add, .subtract], [[4, 1, 1], [], [1, 4, 1, 1]])
  func constantsAChannelGoIntoTheConvolution(_ kind: Binary.Kind, _ shape: [Int]) throws {
    for isFirst in [true, false] {
      var builder = GraphBuilder(name: "conv-scale")
      let y = try Self.conv(&builder, bias: true)
      let c = builder.constant(Self.positive(shape.reduce(1, *), seed: 5).reshaped(shape))
      builder.output(try builder.add1(Binary(kind), isFirst ? [y, c] : [c, y]), named: "y")
      let graph = try expectSameMeaning(builder.graph, after: [.foldIntoWeights, .deadCode], sizes: [Symbol("n"): 2])
      let isFolded = isFirst || kind == .add || kind == .multiply
      #expect(graph.operatorNames == (isFolded ? ["Conv"] : ["Conv", "Binary"]))
    }
  }

  @Test func constantsOfOtherShapesStay() throws {
    var builder = GraphBuilder(name: "conv-row")
    let y = try Self.conv(&builder, bias: false)
    builder.output(try builder.add1(Binary(.multiply), [y, builder.constant(.random([4], seed: 5))]), named: "y")
    let graph = try expectSameMeaning(builder.graph, after: [.foldIntoWeights, .deadCode], sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames == ["Conv", "Binary"])
  }

  @Test func aResultThatOthersUseKeepsItsConvolution() throws {
    var builder = GraphBuilder(name: "shared")
    let y = try Self.conv(&builder, bias: false)
    builder.output(try builder.add1(Binary(.multiply), [y, builder.constant(.f32([], [2]))]), named: "y")
    builder.output(y, named: "z")
    let graph = try expectSameMeaning(builder.graph, after: [.foldIntoWeights, .deadCode], sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames == ["Conv", "Binary"])
  }

  @Test func scalesGoIntoTheProduct() throws {
    var builder = GraphBuilder(name: "matmul")
    let x = builder.input(Fact(.f32, ["n", 3]), named: "x")
    let y = try builder.add1(MatMul(), [x, builder.constant(.random([3, 5], seed: 1))])
    builder.output(try builder.add1(Binary(.multiply), [builder.constant(.f32([], [0.25])), y]), named: "y")
    let graph = try expectSameMeaning(builder.graph, after: [.foldIntoWeights, .deadCode], sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames == ["MatMul"])
  }

  @Test func nodesOverConstantsAreComputedUnlessTheyGrow() throws {
    var builder = GraphBuilder(name: "constants")
    let a = builder.constant(.random([2, 3], seed: 1))
    let b = try builder.add1(Unary(.exp), [a])
    builder.output(try builder.add1(Binary(.add), [b, builder.input(Fact(.f32, [3]), named: "x")]), named: "y")
    let wide = builder.constant(.random([300, 1], seed: 1))
    let tall = builder.constant(.random([1, 300], seed: 1))
    builder.output(try builder.add1(Binary(.add), [wide, tall]), named: "z")
    let graph = try expectSameMeaning(builder.graph, after: [.constantFolding, .deadCode])
    #expect(graph.operatorNames == ["Binary", "Binary"])
  }

  @Test func nothingOfWhatChangesNothingStays() throws {
    var builder = GraphBuilder(name: "nothing")
    let x = builder.input(Fact(.f32, ["n", 3]), named: "x")
    let zero = builder.constant(.f32([3], [0, 0, 0]))
    let one = builder.constant(.f32([], [1]))
    var y = try builder.add1(Binary(.add), [zero, x])
    y = try builder.add1(Binary(.multiply), [y, one])
    y = try builder.add1(Binary(.divide), [y, one])
    y = try builder.add1(Identity(), [y])
    y = try builder.add1(Where(), [builder.input(Fact(.bool, ["n", 1]), named: "c"), y, y])
    y = try builder.add1(Unary(.negate), [try builder.add1(Unary(.negate), [y])])
    y = try builder.add1(Cast(to: .f32), [try builder.add1(Cast(to: .f64), [y])])
    y = try builder.add(Dropout(), [y], outputs: 2)[0]
    y = try builder.add1(Unary(.relu), [try builder.add1(Unary(.relu), [y])])
    builder.output(y, named: "y")
    // Broadcasting is a change.
    builder.output(try builder.add1(Binary(.add), [x, builder.constant(.f32([2, 1, 1], [0, 0]))]), named: "z")
    let graph = try expectSameMeaning(builder.graph, after: [.identities, .deadCode], sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames == ["Unary", "Binary"])
  }

  @Test(arguments: [
    (HostTensor.i64([], [1]), ["Slice", "Squeeze"]), (.i64([], [-1]), ["Slice", "Squeeze"]),
    (.i64([2], [0, 2]), ["Slice"]),
    (.i64([2], [2, 0]), ["Gather"]), (.i64([1, 1], [1]), ["Gather"]),
  ])
  func gathersOfRangesAreSlices(_ indices: HostTensor, _ expected: [String]) throws {
    var builder = GraphBuilder(name: "gather")
    let x = builder.input(Fact(.f32, ["n", 3, 2]), named: "x")
    builder.output(try builder.add1(Gather(axis: 1), [x, builder.constant(indices)]), named: "y")
    let graph = try expectSameMeaning(builder.graph, after: [.identities, .deadCode], sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames == expected)
  }

  /// A small result of small constants is left to the run where what is computed on the way would fill the memory.
  @Test func whatNeedsAllMemoryIsNotFolded() throws {
    var builder = GraphBuilder(name: "products")
    var sum = Einsum()
    sum.equation = "i,j->"
    let ones = [builder.constant(.ones(1 << 17)), builder.constant(.ones((1 << 17) + 1))]
    builder.output(try builder.add1(sum, ones), named: "y")
    var graph = builder.graph
    var manager = PassManager(flags: Flags())
    try manager.run([.constantFolding], on: &graph)
    #expect(graph.operatorNames == ["Einsum"])
  }

  /// Bytes may become floats, which are four times as large; what is packed tighter would be eight times as large.
  @Test(arguments: [(ElementType.i8, true), (.u8, true), (.i4, false), (.u2, false)])
  func weightsOfFewBitsStayPacked(_ type: ElementType, _ isFolded: Bool) throws {
    var builder = GraphBuilder(name: "few-bits")
    let least: Int64 = type.kind == .signed ? -2 : 0
    let numbers: [Int64] = (0..<20480).map { Int64($0 % 4) + least }
    let w = builder.constant(HostTensor(type, [128, 160], integers: numbers))
    let x = builder.input(Fact(.f32, ["n", 160]), named: "x")
    let real = try builder.add1(DequantizeLinear(), [w, builder.constant(.f32([], [0.5]))])
    builder.output(try builder.add1(Gather(), [real, builder.constant(.i64([1], [3]))]), named: "z")
    let (zero, one) = (builder.constant(.i64([1], [0])), builder.constant(.i64([1], [1])))
    builder.output(
      try builder.add1(Binary(.add), [x, try builder.add1(Slice(), [real, zero, one, zero])]), named: "y")
    let graph = try expectSameMeaning(builder.graph, after: [.constantFolding, .deadCode], sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames.contains("DequantizeLinear") != isFolded)
  }

  /// What is exported keeps its weights as they are stored: other tools know a quantized layer by what dequantizes them.
  @Test(arguments: [ElementType.i8, .u8, .i32, .f8e4m3fn, .i4]) func exportKeepsWhatDequantizes(_ type: ElementType)
    throws
  {
    var builder = GraphBuilder(name: "quantized")
    let x = builder.input(Fact(.f32, ["n", 3]), named: "x")
    let w = builder.constant(HostTensor(type, [3, 4], doubles: (0..<12).map { Double($0 % 4) }))
    let scale = builder.constant(.f32([], [0.5]))
    let doubled = try builder.add1(Binary(.add), [scale, scale])
    builder.output(
      try builder.add1(MatMul(), [x, try builder.add1(DequantizeLinear(), [w, doubled])]), named: "y")
    let graph = try expectSameMeaning(builder.graph, after: Pipelines.simplify, sizes: [Symbol("n"): 2])
    #expect(graph.operatorNames == ["DequantizeLinear", "MatMul"])
  }

  /// What other tools read must not hold 0 and -1 side by side where a size may be zero: ONNX refuses that of an empty batch.
  @Test(arguments: [false, true]) func shapesForOthersServeEmptyBatches(isWide: Bool) throws {
    var builder = GraphBuilder(name: "shapes")
    let x = builder.input(Fact(.f32, ["n", isWide ? 6 : "c", "m"]), named: "x")
    let sizes = try builder.add1(Shape(), [x])
    func size(_ axis: Int) throws -> ValueID {
      try builder.add1(Gather(axis: 0), [sizes, builder.constant(.i64([1], [axis]))])
    }
    let rest = try builder.add1(Binary(.multiply), [try size(1), try size(2)])
    var parts = [try size(0), rest]
    if isWide {
      parts[1] = try builder.add1(Binary(.divide), [rest, builder.constant(.i64([1], [2]))])
      parts.insert(builder.constant(.i64([1], [2])), at: 1)
    }
    let shape = try builder.add1(Concat(axis: 0), parts)
    builder.output(try builder.add1(Reshape(), [x, shape]), named: "y")
    for batch in [0, 3] {
      let graph = try expectSameMeaning(
        builder.graph, after: Pipelines.simplify, sizes: [Symbol("n"): batch, Symbol("c"): 2, Symbol("m"): 4])
      for id in graph.order {
        let inputs = graph.inputs(of: id)
        if graph.nodes[id].op is Reshape, let entries = inputs.integers(1) {
          #expect(!(entries.contains(0) && entries.contains(-1)), "\(graph)")
        }
      }
    }
  }
}

extension HostTensor {
  fileprivate static func ones(_ count: Int) -> HostTensor { .f32([count], Array(repeating: 1, count: count)) }
}
