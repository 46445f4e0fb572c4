import SinterCore
import SinterIR
import TestSupport
import Testing

@testable import SinterOps

/// Walks over arrays against what the nodes of ONNX's definition say, one after another.
@Suite struct ForestTests {
  /// Where a row ends, by the definition.
  private func leaf(_ nodes: [Forest.Node], _ root: Forest.Node.Target, _ row: [Double]) -> Int {
    var at = root
    while case .node(let number) = at {
      let node = nodes[number]
      let x = row[node.feature]
      let holds =
        switch node.mode {
        case .atMost: x <= node.bound
        case .less: x < node.bound
        case .atLeast: x >= node.bound
        case .greater: x > node.bound
        case .equal: x == node.bound
        case .unequal: x != node.bound
        case .member: node.members.contains(x)
        }
      at = holds || (node.tracksNaN && x.isNaN) ? node.yes : node.no
    }
    if case .leaf(let number) = at { return number }
    return -1
  }

  /// Where a row ends, by the arrays.
  private func leaf(_ forest: Forest, _ tree: Int, _ row: [Double]) -> Int {
    let looked = forest.columns.map { $0.lowersNaN && row[$0.feature].isNaN ? -.infinity : row[$0.feature] }
    var place = tree
    for _ in 0..<forest.depth {
      let x = Int(forest.column[place]) == forest.endColumn ? -.infinity : looked[Int(forest.column[place])]
      place = Int(forest.child[place]) + (x <= forest.bound[place] ? 0 : 1)
    }
    return Int(forest.leaf[place])
  }

  static let bounds: [Double] = [-.infinity, -1, -0.0, 0, 0.5, 1, .infinity, .nan]
  static let numbers: [Double] = bounds + [0.25, -7, Double(Float(0.5).nextDown), Double(Float(0.5).nextUp)]

  @Test(arguments: [true, false])
  func walksAsNodesSay(isDouble: Bool) throws {
    var random = SplitMix64(seed: 3)
    for round in 0..<200 {
      var nodes: [Forest.Node] = []
      var leaves = 0
      func grow(_ depth: Int) -> Forest.Node.Target {
        if depth == 0 || (depth < 4 && Int.random(in: 0..<4, using: &random) == 0) {
          leaves += 1
          return .leaf(leaves - 1)
        }
        let (yes, no) = (grow(depth - 1), grow(depth - 1))
        let mode = Forest.Node.Mode(rawValue: Int.random(in: 0...6, using: &random)) ?? .atMost
        let members = (0..<Int.random(in: 0...4, using: &random)).compactMap { _ in
          Self.numbers.randomElement(using: &random)
        }
        nodes.append(
          Forest.Node(
            feature: Int.random(in: 0..<3, using: &random), mode: mode,
            bound: Self.bounds.randomElement(using: &random) ?? 0, members: members.filter { !$0.isNaN },
            tracksNaN: Bool.random(using: &random), yes: yes, no: no))
        return .node(nodes.count - 1)
      }
      let roots = (0..<3).map { _ in grow(4) }
      let forest = try Forest(nodes, roots: roots, isDouble: isDouble)
      for _ in 0..<40 {
        let row = (0..<3).map { _ in Self.numbers.randomElement(using: &random) ?? 0 }
        for (tree, root) in roots.enumerated() {
          #expect(leaf(forest, tree, row) == leaf(nodes, root, row), "round \(round), \(row): \(nodes)")
        }
      }
    }
  }

  /// A chain of equalities, whose ways out are all the next node: written once each.
  @Test func sharesWhatSeveralWaysLeadTo() throws {
    let nodes = (0..<60).map { number in
      Forest.Node(
        feature: 0, mode: .equal, bound: Double(number), tracksNaN: true, yes: .leaf(number),
        no: number == 59 ? .leaf(60) : .node(number + 1))
    }
    let forest = try Forest(nodes, roots: [.node(0)], isDouble: false)
    #expect(forest.column.count < 60 * 8)
    for number in [-1.0, 0, 31, 59, 60, .nan] { #expect(leaf(forest, 0, [number]) == leaf(nodes, .node(0), [number])) }
  }

  @Test func walksChainsOfAnyLength() throws {
    let count = 200_000
    let nodes = (0..<count).map { number in
      Forest.Node(
        feature: 0, mode: .less, bound: Double(number), tracksNaN: false, yes: .leaf(number),
        no: number == count - 1 ? .leaf(count) : .node(number + 1))
    }
    let forest = try Forest(nodes, roots: [.node(0)], isDouble: true)
    #expect(forest.depth == count)
  }

  @Test func refusesCycles() throws {
    for mode in [Forest.Node.Mode.atMost, .less, .equal] {
      // Nothing is below -∞, so that this node is skipped wherever it stands.
      let nodes = [
        Forest.Node(feature: 0, mode: mode, bound: -.infinity, tracksNaN: false, yes: .leaf(0), no: .node(1)),
        Forest.Node(feature: 0, mode: mode, bound: -.infinity, tracksNaN: false, yes: .leaf(1), no: .node(0)),
      ]
      #expect(throws: DiagnosticError.self) { try Forest(nodes, roots: [.node(0)], isDouble: false) }
    }
  }

  /// Lists that do not fit one another are told of, not walked over.
  @Test func refusesWhatIsNotThere() throws {
    let good = try #require(TreeEnsemble.examples[0].op as? TreeEnsemble)
    let changes: [(inout TreeEnsemble) -> Void] = [
      { $0.yes[0] = 9 }, { $0.no[0] = -1 }, { $0.roots[0] = 3 }, { $0.features[0] = -1 }, { $0.modes[1] = 7 },
      { $0.targets[0] = 1 }, { $0.modes[1] = 6 }, { $0.features.removeLast() }, { $0.weights = .f32([1], [0]) },
      { $0.leafStarts = [0, 3, 2, 4] }, { $0.targetCount = 0 },
    ]
    for (number, change) in changes.enumerated() {
      var op = good
      change(&op)
      #expect(throws: DiagnosticError.self, "change \(number)") {
        var builder = GraphBuilder(name: "test")
        let x = builder.input(Fact(.f32, ["n", 3]), named: "x")
        _ = try builder.add1(op, [x])
      }
    }
  }
}
