import SinterCore
import SinterForms
import SinterIR

/// Matrix products as NumPy's `matmul` has them: the last two axes are multiplied, the ones before broadcast, and an operand of rank 1
/// is a row on the left, a column on the right.
public struct MatMul: Primitive {
  public static let name = "MatMul"
  public static let summary = "Matrix product over the last two axes, the ones before broadcast."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(MatMul.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (a, b) = (try inputs.tensor(0), try inputs.tensor(1))
    guard a.rank == 0 || b.rank == 0 || a.element == b.element else {
      throw DiagnosticError(.user, "matmul.type", "operands must have one element type, but are \(a) and \(b)")
    }
    let plan = try Plan(a, b, &obligations)
    return [Fact(a.element, plan.batch + plan.m + plan.n)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (a, b) = (try node.input(0), try node.input(1))
    return [try lowering.cast(try Plan.lower(a, b, accumulate: a.element.computeType, into: &lowering), to: a.element)]
  }

  public static var examples: [OperatorExample] {
    func case_(_ a: [Dim], _ b: [Dim], _ sizes: [Symbol: Int] = [:]) -> OperatorExample {
      OperatorExample(
        MatMul(), [.random(TensorType(.f32, a), -1...1), .random(TensorType(.f32, b), -1...1)], sizes: sizes)
    }
    return [
      case_([3, 5], [5, 4]), case_([2, 3, 5], [5, 4]), case_([2, 1, 3, 5], [4, 5, 6]), case_([5], [5, 4]),
      case_([2, 3, 5], [5]), case_(["batch", 7, 16], [16, 33], [Symbol("batch"): 3]),
    ]
  }
}

extension MatMul {
  /// The sizes of a product, the missing axes of vectors not added.
  struct Plan {
    var batch: [Dim] = []
    var m: [Dim] = []
    var n: [Dim] = []
    var k: Dim
    var lhsBatch: [Dim]
    var rhsBatch: [Dim]

    init(_ a: TensorType, _ b: TensorType, _ obligations: inout Obligations) throws {
      guard a.rank > 0, b.rank > 0 else {
        throw DiagnosticError(.user, "matmul.rank", "operands must have at least one axis, but are \(a) and \(b)")
      }
      let lhsInner = a.shape[a.rank - 1]
      let rhsInner = b.rank == 1 ? b.shape[0] : b.shape[b.rank - 2]
      k = try obligations.equal(lhsInner, rhsInner, "inner sizes of \(a) and \(b)")
      lhsBatch = Array(a.shape.dropLast(2))
      rhsBatch = Array(b.shape.dropLast(2))
      if a.rank > 1 { m = [a.shape[a.rank - 2]] }
      if b.rank > 1 { n = [b.shape[b.rank - 1]] }
      batch = try obligations.broadcast(lhsBatch, rhsBatch)
    }

    /// The product of two operands, whose types may differ, as a contraction in the type of `accumulate`.
    static func lower(_ a: Operand, _ b: Operand, accumulate: ElementType, into lowering: inout Lowering) throws
      -> Operand
    {
      var settled = Obligations()
      var plan = try Plan(a.type, b.type, &settled)
      // A right side without batch multiplies all rows of the left as one matrix.
      let isFlat = plan.rhsBatch.isEmpty && !plan.m.isEmpty
      let batch = isFlat ? [] : plan.batch
      if isFlat { plan.m = plan.lhsBatch + plan.m }
      return try lowering.contract(
        batch: batch, m: plan.m, n: plan.n, k: [plan.k], accumulate: accumulate,
        lhs: { builder, batchIndex, m, k in
          let leading = isFlat ? [] : Broadcast.index(builder, batchIndex, of: plan.batch, into: plan.lhsBatch)
          return builder.load(a.id, leading + m + k)
        },
        rhs: { builder, batchIndex, n, k in
          builder.load(b.id, Broadcast.index(builder, batchIndex, of: plan.batch, into: plan.rhsBatch) + k + n)
        })
    }
  }
}

extension MatMul: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    var (a, b, g) = (try node.input(0), try node.input(1), try node.gradient())
    let (x, y) = (a, b)
    if try a.rank == 1 {
      g = try g.unsqueezed([try b.rank == 1 ? 0 : try g.rank - 1])
      a = try a.unsqueezed([0])
    }
    if try b.rank == 1 {
      g = try g.unsqueezed([try g.rank])
      b = try b.unsqueezed([1])
    }
    var results: [GradientTensor?] = [nil, nil]
    if node.wants(0) {
      results[0] = try g.applying(MatMul(), b.matrixTransposed()).summed(to: a).reshaped(like: x)
    }
    if node.wants(1) {
      if try b.rank == 2, try a.rank > 2 {
        // The rows of all matrices are one product's depth.
        let rows = try a.applying(Flatten(axis: try a.rank - 1))
        let columns = try g.applying(Flatten(axis: try g.rank - 1))
        results[1] = try rows.matrixTransposed().applying(MatMul(), columns)
      } else {
        results[1] = try a.matrixTransposed().applying(MatMul(), g).summed(to: b)
      }
      results[1] = try results[1]?.reshaped(like: y)
    }
    return results
  }
}
