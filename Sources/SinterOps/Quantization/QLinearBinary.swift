import SinterCore
import SinterForms
import SinterIR

/// A sum or a product of bytes that stand for real numbers, as bytes again, with broadcasting. Inputs: a, its scale and zero point (0), b, its
/// scale and zero point (0), the result's scale and zero point (0).
///
/// The zero point of the result is added before rounding, half to even, as onnxruntime does.
public struct QLinearBinary: Primitive, Elementwise {
  public static let name = "QLinearBinary"
  public static let summary = "Sum or product of quantized tensors, quantized again."

  /// Which function of the two numbers that bytes stand for.
  public enum Kind: String, CaseIterable, Sendable {
    case add, multiply
    var onnxName: String { self == .add ? "QLinearAdd" : "QLinearMul" }
  }

  /// Which function it is.
  public var kind = Kind.add

  public init() {}
  /// A sum or a product.
  public init(_ kind: Kind) { self.kind = kind }

  public mutating func attributes(_ list: inout some AttributeList) { list.choice("kind", &kind, default: .add) }

  public static var onnx: [OnnxRule] {
    Kind.allCases.map { kind in
      .direct(QLinearBinary.self, as: kind.onnxName, domain: .microsoft) { op, _ in op.kind = kind }
    }
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(kind.onnxName, domain: .microsoft)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (a, b) = (try inputs.tensor(0), try inputs.tensor(3))
    try requireElement(a) { $0 == .u8 || $0 == .i8 }
    guard a.element == b.element else {
      throw DiagnosticError(
        .user, "quantized.type", "operands must have one element type, but are \(a) and \(b)",
        hint: "quantize both to the same type")
    }
    for (index, name) in [(1, "the scale of a"), (4, "the scale of b"), (6, "the result's scale")] {
      try inputs.requireNumber(index, name, .f32, requiring: &obligations)
      _ = try inputs.tensor(index)
    }
    for (index, name) in [(2, "the zero point of a"), (5, "the zero point of b"), (7, "the result's zero point")] {
      try inputs.requireNumber(index, name, a.element, requiring: &obligations)
    }
    return [Fact(a.element, try obligations.broadcast(a.shape, b.shape))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (a, b) = (try node.input(0), try node.input(3))
    let type = try node.output()
    return [
      try lowering.element(type.shape) { builder, index in
        func scalar(_ index: Int) throws -> Expr {
          try builder.number(node, index)?.cast(to: .f32) ?? builder.constant(0, .f32)
        }
        let (x, y) = (
          builder.load(a, at: index, of: type.shape).cast(to: .f32),
          builder.load(b, at: index, of: type.shape).cast(to: .f32)
        )
        let (result, offset) = (try scalar(6), try scalar(7))
        switch kind {
        case .add:
          let (p, q) = (try scalar(1) / result, try scalar(4) / result)
          let fixed = offset - (p * (try scalar(2)) + q * (try scalar(5)))
          return Quantization.fitted(x * p + (y * q + fixed), to: type.element)
        case .multiply:
          let factor = try scalar(1) * (try scalar(4)) / result
          return Quantization.fitted((x - (try scalar(2))) * (y - (try scalar(5))) * factor + offset, to: type.element)
        }
      }
    ]
  }

  public static var examples: [OperatorExample] {
    func scale(_ value: Float) -> OperatorExample.Input { .constant(.f32([], [value])) }
    func byte(_ value: UInt8) -> OperatorExample.Input { .constant(HostTensor(.u8, [1], values: [value])) }
    func bytes(_ shape: [Dim], _ type: ElementType = .u8) -> OperatorExample.Input {
      .random(TensorType(type, shape), type == .u8 ? 0...255 : -128...127)
    }
    return Kind.allCases.flatMap { kind in
      [
        OperatorExample(
          QLinearBinary(kind),
          [
            bytes(["n", 5]), scale(0.0123), byte(120), bytes(["n", 1]), scale(0.0457), byte(131), scale(0.0789),
            byte(127),
          ], sizes: [Symbol("n"): 3]),
        OperatorExample(
          QLinearBinary(kind),
          [
            bytes(["a", "b"], .i8), scale(0.0123), .absent, bytes(["c", "d"], .i8), scale(0.0457), .absent,
            scale(0.0789),
          ], sizes: [Symbol("a"): 2, Symbol("b"): 4, Symbol("c"): 1, Symbol("d"): 4]),
      ]
    }
  }
}
