/// An order in which nothing comes before what leads to it, and that otherwise keeps the order given.
enum DataOrder {
  /// Of items that lead to one another in a circle, the first one comes first.
  static func sorted(count: Int, links: [FoldTree.Link]) -> [Int] {
    var waiting = [Int](repeating: 0, count: count)
    var next = [[Int]](repeating: [], count: count)
    for link in links {
      waiting[link.to] += 1
      next[link.from].append(link.to)
    }
    var ready = MinimumHeap((0..<count).filter { waiting[$0] == 0 })
    var done = [Bool](repeating: false, count: count)
    var order: [Int] = []
    order.reserveCapacity(count)
    var firstOpen = 0
    while order.count < count {
      let item: Int
      if let found = ready.popLeast() {
        item = found
      } else {
        while done[firstOpen] { firstOpen += 1 }
        item = firstOpen
      }
      if done[item] { continue }
      done[item] = true
      order.append(item)
      for follower in next[item] {
        waiting[follower] -= 1
        if waiting[follower] == 0, !done[follower] { ready.insert(follower) }
      }
    }
    return order
  }
}

/// A heap whose least number comes out first.
struct MinimumHeap {
  private var elements: [Int] = []

  /// - Parameter sorted: numbers in ascending order, which are a heap already.
  init(_ sorted: [Int]) { elements = sorted }

  mutating func insert(_ element: Int) {
    elements.append(element)
    var place = elements.count - 1
    while place > 0, elements[(place - 1) / 2] > elements[place] {
      elements.swapAt(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  mutating func popLeast() -> Int? {
    guard let least = elements.first else { return nil }
    let last = elements.removeLast()
    if elements.isEmpty { return least }
    elements[0] = last
    var place = 0
    while true {
      var smallest = place
      for child in [2 * place + 1, 2 * place + 2] where child < elements.count && elements[child] < elements[smallest] {
        smallest = child
      }
      if smallest == place { return least }
      elements.swapAt(place, smallest)
      place = smallest
    }
  }
}
