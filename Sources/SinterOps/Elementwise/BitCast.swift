import SinterCore
import SinterForms
import SinterIR

/// The same bits as elements of another type of the same width.
public struct BitCast: Primitive {
  public static let name = "BitCast"
  public static let summary = "The same bits as elements of another type."

  /// The element type of the result, as wide as the input's.
  public var to = ElementType.f32

  public init() {}
  /// The bits as elements of a type.
  public init(to type: ElementType) { to = type }

  public mutating func attributes(_ list: inout some AttributeList) { list.elementType("to", &to) }
  public static var onnx: [OnnxRule] { [.direct(BitCast.self, since: 26)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 26) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard x.element.bits == to.bits, x.element != .string, to != .string else {
      throw DiagnosticError(.user, "bitcast.width", "\(to) has \(to.bits) bits, but the input is \(x)")
    }
    return [Fact(to, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    return [try lowering.element(x.shape) { builder, index in builder.load(x.id, index).bitcast(to: to) }]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(BitCast(to: .i32), [.random(TensorType(.f32, ["n"]), -1...1)], sizes: [Symbol("n"): 4]),
      OperatorExample(
        BitCast(to: .f16), [.given(HostTensor(.u16, [2], values: [UInt16](arrayLiteral: 0x3c00, 0xc000)))]),
    ]
  }
}
