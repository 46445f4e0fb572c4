import SinterCore
import SinterIR

/// Takes nodes away from a graph as long as it still fails, by whatever means the caller has to find that out.
///
/// What a node reads of nodes that are gone becomes an input, and what nothing reads any more an output; so each part of a graph is a graph. Parts are
/// tried from halves down to single nodes, until no single node can go.
package struct GraphReducer {
  package private(set) var graph: Graph
  /// How many parts were tried.
  package private(set) var trials = 0

  /// - Parameters:
  ///   - fails: whether a graph fails. It is asked of graphs only that inference accepts.
  ///   - progress: told the number of nodes after each success.
  package init(
    _ graph: Graph, fails: (Graph) throws -> Bool, progress: (_ nodes: Int) -> Void = { _ in }
  ) throws {
    self.graph = graph
    var nodes = graph.order
    var size = (nodes.count + 1) / 2
    while size >= 1, nodes.count > 1 {
      var start = 0
      var isSmaller = false
      while start < nodes.count, nodes.count > 1 {
        var rest = nodes
        rest.removeSubrange(start..<min(start + size, nodes.count))
        if !rest.isEmpty, let part = try? graph.part(rest) {
          trials += 1
          if try fails(part) {
            (nodes, self.graph, isSmaller) = (rest, part, true)
            progress(nodes.count)
            continue
          }
        }
        start += size
      }
      // Another round of single nodes, as long as that helps.
      if size == 1, !isSmaller { break }
      size = max(1, min(size / 2, (nodes.count + 1) / 2))
    }
  }
}

extension Graph {
  /// What a size that was computed is called as one that is given: `d_n4_1_0` for `$n4.1.0`.
  private static func givenName(_ name: String) -> String {
    "d" + String(name.map { $0.isLetter || $0.isNumber ? $0 : "_" })
  }

  /// The graph of some of its nodes. Throws where inference does not accept it.
  package func part(_ kept: [NodeID]) throws -> Graph {
    var builder = GraphBuilder(name: name)
    for (symbol, range) in ranges { builder.setRange(range, of: symbol) }
    for (domain, version) in opsets { builder.setOpset(version, of: domain) }
    var known: [ValueID: ValueID] = [:]
    var names: Set<String> = []
    func unused(_ name: String) -> String {
      var result = name
      while !names.insert(result).inserted { result += "'" }
      return result
    }
    func input(_ value: ValueID) -> ValueID {
      let found = values[value]
      var fact = Fact(found.type)
      // Sizes that were computed from data are given from now on.
      if case .tensor(var type) = fact.type {
        type.shape = type.shape.map { size in
          size.substituting { $0.isFromData ? Dim(Symbol(Self.givenName($0.name))) : nil }
        }
        fact = Fact(.tensor(type))
      }
      return builder.input(fact, named: unused(found.name.isEmpty ? "v\(value.position)" : found.name))
    }
    var used: Set<ValueID> = []
    for id in kept {
      let node = nodes[id]
      let inputs = node.inputs.map { value -> ValueID? in
        guard let value else { return nil }
        used.insert(value)
        if let done = known[value] { return done }
        known[value] = constant(value).map { builder.constant($0, named: values[value].name) } ?? input(value)
        return known[value]
      }
      builder.origin = node.origin
      let results = try builder.add(node.op, inputs, outputs: node.outputs.count, bodies: node.bodies)
      for (old, new) in zip(node.outputs, results) {
        known[old] = new
        builder.setName(values[old].name, of: new)
      }
    }
    let asked = Set(outputs.map(\.value))
    for id in kept {
      for output in nodes[id].outputs where !used.contains(output) || asked.contains(output) {
        guard let value = known[output] else { continue }
        let port = outputs.first { $0.value == output }?.name ?? values[output].name
        builder.output(value, named: unused(port.isEmpty ? "v\(output.position)" : port))
      }
    }
    return builder.graph
  }
}
