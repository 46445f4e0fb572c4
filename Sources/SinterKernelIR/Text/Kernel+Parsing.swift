import SinterCore
import SinterForms

extension Kernel {
  /// Reads what `description` writes. Throws a `user` error with line and column.
  package init(parsing text: String) throws {
    var parser = KernelParser(TextScanner(text))
    self = try parser.kernel()
    if !parser.scanner.isAtEnd { throw parser.scanner.error("nothing may follow the kernel") }
  }
}

/// Reads one kernel from wherever the scanner stands.
struct KernelParser {
  var scanner: TextScanner
  private var result = Kernel(name: "")
  private var types: [Register: RegisterType] = [:]
  private var depth = 0

  init(_ scanner: TextScanner) { self.scanner = scanner }

  mutating func kernel() throws -> Kernel {
    try scanner.expect("kernel")
    result.name = try scanner.quoted()
    try scanner.expect("(")
    if !scanner.take(")") {
      repeat { result.parameters.append(try parameter()) } while scanner.take(",")
      try scanner.expect(")")
    }
    try scanner.expect("sizes")
    result.sizeCount = try scanner.integer()
    try scanner.expect("{")
    types[result.task] = RegisterType(.i64)
    while scanner.take("local") {
      let element = try element()
      try scanner.expect("[")
      let count = try scanner.integer()
      try scanner.expect("]")
      result.locals.append(.init(name: try scanner.quoted(), element: element, count: count))
    }
    result.body = try block()
    while scanner.take("unused") { _ = try declaration() }
    try scanner.expect("}")

    // Registers are numbered without gaps.
    result.registers = EntityMap()
    for number in 0..<types.count {
      guard let type = types[Register(number)] else { throw scanner.error("register %\(number) is missing") }
      result.registers.append(type)
    }
    return result
  }

  private mutating func parameter() throws -> Parameter {
    guard let access = Kernel.Parameter.Access(rawValue: scanner.word()) else {
      throw scanner.error("expected read, write or readWrite")
    }
    let element = try element()
    return Parameter(name: try scanner.quoted(), element: element, access: access)
  }

  private typealias Parameter = Kernel.Parameter

  private mutating func element() throws -> ElementType {
    let name = scanner.word()
    guard let element = ElementType(name: name) else { throw scanner.error("\(name) is no element type") }
    return element
  }

  private mutating func register() throws -> Register {
    try scanner.expect("%")
    let number = try scanner.integer()
    guard number >= 0, number < 1 << 24 else { throw scanner.error("register numbers are small and not negative") }
    return Register(number)
  }

  private mutating func registers() throws -> [Register] {
    var found = [try register()]
    while scanner.take(",") { found.append(try register()) }
    return found
  }

  private mutating func declaration() throws -> Register {
    let register = try register()
    try scanner.expect(":")
    let text = scanner.word()
    let parts = text.split(separator: "x", maxSplits: 1)
    guard let first = parts.first, let element = ElementType(name: first) else {
      throw scanner.error("\(text) is no type of a register")
    }
    let lanes = parts.count == 2 ? Int(parts[1]) ?? 0 : 1
    guard lanes > 0, lanes <= 4096 else { throw scanner.error("\(text) has no sensible number of lanes") }
    types[register] = RegisterType(element, lanes: lanes)
    return register
  }

  private mutating func pair() throws -> (Register, Register) {
    let a = try register()
    try scanner.expect(",")
    return (a, try register())
  }

  private mutating func memory() throws -> Memory {
    let name = scanner.word()
    guard let number = Int(name.dropFirst()), name.first == "p" || name.first == "l" else {
      throw scanner.error("expected memory such as p0 or l0, found \(name)")
    }
    return name.first == "p" ? .parameter(number) : .local(number)
  }

  private mutating func place() throws -> (memory: Memory, at: Register, mask: Register?) {
    let memory = try memory()
    try scanner.expect("[")
    let at = try register()
    try scanner.expect("]")
    let mask = scanner.take("where") ? try register() : nil
    return (memory, at, mask)
  }

  // MARK: Statements

  private mutating func block() throws -> Block {
    depth += 1
    defer { depth -= 1 }
    guard depth < 64 else { throw scanner.error("blocks are nested too deeply") }
    var statements: [Statement] = []
    while let statement = try statement() { statements.append(statement) }
    return Block(statements)
  }

  /// Nil where a block ends.
  private mutating func statement() throws -> Statement? {
    scanner.skipSpaces()
    if scanner.peek() == UInt8(ascii: "%") {
      let result = try declaration()
      try scanner.expect("=")
      return try definition(of: result)
    }
    if scanner.take("store") {
      let value = try register()
      let (memory, at, mask) = try place()
      return .store(value, memory, at: at, mask: mask)
    }
    if scanner.take("scatter") {
      let value = try register()
      let (memory, at, mask) = try place()
      return .scatter(value, memory, at: at, mask: mask)
    }
    if scanner.take("check") {
      let condition = try register()
      try scanner.expect("error")
      let error = try scanner.integer()
      try scanner.expect("value")
      let value = try register()
      try scanner.expect("bound")
      return .check(condition, error: error, value: value, bound: try register())
    }
    if scanner.take("prefetch") {
      let (memory, at, _) = try place()
      return .prefetch(memory, at: at)
    }
    if scanner.take("tileDot") { return .tileDot(try tileDot()) }
    if scanner.take("for") { return .loop(try loop()) }
    if scanner.take("if") { return .branch(try branch()) }
    return nil
  }

  private mutating func tileDot() throws -> TileDot {
    func number(after word: String) throws -> Int {
      try scanner.expect(word)
      return try scanner.integer()
    }
    let sums = try place()
    try scanner.expect("=")
    let left = try place()
    let leftPitch = try number(after: "pitch")
    try scanner.expect(",")
    let right = try place()
    let rightPitch = try number(after: "pitch")
    let (rows, columns) = (try number(after: "rows"), try number(after: "columns"))
    try scanner.expect("depth")
    let depth = try register()
    var stretches: [TileDot.Stretch] = []
    while scanner.take("by") {
      let count = try scanner.integer()
      stretches.append(TileDot.Stretch(count: count, pitch: try number(after: "pitch")))
    }
    var request: TileDot.Request?
    if scanner.take("request") {
      let at = try register()
      request = TileDot.Request(at: at, runs: try number(after: "runs"))
    }
    return TileDot(
      sums: sums.memory, at: sums.at, left: left.memory, at: left.at, pitch: leftPitch, right: right.memory,
      at: right.at, pitch: rightPitch, rows: rows, columns: columns, depth: depth, stretches: stretches,
      request: request)
  }

  private mutating func definition(of r: Register) throws -> Statement {
    let word = scanner.word()
    if let function = UnaryFunction(rawValue: word) { return .unary(r, function, try register()) }
    if let function = BinaryFunction(rawValue: word) {
      let (a, b) = try pair()
      return .binary(r, function, a, b)
    }
    if let comparison = Comparison(rawValue: word) {
      let (a, b) = try pair()
      return .compare(r, comparison, a, b)
    }
    switch word {
    case "constant": return .constant(r, try scalar())
    case "size": return .size(r, try scanner.integer())
    case "multiplyAdd":
      let (a, b) = try pair()
      try scanner.expect(",")
      return .multiplyAdd(r, a, b, try register())
    case "dot":
      let (a, b) = try pair()
      try scanner.expect(",")
      return .dot(r, a, b, try register())
    case "scale":
      let (a, exponent) = try pair()
      return .scale(r, a, exponent: exponent)
    case "select":
      let (condition, a) = try pair()
      try scanner.expect(",")
      return .select(r, condition, a, try register())
    case "cast": return .cast(r, try register())
    case "bitcast": return .bitcast(r, try register())
    case "broadcast": return .broadcast(r, try register())
    case "lanes": return .lanes(r)
    case "extract":
      let a = try register()
      try scanner.expect("lane")
      return .extract(r, a, lane: try scanner.integer())
    case "combineLanes":
      let name = scanner.word()
      guard let combine = Combine(rawValue: name) else { throw scanner.error("\(name) combines nothing") }
      return .combineLanes(r, combine, try register())
    case "shuffle":
      let (a, b) = try pair()
      var positions: [Int] = []
      try scanner.expect("[")
      try scanner.list(until: "]") { positions.append(try $0.integer()) }
      return .shuffle(r, a, b, positions)
    case "load":
      let (memory, at, mask) = try place()
      return .load(r, memory, at: at, mask: mask)
    case "gather":
      let (memory, at, mask) = try place()
      return .gather(r, memory, at: at, mask: mask)
    case "lookup":
      let memory = try memory()
      try scanner.expect(",")
      return .lookup(r, memory, try register())
    default: throw scanner.error("'\(word)' is no statement")
    }
  }

  private mutating func scalar() throws -> Scalar {
    let word = scanner.number()
    if let value = Int64(word) { return .int(value) }
    guard let value = Double(word) else { throw scanner.error("expected a number, found '\(word)'") }
    return .float(value)
  }

  private mutating func loop() throws -> Loop {
    let index = try register()
    types[index] = RegisterType(.i64)
    try scanner.expect("=")
    let from = try register()
    try scanner.expect("to")
    let to = try register()
    try scanner.expect("step")
    let step = try scanner.integer()
    try scanner.expect("unroll")
    let unroll = try scanner.integer()
    let name = try scanner.quoted()
    var current: [Register] = []
    var initial: [Register] = []
    if scanner.take("carrying") {
      repeat {
        current.append(try declaration())
        try scanner.expect("=")
        initial.append(try register())
      } while scanner.take(",")
    }
    try scanner.expect("{")
    let body = try block()
    let next = scanner.take("next") ? try registers() : []
    try scanner.expect("}")
    let final = scanner.take("->") ? try registers() : []
    guard next.count == current.count, final.count == current.count else {
      throw scanner.error("the loop carries \(current.count) values, but leaves \(next.count) and gives \(final.count)")
    }
    for (register, source) in zip(final, current) { types[register] = types[source] }
    let carried = current.indices.map {
      Loop.Carried(initial: initial[$0], current: current[$0], next: next[$0], final: final[$0])
    }
    return Loop(name: name, index: index, from: from, to: to, step: step, carried: carried, body: body, unroll: unroll)
  }

  private mutating func branch() throws -> Branch {
    let condition = try register()
    try scanner.expect("{")
    let then = try block()
    let first = scanner.take("yield") ? try registers() : []
    try scanner.expect("}")
    try scanner.expect("else")
    try scanner.expect("{")
    let otherwise = try block()
    let second = scanner.take("yield") ? try registers() : []
    try scanner.expect("}")
    var results: [Register] = []
    if scanner.take("->") {
      repeat { results.append(try declaration()) } while scanner.take(",")
    }
    guard first.count == results.count, second.count == results.count else {
      throw scanner.error("the blocks yield \(first.count) and \(second.count) values for \(results.count)")
    }
    return Branch(
      condition: condition, then: then, otherwise: otherwise,
      results: results.indices.map { (first[$0], second[$0], results[$0]) })
  }
}
