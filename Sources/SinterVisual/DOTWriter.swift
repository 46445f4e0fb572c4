import SinterCore
import SinterIR

/// Draws a graph in the language of graphviz: `dot -Tsvg graph.dot -o graph.svg`.
///
/// Nodes are coloured by family, edges carry types, layers are boxes around what they do. Constants are lines in the nodes that read them.
package struct DOTWriter {
  private let graph: Graph
  private let foldsRepeats: Bool
  private var lines: [String] = []
  /// For nodes of repeated layers that are not drawn, the node drawn in their place.
  private var standIns: [NodeID: NodeID] = [:]
  private var drawnEdges: Set<String> = []

  /// The drawing of a graph as DOT.
  ///
  /// - Parameter foldingRepeats: whether layers numbered one after another that do the same are drawn once, with their number.
  package static func text(of graph: Graph, foldingRepeats: Bool = false) -> String {
    var writer = DOTWriter(graph: graph, foldsRepeats: foldingRepeats)
    return writer.write()
  }

  private init(graph: Graph, foldsRepeats: Bool) {
    self.graph = graph
    self.foldsRepeats = foldsRepeats
  }

  private mutating func write() -> String {
    lines = [
      "digraph \(Self.quoted(graph.name)) {",
      "  rankdir=TB; fontname=\"Helvetica\"; labelloc=t; label=\(Self.quoted(graph.name)); compound=true;",
      "  node [fontname=\"Helvetica\", fontsize=11, shape=box, style=\"rounded,filled\", fillcolor=white];",
      "  edge [fontname=\"Helvetica\", fontsize=9, color=\"#495057\"];",
    ]
    for (position, port) in graph.inputs.enumerated() {
      lines.append("  input\(position) [label=\(Self.quoted(port.name)), shape=ellipse, fillcolor=\"#a5d8ff\"];")
    }
    var tree = Layer(name: "")
    for node in graph.order {
      let path = graph.nodes[node].origin.first?.path ?? ""
      tree.insert(node, path: path.split(separator: ".").map(String.init)[...])
    }
    write(tree, indent: "  ", path: "")
    for (position, port) in graph.outputs.enumerated() {
      lines.append("  output\(position) [label=\(Self.quoted(port.name)), shape=ellipse, fillcolor=\"#a5d8ff\"];")
      edge(from: port.value, to: "output\(position)")
    }
    for node in graph.order {
      for case let input? in graph.nodes[node].inputs { edge(from: input, to: "\(standIns[node] ?? node)") }
    }
    lines.append("}")
    return lines.joined(separator: "\n") + "\n"
  }

  /// A layer of the model: the nodes at its own level, and the layers inside.
  private struct Layer {
    var name: String
    var nodes: [NodeID] = []
    var children: [Layer] = []
    var allNodes: [NodeID] { nodes + children.flatMap(\.allNodes) }

    mutating func insert(_ node: NodeID, path: ArraySlice<String>) {
      guard let first = path.first else {
        nodes.append(node)
        return
      }
      if let at = children.firstIndex(where: { $0.name == first }) {
        children[at].insert(node, path: path.dropFirst())
      } else {
        var child = Layer(name: first)
        child.insert(node, path: path.dropFirst())
        children.append(child)
      }
    }
  }

  private mutating func write(_ layer: Layer, indent: String, path: String) {
    for node in layer.nodes { lines.append(indent + statement(node)) }
    var position = 0
    while position < layer.children.count {
      let child = layer.children[position]
      let count = foldsRepeats ? repeats(of: position, in: layer.children) : 1
      position += count
      let full = path.isEmpty ? child.name : path + "." + child.name
      let label = count == 1 ? child.name : "\(child.name) × \(count)"
      lines.append("\(indent)subgraph \(Self.quoted("cluster_" + full)) {")
      lines.append("\(indent)  label=\(Self.quoted(label)); fontsize=10; color=\"#adb5bd\"; style=rounded;")
      write(child, indent: indent + "  ", path: full)
      lines.append(indent + "}")
    }
  }

  /// How many layers from a position on are numbered and do the same; the later ones get stand-ins.
  private mutating func repeats(of position: Int, in layers: [Layer]) -> Int {
    let first = layers[position]
    guard Int(first.name) != nil else { return 1 }
    let signature = first.allNodes.map { type(of: graph.nodes[$0].op).name }
    var count = 1
    while position + count < layers.count {
      let next = layers[position + count]
      guard Int(next.name) != nil, next.allNodes.map({ type(of: graph.nodes[$0].op).name }) == signature else { break }
      for (hidden, shown) in zip(next.allNodes, first.allNodes) { standIns[hidden] = shown }
      count += 1
    }
    return count
  }

  private func statement(_ id: NodeID) -> String {
    let node = graph.nodes[id]
    let name = type(of: node.op).name
    // What ONNX calls it tells more than a family's name: Relu, not Unary.
    var label = [node.op.onnxNode(graph.inputs(of: id))?.opType ?? name]
    for case let input? in node.inputs {
      guard graph.constant(input) != nil else { continue }
      let value = graph.values[input]
      label.append(value.name.isEmpty ? "\(value.type)" : "\(value.name) \(value.type)")
    }
    let text = label.map(Self.escaped).joined(separator: "\\n")
    let tip = node.origin.map(\.description).joined(separator: "\n")
    return
      "\(id) [label=\"\(text)\", fillcolor=\"\(OperatorFamily(operator: name).color)\", tooltip=\(Self.quoted(tip))];"
  }

  private mutating func edge(from value: ValueID, to target: String) {
    let source: String
    switch graph.values[value].definition {
    case .input(let position): source = "input\(position)"
    case .node(let node, _): source = "\(standIns[node] ?? node)"
    case .constant: return
    }
    // A folded layer's chain ends where it began.
    guard source != target, !foldsRepeats || drawnEdges.insert("\(source) \(target)").inserted else { return }
    lines.append("  \(source) -> \(target) [label=\(Self.quoted(" \(graph.type(of: value))"))];")
  }

  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.append(character)
      }
    }
    return result
  }

  static func quoted(_ text: String) -> String { "\"" + escaped(text) + "\"" }
}
