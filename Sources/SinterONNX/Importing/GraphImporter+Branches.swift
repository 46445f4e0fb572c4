import SinterCore
import SinterIR

/// Nodes whose results have another number of axes in one body than in the other: what depends on them moves into both bodies, up to where
/// all values that are still needed have equal numbers of axes again.
extension GraphImporter {
  /// Each such node inside another doubles what is built.
  private static let splitLimit = 6

  mutating func buildRestInBranches(of node: OnnxFile.Node, _ error: RanksDiffer) {
    guard splits < Self.splitLimit else {
      var diagnostic = error.diagnostic
      diagnostic.message += "; what follows is built for each branch at most \(Self.splitLimit) times over"
      report(DiagnosticError([diagnostic]), at: node)
      return leaveOut(node)
    }
    // What follows in order, and which of it depends on the node.
    let following = Array(rest.reversed())
    var tainted = Set(node.outputs.filter { !$0.isEmpty })
    var moved: [OnnxFile.Node] = []
    for next in following where next.usedNames.contains(where: { tainted.contains($0) }) {
      moved.append(next)
      tainted.formUnion(next.outputs.filter { !$0.isEmpty })
    }
    guard !moved.isEmpty else {
      report(DiagnosticError([error.diagnostic]), at: node)
      return leaveOut(node)
    }
    // The other nodes do not wait for the branches.
    let names = Set(moved.flatMap(\.outputs))
    rest = []
    let (others, outer) = (following.filter { $0.outputs.allSatisfy { !names.contains($0) } }, outputNames)
    for other in others { add(other) }
    outputNames = outer
    for count in cuts(moved, from: node) {
      let (inside, outside) = (moved.prefix(count), moved.dropFirst(count))
      let live = liveNames(node, Array(inside), Array(outside))
      guard !live.isEmpty else { return }
      var joined = node
      joined.outputs = live
      for index in joined.attributes.indices {
        guard error.bodies.contains(joined.attributes[index].name),
          case .graph(let body) = joined.attributes[index].value
        else { continue }
        joined.attributes[index].value = .graph(extended(body, node.outputs, Array(inside), live))
      }
      guard count == moved.count || meetsRanks(joined, error.bodies) else { continue }
      splits += 1
      defer { splits -= 1 }
      rest = outside.reversed()
      // No node is taken for one whose rest is moved again: the bodies agree now, or what is left is an error of its own.
      let before = diagnostics.count
      add(joined)
      if diagnostics.count == before || count == moved.count {
        while let next = rest.popLast() { add(next) }
        return
      }
      diagnostics.removeSubrange(before...)
    }
  }

  /// How many of the moved nodes are tried inside the branches: a few first, since numbers of axes often meet soon, all at last.
  private func cuts(_ moved: [OnnxFile.Node], from node: OnnxFile.Node) -> [Int] {
    var cuts: [Int] = []
    var count = 1
    while count < moved.count {
      cuts.append(count)
      count = count < 8 ? count + 1 : count * 2
    }
    return cuts + [moved.count]
  }

  /// What nodes inside give that something behind them, or the graph's outputs, need.
  private func liveNames(_ node: OnnxFile.Node, _ inside: [OnnxFile.Node], _ outside: [OnnxFile.Node]) -> [String] {
    let used = Set(outside.flatMap(\.usedNames) + outputNames)
    return (node.outputs + inside.flatMap(\.outputs)).filter { !$0.isEmpty && used.contains($0) }
  }

  /// A body that goes on with nodes that followed behind it.
  private func extended(
    _ body: OnnxFile.Graph, _ results: [String], _ nodes: [OnnxFile.Node], _ live: [String]
  ) -> OnnxFile.Graph {
    var graph = body
    // Inside, values have the names that they have behind the node.
    graph.nodes += zip(body.outputs, results).filter { !$1.isEmpty }.map { output, name in
      OnnxFile.Node("Identity", inputs: [output.name], outputs: [name])
    }
    graph.nodes += nodes
    graph.outputs = live.map { OnnxFile.ValueInfo($0, nil) }
    return graph
  }

  /// Whether the bodies that can be built, on trial, give results of equal numbers of axes.
  private mutating func meetsRanks(_ node: OnnxFile.Node, _ names: [String]) -> Bool {
    var ranks: [[Int?]] = []
    for attribute in node.attributes where names.contains(attribute.name) {
      guard case .graph(let graph) = attribute.value else { continue }
      let built = body(graph)
      guard let body = try? built.buildValues([], built.captures.map { builder.fact($0) }) else { continue }
      ranks.append(
        body.results.map { result in result.tensor.flatMap { body.graph.type(of: $0).tensor?.rank } })
    }
    // Where one body cannot be built at all, only the other one is left.
    return ranks.count == 1 || ranks.count == 2 && ranks[0] == ranks[1]
  }
}
