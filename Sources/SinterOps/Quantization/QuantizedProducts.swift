import SinterCore
import SinterIR
import SinterKernel

/// A product of matrices of bytes in 32-bit integers, zero points taken off first. Inputs: a, b, zero point of a (0), of b (0).
public struct MatMulInteger: Composite {
  public static let name = "MatMulInteger"
  public static let summary = "A matrix product of bytes in 32-bit integers."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(MatMulInteger.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 10) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    // A vector of zero points belongs to the rows of a and to the columns of b.
    let a = try builder.centered(inputs, 0, zero: 2, behind: 1)
    let b = try builder.centered(inputs, 1, zero: 3, behind: 0)
    return [try builder.add1(MatMul(), [a, b])]
  }

  public static var examples: [OperatorExample] {
    func bytes(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.u8, shape), 0...255) }
    return [
      OperatorExample(MatMulInteger(), [bytes(["n", 3]), bytes([3, 2])], sizes: [Symbol("n"): 4]),
      OperatorExample(
        MatMulInteger(),
        [bytes([4, 3]), bytes([3, 2]), .constant(HostTensor(.u8, [], values: [UInt8(12)])), bytes([2])]),
    ]
  }
}

/// A product of quantized matrices, quantized again. Inputs: a, its scale and zero point, b, its scale and zero point, the result's scale and
/// zero point.
public struct QLinearMatMul: Composite {
  public static let name = "QLinearMatMul"
  public static let summary = "A matrix product of quantized matrices, quantized again."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(QLinearMatMul.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 10) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let a = try builder.centered(inputs, 0, zero: 2, behind: 1)
    let b = try builder.centered(inputs, 3, zero: 5, behind: 0)
    let product = try builder.add1(MatMul(), [a, b])
    return [try builder.requantized(product, inputs, scales: (1, 4), channelAxis: -1)]
  }

  public static var examples: [OperatorExample] {
    func bytes(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.u8, shape), 0...255) }
    func byte(_ value: UInt8) -> OperatorExample.Input { .constant(HostTensor(.u8, [], values: [value])) }
    func scale(_ value: Float) -> OperatorExample.Input { .constant(.f32([], [value])) }
    return [
      OperatorExample(
        QLinearMatMul(),
        [bytes(["n", 3]), scale(0.01), byte(120), bytes([3, 2]), scale(0.02), byte(99), scale(0.05), byte(128)],
        sizes: [Symbol("n"): 4])
    ]
  }
}

/// A convolution of bytes in 32-bit integers, zero points taken off first. Inputs: x, w, zero point of x (0), of w (0).
public struct ConvInteger: Composite {
  public static let name = "ConvInteger"
  public static let summary = "A convolution of bytes in 32-bit integers."

  var conv = Conv()

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    conv.window.attributes(&list)
    list.int("group", &conv.group, default: 1)
  }

  public static var onnx: [OnnxRule] { [.direct(ConvInteger.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 10) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let rank = try inputs.tensor(1).rank
    let x = try builder.centered(inputs, 0, zero: 2, behind: 0)
    let w = try builder.centered(inputs, 1, zero: 3, behind: rank - 1)
    return [try builder.add1(conv, [x, w])]
  }

  public static var examples: [OperatorExample] {
    var op = ConvInteger()
    op.conv.window.pads = [1, 1, 1, 1]
    return [
      OperatorExample(
        op,
        [
          .random(TensorType(.u8, ["n", 2, 4, 4]), 0...255), .random(TensorType(.u8, [3, 2, 3, 3]), 0...255),
          .constant(HostTensor(.u8, [], values: [UInt8(12)])),
        ], sizes: [Symbol("n"): 2])
    ]
  }
}

/// A convolution of quantized tensors, quantized again. Inputs: x, its scale and zero point, w, its scale and zero point, the result's scale
/// and zero point, the bias in 32-bit integers.
public struct QLinearConv: Composite {
  public static let name = "QLinearConv"
  public static let summary = "A convolution of quantized tensors, quantized again."

  var conv = Conv()

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    conv.window.attributes(&list)
    list.int("group", &conv.group, default: 1)
  }

  public static var onnx: [OnnxRule] { [.direct(QLinearConv.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 10) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let rank = try inputs.tensor(3).rank
    let x = try builder.centered(inputs, 0, zero: 2, behind: 0)
    let w = try builder.centered(inputs, 3, zero: 5, behind: rank - 1)
    let sum = try builder.add1(conv, [x, w] + (inputs.has(8) ? [inputs.id(8)] : []))
    return [try builder.requantized(sum, inputs, scales: (1, 4), channelAxis: 1)]
  }

  public static var examples: [OperatorExample] {
    func byte(_ value: UInt8) -> OperatorExample.Input { .constant(HostTensor(.u8, [], values: [value])) }
    func scale(_ value: Float) -> OperatorExample.Input { .constant(.f32([], [value])) }
    return [
      OperatorExample(
        QLinearConv(),
        [
          .random(TensorType(.u8, ["n", 2, 4, 4]), 0...255), scale(0.01), byte(120),
          .random(TensorType(.u8, [3, 2, 3, 3]), 0...255), .constant(.f32([3], [0.01, 0.02, 0.03])), byte(99), scale(0.2),
          byte(128), .random(TensorType(.i32, [3]), -999...999),
        ], sizes: [Symbol("n"): 2])
    ]
  }
}

extension GraphBuilder {
  /// A quantized input in 32-bit integers without its zero point. A vector of zero points gets `behind` axes of size 1 behind its own.
  fileprivate mutating func centered(_ inputs: NodeInputs, _ index: Int, zero: Int, behind: Int) throws -> ValueID {
    let value = try add1(Cast(to: .i32), [try inputs.value(index)])
    guard let offset = inputs.id(zero) else { return value }
    var wide = try add1(Cast(to: .i32), [offset])
    if try inputs.tensor(zero).rank == 1, behind > 0, try inputs.tensor(zero).count != 1 {
      wide = try add1(Unsqueeze(), [wide, integers(Array(1...behind))])
    }
    return try add1(Binary(.subtract), [value, wide])
  }

  /// Sums in 32-bit integers quantized to inputs 6 (scale) and 7 (zero point). A vector of scales of the second factor lies along
  /// `channelAxis` of the result.
  fileprivate mutating func requantized(
    _ sum: ValueID, _ inputs: NodeInputs, scales: (Int, Int), channelAxis: Int
  ) throws -> ValueID {
    let rank = try type(sum).rank
    let exact = try add1(Cast(to: .f32), [sum])
    let first = try add1(Cast(to: .f32), [try inputs.value(scales.0)])
    var second = try add1(Cast(to: .f32), [try inputs.value(scales.1)])
    if channelAxis >= 0, try inputs.tensor(scales.1).rank == 1 {
      second = try alignLeft(second, at: channelAxis, rank: rank)
    }
    let scale = try add1(Binary(.multiply), [first, second])
    let real = try add1(Binary(.multiply), [exact, scale])
    let target = try add1(Cast(to: .f32), [try inputs.value(6)])
    return try add1(QuantizeLinear(), [real, target, inputs.id(7)])
  }
}
