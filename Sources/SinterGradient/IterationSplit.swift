import SinterCore
import SinterIR
import SinterOps

/// Takes the graph of an iteration, to which its walk back was added, apart: what depends on gradients of results is the backward iteration, and what
/// that reads of the forward one is stored, unless it is the same in all iterations or was made for the walk back.
struct IterationSplit {
  private let graph: Graph
  private let layout: IterationLayout
  private let inputs: [ValueID]
  /// Values from this number on were made for the walk back.
  private let firstNew: Int
  private let seeds: Set<ValueID>
  /// What differs from iteration to iteration.
  private var turning: Set<ValueID>
  private var backwardValues: Set<ValueID>

  private(set) var stored: [ValueID] = []
  private(set) var slices: [Int] = []
  private(set) var captures: [Int] = []
  private var visited: Set<ValueID> = []

  init(_ graph: Graph, _ layout: IterationLayout, firstNew: Int, seeds: Set<ValueID>, inputs: [ValueID]) {
    (self.graph, self.layout, self.firstNew, self.seeds, self.inputs) = (graph, layout, firstNew, seeds, inputs)
    turning = Set(inputs.prefix(layout.capture(0)))
    backwardValues = seeds
    for id in graph.order {
      let node = graph.nodes[id]
      let operands = node.inputs.compactMap { $0 }
      if !node.op.isDeterministic || operands.contains(where: turning.contains) { turning.formUnion(node.outputs) }
      if operands.contains(where: backwardValues.contains) { backwardValues.formUnion(node.outputs) }
    }
  }

  /// How the backward iteration gets a value.
  private enum Source {
    case constant(HostTensor)
    case slice(Int), capture(Int)
    case stored
    /// Computed again, or for the first time.
    case node(NodeID)
  }

  private func source(of value: ValueID) -> Source {
    switch graph.values[value].definition {
    case .constant(let tensor): return .constant(tensor)
    case .input:
      guard let index = inputs.firstIndex(of: value) else { return .stored }
      if index >= layout.capture(0) { return .capture(index - layout.capture(0)) }
      if index >= layout.slice(0) { return .slice(index - layout.slice(0)) }
      return .stored
    case .node(let id, _):
      if backwardValues.contains(value) { return .node(id) }
      let known = graph.values[value].fact
      if let type = known.type.tensor, type.element == .i64, let sizes = known.contents?.compactMap(\.value),
        sizes.count == known.contents?.count
      {
        return .constant(.i64(type.shape.compactMap(\.value), sizes))
      }
      let isNew = graph.nodes[id].outputs.allSatisfy { $0.position >= firstNew }
      return (isNew && graph.nodes[id].op.isDeterministic) || !turning.contains(value) ? .node(id) : .stored
    }
  }

  /// Notes what a value takes.
  mutating func need(_ value: ValueID) {
    if seeds.contains(value) || !visited.insert(value).inserted { return }
    switch source(of: value) {
    case .constant: break
    case .slice(let index): if !slices.contains(index) { slices.append(index) }
    case .capture(let index): if !captures.contains(index) { captures.append(index) }
    case .stored: stored.append(value)
    case .node(let id): for case let input? in graph.nodes[id].inputs { need(input) }
    }
  }

  /// The backward iteration as a graph: see `IterationGradient`.
  mutating func backward(
    states: [(Int, gradient: ValueID)], captures summed: [(Int, gradient: ValueID)], seeds: [ValueID],
    collected: [ValueID], counting: ValueID
  ) throws -> Graph {
    for (_, gradient) in states { need(gradient) }
    for (_, gradient) in summed { need(gradient) }
    for value in collected { need(value) }
    if stored.isEmpty, slices.isEmpty, seeds.count == states.count { need(counting) }
    let tape = GradientTape(GraphBuilder(name: "gradient of \(graph.name)"))
    var known: [ValueID: ValueID] = [:]
    func input(_ value: ValueID, _ name: String) {
      known[value] = tape.builder.input(Fact(graph.values[value].fact.type), named: name)
    }
    for (index, seed) in seeds.prefix(states.count).enumerated() { input(seed, "state\(index)") }
    let sums = summed.enumerated().map { index, sum in
      tape.builder.input(Fact(graph.type(of: inputs[layout.capture(sum.0)])), named: "sum\(index)")
    }
    for (index, seed) in seeds.dropFirst(states.count).enumerated() { input(seed, "gradient\(index)") }
    for (index, value) in stored.enumerated() { input(value, "stored\(index)") }
    for index in slices { input(inputs[layout.slice(index)], "slice\(index)") }
    for index in captures { input(inputs[layout.capture(index)], "capture\(index)") }
    let wanted = states.map(\.gradient) + summed.map(\.gradient) + collected
    try tape.builder.copyNodes(of: graph, computing: wanted, &known) { value in
      if case .constant(let tensor) = source(of: value) { tensor } else { nil }
    }
    for (index, value) in wanted.enumerated() {
      guard var result = known[value] else {
        throw DiagnosticError(.bug, "gradient.iteration", "\(value) of \(graph.name) is not computed")
      }
      if index >= states.count, index < states.count + summed.count {
        let sum = GradientTensor(sums[index - states.count], tape)
        result = try (sum + GradientTensor(result, tape)).id
      }
      tape.builder.output(result, named: "result\(index)")
    }
    return tape.builder.graph
  }
}

extension GraphBuilder {
  /// Adds those nodes of another graph that compute values.
  ///
  /// - Parameters:
  ///   - known: what values of the other graph are here; added ones come to it.
  ///   - constant: what is known of a value ahead of time.
  mutating func copyNodes(
    of graph: Graph, computing values: [ValueID], _ known: inout [ValueID: ValueID],
    constant: (ValueID) -> HostTensor?
  ) throws {
    var needed: Set<NodeID> = []
    var open = values
    while let value = open.popLast() {
      if known[value] != nil { continue }
      if let tensor = constant(value) {
        known[value] = self.constant(tensor)
      } else if let id = graph.producer(of: value), needed.insert(id).inserted {
        open += graph.nodes[id].inputs.compactMap { $0 }
      }
    }
    let outer = origin
    defer {
      origin = outer
      declared = []
    }
    for id in graph.order where needed.contains(id) {
      let node = graph.nodes[id]
      origin = node.origin
      declared = node.outputs.map { graph.values[$0].fact }
      let operands = try node.inputs.map { input in
        try input.map { value -> ValueID in
          guard let own = known[value] else {
            throw DiagnosticError(.bug, "gradient.iteration", "\(value) of \(graph.name) is read, but not known")
          }
          return own
        }
      }
      let results = try add(node.op, operands, outputs: node.outputs.count, bodies: node.bodies)
      for (old, new) in zip(node.outputs, results) where known[old] == nil { known[old] = new }
    }
  }
}
