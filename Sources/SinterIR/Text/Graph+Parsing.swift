import SinterCore

extension Graph {
  /// Reads the text form that `description` writes.
  ///
  /// Constants that the text only names by hash are asked of `store`. Types of results are taken as written, after inference has
  /// accepted the node and agrees with them in element type and rank.
  public init(
    parsing text: String, operators: OpTable, store: @escaping (_ hash: String) -> HostTensor? = { _ in nil }
  ) throws {
    var parser = GraphParser(scanner: TextScanner(text), operators: operators, store: store)
    self = try parser.graph()
    guard parser.scanner.isAtEnd else { throw parser.scanner.error("expected the end of the text") }
  }
}

private struct GraphParser {
  var scanner: TextScanner
  let operators: OpTable
  let store: (String) -> HostTensor?
  var depth = 0

  mutating func graph() throws -> Graph {
    depth += 1
    defer { depth -= 1 }
    guard depth <= 32 else { throw scanner.error("graphs are nested more than 32 deep") }
    try scanner.expect("graph")
    var graph = Graph(name: try scanner.quoted())
    var known: [Int: ValueID] = [:]
    try scanner.expect("{")
    while !scanner.take("}") {
      if scanner.take("opset") {
        let domain = try scanner.quoted()
        graph.opsets[domain] = try scanner.integer()
      } else if scanner.take("flush") {
        try scanner.expect("subnormals")
        graph.flushesSubnormals = true
      } else if scanner.take("range") {
        let symbol = scanner.symbol()
        let bounds = try range()
        graph.ranges[symbol] = bounds
      } else if scanner.take("input") {
        try input(&graph, &known)
      } else if scanner.take("constant") {
        try constant(&graph, &known)
      } else if scanner.take("require") {
        try graph.require([try scanner.obligation()])
      } else if scanner.take("structure") {
        if scanner.take("input") {
          graph.inputStructures.append(try scanner.portStructure())
        } else {
          try scanner.expect("output")
          graph.outputStructures.append(try scanner.portStructure())
        }
      } else if scanner.take("state") {
        let input = try scanner.integer()
        try scanner.expect("->")
        let output = scanner.take("_") ? nil : try scanner.integer()
        try scanner.expect(":")
        graph.states.append(StatePort(input: input, output: output, initial: try tensor()))
      } else if scanner.take("output") {
        let name = try scanner.quoted()
        let value = try self.value(known)
        graph.outputs.append(.init(name: name, value: value, note: try note()))
      } else {
        try node(&graph, &known)
      }
    }
    return graph
  }

  private mutating func range() throws -> ClosedRange<Int> {
    let words = scanner.number().split(separator: ".", omittingEmptySubsequences: true)
    guard words.count == 2, let low = Int(words[0]), let high = Int(words[1]), low <= high else {
      throw scanner.error("expected a range such as 1...64")
    }
    return low...high
  }

  /// The elements of a value as sizes, where they are told.
  private mutating func elements() throws -> [Dim]? {
    guard scanner.take("holds") else { return nil }
    try scanner.expect("sizes")
    return try sizes()
  }

  private mutating func note() throws -> String { scanner.take("note") ? try scanner.quoted() : "" }

  private mutating func number() throws -> Int {
    try scanner.expect("%")
    return try scanner.integer()
  }

  private mutating func value(_ known: [Int: ValueID]) throws -> ValueID {
    let number = try number()
    guard let id = known[number] else { throw scanner.error("%\(number) is used before it is defined") }
    return id
  }

  private mutating func define(
    _ number: Int, _ value: Graph.Value, _ graph: inout Graph, _ known: inout [Int: ValueID]
  ) throws -> ValueID {
    guard known[number] == nil else { throw scanner.error("%\(number) is defined twice") }
    let id = graph.values.append(value)
    known[number] = id
    return id
  }

  private mutating func input(_ graph: inout Graph, _ known: inout [Int: ValueID]) throws {
    let number = try number()
    let name = try scanner.quoted()
    try scanner.expect(":")
    var fact = Fact(try type())
    fact.contents = try elements()
    let note = try note()
    let id = try define(number, .init(fact: fact, definition: .input(graph.inputs.count), name: name), &graph, &known)
    graph.inputs.append(.init(name: name, value: id, note: note))
  }

  private mutating func constant(_ graph: inout Graph, _ known: inout [Int: ValueID]) throws {
    let number = try number()
    let name = try optionalName()
    try scanner.expect(":")
    let tensor = try tensor()
    let value = Graph.Value(fact: Fact(constant: tensor), definition: .constant(tensor), name: name)
    _ = try define(number, value, &graph, &known)
  }

  private mutating func optionalName() throws -> String {
    scanner.skipSpaces()
    return scanner.peek() == UInt8(ascii: "\"") ? try scanner.quoted() : ""
  }

  private mutating func node(_ graph: inout Graph, _ known: inout [Int: ValueID]) throws {
    var results: [(number: Int, name: String, type: ValueType, elements: [Dim]?)] = []
    repeat {
      let number = try number()
      let name = try optionalName()
      try scanner.expect(":")
      let type = try type()
      results.append((number, name, type, try elements()))
    } while scanner.take(",")
    try scanner.expect("=")
    let opName = scanner.word()
    guard let type = operators[opName] else { throw scanner.error("there is no operator \(opName)") }
    var inputs: [ValueID?] = []
    try scanner.expect("(")
    if !scanner.take(")") {
      repeat { inputs.append(scanner.take("_") ? nil : try value(known)) } while scanner.take(",")
      try scanner.expect(")")
    }
    let op: any Operator
    do {
      op = try type.init(attributeValues: try attributes())
    } catch let error as DiagnosticError where error.diagnostics.first?.id == "operator.attribute" {
      throw scanner.error(error.diagnostics.map(\.message).joined(separator: "; "))
    }
    var origin: [Origin] = []
    while scanner.take("from") {
      let path = try scanner.quoted()
      let node = try scanner.quoted()
      origin.append(Origin(path: path, node: node, source: try scanner.quoted()))
    }
    var bodies: [Graph] = []
    scanner.skipSpaces()
    while scanner.peek() == UInt8(ascii: "g") {
      bodies.append(try self.graph())
      scanner.skipSpaces()
    }

    var facts = graph.inputs(inputs, outputs: results.count)
    facts.bodies = bodies
    facts.declared = results.map { Fact($0.type, contents: $0.elements) }
    let inferred: [Fact]
    do {
      var stated = Obligations(ranges: graph.ranges)
      inferred = try op.inferWithContents(facts, requiring: &stated)
      try graph.require(stated.all.map { $0.located(op: op, origin: origin, inputs: facts) })
    } catch let error as DiagnosticError {
      throw error.located(op: opName, origin: origin).located(at: scanner.error("").diagnostics[0].places[0])
    }
    guard inferred.count >= results.count else {
      throw scanner.error("\(opName) has \(inferred.count) results, but \(results.count) are named")
    }
    let id = NodeID(graph.nodes.count)
    var outputs: [ValueID] = []
    for (index, result) in results.enumerated() {
      var fact = inferred[index]
      guard fact.type.agrees(with: result.type) else {
        throw scanner.error("result %\(result.number) of \(opName) is written as \(result.type), but is \(fact.type)")
      }
      fact.type = result.type
      // Names of sizes that inference no longer needs may stand in what follows: whoever infers anew learns what they are.
      if let written = result.elements, written.count == fact.contents?.count ?? written.count {
        fact.contents = written
      }
      graph.noteDataSymbols(fact)
      let value = Graph.Value(fact: fact, definition: .node(id, result: index), name: result.name)
      outputs.append(try define(result.number, value, &graph, &known))
    }
    graph.nodes.append(.init(op: op, inputs: inputs, outputs: outputs, origin: origin, bodies: bodies))
    graph.order.append(id)
  }

  // MARK: Attributes

  private mutating func attributes() throws -> [String: AttributeValue] {
    var values: [String: AttributeValue] = [:]
    guard scanner.take("{") else { return values }
    if scanner.take("}") { return values }
    repeat {
      let name = scanner.word()
      try scanner.expect(":")
      values[name] = try attribute()
    } while scanner.take(",")
    try scanner.expect("}")
    return values
  }

  private mutating func attribute() throws -> AttributeValue {
    if scanner.take("sizes") { return .dims(try sizes()) }
    if scanner.take("tensor") { return .tensor(try tensor()) }
    if scanner.take("[") { return try listAttribute() }
    scanner.skipSpaces()
    if scanner.peek() == UInt8(ascii: "\"") { return .string(try scanner.quoted()) }
    let word = scanner.number()
    if word == "true" || word == "false" { return .bool(word == "true") }
    if let value = Int(word) { return .int(value) }
    if let value = Double(word) { return .float(value) }
    if let element = ElementType(name: word) { return .element(element) }
    throw scanner.error("expected an attribute's value, found '\(word)'")
  }

  private mutating func listAttribute() throws -> AttributeValue {
    if scanner.take("]") { return .ints([]) }
    scanner.skipSpaces()
    if scanner.peek() == UInt8(ascii: "\"") {
      var texts: [String] = []
      repeat { texts.append(try scanner.quoted()) } while scanner.take(",")
      try scanner.expect("]")
      return .strings(texts)
    }
    var words: [String] = []
    repeat { words.append(scanner.number()) } while scanner.take(",")
    try scanner.expect("]")
    let integers = words.compactMap { Int($0) }
    if integers.count == words.count { return .ints(integers) }
    let numbers = words.compactMap { Double($0) }
    guard numbers.count == words.count else { throw scanner.error("expected a list of numbers") }
    return .floats(numbers)
  }

  // MARK: Types and constants

  private mutating func sizes() throws -> [Dim] {
    try scanner.expect("[")
    var dims: [Dim] = []
    if scanner.take("]") { return dims }
    repeat { dims.append(try scanner.size()) } while scanner.take(",")
    try scanner.expect("]")
    return dims
  }

  private mutating func element() throws -> ElementType {
    let word = scanner.word()
    guard let element = ElementType(name: word) else { throw scanner.error("there is no element type '\(word)'") }
    return element
  }

  private mutating func type() throws -> ValueType {
    depth += 1
    defer { depth -= 1 }
    guard depth <= 64 else { throw scanner.error("types are nested too deep") }
    let result: ValueType
    if scanner.take("seq(") {
      result = .sequence(try type())
    } else if scanner.take("optional(") {
      result = .optional(try type())
    } else if scanner.take("map(") {
      let key = try element()
      try scanner.expect(",")
      result = .map(key: key, value: try type())
    } else {
      return .tensor(TensorType(try element(), try sizes()))
    }
    try scanner.expect(")")
    return result
  }

  private mutating func tensor() throws -> HostTensor {
    guard let type = try type().tensor, let shape = type.staticShape else {
      throw scanner.error("a constant needs a tensor type with known sizes")
    }
    try scanner.expect("=")
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
    if !scanner.take("}") {
      repeat { words.append(type.element == .string ? try scanner.quoted() : scanner.number()) } while scanner.take(",")
      try scanner.expect("}")
    }
    guard let tensor = TensorText.parse(type.element, shape, words) else {
      throw scanner.error("the elements do not make a \(type)")
    }
    return tensor
  }
}

extension ValueType {
  /// Whether two types can be those of one value: equal but for sizes of which one or both are no numbers.
  package func agrees(with other: ValueType) -> Bool {
    switch (self, other) {
    case (.tensor(let a), .tensor(let b)):
      a.element == b.element && a.rank == b.rank
        && zip(a.shape, b.shape).allSatisfy { x, y in x.value == nil || y.value == nil || x == y }
    case (.sequence(let a), .sequence(let b)), (.optional(let a), .optional(let b)): a.agrees(with: b)
    case (.map(let key, let value), .map(let key2, let value2)): key == key2 && value.agrees(with: value2)
    case (.tensor, _), (.sequence, _), (.optional, _), (.map, _): false
    }
  }
}

extension Fact {
  /// What is known of a constant.
  public init(constant tensor: HostTensor) {
    var contents: [Dim]?
    if tensor.count <= Fact.contentsLimit, let integers = tensor.integers {
      contents = integers.map { Dim($0) }
    }
    self.init(.tensor(tensor.type), contents: contents)
  }
}
