import SinterCore
import SinterIR

/// Bytes that stand for real numbers, one tensor after another, all with the result's scale and zero point. Inputs: the result's scale and
/// zero point, then for each tensor it, its scale and its zero point.
public struct QLinearConcat: Composite {
  public static let name = "QLinearConcat"
  public static let summary = "Quantized tensors one after another along an axis, with one scale."

  /// The axis, from the end where negative.
  public var axis = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.int("axis", &axis, default: 0) }
  public static var onnx: [OnnxRule] { [.direct(QLinearConcat.self, domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    guard inputs.count >= 5, inputs.count % 3 == 2 else {
      throw DiagnosticError(
        .user, "quantized.inputs",
        "inputs must be a scale, a zero point, and a tensor, its scale and its zero point each, but there are \(inputs.count)",
        hint: "export the model again")
    }
    let element = try builder.byteType(inputs, 1)
    let parts = try stride(from: 2, to: inputs.count, by: 3).map { place in
      let part = try builder.dequantized(
        Self.name, inputs, place, scale: place + 1, zero: place + 2, "tensor \(place / 3)")
      return try builder.quantized(part, Self.name, inputs, scale: 0, zero: 1, as: element)
    }
    return [try builder.add1(Concat(axis: axis), parts)]
  }

  public static var examples: [OperatorExample] {
    func scale(_ value: Float) -> OperatorExample.Input { .constant(.f32([], [value])) }
    func byte(_ value: UInt8) -> OperatorExample.Input { .constant(HostTensor(.u8, [], values: [value])) }
    func bytes(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.u8, shape), 0...255) }
    var op = QLinearConcat()
    op.axis = -1
    return [
      OperatorExample(
        op,
        [
          scale(0.031), byte(128), bytes(["n", 3]), scale(0.0123), byte(7), bytes(["n", "m"]), scale(0.031), byte(128),
        ], sizes: [Symbol("n"): 2, Symbol("m"): 4])
    ]
  }
}
