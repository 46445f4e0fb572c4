import SinterCore
import SinterIR

/// Puts nodes between those of a graph. What there was keeps its order and its names.
struct GraphInsertion {
  /// Where a new node stands.
  enum Place: Hashable {
    case before(NodeID)
    case after(NodeID)
  }

  private var builder: GraphBuilder
  private let order: [NodeID]
  private var added: [Place: [NodeID]] = [:]
  private var inputs: [(node: NodeID, index: Int, value: ValueID)] = []
  private var replacements: [NodeID: (op: any Operator, inputs: [ValueID?])] = [:]
  private var replaced: [ValueID: ValueID] = [:]

  init(_ graph: Graph) {
    order = graph.order
    builder = GraphBuilder(graph)
  }

  var graph: Graph { _read { yield builder.graph } }

  /// Adds a node with one result; nodes of one place stand in the order in which they were added.
  ///
  /// - Parameters:
  ///   - name: the name of the result.
  ///   - node: the name of the node.
  mutating func add(
    _ op: any Operator, _ inputs: [ValueID?], at place: Place, named name: String, node: String
  ) throws -> ValueID {
    builder.origin = [Origin(node: node)]
    let count = builder.graph.nodes.count
    let result = try builder.add1(op, inputs)
    added[place, default: []] += (count..<builder.graph.nodes.count).map { NodeID($0) }
    builder.setName(name, of: result)
    return result
  }

  mutating func constant(_ tensor: HostTensor, named name: String) -> ValueID { builder.constant(tensor, named: name) }

  mutating func input(_ fact: Fact, named name: String) -> ValueID { builder.input(fact, named: name) }

  /// Gives a node of the graph another input.
  mutating func setInput(_ index: Int, of node: NodeID, to value: ValueID) { inputs.append((node, index, value)) }

  /// Puts another operator with the same results in the place of a node, under the same name.
  mutating func replace(_ node: NodeID, by op: any Operator, _ inputs: [ValueID?]) { replacements[node] = (op, inputs) }

  /// Has all nodes of the graph use another value, and its outputs as well. New nodes use what they were given.
  mutating func replaceUses(of old: ValueID, with new: ValueID) { replaced[old] = new }

  /// What nodes of the graph use instead of a value.
  func current(_ value: ValueID) -> ValueID { replaced[value] ?? value }

  /// The graph with all that was put in.
  func finished() -> Graph {
    var graph = builder.graph
    for id in order where !replaced.isEmpty {
      for index in graph.nodes[id].inputs.indices {
        graph.nodes[id].inputs[index] = graph.nodes[id].inputs[index].map { current($0) }
      }
    }
    for (node, new) in replacements { (graph.nodes[node].op, graph.nodes[node].inputs) = (new.op, new.inputs) }
    for (node, index, value) in inputs { graph.nodes[node].inputs[index] = value }
    for index in graph.outputs.indices { graph.outputs[index].value = current(graph.outputs[index].value) }
    graph.order = order.flatMap { (added[.before($0)] ?? []) + [$0] + (added[.after($0)] ?? []) }
    return graph
  }
}
