import SinterCore
import SinterForms
import SinterIR

/// The indices of all elements that are not zero, one column each, in row-major order.
public struct NonZero: Primitive {
  public static let name = "NonZero"
  public static let summary = "The indices of all elements that are not zero."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(NonZero.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 9) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    if let values = inputs.constant(0)?.doubles ?? inputs.integers(0)?.map({ Double($0) }) {
      return [Fact(.i64, [Dim(x.rank), Dim(values.filter { $0 != 0 }.count)])]
    }
    return [Fact(.i64, [Dim(x.rank), inputs.freshSize(result: 0, axis: 1)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let result = try node.output().shape
    let order = try lowering.selected(x.type.count, size: result[1], "number of nonzero elements") { builder, place in
      let value = builder.load(x.id, Reshaping.delinearize(builder, place, x.shape)).cast(to: x.element.computeType)
      return value .!= builder.constant(0, value.type)
    }
    return [
      try lowering.element(result) { builder, index in
        let places = Reshaping.delinearize(builder, builder.load(order.id, [index[1]]), x.shape)
        var place = places.last ?? builder.constant(0, .i64)
        for (axis, other) in places.enumerated().dropLast().reversed() {
          place = builder.select(index[0] .== builder.constant(axis, .i64), other, place)
        }
        return place
      }
    ]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(NonZero(), [.constant(.f32([2, 3], [0, 1, 0, -2, 3, 0]))]),
      OperatorExample(NonZero(), [.random(TensorType(.i32, ["n", 5]), -1...2)], sizes: [Symbol("n"): 4]),
      OperatorExample(NonZero(), [.given(HostTensor(.bool, [], values: [true]))]),
      OperatorExample(NonZero(), [.random(TensorType(.f32, ["n", 5]), -1...2)], sizes: [Symbol("n"): 0]),
    ]
  }
}

/// The slices along an axis, or the elements, where a condition holds.
public struct Compress: Primitive {
  public static let name = "Compress"
  public static let summary = "The slices along an axis where a condition holds."

  /// The axis, from the end where negative; nil: the condition runs over all elements in row-major order.
  public var axis: Int?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.optionalInt("axis", &axis) }
  public static var onnx: [OnnxRule] { [.direct(Compress.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let axis = try axis.map { try normalizedAxis($0, rank: x.rank) }
    let condition = try inputs.tensor(1)
    guard condition.rank == 1, condition.element == .bool else {
      throw DiagnosticError(
        .user, "compress.condition", "the condition must be a list of truth values, but is \(condition)")
    }
    try obligations.atLeast(
      axis.map { x.shape[$0] } ?? x.count, condition.shape[0],
      axis.map { "axis \($0) of \(x), for which there are conditions," }
        ?? "number of elements of \(x), for which there are conditions,")
    let count =
      inputs.integers(1).map { Dim($0.filter { $0 != 0 }.count) } ?? inputs.freshSize(result: 0, axis: axis ?? 0)
    guard let axis else { return [Fact(x.element, [count])] }
    var shape = x.shape
    shape[axis] = count
    return [Fact(x.element, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, condition) = (try node.input(0), try node.input(1))
    let result = try node.output().shape
    let axis = try axis.map { try normalizedAxis($0, rank: x.rank) }
    let order = try lowering.selected(condition.shape[0], size: result[axis ?? 0], "number of conditions that hold") {
      builder, place in
      builder.load(condition.id, [place])
    }
    return [
      try lowering.element(result) { builder, index in
        let place = builder.load(order.id, [index[axis ?? 0]])
        guard let axis else { return builder.load(x.id, Reshaping.delinearize(builder, place, x.shape)) }
        var own = index
        own[axis] = place
        return builder.load(x.id, own)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var second = Compress()
    second.axis = 1
    func condition(_ values: [Bool]) -> OperatorExample.Input {
      .constant(HostTensor(.bool, [values.count], values: values))
    }
    return [
      OperatorExample(
        second, [.random(TensorType(.f32, ["n", 3]), -1...1), condition([true, false, true])], sizes: [Symbol("n"): 2]),
      OperatorExample(
        Compress(), [.random(TensorType(.f32, [2, 3]), -1...1), condition([false, true, false, false, true])]),
      OperatorExample(
        second, [.random(TensorType(.f32, ["n", 3]), -1...1), .random(TensorType(.bool, ["m"]), 0...2)],
        sizes: [Symbol("n"): 2, Symbol("m"): 3]),
    ]
  }
}

extension Compress: Differentiable {
  /// The slices go back to where they came from.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    let places = try node.input(1).applying(NonZero()).squeezed([0])
    guard let axis else {
      return [try g.scattered(to: places, along: 0, size: x.flat().size(0)).reshaped(like: x), nil]
    }
    let own = try normalizedAxis(axis, rank: try x.rank)
    return [try g.scattered(to: places, along: own, size: x.size(own)), nil]
  }
}
