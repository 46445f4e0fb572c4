import SinterCore
import SinterForms
import SinterIR

/// Classes drawn for each row: x [batch, classes] holds logarithms of weights, which need not add up to one. The result is [batch, samples]. Equal
/// seeds draw equally, in every run; see `RandomDraw`.
public struct Multinomial: Primitive {
  public static let name = "Multinomial"
  public static let summary = "Classes drawn by the logarithms of their weights, the same in every run."

  /// The element type of the classes, i32 or i64.
  public var type = ElementType.i32
  /// How many classes are drawn for each row.
  public var samples = 1
  /// What the numbers follow from; nil: 0. Reading a node without one sets one made of its name.
  public var seed: Double?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.elementType("dtype", &type)
    list.int("sample_size", &samples, default: 1)
    list.optionalFloat("seed", &seed)
  }

  public var isDeterministic: Bool { false }
  public static var onnx: [OnnxRule] {
    [.direct(Multinomial.self, since: 7) { op, node in op.seed = op.seed ?? Philox.seed(of: node) }]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 7) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat }
    guard x.rank == 2, type == .i32 || type == .i64, (0...Window.limit).contains(samples) else {
      throw DiagnosticError(
        .user, "multinomial.shape",
        "x must be [batch, classes], dtype i32 or i64 and sample_size no less than 0, but they are \(x), \(type), \(samples)"
      )
    }
    try obligations.atLeast(x.shape[1], 1, "number of classes of \(x)")
    return [Fact(type, [x.shape[0], Dim(samples)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, philox) = (try node.input(0), Philox(seed: seed ?? 0))
    let shape = try node.output().shape
    let compute = x.element.computeType
    let (rows, classes) = (x.shape[0], x.shape[1])
    let greatest = try lowering.reduce(.maximum, [rows], over: [classes]) { builder, index, inner in
      builder.load(x.id, index + inner).cast(to: compute)
    }
    let sums = try lowering.scan(.sum, x.shape, axis: 1, exclusive: false, reversed: false) { builder, index in
      (builder.load(x.id, index).cast(to: compute) - builder.load(greatest.id, [index[0]])).unary(.exp)
    }
    let counts = try lowering.reduce(.sum, shape, over: [classes]) { builder, index, inner in
      let total = builder.load(sums.id, [index[0], builder.size(classes - 1)])
      let drawn = philox.uniform(Reshaping.place(builder, index, of: shape), as: compute).0 * total
      return (builder.load(sums.id, [index[0], inner[0]]) <= drawn).cast(to: .i64)
    }
    return [
      try lowering.element(shape) { builder, index in
        // A product that is rounded up to the whole sum is of the last class.
        builder.load(counts.id, index).minimum(builder.size(classes - 1)).cast(to: type)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var op = Multinomial()
    (op.samples, op.seed, op.type) = (6, 4, .i64)
    var plain = Multinomial()
    plain.seed = 1
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 5]), -2...1)
    return [
      OperatorExample(op, [x], sizes: [Symbol("n"): 3]), OperatorExample(plain, [x], sizes: [Symbol("n"): 2]),
    ]
  }
}
