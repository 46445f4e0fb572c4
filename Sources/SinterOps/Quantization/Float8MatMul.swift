import SinterCore
import SinterForms
import SinterIR

/// A product of f32 and of weights that are floats of 8 bits, in blocks along the summed axis that have a scale each: what `MatMulNBits` is
/// for integers.
///
/// Inputs: a […, K]; the weights [N, blocks, block]; scales [N, blocks] of f32. What the last block has beyond K is not looked at.
public struct Float8MatMul: Primitive {
  public static let name = "Float8MatMul"
  public static let summary = "A product with weights of 8-bit floats, which have a scale per block."

  /// K, the number of elements that are summed for each result.
  public var inner = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.int("K", &inner, default: 0) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (a, weights, scales) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    try requireElement(a) { $0 == .f32 }
    try requireElement(weights) { $0.isFloat && $0.bits == 8 }
    try requireElement(scales) { $0 == .f32 }
    guard inner > 0, a.rank >= 1, weights.rank == 3 else {
      throw DiagnosticError(
        .user, "matmul.shape",
        "K must be positive, a must be […, K] and the weights [N, blocks, block], but they are \(inner), \(a) and \(weights)"
      )
    }
    try obligations.equal(a.shape[a.rank - 1], Dim(inner), "size of the last axis of a \(a) and K")
    _ = try obligations.equal(
      scales.shape, Array(weights.shape.dropLast()),
      "sizes of the scales \(scales) and numbers of blocks of the weights \(weights)")
    try obligations.atLeast(
      weights.shape[1] * weights.shape[2], Dim(inner), "size of all blocks of the weights \(weights)")
    return [Fact(.f32, a.shape.dropLast() + [weights.shape[0]])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (a, weights, scales) = (try node.input(0), try node.input(1), try node.input(2))
    let (blocks, block) = (weights.shape[1], weights.shape[2])
    return [
      try lowering.contract(
        batch: [], m: Array(a.shape.dropLast()), n: [weights.shape[0]], k: [blocks, block], accumulate: .f32,
        lhs: { builder, _, m, k in
          let place = k[0] * builder.size(block) + k[1]
          return builder.load(
            a.id, m + [place], where: blocks * block == Dim(inner) ? nil : place < builder.constant(inner, .i64))
        },
        rhs: { builder, _, n, k in
          builder.load(weights.id, n + k).cast(to: .f32) * builder.load(scales.id, n + [k[0]])
        })
    ]
  }

  public static var examples: [OperatorExample] {
    func op(_ inner: Int) -> Float8MatMul {
      var op = Float8MatMul()
      op.inner = inner
      return op
    }
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    func weights(_ type: ElementType, _ shape: [Int]) -> OperatorExample.Input {
      let few = [0, 0.5, -1, 1.5, 2, -3, 4, -6]
      return .constant(HostTensor(type, shape, doubles: (0..<shape.reduce(1, *)).map { few[$0 * 5 % few.count] }))
    }
    return [
      OperatorExample(
        op(32), [floats(["n", 32]), weights(.f8e4m3fn, [1, 2, 16]), .constant(.f32([1, 2], [0.25, 0.75]))],
        sizes: [Symbol("n"): 3]),
      OperatorExample(
        op(13), [floats([2, "n", 13]), weights(.f8e5m2fnuz, [2, 1, 16]), .constant(.f32([2, 1], [0.25, 0.5]))],
        sizes: [Symbol("n"): 3]),
      OperatorExample(op(20), [floats([9, 20]), weights(.f8e5m2, [1, 2, 16]), floats([1, 2])]),
      OperatorExample(
        op(5), [floats(["a", "b"]), weights(.f8e4m3fnuz, [2, 1, 6]), floats(["o", "p"])],
        sizes: [Symbol("a"): 2, Symbol("b"): 5, Symbol("o"): 2, Symbol("p"): 1]),
    ]
  }
}
