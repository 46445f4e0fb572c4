import TestSupport
import Testing

@testable import SinterForms

/// The order of steps that are joined, against a search of all ways.
@Suite struct StepOrderTests {
  /// A graph in which each step reads some of those before it.
  private struct Random {
    var random: SeededGenerator
    let readers: [[Int]]
    /// The first step of each step's group.
    var node: [Int]

    init(seed: Int, count: Int) {
      var random = SeededGenerator(seed: UInt64(seed))
      var readers: [[Int]] = Array(repeating: [], count: count)
      for step in 1..<count {
        for _ in 0..<Int.random(in: 0...2, using: &random) {
          readers[Int.random(in: max(0, step - 12)..<step, using: &random)].append(step)
        }
      }
      self.random = random
      self.readers = readers
      node = Array(0..<count)
    }

    /// Some steps that are in no group yet.
    mutating func pick() -> [Int] {
      let free = node.indices.filter { step in !node.indices.contains { $0 != step && node[$0] == node[step] } }
      guard let start = free.randomElement(using: &random) else { return [] }
      let near = free.filter { abs($0 - start) < 20 }.shuffled(using: &random)
      return near.prefix(Int.random(in: 2...4, using: &random)).sorted()
    }

    /// Whether groups and other steps can be put in some order.
    func hasOrder() -> Bool {
      var waits: [Int: Set<Int>] = [:]
      for (step, all) in readers.enumerated() {
        for reader in all where node[reader] != node[step] { waits[node[reader], default: []].insert(node[step]) }
      }
      var left = Set(node)
      while let ready = left.first(where: { (waits[$0] ?? []).isDisjoint(with: left) }) { left.remove(ready) }
      return left.isEmpty
    }
  }

  @Test(arguments: 0..<40)
  func refusesJustWhatClosesACycle(seed: Int) {
    var model = Random(seed: seed, count: 12 + seed * 2)
    var order = StepOrder(readers: model.readers)
    for _ in 0..<60 {
      let steps = model.pick()
      guard steps.count > 1 else { continue }
      var joined = model
      for step in steps { joined.node[step] = steps[0] }
      let wouldClose = order.wouldClose(steps)
      #expect(wouldClose == !joined.hasOrder(), "seed \(seed), steps \(steps)")
      if wouldClose { continue }
      order.join(steps)
      model = joined
    }
  }
}
