import SinterCore
import SinterForms
import SinterIR

/// Inverses of square matrices, which are the last two axes, by Gauss and Jordan's elimination with the greatest pivot of each column. A matrix that
/// has no inverse gives infinities and NaN.
public struct Inverse: Primitive {
  public static let name = "Inverse"
  public static let summary = "Inverses of square matrices."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(Inverse.self, domain: .microsoft)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat }
    guard x.rank >= 2 else {
      throw DiagnosticError(.user, "inverse.shape", "the input must have at least two axes, but is \(x)")
    }
    var shape = x.shape
    let size = try obligations.equal(
      shape[x.rank - 2], shape[x.rank - 1], "numbers of rows and of columns of \(x)")
    (shape[x.rank - 2], shape[x.rank - 1]) = (size, size)
    return [Fact(x.element, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    let (batch, n) = (Array(shape.dropLast(2)), shape[shape.count - 1])
    let compute = x.element.computeType
    let rank = batch.count
    // The matrix, and beside it the identity, which becomes the inverse.
    let start = try lowering.element(batch + [n, n * 2]) { builder, index in
      let (row, column, size) = (index[rank], index[rank + 1], builder.size(n))
      let isOwn = column < size
      let (one, zero) = (builder.constant(1, compute), builder.constant(0, compute))
      let unit = builder.select(column - size .== row, one, zero)
      return builder.select(isOwn, builder.load(x.id, index, where: isOwn).cast(to: compute), unit)
    }
    let iterations = try lowering.element([n]) { _, index in index[0] }
    let (final, _) = try lowering.repetition(count: n, carried: [start], sliced: [iterations]) {
      lowering, current, slices in
      let (matrix, iteration) = (current[0], slices[0])
      // The row at and below the iteration's whose element of the iteration's column is the greatest.
      let pivot = try lowering.reduce(.firstMaximumIndex, batch, over: [n]) { builder, index, inner in
        let at = builder.load(iteration.id, [])
        let value = builder.load(matrix.id, index + inner + [at]).unary(.abs)
        return builder.select(inner[0] >= at, value, builder.constant(-1, compute))
      }
      let next = try lowering.element(matrix.shape) { builder, index in
        let at = builder.load(iteration.id, [])
        let (leading, row, column) = (Array(index[..<rank]), index[rank], index[rank + 1])
        let best = builder.load(pivot.id, leading)
        func element(_ row: Expr, _ column: Expr) -> Expr { builder.load(matrix.id, leading + [row, column]) }
        // The pivot's row and the iteration's change places.
        let source = builder.select(row .== best, at, row)
        let scaled = element(best, column) / element(best, at)
        return builder.select(row .== at, scaled, element(source, column) - element(source, at) * scaled)
      }
      return ([next], [])
    }
    let result = final[0]
    return [
      try lowering.element(shape) { builder, index in
        builder.load(result.id, index.dropLast() + [index[rank + 1] + builder.size(n)]).cast(to: x.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    // Far from singular: a rotation, a permutation.
    let matrices = HostTensor.f32([2, 3, 3], [0, 2, 1, 1, 0, 0, 3, 1, 4, 2, -1, 0, 1, 2, 0.5, 0, 1, 3])
    return [
      OperatorExample(Inverse(), [.given(matrices)]),
      OperatorExample(
        Inverse(), [.random(TensorType(.f32, ["a", "n", "m"]), 0.1...1)],
        sizes: [Symbol("a"): 3, Symbol("n"): 2, Symbol("m"): 2], tolerance: 1e-3),
    ]
  }
}

extension Inverse: Differentiable {
  /// -A⁻ᵀ · g · A⁻ᵀ.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let transposed = try node.output.matrixTransposed()
    return [try -transposed.applying(MatMul(), node.gradient()).applying(MatMul(), transposed)]
  }
}
