import SinterCore

/// Checks the invariants of a form program:
///
/// - A value is defined once: as an input, as a constant, or by one step. It is defined before it is read, and what a repetition or a group of
///   rows keeps to itself is read only inside. Outputs are defined.
/// - An expression's arguments come before it. `BodyVerifier` holds the rules on their types.
/// - Bodies run over the axes that their form gives them, have the results that it needs, and mention accumulators in epilogues
///   and the scores of attention only.
/// - The type that a form gives is the one its value is declared with. The axes of contractions and attention are those of their result;
///   attention is computed in floats, and its depth and columns are numbers up to a limit.
/// - Axes that forms name exist; scans and scatters combine with functions, not positions.
/// - Members of a group of rows are element forms and reductions whose shapes begin with the group's rows; they read each other at
///   their own row. A contraction comes first, is not stored, and has only element forms behind it.
/// - What a repetition carries has the same type before, during and after, but for sizes that change from iteration to iteration; what it slices and
///   collects has the iterations as first axis.
/// - Both lists of a branch leave results of the type that it is known by behind it.
/// - A size that data determine is defined before a step speaks of it.
package struct FormVerifier {
  private let program: FormProgram
  private var diagnostics: [Diagnostic] = []
  private var isDefined: [Bool]
  private var knownSizes: Set<Symbol> = []

  /// All that is wrong with a program; nothing where it is right.
  package static func check(_ program: FormProgram) -> [Diagnostic] {
    var verifier = FormVerifier(program)
    verifier.check()
    return verifier.diagnostics
  }

  /// Throws all that is wrong.
  package static func verify(_ program: FormProgram) throws {
    let found = check(program)
    if !found.isEmpty { throw DiagnosticError(found) }
  }

  private init(_ program: FormProgram) {
    self.program = program
    isDefined = program.values.elements.map { $0.constant != nil }
  }

  private mutating func report(_ value: FormValueID?, _ message: String) {
    let place = value.flatMap { program.values.contains($0) ? program.values[$0].origin : nil } ?? []
    diagnostics.append(
      Diagnostic(.bug, "forms.verify", (value.map { "\($0): " } ?? "") + message, at: place))
  }

  // MARK: Definitions

  private mutating func check() {
    for input in program.inputs { define(input.value) }
    check(program.steps)
    for output in program.outputs where !isReadable(output.value) {
      report(output.value, "output \(output.name) is never computed")
    }
  }

  private mutating func define(_ value: FormValueID) {
    guard program.values.contains(value) else { return report(nil, "\(value) is no value of the program") }
    if isDefined[value.position] { report(value, "defined twice") }
    isDefined[value.position] = true
  }

  private func isReadable(_ value: FormValueID) -> Bool { program.values.contains(value) && isDefined[value.position] }

  private mutating func read(_ value: FormValueID, by reader: FormValueID?) {
    if !isReadable(value) { report(reader, "reads \(value), which is not computed before") }
  }

  private mutating func check(_ steps: [FormProgram.Step]) {
    for step in steps {
      switch step {
      case .compute(let value, let form):
        check(value, form)
        define(value)
        checkSizes(program.values[value].type.shape, of: value)
      case .rows(let group):
        check(group)
        for member in group.members { checkSizes(program.values[member.value].type.shape, of: member.value) }
      case .repetition(let repetition): check(repetition)
      case .branch(let branch): check(branch)
      case .define(let symbol, let source):
        switch source {
        case .size(let size): checkSizes([size], of: nil)
        case .element(let value, let error):
          read(value, by: nil)
          if let type = type(value), type.element != .i64 || type.count.value ?? 1 != 1 {
            report(value, "\(type) is no size")
          }
          if !program.errors.indices.contains(error) { report(value, "there is no error \(error)") }
        }
        knownSizes.insert(symbol)
      case .require(let obligation): checkSizes([obligation.left, obligation.right], of: nil)
      }
    }
  }

  private mutating func checkSizes(_ sizes: [Dim], of value: FormValueID?) {
    for symbol in sizes.flatMap(\.symbols) where symbol.isFromData && !knownSizes.contains(symbol) {
      report(value, "the size \(symbol.name) is used before it is known")
    }
  }

  private mutating func check(_ branch: FormProgram.Branch) {
    read(branch.condition, by: branch.results.first?.result)
    let (before, sizesBefore) = (isDefined, knownSizes)
    check(branch.then)
    checkSizes(branch.sizes.map(\.then), of: nil)
    for item in branch.results { read(item.then, by: item.result) }
    (isDefined, knownSizes) = (before, sizesBefore)
    check(branch.otherwise)
    checkSizes(branch.sizes.map(\.otherwise), of: nil)
    for item in branch.results { read(item.otherwise, by: item.result) }
    (isDefined, knownSizes) = (before, sizesBefore)
    knownSizes.formUnion(branch.sizes.map(\.symbol))
    for item in branch.results {
      let types = [item.result, item.then, item.otherwise].compactMap { type($0) }
      if types.contains(where: { $0.element != types[0].element || $0.rank != types[0].rank }) {
        report(item.result, "the lists leave \(types.map(\.description).joined(separator: ", "))")
      }
      define(item.result)
    }
  }

  private func type(_ value: FormValueID) -> TensorType? {
    program.values.contains(value) ? program.values[value].type : nil
  }

  private mutating func check(_ repetition: FormProgram.Repetition) {
    checkSizes([repetition.count] + repetition.sizes.map(\.initial), of: nil)
    let sizesBefore = knownSizes
    knownSizes.formUnion(repetition.sizes.map(\.current))
    for variable in repetition.carried {
      read(variable.initial, by: variable.current)
      define(variable.current)
      var types = [variable.current, variable.initial, variable.next, variable.final].compactMap { type($0) }
      // Sizes that each iteration sets anew may be any before and behind it.
      for (axis, size) in (type(variable.current)?.shape ?? []).enumerated()
      where repetition.sizes.contains(where: { Dim($0.current) == size }) {
        for place in types.indices where axis < types[place].rank { types[place].shape[axis] = size }
      }
      // Iterations that no sizes allow need not make sense.
      let isPossible = !repetition.body.contains { step in
        if case .require(let obligation) = step { obligation.isSettled(program.ranges) == false } else { false }
      }
      if isPossible, types.contains(where: { $0.element != types[0].element || !Self.agree($0.shape, types[0].shape) })
      {
        report(
          variable.current, "a carried value changes its type: \(types.map(\.description).joined(separator: ", "))")
      }
    }
    for input in repetition.inputs {
      read(input.whole, by: input.slice)
      define(input.slice)
      check(input, repetition.count)
    }
    let before = isDefined
    check(repetition.body)
    for variable in repetition.carried { read(variable.next, by: variable.current) }
    for output in repetition.outputs {
      read(output.slice, by: output.whole)
      check(output, repetition.count)
    }
    checkSizes(repetition.sizes.map(\.next), of: nil)
    isDefined = before
    knownSizes = sizesBefore.union(repetition.sizes.map(\.final) + (repetition.iterations.map { [$0] } ?? []))
    for variable in repetition.carried { define(variable.final) }
    for output in repetition.outputs { define(output.whole) }
  }

  private mutating func check(_ sliced: FormProgram.Repetition.Sliced, _ count: Dim) {
    guard let whole = type(sliced.whole), let slice = type(sliced.slice) else { return }
    if whole.element != slice.element || !Self.agree(whole.shape, [count] + slice.shape) {
      report(sliced.slice, "\(slice) is no slice of \(whole) with \(count) iterations")
    }
  }

  private mutating func check(_ group: RowGroup) {
    let members = Set(group.members.map(\.value))
    for stored in group.stored where !members.contains(stored) {
      report(stored, "stored by a group that has no such member")
    }
    var product: FormValueID?
    if case .contract? = group.members.first?.form { product = group.members.first?.value }
    if let product, group.stored.contains(product) { report(product, "a contraction in a group is not stored") }
    for member in group.members {
      check(member.value, member.form)
      define(member.value)
      guard let shape = type(member.value)?.shape else { continue }
      if shape.count < group.rows.count || !Self.agree(Array(shape.prefix(group.rows.count)), group.rows) {
        report(member.value, "the shape \(shape) does not begin with the rows \(group.rows)")
      }
      switch member.form {
      case .element: break
      case .reduce:
        if product != nil { report(member.value, "a reduction in a group with a contraction") }
        if !shape.dropFirst(group.rows.count).allSatisfy({ $0 == 1 }) {
          report(member.value, "a reduction in a group leaves one element per row, not \(shape)")
        }
      case .contract where member.value == product: break
      case .contract, .attend, .convolve, .scan, .scatter, .sort, .call:
        report(member.value, "only element forms and reductions are members of a group, and a contraction at its begin")
      }
      member.form.forEachBody(shape) { _, _, body in
        for expr in body.exprs {
          guard case .load(let operand, let indices, _, _) = expr.node, members.contains(operand) else { continue }
          for (axis, row) in group.rows.enumerated() where axis < indices.count {
            let index = body[indices[axis]].node
            if index != .axis(axis) && !(row == 1 && index == .constant(.int(0))) {
              report(member.value, "reads member \(operand) at another row")
              break
            }
          }
        }
      }
    }
    for member in members where !group.stored.contains(member) { isDefined[member.position] = false }
  }

  /// Whether two shapes can be equal: the same rank, and no two different numbers.
  static func agree(_ a: [Dim], _ b: [Dim]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0 == $1 || $0.value == nil || $1.value == nil }
  }

  // MARK: Forms

  private mutating func check(_ value: FormValueID, _ form: Form) {
    guard let declared = type(value) else { return report(nil, "\(value) is no value of the program") }
    for operand in form.operands { read(operand, by: value) }
    var found: [String] = []
    form.forEachBody(declared.shape) { slot, extents, body in
      var rules = BodyVerifier(
        program: program, axes: extents.count,
        accumulator: slot == .epilogue || slot == .attendScore ? form.accumulatorType : nil)
      let results = rules.check(body)
      found += rules.problems.map { "\(slot): \($0)" }
      let expected = Self.expectedResults(of: slot, form, declared)
      if !expected.isEmpty, results != expected {
        found.append("\(slot): the results are \(results), expected \(expected)")
      }
    }
    if form.epilogue == nil, let type = form.accumulatorType, type != declared.element {
      found.append("the form gives \(type), but the value is declared as \(declared.element)")
    }
    found += Self.shapeProblems(form, declared)
    if case .call(let call) = form { found += problems(call) }
    for problem in found { report(value, problem) }
  }

  private func problems(_ call: CallForm) -> [String] {
    let function = call.function
    var problems: [String] = []
    if call.operands.count != function.operandCount || call.parameters.count != function.parameterCount {
      problems.append(
        "\(function.rawValue) takes \(function.operandCount) operands and \(function.parameterCount) parameters, not "
          + "\(call.operands.count) and \(call.parameters.count)")
    } else if let error = function.errorParameter, !program.errors.indices.contains(Int(call.parameters[error])) {
      problems.append("there is no error \(call.parameters[error])")
    }
    return problems
  }

  /// The types of the results that a body must have; empty where any one result will do.
  private static func expectedResults(of slot: BodySlot, _ form: Form, _ declared: TensorType) -> [ElementType] {
    switch slot {
    case .element, .scan, .scatterBase, .epilogue: return [declared.element]
    case .contractLeft, .contractRight, .attendQuery, .attendKey, .attendScore, .attendValue:
      return form.accumulatorType.map { [$0] } ?? []
    case .scatterUpdate: return Array(repeating: .i64, count: declared.rank) + [declared.element]
    case .reduce, .sort: return []
    }
  }

  private static func shapeProblems(_ form: Form, _ declared: TensorType) -> [String] {
    switch form {
    case .element, .reduce, .call: return []
    case .contract(let form):
      let axes = form.batch + form.m + form.n
      return agree(axes, declared.shape) ? [] : ["a contraction over \(axes) cannot give \(declared)"]
    case .attend(let form):
      let axes = form.batch + form.rows + form.columns
      var problems = agree(axes, declared.shape) ? [] : ["attention over \(axes) cannot give \(declared)"]
      if !form.accumulate.isFloat { problems.append("softmax cannot be computed in \(form.accumulate)") }
      for sizes in [form.depth, form.columns] where !AttendForm.fits(sizes) {
        problems.append("attention over \(sizes), which must be at most \(AttendForm.sizeLimit) elements")
      }
      return problems
    case .convolve(let form):
      let rank = form.window.count
      var problems: [String] = []
      if declared.rank != rank + 2 { problems.append("a convolution over \(rank) axes cannot give \(declared)") }
      if form.strides.count != rank || form.dilations.count != rank || form.padsBegin.count != rank {
        problems.append("strides, dilations and pads need \(rank) numbers each")
      }
      if form.groups < 1 { problems.append("\(form.groups) groups") }
      return problems
    case .scan(let form):
      var problems: [String] = []
      if !(0..<declared.rank).contains(form.axis) { problems.append("axis \(form.axis) of \(declared) does not exist") }
      if form.combine.isIndex { problems.append("a scan cannot give positions") }
      return problems
    case .scatter(let form): return form.combine?.isIndex ?? false ? ["a scatter cannot give positions"] : []
    case .sort(let form):
      var problems: [String] = []
      if !(0..<declared.rank).contains(form.axis) { problems.append("axis \(form.axis) of \(declared) does not exist") }
      if declared.element != .i64 { problems.append("an order is i64, not \(declared.element)") }
      return problems
    }
  }
}
