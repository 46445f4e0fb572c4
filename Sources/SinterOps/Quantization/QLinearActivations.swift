import SinterCore
import SinterIR

/// The logistic function of bytes that stand for real numbers. Inputs: x, its scale and zero point (0), the result's scale and zero point (0).
public struct QLinearSigmoid: Composite {
  public static let name = "QLinearSigmoid"
  public static let summary = "Sigmoid of a quantized tensor, quantized again."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(QLinearSigmoid.self, domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.quantizedFunction(Self.name, inputs) { try $0.add1(Unary(.sigmoid), [$1]) }
  }

  public static var examples: [OperatorExample] {
    [OperatorExample(QLinearSigmoid(), quantizedExample(result: 0.0041), sizes: [Symbol("n"): 3])]
  }
}

/// x where it is not negative, else alpha · x, of bytes that stand for real numbers. Inputs as those of `QLinearSigmoid`.
public struct QLinearLeakyRelu: Composite {
  public static let name = "QLinearLeakyRelu"
  public static let summary = "LeakyRelu of a quantized tensor, quantized again."

  /// The slope for negative numbers.
  public var alpha = 0.01

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.float("alpha", &alpha, default: 0.01) }
  public static var onnx: [OnnxRule] { [.direct(QLinearLeakyRelu.self, domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    var leaky = LeakyRelu()
    leaky.alpha = alpha
    return try builder.quantizedFunction(Self.name, inputs) { [leaky] in try $0.add1(leaky, [$1]) }
  }

  public static var examples: [OperatorExample] {
    var op = QLinearLeakyRelu()
    op.alpha = 0.3
    return [OperatorExample(op, quantizedExample(result: 0.0171), sizes: [Symbol("n"): 3])]
  }
}

/// Softmax of bytes that stand for real numbers. Inputs as those of `QLinearSigmoid`.
public struct QLinearSoftmax: Composite {
  public static let name = "QLinearSoftmax"
  public static let summary = "Softmax of a quantized tensor, quantized again."

  /// The axis, from the end where negative.
  public var axis = -1
  /// The opset of the Softmax that is meant: before 13 all axes from `axis` on are one row.
  public var opset = 13

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: -1)
    list.int("opset", &opset, default: 13)
  }
  public static var onnx: [OnnxRule] { [.direct(QLinearSoftmax.self, domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.quantizedFunction(Self.name, inputs) { builder, x in
      let rank = try builder.type(x).rank
      let axis = try normalizedAxis(axis, rank: max(rank, 1))
      if opset >= 13 || axis == rank - 1 { return try builder.add1(Softmax(.soft, axis: axis), [x]) }
      var flatten = Flatten()
      flatten.axis = axis
      let rows = try builder.add1(Softmax(.soft), [try builder.add1(flatten, [x])])
      return try builder.add1(Reshape(allowZero: true), [rows, try builder.add1(Shape(), [x])])
    }
  }

  public static var examples: [OperatorExample] {
    var rows = QLinearSoftmax()
    rows.axis = 0
    rows.opset = 12
    return [QLinearSoftmax(), rows].map {
      OperatorExample($0, quantizedExample(result: 0.0041), sizes: [Symbol("n"): 3])
    }
  }
}

extension Composite {
  /// Inputs of an example: 5 bytes for each of n places, and what they stand for.
  fileprivate static func quantizedExample(result: Float) -> [OperatorExample.Input] {
    [
      .random(TensorType(.u8, ["n", 5]), 0...255), .constant(.f32([], [0.0123])),
      .constant(HostTensor(.u8, [], values: [UInt8(101)])), .constant(.f32([1], [result])), .absent,
    ]
  }
}

extension GraphBuilder {
  /// A function of real numbers, for bytes: inputs are x, its scale and zero point, the result's scale and zero point.
  fileprivate mutating func quantizedFunction(
    _ op: String, _ inputs: NodeInputs, _ function: (inout GraphBuilder, ValueID) throws -> ValueID
  ) throws -> [ValueID] {
    let x = try dequantized(op, inputs, 0, scale: 1, zero: 2, "x")
    return [try quantized(try function(&self, x), op, inputs, scale: 3, zero: 4, as: try byteType(inputs, 0))]
  }
}
