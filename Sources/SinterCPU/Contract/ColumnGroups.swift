import SinterCore
import SinterForms
import SinterKernelIR

/// Element work on a product of which each element needs one column in each of several groups: the epilogue of a product whose panels
/// hold these columns side by side.
struct ColumnGroups {
  /// How many groups the columns consist of.
  var count: Int
  /// The columns of a group, which are the elements of a row.
  var extent: Int
  /// Over the axes of the results; `accumulator(g)` is the column of group g.
  var epilogue: Body
  /// What the epilogue gives, all of one shape.
  var results: [FormValueID]

  /// The first element, and the masks of its vectors, for the first column of a tile.
  func elements(
    _ column: Register, vectors: Int, lanes: Int, _ b: KernelBuilder
  ) -> (column: Register, masks: [Register?]) {
    let first = b.binary(.floorDivide, column, b.index(count))
    let vectors = vectors / count
    guard extent % lanes != 0 else { return (first, [Register?](repeating: nil, count: vectors)) }
    let numbers = b.laneNumbers(lanes, .i32)
    let masks = (0..<vectors).map { v -> Register? in
      let left = b.binary(.minimum, b.subtract(b.index(extent - v * lanes), first), b.index(lanes))
      return b.compare(.less, numbers, b.broadcast(b.cast(left, to: .i32), lanes: lanes))
    }
    return (first, masks)
  }

  /// Most groups that a tile can hold.
  static let limit = 8

  /// Nil where the members of a group are not what a product's epilogue can compute.
  init?(_ product: ContractForm, in group: RowGroup, context: ScheduleContext) {
    guard let first = group.members.first, let last = group.members.last, product.n.count == 1,
      let width = context.shape(first.value).last, let extent = context.shape(last.value).last?.value, extent > 0,
      let count = width.value.map({ $0 / extent }), count * extent == width.value, count <= Self.limit
    else { return nil }
    let rank = context.shape(last.value).count
    let builder = context.bodyBuilder()
    let axes = (0..<rank).map { builder.axis($0) }
    var known: [FormValueID: Expr] = [:]
    var isServed = true
    for member in group.members.dropFirst() {
      guard case .element(let element) = member.form else { return nil }
      known[member.value] =
        builder.inline(element.body, axes: axes) { operand, indices, condition, _ in
          if let expr = known[operand] { return expr }
          guard operand == first.value, let index = indices.last else { return nil }
          let plain = builder.body([index])
          guard condition == nil, let number = plain.columnGroup(plain.results[0], axis: rank - 1, extent: Dim(extent))
          else {
            isServed = false
            return nil
          }
          let sum = builder.accumulator(number, product.accumulate)
          return product.epilogue.map { builder.inline($0, axes: indices, accumulators: [sum])[0] } ?? sum
        }[0]
    }
    let results = group.stored.compactMap { known[$0] }
    guard isServed, results.count == group.stored.count else { return nil }
    self.count = count
    self.extent = extent
    self.results = group.stored
    epilogue = BodySimplifier.simplify(
      builder.body(results), extents: context.shape(last.value), values: context.values, ranges: context.program.ranges)
  }
}

extension ContractSchedule {
  /// Computes a group that begins with a product as one kernel. False where no such kernel serves.
  static func schedule(
    _ form: ContractForm, in group: RowGroup, context: inout ScheduleContext
  ) throws -> Bool {
    guard form.accumulate == .f32 || form.accumulate == .f64, let result = group.stored.first,
      let columns = ColumnGroups(form, in: group, context: context),
      2 * columns.extent > context.machine.lanes(form.accumulate),
      2 * columns.count < context.machine.vectorRegisters
    else { return false }
    let schedule = ContractSchedule(form: form, columnGroups: columns)
    guard schedule.hasPanels(context) else { return false }
    context.result = result
    try schedule.run(&context)
    return true
  }
}
