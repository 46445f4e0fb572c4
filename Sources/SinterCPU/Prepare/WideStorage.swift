import SinterCore
import SinterForms

/// Stores results that products read in the type in which their tiles take them: f16 and bf16 in f32, and bytes in 16 bits where the processor
/// multiplies such.
///
/// An element that a model holds in a narrow type is rounded to it by the step that computes it, as before, and is then kept in the wider one: it is
/// widened once and not by each tile that reads it, and no copy stands between a step and its reader. Values do not change. Weights, inputs, outputs
/// and what repetitions and branches hand on keep their types, and so does all that only element work reads, which narrow types serve best.
package struct WideStorage {
  private let program: FormProgram
  /// What bytes are stored in.
  private let wideByte: ElementType?
  /// Values whose types others rely on.
  private var fixed: Set<FormValueID>
  /// Values that a step computes whose last instruction can round.
  private var computed: Set<FormValueID> = []
  /// Values that products read.
  private var factors: Set<FormValueID> = []

  /// The same program with such values in wider types.
  package static func applied(to program: FormProgram, machine: Machine) -> FormProgram {
    var storage = WideStorage(program, wideByte: machine.tileOperation(.u8, .i8, in: .i32)?.widened)
    storage.visit(program.steps)
    let wide = storage.computed.intersection(storage.factors).subtracting(storage.fixed)
    if wide.isEmpty { return program }
    var result = program
    for value in wide {
      if let type = storage.wideType(value) { result.values[value].type.element = type }
    }
    result.steps = WideRewriting(wide: wide, before: program.values, after: result.values).rewritten(program.steps)
    return result
  }

  private init(_ program: FormProgram, wideByte: ElementType?) {
    (self.program, self.wideByte) = (program, wideByte)
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

  /// What products of a value take its elements in, where that is another type.
  private func wideType(_ value: FormValueID) -> ElementType? {
    switch program.values[value].type.element {
    case .f16, .bf16: .f32
    case .u8: wideByte
    default: nil
    }
  }

  private mutating func visit(_ form: Form, computing value: FormValueID) {
    switch form {
    case .element, .reduce, .contract, .attend, .convolve:
      if wideType(value) != nil { computed.insert(value) }
    case .scan, .scatter, .sort: break
    case .call(let call): fixed.formUnion(call.operands + [value])
    }
    let taken = form.accumulatorType == .i32 ? wideByte : .f32
    factors.formUnion(factors(of: form).filter { wideType($0) == taken })
  }

  private func isOfBytes(_ form: ConvolveForm) -> Bool {
    let weight = program.values[form.weight]
    return form.accumulate == .i32 && weight.type.element == .i8 && weight.constant != nil && !form.isTransposed
  }

  /// The values of which a form reads each element many times.
  private func factors(of form: Form) -> [FormValueID] {
    func isMany(_ sizes: [Dim]) -> Bool { TaskSplit.estimate(sizes.reduce(1, *)) > RegisterTile.fewRows }
    switch form {
    case .contract(let form) where form.accumulate == .f32:
      return (isMany(form.n) ? form.lhs.operands : []) + (isMany(form.m) ? form.rhs.operands : [])
    case .contract(let form) where form.accumulate == .i32 && form.lhs.castType == .u8 && form.rhs.castType == .i8:
      return isMany(form.n) ? form.lhs.operands : []
    case .attend(let form) where form.accumulate == .f32 && isMany(form.rows):
      return form.query.operands + form.key.operands + form.value.operands
    case .convolve(let form) where form.channelsLast && (form.accumulate == .f32 || isOfBytes(form)):
      return ConvolveSchedule.isDepthwise(form, program.values[form.weight].type.shape) ? [] : [form.input]
    case .element, .reduce, .contract, .attend, .convolve, .scan, .scatter, .sort, .call: return []
    }
  }
}

/// Bodies that write and read some values in wider types.
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
      let wideType = isLast && wide.contains(value) ? after[value].type.element : nil
      return rewritten(body, axes: extents.count, storedIn: wideType)
    }
  }

  private var builder: BodyBuilder {
    BodyBuilder(
      widensExactly: true, storedWide: { [wide, before] in wide.contains($0) ? before[$0].type.element : nil }
    ) { [after] in after[$0].type.element }
  }

  /// - Parameter wideType: what the body's result is stored in, where it is one that is stored wide.
  private func rewritten(_ body: Body, axes: Int, storedIn wideType: ElementType?) -> Body {
    if wideType == nil, wide.isDisjoint(with: body.operands) { return body }
    let builder = self.builder
    let results = builder.inline(body, axes: (0..<axes).map { builder.axis($0) }) {
      operand, indices, condition, otherwise in
      guard wide.contains(operand) else { return nil }
      let loaded = builder.load(operand, indices, where: condition, otherwise: otherwise)
      let type = before[operand].type.element
      // All that is stored has the values of its narrow type; what stands for elements outside may not.
      let isRounded = type.isInteger || condition == nil || isExact(otherwise)
      return isRounded ? loaded.cast(to: type) : loaded.rounded(to: type)
    }
    guard let wideType else { return builder.body(results) }
    return builder.body(results.map { ($0.type.isInteger ? $0 : $0.rounded(to: $0.type)).cast(to: wideType) })
  }

  /// Whether a number is the same in all types.
  private func isExact(_ scalar: Scalar) -> Bool {
    switch scalar {
    case .float(let value): value == 0 || value.magnitude == .infinity
    case .int: true
    }
  }
}
