import SinterCore

/// Adds values and nodes to a graph in order, inferring the type of each as it comes.
public struct GraphBuilder {
  /// The graph so far.
  public internal(set) var graph: Graph
  /// Where the nodes added next come from.
  public var origin: [Origin] = []
  /// What the results of the node added next are declared to be; see `NodeInputs.declared`.
  public var declared: [Fact?] = []
  /// Whether nodes may rely on more than the graph's obligations say. Where they may not, what they rely on besides is not added but noted
  /// in `reliesOnMore`: rules that rewrite a graph must not ask more of its callers.
  var mayRelyOnMore = true
  var reliesOnMore = false

  /// Names that parts of structured ports must not get, since other ports have them.
  public var takenNames: Set<String> = []

  /// Begins a graph.
  public init(name: String) { graph = Graph(name: name) }

  /// Goes on with an existing graph: new nodes come after its own.
  public init(_ graph: Graph) { self.graph = graph }

  /// Adds an input.
  public mutating func input(_ fact: Fact, named name: String, note: String = "") -> ValueID {
    graph.noteDataSymbols(fact)
    let id = graph.values.append(.init(fact: fact, definition: .input(graph.inputs.count), name: name))
    graph.inputs.append(.init(name: name, value: id, note: note))
    return id
  }

  /// Adds a constant.
  public mutating func constant(_ tensor: HostTensor, named name: String = "") -> ValueID {
    graph.values.append(.init(fact: Fact(constant: tensor), definition: .constant(tensor), name: name))
  }

  /// Makes a value an output.
  public mutating func output(_ value: ValueID, named name: String) {
    graph.outputs.append(.init(name: name, value: value))
  }

  /// An input of any kind: one for each of its tensors, by names that none has yet.
  public mutating func input(
    _ fact: Structured<Fact>, named name: String, elementSizes: [Int?]? = nil
  ) -> OnnxValue {
    if case .tensor(let fact) = fact { return .tensor(input(fact, named: name)) }
    let first = graph.inputs.count
    var names = fact.partNames(name).makeIterator()
    let value = fact.map { fact in input(fact, named: unused(names.next() ?? name, among: graph.inputs)) }
    var place = first
    let positions = value.map { _ in
      defer { place += 1 }
      return place
    }
    graph.inputStructures.append(PortStructure(name: name, value: positions, elementSizes: elementSizes))
    return value
  }

  /// An output of any kind. A structure has at least one tensor.
  public mutating func output(_ value: OnnxValue, named name: String, elementSizes: [Int?]? = nil) {
    if case .tensor(let id) = value { return output(id, named: name) }
    var place = graph.outputs.count
    for (leaf, part) in zip(value.leaves, value.partNames(name)) {
      output(leaf, named: unused(part, among: graph.outputs))
    }
    let positions = value.map { _ in
      defer { place += 1 }
      return place
    }
    graph.outputStructures.append(PortStructure(name: name, value: positions, elementSizes: elementSizes))
    if case .maps(let keys, _) = value, let known = graph.constant(keys), case .maps(let position, _) = positions {
      let texts =
        known.element == .string ? known.strings.map(TensorText.quoted) : known.integers?.map(String.init) ?? []
      graph.outputs[position].note = "in each of the maps, " + texts.joined(separator: ", ")
    }
  }

  private func unused(_ name: String, among ports: [Graph.Port]) -> String {
    var name = name
    while takenNames.contains(name) || ports.contains(where: { $0.name == name }) { name += "'" }
    return name
  }

  /// What a library keeps of the inputs; see `StatePort`.
  public mutating func setStates(_ states: [StatePort]) { graph.states = states }
  /// Has a library of the graph flush subnormal numbers to zero; see `Graph.flushesSubnormals`.
  public mutating func setFlushesSubnormals() { graph.flushesSubnormals = true }
  /// Gives a value a name.
  public mutating func setName(_ name: String, of value: ValueID) { graph.values[value].name = name }
  /// States the least and the greatest value of a symbol.
  public mutating func setRange(_ range: ClosedRange<Int>, of symbol: Symbol) { graph.ranges[symbol] = range }
  /// States which opset of a domain the graph's nodes are read by.
  public mutating func setOpset(_ version: Int, of domain: String) { graph.opsets[domain] = version }

  /// What is known of a value.
  public func fact(_ value: ValueID) -> Fact { graph.values[value].fact }

  /// The type of a value that must be a tensor; throws for any other.
  public func type(_ value: ValueID) throws -> TensorType {
    guard let type = graph.values[value].fact.type.tensor else {
      throw DiagnosticError(.user, "graph.type", "expected a tensor, but \(value) is \(graph.values[value].fact.type)")
    }
    return type
  }

  /// The inputs of a node as its operator sees them.
  public func inputs(_ ids: [ValueID?], outputs: Int) -> NodeInputs { graph.inputs(ids, outputs: outputs) }

  /// Adds a node with `outputs` results and gives them. Throws what `infer` finds wrong, located at the node.
  @discardableResult
  public mutating func add(
    _ op: some Operator, _ inputs: [ValueID?], outputs: Int = 1, bodies: [Graph] = []
  ) throws -> [ValueID] {
    let inputs = try readingSizes(op, inputs)
    var node = graph.inputs(inputs, outputs: outputs)
    node.bodies = bodies
    if declared.count == outputs { node.declared = declared }
    var facts: [Fact]
    do {
      var stated = Obligations(ranges: graph.taughtRanges)
      facts = try op.inferWithContents(node, requiring: &stated)
      try stated.require(node.declaredSizes(of: facts))
      for lesson in try require(stated.all.map({ $0.located(op: op, origin: origin, inputs: node) })) {
        facts = facts.map { $0.substituting(lesson.replacement) }
      }
    } catch let error as DiagnosticError {
      throw error.located(op: Swift.type(of: op).name, origin: origin)
    }
    for result in facts.indices { facts[result].nameLongSizes { node.freshSize(result: result, axis: $0) } }
    guard facts.count >= outputs else {
      throw DiagnosticError(
        .user, "graph.outputs", "\(Swift.type(of: op).name) has \(facts.count) results, but \(outputs) are used",
        at: origin.map(\.description))
    }
    for fact in facts.prefix(outputs) { graph.noteDataSymbols(fact) }
    let id = NodeID(graph.nodes.count)
    let results = facts.prefix(outputs).enumerated().map { index, fact in
      graph.values.append(.init(fact: fact, definition: .node(id, result: index), name: ""))
    }
    graph.nodes.append(.init(op: op, inputs: inputs, outputs: results, origin: origin, bodies: bodies))
    graph.order.append(id)
    return op is ReadSizes ? results : try results.map { try shortened($0) }
  }

  /// What computes sizes that are too long to go on with has them read when the model runs.
  private mutating func shortened(_ value: ValueID) throws -> ValueID {
    let fact = graph.values[value].fact
    guard let long = fact.contents?.filter(\.isLong), !long.isEmpty, let type = fact.type.tensor, type.rank <= 1
    else { return value }
    return try readSizes(of: value, isSigned: !long.allSatisfy { $0.isNonNegative(graph.ranges) })
  }

  private mutating func readSizes(of value: ValueID, isSigned: Bool) throws -> ValueID {
    // What is declared is another node's results.
    let outer = declared
    declared = []
    defer { declared = outer }
    return try add1(ReadSizes(isSigned: isSigned), [value])
  }

  /// The inputs, with those behind a `ReadSizes` whose elements the operator takes as sizes and that nothing determines ahead of time.
  private mutating func readingSizes(_ op: some Operator, _ inputs: [ValueID?]) throws -> [ValueID?] {
    let needs = op.sizeInputs(graph.inputs(inputs, outputs: 1))
    if needs.isEmpty { return inputs }
    var inputs = inputs
    for need in needs where need.index < inputs.count {
      guard let value = inputs[need.index], let type = graph.type(of: value).tensor, type.element.isInteger,
        graph.inputs([value], outputs: 1).contents(0) == nil
      else { continue }
      inputs[need.index] = try readSizes(of: value, isSigned: need.isSigned)
    }
    return inputs
  }

  /// States relations that the nodes at hand rely on besides what inference says of each: those of an expansion as a whole, or of a node of
  /// a file that asks for more than its operator needs.
  ///
  /// - Parameter name: the operator's, for messages.
  public mutating func require(by name: String, _ relations: (inout Obligations) throws -> Void) throws {
    do {
      var stated = Obligations(ranges: graph.taughtRanges)
      try relations(&stated)
      _ = try require(
        stated.all.map { obligation in
          var copy = obligation
          copy.op = name
          copy.origin = origin.map(\.description).filter { !$0.isEmpty }
          return copy
        })
    } catch let error as DiagnosticError {
      throw error.located(op: name, origin: origin)
    }
  }

  private mutating func require(_ obligations: [Obligation]) throws -> [SizeLesson] {
    if obligations.isEmpty { return [] }
    if mayRelyOnMore { return try graph.require(obligations) }
    if !graph.implies(obligations) { reliesOnMore = true }
    return []
  }

  /// A size that changes from iteration to iteration of a loop: a name that no other size has.
  public mutating func freshSize() -> Dim {
    defer { graph.nextDataNumber += 1 }
    return Dim(Symbol("$n\(graph.nextDataNumber).iteration"))
  }

  /// A node with one result.
  public mutating func add1(_ op: some Operator, _ inputs: [ValueID?]) throws -> ValueID {
    try add(op, inputs, outputs: 1)[0]
  }
}

extension Fact {
  /// Gives sizes that are too long to go on with names of their own, which lowering makes known.
  fileprivate mutating func nameLongSizes(_ name: (_ axis: Int) -> Dim) {
    guard case .tensor(var type) = type else { return }
    for axis in type.shape.indices where type.shape[axis].isLong { type.shape[axis] = name(axis) }
    self.type = .tensor(type)
  }

  /// Integer tensors of up to this many elements have their contents followed as sizes.
  public static var contentsLimit: Int { 64 }
}

extension NodeInputs {
  /// That sizes which data determine are what a file declares, where it declares numbers.
  fileprivate func declaredSizes(of facts: [Fact]) -> [Obligation] {
    var found: [Obligation] = []
    for (result, (fact, declared)) in zip(facts, declared).enumerated() {
      guard let shape = fact.type.tensor?.shape, let told = declared?.type.tensor?.shape, shape.count == told.count
      else {
        continue
      }
      for axis in shape.indices where told[axis].isConstant && shape[axis].symbol?.isFromData ?? false {
        let subject = "sizes along axis \(axis) of result \(result), as data determine it and as the file declares it,"
        found.append(Obligation(.equal, shape[axis], told[axis], subject: subject))
      }
    }
    return found
  }
}

extension Graph {
  /// The inputs of a node as its operator sees them.
  public func inputs(_ ids: [ValueID?], outputs: Int) -> NodeInputs {
    NodeInputs(
      ids: ids, facts: ids.map { $0.map { values[$0].fact } }, constants: ids.map { $0.flatMap { constant($0) } },
      outputCount: outputs, freshNumber: nextDataNumber)
  }

  /// The inputs of a node of this graph.
  public func inputs(of node: NodeID) -> NodeInputs {
    var result = inputs(nodes[node].inputs, outputs: nodes[node].outputs.count)
    result.bodies = nodes[node].bodies
    result.declared = nodes[node].outputs.map { values[$0].fact }
    return result
  }
}

extension DiagnosticError {
  /// The same errors, told to have happened in a node.
  package func located(op: String, origin: [Origin]) -> DiagnosticError {
    DiagnosticError(
      diagnostics.map { diagnostic in
        var copy = diagnostic
        if !copy.message.hasPrefix(op + ": ") { copy.message = op + ": " + copy.message }
        copy.places += origin.map(\.description).filter { !$0.isEmpty && !copy.places.contains($0) }
        return copy
      })
  }
}

extension GraphBuilder {
  /// Moves the nodes that were added since there were `count` to another place of the order, where they stand instead of a node: what they
  /// give becomes that node's results, which keep their ids.
  package mutating func adopt(
    results: [ValueID], as outputs: [ValueID], movingNodesSince count: Int, to place: Int, droppingNode dropped: NodeID
  ) {
    let added = Array(graph.order[count...])
    graph.order.removeSubrange(count...)
    graph.order.replaceSubrange(place...place, with: added)
    var renamed: [ValueID: ValueID] = [:]
    for (new, old) in zip(results, outputs) {
      guard case .node(let id, let index) = graph.values[new].definition else { continue }
      graph.values[old].definition = .node(id, result: index)
      graph.values[old].fact = graph.values[new].fact
      graph.nodes[id].outputs[index] = old
      renamed[new] = old
    }
    for id in added {
      graph.nodes[id].inputs = graph.nodes[id].inputs.map { $0.map { renamed[$0] ?? $0 } }
    }
  }
}
