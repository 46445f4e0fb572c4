import SinterCore
import SinterForms
import SinterKernelIR

/// Turns a fused form program into kernels, buffers and calls.
///
/// Each stored value gets one buffer: a port's, a constant's, or memory of the arena. Results that are outputs are
/// written into the output's memory straight away. Equal kernels exist once.
package struct Scheduler {
  var context: ScheduleContext
  let program: FormProgram
  var problems: [Diagnostic] = []
  private var iterations = 0

  private init(_ program: FormProgram, machine: Machine, options: ScheduleOptions) {
    self.program = program
    context = ScheduleContext(program: program, machine: machine, options: options)
  }

  /// Schedules a program for a processor. Throws all that no schedule serves.
  package static func schedule(
    _ program: FormProgram, for machine: Machine, options: ScheduleOptions = ScheduleOptions()
  ) throws -> KernelProgram {
    var scheduler = Scheduler(program, machine: machine, options: options)
    return try scheduler.run()
  }

  private mutating func run() throws -> KernelProgram {
    context.program.errors = program.errors
    context.program.ranges = program.ranges
    context.program.texts = program.texts
    context.transforms = WinogradBudget.plans(for: program, context)
    for (number, input) in program.inputs.enumerated() {
      let type = context.type(input.value)
      context.program.inputs.append(.init(name: input.name, type: input.declared ?? type))
      if context.places[input.value] == nil {
        context.places[input.value] = .init(buffer: addBuffer(input.value, name: input.name, .input(number)))
      } else {
        _ = addBuffer(input.value, name: input.name, .input(number))
      }
    }
    let computed = Self.definitions(program.steps)
    let latecomers = Self.latecomers(program.steps)
    var copies: [(value: FormValueID, buffer: BufferID)] = []
    for (number, output) in program.outputs.enumerated() {
      context.program.outputs.append(.init(name: output.name, type: output.declared ?? context.type(output.value)))
      let buffer = addBuffer(output.value, name: output.name, .output(number))
      if context.places[output.value] == nil, computed.contains(output.value), !latecomers.contains(output.value) {
        context.places[output.value] = .init(buffer: buffer)
      } else {
        copies.append((output.value, buffer))
      }
    }
    run(program.steps)
    for (value, buffer) in copies {
      attempt(value) { scheduler in try scheduler.copy(value, to: .init(buffer: buffer)) }
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    var result = context.program
    result.steps = context.steps
    result.takeObligationsOut()
    result.placeReservations()
    result.requireSizesInside()
    return result
  }

  /// What a list of steps leaves behind for later ones.
  static func definitions(_ steps: [FormProgram.Step]) -> Set<FormValueID> {
    var found: Set<FormValueID> = []
    for step in steps {
      switch step {
      case .compute(let value, _): found.insert(value)
      case .rows(let group): found.formUnion(group.stored)
      case .repetition(let repetition):
        found.formUnion(repetition.carried.map(\.final))
        found.formUnion(repetition.outputs.map(\.whole))
      case .branch(let branch): found.formUnion(branch.results.map(\.result))
      case .define, .require: break
      }
    }
    return found
  }

  /// What repetitions leave behind of which a size is known only after the last iteration: it cannot be computed in an output's memory.
  private static func latecomers(_ steps: [FormProgram.Step]) -> Set<FormValueID> {
    var found: Set<FormValueID> = []
    for case .repetition(let repetition) in steps {
      if !repetition.sizes.isEmpty { found.formUnion(repetition.carried.map(\.final)) }
      if repetition.iterations != nil { found.formUnion(repetition.outputs.map(\.whole)) }
    }
    return found
  }

  mutating func run(_ steps: [FormProgram.Step]) {
    for step in steps {
      switch step {
      case .compute(let value, let form):
        store(value)
        attempt(value) { scheduler in try scheduler.context.schedule(form, computing: value) }
      case .rows(let group):
        group.stored.forEach { store($0) }
        guard let last = group.members.last?.value else { continue }
        attempt(last) { scheduler in
          scheduler.context.result = last
          try RowsSchedule.schedule(group, context: &scheduler.context)
        }
      case .repetition(let repetition): self.repeat(repetition)
      case .branch(let branch): self.branch(branch)
      case .define(let symbol, .size(let size)): context.steps.append(.define([.init(symbol, .size(size))]))
      case .define(let symbol, .element(let value, let error)):
        attempt(value) { scheduler in
          let place = try scheduler.context.argument(value)
          scheduler.context.steps.append(.define([.init(symbol, .element(place, error: error))]))
        }
      case .require(let obligation): context.steps.append(.require(obligation))
      }
    }
  }

  /// Two lists of calls, of which one runs. Both leave their results in the same memory.
  private mutating func branch(_ branch: FormProgram.Branch) {
    attempt(branch.condition) { scheduler in
      let condition = try scheduler.context.argument(branch.condition)
      for item in branch.results { scheduler.store(item.result) }
      func list(
        _ steps: [FormProgram.Step], _ size: KeyPath<FormProgram.Branch.Size, Dim>,
        _ result: KeyPath<FormProgram.Branch.Result, FormValueID>
      ) -> [KernelProgram.Step] {
        let (outer, repetitions) = (scheduler.context.steps, scheduler.context.repetitions)
        scheduler.context.steps = []
        // What only one branch needs is not computed ahead of a repetition around it.
        scheduler.context.repetitions = []
        defer { (scheduler.context.steps, scheduler.context.repetitions) = (outer, repetitions) }
        scheduler.run(steps)
        if !branch.sizes.isEmpty {
          scheduler.context.steps.append(.define(branch.sizes.map { .init($0.symbol, .size($0[keyPath: size])) }))
        }
        for item in branch.results {
          let value = item[keyPath: result]
          scheduler.attempt(value) { scheduler in
            guard let place = scheduler.context.places[item.result] else { return }
            try scheduler.copy(value, to: place)
          }
        }
        return scheduler.context.steps
      }
      let then = list(branch.then, \.then, \.then)
      let otherwise = list(branch.otherwise, \.otherwise, \.otherwise)
      scheduler.context.steps.append(.branch(condition: condition, then: then, otherwise: otherwise))
    }
  }

  /// Runs a part that may fail, and goes on after noting why.
  mutating func attempt(_ value: FormValueID, _ work: (inout Scheduler) throws -> Void) {
    do {
      try work(&self)
    } catch let error as DiagnosticError {
      let origin = context.values[value].origin
      problems += (origin.first.map { error.located(at: $0) } ?? error).diagnostics
    } catch {
      problems.append(Diagnostic(.bug, "schedule.error", "\(error)"))
    }
  }

  // MARK: Buffers

  /// Gives a value memory, unless it has some.
  mutating func store(_ value: FormValueID) {
    if context.places[value] != nil { return }
    let storage = KernelProgram.Buffer.Storage.between(context.values[value].type.count)
    context.places[value] = .init(buffer: addBuffer(value, name: context.values[value].name, storage))
  }

  mutating func addBuffer(
    _ value: FormValueID, name: String, _ storage: KernelProgram.Buffer.Storage
  ) -> BufferID {
    let item = context.values[value]
    return context.program.buffers.append(
      .init(
        name: name, element: item.type.element, count: item.type.count, storage: storage, origin: item.origin))
  }

  /// Copies a value to another place.
  mutating func copy(_ value: FormValueID, to place: ScheduleContext.Place) throws {
    let source = try context.place(value)
    if source == place { return }
    context.result = value
    try CopySchedule.schedule(context.type(value), from: source, to: place, context: &context)
  }

  mutating func newIteration() -> Symbol {
    iterations += 1
    return Symbol("iteration\(iterations).")
  }
}

extension ScheduleContext {
  private mutating func invoke(_ form: CallForm) throws {
    let values = [result] + form.operands
    steps.append(
      .invoke(
        .init(
          form.function, buffers: try values.map { try argument($0) }, counts: values.map { type($0).count },
          parameters: form.parameters, origin: self.values[result].origin)))
  }

  /// Writes the kernels and calls that compute a value; its place is known already.
  mutating func schedule(_ form: Form, computing value: FormValueID) throws {
    result = value
    // What has no elements whatever the sizes are needs no kernel; the places of its elements may not even be sizes.
    if type(value).count == 0 { return }
    for operand in form.operands + [value] where element(operand) == .string {
      throw DiagnosticError(.bug, "schedule.string", "value \(operand) is text, which kernels know as numbers")
    }
    switch form {
    case .element(let form): try ElementSchedule.schedule(form, context: &self)
    case .reduce(let form): try ReduceSchedule.schedule(form, context: &self)
    case .contract(let form): try ContractSchedule.schedule(form, context: &self)
    case .attend(let form): try AttendSchedule.schedule(form, context: &self)
    case .convolve(let form): try ConvolveSchedule.schedule(form, context: &self)
    case .scan(let form): try ScanSchedule.schedule(form, context: &self)
    case .scatter(let form): try ScatterSchedule.schedule(form, context: &self)
    case .sort(let form): try SortSchedule.schedule(form, context: &self)
    case .call(let form): try invoke(form)
    }
  }
}
