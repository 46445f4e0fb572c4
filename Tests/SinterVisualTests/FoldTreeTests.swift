import SinterCore
import Testing

@testable import SinterVisual

@Suite struct FoldTreeTests {
  /// Chains of nodes: each reads the one before.
  static func chain(_ nodes: [(title: String, layers: [String])]) -> Diagram {
    var diagram = Diagram(title: "chain")
    for (index, node) in nodes.enumerated() {
      diagram.nodes.append(.init(title: node.title, family: .other, layers: node.layers, results: ["f32[4]"]))
      if index > 0 { diagram.edges.append(.init(from: index - 1, to: index, type: "f32[4]")) }
    }
    return diagram
  }

  /// Every node and every group but the first in one place, groups with two nodes or more, counts that add up.
  static func check(_ tree: FoldTree, of diagram: Diagram) {
    var nodes: [Int: Int] = [:]
    var groups: [Int: Int] = [:]
    for (index, group) in tree.groups.enumerated() {
      var count = 0
      for item in group.items {
        switch item {
        case .node(let node):
          #expect(nodes.updateValue(index, forKey: node) == nil)
          #expect(tree.groupOfNode[node] == index)
          count += 1
        case .group(let inner):
          #expect(groups.updateValue(index, forKey: inner) == nil)
          #expect(tree.groups[inner].parent == index && inner > index)
          count += tree.groups[inner].nodeCount
        }
      }
      #expect(count == group.nodeCount)
      #expect(index == 0 || count >= 2)
      if let repeats = group.repeats { #expect(repeats == group.items.count && repeats > 1) }
    }
    #expect(nodes.count == diagram.nodes.count)
    #expect(groups.count == tree.groups.count - 1)
  }

  @Test func foldsByLayersAndDropsFramesAroundOneThing() {
    let diagram = Self.chain([
      ("A", ["net", "stem", "conv"]), ("B", ["net", "stem", "conv"]), ("C", ["net", "head"]), ("D", ["net", "head"]),
      ("E", ["net", "head"]), ("F", ["net", "only"]),
    ])
    let tree = FoldTree(diagram)
    Self.check(tree, of: diagram)
    // stem holds nothing but conv; only holds one node.
    #expect(
      tree.groups.map(\.name) == ["", "net", "stem.conv", "head"]
        || tree.groups.map(\.name) == ["", "stem.conv", "head"])
    #expect(tree.groups.first { $0.name == "head" }?.nodeCount == 3)
  }

  @Test func foldsLayersThatRepeat() throws {
    let blocks = (0..<12).flatMap { layer in
      ["MatMul", "Add", "Relu"].map { ($0, ["encoder", "layer.\(layer)"]) }
    }
    let diagram = Self.chain([("Gather", [])] + blocks + [("Softmax", [])])
    let tree = FoldTree(diagram)
    Self.check(tree, of: diagram)
    let repetition = try #require(tree.groups.first { $0.repeats != nil })
    #expect(repetition.repeats == 12 && repetition.nodeCount == 36)
    #expect(repetition.name == "layer.0 … layer.11")
    #expect(!FoldTree(diagram, foldsRepeats: false).groups.contains { $0.repeats != nil })
  }

  @Test func aLayerThatDoesSomethingElseIsNoRepetition() {
    var blocks = (0..<6).flatMap { layer in
      ["MatMul", "Add", "Relu"].map { ($0, ["encoder", "layer.\(layer)"]) }
    }
    blocks[10].0 = "Gelu"  // in layer 3
    let tree = FoldTree(Self.chain(blocks))
    #expect(tree.groups.compactMap(\.repeats).sorted() == [2, 3])
    // Other sizes are something else as well.
    var diagram = Self.chain((0..<4).flatMap { layer in ["MatMul", "Add"].map { ($0, ["layer.\(layer)"]) } })
    diagram.nodes[4].results = ["f32[5]"]
    #expect(FoldTree(diagram).groups.compactMap(\.repeats) == [2])
  }

  @Test func nodesWithoutLayersFoldByRepetitionAlone() throws {
    let diagram = Self.chain((0..<30).map { (["Conv", "Norm", "Relu"][$0 % 3], []) } + [("Softmax", [])])
    let tree = FoldTree(diagram)
    Self.check(tree, of: diagram)
    let repetition = try #require(tree.groups.first { $0.repeats != nil })
    #expect(repetition.repeats == 10 && repetition.name == "Conv, Norm, Relu")
    // Two nodes are no block, but as part of a longer stretch.
    #expect(FoldTree(Self.chain((0..<30).map { (["Conv", "Relu"][$0 % 2], []) })).groups.compactMap(\.repeats) == [5])
    #expect(FoldTree(Self.chain([(String, [String])](repeating: ("Relu", []), count: 2))).groups.count == 1)
  }

  @Test func equalStretchesThatAreConnectedOtherwiseAreNone() {
    var diagram = Self.chain((0..<12).map { (["Conv", "Norm", "Relu"][$0 % 3], []) })
    // The third turn has an arrow of its own.
    diagram.edges.append(.init(from: 6, to: 8, type: "f32[4]"))
    let repeats = FoldTree(diagram).groups.compactMap(\.repeats)
    #expect(repeats == [2])
  }

  @Test func whatComesLateInTheFileStandsWhereDataFlow() {
    // The file has the end first.
    var diagram = Self.chain([("C", []), ("A", []), ("B", [])])
    diagram.edges = [.init(from: 1, to: 2, type: ""), .init(from: 2, to: 0, type: "")]
    #expect(FoldTree(diagram).groups[0].items == [.node(1), .node(2), .node(0)])
  }

  @Test func randomDiagramsKeepTheInvariants() {
    var random = SplitMix64(seed: 5)
    for round in 0..<60 {
      let count = Int(random.next() % 60)
      var diagram = Diagram(title: "random")
      for index in 0..<count {
        let depth = Int(random.next() % 4)
        let layers = (0..<depth).map { _ in "l\(random.next() % 3)" }
        diagram.nodes.append(.init(title: "T\(random.next() % 3)", family: .other, layers: layers))
        for _ in 0..<(index == 0 ? 0 : random.next() % 3) {
          diagram.edges.append(.init(from: Int(random.next() % UInt64(index)), to: index, type: ""))
        }
      }
      // Now and then in a circle, which layers easily are.
      if round % 5 == 0, count > 2 { diagram.edges.append(.init(from: count - 1, to: 0, type: "")) }
      let tree = FoldTree(diagram)
      Self.check(tree, of: diagram)
      let links = tree.connections(of: diagram).links
      for (group, list) in zip(tree.groups, links) {
        for link in list {
          #expect(
            group.items.indices.contains(link.from) && group.items.indices.contains(link.to) && link.from != link.to)
        }
      }
      let open = tree.initiallyOpen(limit: 20)
      #expect(open.contains(0))
    }
  }

  @Test func manyPortsOfAKindAreOneGroup() throws {
    var diagram = Self.chain([("A", []), ("B", [])])
    for index in 0..<12 {
      diagram.nodes.append(.init(kind: .input, title: "past_\(index)", family: .other, results: ["f32[2]"]))
      diagram.edges.append(.init(from: 2 + index, to: 1, type: "f32[2]"))
    }
    diagram.nodes.append(.init(kind: .input, title: "mask", family: .other, results: ["f32[2]"]))
    let tree = FoldTree(diagram, foldsPorts: true)
    Self.check(tree, of: diagram)
    let ports = try #require(tree.groups.firstIndex { $0.isPorts })
    #expect(tree.groups[ports].name == "past_0 … past_11" && tree.groups[ports].nodeCount == 12)
    // They stand before what reads them, and stay folded.
    let items = tree.groups[0].items
    #expect(try #require(items.firstIndex(of: .group(ports))) < (try #require(items.firstIndex(of: .node(1)))))
    #expect(tree.initiallyOpen(limit: 100) == [0])
    #expect(FoldTree(diagram).groups.count == 1)
  }

  @Test func namesNestedWithoutEndAreCut() {
    let tree = FoldTree(Self.chain([("A", [String](repeating: "deep", count: 100_000)), ("B", [])]))
    #expect(tree.groups[0].nodeCount == 2)
  }
}
