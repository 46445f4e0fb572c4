import SinterCore

/// What drawings draw: boxes with their texts, and arrows between them. Graphs of operators and programs of fused forms both become one, so that
/// every drawing folds, names and colours them alike.
package struct Diagram: Sendable {
  package enum Kind: Sendable { case input, output, operation }

  /// A named text that belongs to a node.
  package struct Detail: Hashable, Sendable {
    package var name: String
    package var text: String
  }

  package struct Node: Sendable {
    package var kind = Kind.operation
    /// What it does: `Conv`, `contract`.
    package var title: String
    /// What of that matters most: window, stride, axes; of a fused step, the nodes in it.
    package var subtitle = ""
    /// The name that it has in its file or in the traced program.
    package var name = ""
    package var family: OperatorFamily
    /// The layers around it, outermost first.
    package var layers: [String] = []
    package var attributes: [Detail] = []
    /// Constants that it reads, by their position in the diagram's list.
    package var constants: [Int] = []
    /// Types of its results.
    package var results: [String] = []
    /// Where it comes from, in words, and the names of the nodes it comes from: what stages have in common.
    package var origins: [String] = []
    package var labels: [String] = []
    /// What it asks of sizes, and other sentences.
    package var requirements: [String] = []
    package var notes: [String] = []
    /// Its number in the graph that it was drawn from.
    package var number: Int?
  }

  package struct Edge: Sendable {
    package var from: Int
    package var to: Int
    package var type: String
    /// Why it is there, where something tells: what kept both ends from becoming one kernel.
    package var note = ""
  }

  package struct Constant: Sendable {
    package var name: String
    package var tensor: HostTensor
  }

  package var title: String
  package var nodes: [Node] = []
  package var edges: [Edge] = []
  package var constants: [Constant] = []
  /// What the whole relies on: sentences about sizes.
  package var requirements: [String] = []

  package init(title: String) { self.title = title }
}

extension Diagram.Node {
  /// Whether two nodes do the same with the same sizes, whatever they are called and wherever they stand.
  package func doesTheSame(as other: Self) -> Bool {
    kind == other.kind && title == other.title && results == other.results && attributes == other.attributes
  }

  /// A number that is equal for nodes that do the same.
  var structure: Int {
    var hasher = Hasher()
    hasher.combine(kind)
    hasher.combine(title)
    hasher.combine(results)
    hasher.combine(attributes)
    hasher.combine(constants.count)
    return hasher.finalize()
  }
}
