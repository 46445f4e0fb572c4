import SinterCore

/// Runs a small form program on contents that are sizes: what shape arithmetic (Shape, Gather, Concat, Where and so on) computes,
/// found without knowing the operators.
///
/// Comparisons are decided by the algebra of sizes and the ranges of symbols. What cannot be expressed is not known, and so is what
/// depends on it; the rest goes on.
package struct FormSymbolicInterpreter {
  /// What is known of an input.
  package enum Contents {
    /// The elements of a tensor of integers or truth values, row-major; or of floats that are whole.
    case sizes([Dim])
    /// The elements of a tensor of floats.
    case scalars([SymbolicScalar])
    case tensor(HostTensor)
    case unknown
  }

  /// Values with more elements than this are not followed.
  package static let countLimit = 1024

  private let program: FormProgram
  private let arithmetic: SymbolicArithmetic
  private var known: [[SymbolicScalar?]?]

  package init(_ program: FormProgram) {
    self.program = program
    arithmetic = SymbolicArithmetic(ranges: program.ranges)
    known = program.values.elements.map { $0.constant.flatMap(Self.scalars) }
  }

  /// The elements of each output; nil where any of them is not known.
  package static func run(_ program: FormProgram, _ inputs: [Contents]) -> [[SymbolicScalar]?] {
    var interpreter = FormSymbolicInterpreter(program)
    return interpreter.run(inputs)
  }

  private mutating func run(_ inputs: [Contents]) -> [[SymbolicScalar]?] {
    for (input, contents) in zip(program.inputs, inputs) {
      switch contents {
      case .sizes(let dims):
        let type = program.values[input.value].type.element
        known[input.value.position] = dims.map { valid(.size($0), type) }
      case .scalars(let scalars): known[input.value.position] = scalars
      case .tensor(let tensor): known[input.value.position] = Self.scalars(tensor)
      case .unknown: break
      }
    }
    for step in program.steps {
      switch step {
      case .compute(let value, let form): known[value.position] = contents(of: value, form)
      case .rows(let group):
        for member in group.members { known[member.value.position] = contents(of: member.value, member.form) }
      case .repetition, .branch, .define, .require: break
      }
    }
    return program.outputs.map { output in
      guard let scalars = known[output.value.position] else { return nil }
      let found = scalars.compactMap { $0 }
      return found.count == scalars.count ? found : nil
    }
  }

  private static func scalars(_ tensor: HostTensor) -> [SymbolicScalar?]? {
    guard tensor.count <= countLimit, tensor.element != .u64 else { return nil }
    if let integers = tensor.int64s { return integers.map { .size(Dim(Int($0))) } }
    return tensor.doubles?.map { .init($0) }
  }

  private func contents(of value: FormValueID, _ form: Form) -> [SymbolicScalar?]? {
    guard let shape = program.values[value].type.staticShape, let count = Self.count(shape) else { return nil }
    var result: [SymbolicScalar?]
    switch form {
    case .element(let form): result = (0..<count).map { evaluate(form.body, Self.place($0, shape))[0] }
    case .reduce(let form):
      let sizes = form.inner.compactMap(\.value)
      guard sizes.count == form.inner.count, let inner = Self.count(sizes),
        inner * Swift.max(count, 1) <= 16 * Self.countLimit
      else { return nil }
      result = (0..<count).map { at in
        reduce(form, (0..<inner).map { evaluate(form.body, Self.place(at, shape) + Self.place($0, sizes))[0] })
      }
    case .scan(let form):
      result = scan(form, shape, (0..<count).map { evaluate(form.body, Self.place($0, shape))[0] })
    case .scatter(let form):
      let sizes = form.domain.compactMap(\.value)
      guard sizes.count == form.domain.count, let updates = Self.count(sizes) else { return nil }
      result = (0..<count).map { evaluate(form.base, Self.place($0, shape))[0] }
      for update in 0..<updates {
        let results = evaluate(form.update, Self.place(update, sizes))
        guard let at = Self.position(results.dropLast(), shape) else { return nil }
        guard case .inside(let position) = at, let value = results.last else { continue }
        result[position] = form.combine.map { combine(Combined($0, form.update), result[position], value) } ?? value
      }
    case .contract, .attend, .convolve, .sort, .call: return nil
    }
    if let epilogue = form.epilogue {
      result = (0..<count).map { evaluate(epilogue, Self.place($0, shape), accumulator: result[$0])[0] }
    }
    return result
  }

  private static func count(_ shape: [Int]) -> Int? {
    var count = 1
    for size in shape {
      guard size >= 0, size <= countLimit else { return nil }
      count *= size
      if count > countLimit { return nil }
    }
    return count
  }

  private static func place(_ position: Int, _ shape: [Int]) -> [Int] {
    var rest = position
    return Array(
      shape.reversed().map { size in
        defer { rest /= Swift.max(size, 1) }
        return rest % Swift.max(size, 1)
      }.reversed())
  }

  private enum Position { case inside(Int), outside }

  /// Nil where an index is not known.
  private static func position(_ indices: some Collection<SymbolicScalar?>, _ shape: [Int]) -> Position? {
    var position = 0
    var isInside = indices.count == shape.count
    for (index, size) in zip(indices, shape) {
      guard let value = index?.dim?.value else { return nil }
      isInside = isInside && value >= 0 && value < size
      position = position &* size &+ value
    }
    return isInside ? .inside(position) : .outside
  }

  // MARK: Combinations

  private struct Combined {
    let combine: Combine
    let type: ElementType

    init(_ combine: Combine, _ body: Body) {
      self.combine = combine
      type = body.results.last.map { body[$0].type } ?? .i64
    }
  }

  private func combine(_ how: Combined, _ a: SymbolicScalar?, _ b: SymbolicScalar?) -> SymbolicScalar? {
    guard let function = how.combine.function else { return nil }
    if how.type == .bool { return truth(function, a, b) }
    guard let a, let b else { return nil }
    return arithmetic.binary(function, a, b, how.type)
  }

  private func identity(_ how: Combined) -> SymbolicScalar? {
    switch how.combine.identity(of: how.type) {
    case .int(let value)?: .size(Dim(Int(value)))
    case .float(let value)?: .init(value)
    case nil: nil
    }
  }

  private func reduce(_ form: ReduceForm, _ values: [SymbolicScalar?]) -> SymbolicScalar? {
    let how = Combined(form.combine, form.body)
    guard form.combine.isIndex else {
      guard let first = values.first else { return identity(how) }
      return values.dropFirst().reduce(first) { combine(how, $0, $1) }
    }
    guard !values.isEmpty else { return nil }
    var accumulator = Accumulator(form.combine, how.type.isFloat ? .f64 : .i64)
    if how.type.isFloat {
      let numbers = values.compactMap { $0?.number }
      guard numbers.count == values.count else { return nil }
      accumulator.add(numbers, numbers.count, at: 0)
    } else {
      let integers = values.compactMap { $0?.dim?.value.map { Int64($0) } }
      guard integers.count == values.count else { return nil }
      accumulator.add(integers, integers.count, at: 0)
    }
    return .size(Dim(accumulator.place))
  }

  private func scan(_ form: ScanForm, _ shape: [Int], _ values: [SymbolicScalar?]) -> [SymbolicScalar?] {
    let how = Combined(form.combine, form.body)
    var result = values
    let length = shape[form.axis]
    let stride = shape[(form.axis + 1)...].reduce(1, *)
    for position in values.indices where position / stride % Swift.max(length, 1) == 0 {
      var sum: SymbolicScalar?
      for step in 0..<length {
        let at = position + (form.isReversed ? length - 1 - step : step) * stride
        let before = step == 0 ? identity(how) : sum
        sum = step == 0 ? values[at] : combine(how, sum, values[at])
        result[at] = form.isExclusive ? before : sum
      }
    }
    return result
  }

  // MARK: Bodies

  /// The same, but nil for a u64 that is not at least zero for certain: sizes are signed, and what wraps is none.
  private func valid(_ scalar: SymbolicScalar?, _ type: ElementType) -> SymbolicScalar? {
    guard type == .u64, case .size(let dim, _)? = scalar else { return scalar }
    return arithmetic.isAtLeast(dim, 0) ? scalar : nil
  }

  /// The results of a body at one place; each nil where it is not known.
  private func evaluate(_ body: Body, _ place: [Int], accumulator: SymbolicScalar? = nil) -> [SymbolicScalar?] {
    var values: [SymbolicScalar?] = []
    values.reserveCapacity(body.exprs.count)
    func value(_ id: ExprID) -> SymbolicScalar? { values[id.position] }
    for expr in body.exprs {
      values.append(valid(evaluate(expr, body, place, accumulator, value), expr.type))
    }
    return body.results.map { values[$0.position] }
  }

  private func evaluate(
    _ expr: Body.Expr, _ body: Body, _ place: [Int], _ accumulator: SymbolicScalar?,
    _ value: (ExprID) -> SymbolicScalar?
  ) -> SymbolicScalar? {
    switch expr.node {
    case .constant(let scalar): return Self.scalar(scalar, expr.type)
    case .axis(let n): return .size(Dim(place[n]))
    case .size(let dim): return .size(dim)
    case .accumulator: return accumulator
    case .load(let operand, let indices, let condition, let otherwise):
      if let condition {
        guard let holds = value(condition)?.number else { return nil }
        if holds == 0 { return Self.scalar(otherwise, expr.type) }
      }
      guard let contents = known[operand.position], let shape = program.values[operand].type.staticShape,
        case .inside(let position)? = Self.position(indices.map(value), shape), contents.indices.contains(position)
      else { return nil }
      return contents[position]
    case .unary(let function, let a): return value(a).flatMap { arithmetic.unary(function, $0, body[a].type) }
    case .binary(let function, let a, let b):
      if expr.type == .bool { return truth(function, value(a), value(b)) }
      guard let x = value(a), let y = value(b) else { return nil }
      return arithmetic.binary(function, x, y, expr.type)
    case .compare(let comparison, let a, let b):
      guard let x = value(a), let y = value(b) else { return nil }
      return arithmetic.compare(comparison, x, y)
    case .select(let condition, let a, let b):
      guard let truth = value(condition) else { return value(a) == value(b) ? value(a) : nil }
      if let holds = truth.number { return holds != 0 ? value(a) : value(b) }
      guard let x = value(a), let y = value(b), let dim = truth.dim else { return nil }
      return x == y ? x : arithmetic.select(dim, x, y)
    case .cast(let a): return value(a).flatMap { arithmetic.cast($0, from: body[a].type, to: expr.type) }
    case .bitcast: return nil
    case .checked(let a, _, _): return value(a)
    }
  }

  /// `and` and `or` know their result where one side alone decides it. Truths that sizes decide are sizes, 0 or 1.
  private func truth(_ function: BinaryFunction, _ a: SymbolicScalar?, _ b: SymbolicScalar?) -> SymbolicScalar? {
    let x = a?.number.map { $0 != 0 }
    let y = b?.number.map { $0 != 0 }
    switch function {
    case .and, .minimum, .multiply:
      if x == false || y == false { return .bool(false) }
      if x == true && y == true { return .bool(true) }
    case .or, .maximum, .add:
      if x == true || y == true { return .bool(true) }
      if x == false && y == false { return .bool(false) }
    case .xor:
      if let x, let y { return .bool(x != y) }
    case .subtract, .divide, .floorDivide, .modulo, .remainder, .power, .shiftLeft, .shiftRight, .arcTangent2: break
    }
    guard let p = a?.dim, let q = b?.dim else { return nil }
    switch function {
    case .and, .minimum, .multiply: return .size(Dim.min(p, q))
    case .or, .maximum, .add: return .size(Dim.max(p, q))
    case .xor: return .size(Dim.max(p - q, q - p))
    case .subtract, .divide, .floorDivide, .modulo, .remainder, .power, .shiftLeft, .shiftRight, .arcTangent2:
      return nil
    }
  }

  private static func scalar(_ scalar: Scalar, _ type: ElementType) -> SymbolicScalar? {
    switch scalar {
    case .float(let value): type.isFloat ? .init(value) : nil
    case .int(let value): type == .u64 && value < 0 ? nil : .size(Dim(Int(value)))
    }
  }
}
