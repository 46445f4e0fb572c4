import SinterCore
import SinterIR

/// What TreeEnsembleRegressor and TreeEnsembleClassifier have in common: nodes, leaves among them, are listed by the numbers of their trees and
/// their own, and weights by the node that they belong to.
struct ListedTrees {
  var op = TreeEnsemble()
  var baseValues: [Double]
  let node: OnnxNode

  /// - Parameters:
  ///   - role: `target` or `class`: how the attributes with weights begin.
  ///   - element: what features and bounds are compared in.
  init(_ node: OnnxNode, role: String, targetCount: Int, element: ElementType) throws {
    self.node = node
    func list(_ name: String) -> [Int] { node.ints(name) ?? [] }
    func numbers(_ name: String) -> [Double] { node.tensor(name + "_as_tensor")?.doubles ?? node.floats(name) ?? [] }
    func wrong(_ message: String) -> DiagnosticError {
      DiagnosticError(.user, "tree.nodes", message, hint: "export the model again")
    }
    baseValues = numbers("base_values")
    let (trees, ids, features) = (list("nodes_treeids"), list("nodes_nodeids"), list("nodes_featureids"))
    let (modes, bounds) = (node.strings("nodes_modes") ?? [], numbers("nodes_values"))
    let (yes, no) = (list("nodes_truenodeids"), list("nodes_falsenodeids"))
    let tracks = list("nodes_missing_value_tracks_true")
    let counts = [trees.count, features.count, modes.count, bounds.count, yes.count, no.count]
    guard counts.allSatisfy({ $0 == ids.count }), tracks.isEmpty || tracks.count == ids.count else {
      throw wrong(
        "lists of nodes must have one length, but there are \(ids.count) numbers of nodes, and others have \(counts)")
    }
    struct Key: Hashable { var tree, node: Int }
    var positions: [Key: Int] = [:]
    for position in ids.indices {
      guard positions.updateValue(position, forKey: Key(tree: trees[position], node: ids[position])) == nil else {
        throw wrong("tree \(trees[position]) has two nodes \(ids[position])")
      }
    }
    // Leaves and other nodes are counted each for itself.
    let isLeaf = modes.map { $0 == "LEAF" }
    var numbersOf = [Int](repeating: 0, count: ids.count)
    var (leafCount, nodeCount) = (0, 0)
    for position in ids.indices {
      numbersOf[position] = isLeaf[position] ? leafCount : nodeCount
      if isLeaf[position] { leafCount += 1 } else { nodeCount += 1 }
    }
    let names = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
    var limits: [Double] = []
    var isChild = [Bool](repeating: false, count: ids.count)
    for position in ids.indices where !isLeaf[position] {
      guard let mode = names.firstIndex(of: modes[position]) else {
        throw wrong(
          "the mode of a node must be LEAF or one of \(names.joined(separator: ", ")), but is \(modes[position])")
      }
      op.features.append(features[position])
      op.modes.append(mode)
      limits.append(bounds[position])
      if !tracks.isEmpty { op.tracksNaN.append(tracks[position]) }
      for (isYes, way) in [(true, yes[position]), (false, no[position])] {
        guard let target = positions[Key(tree: trees[position], node: way)] else {
          throw wrong("node \(ids[position]) of tree \(trees[position]) leads to node \(way), which is not there")
        }
        isChild[target] = true
        if isYes {
          op.yes.append(numbersOf[target])
          op.yesIsLeaf.append(isLeaf[target] ? 1 : 0)
        } else {
          op.no.append(numbersOf[target])
          op.noIsLeaf.append(isLeaf[target] ? 1 : 0)
        }
      }
    }
    // The root of a tree is what nothing leads to. That of a tree which is one leaf is a node with two ways to it.
    for position in ids.indices where !isChild[position] {
      if !isLeaf[position] {
        op.roots.append(numbersOf[position])
        continue
      }
      op.roots.append(op.features.count)
      op.features.append(0)
      op.modes.append(0)
      limits.append(0)
      if !tracks.isEmpty { op.tracksNaN.append(0) }
      op.yes.append(numbersOf[position])
      op.no.append(numbersOf[position])
      op.yesIsLeaf.append(1)
      op.noIsLeaf.append(1)
    }
    guard op.roots.count == Set(trees).count else {
      throw wrong(
        "each of \(Set(trees).count) trees must have one node that no other leads to, but there are \(op.roots.count)")
    }
    op.targetCount = targetCount
    op.bounds = HostTensor(element, [limits.count], doubles: limits)
    let (ownTrees, ownNodes, ownTargets) = (list("\(role)_treeids"), list("\(role)_nodeids"), list("\(role)_ids"))
    let weights = numbers("\(role)_weights")
    guard ownTrees.count == weights.count, ownNodes.count == weights.count, ownTargets.count == weights.count else {
      throw wrong(
        "lists of weights must have one length, but there are \(weights.count) weights for \(ownTargets.count) ids")
    }
    var ofLeaf = [[Int]](repeating: [], count: leafCount)
    for (place, key) in zip(ownTrees, ownNodes).map(Key.init).enumerated() {
      guard let position = positions[key] else {
        throw wrong("a weight belongs to node \(key.node) of tree \(key.tree), which is not there")
      }
      if isLeaf[position] { ofLeaf[numbersOf[position]].append(place) }
    }
    let order = ofLeaf.flatMap { $0 }
    op.targets = order.map { ownTargets[$0] }
    op.weights = HostTensor(element, [order.count], doubles: order.map { weights[$0] })
    if ofLeaf.contains(where: { $0.count != 1 }) {
      op.leafStarts = ofLeaf.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
    }
  }

  /// The scores with their base values.
  func scores(_ aggregate: String, _ builder: inout GraphBuilder, adding base: [Double]) throws -> ValueID {
    let x = try builder.cast(try builder.rows(node), to: op.element)
    let scores = try op.add(aggregate, to: x, &builder)
    if base.isEmpty { return scores }
    guard base.count == 1 || base.count == op.targetCount else {
      throw DiagnosticError(
        .user, "tree.base", "there are \(base.count) base values for \(op.targetCount) targets",
        hint: "export the model again")
    }
    return try builder.add1(Binary(.add), [scores, builder.numbers(base, op.element)])
  }

  var transform: PostTransform {
    get throws {
      let name = node.string("post_transform") ?? "NONE"
      guard let transform = PostTransform(rawValue: name) else {
        let all = PostTransform.allCases.map(\.rawValue).joined(separator: ", ")
        throw DiagnosticError(.user, "onnx.attribute", "post_transform must be one of \(all), but is \"\(name)\"")
      }
      return transform
    }
  }
}

extension OnnxNode {
  /// What the first input's numbers are compared in: f64 where they are that, else f32.
  func comparedType(_ builder: GraphBuilder) throws -> ElementType {
    try builder.inputs(inputs, outputs: 1).numbers(0, of: opType).element == .f64 ? .f64 : .f32
  }
}
