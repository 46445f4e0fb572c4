import SinterCore
import SinterForms

/// Rounds operands of products and convolutions of f32 to bf16, for `ProductMath.bf16`.
///
/// Constant weights become constants of bf16, which take half the memory, in the library and on the way to the processor. What many rows of such a
/// product are made of is rounded as well (to nearest, ties to even) where the processor sums pairs of bf16 faster than it multiplies and adds f32.
/// Of products of two computed operands both are rounded there, if they are long enough to be packed. Sums stay f32. Convolutions that transforms serve better keep all their bits, and so do those of single channels and attention.
package struct BfloatOperands {
  private var program: FormProgram
  private let machine: Machine
  private let options: ScheduleOptions
  /// Convolutions that are transformed.
  private let transformed: Set<FormValueID>
  /// Weights that are rounded already.
  private var narrow: [FormValueID: FormValueID] = [:]

  /// The same program with such operands; the program itself where the options want f32.
  package static func applied(to program: FormProgram, machine: Machine, options: ScheduleOptions) -> FormProgram {
    guard options.math == .bf16 else { return program }
    var operands = BfloatOperands(program, machine, options)
    operands.program.steps = operands.rewritten(program.steps)
    return operands.program
  }

  private init(_ program: FormProgram, _ machine: Machine, _ options: ScheduleOptions) {
    (self.program, self.machine, self.options) = (program, machine, options)
    let context = ScheduleContext(program: program, machine: machine, options: options)
    transformed = Set(WinogradBudget.plans(for: program, directSpeed: machine.pairDotSpeed, context).keys)
  }

  private var roundsRows: Bool { machine.fastOperation(.bf16, .bf16, in: .f32) != nil }

  private mutating func rewritten(_ steps: [FormProgram.Step]) -> [FormProgram.Step] {
    /// Images of this list that are rounded already.
    var images: [FormValueID: FormValueID] = [:]
    return steps.flatMap { step -> [FormProgram.Step] in
      switch step {
      case .compute(let value, .contract(let form)):
        return [.compute(value, .contract(rewritten(form, roundsRows: roundsRows)))]
      case .compute(let value, .convolve(let form)): return rewritten(form, computing: value, &images)
      case .rows(var group):
        for index in group.members.indices {
          guard case .contract(let form) = group.members[index].form else { continue }
          group.members[index].form = .contract(rewritten(form, roundsRows: false))
        }
        return [.rows(group)]
      case .repetition(var repetition):
        repetition.body = rewritten(repetition.body)
        return [.repetition(repetition)]
      case .branch(var branch):
        branch.then = rewritten(branch.then)
        branch.otherwise = rewritten(branch.otherwise)
        return [.branch(branch)]
      case .compute, .define, .require: return [step]
      }
    }
  }

  private mutating func rewritten(_ form: ContractForm, roundsRows: Bool) -> ContractForm {
    let context = ScheduleContext(program: program, machine: machine, options: options)
    guard form.accumulate == .f32 else { return form }
    if !ContractSchedule(form: form).hasPanels(context) {
      return roundsRows && roundsBoth(form) ? computed(form) : form
    }
    guard let weight = form.rhs.operands.first, let half = rounded(weight: weight)
    else { return form }
    var form = form
    let values = program.values
    let builder = BodyBuilder { values[$0].type.element }
    func axes(_ own: [Dim]) -> [Expr] { (0..<(form.batch + own + form.k).count).map { builder.axis($0) } }
    form.rhs = builder.body(
      builder.inline(form.rhs, axes: axes(form.n)) { operand, indices, _, _ in
        operand == weight ? builder.load(half, indices).cast(to: .f32) : nil
      })
    if roundsRows, TaskSplit.estimate(form.m.reduce(1, *)) > RegisterTile.fewRows,
      form.k.allSatisfy({ $0.value != nil })
    {
      form.lhs = rounded(form.lhs, axes: (form.batch + form.m + form.k).count)
    }
    return form
  }

  /// Whether both sides are computed, of f32, and worth being rounded and packed. Tiles take constant right sides only.
  private func roundsBoth(_ form: ContractForm) -> Bool {
    machine.vectorPairDotSpeed > 1
      && (form.lhs.operands + form.rhs.operands).allSatisfy {
        program.values[$0].type.element == .f32 && program.values[$0].constant == nil
      } && ContractSchedule(form: form).packsPairs(machine)
  }

  private func computed(_ form: ContractForm) -> ContractForm {
    var form = form
    form.lhs = rounded(form.lhs, axes: (form.batch + form.m + form.k).count)
    form.rhs = rounded(form.rhs, axes: (form.batch + form.n + form.k).count)
    return form
  }

  /// A body of f32 that gives numbers of bf16.
  private func rounded(_ body: Body, axes: Int) -> Body {
    let values = program.values
    let builder = BodyBuilder { values[$0].type.element }
    let results = builder.inline(body, axes: (0..<axes).map { builder.axis($0) })
    return builder.body(results.map { $0.cast(to: .bf16).cast(to: .f32) })
  }

  private mutating func rewritten(
    _ form: ConvolveForm, computing value: FormValueID, _ images: inout [FormValueID: FormValueID]
  ) -> [FormProgram.Step] {
    guard form.channelsLast, form.accumulate == .f32, !transformed.contains(value),
      !ConvolveSchedule.isDepthwise(form, program.values[form.weight].type.shape),
      let weight = rounded(weight: form.weight)
    else { return [.compute(value, .convolve(form))] }
    var form = form
    form.weight = weight
    guard roundsRows, !form.isTransposed else { return [.compute(value, .convolve(form))] }
    if let image = images[form.input] {
      form.input = image
      return [.compute(value, .convolve(form))]
    }
    let given = program.values[form.input]
    let image = program.values.append(
      .init(type: TensorType(.bf16, given.type.shape), name: given.name, origin: given.origin))
    let values = program.values
    let builder = BodyBuilder { values[$0].type.element }
    let load = builder.load(form.input, given.type.shape.indices.map { builder.axis($0) })
    images[form.input] = image
    form.input = image
    return [
      .compute(image, .element(ElementForm(body: builder.body([load.cast(to: .bf16)])))),
      .compute(value, .convolve(form)),
    ]
  }

  /// A constant of f32 as one of bf16; nil for anything else.
  private mutating func rounded(weight: FormValueID) -> FormValueID? {
    if let known = narrow[weight] { return known }
    let value = program.values[weight]
    guard let tensor = value.constant, tensor.element == .f32 else { return nil }
    let rounded = HostTensor(
      .bf16, tensor.shape, values: tensor.array(of: Float.self).map { NarrowFloat.encodeBF16($0) })
    narrow[weight] = program.values.append(
      .init(type: rounded.type, name: value.name, origin: value.origin, constant: rounded))
    return narrow[weight]
  }
}
