/// Finds stretches of a list that stand in it several times, one right after another, and are connected inside in the same way.
enum Repetition {
  struct Run: Hashable {
    var start: Int
    /// The length of the stretch, and how many times it stands there.
    var period: Int
    var count: Int
  }

  /// Runs from left to right, none of which overlap. One item counts as a stretch only where it is numbered (a layer with a number in its
  /// name); else a stretch has three items or more, or holds a numbered one.
  ///
  /// - Parameter codes: equal for items that are the same.
  static func runs(_ codes: [Int], isNumbered: [Bool], links: [FoldTree.Link]) -> [Run] {
    guard codes.count > 1 else { return [] }
    let next = nextOccurrences(of: codes)
    // For each item, how far back the items are that lead to it.
    var inner = [[Int]](repeating: [], count: codes.count)
    for link in links where link.from < link.to { inner[link.to].append(link.to - link.from) }
    for index in inner.indices { inner[index].sort() }
    var runs: [Run] = []
    var start = 0
    while start < codes.count {
      guard let run = longest(from: start, codes, isNumbered, inner, next) else {
        start += 1
        continue
      }
      runs.append(run)
      start += run.period * run.count
    }
    return runs
  }

  /// How many distances are tried from one item.
  private static let candidates = 12

  private static func nextOccurrences(of codes: [Int]) -> [Int] {
    var last: [Int: Int] = [:]
    var next = [Int](repeating: -1, count: codes.count)
    for index in codes.indices.reversed() {
      next[index] = last[codes[index]] ?? -1
      last[codes[index]] = index
    }
    return next
  }

  private static func longest(
    from start: Int, _ codes: [Int], _ isNumbered: [Bool], _ inner: [[Int]], _ next: [Int]
  ) -> Run? {
    var best: Run?
    var other = next[start]
    for _ in 0..<candidates where other >= 0 {
      let period = other - start
      if start + 2 * period > codes.count { break }
      let count = repeats(of: period, from: start, codes, inner)
      let hasNumber = (start..<(start + period)).contains { isNumbered[$0] }
      if count > 1, hasNumber || period >= 3, count * period > (best.map { $0.count * $0.period } ?? 0) {
        best = Run(start: start, period: period, count: count)
      }
      other = next[other]
    }
    return best
  }

  private static func repeats(of period: Int, from start: Int, _ codes: [Int], _ inner: [[Int]]) -> Int {
    var count = 1
    while start + (count + 1) * period <= codes.count {
      let begin = start + count * period
      for offset in 0..<period {
        guard codes[start + offset] == codes[begin + offset],
          inner[start + offset].prefix(while: { $0 <= offset }) == inner[begin + offset].prefix(while: { $0 <= offset })
        else { return count }
      }
      count += 1
    }
    return count
  }
}
