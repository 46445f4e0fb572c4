import SinterCore

/// The text form of a form program, which `FormProgram(parsing:)` reads back:
///
///     forms "mlp" {
///       range batch 1...64
///       error 0 "index %0 lies outside 0 ..< %1"
///       text "cat"
///       input %0 "x": f32[batch, 784]
///       constant %1 "weight": f32[10, 784] = #4be1f7aa03c5d210
///       %2 "y": f32[batch, 10] = contract batch [] m [batch] n [10] k [784] in f32
///         lhs {
///           $0 = axis 0: i64
///           $1 = axis 1: i64
///           $2 = load %0[$0, $1]: f32
///           result $2
///         }
///         rhs {
///           …
///         }
///       output "y" %2
///     }
///
/// Each expression of a body has a line of its own and its type behind a colon. A load with a condition is written
/// `load %0[$1] if $4 else 0.0`. Values that nothing mentions are left out, so numbers may have gaps. Texts are numbered from 1 on.
extension FormProgram: CustomStringConvertible {
  public var description: String {
    var printer = FormPrinter(program: self)
    printer.print()
    return printer.text
  }

  /// One step as the text form has it.
  package func text(of step: Step) -> String {
    var printer = FormPrinter(program: self)
    printer.print(step)
    return printer.text
  }
}

private struct FormPrinter {
  let program: FormProgram
  var text = ""
  var indent = ""

  init(program: FormProgram) { self.program = program }

  mutating func line(_ content: String) { text += indent + content + "\n" }

  mutating func nested(_ body: (inout FormPrinter) -> Void) {
    indent += "  "
    body(&self)
    indent.removeLast(2)
  }

  private func sizes(_ dims: [Dim]) -> String { "[" + dims.map(\.description).joined(separator: ", ") + "]" }
  private func numbers(_ values: [some CustomStringConvertible]) -> String {
    "[" + values.map(\.description).joined(separator: ", ") + "]"
  }

  private func declared(_ id: FormValueID) -> String {
    let value = program.values[id]
    return (value.name.isEmpty ? "\(id)" : "\(id) \(TensorText.quoted(value.name))") + ": \(value.type)"
  }

  mutating func print() {
    line("forms \(TensorText.quoted(program.name)) {")
    nested { printer in
      for symbol in printer.program.ranges.keys.sorted() {
        guard let range = printer.program.ranges[symbol] else { continue }
        printer.line("range \(symbol.name) \(range.lowerBound)...\(range.upperBound)")
      }
      for (number, error) in printer.program.errors.enumerated() {
        printer.line("error \(number) \(TensorText.quoted(error))")
      }
      for text in printer.program.texts.texts.dropFirst() { printer.line("text \(TensorText.quoted(text))") }
      for input in printer.program.inputs {
        let declared = input.declared.map { " declared \($0)" } ?? ""
        printer.line(
          "input \(input.value) \(TensorText.quoted(input.name)): \(printer.program.values[input.value].type)\(declared)"
        )
      }
      for id in printer.usedConstants {
        guard let tensor = printer.program.values[id].constant else { continue }
        printer.line("constant \(printer.declared(id)) = \(TensorText.describe(tensor))")
      }
      for step in printer.program.steps { printer.print(step) }
      for output in printer.program.outputs {
        let declared = output.declared.map { " declared \($0)" } ?? ""
        printer.line("output \(TensorText.quoted(output.name)) \(output.value)\(declared)")
      }
    }
    line("}")
  }

  private var usedConstants: [FormValueID] {
    let used = Set(program.steps.flatMap(\.operands) + program.outputs.map(\.value))
    return used.filter { program.values[$0].constant != nil }.sorted()
  }

  mutating func print(_ step: FormProgram.Step) {
    switch step {
    case .compute(let value, let form): print(value, form)
    case .rows(let group):
      line("rows \(sizes(group.rows)) stored \(numbers(group.stored)) {")
      nested { printer in for member in group.members { printer.print(member.value, member.form) } }
      line("}")
    case .repetition(let repetition):
      let condition = repetition.condition.map { " while \($0)" } ?? ""
      line("repeat [\(repetition.count)]\(condition)\(repetition.iterations.map { " iterations \($0.name)" } ?? "") {")
      nested { printer in
        for size in repetition.sizes {
          printer.line(
            "size \(size.current.name) from [\(size.initial)] next [\(size.next)] final \(size.final.name)")
        }
        for variable in repetition.carried {
          printer.line(
            "carry \(printer.declared(variable.current)) from \(variable.initial) next \(variable.next) final \(variable.final)"
          )
        }
        for input in repetition.inputs {
          printer.line("slice \(printer.declared(input.slice)) of \(input.whole)\(input.isReversed ? " reversed" : "")")
        }
        for output in repetition.outputs {
          printer.line(
            "collect \(printer.declared(output.whole)) from \(output.slice)\(output.isReversed ? " reversed" : "")")
        }
        for step in repetition.body { printer.print(step) }
      }
      line("}")
    case .branch(let branch):
      line("branch \(branch.condition) {")
      nested { printer in
        printer.line("then {")
        printer.nested { printer in for step in branch.then { printer.print(step) } }
        printer.line("}")
        printer.line("else {")
        printer.nested { printer in for step in branch.otherwise { printer.print(step) } }
        printer.line("}")
        for size in branch.sizes {
          printer.line("size \(size.symbol.name) then [\(size.then)] else [\(size.otherwise)]")
        }
        for result in branch.results {
          printer.line("result \(printer.declared(result.result)) then \(result.then) else \(result.otherwise)")
        }
      }
      line("}")
    case .define(let symbol, .element(let value, let error)):
      line("define \(symbol.name) as \(value) or error \(error)")
    case .define(let symbol, .size(let size)): line("define \(symbol.name) as [\(size)]")
    case .require(let obligation): line("require \(obligation.text)")
    }
  }

  private mutating func print(_ value: FormValueID, _ form: Form) {
    var head = "\(declared(value)) = "
    var bodies: [(String, Body)] = []
    switch form {
    case .element(let form):
      head += "element"
      bodies = [("body", form.body)]
    case .reduce(let form):
      head += "reduce \(form.combine.rawValue) over \(sizes(form.inner))"
      bodies = [("body", form.body)]
    case .contract(let form):
      head +=
        "contract batch \(sizes(form.batch)) m \(sizes(form.m)) n \(sizes(form.n)) k \(sizes(form.k)) in \(form.accumulate)"
      bodies = [("lhs", form.lhs), ("rhs", form.rhs)]
    case .attend(let form):
      head +=
        "attend batch \(sizes(form.batch)) rows \(sizes(form.rows)) keys [\(form.keys)] depth \(sizes(form.depth))"
      head += " columns \(sizes(form.columns))" + (form.emptyIsZero ? " zeroed" : "") + " in \(form.accumulate)"
      bodies = [("query", form.query), ("key", form.key), ("score", form.score), ("value", form.value)]
    case .convolve(let form):
      head += "convolve \(form.input), \(form.weight) window \(numbers(form.window)) strides \(numbers(form.strides))"
      head += " dilations \(numbers(form.dilations)) pads \(sizes(form.padsBegin)) groups \(form.groups)"
      head +=
        (form.channelsLast ? " channelsLast" : "") + (form.isTransposed ? " transposed" : "") + " in \(form.accumulate)"
    case .scan(let form):
      head += "scan \(form.combine.rawValue) axis \(form.axis)"
      head += (form.isExclusive ? " exclusive" : "") + (form.isReversed ? " reversed" : "")
      bodies = [("body", form.body)]
    case .scatter(let form):
      head += "scatter \(form.combine?.rawValue ?? "replace") domain \(sizes(form.domain))"
      bodies = [("base", form.base), ("update", form.update)]
    case .sort(let form):
      head += "sort axis \(form.axis) extent [\(form.extent)]" + (form.isDescending ? " descending" : "")
      bodies = [("body", form.body)]
    case .call(let form):
      head += "call \(form.function.rawValue) \(numbers(form.operands)) \(numbers(form.parameters))"
    }
    if let epilogue = form.epilogue { bodies.append(("epilogue", epilogue)) }
    let origin = program.values[value].origin
    if !origin.isEmpty { head += " from " + origin.map(TensorText.quoted).joined(separator: ", ") }
    line(head)
    nested { printer in
      for (name, body) in bodies {
        printer.line("\(name) {")
        printer.nested { printer in
          for (index, expr) in body.exprs.enumerated() {
            printer.line("\(ExprID(index)) = \(Self.describe(expr)): \(expr.type)")
          }
          printer.line("result " + body.results.map(\.description).joined(separator: ", "))
        }
        printer.line("}")
      }
    }
  }

  private static func describe(_ expr: Body.Expr) -> String {
    switch expr.node {
    case .constant(let scalar): return "constant \(describe(scalar))"
    case .axis(let n): return "axis \(n)"
    case .size(let dim): return "size [\(dim)]"
    case .load(let value, let indices, let condition, let otherwise):
      let load = "load \(value)[" + indices.map(\.description).joined(separator: ", ") + "]"
      return condition.map { "\(load) if \($0) else \(describe(otherwise))" } ?? load
    case .accumulator(let n): return "accumulator \(n)"
    case .unary(let function, let a): return "\(function.rawValue) \(a)"
    case .binary(let function, let a, let b): return "\(function.rawValue) \(a), \(b)"
    case .compare(let comparison, let a, let b): return "\(comparison.rawValue) \(a), \(b)"
    case .select(let condition, let a, let b): return "select \(condition), \(a), \(b)"
    case .cast(let a): return "cast \(a)"
    case .bitcast(let a): return "bitcast \(a)"
    case .checked(let a, let bound, let error): return "checked \(a) below \(bound) error \(error)"
    }
  }

  private static func describe(_ scalar: Scalar) -> String {
    switch scalar {
    case .float(let value): "\(value)"
    case .int(let value): "\(value)"
    }
  }
}
