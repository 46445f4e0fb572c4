import SinterCore
import SinterForms
import SinterIR

/// The sizes of the input's axes from `start` to before `end`, as i64.
public struct Shape: Primitive {
  public static let name = "Shape"
  public static let summary = "The input's sizes as an i64 tensor."

  /// The first axis that counts, from the end where negative.
  public var start = 0
  /// The axis before which to end, from the end where negative; nil: with the last one.
  public var end: Int?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("start", &start, default: 0)
    list.optionalInt("end", &end)
  }

  public static var onnx: [OnnxRule] { [.direct(Shape.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, since: start == 0 && end == nil ? 1 : 15)
  }

  private func sizes(_ x: TensorType) -> [Dim] {
    func place(_ axis: Int) -> Int { min(max(axis < 0 ? axis + x.rank : axis, 0), x.rank) }
    let (from, to) = (place(start), end.map(place) ?? x.rank)
    return from < to ? Array(x.shape[from..<to]) : []
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let sizes = sizes(try inputs.tensor(0))
    return [Fact(.i64, [Dim(sizes.count)], contents: sizes)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let sizes = sizes(try node.input(0).type)
    return [
      try lowering.element([Dim(sizes.count)]) { builder, index in
        var result = builder.size(sizes.last ?? 0)
        for (axis, size) in sizes.enumerated().dropLast().reversed() {
          result = builder.select(index[0] .== builder.constant(axis, .i64), builder.size(size), result)
        }
        return result
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var part = Shape()
    part.start = 1
    part.end = -1
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 3, "m", 4]), -1...1)
    let sizes = [Symbol("n"): 2, Symbol("m"): 5]
    return [OperatorExample(Shape(), [x], sizes: sizes), OperatorExample(part, [x], sizes: sizes)]
  }
}

/// The number of elements, as an i64 scalar.
public struct Size: Primitive {
  public static let name = "Size"
  public static let summary = "The number of elements as an i64 scalar."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(Size.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    [Fact(.i64, [], contents: [try inputs.tensor(0).count])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let count = try node.input(0).type.count
    return [try lowering.element([]) { builder, _ in builder.size(count) }]
  }

  public static var examples: [OperatorExample] {
    [OperatorExample(Size(), [.random(TensorType(.f32, ["n", 3]), -1...1)], sizes: [Symbol("n"): 2])]
  }
}
