import SinterIR

/// Which nodes of a graph are computed again by a walk back instead of being kept, in segments that are each computed again as a whole.
package struct RecomputedSegments: Sendable {
  private var segments: [NodeID: Int] = [:]
  private var count = 0

  package init() {}

  /// Makes a segment of nodes. Those that were in another segment are in this one from here on.
  package mutating func add(_ nodes: some Sequence<NodeID>) {
    for node in nodes { segments[node] = count }
    count += 1
  }

  /// The nodes that took the place of another one are in its segment.
  mutating func replace(_ node: NodeID, by others: some Sequence<NodeID>) {
    guard let segment = segments[node] else { return }
    for other in others { segments[other] = segment }
  }

  /// The segment that a node is in.
  subscript(node: NodeID) -> Int? { segments[node] }
}
