import SinterCore
import SinterIR
import SinterOps
import SinterPasses
import TestSupport
import Testing

@Suite struct LayoutTests {
  private static let passes: [Pass] = [
    .foldIntoWeights, .identities, .channelsLast, .identities, .constantFolding, .deadCode,
  ]
  private static let sizes = [Symbol("n"): 2]

  private static func conv(
    _ builder: inout GraphBuilder, _ x: ValueID, _ shape: [Int], pads: [Int], seed: UInt64
  ) throws -> ValueID {
    let op = try Conv(attributeValues: ["pads": .ints(pads)])
    return try builder.add1(op, [x, builder.constant(.random(shape, seed: seed))])
  }

  private static func transposes(_ graph: Graph) -> Int { graph.operatorNames.count { $0 == "Transpose" } }

  @Test func aResidualBlockKeepsTransposesAtItsEdges() throws {
    var builder = GraphBuilder(name: "block")
    let x = builder.input(Fact(.f32, ["n", 3, 8, 8]), named: "x")
    let pads = [1, 1, 1, 1]
    var y = try Self.conv(&builder, x, [4, 3, 3, 3], pads: pads, seed: 1)
    y = try builder.add1(Unary(.relu), [y])
    y = try builder.add1(
      try MaxPool(attributeValues: ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]), [y])
    var z = try Self.conv(&builder, y, [4, 4, 3, 3], pads: pads, seed: 2)
    z = try builder.add1(Binary(.multiply), [z, builder.constant(.random([4, 1, 4], seed: 3))])
    z = try builder.add1(Clip(), [z, nil, builder.constant(.f32([], [0.5]))])
    z = try builder.add1(Binary(.add), [z, y])
    let pooled = try builder.add1(GlobalPool(), [z])
    let gate = try builder.add1(
      Unary(.sigmoid), [try Self.conv(&builder, pooled, [4, 4, 1, 1], pads: [0, 0, 0, 0], seed: 4)])
    z = try builder.add1(Binary(.multiply), [z, gate])
    z = try builder.add1(Concat(axis: 1), [z, y])
    let halves = try builder.add(Split(axis: 1), [z], outputs: 2)
    z = try builder.add1(Pad(), [halves[1], builder.constant(.i64([8], [0, 0, 1, 0, 0, 0, 0, 2]))])
    z = try builder.add1(
      Slice(),
      [z, builder.constant(.i64([1], [1])), builder.constant(.i64([1], [4])), builder.constant(.i64([1], [3]))])
    let features = try builder.add1(Flatten(), [try builder.add1(GlobalPool(), [z])])
    builder.output(
      try builder.add1(MatMul(), [features, builder.constant(.random([4, 5], seed: 6))]), named: "logits")
    let graph = try expectSameMeaning(builder.graph, after: Self.passes, sizes: Self.sizes)
    #expect(Self.transposes(graph) == 1, "\(graph)")
  }

  @Test(arguments: [[2, 3], [1], [-1], [0, 2], [1, 2]], [true, false])
  func reductionsAndSoftmaxFollow(_ axes: [Int], _ keepsAxes: Bool) throws {
    var builder = GraphBuilder(name: "reduce")
    let x = builder.input(Fact(.f32, ["n", 3, 6, 5]), named: "x")
    var y = try Self.conv(&builder, x, [4, 3, 3, 3], pads: [0, 0, 0, 0], seed: 1)
    y = try builder.add1(Softmax(.soft, axis: 1), [y])
    let sum = try builder.add1(Reduce(.sum, keepsAxes: keepsAxes), [y, builder.constant(.i64([axes.count], axes))])
    builder.output(try builder.add1(Unary(.exp), [sum]), named: "y")
    try expectSameMeaning(builder.graph, after: Self.passes, sizes: Self.sizes)
  }

  @Test func instanceNormalizationAndResizeFollow() throws {
    var builder = GraphBuilder(name: "style")
    let x = builder.input(Fact(.f32, ["n", 3, 6, 5]), named: "x")
    var y = try Self.conv(&builder, x, [4, 3, 3, 3], pads: [1, 1, 1, 1], seed: 1)
    y = try builder.add1(
      GroupNormalization(), [y, builder.constant(.random([4], seed: 2)), builder.constant(.random([4], seed: 3))])
    y = try builder.add1(Resize(), [y, nil, builder.constant(.f32([4], [1, 1, 2, 2]))])
    y = try builder.add1(Pad(.reflect), [y, builder.constant(.i64([8], [0, 0, 1, 1, 0, 0, 1, 1]))])
    builder.output(try Self.conv(&builder, y, [2, 4, 3, 3], pads: [0, 0, 0, 0], seed: 4), named: "y")
    let graph = try expectSameMeaning(builder.graph, after: Self.passes, sizes: Self.sizes)
    #expect(Self.transposes(graph) == 2)
  }

  @Test(arguments: [[Dim("n"), 3, 5], ["n", 3, 1], ["n", 1, 5]]) func threeAxesComeToAnEnd(_ shape: [Dim]) throws {
    var builder = GraphBuilder(name: "sequence")
    let x = builder.input(Fact(.f32, ["n", 2, 5]), named: "x")
    let y = try builder.add1(Conv(), [x, builder.constant(.random([3, 2, 1], seed: 1))])
    let other = builder.input(Fact(.f32, shape), named: "other")
    let sum = try builder.add1(Binary(.add), [y, other])
    let joined = try builder.add1(Concat(axis: 1), [sum, y, x])
    builder.output(try builder.add1(Conv(), [joined, builder.constant(.random([1, 8, 1], seed: 2))]), named: "y")
    try expectSameMeaning(builder.graph, after: Self.passes, sizes: Self.sizes)
  }

  @Test func patchesBecomeTokensWithoutMoving() throws {
    var builder = GraphBuilder(name: "patches")
    let x = builder.input(Fact(.f32, ["n", 3, 8, 8]), named: "x")
    let op = try Conv(attributeValues: ["strides": .ints([4, 4])])
    let y = try builder.add1(op, [x, builder.constant(.random([6, 3, 4, 4], seed: 1))])
    let rows = try builder.add1(Reshape(), [y, builder.constant(.i64([3], [0, 6, -1]))])
    builder.output(try builder.add1(Transpose([0, 2, 1]), [rows]), named: "tokens")
    let graph = try expectSameMeaning(builder.graph, after: Self.passes, sizes: Self.sizes)
    #expect(graph.operatorNames == ["Transpose", "Conv", "Reshape"])
  }

  @Test func whatNeedsTheWrittenOrderGetsIt() throws {
    var builder = GraphBuilder(name: "mixed")
    let x = builder.input(Fact(.f32, ["n", 4, 6, 6]), named: "x")
    let y = try Self.conv(&builder, x, [4, 4, 3, 3], pads: [1, 1, 1, 1], seed: 1)
    // The skip comes from outside, and the positions of the maxima count in the written order.
    let sum = try builder.add1(Binary(.add), [y, x])
    let pool = try MaxPool(attributeValues: ["kernel_shape": .ints([2, 2])])
    let pooled = try builder.add(pool, [y], outputs: 2)
    builder.output(sum, named: "sum")
    builder.output(pooled[0], named: "max")
    builder.output(pooled[1], named: "at")
    builder.output(try builder.add1(Reshape(), [y, builder.constant(.i64([3], [0, 2, -1]))]), named: "grouped")
    try expectSameMeaning(builder.graph, after: Self.passes, sizes: Self.sizes)
  }

  @Test(arguments: [3, 5]) func otherRanks(_ rank: Int) throws {
    var builder = GraphBuilder(name: "rank")
    let spatial = [Int](repeating: 5, count: rank - 2)
    let x = builder.input(Fact(.f32, ["n", 2] + spatial.map { Dim($0) }), named: "x")
    let weights = builder.constant(.random([3, 2] + spatial.map { _ in 2 }, seed: 1))
    let y = try builder.add1(Conv(), [x, weights])
    let parameters = (0..<4).map { _ in builder.constant(.f32([3], [1, 2, 3])) }
    let z = try builder.add1(Unary(.tanh), [try builder.add1(BatchNormalization(), [y] + parameters)])
    builder.output(
      try builder.add1(try AveragePool(attributeValues: ["kernel_shape": .ints(spatial.map { _ in 2 })]), [z]),
      named: "y")
    let graph = try expectSameMeaning(builder.graph, after: Self.passes, sizes: Self.sizes)
    #expect(Self.transposes(graph) == 2)
  }
}
