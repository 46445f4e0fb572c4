import SinterCore
import SinterForms

extension Graph {
  /// The graph as loop forms: ports keep their names and order, and nothing of an operator is left.
  ///
  /// An operator that is `Primitive` lowers itself; one that is only `Composite` is expanded and its expansion lowered. All operators that
  /// can do neither, and all nodes whose lowering fails, are reported together.
  public func lowered() throws -> FormProgram {
    let (program, problems) = partiallyLowered()
    if !problems.isEmpty { throw DiagnosticError(problems) }
    return program
  }

  /// As much of the graph as can be lowered, and all that is wrong with the rest. What a node that cannot be lowered would use is an
  /// output of the program.
  public func partiallyLowered() -> (program: FormProgram, problems: [Diagnostic]) {
    var lowering = Lowering(name: name)
    var bound: [ValueID: Operand] = [:]
    var problems: [Diagnostic] = []
    if let impossible { return (lowering.program, [impossible.refutation]) }
    for port in inputs {
      guard let type = type(of: port.value).tensor else {
        problems.append(
          Diagnostic(
            .limit, "lower.port",
            "input \(port.name) is \(type(of: port.value)); only tensors cross a compiled library's border"))
        continue
      }
      if type.element == .c128 {
        problems.append(
          Diagnostic(.limit, "lower.port", "input \(port.name) is \(type); complex numbers cross it as c64"))
        continue
      }
      bound[port.value] = lowering.input(type, named: port.name, declared: port.declared?.tensor)
    }
    for (symbol, range) in ranges { lowering.setRange(range, of: symbol) }
    var pass = GraphLowering(graph: self, lowering: lowering, bound: bound)
    let results = pass.run(isWhole: problems.isEmpty)
    problems += pass.diagnostics
    for (port, operand) in zip(outputs, results) {
      if let operand { pass.lowering.output(operand, named: port.name) }
    }
    if !problems.isEmpty {
      for operand in pass.looseEnds { pass.lowering.output(operand, named: "unused \(operand.id)") }
    }
    return (pass.lowering.program, problems)
  }

  /// Adds this graph's forms to a program, its inputs being values of that program; gives its outputs. Control flow lowers its bodies
  /// so.
  public func lower(into lowering: inout Lowering, inputs operands: [Operand]) throws -> [Operand] {
    guard operands.count == inputs.count else {
      throw DiagnosticError(
        .bug, "lower.inputs", "graph \(name) has \(inputs.count) inputs, but \(operands.count) values are given")
    }
    let bound = Dictionary(zip(inputs.map(\.value), operands), uniquingKeysWith: { first, _ in first })
    return try lower(into: &lowering, bound: bound)
  }

  func lower(into lowering: inout Lowering, bound: [ValueID: Operand]) throws -> [Operand] {
    // Sizes that the graph makes known are named anew: the same graph may be lowered several times.
    var graph = self
    let own = ownDataSymbols.sorted()
    if !own.isEmpty {
      let names = Dictionary(uniqueKeysWithValues: own.map { ($0, Dim(lowering.freshSize())) })
      try graph.substitute { names[$0] }
    }
    if let impossible = graph.impossible { return try graph.refuse(impossible, into: &lowering) }
    var pass = GraphLowering(graph: graph, lowering: lowering, bound: bound)
    lowering = Lowering(name: "")
    let results = pass.run(isWhole: true)
    lowering = pass.lowering
    if !pass.diagnostics.isEmpty { throw DiagnosticError(pass.diagnostics) }
    return results.compactMap { $0 }
  }
}

extension Graph {
  /// What becomes of a graph that no sizes fit: an error where it is run. Its results, which nobody sees, are zeros.
  fileprivate func refuse(_ impossible: Obligation, into lowering: inout Lowering) throws -> [Operand] {
    var never = impossible
    // Whatever sizes it speaks of, it holds for none.
    (never.relation, never.left, never.right) = (
      .equal, impossible.left.value.map { Dim($0) } ?? 0, impossible.right.value.map { Dim($0) } ?? 1
    )
    if never.left == never.right { never.right = never.left + 1 }
    lowering.require([never])
    return try outputs.map { port in
      guard let type = type(of: port.value).tensor else {
        throw DiagnosticError(.limit, "lower.output", "output \(port.name) of graph \(name) is no tensor")
      }
      for symbol in type.shape.flatMap(\.symbols) where symbol.isFromData && !lowering.knows(symbol) {
        lowering.define(symbol, as: 0)
      }
      return try lowering.element(type.shape) { builder, _ in builder.constant(0, .i64).cast(to: type.element) }
    }
  }
}

/// One walk over a graph that lowers its nodes in order.
private struct GraphLowering {
  let graph: Graph
  var lowering: Lowering
  /// The operand of each value so far; nil also where a node failed, so that its users stay silent.
  var operands: [Operand?]
  var diagnostics: [Diagnostic] = []
  /// What nodes that failed would use.
  private(set) var looseEnds: [Operand] = []
  /// Operators without a meaning, each with the first node that has it.
  var unknown: [String: [String]] = [:]

  init(graph: Graph, lowering: Lowering, bound: [ValueID: Operand]) {
    self.graph = graph
    self.lowering = lowering
    operands = [Operand?](repeating: nil, count: graph.values.count)
    for (value, operand) in bound { operands[value.position] = operand }
  }

  /// The outputs; nil where one cannot be computed. Where the graph is whole, that has a reason among the diagnostics.
  mutating func run(isWhole: Bool) -> [Operand?] {
    let outerOrigin = lowering.origin
    lowering.require(graph.obligations)
    for id in graph.order {
      let node = graph.nodes[id]
      if !node.origin.isEmpty { lowering.origin = node.origin.map(\.description) }
      do {
        guard let results = try lower(id, node) else {
          noteLooseEnds(node)
          continue
        }
        for (output, operand) in zip(node.outputs, results) { operands[output.position] = operand }
      } catch let error as DiagnosticError {
        diagnostics += error.located(op: type(of: node.op).name, origin: node.origin).diagnostics
        noteLooseEnds(node)
      } catch {
        diagnostics.append(
          Diagnostic(.bug, "lower.error", "\(type(of: node.op).name): \(error)", at: node.origin.map(\.description)))
      }
    }
    lowering.origin = outerOrigin
    for name in unknown.keys.sorted() {
      let places = unknown[name] ?? []
      let count = places.count > 1 ? " (\(places.count) nodes)" : ""
      diagnostics.append(
        Diagnostic(
          .limit, "lower.operator", "operator \(name) has no lowering\(count)",
          at: places.prefix(1).filter { !$0.isEmpty }))
    }
    let results = graph.outputs.map { operand(of: $0.value) }
    if isWhole, diagnostics.isEmpty, let missing = results.firstIndex(where: { $0 == nil }) {
      diagnostics.append(
        Diagnostic(
          .bug, "lower.output", "output \(graph.outputs[missing].name) of graph \(graph.name) is never computed"))
    }
    return results
  }

  private mutating func noteLooseEnds(_ node: Graph.Node) {
    for case let input? in node.inputs where graph.producer(of: input) != nil {
      if let operand = operands[input.position], !looseEnds.contains(operand) { looseEnds.append(operand) }
    }
  }

  /// The operand of a value; constants enter the program where they are first used.
  private mutating func operand(of value: ValueID) -> Operand? {
    if let operand = operands[value.position] { return operand }
    guard let tensor = graph.constant(value) else { return nil }
    let operand = lowering.constant(tensor, named: graph.values[value].name)
    operands[value.position] = operand
    return operand
  }

  /// Nil where an input failed before.
  private mutating func lower(_ id: NodeID, _ node: Graph.Node) throws -> [Operand]? {
    var inputs: [Operand?] = []
    inputs.reserveCapacity(node.inputs.count)
    for input in node.inputs {
      guard let input else {
        inputs.append(nil)
        continue
      }
      guard let operand = operand(of: input) else { return nil }
      inputs.append(operand)
    }
    let facts = graph.inputs(of: id)
    let outputs = node.outputs.map { graph.values[$0].fact }
    let first = lowering.steps.count
    let results: [Operand]
    if let primitive = node.op as? any Primitive {
      let named = try lowering.nameLongSizes(graph, id)
      let lowered = try primitive.lower(LoweringNode(inputs: inputs, facts: facts, outputs: outputs), into: &lowering)
      results = lowered.enumerated().map { index, operand in
        guard named.contains(index), let type = outputs[index].type.tensor else { return operand }
        return lowering.renaming(operand, type.shape)
      }
    } else if let composite = node.op as? any Composite {
      let expansion = try composite.expansion(facts, origin: node.origin)
      var bound: [ValueID: Operand] = [:]
      for (inner, operand) in zip(expansion.inputs, inputs) {
        if let inner, let operand { bound[inner] = operand }
      }
      results = try expansion.graph.lower(into: &lowering, bound: bound)
      // Sizes that the expansion made known have names of their own here.
      for (result, fact) in zip(results, outputs) {
        for (inner, outer) in zip(result.shape, fact.type.tensor?.shape ?? []) where inner != outer {
          if let symbol = outer.symbol, symbol.isFromData, !lowering.knows(symbol) {
            lowering.define(symbol, as: inner)
          }
        }
      }
    } else {
      unknown[type(of: node.op).name, default: []].append(node.origin.first?.description ?? "")
      return nil
    }
    try check(results, against: outputs)
    try lowering.checkElements(from: first, inputs.compactMap { $0 } + results)
    return results
  }

  private func check(_ results: [Operand], against facts: [Fact]) throws {
    guard results.count >= facts.count else {
      throw DiagnosticError(
        .bug, "lower.results", "lowering gives \(results.count) results, but the node has \(facts.count)")
    }
    for (index, (operand, fact)) in zip(results, facts).enumerated() {
      guard let type = fact.type.tensor else { continue }
      let agrees =
        operand.element == type.element && operand.rank == type.rank
        && zip(operand.shape, type.shape).allSatisfy { a, b in a.value == nil || b.value == nil || a == b }
      if !agrees {
        throw DiagnosticError(
          .bug, "lower.type", "result \(index) is inferred as \(type), but lowered as \(operand.type)")
      }
    }
  }
}

extension Lowering {
  /// Makes the sizes of a node's results known that only have names because they are long (`Dim.isLong`).
  ///
  /// - Returns: the results that have such sizes.
  fileprivate mutating func nameLongSizes(_ graph: Graph, _ id: NodeID) throws -> Set<Int> {
    let own = graph.definedSizes(of: id).filter { !knows($0) }
    if own.isEmpty { return [] }
    var stated = Obligations(ranges: graph.ranges)
    let inferred = try graph.nodes[id].op.inferWithContents(graph.inputs(of: id), requiring: &stated)
    var found: Set<Int> = []
    for (index, (output, fact)) in zip(graph.nodes[id].outputs, inferred).enumerated() {
      for (name, size) in zip(graph.values[output].fact.type.tensor?.shape ?? [], fact.type.tensor?.shape ?? [])
      where size.isLong {
        guard let symbol = name.symbol, own.contains(symbol) else { continue }
        if !knows(symbol) { define(symbol, as: size) }
        found.insert(index)
      }
    }
    return found
  }
}

/// The meaning of one composite node as a graph of its own.
public struct Expansion: Sendable {
  /// The graph, whose outputs are the node's results.
  public var graph: Graph
  /// The inner value of each of the node's inputs; constants are constants inside, too.
  public var inputs: [ValueID?]
}

extension Composite {
  /// The operators that this one stands for, for given inputs.
  public func expansion(
    _ inputs: NodeInputs, origin: [Origin] = [], ranges: [Symbol: ClosedRange<Int>] = [:]
  ) throws -> Expansion {
    var builder = GraphBuilder(name: Self.name)
    builder.origin = origin
    builder.graph.ranges = ranges
    var ids: [ValueID?] = []
    for (index, fact) in inputs.facts.enumerated() {
      if let fact {
        ids.append(
          inputs.constant(index).map { builder.constant($0) } ?? builder.input(fact, named: "input\(index)"))
      } else {
        ids.append(nil)
      }
    }
    var inner = NodeInputs(
      ids: ids, facts: inputs.facts, constants: inputs.constants, outputCount: inputs.outputCount)
    inner.bodies = inputs.bodies
    let results = try expand(inner, into: &builder)
    for (index, result) in results.enumerated() { builder.output(result, named: "output\(index)") }
    return Expansion(graph: builder.graph, inputs: ids)
  }
}
