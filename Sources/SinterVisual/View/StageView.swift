import SinterCore

/// One stage of a model as a page shows it: a diagram, how it folds, where its boxes stand, and the time that each takes.
package struct StageView: Sendable {
  package let name: String
  package let diagram: Diagram
  package let tree: FoldTree
  /// By group, with everything inside folded.
  let layouts: [LayeredLayout]
  /// Milliseconds by node; empty where nothing was measured.
  package var milliseconds: [Double] = []

  package init(name: String, _ diagram: Diagram) {
    self.name = name
    self.diagram = diagram
    let tree = FoldTree(diagram, foldsPorts: true)
    self.tree = tree
    let connections = tree.connections(of: diagram)
    layouts = tree.groups.indices.map { group in
      let items = tree.groups[group].items
      return LayeredLayout(
        widths: items.map { item in
          switch item {
          case .node(let node): Self.width(of: diagram.nodes[node])
          case .group(let inner): Self.width(of: tree.groups[inner])
          }
        }, links: connections.links[group], leaving: items.indices.filter { connections.leaving.contains(items[$0]) },
        entering: items.indices.filter { connections.entering.contains(items[$0]) })
    }
  }

  /// Boxes that a page begins with at most, unless it has no choice.
  static let shownAtFirst = 64

  // Widths of letters are guessed: the page cuts what does not fit.
  static func width(of node: Diagram.Node) -> Double {
    let letters = max(
      Double(node.title.count) * 7.2, Double(max(node.subtitle.count, node.results.first?.count ?? 0)) * 6)
    return min(max(letters + 18, 64), 260)
  }

  static func width(of group: FoldTree.Group) -> Double {
    let label = Double(group.name.count) * 7.2 + (group.repeats == nil ? 0 : 40)
    return min(max(label + 30, 110), 300)
  }

  /// The stage as the page reads it. Texts are numbers in a list, since most stand there many times.
  ///
  /// - Parameter weights: the number that each constant has among those of the page.
  func json(weights: [Int]) -> String {
    var texts = TextNumbers()
    var json = JSONWriter()
    let nodes = diagram.nodes
    json.raw("{")
    json.key("name", first: true)
    json.string(name)
    func column(_ name: String, _ values: (Diagram.Node) -> Int) {
      json.key(name)
      json.integers(nodes.map(values))
    }
    func lists(_ name: String, _ values: (Diagram.Node) -> [Int]) {
      json.key(name)
      json.list(nodes) { $0.integers(values($1)) }
    }
    column("kind") { $0.kind == .operation ? 0 : $0.kind == .input ? 1 : 2 }
    column("title") { texts.number(of: $0.title) }
    column("subtitle") { texts.number(of: $0.subtitle) }
    column("nodeName") { texts.number(of: $0.name) }
    column("family") { OperatorFamily.allCases.firstIndex(of: $0.family) ?? 0 }
    lists("attributes") { $0.attributes.flatMap { [texts.number(of: $0.name), texts.number(of: $0.text)] } }
    lists("results") { $0.results.map { texts.number(of: $0) } }
    lists("origins") { $0.origins.map { texts.number(of: $0) } }
    lists("labels") { $0.labels.map { texts.number(of: $0) } }
    lists("remarks") { ($0.requirements + $0.notes).map { texts.number(of: $0) } }
    lists("weights") { $0.constants.map { weights[$0] } }
    writePlaces(&json)
    json.key("groupName")
    json.integers(tree.groups.map { texts.number(of: $0.name) })
    json.key("parent")
    json.integers(tree.groups.map { $0.parent ?? -1 })
    json.key("repeats")
    json.integers(tree.groups.map { $0.repeats ?? 0 })
    json.key("open")
    json.integers(tree.initiallyOpen(limit: Self.shownAtFirst).sorted())
    json.key("from")
    json.integers(diagram.edges.map(\.from))
    json.key("to")
    json.integers(diagram.edges.map(\.to))
    json.key("type")
    json.integers(diagram.edges.map { texts.number(of: $0.type) })
    json.key("note")
    json.integers(diagram.edges.map { texts.number(of: $0.note) })
    if !milliseconds.isEmpty {
      json.key("milliseconds")
      json.list(milliseconds) { $0.number(($1 * 1e5).rounded() / 1e5) }
    }
    json.key("requirements")
    json.strings(diagram.requirements)
    json.key("texts")
    json.strings(texts.all)
    json.raw("}")
    return json.text
  }

  /// By group, what is in it and where: `[item, row, center, width, …]`, and the ways of arrows from items and to them, `[item, place, place, …]`. A node is its number, a
  /// group has a number behind those of nodes.
  private func writePlaces(_ json: inout JSONWriter) {
    func number(_ item: FoldTree.Item) -> Int {
      switch item {
      case .node(let node): node
      case .group(let group): diagram.nodes.count + group
      }
    }
    json.key("items")
    json.list(tree.groups.indices) { json, group in
      json.raw("[")
      for (place, item) in tree.groups[group].items.enumerated() {
        if place > 0 { json.raw(",") }
        json.raw("\(number(item)),\(layouts[group].rows[place]),")
        json.number(layouts[group].centers[place])
        json.raw(",")
        switch item {
        case .node(let node): json.number(Self.width(of: diagram.nodes[node]).rounded())
        case .group(let inner): json.number(Self.width(of: tree.groups[inner]).rounded())
        }
      }
      json.raw("]")
    }
    for (name, routes) in [("routes", \LayeredLayout.routes), ("entries", \LayeredLayout.entries)] {
      json.key(name)
      json.list(tree.groups.indices) { json, group in
        json.list(layouts[group][keyPath: routes]) { json, route in
          json.raw("[\(number(tree.groups[group].items[route.box]))")
          for place in route.places {
            json.raw(",")
            json.number(place)
          }
          json.raw("]")
        }
      }
    }
  }
}

/// Texts, each once.
struct TextNumbers {
  private(set) var all: [String] = []
  private var numbers: [String: Int] = [:]

  mutating func number(of text: String) -> Int {
    if let known = numbers[text] { return known }
    numbers[text] = all.count
    all.append(text)
    return all.count - 1
  }
}
