/// What one launch of a kernel took, and which nodes it computes, by the names that stages have in common.
package struct LaunchTime: Sendable {
  package var nodes: [String]
  package var milliseconds: Double

  package init(nodes: [String], milliseconds: Double) {
    self.nodes = nodes
    self.milliseconds = milliseconds
  }
}

extension StageView {
  /// Gives each launch's time to the node that comes from just the same nodes; where there is none, to all nodes that come from any of these, in
  /// equal shares.
  package mutating func setTimes(_ launches: [LaunchTime]) {
    var times = [Double](repeating: 0, count: diagram.nodes.count)
    var exact: [Set<String>: [Int]] = [:]
    var byLabel: [String: [Int]] = [:]
    for (place, node) in diagram.nodes.enumerated() where !node.labels.isEmpty {
      exact[Set(node.labels), default: []].append(place)
      for label in node.labels { byLabel[label, default: []].append(place) }
    }
    for launch in launches {
      let found = exact[Set(launch.nodes)] ?? Set(launch.nodes.flatMap { byLabel[$0] ?? [] }).sorted()
      for place in found { times[place] += launch.milliseconds / Double(found.count) }
    }
    milliseconds = times
  }
}
