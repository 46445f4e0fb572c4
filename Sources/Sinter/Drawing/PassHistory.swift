import SinterCore
import SinterIR
import SinterPasses
import SinterVisual

/// A graph optimized pass by pass, and what each pass changed.
///
/// Nodes keep their numbers from pass to pass, but for the pass that drops what is unused, which numbers anew. So each node has a tag of its own here.
package struct PassHistory {
  /// The passes that changed something, in the order of running.
  package private(set) var passes: [PassChange] = []
  package private(set) var graph: Graph
  /// By node of the graph at hand.
  private var tags: [Int]
  private var nextTag: Int

  package init(of first: Graph, passes list: [Pass] = Pipelines.optimize, flags: Flags = .fromEnvironment()) throws {
    graph = first
    tags = Array(0..<first.nodes.count)
    nextTag = tags.count
    var manager = PassManager(flags: flags)
    var changes: [(change: PassChange, added: Set<Int>, changed: Set<Int>)] = []
    for pass in list {
      let before = graph
      let (beforeTags, rules) = (tags, manager.log.countByRule)
      try manager.run(pass, on: &graph)
      guard manager.log.countByRule != rules else { continue }
      follow(from: before, renumbering: pass.name == Pass.deadCode.name)
      var change = PassChange(
        name: pass.name, summary: pass.summary, milliseconds: manager.times.last?.milliseconds ?? 0)
      for (rule, count) in manager.log.countByRule where count > rules[rule] ?? 0 {
        change.rules[rule] = count - (rules[rule] ?? 0)
      }
      let had = Set(before.order.map { beforeTags[$0.position] })
      let has = Set(graph.order.map { tags[$0.position] })
      let altered =
        pass.name == Pass.deadCode.name ? [] : alteredNodes(since: before).map { tags[$0.position] }
      change.added = has.subtracting(had).count
      change.removed = had.subtracting(has).count
      change.changed = altered.count
      change.removedFromFirst = had.subtracting(has).filter { $0 < first.nodes.count }.sorted()
      change.changedInFirst = altered.filter { $0 < first.nodes.count }.sorted()
      changes.append((change, has.subtracting(had), Set(altered)))
    }
    passes = changes.map { change, added, changed in
      var change = change
      for id in graph.order {
        if added.contains(tags[id.position]) { change.addedToLast.append(id.position) }
        if changed.contains(tags[id.position]) { change.changedInLast.append(id.position) }
      }
      return change
    }
  }

  /// Gives the nodes of the graph their tags.
  private mutating func follow(from before: Graph, renumbering: Bool) {
    if renumbering {
      var kept = before
      kept.removeDeadNodes()
      if kept.order.count == graph.order.count, graph.nodes.count == graph.order.count {
        tags = kept.order.map { tags[$0.position] }
        return
      }
    }
    while tags.count < graph.nodes.count {
      tags.append(nextTag)
      nextTag += 1
    }
  }

  /// Nodes that were there before with other inputs or attributes.
  private func alteredNodes(since before: Graph) -> [NodeID] {
    let had = Set(before.order)
    return graph.order.filter { id in
      guard had.contains(id) else { return false }
      let (was, now) = (before.nodes[id], graph.nodes[id])
      return was.inputs != now.inputs || !was.op.isEqual(to: now.op)
    }
  }
}
