import SinterCore
import SinterForms
import SinterIR

/// Axes in another order: axis j of the result is axis `perm[j]` of the input. Without `perm` the order is reversed.
public struct Transpose: Primitive {
  public static let name = "Transpose"
  public static let summary = "Axes in another order."

  /// The order, each axis once; nil: reversed.
  public var perm: [Int]?

  public init() {}
  /// The axes in this order.
  public init(_ perm: [Int]) { self.perm = perm }

  public mutating func attributes(_ list: inout some AttributeList) { list.optionalInts("perm", &perm) }
  public static var onnx: [OnnxRule] { [.direct(Transpose.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self) }

  /// The axis of the input that each axis of the result is.
  public func order(rank: Int) throws -> [Int] {
    guard let perm else { return (0..<rank).reversed() }
    let order = try perm.map { try normalizedAxis($0, rank: rank, name: "perm") }
    guard order.count == rank, Set(order).count == rank else {
      throw DiagnosticError(.user, "transpose.perm", "perm must name each of \(rank) axes once, but is \(perm)")
    }
    return order
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    return [Fact(x.element, try order(rank: x.rank).map { x.shape[$0] })]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    return [try lowering.transpose(x, try order(rank: x.rank))]
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 3, 4]), -1...1)
    return [Transpose(), Transpose([0, 2, 1]), Transpose([2, 0, 1])].map {
      OperatorExample($0, [x], sizes: [Symbol("n"): 2])
    }
  }
}

extension Transpose: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    [try node.gradient().transposed(back: try order(rank: try node.input(0).rank))]
  }
}
