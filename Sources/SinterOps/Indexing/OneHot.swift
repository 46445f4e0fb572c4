import SinterCore
import SinterForms
import SinterIR

/// A new axis that holds one value at the place that an index names, and another everywhere else. Inputs: indices, depth (the axis'
/// size), values (off, on).
public struct OneHot: Primitive {
  public static let name = "OneHot"
  public static let summary = "Indices as vectors with one element set."

  /// The place of the new axis in the result, from the end where negative.
  public var axis = -1

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.int("axis", &axis, default: -1) }
  public static var onnx: [OnnxRule] { [.direct(OneHot.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(1)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (indices, values) = (try inputs.tensor(0), try inputs.tensor(2))
    let axis = try normalizedAxis(axis, rank: indices.rank + 1)
    let given = try inputs.tensor(1)
    try obligations.scalar(given, "depth")
    guard values.rank == 1 else {
      throw DiagnosticError(.user, "onehot.values", "values must be two, off and on, but are \(values)")
    }
    try obligations.equal(values.shape[0], 2, "number of values and 2, as they are off and on,")
    let depth: Dim
    if given.element.isInteger {
      depth = try inputs.size(1, "depth", atLeast: 1, requiring: &obligations)
    } else if let number = inputs.constant(1)?.uniformNumber {
      depth = Dim(Int(saturating: number.rounded(.towardZero)))
      try obligations.atLeast(depth, 1, "depth")
    } else {
      depth = inputs.freshSize(result: 0, axis: axis)
    }
    var shape = indices.shape
    shape.insert(depth, at: axis)
    return [Fact(values.element, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (indices, values) = (try node.input(0), try node.input(2))
    let axis = try normalizedAxis(axis, rank: indices.rank + 1)
    let shape = try node.output().shape
    if !node.facts.has(1) || node.facts.contents(1) == nil {
      let depth = try node.input(1)
      try lowering.defineSizes(shape, of: "the result") { builder, _ in
        let given = builder.load(depth.id, depth.shape.map { _ in builder.constant(0, .i64) })
        // None is no depth, as less than none is.
        let whole = given.cast(to: .f64).clamped(builder.constant(-1, .f64), builder.constant(0x1p52, .f64)).cast(
          to: .i64)
        return builder.select(whole > builder.constant(0, .i64), whole, builder.constant(-1, .i64))
      }
    }
    return [
      try lowering.element(shape) { builder, index in
        var own = index
        let place = own.remove(at: axis)
        let raw = builder.load(indices.id, own).cast(to: .i64)
        let wrapped = builder.select(raw < 0, raw + builder.size(shape[axis]), raw)
        return builder.select(
          wrapped .== place, builder.load(values.id, [builder.constant(1, .i64)]),
          builder.load(values.id, [builder.constant(0, .i64)]))
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var first = OneHot()
    first.axis = 0
    return [OneHot(), first].map { op in
      OperatorExample(
        op, [.given(.i64([3], [0, -1, 7])), .constant(.i64([], [5])), .given(.f32([2], [0.5, 2]))])
    } + [
      OperatorExample(
        OneHot(),
        [.random(TensorType(.i64, ["n"]), -5...5), .given(.i64([1], [4])), .random(TensorType(.f32, ["v"]), -1...1)],
        sizes: [Symbol("n"): 3, Symbol("v"): 2]),
      OperatorExample(OneHot(), [.given(.i64([3], [0, -1, 7])), .given(.f32([], [3])), .given(.f32([2], [0.5, 2]))]),
    ]
  }
}

extension OneHot: Differentiable {
  /// Where the index is goes to the second value, everything else to the first.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (values, g) = (try node.input(2), try node.gradient())
    let places = node.tape.constant(HostTensor(try values.element, [2], doubles: [0, 1]))
    let isOn = try node.input(0).applying(self, try node.input(1), places)
    let all = try Array(0..<g.rank)
    func total(_ value: GradientTensor) throws -> GradientTensor {
      try value.sum(all, keepsAxes: false).unsqueezed([0])
    }
    return [nil, nil, try node.tape.add(Concat(axis: 0), [total(g * (1 - isOn)), total(g * isOn)])[0]]
  }
}
