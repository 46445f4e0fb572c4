import SinterCore
import SinterIR
import SinterOps

/// The nodes of segments once more, behind all that a walk back has added by then: its rules read those instead of the first ones.
///
/// What a segment reads from outside goes through barriers, so that its twins are not merged with the first nodes again. Constants and values of
/// `kept` do not: what follows from those alone may be merged, since it is there anyway.
struct Recomputation {
  let segments: RecomputedSegments
  /// What gradients are asked for.
  let kept: Set<ValueID>
  /// The nodes of the walk.
  let path: Set<NodeID>
  private var twins: [ValueID: ValueID] = [:]
  private var twinNodes: [NodeID: NodeID] = [:]
  /// What a twin or a barrier stands for.
  private var originals: [ValueID: ValueID] = [:]
  private var done: Set<Int> = []

  init(_ segments: RecomputedSegments, keeping kept: [ValueID], path: Path) {
    self.segments = segments
    self.kept = Set(kept)
    self.path = Set(path.nodes)
  }

  /// The value for which gradients are collected where a rule hands one to `value`.
  func original(of value: ValueID) -> ValueID { originals[value] ?? value }

  /// The node that a rule is to see for a node of the path: itself, or what computes the same again. The first call for a node of a segment adds all twins of it.
  mutating func twin(of id: NodeID, in tape: GradientTape) throws -> NodeID {
    guard let segment = segments[id] else { return id }
    if done.insert(segment).inserted { try recompute(segment, in: tape) }
    return twinNodes[id] ?? id
  }

  private mutating func recompute(_ segment: Int, in tape: GradientTape) throws {
    let graph = tape.builder.graph
    let members = graph.order.filter { segments[$0] == segment }
    // What the walk back reads, and what that is computed from.
    var wanted: Set<ValueID> = []
    let needed = members.reversed().filter { id in
      let node = graph.nodes[id]
      guard path.contains(id) || node.outputs.contains(where: wanted.contains) else { return false }
      wanted.formUnion(node.inputs.compactMap { $0 })
      return true
    }
    let origin = tape.builder.origin
    defer { tape.builder.origin = origin }
    var barriers: [ValueID: ValueID] = [:]
    var problems: [Diagnostic] = []
    for id in needed.reversed() {
      let node = graph.nodes[id]
      let places = node.origin.map(\.description).filter { !$0.isEmpty }
      guard node.op.isDeterministic else {
        problems.append(
          Diagnostic(
            .limit, "gradient.recomputed",
            "\(Swift.type(of: node.op).name) would draw other numbers when it is computed again",
            at: places, hint: "draw them outside of what is recomputed"))
        continue
      }
      tape.builder.origin = node.origin
      let inputs = try node.inputs.map { input in
        try input.map { try twins[$0] ?? behindBarrier($0, &barriers, in: tape) }
      }
      let results = try tape.builder.add(node, inputs)
      for (output, result) in zip(node.outputs, results) {
        guard tape.builder.fact(result).type == tape.builder.fact(output).type else {
          problems.append(
            Diagnostic(
              .limit, "gradient.recomputed",
              "a size of \(Swift.type(of: node.op).name) is known only once it is computed", at: places,
              hint: "leave it out of what is recomputed"))
          continue
        }
        twins[output] = result
        originals[result] = output
      }
      twinNodes[id] = results.first.flatMap { tape.builder.graph.producer(of: $0) }
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
  }

  private mutating func behindBarrier(
    _ value: ValueID, _ barriers: inout [ValueID: ValueID], in tape: GradientTape
  ) throws -> ValueID {
    let fact = tape.builder.fact(value)
    if kept.contains(value) || tape.builder.graph.constant(value) != nil || fact.contents != nil { return value }
    if let known = barriers[value] { return known }
    guard fact.type.tensor != nil else { return value }
    let barrier = try tape.builder.add1(Barrier(), [value])
    barriers[value] = barrier
    originals[barrier] = value
    return barrier
  }
}

extension GraphBuilder {
  /// A node like another one, with other inputs.
  fileprivate mutating func add(_ node: Graph.Node, _ inputs: [ValueID?]) throws -> [ValueID] {
    func add(_ op: some Operator) throws -> [ValueID] {
      try self.add(op, inputs, outputs: node.outputs.count, bodies: node.bodies)
    }
    return try add(node.op)
  }
}
