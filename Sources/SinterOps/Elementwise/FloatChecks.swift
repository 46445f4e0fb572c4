import SinterCore
import SinterForms
import SinterIR

/// Whether each element is not a number.
public struct IsNaN: Primitive, Elementwise {
  public static let name = "IsNaN"
  public static let summary = "Whether each element is not a number."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(IsNaN.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 9) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat }
    return [Fact(.bool, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    return [
      try lowering.element(x.shape) { builder, index in
        builder.load(x.id, index).cast(to: x.element.computeType).unary(.isNaN)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    [OperatorExample(IsNaN(), [.given(.f32([4], [1, .nan, .infinity, -0.0]))])]
  }
}

/// Whether each element is infinite, of the signs that are asked for.
public struct IsInf: Primitive, Elementwise {
  public static let name = "IsInf"
  public static let summary = "Whether each element is infinite."

  /// Whether minus infinity counts.
  public var detectNegative = true
  /// Whether plus infinity counts.
  public var detectPositive = true

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("detect_negative", &detectNegative, default: true)
    list.bool("detect_positive", &detectPositive, default: true)
  }

  public static var onnx: [OnnxRule] { [.direct(IsInf.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 10) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat }
    return [Fact(.bool, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    return [
      try lowering.element(x.shape) { builder, index in
        let value = builder.load(x.id, index).cast(to: x.element.computeType)
        var result = builder.bool(false)
        if detectPositive { result = result || (value .== builder.constant(.infinity, value.type)) }
        if detectNegative { result = result || (value .== builder.constant(-.infinity, value.type)) }
        return result
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var positive = IsInf()
    positive.detectNegative = false
    let x = OperatorExample.Input.given(.f32([4], [1, .nan, .infinity, -.infinity]))
    return [OperatorExample(IsInf(), [x]), OperatorExample(positive, [x])]
  }
}
