import SinterCore
import SinterForms
import SinterIR

/// Signed bytes as unsigned ones, each 128 greater, or unsigned bytes as signed ones, each 128 less: the same bytes with their top bit flipped.
public struct FlipTopBit: Primitive {
  public static let name = "FlipTopBit"
  public static let summary = "Signed bytes as unsigned ones, 128 greater, and the other way round."

  public init() {}

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0 == .u8 || $0 == .i8 }
    return [Fact(x.element == .u8 ? .i8 : .u8, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let result: ElementType = x.element == .u8 ? .i8 : .u8
    return [
      try lowering.element(x.shape) { builder, index in
        (builder.load(x.id, index).cast(to: .i32) + builder.constant(result == .u8 ? 128 : -128, .i32)).cast(to: result)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let sizes = [Symbol("n"): 4]
    return [
      OperatorExample(FlipTopBit(), [.random(TensorType(.u8, ["n", 3]), 0...255)], sizes: sizes),
      OperatorExample(FlipTopBit(), [.random(TensorType(.i8, ["n", 3]), -128...127)], sizes: sizes),
    ]
  }
}
