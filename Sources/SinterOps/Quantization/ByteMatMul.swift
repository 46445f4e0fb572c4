import SinterCore
import SinterForms
import SinterIR

/// A matrix product of bytes, signed or not, in 32-bit sums that wrap around. Zero points are what `MatMulInteger` adds to it.
public struct ByteMatMul: Primitive {
  public static let name = "ByteMatMul"
  public static let summary = "A matrix product of bytes in 32-bit integers, without zero points."

  public init() {}

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification("MatMulInteger", since: 10) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (a, b) = (try inputs.tensor(0), try inputs.tensor(1))
    for type in [a, b] { try requireElement(type) { $0 == .u8 || $0 == .i8 } }
    let plan = try MatMul.Plan(a, b, &obligations)
    return [Fact(.i32, plan.batch + plan.m + plan.n)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    [try MatMul.Plan.lower(try node.input(0), try node.input(1), accumulate: .i32, into: &lowering)]
  }

  public static var examples: [OperatorExample] {
    func bytes(_ element: ElementType, _ shape: [Dim]) -> OperatorExample.Input {
      .random(TensorType(element, shape), element == .u8 ? 0...255 : -128...127)
    }
    func weights(_ shape: [Int]) -> OperatorExample.Input {
      .constant(HostTensor(.i8, shape, values: (0..<shape.reduce(1, *)).map { Int8(truncatingIfNeeded: $0 * 37 + 5) }))
    }
    return [
      OperatorExample(ByteMatMul(), [bytes(.u8, ["n", 3]), weights([3, 5])], sizes: [Symbol("n"): 3]),
      OperatorExample(ByteMatMul(), [bytes(.u8, [2, 5, 8]), bytes(.i8, [8, 33])]),
      OperatorExample(ByteMatMul(), [bytes(.u8, [4, 3]), weights([3, 1])]),
      OperatorExample(
        ByteMatMul(), [bytes(.i8, ["n", "k"]), bytes(.u8, ["k", 6])], sizes: [Symbol("n"): 3, Symbol("k"): 5]),
    ]
  }
}
