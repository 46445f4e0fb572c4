import SinterCore

/// Puts nodes behind those whose results they use. Files have them so already, or should.
enum NodeOrder {
  /// Positions in `nodes`. Nodes that are in order already stay where they are. Throws where nodes use each other's
  /// results.
  static func sorted(_ nodes: [OnnxFile.Node]) throws -> [Int] {
    var producers: [String: Int] = [:]
    for (index, node) in nodes.enumerated() {
      for output in node.outputs where !output.isEmpty { producers[output] = index }
    }
    let needs = nodes.map { node in node.usedNames.compactMap { producers[$0] } }
    if needs.indices.allSatisfy({ index in needs[index].allSatisfy { $0 < index } }) { return Array(nodes.indices) }

    enum Mark { case new, open, done }
    var marks = [Mark](repeating: .new, count: nodes.count)
    var order: [Int] = []
    for start in nodes.indices where marks[start] == .new {
      // Depth first, on a stack of our own: files may hold long chains in reverse.
      var stack: [(node: Int, next: Int)] = [(start, 0)]
      marks[start] = .open
      while let (node, next) = stack.last {
        guard next < needs[node].count else {
          marks[node] = .done
          order.append(node)
          stack.removeLast()
          continue
        }
        stack[stack.count - 1].next += 1
        let need = needs[node][next]
        switch marks[need] {
        case .done: break
        case .new:
          marks[need] = .open
          stack.append((need, 0))
        case .open:
          let first = stack.firstIndex { $0.node == need } ?? 0
          throw cycle(stack[first...].map { nodes[$0.node].label })
        }
      }
    }
    return order
  }

  private static func cycle(_ labels: [String]) -> DiagnosticError {
    // Each needs the next; told in the direction in which values flow.
    let way = ([labels[0]] + labels.dropFirst().reversed() + [labels[0]])
    let shown = way.count <= 8 ? way : way.prefix(4) + ["…"] + way.suffix(3)
    return DiagnosticError(
      .user, "onnx.cycle", "nodes use each other's results in a circle: \(shown.joined(separator: " → "))",
      hint: "a graph must not have cycles; repeat with Loop or Scan")
  }
}

extension OnnxFile.Node {
  /// The names of all values that the node reads, those that its subgraphs capture among them.
  var usedNames: [String] {
    inputs.filter { !$0.isEmpty } + bodies.flatMap { $0.freeNames }
  }
}

extension OnnxFile.Graph {
  /// Names that the graph uses without defining them, each once, in order of use.
  var freeNames: [String] {
    var seen = Set(inputs.map(\.name) + initializers.map(\.name) + sparseInitializers.map(\.values.name))
    for node in nodes { seen.formUnion(node.outputs) }
    var free: [String] = []
    func use(_ name: String) {
      if !name.isEmpty, seen.insert(name).inserted { free.append(name) }
    }
    for node in nodes { node.usedNames.forEach(use) }
    outputs.forEach { use($0.name) }
    return free
  }
}
