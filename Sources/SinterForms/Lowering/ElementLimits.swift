import SinterCore

/// What no kernel computes with elements of a type, told of the node that asks for it:
///
/// - A complex number of 64 bits is a word: it is loaded, stored, chosen, gathered and scattered, and nothing computes with its parts. One of 128
///   bits is no word.
/// - A text is compared with others for equality, and its number read.
/// - Roots, exponentials and the like are functions of floats, divisions of numbers, bits of integers and truth values.
extension Lowering {
  /// Has a limit reported where forms ask for more.
  ///
  /// - Parameters:
  ///   - first: the first of the steps that were added for a node.
  ///   - operands: what the node takes and gives.
  package func checkElements(from first: Int, _ operands: [Operand]) throws {
    if operands.contains(where: { $0.element == .c128 }) {
      throw DiagnosticError(
        .limit, "lower.complex",
        "complex numbers of 128 bits (c128) are not supported, those of 64 bits (c64) are moved", hint: Self.hint(.c128)
      )
    }
    try checkElements(steps.dropFirst(first))
  }

  private func checkElements(_ steps: some Sequence<FormProgram.Step>) throws {
    func element(_ value: FormValueID) -> ElementType { program.values[value].type.element }
    for step in steps {
      switch step {
      case .compute(let value, let form):
        if let (what, type) = form.excess(of: element(value), element) {
          throw DiagnosticError(
            .limit, "lower.element", "\(what) is not computed with elements of type \(type)", hint: Self.hint(type))
        }
      case .repetition(let repetition): try checkElements(repetition.body)
      case .branch(let branch):
        try checkElements(branch.then)
        try checkElements(branch.otherwise)
      case .rows, .define, .require: break
      }
    }
  }

  private static func hint(_ type: ElementType) -> String {
    type.kind == .complex ? "give real and imaginary parts as an axis of two numbers" : "insert a Cast"
  }
}

extension Form {
  /// The first thing that it does to elements which is not done to their type.
  fileprivate func excess(
    of result: ElementType, _ element: (FormValueID) -> ElementType
  ) -> (what: String, type: ElementType)? {
    for body in bodies {
      for expr in body.exprs {
        if let found = expr.node.excess(as: expr.type, in: body) { return found }
      }
    }
    func moves(_ type: ElementType) -> Bool { type.kind == .string || type.kind == .complex }
    /// Combined elements have the type of what is combined, or of the result.
    func combined(_ combine: Combine, _ body: Body?) -> (what: String, type: ElementType)? {
      let type = body?.results.last.map { body?[$0].type ?? result } ?? result
      let counts = combine == .sum || combine == .product
      return moves(type) || (type == .bool && counts) ? ("a \(combine.rawValue) over elements", type) : nil
    }
    switch self {
    case .element, .call: return nil
    case .reduce(let form): return combined(form.combine, form.body)
    case .scan(let form): return combined(form.combine, form.body)
    case .scatter(let form): return form.combine.flatMap { combined($0, form.update) }
    case .sort(let form):
      let type = form.body.results.first.map { form.body[$0].type }
      return type.flatMap { moves($0) ? ("an order", $0) : nil }
    case .contract(let form): return form.accumulate.isSummed ? nil : ("a product", form.accumulate)
    case .attend(let form):
      return form.accumulate.isSummed && form.accumulate.isFloat ? nil : ("attention", form.accumulate)
    case .convolve(let form):
      if !form.accumulate.isSummed { return ("a convolution", form.accumulate) }
      return [form.input, form.weight].map(element).first { moves($0) || $0.bits < 8 || $0 == .bool }
        .map { ("a convolution", $0) }
    }
  }
}

extension ElementType {
  /// Whether products are summed in it.
  fileprivate var isSummed: Bool { computeType == self && (isFloat || isInteger) }
}

extension ExprNode {
  fileprivate func excess(as type: ElementType, in body: Body) -> (what: String, type: ElementType)? {
    switch self {
    case .constant, .axis, .size, .load, .accumulator, .select, .bitcast, .checked: return nil
    case .unary(let function, let a):
      return function.isDone(on: body[a].type) ? nil : (function.rawValue, body[a].type)
    case .binary(let function, let a, _):
      return function.isDone(on: body[a].type) ? nil : (function.rawValue, body[a].type)
    case .compare(let comparison, let a, _):
      let type = body[a].type
      let isOrder = comparison != .equal && comparison != .notEqual
      return type.kind == .complex || (type == .string && isOrder) ? ("a comparison", type) : nil
    case .cast(let a):
      let types = [body[a].type, type]
      if let complex = types.first(where: { $0.kind == .complex }), types[0] != types[1] {
        return ("a conversion", complex)
      }
      return types.contains(.string) && !types.contains(.i64) && types[0] != types[1] ? ("a conversion", .string) : nil
    }
  }
}

extension UnaryFunction {
  fileprivate func isDone(on type: ElementType) -> Bool {
    switch type.kind {
    case .float: self != .not
    case .signed, .unsigned, .bool:
      switch self {
      case .negate, .abs, .floor, .ceil, .round, .truncate, .not, .isNaN: true
      case .exp, .log, .sqrt, .sin, .cos, .tan, .asin, .acos, .atan, .sinh, .cosh, .tanh, .asinh, .acosh, .atanh, .erf,
        .weight:
        false
      }
    case .string, .complex: false
    }
  }
}

extension BinaryFunction {
  fileprivate func isDone(on type: ElementType) -> Bool {
    switch self {
    case .add, .subtract, .multiply, .minimum, .maximum: type.kind != .string && type.kind != .complex
    case .divide, .floorDivide, .modulo, .remainder, .power: type.isFloat || type.isInteger
    case .and, .or, .xor: type.isInteger || type == .bool
    case .shiftLeft, .shiftRight: type.isInteger
    case .arcTangent2: type.isFloat
    }
  }
}
