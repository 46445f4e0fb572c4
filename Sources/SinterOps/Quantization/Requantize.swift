import SinterCore
import SinterForms
import SinterIR

/// 32-bit sums as bytes: round(x · multiplier) + zero point, held within the zero point's type. Halves are rounded to even. The multiplier
/// (f32) broadcasts to x; the zero point is one number. Inputs: x, multiplier, zero point.
public struct Requantize: Primitive {
  public static let name = "Requantize"
  public static let summary = "32-bit sums as bytes: round(x·multiplier) + zero point."

  public init() {}

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, multiplier, zero) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    try requireElement(x) { $0 == .i32 }
    try requireElement(multiplier) { $0 == .f32 }
    guard zero.rank <= 1 else {
      throw DiagnosticError(.user, "quantized.shape", "the zero point must be one number, but is \(zero)")
    }
    if zero.rank == 1 { try obligations.equal(zero.shape[0], 1, "number of entries of the zero point and 1") }
    return [Fact(zero.element, try obligations.broadcast(x.shape, multiplier.shape))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, multiplier, zero) = (try node.input(0), try node.input(1), try node.input(2))
    let result = try node.output()
    return [
      try lowering.element(result.shape) { builder, index in
        func load(_ operand: Operand) -> Expr {
          builder.load(operand.id, Broadcast.index(builder, index, of: result.shape, into: operand.shape))
        }
        let offset = builder.load(zero.id, zero.shape.map { _ in builder.constant(0, .i64) })
        return Quantization.rounded(load(x).cast(to: .f32) * load(multiplier), plus: offset, to: result.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.i32, ["n", 3]), -900...900)
    let sizes = [Symbol("n"): 4]
    return [
      OperatorExample(
        Requantize(),
        [x, .constant(.f32([3], [0.25, 0.5, 0.125])), .constant(HostTensor(.u8, [], values: [UInt8(128)]))],
        sizes: sizes),
      OperatorExample(
        Requantize(), [x, .constant(.f32([], [0.1])), .constant(HostTensor(.i8, [1], values: [Int8(-3)]))], sizes: sizes
      ),
    ]
  }
}
