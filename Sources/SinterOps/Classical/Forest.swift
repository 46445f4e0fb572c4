import SinterCore

/// Decision trees as arrays that a branchless walk follows.
///
/// All tests are of one kind: go to `child` where the node's column of the row is at most its bound, else to the place behind it. So both ways
/// lie side by side, and one comparison gives the step. The other modes become such tests: x < b is x ≤ the number before b, the opposite
/// modes swap the two ways, equality is two tests, and membership a search. Where NaN should go the first way, the node looks at a copy of its
/// column that has −∞ in place of NaN.
///
/// A leaf is a node that leads to itself: it looks at a column of −∞, which is below every bound. Walks of all trees can then take as many
/// steps as the deepest tree has levels. The root of tree t lies at place t.
struct Forest {
  /// What a walk looks at: a feature, with −∞ for NaN or as it is.
  struct Column: Hashable {
    var feature: Int
    var lowersNaN: Bool
  }

  /// One node of ONNX's definition.
  struct Node {
    enum Mode: Int { case atMost, less, atLeast, greater, equal, unequal, member }
    enum Target: Hashable { case node(Int), leaf(Int) }
    var feature: Int
    var mode: Mode
    var bound: Double
    var members: [Double] = []
    var tracksNaN: Bool
    var yes, no: Target
  }

  private(set) var columns: [Column] = []
  /// For each place: the column, the bound, where the first way leads, and the leaf (-1 at a test).
  private(set) var column: [Int32] = []
  private(set) var bound: [Double] = []
  private(set) var child: [Int32] = []
  private(set) var leaf: [Int32] = []
  let rootCount: Int
  /// The most steps from a root to a leaf.
  private(set) var depth = 0

  private let nodes: [Node]
  private let before: (Double) -> Double
  private var columnNumbers: [Column: Int] = [:]
  private var places: [Int: Int] = [:]

  /// The number of the column of −∞, the last one.
  var endColumn: Int { columns.count }

  /// - Parameters:
  ///   - roots: one a tree.
  ///   - isDouble: whether bounds and features are compared as f64, not f32.
  /// - Throws: where nodes lead back to themselves.
  init(_ nodes: [Node], roots: [Node.Target], isDouble: Bool) throws {
    self.nodes = nodes
    rootCount = roots.count
    before = isDouble ? { $0.nextDown } : { Double(Float($0).nextDown) }
    for root in roots { _ = add(.target(root)) }
    var next = 0
    while next < pending.count {
      let (place, step) = pending[next]
      next += 1
      write(step, at: place)
    }
    pending = []
    try measure(count: roots.count)
    for place in leaf.indices where leaf[place] >= 0 { column[place] = Int32(endColumn) }
  }

  /// A decision still to be written.
  private indirect enum Step {
    case target(Node.Target)
    /// Whether a column is at most a bound.
    case test(Column, Double, yes: Step, no: Step)
  }

  private var pending: [(place: Int, step: Step)] = []

  private mutating func add(_ step: Step) -> Int {
    let place = column.count
    column.append(0)
    bound.append(.infinity)
    child.append(Int32(place))
    leaf.append(-1)
    pending.append((place, step))
    return place
  }

  private mutating func write(_ step: Step, at place: Int) {
    var step = step
    while true {
      switch step {
      case .target(.leaf(let number)):
        leaf[place] = Int32(number)
        return
      case .target(.node(let number)):
        // What several ways lead to is written once: another place for it shares what follows.
        if let known = places[number] {
          (column[place], bound[place], leaf[place]) = (column[known], bound[known], leaf[known])
          if leaf[known] < 0 { child[place] = child[known] }
          return
        }
        places[number] = place
        step = expanded(nodes[number])
      case .test(let tested, let limit, let yes, let no):
        let number = columnNumbers[tested] ?? columns.count
        if number == columns.count {
          columns.append(tested)
          columnNumbers[tested] = number
        }
        column[place] = Int32(number)
        bound[place] = limit
        child[place] = Int32(add(yes))
        _ = add(no)
        return
      }
    }
  }

  private func expanded(_ node: Node) -> Step {
    let (yes, no) = (Step.target(node.yes), Step.target(node.no))
    // No number is in any order to NaN.
    switch node.mode {
    case .atMost, .less, .greater, .atLeast:
      if node.bound.isNaN { return never(node, yes, no, first: node.tracksNaN) }
    case .equal, .unequal, .member: break
    }
    switch node.mode {
    case .atMost: return atMost(node, node.bound, yes, no, first: node.tracksNaN)
    case .less: return less(node, yes, no, first: node.tracksNaN)
    case .greater: return atMost(node, node.bound, no, yes, first: !node.tracksNaN)
    case .atLeast: return less(node, no, yes, first: !node.tracksNaN)
    case .equal: return knowing(node, among([node.bound], node.feature, yes, no), yes)
    case .unequal: return among([node.bound], node.feature, no, yes)
    case .member: return knowing(node, among(Set(node.members).sorted(), node.feature, yes, no), yes)
    }
  }

  /// - Parameter first: whether NaN goes the first way.
  private func atMost(_ node: Node, _ limit: Double, _ yes: Step, _ no: Step, first: Bool) -> Step {
    .test(Column(feature: node.feature, lowersNaN: first), limit, yes: yes, no: no)
  }

  private func less(_ node: Node, _ yes: Step, _ no: Step, first: Bool) -> Step {
    if node.bound == -.infinity { return never(node, yes, no, first: first) }
    return atMost(node, before(node.bound), yes, no, first: first)
  }

  /// Only NaN may go the first way.
  private func never(_ node: Node, _ yes: Step, _ no: Step, first: Bool) -> Step {
    first ? .test(Column(feature: node.feature, lowersNaN: false), .infinity, yes: no, no: yes) : no
  }

  /// `other`, but where NaN is tracked and there it goes `missing`'s way.
  private func knowing(_ node: Node, _ other: Step, _ missing: Step) -> Step {
    if !node.tracksNaN { return other }
    return .test(Column(feature: node.feature, lowersNaN: false), .infinity, yes: other, no: missing)
  }

  /// Whether a feature is one of sorted numbers; NaN is none.
  private func among(_ numbers: [Double], _ feature: Int, _ yes: Step, _ no: Step) -> Step {
    let numbers = numbers.filter { !$0.isNaN }
    let plain = Column(feature: feature, lowersNaN: false)
    func search(_ range: Swift.Range<Int>) -> Step {
      if range.isEmpty { return no }
      if range.count > 1 {
        let middle = (range.lowerBound + range.upperBound) / 2
        return .test(
          plain, numbers[middle - 1], yes: search(range.lowerBound..<middle), no: search(middle..<range.upperBound))
      }
      let number = numbers[range.lowerBound]
      if number == -.infinity { return .test(plain, number, yes: yes, no: no) }
      return .test(plain, number, yes: .test(plain, before(number), yes: no, no: yes), no: no)
    }
    return search(numbers.indices)
  }

  /// Finds the depth, without recursion since a file may hold chains of any length.
  private mutating func measure(count: Int) throws {
    // 0: not seen, 1: being walked over, 2: its height is known.
    var state = [UInt8](repeating: 0, count: column.count)
    var height = [Int](repeating: 0, count: column.count)
    for root in 0..<count {
      var path = [root]
      while let place = path.last {
        if leaf[place] >= 0 || state[place] == 2 {
          state[place] = 2
          path.removeLast()
          continue
        }
        let ways = [Int(child[place]), Int(child[place]) + 1]
        if state[place] == 1 {
          height[place] = 1 + max(height[ways[0]], height[ways[1]])
          state[place] = 2
          path.removeLast()
          continue
        }
        state[place] = 1
        for way in ways where way >= state.count || state[way] != 2 {
          guard way < state.count, state[way] == 0 else {
            throw DiagnosticError(.user, "tree.cycle", "the nodes of a tree lead back to one another")
          }
          path.append(way)
        }
      }
      depth = max(depth, height[root])
    }
  }
}
