import SinterCore
import SinterForms
import SinterIR

/// Floats as bytes, with the scale and zero point that make the most of the range from the least to the greatest element and zero. Results:
/// the bytes, the scale, the zero point.
public struct DynamicQuantizeLinear: Primitive {
  public static let name = "DynamicQuantizeLinear"
  public static let summary = "Floats as bytes, with scale and zero point chosen from their range."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(DynamicQuantizeLinear.self, since: 11)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0 == .f32 }
    return [Fact(.u8, x.shape), Fact(.f32, []), Fact(.u8, [])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let quantized = try Self.quantize(try node.input(0), into: &lowering)
    return [quantized.bytes, quantized.scale, quantized.zero]
  }

  /// What the results are, and the scale and zero point as tensors of no axes.
  ///
  /// - Parameter counts: which elements count for the range, all where it is nil. Others are bytes within it all the same.
  static func quantize(
    _ x: Operand, counting counts: ((BodyBuilder, [Expr]) -> Expr)? = nil, into lowering: inout Lowering
  ) throws -> (bytes: Operand, scale: Operand, zero: Operand) {
    func zero(_ builder: BodyBuilder) -> Expr { builder.constant(0, .f32) }
    let least = try lowering.reduce(.minimum, [], over: x.shape) { builder, _, inner in
      builder.load(x.id, inner, where: counts?(builder, inner))
    }
    let greatest = try lowering.reduce(.maximum, [], over: x.shape) { builder, _, inner in
      builder.load(x.id, inner, where: counts?(builder, inner))
    }
    let scale = try lowering.element([]) { builder, _ in
      // Zeros alone, or nothing, are held by any scale.
      let range =
        builder.load(greatest.id, []).maximum(zero(builder)) - builder.load(least.id, []).minimum(zero(builder))
      return builder.select(range > 0, range / 255, builder.constant(1, .f32))
    }
    let offset = try lowering.element([]) { builder, _ in
      let low = builder.load(least.id, []).minimum(zero(builder))
      let exact = -low / builder.load(scale.id, [])
      return exact.clamped(zero(builder), builder.constant(255, .f32)).unary(.round).cast(to: .u8)
    }
    let result = try lowering.element(x.shape) { builder, index in
      Quantization.rounded(
        builder.load(x.id, index) / builder.load(scale.id, []), plus: builder.load(offset.id, []), to: .u8)
    }
    return (result, scale, offset)
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        DynamicQuantizeLinear(), [.random(TensorType(.f32, ["n", 4]), -2...3)], outputs: 3, sizes: [Symbol("n"): 3])
    ]
  }
}
