import SinterCore
import SinterIR
import SinterKernel

/// A new axis that holds one value at the place that an index names, and another everywhere else. Inputs: indices, depth (the axis'
/// size), values (off, on).
public struct OneHot: Primitive {
  public static let name = "OneHot"
  public static let summary = "Indices as vectors with one element set."

  public var axis = -1

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.int("axis", &axis, default: -1) }
  public static var onnx: [OnnxRule] { [.direct(OneHot.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 11) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (indices, values) = (try inputs.tensor(0), try inputs.tensor(2))
    let axis = try normalizedAxis(axis, rank: indices.rank + 1)
    var depth = inputs.contents(1)?.first ?? inputs.constant(1)?.uniformNumber.map { Dim(Int($0)) }
    if depth == nil, let declared = inputs.declaredShape(), declared.count == indices.rank + 1 { depth = declared[axis] }
    guard let depth else {
      throw DiagnosticError(.limit, "operator.dynamic", "depth must be known ahead of time", hint: "make it a constant")
    }
    var shape = indices.shape
    shape.insert(depth, at: axis)
    return [Fact(values.element, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (indices, values) = (try node.input(0), try node.input(2))
    let axis = try normalizedAxis(axis, rank: indices.rank + 1)
    let shape = try node.output().shape
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
    }
  }
}
