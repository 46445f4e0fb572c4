/// How a diagram folds: groups of nodes inside of groups, by the path of layers and by repetition.
///
/// Invariants: group 0 holds all; a node or a group other than 0 is an item of exactly one group; each group but 0 has two nodes or more inside of it;
/// items stand in the order in which data flow through them, as far as they have one.
package struct FoldTree: Sendable {
  package enum Item: Hashable, Sendable {
    case node(Int)
    case group(Int)
  }

  package struct Group: Sendable {
    package var name: String
    package var parent: Int?
    package var items: [Item] = []
    /// Where its items are that many groups, one after another, that do the same with the same sizes; else nil.
    package var repeats: Int?
    /// Whether it holds inputs or outputs that differ by a number in their names only.
    package var isPorts = false
    /// Nodes inside, at any depth.
    package var nodeCount = 0
  }

  /// A connection between two items of one group, by their positions.
  package struct Link: Hashable, Sendable {
    package var from: Int
    package var to: Int
  }

  /// How the items of groups lead to one another.
  package struct Connections: Sendable {
    /// For each group, which of its items lead to which, each pair once.
    package var links: [[Link]]
    /// Items that lead to something outside of their group, and items that something outside leads to.
    package var leaving: Set<Item> = []
    package var entering: Set<Item> = []
  }

  package private(set) var groups: [Group]
  /// The group that each node is an item of.
  package private(set) var groupOfNode: [Int]

  /// - Parameters:
  ///   - foldsRepeats: whether what repeats becomes a group.
  ///   - foldsPorts: whether inputs, and outputs, that differ by a number in their names only become one.
  package init(_ diagram: Diagram, foldsRepeats: Bool = true, foldsPorts: Bool = false) {
    groups = [Group(name: "", parent: nil)]
    groupOfNode = [Int](repeating: 0, count: diagram.nodes.count)
    addLayers(of: diagram)
    groups[0].items = tidied(groups[0].items, of: 0)
    sortItems(of: diagram)
    if foldsRepeats { foldRepeats(of: diagram) }
    if foldsPorts { foldPorts(of: diagram) }
    renumber()
  }

  // MARK: Layers

  private mutating func addLayers(of diagram: Diagram) {
    struct Key: Hashable {
      var parent: Int
      var name: String
    }
    var known: [Key: Int] = [:]
    for (index, node) in diagram.nodes.enumerated() {
      var group = 0
      // A file may nest its names as deep as it likes.
      for layer in node.layers.prefix(64) {
        let key = Key(parent: group, name: layer)
        if let next = known[key] {
          group = next
        } else {
          groups.append(Group(name: layer, parent: group))
          groups[group].items.append(.group(groups.count - 1))
          known[key] = groups.count - 1
          group = groups.count - 1
        }
      }
      groups[group].items.append(.node(index))
    }
  }

  /// Items without groups that hold one node only, and with groups in place of those that hold nothing but another group.
  private mutating func tidied(_ items: [Item], of parent: Int) -> [Item] {
    items.map { item in
      guard case .group(let group) = item else { return item }
      let inner = tidied(groups[group].items, of: group)
      groups[group].items = inner
      if inner.count == 1 {
        if case .group(let only) = inner[0] {
          groups[only].name = groups[group].name + "." + groups[only].name
          groups[only].parent = parent
        }
        return inner[0]
      }
      groups[group].parent = parent
      return item
    }
  }

  /// Puts items in the order of data: none before what it reads, where that can be; else as the diagram has them.
  private mutating func sortItems(of diagram: Diagram, onlyOutermost: Bool = false) {
    assignParents()
    let links = connections(of: diagram).links
    for group in groups.indices.prefix(onlyOutermost ? 1 : .max) where groups[group].items.count > 1 {
      let order = DataOrder.sorted(count: groups[group].items.count, links: links[group])
      groups[group].items = order.map { groups[group].items[$0] }
    }
  }

  /// Sets, for all that hangs in the tree, which group it is an item of, and counts nodes.
  private mutating func assignParents() {
    func visit(_ group: Int) -> Int {
      var count = 0
      for item in groups[group].items {
        switch item {
        case .node(let node):
          groupOfNode[node] = group
          count += 1
        case .group(let inner):
          groups[inner].parent = group
          count += visit(inner)
        }
      }
      groups[group].nodeCount = count
      return count
    }
    _ = visit(0)
  }

  /// Drops groups that hang in the tree no more.
  private mutating func renumber() {
    var kept: [Group] = []
    func add(_ group: Int, _ parent: Int?) -> Int {
      let position = kept.count
      var copy = groups[group]
      copy.parent = parent
      kept.append(copy)
      kept[position].items = copy.items.map { item in
        if case .group(let inner) = item { .group(add(inner, position)) } else { item }
      }
      return position
    }
    _ = add(0, nil)
    groups = kept
    assignParents()
  }

  // MARK: Links

  package func connections(of diagram: Diagram) -> Connections {
    var place: [Item: Int] = [:]
    place.reserveCapacity(diagram.nodes.count + groups.count)
    var depth = [Int](repeating: 0, count: groups.count)
    func visit(_ group: Int, _ level: Int) {
      depth[group] = level
      for (position, item) in groups[group].items.enumerated() {
        place[item] = position
        if case .group(let inner) = item { visit(inner, level + 1) }
      }
    }
    visit(0, 0)
    var result = Connections(links: [[Link]](repeating: [], count: groups.count))
    var seen = [Set<Link>](repeating: [], count: groups.count)
    for edge in diagram.edges {
      var (a, b) = (Item.node(edge.from), Item.node(edge.to))
      var (above, below) = (groupOfNode[edge.from], groupOfNode[edge.to])
      while above != below {
        if depth[above] >= depth[below] {
          result.leaving.insert(a)
          a = .group(above)
          above = groups[above].parent ?? 0
        } else {
          result.entering.insert(b)
          b = .group(below)
          below = groups[below].parent ?? 0
        }
      }
      guard a != b, let from = place[a], let to = place[b] else { continue }
      let link = Link(from: from, to: to)
      if seen[above].insert(link).inserted { result.links[above].append(link) }
    }
    return result
  }

  // MARK: Repetition

  private mutating func foldRepeats(of diagram: Diagram) {
    assignParents()
    let links = connections(of: diagram).links
    var structures = [Int](repeating: 0, count: groups.count)
    func structure(_ item: Item) -> Int {
      switch item {
      case .node(let node): diagram.nodes[node].structure
      case .group(let group): structures[group]
      }
    }
    // Inner groups first, so that what they look like is known to the groups around.
    func visit(_ group: Int) {
      let items = groups[group].items
      for case .group(let inner) in items { visit(inner) }
      let codes = items.map(structure)
      var hasher = Hasher()
      hasher.combine(codes)
      hasher.combine(links[group].sorted { ($0.from, $0.to) < ($1.from, $1.to) })
      hasher.combine(Self.pattern(groups[group].name))
      structures[group] = hasher.finalize()
      let isNumbered = items.map { item in
        if case .group(let inner) = item { groups[inner].name.contains(where: \.isNumber) } else { false }
      }
      let runs = Repetition.runs(codes, isNumbered: isNumbered, links: links[group])
      if runs.isEmpty { return }
      var folded: [Item] = []
      var position = 0
      for run in runs {
        folded += items[position..<run.start]
        folded.append(.group(addRepeat(run, items, of: group, diagram)))
        position = run.start + run.period * run.count
      }
      groups[group].items = folded + items[position...]
    }
    visit(0)
  }

  private mutating func addRepeat(_ run: Repetition.Run, _ items: [Item], of parent: Int, _ diagram: Diagram) -> Int {
    groups.append(Group(name: "", parent: parent, repeats: run.count))
    let all = groups.count - 1
    var names: [String] = []
    for occurrence in 0..<run.count {
      let begin = run.start + occurrence * run.period
      let part = Array(items[begin..<(begin + run.period)])
      if part.count == 1, case .group(let only) = part[0] {
        groups[all].items.append(part[0])
        names.append(groups[only].name)
        continue
      }
      let named = part.compactMap { item in
        if case .group(let inner) = item { groups[inner].name } else { nil }
      }
      let name = named.first { $0.contains(where: \.isNumber) } ?? "\(occurrence + 1)"
      groups.append(Group(name: name, parent: all, items: part))
      groups[all].items.append(.group(groups.count - 1))
      names.append(name)
    }
    let (first, last) = (names.first ?? "", names.last ?? "")
    if Self.pattern(first) == "#" && first == "1" && run.period > 1 {
      let titles = items[run.start..<(run.start + run.period)].prefix(3).map { item in
        switch item {
        case .node(let node): diagram.nodes[node].title
        case .group(let group): groups[group].name
        }
      }
      groups[all].name = titles.joined(separator: ", ") + (run.period > 3 ? ", …" : "")
    } else {
      groups[all].name = first == last ? first : "\(first) … \(last)"
    }
    return all
  }

  /// So few ports of a kind are shown as they are.
  private static let fewPorts = 4

  private mutating func foldPorts(of diagram: Diagram) {
    struct Key: Hashable {
      var kind: Diagram.Kind
      var pattern: String
      var results: [String]
    }
    var ports: [Key: [Int]] = [:]
    func key(_ node: Int) -> Key? {
      let found = diagram.nodes[node]
      guard found.kind != .operation, found.title.contains(where: \.isNumber) else { return nil }
      return Key(kind: found.kind, pattern: Self.pattern(found.title), results: found.results)
    }
    for case .node(let node) in groups[0].items {
      if let key = key(node) { ports[key, default: []].append(node) }
    }
    var items: [Item] = []
    for item in groups[0].items {
      guard case .node(let node) = item, let key = key(node), let all = ports[key], all.count > Self.fewPorts else {
        items.append(item)
        continue
      }
      if node != all[0] { continue }
      let name = "\(diagram.nodes[all[0]].title) … \(diagram.nodes[all[all.count - 1]].title)"
      groups.append(Group(name: name, parent: 0, items: all.map { .node($0) }, isPorts: true))
      items.append(.group(groups.count - 1))
    }
    if items.count == groups[0].items.count { return }
    groups[0].items = items
    sortItems(of: diagram, onlyOutermost: true)
  }

  /// A name without its numbers: `layer.#` of `layer.11`.
  static func pattern(_ name: String) -> String {
    var result = ""
    for character in name {
      if !character.isNumber {
        result.append(character)
      } else if result.last != "#" {
        result.append("#")
      }
    }
    return result
  }

  // MARK: What is shown at first

  /// Groups to be drawn unfolded, from the outside in, as long as no more than `limit` boxes are shown. Repetitions and ports stay
  /// folded.
  package func initiallyOpen(limit: Int) -> Set<Int> {
    var open: Set<Int> = [0]
    var shown = groups[0].items.count
    var next = [0]
    while !next.isEmpty {
      var inner: [Int] = []
      for group in next {
        for case .group(let child) in groups[group].items where groups[child].repeats == nil && !groups[child].isPorts {
          let more = groups[child].items.count - 1
          if shown + more > limit { continue }
          shown += more
          open.insert(child)
          inner.append(child)
        }
      }
      next = inner
    }
    return open
  }
}
