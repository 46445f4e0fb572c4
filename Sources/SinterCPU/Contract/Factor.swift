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
  /// Indices in `base` that data determine.
  var picks: [AffineAccess.Pick] = []

  /// Reads the picks where the kernel stands, and gives the base that follows from them.
  ///
  /// - Parameters:
  ///   - body: the operand's.
  ///   - axes: its axes; those that no pick depends on may be anything.
  ///   - extents: of the symbols in `axes`.
  func base(_ body: Body, axes: [Dim], extents: [Symbol: Dim], _ scope: KernelScope) -> Dim {
    if picks.isEmpty { return base }
    let emitter = BodyEmitter(
      Body(exprs: body.exprs, results: picks.map(\.index)), scope: scope, axes: axes, extents: extents)
    var found: [Symbol: Dim] = [:]
    for (pick, register) in zip(picks, emitter.emit()) { found[pick.symbol] = Dim(scope.bind(register)) }
    return base.substituting { found[$0] }
  }

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
  ///   - picking: how many of them data may send to another place; nil: none.
  ///   - order: those axes in the order in which a copy has them.
  ///   - element: what a copy holds, and what memory must hold to be read as it lies; nil: any type will do.
  mutating func factor(
    _ body: Body, axes: [Dim], free: Int = 0, picking: Int? = nil, order: [Int], element: ElementType? = nil,
    named name: String, isUsable: (Factor) -> Bool
  ) throws -> Factor {
    let values = values
    let access = AffineAccess(body, axes: axes.count, free: free, picking: picking) { values[$0].type.shape }
    if let access {
      let factor = Factor(
        source: .value(access.value), base: access.base, strides: access.strides, picks: access.picks)
      if element.map({ $0 == self.element(access.value) }) ?? true, isUsable(factor) { return factor }
    }
    let shape = order.map { axes[$0] }
    let builder = bodyBuilder()
    var index = [Expr](repeating: builder.axis(0), count: axes.count)
    for (position, axis) in order.enumerated() { index[axis] = builder.axis(position) }
    let copy = builder.body(builder.inline(body, axes: index).map { $0.cast(to: element ?? $0.type) })
    let value = try materialize(copy, shape: shape, named: name)
    var strides = [Dim](repeating: 0, count: axes.count)
    for (position, stride) in TensorType.strides(shape).enumerated() { strides[order[position]] = stride }
    return Factor(source: .value(value), base: 0, strides: strides)
  }
}
