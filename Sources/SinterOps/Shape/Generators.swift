import SinterCore
import SinterForms
import SinterIR

/// One value everywhere, in the shape that the input gives.
public struct ConstantOfShape: Primitive {
  public static let name = "ConstantOfShape"
  public static let summary = "One value everywhere, in a given shape."

  /// The value as a tensor of one element; absent it is 0 as f32.
  public var value: HostTensor?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.tensor("value", &value) }
  public static var onnx: [OnnxRule] { [.direct(ConstantOfShape.self, since: 9)] }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(0)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 9) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let element = value?.element ?? .f32
    if let value, value.count != 1 {
      throw DiagnosticError(.user, "constantofshape.value", "value must have one element, but is \(value.type)")
    }
    let type = try inputs.tensor(0)
    guard type.rank == 1 else {
      throw DiagnosticError(.user, "constantofshape.shape", "the shape must be a list of sizes, but is \(type)")
    }
    return [Fact(element, try inputs.sizes(0, "shape", requiring: &obligations))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let shape = try node.output().shape
    guard let value else { return [try lowering.element(shape) { builder, _ in builder.constant(0, .f32) }] }
    let operand = lowering.constant(value)
    return [
      try lowering.element(shape) { builder, _ in
        builder.load(operand.id, value.shape.map { _ in builder.constant(0, .i64) })
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var ones = ConstantOfShape()
    ones.value = .i64([1], [1])
    return [
      OperatorExample(ConstantOfShape(), [.constant(.i64([2], [2, 3]))]),
      OperatorExample(ones, [.constant(.i64([1], [4]))]), OperatorExample(ones, [.constant(.i64([0], []))]),
      OperatorExample(ones, [.given(.i64([2], [3, 2]))]),
    ]
  }
}

/// Ones on a diagonal, zeros elsewhere, in the input's shape.
public struct EyeLike: Primitive {
  public static let name = "EyeLike"
  public static let summary = "Ones on a diagonal, zeros elsewhere."

  /// The diagonal: 0 for the main one, above it where positive.
  public var k = 0
  /// The number of the element type as ONNX counts them; absent it is the input's type.
  public var dtype: Int?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("k", &k, default: 0)
    list.optionalInt("dtype", &dtype)
  }

  public static var onnx: [OnnxRule] { [.direct(EyeLike.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 9) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard x.rank == 2 else { throw DiagnosticError(.user, "eyelike.rank", "the input must be a matrix, but is \(x)") }
    guard let type = dtype.map({ ElementType(onnx: $0) }) ?? x.element else {
      throw DiagnosticError(.user, "eyelike.type", "dtype \(dtype ?? 0) is no element type")
    }
    return [Fact(type, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let type = try node.output()
    return [
      try lowering.element(type.shape) { builder, index in
        (index[1] - index[0] .== builder.constant(k, .i64)).cast(to: type.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var above = EyeLike()
    above.k = 1
    above.dtype = ElementType.i64.onnx
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 4]), -1...1)
    return [
      OperatorExample(EyeLike(), [x], sizes: [Symbol("n"): 3]), OperatorExample(above, [x], sizes: [Symbol("n"): 5]),
    ]
  }
}

extension EyeLike: PiecewiseConstant {}
