import SinterCore
import SinterForms

/// Stores f16 and bf16 results that products read in f32, in which products are summed.
///
/// An element that a model holds in 16 bits is rounded to them by the step that computes it, as before, and is then kept in f32: it is widened
/// once and not by each tile that reads it, and no copy stands between a step and its reader. Bits do not change. Weights, inputs, outputs and
/// what repetitions and branches hand on keep their types, and so does all that only element work reads, which 16 bits serve best.
package struct WideStorage {
  private let program: FormProgram
  /// Values whose types others rely on.
  private var fixed: Set<FormValueID>
  /// Values that a step computes whose last instruction can round.
  private var computed: Set<FormValueID> = []
  /// Values that products read.
  private var factors: Set<FormValueID> = []

  /// The same program with such values in f32.
  package static func applied(to program: FormProgram) -> FormProgram {
    var storage = WideStorage(program)
    storage.visit(program.steps)
    let wide = storage.computed.intersection(storage.factors).subtracting(storage.fixed)
    if wide.isEmpty { return program }
    var result = program
    for value in wide { result.values[value].type.element = .f32 }
    result.steps = WideRewriting(wide: wide, before: program.values, after: result.values).rewritten(program.steps)
    return result
  }

  private init(_ program: FormProgram) {
    self.program = program
    fixed = Set((program.inputs + program.outputs).map(\.value))
  }

  // MARK: What is stored wide

  private mutating func visit(_ steps: [FormProgram.Step]) {
    for step in steps {
      switch step {
      case .compute(let value, let form): visit(form, computing: value)
      case .rows(let group): for member in group.members { visit(member.form, computing: member.value) }
      case .repetition(let repetition):
        for item in repetition.carried { fixed.formUnion([item.initial, item.current, item.next, item.final]) }
        for item in repetition.inputs + repetition.outputs { fixed.formUnion([item.whole, item.slice]) }
        visit(repetition.body)
      case .branch(let branch):
        for item in branch.results { fixed.formUnion([item.then, item.otherwise, item.result]) }
        visit(branch.then + branch.otherwise)
      case .define, .require: break
      }
    }
  }

  private mutating func visit(_ form: Form, computing value: FormValueID) {
    let element = program.values[value].type.element
    switch form {
    case .element, .reduce, .contract, .attend, .convolve:
      if element == .f16 || element == .bf16 { computed.insert(value) }
    case .scan, .scatter, .sort: break
    case .call(let call): fixed.formUnion(call.operands + [value])
    }
    factors.formUnion(factors(of: form))
  }

  /// The values of which a form reads each element many times.
  private func factors(of form: Form) -> [FormValueID] {
    func isMany(_ sizes: [Dim]) -> Bool { TaskSplit.estimate(sizes.reduce(1, *)) > RegisterTile.fewRows }
    switch form {
    case .contract(let form) where form.accumulate == .f32:
      return (isMany(form.n) ? form.lhs.operands : []) + (isMany(form.m) ? form.rhs.operands : [])
    case .attend(let form) where form.accumulate == .f32 && isMany(form.rows):
      return form.query.operands + form.key.operands + form.value.operands
    case .convolve(let form) where form.accumulate == .f32 && form.channelsLast:
      return ConvolveSchedule.isDepthwise(form, program.values[form.weight].type.shape) ? [] : [form.input]
    case .element, .reduce, .contract, .attend, .convolve, .scan, .scatter, .sort, .call: return []
    }
  }
}

/// Bodies that write and read some values in f32 in place of 16 bits.
private struct WideRewriting {
  let wide: Set<FormValueID>
  let before, after: EntityMap<FormValueID, FormProgram.Value>

  func rewritten(_ steps: [FormProgram.Step]) -> [FormProgram.Step] {
    steps.map { step in
      switch step {
      case .compute(let value, let form): return .compute(value, rewritten(form, computing: value))
      case .rows(var group):
        group.members = group.members.map { .init(value: $0.value, form: rewritten($0.form, computing: $0.value)) }
        return .rows(group)
      case .repetition(var repetition):
        repetition.body = rewritten(repetition.body)
        return .repetition(repetition)
      case .branch(var branch):
        branch.then = rewritten(branch.then)
        branch.otherwise = rewritten(branch.otherwise)
        return .branch(branch)
      case .define, .require: return step
      }
    }
  }

  private func rewritten(_ form: Form, computing value: FormValueID) -> Form {
    var form = form
    let shape = before[value].type.shape
    if wide.contains(value), form.epilogue == nil, let type = form.accumulatorType {
      let builder = self.builder
      form.epilogue = builder.body([builder.accumulator(0, type)])
    }
    return form.mapBodies(shape) { slot, extents, body in
      let isLast = slot == .element || slot == .epilogue
      return rewritten(body, axes: extents.count, rounds: isLast && wide.contains(value))
    }
  }

  private var builder: BodyBuilder { BodyBuilder(widensExactly: true) { [after] in after[$0].type.element } }

  /// - Parameter rounds: the body's result is one that is stored wide.
  private func rewritten(_ body: Body, axes: Int, rounds: Bool) -> Body {
    if !rounds, wide.isDisjoint(with: body.operands) { return body }
    let builder = self.builder
    let results = builder.inline(body, axes: (0..<axes).map { builder.axis($0) }) {
      operand, indices, condition, otherwise in
      guard wide.contains(operand) else { return nil }
      let loaded = builder.load(operand, indices, where: condition, otherwise: otherwise)
      let type = before[operand].type.element
      // All that is stored has the values of its 16 bits; what stands for elements outside may not.
      return condition == nil || isExact(otherwise) ? loaded.cast(to: type) : loaded.rounded(to: type)
    }
    return builder.body(rounds ? results.map { $0.rounded(to: $0.type).cast(to: .f32) } : results)
  }

  /// Whether a number is the same in all types.
  private func isExact(_ scalar: Scalar) -> Bool {
    switch scalar {
    case .float(let value): value == 0 || value.magnitude == .infinity
    case .int: true
    }
  }
}
