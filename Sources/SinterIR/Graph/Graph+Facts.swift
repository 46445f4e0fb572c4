import SinterCore
import SinterForms

extension Graph {
  /// The symbols in the types of inputs, sorted: the sizes that a caller chooses.
  public var inputSymbols: [Symbol] {
    var found: Set<Symbol> = []
    for port in inputs { found.formUnion(type(of: port).symbols) }
    return found.sorted()
  }

  /// Fixes symbols of the inputs' types to numbers, in the whole graph, and infers everything anew.
  public mutating func bind(_ sizes: [Symbol: Int]) throws {
    let diagnostics = Self.problems(binding: sizes, of: inputSymbols, ranges: ranges)
    if !diagnostics.isEmpty { throw DiagnosticError(diagnostics) }
    for symbol in sizes.keys { ranges[symbol] = nil }
    try substitute { sizes[$0].map { Dim($0) } }
    try restateObligations()
    try inferAnew()
  }

  /// What is wrong with fixing symbols to numbers, where inputs have the symbols `known`.
  package static func problems(
    binding sizes: [Symbol: Int], of known: [Symbol], ranges: [Symbol: ClosedRange<Int>]
  ) -> [Diagnostic] {
    var diagnostics: [Diagnostic] = []
    for (symbol, size) in sizes.sorted(by: { $0.key < $1.key }) {
      if !known.contains(symbol) {
        let all = known.isEmpty ? "all sizes are fixed" : "the symbols are \(known.map(\.name).joined(separator: ", "))"
        diagnostics.append(Diagnostic(.user, "bind.symbol", "no input has a size named \(symbol.name); \(all)"))
      } else if let range = ranges[symbol], !range.contains(size) {
        diagnostics.append(
          Diagnostic(
            .user, "bind.range",
            "\(symbol.name) lies in \(range.lowerBound)...\(range.upperBound), but is bound to \(size)"))
      } else if size < 0 {
        diagnostics.append(
          Diagnostic(.user, "bind.range", "\(symbol.name) is bound to \(size), but a size is at least 0"))
      }
    }
    return diagnostics
  }

  /// Replaces symbols in all facts and attributes.
  mutating func substitute(_ replacement: (Symbol) -> Dim?) throws {
    for index in inputs.indices {
      inputs[index].declared = inputs[index].declared?.mapDims { $0.substituting(replacement) }
    }
    obligations = obligations.map { $0.substituting(replacement) }
    for id in values.indices {
      values[id].fact.type = values[id].fact.type.mapDims { $0.substituting(replacement) }
      if let contents = values[id].fact.contents {
        values[id].fact.contents = contents.map { $0.substituting(replacement) }
      }
      if let scalars = values[id].fact.scalars {
        values[id].fact.scalars = scalars.map { $0.substituting(replacement) }
      }
    }
    // Those, too, that have no place in the order while the graph is rewritten.
    for id in nodes.indices {
      nodes[id].op = try nodes[id].op.substituting(replacement)
      for index in nodes[id].bodies.indices { try nodes[id].bodies[index].substituteCaptured(replacement) }
    }
  }

  /// Replaces symbols that a body has from around it. Sizes that it computes itself are others, even where they have the same names: those
  /// keep their names, or get new ones where what comes in has them.
  private mutating func substituteCaptured(_ replacement: (Symbol) -> Dim?) throws {
    let incoming = capturedSymbols.reduce(into: Set<Symbol>()) { $0.formUnion(replacement($1)?.symbols ?? []) }
    let first = incoming.reduce(nextDataNumber) { max($0, ($1.dataNumber ?? -1) + 1) }
    var own = ownDataSymbols
    if !own.isDisjoint(with: incoming) {
      self = try numberingOwnSizes(from: first)
      own = ownDataSymbols
    }
    nextDataNumber = own.reduce(first) { max($0, ($1.dataNumber ?? -1) + 1) }
    try substitute { own.contains($0) ? nil : replacement($0) }
  }

  /// Infers each node's results again from what is known of its inputs now. A fact never gets worse: sizes and contents that were
  /// known stay so, and a size that inference would name afresh keeps its old name. All nodes that are refused are reported.
  public mutating func inferAnew() throws {
    var diagnostics: [Diagnostic] = []
    var known: Set<Symbol> = []
    for id in values.indices { known.formUnion(values[id].fact.type.symbols) }
    for port in inputs { known.formUnion(type(of: port).symbols) }
    for id in order {
      let node = nodes[id]
      var facts: [Fact]
      do {
        var stated = Obligations(ranges: ranges)
        facts = try node.op.inferWithContents(inputs(of: id), requiring: &stated)
        let relations = relations(stated, inferred: facts, of: id)
        for lesson in try require(
          relations.map({ $0.located(op: node.op, origin: node.origin, inputs: inputs(of: id)) }))
        {
          facts = facts.map { $0.substituting(lesson.replacement) }
        }
      } catch let error as DiagnosticError {
        diagnostics += error.located(op: Swift.type(of: node.op).name, origin: node.origin).diagnostics
        continue
      }
      let own = definedSizes(of: id)
      var learned: [Symbol: Dim] = [:]
      for (output, fact) in zip(node.outputs, facts) where fact.type.agrees(with: values[output].fact.type) {
        let (old, new) = (values[output].fact, values[output].fact.refined(by: fact, symbols: known))
        if !own.isEmpty { learned.merge(old.meanings(of: own, in: new)) { first, _ in first } }
        values[output].fact = new
      }
      // What a size turned out to be, it is wherever the graph speaks of it, bodies included.
      if !learned.isEmpty {
        try substitute { learned[$0] }
        do {
          try restateObligations()
        } catch let error as DiagnosticError {
          diagnostics += error.located(op: Swift.type(of: node.op).name, origin: node.origin).diagnostics
        }
      }
    }
    if !diagnostics.isEmpty { throw DiagnosticError(diagnostics) }
  }
}

extension Fact {
  /// What some of the names in this fact stand for in another one of the same value.
  func meanings(of names: Set<Symbol>, in other: Fact) -> [Symbol: Dim] {
    let pairs =
      Array(zip(type.tensor?.shape ?? [], other.type.tensor?.shape ?? [])) + zip(contents ?? [], other.contents ?? [])
    var found: [Symbol: Dim] = [:]
    for (old, new) in pairs where old != new && !new.isLong && names.isDisjoint(with: new.symbols) {
      if let symbol = old.symbol {
        if names.contains(symbol) { found[symbol] = new }
      } else if let (plus, minus) = old.difference, names.contains(plus), names.contains(minus) {
        // A signed number is a difference of two sizes, and these stand nowhere else.
        (found[plus], found[minus]) = (new, 0)
      }
    }
    return found
  }

  func refined(by other: Fact, symbols known: Set<Symbol>) -> Fact {
    var result = self
    func isKnown(_ dim: Dim) -> Bool {
      dim.isConstant || !dim.isLong && dim.symbols.allSatisfy { known.contains($0) }
    }
    if case .tensor(var type) = type, case .tensor(let newer) = other.type {
      for axis in type.shape.indices where !type.shape[axis].isConstant && isKnown(newer.shape[axis]) {
        type.shape[axis] = newer.shape[axis]
      }
      result.type = .tensor(type)
    }
    if let newer = other.contents, newer.allSatisfy(isKnown) {
      let isBetter = contents.map { old in !old.allSatisfy(\.isConstant) } ?? true
      if isBetter { result.contents = newer }
    }
    if result.contents != nil {
      result.scalars = nil
    } else if let newer = other.scalars, newer.allSatisfy({ $0.symbols.allSatisfy { known.contains($0) } }) {
      result.scalars = newer
    }
    return result
  }
}

extension Dim {
  /// The two symbols of which it is the difference.
  fileprivate var difference: (Symbol, Symbol)? {
    guard terms.count == 2, let plus = terms.first(where: { $0.coefficient == 1 }),
      let minus = terms.first(where: { $0.coefficient == -1 }), plus.factors.count == 1, minus.factors.count == 1,
      case .symbol(let a) = plus.factors[0], case .symbol(let b) = minus.factors[0]
    else { return nil }
    return (a, b)
  }
}

extension Operator {
  /// The same operator with symbols in its attributes replaced.
  func substituting(_ replacement: (Symbol) -> Dim?) throws -> Self {
    let values = attributeValues
    var hasSymbols = false
    for case .dims(let dims) in values.map(\.value) where dims.contains(where: { !$0.isConstant }) { hasSymbols = true }
    if !hasSymbols { return self }
    var map: [String: AttributeValue] = [:]
    for (name, value) in values {
      if case .dims(let dims) = value {
        map[name] = .dims(dims.map { $0.substituting(replacement) })
      } else {
        map[name] = value
      }
    }
    return try Self(attributeValues: map)
  }
}

extension ValueType {
  /// The symbols in it, sorted.
  public var symbols: [Symbol] {
    switch self {
    case .tensor(let type): Set(type.shape.flatMap { $0.isConstant ? [] : $0.symbols }).sorted()
    case .sequence(let element), .optional(let element), .map(_, let element): element.symbols
    }
  }

  package func mapDims(_ map: (Dim) -> Dim) -> ValueType {
    switch self {
    case .tensor(let type): .tensor(TensorType(type.element, type.shape.map(map)))
    case .sequence(let element): .sequence(element.mapDims(map))
    case .optional(let element): .optional(element.mapDims(map))
    case .map(let key, let value): .map(key: key, value: value.mapDims(map))
    }
  }
}
