import SinterCore
import SinterForms
import SinterKernelIR

extension Scheduler {
  /// A loop of calls. Slices are offsets into their wholes; a carried value lives in the memory of its final one, and
  /// each iteration leaves the next one there: straight away where nothing reads the old one any more, else by a copy at the
  /// end of the iteration.
  mutating func `repeat`(_ repetition: FormProgram.Repetition) {
    let outer = context.steps
    context.steps = []
    if !repetition.sizes.isEmpty {
      context.steps.append(.define(repetition.sizes.map { .init($0.current, .size($0.initial)) }))
    }
    for carried in repetition.carried {
      // A value whose size changes lives in the memory of what the body knows, and its last one as well.
      store(repetition.sizes.isEmpty ? carried.final : carried.current)
      guard let place = context.places[carried.final] ?? context.places[carried.current] else { continue }
      context.places[carried.current] = place
      context.places[carried.final] = place
      reserve(place.buffer)
      attempt(carried.final) { scheduler in try scheduler.copy(carried.initial, to: place) }
    }
    let before = context.steps
    context.steps = []

    let iteration = newIteration()
    let values = context.values
    func offset(_ sliced: FormProgram.Repetition.Sliced, _ whole: ScheduleContext.Place) -> ScheduleContext.Place {
      let number = sliced.isReversed ? repetition.count - 1 - Dim(iteration) : Dim(iteration)
      return .init(buffer: whole.buffer, offset: whole.offset + number * values[sliced.slice].type.count)
    }
    for input in repetition.inputs {
      attempt(input.whole) { scheduler in
        scheduler.context.places[input.slice] = offset(input, try scheduler.context.place(input.whole))
      }
    }
    let computed = Self.definitions(repetition.body)
    var copies: [(FormValueID, ScheduleContext.Place)] = []
    for output in repetition.outputs {
      store(output.whole)
      guard let whole = context.places[output.whole] else { continue }
      // Where the number of iterations is open, memory grows behind each iteration's computation, and what it collects is copied there.
      if repetition.iterations == nil, context.places[output.slice] == nil, computed.contains(output.slice) {
        context.places[output.slice] = offset(output, whole)
      } else {
        copies.append((output.slice, offset(output, whole)))
      }
    }
    for carried in repetition.carried
    where context.places[carried.next] == nil && computed.contains(carried.next)
      && context.shape(carried.next) == context.shape(carried.current)
      && isFree(carried.current, before: carried.next, in: repetition)
    {
      context.places[carried.next] = context.places[carried.current]
    }

    context.repetitions.append(RepetitionScope(repetition, iteration: iteration, values: values))
    run(repetition.body)
    let ahead = context.repetitions.removeLast().ahead
    for output in repetition.outputs where repetition.iterations != nil {
      guard let whole = context.places[output.whole] else { continue }
      // What holds nothing, however many iterations there are, needs no memory.
      guard case .dynamic = context.program.buffers[whole.buffer].storage else { continue }
      context.steps.append(.grow(whole.buffer, count: (Dim(iteration) + 1) * values[output.slice].type.count))
    }
    for (value, place) in copies {
      attempt(value) { scheduler in try scheduler.copy(value, to: place) }
    }
    advance(repetition.carried, repetition.sizes)

    let body = context.steps
    context.steps = outer + before + ahead
    attempt(repetition.carried.first?.final ?? FormValueID(0)) { scheduler in
      let condition = try repetition.condition.map { try scheduler.context.argument($0) }
      var behind: [KernelProgram.Definition] = repetition.sizes.map { .init($0.final, .size(Dim($0.current))) }
      if let iterations = repetition.iterations {
        // Counted besides, since a condition may have ended the loop before any iteration.
        let counter = scheduler.context.addScratch(.i64, count: 1, named: "iterations")
        try scheduler.setCounter(counter, to: 0)
        let first = scheduler.context.steps
        scheduler.context.steps = body
        try scheduler.setCounter(counter, to: Dim(iteration) + 1)
        let counted = scheduler.context.steps
        scheduler.context.steps =
          first + [.loop(iteration: iteration, count: repetition.count, condition: condition, body: counted)]
        let error = scheduler.context.program.errors.count
        scheduler.context.program.errors.append("a loop has run %0 iterations")
        behind.append(.init(iterations, .element(.init(counter), error: error)))
      } else {
        scheduler.context.steps.append(
          .loop(iteration: iteration, count: repetition.count, condition: condition, body: body))
      }
      if !behind.isEmpty { scheduler.context.steps.append(.define(behind)) }
    }
  }

  /// Memory for a buffer whose size may have changed.
  private mutating func reserve(_ buffer: BufferID) {
    if case .dynamic = context.program.buffers[buffer].storage { context.steps.append(.reserve(buffer)) }
  }

  /// Writes a number into a buffer of one i64.
  private mutating func setCounter(_ buffer: BufferID, to number: Dim) throws {
    let value = context.values.append(.init(type: TensorType(.i64, []), name: "iterations"))
    context.places[value] = .init(buffer: buffer)
    context.result = value
    let builder = context.bodyBuilder()
    try ElementSchedule.schedule(ElementForm(body: builder.body([builder.size(number)])), context: &context)
  }

  /// Moves what an iteration leaves to where the next one reads it. A value that is itself carried is saved first, since its
  /// memory may be overwritten on the way.
  ///
  /// Sizes change behind all computation of the iteration and before anything is moved: what is moved is as large as the next iteration has it.
  private mutating func advance(
    _ carried: [FormProgram.Repetition.Carried], _ sizes: [FormProgram.Repetition.Size]
  ) {
    let current = Set(carried.map(\.current))
    var moves: [(value: FormValueID, from: ScheduleContext.Place, to: ScheduleContext.Place)] = []
    for item in carried {
      attempt(item.next) { scheduler in
        guard let to = scheduler.context.places[item.current] else { return }
        var from = try scheduler.context.place(item.next)
        if from == to { return }
        if current.contains(item.next) {
          let type = scheduler.context.type(item.next)
          let saved = ScheduleContext.Place(
            buffer: scheduler.context.addScratch(type.element, count: type.count, named: "saved"))
          try scheduler.copy(item.next, to: saved)
          from = saved
        }
        moves.append((item.next, from, to))
      }
    }
    if !sizes.isEmpty {
      context.steps.append(.define(sizes.map { .init($0.current, .size($0.next)) }))
      for move in moves { reserve(move.to.buffer) }
    }
    let types = Dictionary(carried.map { ($0.next, context.type($0.current)) }) { first, _ in first }
    for move in moves {
      attempt(move.value) { scheduler in
        scheduler.context.result = move.value
        try CopySchedule.schedule(
          types[move.value] ?? scheduler.context.type(move.value), from: move.from, to: move.to,
          context: &scheduler.context)
      }
    }
  }

  /// Whether the step that computes `next` may write it over `current`: later steps do not read that, and this one
  /// reads it, if at all, element by element.
  private func isFree(
    _ current: FormValueID, before next: FormValueID, in repetition: FormProgram.Repetition
  ) -> Bool {
    if repetition.carried.contains(where: { $0.next == current }) { return false }
    if repetition.outputs.contains(where: { $0.slice == current || $0.slice == next }) { return false }
    if repetition.carried.filter({ $0.next == next }).count > 1 { return false }
    var isPast = false
    for step in repetition.body {
      if isPast {
        if Self.reads(step, current) { return false }
        continue
      }
      switch step {
      case .compute(next, let form):
        isPast = true
        if form.operands.contains(current), !readsInPlace(form, current, in: context.shape(next)) { return false }
      case .compute: break
      case .rows(let group):
        guard group.stored.contains(next) else { break }
        isPast = true
        if !isFree(current, before: next, in: group) { return false }
      case .repetition, .branch, .define, .require: if Self.definitions([step]).contains(next) { return false }
      }
    }
    return isPast
  }

  /// The same within a group, where that goes element by element: one that begins with a contraction.
  private func isFree(_ current: FormValueID, before next: FormValueID, in group: RowGroup) -> Bool {
    guard case .contract? = group.members.first?.form,
      let last = group.members.firstIndex(where: { $0.value == next })
    else { return false }
    return group.members.enumerated().allSatisfy { index, member in
      !member.form.operands.contains(current)
        || (index <= last && readsInPlace(member.form, current, in: context.shape(next)))
    }
  }

  private static func reads(_ step: FormProgram.Step, _ value: FormValueID) -> Bool {
    switch step {
    case .compute(_, let form): form.operands.contains(value)
    case .rows(let group): group.members.contains { $0.form.operands.contains(value) }
    case .repetition(let inner):
      inner.carried.contains { $0.initial == value || $0.next == value } || inner.inputs.contains { $0.whole == value }
        || inner.outputs.contains { $0.slice == value } || inner.body.contains { reads($0, value) }
    case .branch, .define, .require: step.operands.contains(value)
    }
  }

  /// Whether each element of an element form reads no other element of a value than the one it replaces.
  private func readsInPlace(_ form: Form, _ value: FormValueID, in shape: [Dim]) -> Bool {
    guard case .element(let element) = form, context.shape(value) == shape else { return false }
    return element.body.readsInPlace(value, shape)
  }
}
