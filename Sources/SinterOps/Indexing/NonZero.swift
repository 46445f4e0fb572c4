import SinterCore
import SinterIR
import SinterKernel

/// The indices of all elements that are not zero, one column each, in row-major order.
///
/// How many there are depends on the elements; the file must declare it.
public struct NonZero: Primitive {
  public static let name = "NonZero"
  public static let summary = "The indices of all elements that are not zero."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(NonZero.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 9) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    if let values = inputs.constant(0)?.doubles ?? inputs.integers(0)?.map({ Double($0) }) {
      return [Fact(.i64, [Dim(x.rank), Dim(values.filter { $0 != 0 }.count)])]
    }
    guard let declared = inputs.declaredShape(), declared.count == 2 else {
      throw DiagnosticError(
        .limit, "operator.dynamic", "how many elements of \(x) are not zero is known only at run time",
        hint: "declare the result's shape in the file")
    }
    try requireAtMost(x.count, declared[1])
    return [Fact(.i64, [Dim(x.rank), declared[1]])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let result = try node.output().shape
    let order = try lowering.selected(x.type.count, count: result[1]) { builder, place in
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
    [OperatorExample(NonZero(), [.constant(.f32([2, 3], [0, 1, 0, -2, 3, 0]))])]
  }
}

/// The slices along an axis, or the elements, where a condition holds.
///
/// How many there are depends on the condition; the file must declare it.
public struct Compress: Primitive {
  public static let name = "Compress"
  public static let summary = "The slices along an axis where a condition holds."

  public var axis: Int?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.optionalInt("axis", &axis) }
  public static var onnx: [OnnxRule] { [.direct(Compress.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 11) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let axis = try axis.map { try normalizedAxis($0, rank: x.rank) }
    var count = inputs.integers(1).map { Dim($0.filter { $0 != 0 }.count) }
    if count == nil, let declared = inputs.declaredShape(), declared.count == (axis == nil ? 1 : x.rank) {
      count = declared[axis ?? 0]
      try requireAtMost(try inputs.tensor(1).count, declared[axis ?? 0])
    }
    try requireAtMost(axis.map { x.shape[$0] } ?? x.count, try inputs.tensor(1).count)
    guard let count else {
      throw DiagnosticError(
        .limit, "operator.dynamic", "how many conditions hold is known only at run time",
        hint: "make the condition a constant, or declare the result's shape in the file")
    }
    guard let axis else { return [Fact(x.element, [count])] }
    var shape = x.shape
    shape[axis] = count
    return [Fact(x.element, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, condition) = (try node.input(0), try node.input(1))
    let result = try node.output().shape
    let axis = try axis.map { try normalizedAxis($0, rank: x.rank) }
    let order = try lowering.selected(condition.shape[0], count: result[axis ?? 0]) { builder, place in
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
    ]
  }
}

extension Lowering {
  /// The first `count` places below `extent` at which a condition holds, in order.
  fileprivate mutating func selected(
    _ extent: Dim, count: Dim, _ condition: (BodyBuilder, Expr) throws -> Expr
  ) throws -> Operand {
    try sort([extent], axis: 0, count: count, descending: true) { builder, index in
      try condition(builder, index[0]).cast(to: .i32)
    }
  }
}

/// Holds a declared number of chosen elements against how many there are to choose from, as far as that is known.
private func requireAtMost(_ limit: Dim, _ count: Dim) throws {
  if let limit = limit.value, let count = count.value, count > limit || count < 0 {
    throw DiagnosticError(
      .user, "operator.declared", "\(count) of \(limit) elements cannot be chosen",
      hint: "declare the result's shape rightly")
  }
}
