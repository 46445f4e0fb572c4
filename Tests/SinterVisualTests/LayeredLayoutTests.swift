import SinterCore
import Testing

@testable import SinterVisual

@Suite struct LayeredLayoutTests {
  typealias Link = FoldTree.Link

  /// Arrows lead down, boxes of a row stand apart, each way has a place in each row that it passes.
  private static func check(_ layout: LayeredLayout, _ widths: [Double], _ links: [Link]) {
    for link in links where link.from < link.to { #expect(layout.rows[link.from] < layout.rows[link.to]) }
    let rows = Dictionary(grouping: widths.indices) { layout.rows[$0] }
    for row in rows.values {
      let sorted = row.sorted { layout.centers[$0] < layout.centers[$1] }
      for (a, b) in zip(sorted, sorted.dropFirst()) {
        #expect(layout.centers[b] - layout.centers[a] >= (widths[a] + widths[b]) / 2, "boxes \(a) and \(b)")
      }
    }
    let last = layout.rows.max() ?? 0
    for route in layout.routes { #expect(route.places.count <= last - layout.rows[route.box]) }
    for route in layout.entries { #expect(route.places.count == layout.rows[route.box]) }
    #expect(!layout.centers.contains { !$0.isFinite })
  }

  @Test func nothingAndOneBox() {
    #expect(LayeredLayout(widths: [], links: []).rows.isEmpty)
    let one = LayeredLayout(widths: [80], links: [], leaving: [0], entering: [0])
    #expect(one.rows == [0] && one.centers == [40])
  }

  @Test func aChainIsAStraightLine() {
    let links = (1..<50).map { Link(from: $0 - 1, to: $0) }
    let layout = LayeredLayout(widths: (0..<50).map { 60 + Double($0 % 7) * 20 }, links: links)
    #expect(layout.rows == Array(0..<50))
    #expect(Set(layout.centers).count == 1)
    #expect(layout.routes.isEmpty)
  }

  @Test func aWayAroundPassesBesideTheBoxes() throws {
    // 0 → 1 → 2 → 3, and 0 → 3.
    let links = [Link(from: 0, to: 1), Link(from: 1, to: 2), Link(from: 2, to: 3), Link(from: 0, to: 3)]
    let layout = LayeredLayout(widths: [80, 80, 80, 80], links: links)
    let route = try #require(layout.routes.first)
    #expect(route.box == 0 && route.places.count == 2)
    for (place, box) in zip(route.places, [1, 2]) {
      #expect(abs(place - layout.centers[box]) >= (80 + LayeredLayout.lane) / 2)
    }
  }

  @Test func whatComesFromOutsideHasAWayFromTheTop() {
    let links = [Link(from: 0, to: 1), Link(from: 1, to: 2)]
    let layout = LayeredLayout(widths: [80, 80, 80], links: links, leaving: [0], entering: [2, 0])
    #expect(layout.entries.map(\.box) == [2])
    #expect(layout.entries[0].places.count == 2)
    #expect(layout.routes.map(\.places.count) == [2])
  }

  @Test func randomGraphs() {
    var random = SplitMix64(seed: 9)
    for _ in 0..<60 {
      let count = Int(random.next() % 80)
      let widths = (0..<count).map { _ in 40 + Double(random.next() % 200) }
      var links: Set<Link> = []
      for to in 0..<count {
        for _ in 0..<(random.next() % 4) { links.insert(Link(from: Int(random.next() % UInt64(count)), to: to)) }
      }
      let list = links.filter { $0.from != $0.to }.sorted { ($0.from, $0.to) < ($1.from, $1.to) }
      let outside = (0..<count).filter { _ in random.next() % 5 == 0 }
      Self.check(LayeredLayout(widths: widths, links: list, leaving: outside, entering: outside), widths, list)
    }
  }

  @Test func fewArrowsCrossWhereNoneMust() {
    // Eight chains side by side, whose boxes are given in an order that mixes them.
    var links: [Link] = []
    for step in 1..<6 {
      for chain in 0..<8 { links.append(Link(from: (step - 1) * 8 + (chain * 3) % 8, to: step * 8 + (chain * 5) % 8)) }
    }
    let layout = LayeredLayout(widths: [Double](repeating: 50, count: 48), links: links)
    var crossings = 0
    for a in links {
      for b in links where layout.rows[a.from] == layout.rows[b.from] {
        if layout.centers[a.from] < layout.centers[b.from], layout.centers[a.to] > layout.centers[b.to] {
          crossings += 1
        }
      }
    }
    #expect(crossings == 0)
  }

  @Test func placesApartAreTheNearest() {
    // By hand: two boxes that both want 0 stand half a distance to each side; one far off stays where it wants to be.
    let gap = LayeredLayout.gap
    #expect(
      LayeredLayout.apart([0, 0, 500], [20, 20, 20], weights: [1, 1, 1]) == [-(20 + gap) / 2, (20 + gap) / 2, 500])
    #expect(LayeredLayout.apart([0, 0], [20, 20], weights: [3, 1]) == [-(20 + gap) / 4, (20 + gap) * 3 / 4])
    #expect(LayeredLayout.apart([], [], weights: []).isEmpty)
  }

  @Test func orderOfData() {
    #expect(DataOrder.sorted(count: 0, links: []).isEmpty)
    #expect(DataOrder.sorted(count: 3, links: [Link(from: 2, to: 0)]) == [1, 2, 0])
    // Of a circle, the first goes first.
    #expect(
      DataOrder.sorted(count: 3, links: [Link(from: 0, to: 1), Link(from: 1, to: 0), Link(from: 1, to: 2)]) == [
        0, 1, 2,
      ])
    var random = SplitMix64(seed: 3)
    var heap = MinimumHeap([])
    var values: [Int] = []
    for _ in 0..<500 {
      values.append(Int(random.next() % 100))
      heap.insert(values[values.count - 1])
    }
    var popped: [Int] = []
    while let least = heap.popLeast() { popped.append(least) }
    #expect(popped == values.sorted())
  }
}
