import SinterCore
import SinterForms
import SinterIR

/// Determinants of square matrices, which are the last two axes, of up to 5 rows.
public struct Det: Primitive {
  public static let name = "Det"
  public static let summary = "Determinants of small square matrices."

  static let limit = 5

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(Det.self, since: 11)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }

  private func rows(_ x: TensorType, _ obligations: inout Obligations) throws -> Int {
    guard x.rank >= 2 else {
      throw DiagnosticError(.user, "det.shape", "the input must have at least two axes, but is \(x)")
    }
    let size = try obligations.equal(x.shape[x.rank - 2], x.shape[x.rank - 1], "numbers of rows and of columns of \(x)")
    guard let rows = size.value, rows <= Det.limit else {
      throw DiagnosticError(
        .limit, "det.size",
        "determinants are computed of up to \(Det.limit) rows, a known number, but the input is \(x)")
    }
    return rows
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
    let rows = try rows(x.type, &settled)
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

  public static var examples: [OperatorExample] {
    [
      OperatorExample(Det(), [.random(TensorType(.f32, ["n", 3, 3]), -1...1)], sizes: [Symbol("n"): 4]),
      OperatorExample(
        Det(), [.random(TensorType(.f32, ["n", "r", 2]), -1...1)], sizes: [Symbol("n"): 4, Symbol("r"): 2]),
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
