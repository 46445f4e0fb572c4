import SinterCore
import SinterIR
import SinterOps

extension GraphBuilder {
  /// Puts the expansion of a composite operator in the place of a node. The node's results stay the same values.
  mutating func expand(_ id: NodeID) throws {
    let node = graph.nodes[id]
    guard let op = node.op as? any Composite, let place = graph.order.firstIndex(of: id) else { return }
    let outer = origin
    origin = node.origin
    defer { origin = outer }
    let before = graph.order.count
    var results = try op.expand(graph.inputs(of: id), into: &self)
    guard results.count >= node.outputs.count else {
      throw DiagnosticError(
        .bug, "gradient.expansion",
        "\(Swift.type(of: node.op).name) expands to \(results.count) results, but \(node.outputs.count) are used")
    }
    for index in node.outputs.indices {
      // A result that is an input, a constant, or another result too, needs a node that it belongs to.
      if !isFresh(results[index], since: before) || results[..<index].contains(results[index]) {
        results[index] = try add1(Identity(), [results[index]])
      }
    }
    adopt(results: results, as: node.outputs, movingNodesSince: before, to: place, droppingNode: id)
  }

  private func isFresh(_ value: ValueID, since count: Int) -> Bool {
    guard let producer = graph.producer(of: value) else { return false }
    return graph.order[count...].contains(producer)
  }
}
