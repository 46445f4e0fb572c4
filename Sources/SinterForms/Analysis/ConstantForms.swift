import SinterCore

/// Computes ahead of time what constants alone determine: sums over quantized weights, say, which the graph's passes leave, since weights
/// widened for them would take several times the memory. What would be larger than the constants that it is made of stays as it is.
package enum ConstantForms {
  package static func folded(_ program: FormProgram) -> FormProgram {
    var result = program
    result.steps = folded(program.steps, leaving: Set(program.outputs.map(\.value)), in: &result)
    return result
  }

  /// - Parameter outside: values that something other than a step of the list reads.
  private static func folded(
    _ steps: [FormProgram.Step], leaving outside: Set<FormValueID>, in program: inout FormProgram
  ) -> [FormProgram.Step] {
    steps.compactMap { step in
      switch step {
      case .compute(let value, let form):
        guard !outside.contains(value), let tensor = value.constant(form, in: program) else { return step }
        program.values[value].constant = tensor
        return nil
      case .repetition(var repetition):
        let left = repetition.carried.map(\.next) + repetition.outputs.map(\.slice)
        repetition.body = folded(repetition.body, leaving: Set(left), in: &program)
        return .repetition(repetition)
      case .branch(var branch):
        branch.then = folded(branch.then, leaving: Set(branch.results.map(\.then)), in: &program)
        branch.otherwise = folded(branch.otherwise, leaving: Set(branch.results.map(\.otherwise)), in: &program)
        return .branch(branch)
      case .rows, .define, .require: return step
      }
    }
  }
}

extension FormValueID {
  /// What a form computes for this value, where it reads nothing but constants and that is worth it; nil where it fails, as it will when
  /// the program runs.
  fileprivate func constant(_ form: Form, in program: FormProgram) -> HostTensor? {
    let type = program.values[self].type
    let operands = form.operands.map { program.values[$0].constant }
    guard !operands.isEmpty, operands.allSatisfy({ $0 != nil }), let count = type.count.value, type.element != .string,
      type.element.byteCount(count) <= operands.reduce(0, { $0 + ($1?.bytes.count ?? 0) })
    else { return nil }
    var alone = FormProgram(name: program.name)
    alone.values = program.values
    alone.errors = program.errors
    alone.ranges = program.ranges
    alone.texts = program.texts
    alone.steps = [.compute(self, form)]
    alone.outputs = [.init(value: self, name: "constant")]
    return try? FormInterpreter(alone).run([]).first
  }
}
