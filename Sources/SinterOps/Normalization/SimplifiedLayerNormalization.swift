import SinterCore
import SinterIR

/// Rows divided by the root of their mean square, times a scale: what onnxruntime's optimizer writes for RMSNormalization. The second result is the
/// inverse root of each row's mean square, with the row's axes of size 1.
public struct SimplifiedLayerNormalization: Composite {
  public static let name = "SimplifiedLayerNormalization"
  public static let summary = "Divides rows by the root of their mean square, and gives its inverse."

  /// The rows, what is added to their mean square, and the type that it is computed in.
  public var norm = RMSNormalization()

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { norm.attributes(&list) }
  /// In ONNX's own domain, although ONNX has no such operator.
  public static var onnx: [OnnxRule] { [.direct(SimplifiedLayerNormalization.self)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let x = try inputs.value(0)
    let result = try builder.add1(norm, [x, try inputs.value(1)])
    if inputs.outputCount < 2 { return [result] }
    return [result, try Self.inverseRoot(of: x, norm, into: &builder)]
  }

  /// The inverse root of the mean square of each row, its axes of size 1, in `stash_type`.
  static func inverseRoot(
    of x: ValueID, _ norm: RMSNormalization, into builder: inout GraphBuilder
  ) throws -> ValueID {
    let type = try builder.type(x)
    let axes = Array(try normalizedAxis(norm.axis, rank: type.rank)..<type.rank)
    let wide = try builder.add1(Cast(to: norm.stashType), [x])
    let square = try builder.add1(Binary(.multiply), [wide, wide])
    let mean = try builder.add1(Reduce(.mean), [square, builder.integers(axes)])
    let sum = try builder.add1(Binary(.add), [mean, try builder.scalar(norm.epsilon, norm.stashType)])
    return try builder.add1(Unary(.reciprocal), [try builder.add1(Unary(.sqrt), [sum])])
  }

  public static var examples: [OperatorExample] {
    var rows = SimplifiedLayerNormalization()
    rows.norm.axis = 1
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    let sizes = [Symbol("n"): 3, Symbol("w"): 5]
    return [
      OperatorExample(
        SimplifiedLayerNormalization(), [floats(["n", 4, "w"]), floats(["w"])], outputs: 2, sizes: sizes),
      OperatorExample(rows, [floats(["n", 4, 6]), floats([4, 6])], outputs: 2, sizes: sizes),
    ]
  }
}
