import SinterCore
import SinterForms
import SinterIR

/// exp(x) over its sum along an axis, the logarithm of that, or 1 at the first largest element and 0 elsewhere.
public struct Softmax: Primitive {
  public static let name = "Softmax"
  public static let summary = "Softmax, its logarithm, or hardmax along an axis."

  /// What becomes of a row.
  public enum Kind: String, CaseIterable, Sendable {
    case soft, logarithmic, hard
    var onnxName: String {
      switch self {
      case .soft: "Softmax"
      case .logarithmic: "LogSoftmax"
      case .hard: "Hardmax"
      }
    }
  }

  /// What becomes of a row.
  public var kind = Kind.soft
  /// The axis that rows lie along, from the end where negative.
  public var axis = -1

  public init() {}
  /// A softmax along an axis.
  public init(_ kind: Kind, axis: Int = -1) {
    self.kind = kind
    self.axis = axis
  }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .soft)
    list.int("axis", &axis, default: -1)
  }

  public static var onnx: [OnnxRule] {
    Kind.allCases.flatMap { kind in
      [
        OnnxRule.direct(Softmax.self, as: kind.onnxName, since: 13) { op, _ in op.kind = kind },
        OnnxRule(kind.onnxName, since: 1) { node, builder in
          // All axes from this one on are one row.
          let x = try builder.inputs(node.inputs, outputs: 1).value(0)
          let rank = try builder.type(x).rank
          let axis = try normalizedAxis(node.int("axis") ?? 1, rank: max(rank, 1))
          if axis == rank - 1 { return try builder.add(Softmax(kind), [x]) }
          var flatten = Flatten()
          flatten.axis = axis
          let rows = try builder.add1(flatten, [x])
          let result = try builder.add1(Softmax(kind), [rows])
          return try builder.add(Reshape(allowZero: true), [result, try builder.add1(Shape(), [x])])
        },
      ]
    }
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(kind.onnxName, since: 13, attributes: axis == -1 ? [] : [("axis", .int(axis))])
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat }
    _ = try normalizedAxis(axis, rank: x.rank)
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let axis = try normalizedAxis(axis, rank: x.rank)
    let compute = x.element.computeType
    var row = x.shape
    row[axis] = 1
    func load(_ builder: BodyBuilder, _ index: [Expr]) -> Expr { builder.load(x.id, index).cast(to: compute) }
    func along(_ index: [Expr], _ place: Expr) -> [Expr] {
      var own = index
      own[axis] = place
      return own
    }
    func first(_ builder: BodyBuilder, _ index: [Expr]) -> [Expr] { along(index, builder.constant(0, .i64)) }

    if kind == .hard {
      let place = try lowering.reduce(.firstMaximumIndex, row, over: [x.shape[axis]]) { builder, index, inner in
        load(builder, along(index, inner[0]))
      }
      return [
        try lowering.element(x.shape) { builder, index in
          (builder.load(place.id, first(builder, index)) .== index[axis]).cast(to: x.element)
        }
      ]
    }
    let greatest = try lowering.reduce(.maximum, row, over: [x.shape[axis]]) { builder, index, inner in
      load(builder, along(index, inner[0]))
    }
    let sum = try lowering.reduce(.sum, row, over: [x.shape[axis]]) { builder, index, inner in
      (load(builder, along(index, inner[0])) - builder.load(greatest.id, first(builder, index))).unary(.weight)
    }
    return [
      try lowering.element(x.shape) { builder, index in
        let at = first(builder, index)
        let shifted = load(builder, index) - builder.load(greatest.id, at)
        let total = builder.load(sum.id, at)
        return (kind == .soft ? shifted.unary(.weight) / total : shifted - total.unary(.log)).cast(to: x.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    Kind.allCases.flatMap { kind in
      [
        OperatorExample(Softmax(kind), [.random(TensorType(.f32, ["n", 7]), -4...4)], sizes: [Symbol("n"): 3]),
        OperatorExample(
          Softmax(kind, axis: 1), [.random(TensorType(.f32, [2, "n", 3]), -4...4)], sizes: [Symbol("n"): 5]),
        OperatorExample(Softmax(kind), [.random(TensorType(.f16, [2, 9]), -4...4)], tolerance: 1e-3),
        // Most weights beyond what f32 shows.
        OperatorExample(Softmax(kind), [.random(TensorType(.f32, [3, 40]), -300...0)]),
        OperatorExample(Softmax(kind), [.random(TensorType(.f64, [2, 5]), -300...0)]),
      ]
    }
  }
}

extension Softmax: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (y, g) = (node.output, try node.gradient())
    let axes = [try normalizedAxis(axis, rank: try y.rank)]
    switch kind {
    case .soft: return [try y * (g - (g * y).sum(axes))]
    case .logarithmic: return [try g - y.unary(.exp) * g.sum(axes)]
    case .hard: return [nil]
    }
  }
}
