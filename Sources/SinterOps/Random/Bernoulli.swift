import SinterCore
import SinterForms
import SinterIR

/// 1 with the probability that each element of the input is, otherwise 0. Equal seeds draw equally, in every run; see `RandomDraw`.
public struct Bernoulli: Primitive {
  public static let name = "Bernoulli"
  public static let summary = "Ones with given probabilities, the same in every run."

  /// Absent: the input's.
  public var type: Int?
  /// What the numbers follow from; nil: 0. Reading a node without one sets one made of its name.
  public var seed: Double?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.optionalInt("dtype", &type)
    list.optionalFloat("seed", &seed)
  }

  public var isDeterministic: Bool { false }
  public static var onnx: [OnnxRule] {
    [.direct(Bernoulli.self, since: 15) { op, node in op.seed = op.seed ?? Philox.seed(of: node) }]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 15) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat }
    guard let own = type.map({ ElementType(onnx: $0) }) ?? x.element,
      own.isFloat || own.isInteger || own == .bool
    else {
      throw DiagnosticError(.user, "random.type", "dtype \(type ?? 0) is no type of numbers")
    }
    return [Fact(own, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, philox) = (try node.input(0), Philox(seed: seed ?? 0))
    let result = try node.output().element
    return [
      try lowering.element(x.shape) { builder, index in
        let wide: ElementType = x.element == .f64 ? .f64 : .f32
        let drawn = philox.uniform(Reshaping.place(builder, index, of: x.shape), as: wide).0
        return (drawn < builder.load(x.id, index).cast(to: wide)).cast(to: result)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var integers = Bernoulli()
    (integers.type, integers.seed) = (ElementType.i32.onnx, 5)
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 7]), 0...1)
    var seeded = Bernoulli()
    seeded.seed = 2
    return [
      OperatorExample(integers, [x], sizes: [Symbol("n"): 3]), OperatorExample(seeded, [x], sizes: [Symbol("n"): 2]),
    ]
  }
}

extension Bernoulli: PiecewiseConstant {}
