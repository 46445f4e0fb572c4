import SinterCore
import SinterForms
import SinterIR

/// Random numbers in the shape that the input gives, uniform from `first` to `second` or normal with that mean and deviation. Equal seeds draw equal
/// numbers, in every run; in a file, a node without a seed has one from its name.
public struct RandomDraw: Primitive {
  public static let name = "RandomDraw"
  public static let summary = "Uniform or normal random numbers, the same in every run."

  /// The distribution.
  public enum Kind: String, CaseIterable, Sendable { case uniform, normal }

  /// The distribution.
  public var kind = Kind.uniform
  /// The element type, a float.
  public var type = ElementType.f32
  /// The least number of the uniform distribution, or the mean of the normal one.
  public var first = 0.0
  /// The bound that uniform numbers stay below, or the deviation of normal ones.
  public var second = 1.0
  /// What the numbers follow from.
  public var seed = 0.0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .uniform)
    list.elementType("type", &type)
    list.float("first", &first, default: 0)
    list.float("second", &second, default: 1)
    list.float("seed", &seed, default: 0)
  }

  /// Computed ahead of time, they would fill the library.
  public var isDeterministic: Bool { false }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(0)] }

  public static var onnx: [OnnxRule] {
    [
      OnnxRule("RandomUniform") { node, builder in
        let shape = builder.integers(node.ints("shape") ?? [])
        return try builder.add(try RandomDraw(.uniform, node, like: nil), [shape])
      },
      OnnxRule("RandomNormal") { node, builder in
        let shape = builder.integers(node.ints("shape") ?? [])
        return try builder.add(try RandomDraw(.normal, node, like: nil), [shape])
      },
      OnnxRule("RandomUniformLike") { node, builder in try like(.uniform, node, &builder) },
      OnnxRule("RandomNormalLike") { node, builder in try like(.normal, node, &builder) },
    ]
  }

  private static func like(_ kind: Kind, _ node: OnnxNode, _ builder: inout GraphBuilder) throws -> [ValueID] {
    let x = try builder.inputs(node.inputs, outputs: 1).value(0)
    let op = try RandomDraw(kind, node, like: try builder.type(x).element)
    return try builder.add(op, [try builder.add1(Shape(), [x])])
  }

  private init(_ kind: Kind, _ node: OnnxNode, like element: ElementType?) throws {
    self.kind = kind
    type = try node.drawnType() ?? element ?? .f32
    seed = node.float("seed") ?? Philox.seed(of: node)
    switch kind {
    case .uniform: (first, second) = (node.float("low") ?? 0, node.float("high") ?? 1)
    case .normal: (first, second) = (node.float("mean") ?? 0, node.float("scale") ?? 1)
    }
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    guard let shape = inputs.integers(0) else { return nil }
    let names = kind == .uniform ? ("RandomUniform", "low", "high") : ("RandomNormal", "mean", "scale")
    return NodeSpecification(
      names.0,
      attributes: [
        ("dtype", .elementType(type)), (names.1, .float(first)), (names.2, .float(second)), ("seed", .float(seed)),
        ("shape", .ints(shape)),
      ], inputs: [])
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    guard type.isFloat else {
      throw DiagnosticError(.user, "random.type", "random numbers must be floats, but are to be \(type)")
    }
    let list = try inputs.tensor(0)
    guard list.rank == 1 else {
      throw DiagnosticError(.user, "random.shape", "the shape must be a list of sizes, but is \(list)")
    }
    return [Fact(type, try inputs.sizes(0, "shape", requiring: &obligations))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (shape, philox) = (try node.output().shape, Philox(seed: seed))
    return [
      try lowering.element(shape) { builder, index in
        let place = Reshaping.place(builder, index, of: shape)
        let value: Expr
        switch kind {
        case .uniform: value = philox.uniform(place, as: type).0 * (second - first) + first
        case .normal: value = philox.normal(place, as: type) * second + first
        }
        return value.cast(to: type)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var normal = RandomDraw()
    (normal.kind, normal.first, normal.second, normal.seed) = (.normal, -1, 2, 7)
    var wide = RandomDraw()
    (wide.type, wide.seed) = (.f64, 3)
    var half = normal
    half.type = .f16
    return [
      OperatorExample(RandomDraw(), [.constant(.i64([2], [3, 5]))]),
      OperatorExample(normal, [.given(.i64([2], [2, 9]))]), OperatorExample(wide, [.constant(.i64([1], [4]))]),
      OperatorExample(half, [.constant(.i64([0], []))]),
    ]
  }
}

extension OnnxNode {
  /// The element type that `dtype` names; nil where there is none.
  func drawnType() throws -> ElementType? {
    if case .elementType(let type)? = attributes["dtype"] { return type }
    guard let number = int("dtype") else { return nil }
    guard let type = ElementType(onnx: number) else {
      throw DiagnosticError(.user, "random.type", "dtype \(number) is no element type")
    }
    return type
  }
}

extension RandomDraw: PiecewiseConstant {}
