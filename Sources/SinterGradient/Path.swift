import SinterCore
import SinterIR
import SinterOps

/// Which nodes lie between values and what is computed of them.
struct Path {
  /// In order.
  private(set) var nodes: [NodeID] = []
  private var varying: Set<ValueID>
  private var wanted: Set<ValueID>

  init(_ graph: Graph, from values: [ValueID], to targets: [ValueID]) {
    varying = Set(values)
    wanted = Set(targets)
    func isFloat(_ value: ValueID) -> Bool { graph.type(of: value).tensor?.element.isFloat ?? false }
    for id in graph.order {
      let node = graph.nodes[id]
      guard node.inputs.contains(where: { $0.map { varying.contains($0) } ?? false }) else { continue }
      varying.formUnion(node.outputs.filter(isFloat))
    }
    for id in graph.order.reversed() {
      let node = graph.nodes[id]
      guard node.outputs.contains(where: { wanted.contains($0) && varying.contains($0) }) else { continue }
      nodes.append(id)
      wanted.formUnion(node.inputs.compactMap { $0 })
    }
    nodes.reverse()
  }

  /// Whether a value depends on those that gradients are asked for.
  func depends(_ value: ValueID) -> Bool { varying.contains(value) }

  /// Whether a target depends on a value.
  func isWanted(_ value: ValueID) -> Bool { wanted.contains(value) }
}

extension GraphBuilder {
  /// The nodes between values and what is computed of them, in order, all with a rule of their own: composites without one are replaced by
  /// their expansions.
  mutating func expandedPath(from values: [ValueID], to targets: [ValueID]) throws -> Path {
    var nothing = RecomputedSegments()
    return try expandedPath(from: values, to: targets, recomputing: &nothing)
  }

  /// The same. Nodes of an expansion are in the segment that its composite was in.
  mutating func expandedPath(
    from values: [ValueID], to targets: [ValueID], recomputing segments: inout RecomputedSegments
  ) throws -> Path {
    while true {
      let path = Path(graph, from: values, to: targets)
      let composites = path.nodes.filter { id in
        let op = graph.nodes[id].op
        return !(op is any Differentiable) && op is any Composite
      }
      if composites.isEmpty { return path }
      for id in composites {
        let before = graph.nodes.count
        try expand(id)
        segments.replace(id, by: graph.nodes.indices.dropFirst(before))
      }
    }
  }
}
