/// Places boxes in rows so that arrows lead downwards, few of them cross, and chains are straight.
///
/// Rows are by longest path; a row's order is by the mean place of neighbours, a few sweeps down and up; places are the nearest to the mean of
/// neighbours that keep boxes apart, exactly, row by row. An arrow over several rows goes through a place of its own in each, which arrows from
/// one box share. All that takes time in proportion to boxes, arrows and places between, but for sorting rows.
package struct LayeredLayout: Sendable {
  /// A way through rows, from a box or to it: the place in each of the rows behind its own, or in each of the first rows up to its own.
  package struct Route: Sendable {
    package var box: Int
    package var places: [Double]
  }

  /// The row of each box, and the middle of the box in it.
  package private(set) var rows: [Int]
  package private(set) var centers: [Double]
  package private(set) var routes: [Route] = []
  /// The ways of arrows that come from outside, from the top.
  package private(set) var entries: [Route] = []

  /// Boxes apart in a row, and the width of an arrow between boxes.
  static let gap = 16.0
  static let lane = 6.0
  /// Arrows over more rows than that are drawn to the box at once: they would push all between them apart.
  static let longest = 64
  /// Arrows from and to the outside have ways of their own over so many rows, in groups of so many boxes.
  static let longestOutside = 24
  static let largestWithOutside = 2000

  private var widths: [Double]
  /// By row, boxes and places of arrows (numbers behind those of boxes) from left to right.
  private var order: [[Int]] = []
  private var above: [[Int]] = []
  private var below: [[Int]] = []

  /// - Parameters:
  ///   - widths: of the boxes, in an order in which arrows lead from the front to the back; those that do not are not looked at.
  ///   - leaving: boxes with arrows to the outside, which leave at the bottom.
  ///   - entering: boxes with arrows from the outside, which come from the top.
  package init(widths: [Double], links: [FoldTree.Link], leaving: [Int] = [], entering: [Int] = []) {
    let boxes = widths.count
    self.widths = widths
    rows = [Int](repeating: 0, count: boxes)
    centers = [Double](repeating: 0, count: boxes)
    guard boxes > 0 else { return }
    let forward = links.filter { $0.from < $0.to }
    assignRows(forward)
    above = [[Int]](repeating: [], count: boxes)
    below = [[Int]](repeating: [], count: boxes)
    let hasOutside = boxes <= Self.largestWithOutside
    addPlaces(forward, leaving: hasOutside ? Set(leaving) : [])
    if hasOutside { for box in entering { addEntry(box) } }
    fillRows()
    for sweep in 0..<6 { sortRows(downwards: sweep % 2 == 0) }
    place()
    var begin = boxes
    func take(_ places: inout [Double]) {
      let count = places.count
      places = Array(centers[begin..<(begin + count)])
      begin += count
    }
    for index in routes.indices { take(&routes[index].places) }
    for index in entries.indices { take(&entries[index].places) }
    centers.removeSubrange(boxes...)
    rows.removeSubrange(boxes...)
  }

  private mutating func assignRows(_ links: [FoldTree.Link]) {
    var next = [[Int]](repeating: [], count: rows.count)
    var hasSource = [Bool](repeating: false, count: rows.count)
    for link in links {
      next[link.from].append(link.to)
      hasSource[link.to] = true
    }
    for box in rows.indices {
      for follower in next[box] { rows[follower] = max(rows[follower], rows[box] + 1) }
    }
    // What nothing leads to stands right above what it leads to.
    for box in rows.indices where !hasSource[box] && !next[box].isEmpty {
      rows[box] = (next[box].map { rows[$0] }.min() ?? 1) - 1
    }
  }

  /// Adds the places of arrows over several rows.
  private mutating func addPlaces(_ links: [FoldTree.Link], leaving: Set<Int>) {
    let end = rows.max() ?? 0
    var bySource = [[Int]](repeating: [], count: rows.count)
    for link in links { bySource[link.from].append(link.to) }
    for (box, targets) in bySource.enumerated() {
      let near = targets.filter { rows[$0] - rows[box] <= Self.longest }
      var last = near.map { rows[$0] }.max() ?? 0
      if leaving.contains(box), end - rows[box] <= Self.longestOutside { last = end + 1 }
      var chain = [box]
      if last > rows[box] + 1 {
        for row in (rows[box] + 1)..<last {
          let place = addPlace(row)
          connect(chain[chain.count - 1], place)
          chain.append(place)
        }
        routes.append(Route(box: box, places: [Double](repeating: 0, count: chain.count - 1)))
      }
      for target in near { connect(chain[rows[target] - rows[box] - 1], target) }
    }
  }

  /// Adds the places of an arrow that comes from the top.
  private mutating func addEntry(_ box: Int) {
    guard rows[box] > 0, rows[box] <= Self.longestOutside else { return }
    var before: Int?
    for row in 0..<rows[box] {
      let place = addPlace(row)
      if let before { connect(before, place) }
      before = place
    }
    if let before { connect(before, box) }
    entries.append(Route(box: box, places: [Double](repeating: 0, count: rows[box])))
  }

  private mutating func addPlace(_ row: Int) -> Int {
    rows.append(row)
    centers.append(0)
    widths.append(Self.lane)
    above.append([])
    below.append([])
    return rows.count - 1
  }

  private mutating func connect(_ from: Int, _ to: Int) {
    below[from].append(to)
    above[to].append(from)
  }

  /// The first order of rows: as a walk along the arrows meets them, so that what belongs together stands together.
  private mutating func fillRows() {
    order = [[Int]](repeating: [], count: (rows.max() ?? 0) + 1)
    var met = [Bool](repeating: false, count: rows.count)
    for start in rows.indices where above[start].isEmpty && !met[start] {
      var stack = [start]
      while let item = stack.popLast() {
        if met[item] { continue }
        met[item] = true
        order[rows[item]].append(item)
        for follower in below[item].reversed() where !met[follower] { stack.append(follower) }
      }
    }
  }

  private mutating func sortRows(downwards: Bool) {
    var position = [Double](repeating: 0, count: rows.count)
    func note(_ row: [Int]) {
      var x = 0.0
      for item in row {
        position[item] = x + widths[item] / 2
        x += widths[item] + Self.gap
      }
    }
    let sequence = downwards ? Array(order.indices) : order.indices.reversed()
    for row in order { note(row) }
    for row in sequence where order[row].count > 1 {
      let keys = order[row].map { item -> Double in
        let neighbours = downwards ? above[item] : below[item]
        if neighbours.isEmpty { return position[item] }
        return neighbours.reduce(0) { $0 + position[$1] } / Double(neighbours.count)
      }
      let sorted = order[row].indices.sorted { (keys[$0], $0) < (keys[$1], $1) }
      order[row] = sorted.map { order[row][$0] }
      note(order[row])
    }
  }

  // MARK: Places

  private mutating func place() {
    for row in order {
      var x = 0.0
      for item in row {
        centers[item] = x + widths[item] / 2
        x += widths[item] + Self.gap
      }
      for item in row { centers[item] -= x / 2 }
    }
    for sweep in 0..<8 {
      let downwards = sweep % 2 == 0
      for row in downwards ? Array(order.indices) : order.indices.reversed() {
        let items = order[row]
        let wanted = items.map { item -> Double in
          let neighbours = downwards ? above[item] : below[item]
          if neighbours.isEmpty { return centers[item] }
          return neighbours.reduce(0) { $0 + centers[$1] } / Double(neighbours.count)
        }
        let placed = Self.apart(
          wanted, items.map { widths[$0] }, weights: items.map { $0 < centers.count ? weight($0) : 1 })
        for (item, center) in zip(items, placed) { centers[item] = center }
      }
    }
    let left = order.joined().map { centers[$0] - widths[$0] / 2 }.min() ?? 0
    for item in centers.indices { centers[item] = ((centers[item] - left) * 2).rounded() / 2 }
  }

  /// Ways of arrows would rather be straight than boxes be in the middle.
  private func weight(_ item: Int) -> Double { widths[item] == Self.lane ? 4 : 1 }

  /// The places nearest to those wanted, in the sense of least squares, in which boxes keep their order and stand apart.
  static func apart(_ wanted: [Double], _ widths: [Double], weights: [Double]) -> [Double] {
    // With the least distances taken off, places must only not fall: pools of neighbours that would fall share their mean.
    var offsets = [Double](repeating: 0, count: wanted.count)
    for index in wanted.indices.dropFirst() {
      offsets[index] = offsets[index - 1] + (widths[index - 1] + widths[index]) / 2 + gap
    }
    var pools: [(sum: Double, weight: Double, count: Int)] = []
    for index in wanted.indices {
      var pool = (sum: (wanted[index] - offsets[index]) * weights[index], weight: weights[index], count: 1)
      while let last = pools.last, last.sum / last.weight >= pool.sum / pool.weight {
        pool = (last.sum + pool.sum, last.weight + pool.weight, last.count + pool.count)
        pools.removeLast()
      }
      pools.append(pool)
    }
    var result: [Double] = []
    result.reserveCapacity(wanted.count)
    for pool in pools {
      for _ in 0..<pool.count { result.append(pool.sum / pool.weight + offsets[result.count]) }
    }
    return result
  }
}
