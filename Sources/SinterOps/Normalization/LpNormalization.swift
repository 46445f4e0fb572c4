import SinterCore
import SinterForms
import SinterIR

/// Elements over the norm of their row along an axis; rows of zeros stay.
public struct LpNormalization: Composite {
  public static let name = "LpNormalization"
  public static let summary = "Rows scaled to norm 1."

  /// The axis that rows lie along, from the end where negative.
  public var axis = -1
  /// 1: the sum of magnitudes, 2: the square root of the sum of squares.
  public var p = 2

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: -1)
    list.int("p", &p, default: 2)
  }

  public static var onnx: [OnnxRule] { [.direct(LpNormalization.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    guard p == 1 || p == 2 else { throw DiagnosticError(.user, "lpnormalization.p", "p must be 1 or 2, but is \(p)") }
    let x = try inputs.value(0)
    let axis = try normalizedAxis(axis, rank: try inputs.tensor(0).rank)
    let norm = try builder.add1(Reduce(p == 1 ? .l1 : .l2), [x, builder.integers([axis])])
    let type = try inputs.tensor(0).element
    let isZero = try builder.add1(Compare(.equal), [norm, try builder.scalar(0, type)])
    let divisor = try builder.add1(Where(), [isZero, try builder.scalar(1, type), norm])
    return [try builder.add1(Binary(.divide), [x, divisor])]
  }

  public static var examples: [OperatorExample] {
    [1, 2].map { p in
      var op = LpNormalization()
      op.p = p
      op.axis = p - 2
      return OperatorExample(op, [.random(TensorType(.f32, ["n", 4]), -1...1)], sizes: [Symbol("n"): 3])
    }
  }
}

/// Elements shifted to mean 0 and scaled to variance 1 over axes.
public struct MeanVarianceNormalization: Composite {
  public static let name = "MeanVarianceNormalization"
  public static let summary = "Elements shifted to mean 0 and scaled to variance 1 over axes."

  /// The axes that mean and variance are taken over.
  public var axes = [0, 2, 3]

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.ints("axes", &axes, default: [0, 2, 3]) }
  public static var onnx: [OnnxRule] { [.direct(MeanVarianceNormalization.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 9) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let x = try inputs.value(0)
    let type = try inputs.tensor(0).element
    let over = builder.integers(axes)
    let mean = try builder.add1(Reduce(.mean), [x, over])
    let centered = try builder.add1(Binary(.subtract), [x, mean])
    let squares = try builder.add1(Binary(.multiply), [centered, centered])
    let deviation = try builder.add1(Unary(.sqrt), [try builder.add1(Reduce(.mean), [squares, over])])
    let divisor = try builder.add1(Binary(.add), [deviation, try builder.scalar(1e-9, type)])
    return [try builder.add1(Binary(.divide), [centered, divisor])]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        MeanVarianceNormalization(), [.random(TensorType(.f32, ["n", 3, 2, 2]), -1...1)], sizes: [Symbol("n"): 2])
    ]
  }
}
