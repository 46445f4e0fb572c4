/// Steps of which some were joined into groups, as a graph whose nodes are groups and the steps outside them, and an order of these nodes
/// in which each stands behind all that it reads.
///
/// The graph never has a cycle, since `join` must not be called where `wouldClose` holds. So a way from one node to another passes nodes
/// between the two in the order and no others: what asks for ways, and what changes the order, looks at that span alone.
struct StepOrder {
  /// For each step, the steps that read it.
  private let readers: [[Int]]
  /// The node of each step: the first step of its group, or the step itself.
  private var node: [Int]
  /// The steps of each node; empty for a step that is not the first of its group.
  private var members: [[Int]]
  /// Nodes in order. Joined ones leave gaps.
  private var order: [Int?]
  /// The place of each node in `order`.
  private var rank: [Int]

  /// - Parameter readers: for each step the steps that read it, all of which come behind it.
  init(readers: [[Int]]) {
    self.readers = readers
    node = Array(readers.indices)
    members = readers.indices.map { [$0] }
    order = Array(readers.indices)
    rank = Array(readers.indices)
  }

  /// Whether some node outside needs one of `steps` and is needed by another, so that these cannot be one group. They are in no group yet.
  func wouldClose(_ steps: [Int]) -> Bool {
    nodesNeeding(steps).areNeeded
  }

  /// Makes one node of `steps`. The nodes that need it move behind it, and all else stays as it was.
  mutating func join(_ steps: [Int]) {
    guard let first = steps.first, let low = steps.map({ rank[$0] }).min(), let high = steps.map({ rank[$0] }).max()
    else { return }
    let needing = nodesNeeding(steps).nodes
    let others = order[low...high].compactMap { $0 }.filter { !steps.contains($0) }
    let span = others.filter { !needing.contains($0) } + [first] + others.filter { needing.contains($0) }
    for step in steps {
      node[step] = first
      members[step] = []
    }
    members[first] = steps
    for (offset, at) in (low...high).enumerated() {
      order[at] = offset < span.count ? span[offset] : nil
      if offset < span.count { rank[span[offset]] = at }
    }
  }

  /// The nodes outside that need one of `steps` and stand before the last of them, and whether some of `steps` needs one of these; the
  /// search ends where that is found.
  private func nodesNeeding(_ steps: [Int]) -> (nodes: Set<Int>, areNeeded: Bool) {
    let high = steps.map { rank[$0] }.max() ?? 0
    var needing: Set<Int> = []
    var pending = steps
    while let at = pending.popLast() {
      for reader in members[at].lazy.flatMap({ readers[$0] }) {
        let next = node[reader]
        if steps.contains(next) {
          if needing.contains(at) { return (needing, true) }
        } else if rank[next] < high, needing.insert(next).inserted {
          pending.append(next)
        }
      }
    }
    return (needing, false)
  }

  /// Numbers in an order in which each comes behind those that it needs, and no later than it must: one that is in order already stays as it
  /// is, and else what is needed moves before what needs it. Nothing may need itself, by whatever way.
  static func sorted(_ numbers: [Int], limit: Int, needs: (Int) -> [Int]) -> [Int] {
    var result: [Int] = []
    var isBegun = [Bool](repeating: false, count: limit)
    var open: [(number: Int, rest: ArraySlice<Int>)] = []
    for number in numbers where !isBegun[number] {
      isBegun[number] = true
      open.append((number, needs(number)[...]))
      while let last = open.indices.last {
        guard let next = open[last].rest.popFirst() else {
          result.append(open.removeLast().number)
          continue
        }
        if isBegun[next] { continue }
        isBegun[next] = true
        open.append((next, needs(next)[...]))
      }
    }
    return result
  }
}
