import SinterCore
import SinterIR
import SinterOps
import SinterPasses
import TestSupport
import Testing

/// Products between DequantizeLinear and QuantizeLinear take bytes. Scales are powers of two, so that all of it is exact, and results must be
/// the same to the last bit.
@Suite struct KeepBytesTests {
  private static let sizes = [Symbol("n"): 2]

  private static func byte(_ builder: inout GraphBuilder, _ value: UInt8) -> ValueID {
    builder.constant(HostTensor(.u8, [], values: [value]))
  }

  /// Quantized and dequantized again.
  private static func rounded(
    _ builder: inout GraphBuilder, _ x: ValueID, scale: Float, zero: UInt8
  ) throws -> ValueID {
    let parameters = [builder.constant(.f32([], [scale])), byte(&builder, zero)]
    return try builder.add1(DequantizeLinear(), [try builder.add1(QuantizeLinear(), [x] + parameters)] + parameters)
  }

  private static func weights(_ builder: inout GraphBuilder, _ shape: [Int], axis: Int, seed: Int) throws -> ValueID {
    let values = (0..<shape.reduce(1, *)).map { Int8(truncatingIfNeeded: $0 * 71 + seed * 13) }
    let scales = (0..<shape[axis]).map { Float(1) / Float(256 << ($0 % 3)) }
    let zeros = HostTensor(.i8, [shape[axis]], values: [Int8](repeating: 0, count: shape[axis]))
    var op = DequantizeLinear()
    op.axis = axis
    return try builder.add1(
      op,
      [
        builder.constant(HostTensor(.i8, shape, values: values)), builder.constant(.f32([shape[axis]], scales)),
        builder.constant(zeros),
      ])
  }

  /// A bias in 32 bits whose scales are those of `weights` times `scale`.
  private static func bias(_ builder: inout GraphBuilder, _ count: Int, scale: Float) throws -> ValueID {
    let values = (0..<count).map { Int32($0 * 137 - 400) }
    let scales = (0..<count).map { scale / Float(256 << ($0 % 3)) }
    var op = DequantizeLinear()
    op.axis = 0
    return try builder.add1(
      op, [builder.constant(HostTensor(.i32, [count], values: values)), builder.constant(.f32([count], scales))])
  }

  private static func expectBytes(_ graph: Graph, _ expected: [String: Int]) throws {
    let optimized = try expectSameMeaning(graph, after: Pipelines.optimize, sizes: sizes, tolerance: 0)
    for (name, count) in expected {
      #expect(optimized.operatorNames.count { $0 == name } == count, "\(name):\n\(optimized)")
    }
    for name in ["Conv", "MatMul", "Gemm"] { #expect(!optimized.operatorNames.contains(name), "\(optimized)") }
  }

  @Test(arguments: ["none", "relu", "clip"], [true, false])
  func aNetworkOfConvolutions(_ activation: String, _ hasBias: Bool) throws {
    var builder = GraphBuilder(name: "net")
    let x = builder.input(Fact(.f32, ["n", 3, 9, 8]), named: "x")
    func conv(_ x: ValueID, _ shape: [Int], scale: Float, group: Int = 1) throws -> ValueID {
      let op = try Conv(attributeValues: ["pads": .ints([1, 1, 1, 1]), "group": .int(group)])
      let w = try Self.weights(&builder, shape, axis: 0, seed: shape[0])
      return try builder.add1(op, [x, w] + (hasBias ? [try Self.bias(&builder, shape[0], scale: scale)] : []))
    }
    func active(_ x: ValueID) throws -> ValueID {
      switch activation {
      case "relu": try builder.add1(Unary(.relu), [x])
      case "clip": try builder.add1(Clip(), [x, builder.constant(.f32([], [0])), builder.constant(.f32([], [6]))])
      default: x
      }
    }
    var y = try Self.rounded(&builder, x, scale: 1 / 64, zero: 120)
    y = try Self.rounded(&builder, try active(try conv(y, [8, 3, 3, 3], scale: 1 / 64)), scale: 1 / 32, zero: 9)
    y = try builder.add1(
      try MaxPool(attributeValues: ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]), [y])
    y = try Self.rounded(&builder, y, scale: 1 / 32, zero: 9)
    let before = y
    y = try Self.rounded(
      &builder, try active(try conv(y, [8, 1, 3, 3], scale: 1 / 32, group: 8)), scale: 1 / 16, zero: 0)
    y = try Self.rounded(&builder, try conv(y, [8, 8, 3, 3], scale: 1 / 16), scale: 1 / 8, zero: 100)
    y = try Self.rounded(
      &builder, try builder.add1(Unary(.relu), [try builder.add1(Binary(.add), [y, before])]), scale: 1 / 8, zero: 0)
    builder.output(y, named: "y")
    try Self.expectBytes(builder.graph, ["ByteConv": 3, "Requantize": 3])
  }

  @Test(arguments: [true, false]) func fullyConnected(_ transposes: Bool) throws {
    var builder = GraphBuilder(name: "mlp")
    let x = builder.input(Fact(.f32, ["n", 2, 6]), named: "x")
    var y = try Self.rounded(&builder, x, scale: 1 / 64, zero: 130)
    y = try builder.add1(Flatten(), [y])
    let gemm = try Gemm(attributeValues: ["transB": .bool(transposes)])
    let w = try Self.weights(&builder, transposes ? [10, 12] : [12, 10], axis: transposes ? 0 : 1, seed: 5)
    y = try builder.add1(gemm, [y, w, try Self.bias(&builder, 10, scale: 1 / 64)])
    y = try Self.rounded(&builder, y, scale: 1 / 16, zero: 128)
    let product = try builder.add1(MatMul(), [y, try Self.weights(&builder, [10, 7], axis: 1, seed: 2)])
    builder.output(try builder.add1(Unary(.tanh), [product]), named: "y")
    // Nothing quantizes the last product: its sums become floats.
    try Self.expectBytes(builder.graph, ["ByteMatMul": 2, "Requantize": 1])
  }

  /// Elements that only move stay bytes; equal scales go through a concatenation, others do not.
  @Test(arguments: [Float(1) / 32, Float(1) / 16]) func movedBytes(_ other: Float) throws {
    var builder = GraphBuilder(name: "moved")
    let x = builder.input(Fact(.f32, ["n", 4]), named: "x")
    let a = try builder.add1(Transpose([1, 0]), [try Self.rounded(&builder, x, scale: 1 / 32, zero: 7)])
    let b = try builder.add1(
      Transpose([1, 0]), [try Self.rounded(&builder, try builder.add1(Unary(.negate), [x]), scale: other, zero: 7)])
    let y = try builder.add1(Concat(axis: 0), [a, b])
    builder.output(try Self.rounded(&builder, y, scale: 1 / 32, zero: 7), named: "y")
    let optimized = try expectSameMeaning(builder.graph, after: Pipelines.optimize, sizes: Self.sizes, tolerance: 0)
    #expect(optimized.operatorNames.count { $0 == "QuantizeLinear" } == (other == 1 / 32 ? 2 : 3), "\(optimized)")
    #expect(optimized.operatorNames.count { $0 == "DequantizeLinear" } == (other == 1 / 32 ? 1 : 3), "\(optimized)")
  }

  /// Sums and products between DequantizeLinear and QuantizeLinear take bytes with scales that were divided ahead of time. Halves are rounded
  /// to even before the zero point is added, which is odd here.
  @Test(arguments: [Binary.Kind.add, .multiply], [true, false])
  func sumsAndProducts(_ kind: Binary.Kind, _ isActive: Bool) throws {
    var builder = GraphBuilder(name: "pair")
    let a = builder.input(Fact(.f32, ["n", 97]), named: "a")
    let b = builder.input(Fact(.f32, [97]), named: "b")
    let factors = [
      try Self.rounded(&builder, a, scale: 1 / 32, zero: 7), try Self.rounded(&builder, b, scale: 1 / 16, zero: 130),
    ]
    let real = try builder.add1(Binary(kind), factors)
    let y = isActive ? try builder.add1(Unary(.relu), [real]) : real
    builder.output(try Self.rounded(&builder, y, scale: 1 / 8, zero: 9), named: "y")
    let optimized = try expectSameMeaning(builder.graph, after: Pipelines.optimize, sizes: Self.sizes, tolerance: 0)
    #expect(optimized.operatorNames.count { $0 == "QuantizeLinear" } == 3, "\(optimized)")
    #expect(optimized.operatorNames.count { $0 == "DequantizeLinear" } == 1, "\(optimized)")
  }

  /// A function is scaled by the inverse of its result's scale, where a division would take longer than all else.
  @Test(arguments: [Unary.Kind.sigmoid, .tanh]) func functions(_ kind: Unary.Kind) throws {
    var builder = GraphBuilder(name: "function")
    let x = builder.input(Fact(.f32, ["n", 50]), named: "x")
    let y = try builder.add1(Unary(kind), [try Self.rounded(&builder, x, scale: 1 / 32, zero: 90)])
    builder.output(try Self.rounded(&builder, y, scale: 1 / 256, zero: 3), named: "y")
    let optimized = try expectSameMeaning(builder.graph, after: Pipelines.optimize, sizes: Self.sizes, tolerance: 0)
    #expect(optimized.operatorNames.count { $0 == "Binary" } == 1, "\(optimized)")
  }

  /// What onnxruntime's quantizer writes as operators of its own works on channels last from end to end, as pairs do.
  @Test func operatorsOfBytesKeepChannelsLast() throws {
    var builder = GraphBuilder(name: "operators")
    let real = builder.input(Fact(.f32, ["n", 3, 6, 5]), named: "x")
    let x = try builder.add1(
      QuantizeLinear(), [real, builder.constant(.f32([], [1 / 64])), Self.byte(&builder, 120)])
    func scale(_ value: Float) -> ValueID { builder.constant(.f32([], [value])) }
    func conv(_ x: ValueID, _ channels: Int, scale from: Float, to: Float) throws -> ValueID {
      let values = (0..<(8 * channels)).map { Int8(truncatingIfNeeded: $0 * 53 + 7) }
      return try builder.add1(
        QLinearConv(),
        [
          x, scale(from), Self.byte(&builder, 120),
          builder.constant(HostTensor(.i8, [8, channels, 1, 1], values: values)),
          scale(1 / 256), builder.constant(HostTensor(.i8, [], values: [Int8(0)])), scale(to), Self.byte(&builder, 120),
        ])
    }
    let first = try conv(x, 3, scale: 1 / 64, to: 1 / 32)
    let second = try conv(first, 8, scale: 1 / 32, to: 1 / 32)
    let zero = Self.byte(&builder, 120)
    let sum = try builder.add1(
      QLinearBinary(.add), [first, scale(1 / 32), zero, second, scale(1 / 32), zero, scale(1 / 16), zero])
    let mean = try builder.add1(
      QLinearGlobalAveragePool(), [sum, scale(1 / 16), zero, scale(1 / 32), Self.byte(&builder, 99)])
    builder.output(mean, named: "y")
    let optimized = try expectSameMeaning(builder.graph, after: Pipelines.optimize, sizes: Self.sizes, tolerance: 0)
    // One for the input; that of the mean, one pixel, is a Reshape or a second one.
    #expect(optimized.operatorNames.count { $0 == "Transpose" } <= 2, "\(optimized)")
    #expect(optimized.operatorNames.count { $0 == "ByteConv" } == 2, "\(optimized)")
  }

  /// Weights that are computed, and sides of blocks of scales, stay floats.
  @Test func whatIsNotServedStays() throws {
    var builder = GraphBuilder(name: "computed")
    let x = builder.input(Fact(.f32, ["n", 4]), named: "x")
    let a = try Self.rounded(&builder, x, scale: 1 / 32, zero: 7)
    let b = try builder.add1(Transpose([1, 0]), [a])
    builder.output(try builder.add1(MatMul(), [a, b]), named: "y")
    let optimized = try expectSameMeaning(builder.graph, after: Pipelines.optimize, sizes: Self.sizes, tolerance: 0)
    #expect(optimized.operatorNames.contains("MatMul"))
  }
}
