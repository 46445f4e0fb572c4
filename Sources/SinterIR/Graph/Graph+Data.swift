import SinterCore
import SinterForms

extension Symbol {
  /// The number in the name of a size from data: 12 in `$n12.0.1`.
  var dataNumber: Int? {
    guard isFromData else { return nil }
    return Int(name.dropFirst().drop { !$0.isNumber }.prefix { $0.isNumber })
  }
}

extension Fact {
  /// The sizes in it that data determine.
  public var dataSymbols: Set<Symbol> { symbols.filter(\.isFromData) }

  /// The sizes that it speaks of.
  var symbols: Set<Symbol> {
    let elements = (contents ?? []).flatMap { $0.isConstant ? [] : $0.symbols } + (scalars ?? []).flatMap(\.symbols)
    return Set(type.symbols + elements)
  }
}

extension Graph {
  /// What a node relies on, in the names that its results have for sizes from data: inference may have named them afresh.
  func relations(_ stated: Obligations, inferred: [Fact], of id: NodeID) -> [Obligation] {
    if nextDataNumber == 0 || stated.all.isEmpty { return stated.all }
    var names: [Symbol: Dim] = [:]
    func note(_ fresh: [Dim], _ recorded: [Dim]) {
      guard fresh.count == recorded.count else { return }
      for (a, b) in zip(fresh, recorded) where a != b {
        if let symbol = a.symbol, symbol.isFromData { names[symbol] = b }
      }
    }
    for (fact, output) in zip(inferred, nodes[id].outputs) {
      let recorded = values[output].fact
      note(fact.type.tensor?.shape ?? [], recorded.type.tensor?.shape ?? [])
      note(fact.contents ?? [], recorded.contents ?? [])
    }
    return names.isEmpty ? stated.all : stated.all.map { $0.substituting { names[$0] } }
  }

  /// Keeps names of sizes from data apart from those that a fact speaks of.
  mutating func noteDataSymbols(_ fact: Fact) {
    for symbol in fact.dataSymbols { nextDataNumber = max(nextDataNumber, (symbol.dataNumber ?? -1) + 1) }
  }

  /// The sizes from data that a node makes known: those of its results that its inputs do not speak of.
  public func definedSizes(of id: NodeID) -> Set<Symbol> {
    if nextDataNumber == 0 { return [] }
    let node = nodes[id]
    let results = node.outputs.reduce(into: Set<Symbol>()) { $0.formUnion(values[$1].fact.dataSymbols) }
    if results.isEmpty { return [] }
    return node.inputs.reduce(results) { left, input in
      input.map { left.subtracting(values[$0].fact.dataSymbols) } ?? left
    }
  }

  /// Sizes from data that the graph computes itself, in nodes of its own.
  public var ownDataSymbols: Set<Symbol> {
    if nextDataNumber == 0 { return [] }
    var found: Set<Symbol> = []
    for id in order {
      for output in nodes[id].outputs { found.formUnion(values[output].fact.dataSymbols) }
    }
    for port in inputs { found.subtract(values[port.value].fact.dataSymbols) }
    return found
  }

  /// Sizes from data that the graph speaks of and that are known outside of it.
  var capturedDataSymbols: Set<Symbol> { nextDataNumber == 0 ? [] : capturedSymbols.filter(\.isFromData) }

  /// Sizes that the graph speaks of and that are known outside of it.
  var capturedSymbols: Set<Symbol> {
    var found = Set(obligations.flatMap(\.symbols))
    for id in values.indices { found.formUnion(values[id].fact.symbols) }
    return found.subtracting(ownDataSymbols)
  }

  /// The same graph with other names for sizes.
  public func renaming(_ names: [Symbol: Symbol]) throws -> Graph {
    if names.isEmpty { return self }
    var copy = self
    try copy.substitute { names[$0].map { Dim($0) } }
    return copy
  }

  /// The same graph with numbers from a given one on in the names of the sizes that it computes itself, so that these may stand in a graph
  /// that has all lower ones.
  package func numberingOwnSizes(from first: Int) throws -> Graph {
    var names: [Symbol: Symbol] = [:]
    for symbol in ownDataSymbols {
      guard let number = symbol.dataNumber else { continue }
      let start = symbol.name.prefix { !$0.isNumber }
      let end = symbol.name.dropFirst(start.count).drop { $0.isNumber }
      names[symbol] = Symbol("\(start)\(number + first)\(end)")
    }
    return try renaming(names)
  }

  /// Takes one name for two sizes that are the same: a value takes the place of another, whose node made sizes known by names of its own.
  public mutating func identifySizes(of old: ValueID, with new: ValueID) throws {
    try identifySizes([(old, new)])
  }

  /// The same for several values, one after the other.
  package mutating func identifySizes(_ pairs: [(old: ValueID, new: ValueID)]) throws {
    guard nextDataNumber > 0 else { return }
    var isChanged = false
    for (old, new) in pairs {
      guard let node = producer(of: old), case let own = definedSizes(of: node), !own.isEmpty else { continue }
      let map = values[old].fact.meanings(of: own, in: values[new].fact)
      if map.isEmpty { continue }
      try substitute { map[$0] }
      isChanged = true
    }
    if isChanged { try restateObligations() }
  }
}
