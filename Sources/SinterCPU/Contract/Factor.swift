import SinterCore
import SinterForms
import SinterKernelIR

/// An operand of products as memory.
struct Factor {
  enum Source: Hashable {
    case value(FormValueID)
    case packed(BufferID, ElementType)
  }
  var source: Source
  var base: Dim
  /// One an axis of the operand's body.
  var strides: [Dim]

  func memory(_ scope: KernelScope) -> Memory {
    switch source {
    case .value(let value): scope.memory(value)
    case .packed(let buffer, let element): scope.memory(buffer, element: element, .read)
    }
  }
}

extension ElementType {
  /// Whether products that are summed in another type take elements of this type as they are stored: they are widened when they are read.
  func isOperand(of accumulate: ElementType) -> Bool {
    self == accumulate || accumulate == .f32 && (self == .f16 || self == .bf16)
  }
}

extension ScheduleContext {
  /// A value in another type, in memory of its own; itself where it has that type.
  mutating func widened(_ value: FormValueID, to type: ElementType) throws -> FormValueID {
    if element(value) == type { return value }
    let builder = bodyBuilder()
    let shape = shape(value)
    let copy = builder.body([builder.load(value, shape.indices.map { builder.axis($0) }).cast(to: type)])
    return try materialize(copy, shape: shape, named: "widened")
  }

  /// A body as memory, copied to scratch where it is not plain memory already or where `isUsable` refuses its strides.
  ///
  /// - Parameters:
  ///   - axes: the sizes of the body's axes.
  ///   - free: how many of them the place of an element may depend on in any way.
  ///   - order: those axes in the order in which a copy has them.
  mutating func factor(
    _ body: Body, axes: [Dim], free: Int = 0, order: [Int], named name: String, isUsable: (Factor) -> Bool
  ) throws -> Factor {
    let values = values
    if let access = AffineAccess(body, axes: axes.count, free: free, shape: { values[$0].type.shape }) {
      let factor = Factor(source: .value(access.value), base: access.base, strides: access.strides)
      if isUsable(factor) { return factor }
    }
    let shape = order.map { axes[$0] }
    let builder = bodyBuilder()
    var index = [Expr](repeating: builder.axis(0), count: axes.count)
    for (position, axis) in order.enumerated() { index[axis] = builder.axis(position) }
    let copy = builder.body(builder.inline(body, axes: index))
    let value = try materialize(copy, shape: shape, named: name)
    var strides = [Dim](repeating: 0, count: axes.count)
    for (position, stride) in TensorType.strides(shape).enumerated() { strides[order[position]] = stride }
    return Factor(source: .value(value), base: 0, strides: strides)
  }
}
