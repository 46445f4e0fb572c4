import SinterCore

extension TreeEnsemble {
  /// Throws where lists do not fit one another or name what is not there.
  func check() throws {
    func wrong(_ message: String) -> DiagnosticError {
      DiagnosticError(.user, "tree.nodes", message, hint: "export the model again")
    }
    let count = features.count
    let lists = [modes.count, bounds?.count ?? 0, yes.count, no.count, yesIsLeaf.count, noIsLeaf.count]
    guard lists.allSatisfy({ $0 == count }), tracksNaN.isEmpty || tracksNaN.count == count else {
      throw wrong("lists of nodes must have one length, but features have \(count) and others \(lists)")
    }
    let leafCount = leafStarts.isEmpty ? targets.count : leafStarts.count - 1
    guard weights?.count ?? 0 == targets.count, leafStarts.last ?? targets.count == targets.count,
      leafStarts.first ?? 0 == 0, zip(leafStarts, leafStarts.dropFirst()).allSatisfy({ $0 <= $1 })
    else {
      throw wrong("leaves have \(targets.count) targets, but \(weights?.count ?? 0) weights, starting at \(leafStarts)")
    }
    guard targetCount >= 1, targets.allSatisfy((0..<targetCount).contains) else {
      throw wrong("the targets of leaves must lie below the number of targets, which is \(targetCount)")
    }
    guard roots.allSatisfy((0..<count).contains) else { throw wrong("a root is none of \(count) nodes") }
    for node in 0..<count {
      let ways = [(yes[node], yesIsLeaf[node]), (no[node], noIsLeaf[node])]
      for (way, isLeaf) in ways where way < 0 || way >= (isLeaf != 0 ? leafCount : count) {
        throw wrong(
          "node \(node) leads to \(isLeaf != 0 ? "leaf" : "node") \(way), but there are \(leafCount) leaves and "
            + "\(count) nodes")
      }
      guard features[node] >= 0, Forest.Node.Mode(rawValue: modes[node]) != nil else {
        throw wrong("node \(node) has feature \(features[node]) and mode \(modes[node])")
      }
    }
    guard modes.filter({ $0 == Forest.Node.Mode.member.rawValue }).count <= memberLists().count else {
      throw wrong("membership_values must hold a list, ended by NaN, for each node of that mode")
    }
  }

  private func memberLists() -> [[Double]] {
    var lists = (members?.doubles ?? []).split(omittingEmptySubsequences: false) { $0.isNaN }.map(Array.init)
    if lists.last?.isEmpty ?? false { lists.removeLast() }
    return lists
  }

  /// The nodes as the walk's arrays are made of them.
  func forestNodes() -> [Forest.Node] {
    let bounds = bounds?.doubles ?? []
    var lists = memberLists()[...]
    func target(_ number: Int, _ isLeaf: Int) -> Forest.Node.Target { isLeaf != 0 ? .leaf(number) : .node(number) }
    return features.indices.map { node in
      let mode = Forest.Node.Mode(rawValue: modes[node]) ?? .atMost
      return Forest.Node(
        feature: features[node], mode: mode, bound: bounds[node],
        members: mode == .member ? lists.removeFirst() : [], tracksNaN: !tracksNaN.isEmpty && tracksNaN[node] != 0,
        yes: target(yes[node], yesIsLeaf[node]), no: target(no[node], noIsLeaf[node]))
    }
  }

  /// The root of a tree; that of a tree which is one leaf is a node with two ways to it.
  func root(_ tree: Int) -> Forest.Node.Target { .node(roots[tree]) }

  var leafCount: Int { leafStarts.isEmpty ? targets.count : leafStarts.count - 1 }

  /// The places among the weights that a leaf has.
  func weightPlaces(ofLeaf leaf: Int) -> Swift.Range<Int> {
    leafStarts.isEmpty ? leaf..<(leaf + 1) : leafStarts[leaf]..<leafStarts[leaf + 1]
  }

  /// The leaves that each tree may reach.
  func leavesByTree() -> [[Int]] {
    var seen = [Int](repeating: -1, count: features.count)
    return roots.indices.map { tree in
      var found: [Int] = []
      var open = [roots[tree]]
      while let node = open.popLast() {
        if seen[node] == tree { continue }
        seen[node] = tree
        for (way, isLeaf) in [(yes[node], yesIsLeaf[node]), (no[node], noIsLeaf[node])] {
          if isLeaf != 0 { found.append(way) } else { open.append(way) }
        }
      }
      return found
    }
  }

  /// Trees ordered by the target that they work on, where each works on just one.
  struct TreesByTarget {
    /// For each target as many; nil for a tree that adds nothing.
    var trees: [Int?]
    var perTarget: Int
  }

  /// Nil where a tree has weights for several targets, or where targets have very different numbers of trees.
  func treesByTarget() -> TreesByTarget? {
    var trees = [[Int]](repeating: [], count: targetCount)
    for (tree, leaves) in leavesByTree().enumerated() {
      var target: Int?
      for leaf in leaves {
        let places = weightPlaces(ofLeaf: leaf)
        guard places.count == 1, target == nil || target == targets[places.lowerBound] else { return nil }
        target = targets[places.lowerBound]
      }
      if let target { trees[target].append(tree) }
    }
    let most = trees.map(\.count).max() ?? 0
    if most * targetCount > 2 * roots.count + 8 { return nil }
    return TreesByTarget(
      trees: trees.flatMap { $0.map { Optional($0) } + [Int?](repeating: nil, count: most - $0.count) }, perTarget: most
    )
  }
}
