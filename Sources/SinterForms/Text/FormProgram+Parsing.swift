import SinterCore

extension FormProgram {
  /// Reads what `description` writes.
  ///
  /// - Parameter store: gives the contents of a constant by its hash, where the text does not hold them.
  /// - Throws: a `user` error with line and column.
  package init(parsing text: String, store: (String) -> HostTensor? = { _ in nil }) throws {
    self = try withoutActuallyEscaping(store) { store in
      var parser = FormParser(text, store: store)
      return try parser.program()
    }
  }
}

private struct FormParser {
  private var scanner: TextScanner
  private let store: (String) -> HostTensor?
  private var result = FormProgram(name: "")
  private var depth = 0

  init(_ text: String, store: @escaping (String) -> HostTensor?) {
    scanner = TextScanner(text)
    self.store = store
  }

  mutating func program() throws -> FormProgram {
    try scanner.expect("forms")
    result.name = try scanner.quoted()
    try scanner.expect("{")
    while !scanner.take("}") {
      if scanner.take("range") {
        let symbol = scanner.symbol()
        try range(of: symbol)
      } else if scanner.take("error") {
        guard try scanner.integer() == result.errors.count else { throw scanner.error("errors are numbered from 0 on") }
        result.errors.append(try scanner.quoted())
      } else if scanner.take("input") {
        let id = try id()
        let name = try scanner.quoted()
        try scanner.expect(":")
        declare(id, name: name, try type())
        let declared = scanner.take("declared") ? try type() : nil
        result.inputs.append(.init(value: id, name: name, declared: declared))
      } else if scanner.take("text") {
        guard result.texts.number(of: try scanner.quoted()) == result.texts.count - 1 else {
          throw scanner.error("each text is listed once, and the empty one is there from the start")
        }
      } else if scanner.take("constant") {
        let id = try declaration()
        try scanner.expect("=")
        result.values[id].constant = try tensor(result.values[id].type)
      } else if scanner.take("output") {
        let name = try scanner.quoted()
        let id = try id()
        result.outputs.append(.init(value: id, name: name, declared: scanner.take("declared") ? try type() : nil))
      } else {
        result.steps.append(try step())
      }
    }
    return result
  }

  private mutating func range(of symbol: Symbol) throws {
    let words = scanner.number().split(separator: ".", omittingEmptySubsequences: true)
    guard words.count == 2, let low = Int(words[0]), let high = Int(words[1]), low <= high else {
      throw scanner.error("expected a range such as 1...64")
    }
    result.ranges[symbol] = low...high
  }

  // MARK: Values

  private mutating func id() throws -> FormValueID {
    try scanner.expect("%")
    return try declareUpTo(try scanner.integer())
  }

  private mutating func declareUpTo(_ number: Int) throws -> FormValueID {
    guard number >= 0, number < 1 << 24 else { throw scanner.error("%\(number) is no number of a value") }
    while result.values.count <= number { result.values.append(.init(type: TensorType(.f32, []))) }
    return FormValueID(number)
  }

  private mutating func declare(_ id: FormValueID, name: String, _ type: TensorType) {
    result.values[id].type = type
    result.values[id].name = name
  }

  /// `%3 "name": f32[2]`.
  private mutating func declaration() throws -> FormValueID {
    let id = try id()
    scanner.skipSpaces()
    let name = scanner.peek() == UInt8(ascii: "\"") ? try scanner.quoted() : ""
    try scanner.expect(":")
    declare(id, name: name, try type())
    return id
  }

  private mutating func element() throws -> ElementType {
    let word = scanner.word()
    guard let element = ElementType(name: word) else { throw scanner.error("there is no element type '\(word)'") }
    return element
  }

  private mutating func type() throws -> TensorType { TensorType(try element(), try sizes()) }

  private mutating func list<T>(_ item: (inout FormParser) throws -> T) throws -> [T] {
    try scanner.expect("[")
    var items: [T] = []
    if scanner.take("]") { return items }
    repeat { items.append(try item(&self)) } while scanner.take(",")
    try scanner.expect("]")
    return items
  }

  private mutating func sizes() throws -> [Dim] { try list { try $0.scanner.size() } }
  private mutating func integers() throws -> [Int] { try list { try $0.scanner.integer() } }

  private mutating func tensor(_ type: TensorType) throws -> HostTensor {
    guard let shape = type.staticShape else { throw scanner.error("a constant needs known sizes, not \(type)") }
    if scanner.take("#") {
      let hash = scanner.word()
      guard let tensor = store(hash) else {
        throw scanner.error("the contents of constant #\(hash) are not in the text; give the file that holds them")
      }
      guard tensor.element == type.element, tensor.shape == shape else {
        throw scanner.error("constant #\(hash) is written as \(type), but its contents are \(tensor.type)")
      }
      return tensor
    }
    try scanner.expect("{")
    var words: [String] = []
    try scanner.list(until: "}") { words.append(type.element == .string ? try $0.quoted() : $0.number()) }
    guard let tensor = TensorText.parse(type.element, shape, words) else {
      throw scanner.error("the elements do not make a \(type)")
    }
    return tensor
  }

  // MARK: Steps

  private mutating func step() throws -> FormProgram.Step {
    depth += 1
    defer { depth -= 1 }
    guard depth < 64 else { throw scanner.error("repetitions are nested too deep") }
    if scanner.take("rows") {
      let rows = try sizes()
      try scanner.expect("stored")
      let stored = try list { try $0.id() }
      try scanner.expect("{")
      var members: [RowGroup.Member] = []
      while !scanner.take("}") {
        let (value, form) = try computation()
        members.append(.init(value: value, form: form))
      }
      return .rows(RowGroup(rows: rows, members: members, stored: stored))
    }
    if scanner.take("repeat") { return .repetition(try repetition()) }
    if scanner.take("branch") { return .branch(try branch()) }
    if scanner.take("require") { return .require(try scanner.obligation()) }
    if scanner.take("define") {
      let symbol = scanner.symbol()
      try scanner.expect("as")
      scanner.skipSpaces()
      if scanner.peek() == UInt8(ascii: "[") { return .define(symbol, .size(try bracketedSize())) }
      let value = try id()
      try scanner.expect("or")
      try scanner.expect("error")
      return .define(symbol, .element(value, error: try scanner.integer()))
    }
    let (value, form) = try computation()
    return .compute(value, form)
  }

  private mutating func bracketedSize() throws -> Dim {
    let sizes = try sizes()
    guard sizes.count == 1 else { throw scanner.error("expected one size") }
    return sizes[0]
  }

  private mutating func steps() throws -> [FormProgram.Step] {
    try scanner.expect("{")
    var steps: [FormProgram.Step] = []
    while !scanner.take("}") { steps.append(try step()) }
    return steps
  }

  private mutating func branch() throws -> FormProgram.Branch {
    var branch = FormProgram.Branch(condition: try id(), then: [], otherwise: [], sizes: [], results: [])
    try scanner.expect("{")
    try scanner.expect("then")
    branch.then = try steps()
    try scanner.expect("else")
    branch.otherwise = try steps()
    while !scanner.take("}") {
      if scanner.take("size") {
        let symbol = scanner.symbol()
        try scanner.expect("then")
        let then = try bracketedSize()
        try scanner.expect("else")
        branch.sizes.append(.init(symbol: symbol, then: then, otherwise: try bracketedSize()))
      } else {
        try scanner.expect("result")
        let value = try declaration()
        try scanner.expect("then")
        let then = try id()
        try scanner.expect("else")
        branch.results.append(.init(then: then, otherwise: try id(), result: value))
      }
    }
    return branch
  }

  private mutating func repetition() throws -> FormProgram.Repetition {
    let count = try bracketedSize()
    var repetition = FormProgram.Repetition(count: count, carried: [], inputs: [], outputs: [], body: [])
    if scanner.take("while") { repetition.condition = try id() }
    if scanner.take("iterations") { repetition.iterations = scanner.symbol() }
    try scanner.expect("{")
    while !scanner.take("}") {
      if scanner.take("size") {
        let current = scanner.symbol()
        try scanner.expect("from")
        let initial = try bracketedSize()
        try scanner.expect("next")
        let next = try bracketedSize()
        try scanner.expect("final")
        repetition.sizes.append(.init(current: current, final: scanner.symbol(), initial: initial, next: next))
        continue
      }
      if scanner.take("carry") {
        let current = try declaration()
        try scanner.expect("from")
        let initial = try id()
        try scanner.expect("next")
        let next = try id()
        try scanner.expect("final")
        let final = try id()
        let finals = Dictionary(repetition.sizes.map { ($0.current, Dim($0.final)) }) { first, _ in first }
        let type = result.values[current].type
        result.values[final].type = TensorType(type.element, type.shape.map { $0.substituting { finals[$0] } })
        repetition.carried.append(.init(initial: initial, current: current, next: next, final: final))
      } else if scanner.take("slice") {
        let slice = try declaration()
        try scanner.expect("of")
        let whole = try id()
        repetition.inputs.append(.init(whole: whole, slice: slice, isReversed: scanner.take("reversed")))
      } else if scanner.take("collect") {
        let whole = try declaration()
        try scanner.expect("from")
        let slice = try id()
        repetition.outputs.append(.init(whole: whole, slice: slice, isReversed: scanner.take("reversed")))
      } else {
        repetition.body.append(try step())
      }
    }
    return repetition
  }

  private mutating func computation() throws -> (FormValueID, Form) {
    let value = try declaration()
    try scanner.expect("=")
    let word = scanner.word()
    var form: Form
    switch word {
    case "element":
      try origin(of: value)
      form = .element(ElementForm(body: try body("body")))
    case "reduce":
      let combine = try choice(Combine.self)
      try scanner.expect("over")
      let inner = try sizes()
      try origin(of: value)
      form = .reduce(ReduceForm(inner: inner, combine: combine, body: try body("body")))
    case "contract": form = .contract(try contraction(value))
    case "attend": form = .attend(try attention(value))
    case "convolve": form = .convolve(try convolution(value))
    case "scan":
      let combine = try choice(Combine.self)
      try scanner.expect("axis")
      let axis = try scanner.integer()
      let isExclusive = scanner.take("exclusive")
      let isReversed = scanner.take("reversed")
      try origin(of: value)
      form = .scan(
        ScanForm(axis: axis, combine: combine, isExclusive: isExclusive, isReversed: isReversed, body: try body("body"))
      )
    case "scatter":
      let combine = scanner.take("replace") ? nil : try choice(Combine.self)
      try scanner.expect("domain")
      let domain = try sizes()
      try origin(of: value)
      form = .scatter(
        ScatterForm(base: try body("base"), domain: domain, update: try body("update"), combine: combine))
    case "sort":
      try scanner.expect("axis")
      let axis = try scanner.integer()
      try scanner.expect("extent")
      guard let extent = try sizes().first else { throw scanner.error("a sort has one extent") }
      let isDescending = scanner.take("descending")
      try origin(of: value)
      form = .sort(SortForm(axis: axis, extent: extent, isDescending: isDescending, body: try body("body")))
    case "call":
      let function = try choice(RuntimeFunction.self)
      let operands = try list { try $0.id() }
      let parameters = try integers().map { Int64($0) }
      try origin(of: value)
      form = .call(CallForm(function, operands: operands, parameters: parameters))
    default: throw scanner.error("there is no form '\(word)'")
    }
    if scanner.take("epilogue") { form.epilogue = try braces() }
    return (value, form)
  }

  private mutating func contraction(_ value: FormValueID) throws -> ContractForm {
    func part(_ name: String, _ parser: inout FormParser) throws -> [Dim] {
      try parser.scanner.expect(name)
      return try parser.sizes()
    }
    let (batch, m, n, k) = (
      try part("batch", &self), try part("m", &self), try part("n", &self), try part("k", &self)
    )
    try scanner.expect("in")
    let accumulate = try element()
    try origin(of: value)
    return ContractForm(
      batch: batch, m: m, n: n, k: k, lhs: try body("lhs"), rhs: try body("rhs"), accumulate: accumulate)
  }

  private mutating func attention(_ value: FormValueID) throws -> AttendForm {
    func part(_ name: String, _ parser: inout FormParser) throws -> [Dim] {
      try parser.scanner.expect(name)
      return try parser.sizes()
    }
    let (batch, rows, keys) = (try part("batch", &self), try part("rows", &self), try part("keys", &self))
    guard keys.count == 1 else { throw scanner.error("attention has one axis of keys") }
    let (depth, columns) = (try part("depth", &self), try part("columns", &self))
    let emptyIsZero = scanner.take("zeroed")
    try scanner.expect("in")
    let accumulate = try element()
    try origin(of: value)
    return AttendForm(
      batch: batch, rows: rows, keys: keys[0], depth: depth, columns: columns, query: try body("query"),
      key: try body("key"), score: try body("score"), value: try body("value"), accumulate: accumulate,
      emptyIsZero: emptyIsZero)
  }

  private mutating func convolution(_ value: FormValueID) throws -> ConvolveForm {
    let input = try id()
    try scanner.expect(",")
    let weight = try id()
    func part(_ name: String, _ parser: inout FormParser) throws -> [Int] {
      try parser.scanner.expect(name)
      return try parser.integers()
    }
    let (window, strides, dilations) = (
      try part("window", &self), try part("strides", &self), try part("dilations", &self)
    )
    try scanner.expect("pads")
    let pads = try sizes()
    try scanner.expect("groups")
    let groups = try scanner.integer()
    let channelsLast = scanner.take("channelsLast")
    let isTransposed = scanner.take("transposed")
    try scanner.expect("in")
    let accumulate = try element()
    try origin(of: value)
    return ConvolveForm(
      input: input, weight: weight, window: window, strides: strides, dilations: dilations, padsBegin: pads,
      groups: groups, channelsLast: channelsLast, isTransposed: isTransposed, accumulate: accumulate)
  }

  private mutating func choice<T: RawRepresentable>(_: T.Type) throws -> T where T.RawValue == String {
    let word = scanner.word()
    guard let value = T(rawValue: word) else { throw scanner.error("'\(word)' is none of the known words here") }
    return value
  }

  private mutating func origin(of value: FormValueID) throws {
    guard scanner.take("from") else { return }
    repeat { result.values[value].origin.append(try scanner.quoted()) } while scanner.take(",")
  }

  // MARK: Bodies

  private mutating func body(_ name: String) throws -> Body {
    try scanner.expect(name)
    return try braces()
  }

  private mutating func braces() throws -> Body {
    try scanner.expect("{")
    var body = Body()
    while !scanner.take("result") {
      guard try expr(body).position == body.exprs.count else {
        throw scanner.error("expressions are numbered from 0 on")
      }
      try scanner.expect("=")
      let node = try node(body)
      try scanner.expect(":")
      let type = try element()
      body.exprs.append(.init(node: Self.normalized(node, type), type: type))
    }
    repeat { body.results.append(try argument(body)) } while scanner.take(",")
    try scanner.expect("}")
    return body
  }

  private mutating func expr(_ body: Body) throws -> ExprID {
    try scanner.expect("$")
    return ExprID(try scanner.integer())
  }

  /// An expression that is there already.
  private mutating func argument(_ body: Body) throws -> ExprID {
    let id = try expr(body)
    guard id.position >= 0, id.position < body.exprs.count else {
      throw scanner.error("\(id) is used before it is defined")
    }
    return id
  }

  private mutating func pair(_ body: Body) throws -> (ExprID, ExprID) {
    let a = try argument(body)
    try scanner.expect(",")
    return (a, try argument(body))
  }

  private mutating func scalar() throws -> Scalar {
    let word = scanner.number()
    if let value = Int64(word) { return .int(value) }
    guard let value = Double(word) else { throw scanner.error("expected a number, found '\(word)'") }
    return .float(value)
  }

  /// The other value of a load without condition is not written; it is zero of the type.
  private static func normalized(_ node: ExprNode, _ type: ElementType) -> ExprNode {
    guard case .load(let value, let indices, nil, _) = node else { return node }
    return .load(value, indices, condition: nil, otherwise: type.isFloat ? .float(0) : .int(0))
  }

  private mutating func node(_ body: Body) throws -> ExprNode {
    let word = scanner.word()
    if let function = UnaryFunction(rawValue: word) { return .unary(function, try argument(body)) }
    if let function = BinaryFunction(rawValue: word) {
      let (a, b) = try pair(body)
      return .binary(function, a, b)
    }
    if let comparison = Comparison(rawValue: word) {
      let (a, b) = try pair(body)
      return .compare(comparison, a, b)
    }
    switch word {
    case "constant": return .constant(try scalar())
    case "axis": return .axis(try scanner.integer())
    case "size":
      guard let size = try sizes().first else { throw scanner.error("expected one size") }
      return .size(size)
    case "accumulator": return .accumulator(try scanner.integer())
    case "cast": return .cast(try argument(body))
    case "bitcast": return .bitcast(try argument(body))
    case "select":
      let (condition, a) = try pair(body)
      try scanner.expect(",")
      return .select(condition, a, try argument(body))
    case "checked":
      let a = try argument(body)
      try scanner.expect("below")
      let bound = try argument(body)
      try scanner.expect("error")
      return .checked(a, below: bound, error: try scanner.integer())
    case "load":
      let value = try id()
      let indices = try list { try $0.argument(body) }
      guard scanner.take("if") else { return .load(value, indices, condition: nil, otherwise: .int(0)) }
      let condition = try argument(body)
      try scanner.expect("else")
      return .load(value, indices, condition: condition, otherwise: try scalar())
    default: throw scanner.error("there is no expression '\(word)'")
    }
  }
}
