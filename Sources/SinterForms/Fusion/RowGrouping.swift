import SinterCore

/// Gathers reductions over rows, and the element work around them, into groups that are computed row by row; and products with the element
/// work that combines groups of their columns.
///
/// A group grows from a reduction over the last axes: backward over the element forms that it reads, forward over the element forms and
/// reductions that read members at their own row. What a group needs is computed before it and what needs it behind; a step for which both
/// would hold keeps another from joining. A group that begins with a product grows forward only, over the element forms that read members
/// just where they compute, and is given up where another reads the product.
struct RowGrouping {
  private let limits: FusionLimits
  private let steps: [FormProgram.Step]
  private let outputs: Set<FormValueID>
  private let values: EntityMap<FormValueID, FormProgram.Value>
  private let ranges: [Symbol: ClosedRange<Int>]
  private let operands: [[FormValueID]]
  private var definition: [FormValueID: Int] = [:]
  private var readers: [FormValueID: [Int]] = [:]
  private var groups: [Group] = []
  private var groupOf: [Int: Int] = [:]
  /// Steps and groups as nodes of one graph, which stays free of cycles.
  private var order: StepOrder

  private struct Group {
    var rows: [Dim]
    var tail: [Dim]
    /// Positions of steps, in order.
    var members: [Int]
    /// The product that it begins with.
    var product: FormValueID?
  }

  static func group(
    _ steps: [FormProgram.Step], outputs: Set<FormValueID>, values: EntityMap<FormValueID, FormProgram.Value>,
    ranges: [Symbol: ClosedRange<Int>], limits: FusionLimits, report: inout FusionReport
  ) -> [FormProgram.Step] {
    var grouping = RowGrouping(steps, outputs: outputs, values: values, ranges: ranges, limits: limits)
    for position in steps.indices
    where grouping.groupOf[position] == nil && report.moves.count + grouping.groups.count < limits.moves {
      grouping.grow(from: position)
    }
    return grouping.groups.isEmpty ? steps : grouping.ordered(&report)
  }

  private init(
    _ steps: [FormProgram.Step], outputs: Set<FormValueID>, values: EntityMap<FormValueID, FormProgram.Value>,
    ranges: [Symbol: ClosedRange<Int>], limits: FusionLimits
  ) {
    self.limits = limits
    self.steps = steps
    self.outputs = outputs
    self.values = values
    self.ranges = ranges
    operands = steps.map(\.operands)
    var stepReaders: [[Int]] = Array(repeating: [], count: steps.count)
    for (index, step) in steps.enumerated() {
      for value in step.results { definition[value] = index }
      for operand in operands[index] {
        readers[operand, default: []].append(index)
        if let at = definition[operand], at < index { stepReaders[at].append(index) }
      }
    }
    order = StepOrder(readers: stepReaders)
  }

  // MARK: Growth

  private mutating func grow(from position: Int) {
    guard var group = start(position) else { return }
    for operand in operands[position] where group.product == nil {
      if let at = definition[operand], at < position, position - at <= limits.groupReach { join(at, &group) }
    }
    for at in (position + 1)..<Swift.max(position + 1, Swift.min(steps.count, position + limits.groupReach)) {
      let isReader = operands[at].contains { definition[$0].map { group.members.contains($0) } ?? false }
      if isReader { join(at, &group) }
    }
    guard group.members.count > 1 else { return }
    if let product = group.product, !(readers[product] ?? []).allSatisfy({ group.members.contains($0) }) { return }
    for member in group.members { groupOf[member] = groups.count }
    order.join(group.members)
    groups.append(group)
  }

  private func start(_ position: Int) -> Group? {
    switch steps[position] {
    case .compute(let value, .reduce(let reduce)): start(value, reduce, position)
    case .compute(let value, .contract(let product)): start(value, product, position)
    case .compute, .rows, .repetition, .branch, .define, .require: nil
    }
  }

  /// A group of one product, where all its readers are element forms of one shape that combine a few groups of its columns.
  private func start(_ value: FormValueID, _ product: ContractForm, _ position: Int) -> Group? {
    let shape = values[value].type.shape
    guard product.n.count == 1, !outputs.contains(value), let reader = readers[value]?.first,
      case .compute(let target, .element) = steps[reader], let extent = values[target].type.shape.last,
      extent != shape.last
    else { return nil }
    let group = Group(rows: Array(shape.dropLast()), tail: [extent], members: [position], product: value)
    let serves = (readers[value] ?? []).allSatisfy { fits($0, group) && readsOwnRows($0, group) }
    return serves ? group : nil
  }

  /// A group of one reduction, where it runs over the last axes.
  private func start(_ value: FormValueID, _ reduce: ReduceForm, _ position: Int) -> Group? {
    let shape = values[value].type.shape
    let inner = reduce.inner
    let isKept = shape.count >= inner.count && shape.suffix(inner.count).allSatisfy { $0 == 1 }
    let rows = isKept ? Array(shape.dropLast(inner.count)) : shape
    let count = rows.reduce(Dim(1), *).estimate(ranges)
    let length = inner.reduce(Dim(1), *).estimate(ranges)
    guard count >= limits.rowsForThreads || length <= limits.shortRow else { return nil }
    return Group(rows: rows, tail: inner, members: [position])
  }

  private func join(_ position: Int, _ group: inout Group) {
    guard group.members.count < limits.groupSize, groupOf[position] == nil, !group.members.contains(position),
      fits(position, group)
    else { return }
    var larger = group
    larger.members = (group.members + [position]).sorted()
    guard larger.members.allSatisfy({ readsOwnRows($0, larger) }), !order.wouldClose(larger.members) else { return }
    group = larger
  }

  /// Whether the shape of what a step computes has the group's rows and tail.
  private func fits(_ position: Int, _ group: Group) -> Bool {
    guard case .compute(let value, let form) = steps[position] else { return false }
    let shape = values[value].type.shape
    guard shape.count >= group.rows.count, Array(shape.prefix(group.rows.count)) == group.rows else { return false }
    let rest = Array(shape.dropFirst(group.rows.count))
    if group.product != nil {
      guard case .element(let element) = form else { return false }
      return rest == group.tail && element.body.hasOnlyAffineLoads
    }
    let isOne = rest.allSatisfy { $0 == 1 }
    switch form {
    case .element: return isOne || rest == group.tail
    case .reduce(let form): return isOne && form.inner == group.tail
    case .contract, .attend, .convolve, .scan, .scatter, .sort, .call: return false
    }
  }

  private func readsOwnRows(_ position: Int, _ group: Group) -> Bool {
    guard case .compute(let value, let form) = steps[position] else { return false }
    if let product = group.product {
      // The product is no reader of itself.
      if value == product { return true }
      return form.bodies.allSatisfy { readsOwnColumns($0, group, product) }
    }
    var holds = true
    form.forEachBody(values[value].type.shape) { _, _, body in
      for expr in body.exprs {
        guard case .load(let operand, let indices, _, _) = expr.node, let at = definition[operand],
          group.members.contains(at)
        else { continue }
        holds =
          holds
          && group.rows.indices.allSatisfy { axis in
            body[indices[axis]].node == .axis(axis)
              || (group.rows[axis] == 1 && body[indices[axis]].node == .constant(.int(0)))
          }
      }
    }
    return holds
  }

  /// Whether a body reads members of a group just where it computes, and the product there in some of its groups of columns.
  private func readsOwnColumns(_ body: Body, _ group: Group, _ product: FormValueID) -> Bool {
    let shape = group.rows + group.tail
    return body.exprs.allSatisfy { expr in
      guard case .load(let operand, let indices, let condition, _) = expr.node else { return true }
      if operand == product {
        return condition == nil && body.isPlace(indices.dropLast(), group.rows)
          && body.columnGroup(indices[group.rows.count], axis: group.rows.count, extent: group.tail[0]) != nil
      }
      guard let at = definition[operand], group.members.contains(at) else { return true }
      return condition == nil && body.isPlace(indices[...], shape)
    }
  }

  // MARK: Order

  /// The steps with groups in place of their members: each as early as what comes first in it, behind all that it reads, which is possible
  /// since the graph of groups and other steps has no cycle.
  private func ordered(_ report: inout FusionReport) -> [FormProgram.Step] {
    func first(_ position: Int) -> Int { groupOf[position].map { groups[$0].members[0] } ?? position }
    let nodes = steps.indices.filter { first($0) == $0 }
    let order = StepOrder.sorted(nodes, limit: steps.count) { node in
      let members = groupOf[node].map { groups[$0].members } ?? [node]
      return members.flatMap { operands[$0] }.compactMap { definition[$0].map(first) }.filter { $0 != node }
    }
    let result = order.map { node in groupOf[node].map { step(of: groups[$0]) } ?? steps[node] }
    for group in groups {
      report.add(
        .rows,
        group.members.compactMap { if case .compute(let value, _) = steps[$0] { value } else { nil } })
      for member in group.members {
        guard case .compute(let value, _) = steps[member] else { continue }
        for reader in readers[value] ?? [] where group.members.contains(reader) {
          if case .compute(let target, _) = steps[reader] { report.add(value, target, .rows) }
        }
      }
    }
    return result
  }

  private func step(of group: Group) -> FormProgram.Step {
    let members = group.members.compactMap { position -> RowGroup.Member? in
      guard case .compute(let value, let form) = steps[position] else { return nil }
      return .init(value: value, form: form)
    }
    let stored = members.map(\.value).filter { value in
      outputs.contains(value) || (readers[value] ?? []).contains { !group.members.contains($0) }
    }
    return .rows(RowGroup(rows: group.rows, members: members, stored: stored))
  }
}
