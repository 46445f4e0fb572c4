import SinterCore
import SinterIR

/// A product of real numbers, quantized on the way, and of bytes that stand for real numbers. Inputs: a, b, the scale of b, its zero point (0), a
/// bias (0). Scales, zero points and the bias may have one element per column of b.
public struct DynamicQuantizeMatMul: Composite {
  public static let name = "DynamicQuantizeMatMul"
  public static let summary = "A product of floats and quantized weights, in bytes whose scale is found when it runs."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(DynamicQuantizeMatMul.self, domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let product = IntegerProduct(op: Self.name, inputs: inputs)
    let b = try inputs.value(1)
    _ = try builder.byteType(inputs, 1)
    let a = try builder.add(DynamicQuantizeLinear(), [try inputs.value(0)], outputs: 3)
    let sums = try product.sums(a[0], b, zeroA: a[2], zeroB: 3, into: &builder)
    return [try product.real(sums, scaleA: a[1], scaleB: 2, of: b, bias: 4, into: &builder)]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        DynamicQuantizeMatMul(),
        [
          .random(TensorType(.f32, ["n", 3]), -1...2), .random(TensorType(.i8, [3, 2]), -128...127),
          .constant(.f32([2], [0.01, 0.03])), .constant(HostTensor(.i8, [2], values: [Int8](arrayLiteral: 5, -9))),
          .random(TensorType(.f32, [2]), -1...1),
        ], sizes: [Symbol("n"): 4]),
      OperatorExample(
        DynamicQuantizeMatMul(),
        [
          .random(TensorType(.f32, ["b", "m", "k"]), -1...2), .random(TensorType(.u8, ["l", "n"]), 0...255),
          .random(TensorType(.f32, ["s"]), 0.01...0.03), .random(TensorType(.u8, ["z"]), 0...255),
        ],
        sizes: [
          Symbol("b"): 2, Symbol("m"): 4, Symbol("k"): 3, Symbol("l"): 3, Symbol("n"): 2, Symbol("s"): 2,
          Symbol("z"): 2,
        ]),
    ]
  }
}

/// A product of bytes that stand for real numbers. Inputs: a, b, their scales, their zero points (0), a bias (0). Those of b and the bias may
/// have one element per column of b.
public struct MatMulIntegerToFloat: Composite {
  public static let name = "MatMulIntegerToFloat"
  public static let summary = "A product of quantized matrices as floats."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(MatMulIntegerToFloat.self, domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let product = IntegerProduct(op: Self.name, inputs: inputs)
    let (a, b) = (try inputs.value(0), try inputs.value(1))
    _ = try builder.byteType(inputs, 1)
    let zero = try builder.number(Self.name, inputs, 4, "the zero point of a", try builder.byteType(inputs, 0))
    let scale = try builder.number(Self.name, inputs, 2, "the scale of a", .f32)
    let sums = try product.sums(a, b, zeroA: zero, zeroB: 5, into: &builder)
    return [try product.real(sums, scaleA: scale, scaleB: 3, of: b, bias: 6, into: &builder)]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        MatMulIntegerToFloat(),
        [
          .random(TensorType(.u8, ["n", 3]), 0...255), .random(TensorType(.i8, [3, 2]), -128...127),
          .constant(.f32([], [0.02])), .constant(.f32([2], [0.01, 0.03])),
          .constant(HostTensor(.u8, [], values: [UInt8(120)])),
          .constant(HostTensor(.i8, [2], values: [Int8](arrayLiteral: 5, -9))), .random(TensorType(.f32, [2]), -1...1),
        ], sizes: [Symbol("n"): 4])
    ]
  }
}
