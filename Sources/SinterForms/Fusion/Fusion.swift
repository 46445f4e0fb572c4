import SinterCore

/// Decides which values of a form program get memory, and moves the bodies of all others into their consumers.
///
/// Element forms are taken from the last to the first. When one is reached, its consumers have absorbed all that will be absorbed
/// after it, so it is known how often each element would be computed. It then goes into all of its consumers, or into none and is stored.
/// Then element forms become epilogues of the reductions, contractions and convolutions that they finish, and forms over
/// the same rows become groups. What nothing reads is dropped. Steps are put in order before they are grouped, and groups with them.
package struct Fusion {
  enum Node {
    case compute(FormValueID, Form)
    case other(FormProgram.Step)
    case dropped
  }

  var values: EntityMap<FormValueID, FormProgram.Value>
  let ranges: [Symbol: ClosedRange<Int>]
  let limits: FusionLimits
  var origins: [FormValueID: [String]] = [:]
  var report = FusionReport()
  /// The steps of the list at work, and for each value the positions of those that read it.
  var nodes: [Node] = []
  var users: [FormValueID: Set<Int>] = [:]
  var positions: [FormValueID: Int] = [:]
  /// Values that something outside the list reads.
  var outputs: Set<FormValueID> = []

  /// The fused program, and what was decided about each edge.
  package static func fuse(
    _ program: FormProgram, limits: FusionLimits = FusionLimits()
  ) -> (program: FormProgram, report: FusionReport) {
    var fusion = Fusion(values: program.values, ranges: program.ranges, limits: limits)
    var result = program
    result.steps = fusion.fuse(program.steps, outputs: Set(program.outputs.map(\.value)))
    result.values = fusion.values
    for (value, origin) in fusion.origins { result.values[value].origin = origin }
    return (result, fusion.report)
  }

  private init(
    values: EntityMap<FormValueID, FormProgram.Value>, ranges: [Symbol: ClosedRange<Int>], limits: FusionLimits
  ) {
    self.values = values
    self.ranges = ranges
    self.limits = limits
  }

  /// One list of steps: the program's, or the body of a repetition.
  private mutating func fuse(_ steps: [FormProgram.Step], outputs: Set<FormValueID>) -> [FormProgram.Step] {
    let steps = steps.map { step -> FormProgram.Step in
      switch step {
      case .repetition(var repetition):
        let left = repetition.carried.map(\.next) + repetition.outputs.map(\.slice)
        repetition.body = fuse(repetition.body, outputs: Set(left))
        return .repetition(repetition)
      case .branch(var branch):
        branch.then = fuse(branch.then, outputs: Set(branch.results.map(\.then)))
        branch.otherwise = fuse(branch.otherwise, outputs: Set(branch.results.map(\.otherwise)))
        return .branch(branch)
      case .compute, .rows, .define, .require: return step
      }
    }
    self.outputs = outputs
    nodes = steps.map { step in
      switch step {
      case .compute(let value, let form):
        let shape = values[value].type.shape
        return .compute(value, form.mapBodies(shape) { simplified($2, $1) })
      case .rows, .repetition, .branch, .define, .require: return .other(step)
      }
    }
    users = [:]
    positions = [:]
    for (position, node) in nodes.enumerated() {
      for operand in operands(of: node) { users[operand, default: []].insert(position) }
      if case .compute(let value, _) = node { positions[value] = position }
    }
    formAttention()
    hoistWork()
    for position in nodes.indices.reversed() { visit(position) }
    attachEpilogues()
    let fused = nodes.compactMap { node -> FormProgram.Step? in
      switch node {
      case .compute(let value, let form): .compute(value, decided(form, of: value))
      case .other(let step): step
      case .dropped: nil
      }
    }
    return grouped(fused)
  }

  /// Row groups, none of which reaches over a step that makes sizes known.
  private mutating func grouped(_ steps: [FormProgram.Step]) -> [FormProgram.Step] {
    let stretches = steps.split(omittingEmptySubsequences: false, whereSeparator: \.isBarrier)
    if stretches.count == 1 {
      return RowGrouping.group(
        Self.ordered(steps), outputs: outputs, values: values, ranges: ranges, limits: limits, report: &report)
    }
    // What one stretch leaves for others must be stored.
    var readers: [FormValueID: Set<Int>] = [:]
    for (number, stretch) in stretches.enumerated() {
      for operand in stretch.flatMap(\.operands) { readers[operand, default: []].insert(number) }
    }
    for barrier in steps where barrier.isBarrier {
      for operand in barrier.operands { readers[operand, default: []].insert(-1) }
    }
    var result: [FormProgram.Step] = []
    for (number, stretch) in stretches.enumerated() {
      let left = stretch.flatMap(\.results).filter { readers[$0]?.contains { $0 != number } ?? false }
      result += RowGrouping.group(
        Self.ordered(Array(stretch)), outputs: outputs.union(left), values: values, ranges: ranges, limits: limits,
        report: &report)
      if stretch.endIndex < steps.endIndex { result.append(steps[stretch.endIndex]) }
    }
    return result
  }

  /// Steps behind all that they read. Work that was moved to where another step stood may read what is computed between the two.
  private static func ordered(_ steps: [FormProgram.Step]) -> [FormProgram.Step] {
    var definition: [FormValueID: Int] = [:]
    for (index, step) in steps.enumerated() {
      for value in step.results { definition[value] = index }
    }
    let order = StepOrder.sorted(Array(steps.indices), limit: steps.count) { index in
      steps[index].operands.compactMap { definition[$0] }
    }
    return order.map { steps[$0] }
  }

  /// Whether the limit leaves room for another move.
  var mayMove: Bool { report.moves.count < limits.moves }

  func simplified(_ body: Body, _ extents: [Dim]) -> Body {
    BodySimplifier.simplify(body, extents: extents, values: values, ranges: ranges)
  }

  /// The form without selections that others around them decide, of which each operator that moved into a padded load left one.
  private func decided(_ form: Form, of value: FormValueID) -> Form {
    form.mapBodies(values[value].type.shape) { [values] _, _, body in
      body.withoutNestedSelects { values[$0].type.element }
    }
  }

  func operands(of node: Node) -> [FormValueID] {
    switch node {
    case .compute(_, let form): form.operands
    case .other(let step): step.operands
    case .dropped: []
    }
  }

  // MARK: Inlining

  /// Drops a step that nothing reads; moves an element form into its consumers where that pays.
  private mutating func visit(_ position: Int) {
    switch nodes[position] {
    case .dropped: return
    case .other(let step):
      if !step.isBarrier, step.results.allSatisfy({ isUnused($0) }) { drop(position) }
    case .compute(let value, let form):
      if isUnused(value) { return drop(position) }
      guard case .element(let element) = form else { return }
      inline(value, element.body, at: position)
    }
  }

  func isUnused(_ value: FormValueID) -> Bool { !outputs.contains(value) && users[value]?.isEmpty ?? true }

  mutating func drop(_ position: Int) {
    for operand in operands(of: nodes[position]) { users[operand]?.remove(position) }
    nodes[position] = .dropped
  }

  private mutating func inline(_ value: FormValueID, _ body: Body, at position: Int) {
    guard mayMove else { return }
    let consumers = (users[value] ?? []).sorted()
    switch plan(value, body, consumers) {
    case .failure(let refusal):
      for consumer in consumers { report.add(value, name(consumer), .stored(refusal)) }
    case .success(let forms):
      report.add(.inlining, [value] + consumers.map(name))
      for (consumer, form) in zip(consumers, forms) {
        guard case .compute(let target, _) = nodes[consumer] else { continue }
        report.add(value, target, .inlined)
        origins[target] = merged(origin(target), origin(value))
        nodes[consumer] = .compute(target, form)
        users[value]?.remove(consumer)
        for operand in form.operands { users[operand, default: []].insert(consumer) }
      }
      drop(position)
    }
  }

  private enum Plan {
    /// The consumers' forms with the value computed inside.
    case success([Form])
    case failure(FusionReport.Refusal)
  }

  private func plan(_ value: FormValueID, _ body: Body, _ consumers: [Int]) -> Plan {
    if outputs.contains(value) { return .failure(.isOutput) }
    let cost = FusionCost(body)
    var evaluations = 0.0
    let count = Swift.max(values[value].type.count.estimate(ranges), 1)
    var consumerForms: [(target: FormValueID, form: Form)] = []
    for consumer in consumers {
      guard case .compute(let target, let form) = nodes[consumer] else { return .failure(.isReadByRepetition) }
      if form.wholeOperands.contains(value) { return .failure(.isReadByCall) }
      var isSide = false
      var length = 0
      form.forEachBody(values[target].type.shape) { slot, extents, consumerBody in
        let sites = consumerBody.loads(of: value)
        if sites == 0 { return }
        let ratio = extents.reduce(Dim(1), *).estimate(ranges) / count
        // What a concatenation of known sizes reads under a condition is computed only in its own part.
        let isPart = extents.allSatisfy(\.isConstant) && consumerBody.loads(of: value, conditional: true) == sites
        evaluations += Double(sites) * (isPart ? Swift.min(ratio, 1) : ratio)
        isSide = isSide || slot.isFactor
        length = Swift.max(length, consumerBody.exprs.count + sites * body.exprs.count)
      }
      if isSide && !body.isPlain { return .failure(.isNoRelayout) }
      if length > 2 * limits.bodyLength { return .failure(.isTooLong) }
      consumerForms.append((target, form))
    }
    if !cost.prefersInlining(evaluations: evaluations, limits) { return .failure(.isDear) }
    if canBecomeEpilogue(value, body), !(consumers.count == 1 && continues(value, in: nodes[consumers[0]])) {
      return .failure(.becomesEpilogue)
    }
    var forms: [Form] = []
    for (target, form) in consumerForms {
      var refusal: FusionReport.Refusal?
      var isIrregular = false
      var fused = form.mapBodies(values[target].type.shape) { slot, extents, consumerBody in
        if consumerBody.loads(of: value) == 0 { return consumerBody }
        let result = simplified(inlined(body, of: value, into: consumerBody, axes: extents.count), extents)
        if result.exprs.count > limits.bodyLength { refusal = .isTooLong }
        if slot.isFactor && !isRegular(result, slot, extents, of: form) { isIrregular = true }
        return result
      }
      if isIrregular {
        guard let regular = regular(fused, values[target].type.shape) else { return .failure(.isNotAffine) }
        fused = regular
      }
      if let refusal { return .failure(refusal) }
      forms.append(fused)
    }
    return .success(forms)
  }

  /// Whether a side of a product reads memory in a way that schedules can follow.
  private func isRegular(_ body: Body, _ slot: BodySlot, _ extents: [Dim], of form: Form) -> Bool {
    if body.hasOnlyAffineLoads(free: form.freeAxes) { return true }
    guard let picking = form.pickingAxes(slot) else { return false }
    return AffineAccess(body, axes: extents.count, picking: picking) { values[$0].type.shape } != nil
  }

  /// A contraction with its summed axes taken apart until both sides read regularly; nil where that does not help.
  private func regular(_ form: Form, _ shape: [Dim]) -> Form? {
    var form = form
    for _ in 0..<3 {
      guard case .contract(let contract) = form, let split = contract.splittingDepth() else { return nil }
      form = Form.contract(split).mapBodies(shape) { simplified($2, $1) }
      if case .contract(let result) = form, result.lhs.hasOnlyAffineLoads, result.rhs.hasOnlyAffineLoads { return form }
    }
    return nil
  }

  /// A consumer's body with each load of a value replaced by the body that computes it.
  func inlined(_ producer: Body, of value: FormValueID, into consumer: Body, axes: Int) -> Body {
    let builder = BodyBuilder(widensExactly: true) { [values] in values[$0].type.element }
    let results = builder.inline(consumer, axes: (0..<axes).map { builder.axis($0) }) {
      operand, indices, condition, otherwise in
      guard operand == value else { return nil }
      let computed = builder.inline(producer, axes: indices, where: condition)[0]
      guard let condition else { return computed }
      return builder.select(condition, computed, builder.constant(otherwise, computed.type))
    }
    return builder.body(results)
  }

  /// Whether a consumer is an element form that reads the value just where it computes, so that both can end up in one epilogue.
  private func continues(_ value: FormValueID, in node: Node) -> Bool {
    guard case .compute(let target, .element(let element)) = node,
      values[target].type.shape == values[value].type.shape
    else { return false }
    return element.body.readsInPlace(value, values[value].type.shape) && !isNarrowBesideAnother(value, in: element.body)
  }

  /// Whether a value takes fewer bytes than the accumulators that it is computed from, and its consumer ends work on another form's as well:
  /// stored in place of its own accumulators, it saves memory and the consumer's time. As an epilogue the consumer still goes to one of them.
  private func isNarrowBesideAnother(_ value: FormValueID, in consumer: Body) -> Bool {
    guard let own = accumulators(behind: value), own.bits > values[value].type.element.bits else { return false }
    return consumer.operands.contains { $0 != value && accumulators(behind: $0) != nil }
  }

  /// The type of the accumulators that a chain of element work in place begins with.
  private func accumulators(behind value: FormValueID, depth: Int = 0) -> ElementType? {
    guard let position = positions[value], case .compute(_, let form) = nodes[position] else { return nil }
    if let type = form.accumulatorType { return type }
    guard case .element(let element) = form, depth < 8 else { return nil }
    let shape = values[value].type.shape
    for operand in element.body.operands
    where values[operand].type.shape == shape && element.body.readsInPlace(operand, shape) {
      if let type = accumulators(behind: operand, depth: depth + 1) { return type }
    }
    return nil
  }

  private func name(_ position: Int) -> FormValueID {
    switch nodes[position] {
    case .compute(let value, _): value
    case .other(let step): step.results.first ?? FormValueID(0)
    case .dropped: FormValueID(0)
    }
  }

  func origin(_ value: FormValueID) -> [String] { origins[value] ?? values[value].origin }

  func merged(_ a: [String], _ b: [String]) -> [String] { a + b.filter { !a.contains($0) } }
}
