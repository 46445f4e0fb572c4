import SinterCore
import SinterForms
import SinterIR

/// Axes cut or padded with zeros on both sides to given sizes, around the middle. Inputs: data, sizes (of `axes`, or of all).
public struct CenterCropPad: Primitive {
  public static let name = "CenterCropPad"
  public static let summary = "Axes cut or padded to given sizes around the middle."

  /// The axes that sizes are given for, from the end where negative; nil: all.
  public var axes: [Int]?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.optionalInts("axes", &axes) }
  public static var onnx: [OnnxRule] { [.direct(CenterCropPad.self, since: 18)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 18) }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(1)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let sizes = try inputs.sizes(1, "shape", requiring: &obligations)
    let axes = try (axes ?? Array(0..<x.rank)).map { try normalizedAxis($0, rank: x.rank, name: "axes") }
    guard sizes.count == axes.count, Set(axes).count == axes.count else {
      throw DiagnosticError(.user, "centercroppad", "shape must have \(axes.count) entries, but is \(sizes)")
    }
    var shape = x.shape
    for (axis, size) in zip(axes, sizes) { shape[axis] = size }
    return [Fact(x.element, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    return [
      try lowering.element(shape) { builder, index in
        var (own, inside) = (index, builder.bool(true))
        for axis in index.indices where shape[axis] != x.shape[axis] {
          let (from, to) = (builder.size(x.shape[axis]), builder.size(shape[axis]))
          let two = builder.constant(2, .i64)
          let offset = builder.select(
            from >= to, (from - to).floorDivided(by: two), -((to - from).floorDivided(by: two)))
          own[axis] = index[axis] + offset
          inside = inside && ((own[axis] >= builder.constant(0, .i64)) && (own[axis] < from))
        }
        return builder.load(x.id, own, where: inside)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var some = CenterCropPad()
    some.axes = [1]
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 5]), -1...1)
    return [
      OperatorExample(CenterCropPad(), [x, .constant(.i64([2], [4, 8]))], sizes: [Symbol("n"): 7]),
      OperatorExample(some, [x, .constant(.i64([1], [2]))], sizes: [Symbol("n"): 3]),
      OperatorExample(CenterCropPad(), [x, .given(.i64([2], [4, 2]))], sizes: [Symbol("n"): 3]),
    ]
  }
}

extension CenterCropPad: Differentiable {
  /// What was cut is padded as it was cut, and the other way round.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let x = try node.input(0)
    let sizes = try x.shapeValue()
    let own = try axes.map { axes in
      try sizes.applying(Gather(axis: 0), x.integers(try axes.map { try normalizedAxis($0, rank: try x.rank) }))
    }
    return [try node.gradient().applying(self, own ?? sizes), nil]
  }
}
