import SinterCore

extension FormProgram {
  /// The same program with texts as i64 numbers of `texts`, which all constants have joined: no form below knows of text, and what moves or
  /// compares it are kernels of integers. Ports are declared as text.
  package func numberingTexts() -> FormProgram {
    guard values.elements.contains(where: { $0.type.element == .string }) else { return self }
    var result = self
    for index in inputs.indices where values[inputs[index].value].type.element == .string {
      let declared = inputs[index].declared ?? values[inputs[index].value].type
      result.inputs[index].declared = TensorType(.string, declared.shape)
    }
    for index in outputs.indices where values[outputs[index].value].type.element == .string {
      result.outputs[index].declared = values[outputs[index].value].type
    }
    for id in values.indices where values[id].type.element == .string {
      result.values[id].type.element = .i64
      result.values[id].constant = values[id].constant.map { result.texts.numbers(of: $0) }
    }
    result.steps = steps.map(numbered)
    return result
  }

  private func numbered(_ step: Step) -> Step {
    switch step {
    case .compute(let value, let form): return .compute(value, numbered(form, of: value))
    case .rows(var group):
      group.members = group.members.map { .init(value: $0.value, form: numbered($0.form, of: $0.value)) }
      return .rows(group)
    case .repetition(var repetition):
      repetition.body = repetition.body.map(numbered)
      return .repetition(repetition)
    case .branch(var branch):
      branch.then = branch.then.map(numbered)
      branch.otherwise = branch.otherwise.map(numbered)
      return .branch(branch)
    case .define, .require: return step
    }
  }

  private func numbered(_ form: Form, of value: FormValueID) -> Form {
    form.mapBodies(values[value].type.shape) { _, _, body in body.numberingTexts() }
  }
}

extension Body {
  /// The same with texts as i64; a cast between the two is the number itself.
  fileprivate func numberingTexts() -> Body {
    guard exprs.contains(where: { $0.type == .string }) else { return self }
    var result = Body()
    var places: [ExprID] = []
    for expr in exprs {
      let type = expr.type == .string ? .i64 : expr.type
      if case .cast(let argument) = expr.node, self[argument].type == .string || expr.type == .string,
        result[places[argument.position]].type == type
      {
        places.append(places[argument.position])
        continue
      }
      places.append(ExprID(result.exprs.count))
      result.exprs.append(Expr(node: expr.node.mapArguments { places[$0.position] }, type: type))
    }
    result.results = results.map { places[$0.position] }
    return result
  }
}
