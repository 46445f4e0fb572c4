import SinterCore
import SinterForms
import SinterIR

/// alpha · A' · B' + beta · C, where A' and B' may be transposed and C broadcasts to the product.
public struct Gemm: Primitive {
  public static let name = "Gemm"
  public static let summary = "alpha·A·B + beta·C for matrices, either side transposed on request."

  /// The factor of the product, and that of C.
  public var alpha = 1.0, beta = 1.0
  /// Whether A is given as [k, m], and B as [n, k].
  public var transA = false, transB = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("alpha", &alpha, default: 1)
    list.float("beta", &beta, default: 1)
    list.bool("transA", &transA, default: false)
    list.bool("transB", &transB, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(Gemm.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }

  private func sizes(_ a: TensorType, _ b: TensorType, _ obligations: inout Obligations) throws -> (
    m: Dim, n: Dim, k: Dim
  ) {
    guard a.rank == 2, b.rank == 2 else {
      throw DiagnosticError(.user, "gemm.rank", "A and B must be matrices, but are \(a) and \(b)")
    }
    guard a.element == b.element else {
      throw DiagnosticError(.user, "gemm.type", "A and B must have one element type, but are \(a) and \(b)")
    }
    let (m, k) = transA ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
    let (inner, n) = transB ? (b.shape[1], b.shape[0]) : (b.shape[0], b.shape[1])
    return (m, n, try obligations.equal(k, inner, "inner sizes of \(a) and \(b)"))
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let a = try inputs.tensor(0)
    let (m, n, _) = try sizes(a, try inputs.tensor(1), &obligations)
    if inputs.has(2) { try obligations.broadcast(try inputs.tensor(2).shape, to: [m, n]) }
    return [Fact(a.element, [m, n])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (a, b) = (try node.input(0), try node.input(1))
    var settled = Obligations()
    let (m, n, k) = try sizes(a.type, b.type, &settled)
    let compute = a.element.computeType
    let (transA, transB, alpha, beta) = (transA, transB, alpha, beta)
    var result = try lowering.contract(
      batch: [], m: [m], n: [n], k: [k], accumulate: compute,
      lhs: { builder, _, m, k in builder.load(a.id, transA ? k + m : m + k) },
      rhs: { builder, _, n, k in builder.load(b.id, transB ? n + k : k + n) })
    let product = result
    if alpha != 1 || node.has(2) {
      result = try lowering.element([m, n]) { builder, index in
        var value = builder.load(product.id, index)
        if alpha != 1 { value = value.scaled(by: alpha) }
        guard node.has(2), beta != 0 else { return value }
        let c = try node.input(2)
        var bias = builder.load(c.id, Broadcast.index(builder, index, of: [m, n], into: c.shape)).cast(to: compute)
        if beta != 1 { bias = bias.scaled(by: beta) }
        return value + bias
      }
    }
    return [try lowering.cast(result, to: a.element)]
  }

  public static var examples: [OperatorExample] {
    var scaled = Gemm()
    scaled.alpha = 0.5
    scaled.beta = 2
    scaled.transA = true
    scaled.transB = true
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    return [
      OperatorExample(Gemm(), [random([3, 5]), random([5, 4]), random([4])]),
      OperatorExample(scaled, [random([5, 3]), random([4, 5]), random([3, 1])]),
      OperatorExample(Gemm(), [random(["batch", 5]), random([5, 17])], sizes: [Symbol("batch"): 2]),
      OperatorExample(
        Gemm(), [random(["m", "k"]), random(["l", "n"]), random(["c", "d"])],
        sizes: [Symbol("m"): 2, Symbol("k"): 3, Symbol("l"): 3, Symbol("n"): 4, Symbol("c"): 1, Symbol("d"): 4]),
    ]
  }
}

extension Gemm: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (a, b) = (try node.input(0), try node.input(1))
    let g = try node.gradient()
    let scaled = alpha == 1 ? g : try g * alpha
    func matrix(_ value: GradientTensor, isTransposed: Bool) throws -> GradientTensor {
      isTransposed ? try value.matrixTransposed() : value
    }
    var results: [GradientTensor?] = [nil, nil]
    if node.wants(0) {
      let right = try matrix(b, isTransposed: !transB)
      results[0] = try matrix(try scaled.applying(MatMul(), right), isTransposed: transA)
    }
    if node.wants(1) {
      let left = try matrix(a, isTransposed: !transA)
      results[1] = try matrix(try left.applying(MatMul(), scaled), isTransposed: transB)
    }
    if node.has(2) {
      results.append(node.wants(2) ? try (beta == 1 ? g : g * beta).summed(to: try node.input(2)) : nil)
    }
    return results
  }
}
