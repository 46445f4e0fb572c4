import SinterCore
import SinterForms
import SinterIR

/// The axes before `axis` joined into one, and those from it on into another.
public struct Flatten: Primitive {
  public static let name = "Flatten"
  public static let summary = "The axes before and from an axis on joined into two."

  /// The first axis of the second part, from the end where negative; the first part has one place where it is 0.
  public var axis = 1

  public init() {}
  /// The axes before `axis` and those from it on, each as one.
  public init(axis: Int) { self.axis = axis }

  public mutating func attributes(_ list: inout some AttributeList) { list.int("axis", &axis, default: 1) }
  public static var onnx: [OnnxRule] { [.direct(Flatten.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, since: axis < 0 ? 11 : 9)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let at = axis == x.rank ? x.rank : try normalizedAxis(axis, rank: max(x.rank, 1))
    return [Fact(x.element, [x.shape[..<at].reduce(1, *), x.shape[at...].reduce(1, *)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    [try lowering.reshape(try node.input(0), to: try node.output().shape)]
  }

  public static var examples: [OperatorExample] {
    [0, 1, 2, 3, -1].map { axis in
      var op = Flatten()
      op.axis = axis
      return OperatorExample(op, [.random(TensorType(.f32, ["n", 3, 4]), -1...1)], sizes: [Symbol("n"): 2])
    }
  }
}

extension Flatten: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    [try node.gradient().reshaped(like: try node.input(0))]
  }
}
