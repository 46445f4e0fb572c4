import SinterCore
import SinterIR

/// alpha · A' · B' over the last two axes, the ones before broadcast, where axes of A and B may lie in another order: the last two exchanged, or
/// the first one before the last two, [m, batch…, k]. A vector has no order.
public struct FusedMatMul: Composite {
  public static let name = "FusedMatMul"
  public static let summary = "alpha·A·B over the last two axes, whose places in A and B may be others."

  /// The factor of the product.
  public var alpha = 1.0
  /// Whether the last two axes of A, and of B, are exchanged.
  public var transA = false, transB = false
  /// Whether the first axis belongs before the last one, behind the axes of the batch.
  public var transBatchA = false, transBatchB = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("alpha", &alpha, default: 1)
    list.bool("transA", &transA, default: false)
    list.bool("transB", &transB, default: false)
    list.bool("transBatchA", &transBatchA, default: false)
    list.bool("transBatchB", &transBatchB, default: false)
  }

  public static var onnx: [OnnxRule] {
    ["FusedMatMul", "TransposeMatMul"].map { .direct(FusedMatMul.self, as: $0, domain: .microsoft) }
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let a = try turned(inputs, 0, swaps: transA, batch: transBatchA, &builder)
    let b = try turned(inputs, 1, swaps: transB, batch: transBatchB, &builder)
    let product = try builder.add1(MatMul(), [a, b])
    if alpha == 1 { return [product] }
    return [
      try builder.add1(Binary(.multiply), [product, try builder.scalar(alpha, try builder.type(product).element)])
    ]
  }

  /// An operand as MatMul has it.
  private func turned(
    _ inputs: NodeInputs, _ index: Int, swaps: Bool, batch: Bool, _ builder: inout GraphBuilder
  ) throws -> ValueID {
    let (type, value) = (try inputs.tensor(index), try inputs.value(index))
    if batch, type.rank < 3 {
      throw DiagnosticError(
        .user, "matmul.batch",
        "\(index == 0 ? "transBatchA" : "transBatchB") needs axes of a batch, but input \(index) is \(type)")
    }
    var order = Array(0..<type.rank)
    if batch { order.insert(order.removeFirst(), at: type.rank - 2) }
    if swaps, type.rank > 1 { order.swapAt(type.rank - 2, type.rank - 1) }
    return order == Array(0..<type.rank) ? value : try builder.add1(Transpose(order), [value])
  }

  public static var examples: [OperatorExample] {
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    var turned = FusedMatMul()
    (turned.transBatchA, turned.transA, turned.transB, turned.alpha) = (true, true, true, 0.5)
    var batch = FusedMatMul()
    batch.transBatchB = true
    return [
      OperatorExample(
        turned, [floats([5, "a", 3, "m"]), floats(["a", 3, 6, 5])], sizes: [Symbol("a"): 2, Symbol("m"): 4]),
      OperatorExample(batch, [floats([2, "m", 4]), floats([4, 2, 7])], sizes: [Symbol("m"): 3]),
    ]
  }
}
