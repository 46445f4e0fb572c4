/// Writes a diagram in the language of graphviz: `dot -Tsvg graph.dot -o graph.svg`.
///
/// Boxes are coloured by family and say what they do, what they read of weights, and what they give, so that arrows need no words that others cross.
/// Layers are frames. Folded, what repeats is drawn once, in a frame with its number of times.
package struct DOTWriter {
  private let diagram: Diagram
  private let tree: FoldTree
  private let foldsRepeats: Bool
  private var lines: [String] = []
  /// For each node, the one that is drawn in its place.
  private var standIns: [Int]
  private var drawnEdges: Set<String> = []
  /// The names of ports that stand for several, by node.
  private var portNames: [Int: String] = [:]

  package static func text(of diagram: Diagram, foldingRepeats: Bool = false) -> String {
    var writer = DOTWriter(diagram, foldsRepeats: foldingRepeats)
    return writer.write()
  }

  private init(_ diagram: Diagram, foldsRepeats: Bool) {
    self.diagram = diagram
    self.foldsRepeats = foldsRepeats
    tree = FoldTree(diagram, foldsRepeats: foldsRepeats)
    standIns = Array(diagram.nodes.indices)
  }

  private mutating func write() -> String {
    let title = Self.quoted(diagram.title)
    lines = [
      "digraph \(title) {",
      "  rankdir=TB; fontname=\"Helvetica\"; labelloc=t; label=\(title); ranksep=0.28; nodesep=0.2;",
      "  node [fontname=\"Helvetica\", fontsize=11, shape=box, style=\"rounded,filled\", fillcolor=white, color=\"#adb5bd\", margin=\"0.12,0.05\"];",
      "  edge [color=\"#495057\", arrowsize=0.6];",
    ]
    assignStandIns(in: 0)
    if foldsRepeats { foldPorts() }
    write(0, indent: "  ")
    for edge in diagram.edges { write(edge) }
    lines.append("}")
    return lines.joined(separator: "\n") + "\n"
  }

  private mutating func assignStandIns(in group: Int) {
    for case .group(let inner) in tree.groups[group].items { assignStandIns(in: inner) }
    guard tree.groups[group].repeats != nil else { return }
    let parts = parts(of: group)
    let models = parts.first.map { nodes(of: $0) } ?? []
    // Parts do the same in the same order.
    for part in parts.dropFirst() {
      for (node, model) in zip(nodes(of: part), models) { standIns[node] = model }
    }
  }

  private func parts(of group: Int) -> [Int] {
    tree.groups[group].items.compactMap { item in if case .group(let part) = item { part } else { nil } }
  }

  /// Ports that are numbered and belong to occurrences of a repetition are drawn once, too: `past_key_0 … past_key_11 × 12`.
  private mutating func foldPorts() {
    struct Key: Hashable {
      var kind: Diagram.Kind
      var pattern: String
      var results: [String]
      var neighbours: Set<Int>
      /// Where nothing reads a port, what tells it from unrelated ones is where it stands.
      var group: Int?
    }
    var neighbours: [Int: Set<Int>] = [:]
    for edge in diagram.edges {
      if diagram.nodes[edge.from].kind == .input { neighbours[edge.from, default: []].insert(shown(edge.to)) }
      if diagram.nodes[edge.to].kind == .output { neighbours[edge.to, default: []].insert(shown(edge.from)) }
    }
    var known: [Key: [Int]] = [:]
    for (index, node) in diagram.nodes.enumerated()
    where node.kind != .operation && node.title.contains(where: \.isNumber) {
      let own = neighbours[index] ?? []
      let key = Key(
        kind: node.kind, pattern: FoldTree.pattern(node.title), results: node.results, neighbours: own,
        group: own.isEmpty ? tree.groupOfNode[index] : nil)
      known[key, default: []].append(index)
    }
    for ports in known.values where ports.count > 1 {
      for port in ports.dropFirst() { standIns[port] = ports[0] }
      portNames[ports[0]] =
        "\(diagram.nodes[ports[0]].title) … \(diagram.nodes[ports[ports.count - 1]].title) × \(ports.count)"
    }
  }

  private mutating func write(_ group: Int, indent: String) {
    for item in tree.groups[group].items {
      switch item {
      case .node(let node): if standIns[node] == node { lines.append(indent + statement(node)) }
      case .group(let inner): writeFrame(inner, indent: indent)
      }
    }
  }

  private mutating func writeFrame(_ group: Int, indent: String) {
    let found = tree.groups[group]
    var label = found.name
    var shown = group
    if let repeats = found.repeats {
      label += " × \(repeats)"
      shown = parts(of: group).first ?? group
    }
    lines.append("\(indent)subgraph cluster_\(group) {")
    lines.append("\(indent)  label=\(Self.quoted(label)); fontsize=10; color=\"#adb5bd\"; style=rounded; labeljust=l;")
    write(shown, indent: indent + "  ")
    lines.append(indent + "}")
  }

  /// All nodes in a group, in order.
  private func nodes(of group: Int) -> [Int] {
    tree.groups[group].items.flatMap { item in
      switch item {
      case .node(let node): [node]
      case .group(let inner): nodes(of: inner)
      }
    }
  }

  private func statement(_ index: Int) -> String {
    let node = diagram.nodes[index]
    if node.kind != .operation {
      let type = Self.small(node.results.first ?? "")
      return
        "n\(index) [label=<\(Self.marked(portNames[index] ?? node.title))\(type)>, shape=ellipse, fillcolor=\"#a5d8ff\"];"
    }
    var label = "<b>\(Self.marked(node.title))</b>"
    if !node.subtitle.isEmpty { label += " " + Self.marked(Self.shortened(node.subtitle, to: 40)) }
    for constant in node.constants.prefix(3) {
      let found = diagram.constants[constant]
      let integers = found.tensor.count <= 6 ? found.tensor.int64s : nil
      let contents = integers.map { "[" + $0.map(String.init).joined(separator: ", ") + "]" }
      label += Self.small(
        [Self.shortened(found.name, to: 28), contents ?? "\(found.tensor.type)"].joined(separator: " "))
    }
    if node.constants.count > 3 { label += Self.small("and \(node.constants.count - 3) weights more") }
    for kernel in node.notes.prefix(2) { label += Self.small(kernel.count <= 44 ? kernel : kernel.prefix(43) + "…") }
    if let result = node.results.first {
      label += Self.small("→ " + result + (node.results.count > 1 ? " and \(node.results.count - 1) more" : ""))
    }
    let tip = Self.quoted((node.origins + node.attributes.map { "\($0.name): \($0.text)" }).joined(separator: "\n"))
    return "n\(index) [label=<\(label)>, fillcolor=\"\(node.family.color)\", tooltip=\(tip)];"
  }

  private mutating func write(_ edge: Diagram.Edge) {
    let (from, to) = (shown(edge.from), shown(edge.to))
    // From one occurrence of a repetition to the next: the frame's number says so.
    if areInOneRepetition(edge.from, edge.to) { return }
    guard from != to, drawnEdges.insert("\(from) \(to)").inserted else { return }
    let tip = edge.type + (edge.note.isEmpty ? "" : "\nnot one kernel: " + edge.note)
    lines.append("  n\(from) -> n\(to) [edgetooltip=\(Self.quoted(tip))];")
  }

  /// A stand-in in an occurrence that is not drawn has one itself.
  private func shown(_ node: Int) -> Int {
    var result = node
    while standIns[result] != result { result = standIns[result] }
    return result
  }

  /// Whether two nodes are in different occurrences of a repetition that both are inside of.
  private func areInOneRepetition(_ a: Int, _ b: Int) -> Bool {
    func repetitions(_ node: Int) -> [Int: Int] {
      var found: [Int: Int] = [:]
      var inner = -1
      var group: Int? = tree.groupOfNode[node]
      while let at = group {
        if tree.groups[at].repeats != nil { found[at] = inner }
        inner = at
        group = tree.groups[at].parent
      }
      return found
    }
    let (first, second) = (repetitions(a), repetitions(b))
    return first.contains { repetition, turn in second[repetition].map { $0 != turn } ?? false }
  }

  // MARK: Texts

  private static func small(_ text: String) -> String {
    text.isEmpty ? "" : "<br/><font point-size=\"9\" color=\"#495057\">\(marked(text))</font>"
  }

  private static func shortened(_ text: String, to count: Int) -> String {
    text.count <= count ? text : "…" + text.suffix(count - 1)
  }

  /// A text inside of an HTML-like label. What no XML may hold becomes a space.
  static func marked(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\u{0}"..."\u{1f}", "\u{7f}", "\u{fffe}", "\u{ffff}": result += " "
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// By scalars, as Graphviz reads it: to a `Character` a quotation mark with an accent is no quotation mark.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      case "\0": result += " "
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
