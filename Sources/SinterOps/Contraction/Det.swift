import SinterCore
import SinterForms
import SinterIR

/// Determinants of square matrices, which are the last two axes: of few rows as the sum over all minors, else by Gauss's elimination with the greatest
/// pivot of each column.
public struct Det: Primitive {
  public static let name = "Det"
  public static let summary = "Determinants of square matrices."

  /// The most rows of which all minors are written out.
  private static let minorLimit = 5

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(Det.self, since: 11)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }

  private func rows(_ x: TensorType, _ obligations: inout Obligations) throws -> Dim {
    guard x.rank >= 2 else {
      throw DiagnosticError(.user, "det.shape", "the input must have at least two axes, but is \(x)")
    }
    return try obligations.equal(
      x.shape[x.rank - 2], x.shape[x.rank - 1], "numbers of rows and of columns of \(x)")
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat }
    _ = try rows(x, &obligations)
    return [Fact(x.element, Array(x.shape.dropLast(2)))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    var settled = Obligations()
    let size = try rows(x.type, &settled)
    guard let rows = size.value, rows <= Self.minorLimit else {
      return [try eliminated(x, rows: size, into: &lowering)]
    }
    return [
      try lowering.element(Array(x.shape.dropLast(2))) { builder, index in
        /// The minor of the rows from `row` on and the given columns, expanded along its first row.
        func minor(_ row: Int, _ columns: [Int]) -> Expr {
          guard !columns.isEmpty else { return builder.constant(1, x.element.computeType) }
          var sum = builder.constant(0, x.element.computeType)
          for (place, column) in columns.enumerated() {
            let at = index + [builder.constant(row, .i64), builder.constant(column, .i64)]
            let product =
              builder.load(x.id, at).cast(to: x.element.computeType) * minor(row + 1, columns.filter { $0 != column })
            sum = place % 2 == 0 ? sum + product : sum - product
          }
          return sum
        }
        return minor(0, Array(0..<rows)).cast(to: x.element)
      }
    ]
  }

  /// The product of the pivots, with a change of sign for each two rows that change places.
  private func eliminated(_ x: Operand, rows: Dim, into lowering: inout Lowering) throws -> Operand {
    let batch = Array(x.shape.dropLast(2))
    let (rank, compute) = (batch.count, x.element.computeType)
    let matrices = try lowering.element(batch + [rows, rows]) { builder, index in
      builder.load(x.id, index).cast(to: compute)
    }
    let ones = try lowering.element(batch) { builder, _ in builder.constant(1, compute) }
    let iterations = try lowering.element([rows]) { _, index in index[0] }
    let (final, _) = try lowering.repetition(count: rows, carried: [matrices, ones], sliced: [iterations]) {
      lowering, current, slices in
      let (matrix, product, iteration) = (current[0], current[1], slices[0])
      // The row at and below the iteration's whose element of the iteration's column is the greatest.
      let pivot = try lowering.reduce(.firstMaximumIndex, batch, over: [rows]) { builder, index, inner in
        let at = builder.load(iteration.id, [])
        let value = builder.load(matrix.id, index + inner + [at]).unary(.abs)
        return builder.select(inner[0] >= at, value, builder.constant(-1, compute))
      }
      let next = try lowering.element(matrix.shape) { builder, index in
        let (at, zero) = (builder.load(iteration.id, []), builder.constant(0, compute))
        let (leading, row, column) = (Array(index[..<rank]), index[rank], index[rank + 1])
        let best = builder.load(pivot.id, leading)
        func element(_ row: Expr, _ column: Expr) -> Expr { builder.load(matrix.id, leading + [row, column]) }
        // The pivot's row and the iteration's change places. Below a pivot of 0 all of the column is 0 already.
        let source = builder.select(row .== best, at, row)
        let head = element(best, at)
        let factor = builder.select(head .== zero, zero, element(source, at) / head)
        let top = element(best, column)
        return builder.select(row .== at, top, element(source, column) - factor * top)
      }
      let grown = try lowering.element(batch) { builder, index in
        let (at, best) = (builder.load(iteration.id, []), builder.load(pivot.id, index))
        let head = builder.load(matrix.id, index + [best, at])
        let (plus, minus) = (builder.constant(1, compute), builder.constant(-1, compute))
        return builder.load(product.id, index) * head * builder.select(best .== at, plus, minus)
      }
      return ([next, grown], [])
    }
    let result = final[1]
    return try lowering.element(batch) { builder, index in builder.load(result.id, index).cast(to: x.element) }
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(Det(), [.random(TensorType(.f32, ["n", 3, 3]), -1...1)], sizes: [Symbol("n"): 4]),
      OperatorExample(
        Det(), [.random(TensorType(.f32, ["n", "r", 2]), -1...1)], sizes: [Symbol("n"): 4, Symbol("r"): 2]),
      OperatorExample(
        Det(), [.random(TensorType(.f64, ["n", "r", "r"]), -1...1)], sizes: [Symbol("n"): 3, Symbol("r"): 6]),
      OperatorExample(Det(), [.random(TensorType(.f32, [2, 3, 7, 7]), -1...1)], tolerance: 1e-4),
      OperatorExample(Det(), [.given(.f32([6, 6], (0..<36).map { Float($0 * $0 % 7) }))], tolerance: 1e-4),
    ]
  }
}

extension Det: Differentiable {
  /// det(A) · A⁻ᵀ; of a matrix without an inverse that is not defined.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let x = try node.input(0)
    let rank = try x.rank
    let factor = try (node.gradient() * node.output).unsqueezed([rank - 2, rank - 1])
    return [try factor * x.applying(Inverse()).matrixTransposed()]
  }
}
