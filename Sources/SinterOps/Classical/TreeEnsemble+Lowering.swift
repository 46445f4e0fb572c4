import SinterCore
import SinterForms
import SinterIR

extension TreeEnsemble {
  /// Each target's trees are walked and their weights combined, in one reduction.
  func combined(_ grouped: TreesByTarget, of x: Operand, into lowering: inout Lowering) throws -> Operand {
    let shape = [x.shape[0], Dim(targetCount)]
    if grouped.perTarget == 0 {
      return try lowering.element(shape) { builder, _ in builder.constant(0.0, element) }
    }
    let weights = weights?.doubles ?? []
    // Behind the leaves come one that changes no combination, and one for targets without trees.
    let (nothing, zero) = (leafCount, leafCount + 1)
    let roots = grouped.trees.enumerated().map { place, tree -> Forest.Node.Target in
      if let tree { return root(tree) }
      let first = place / grouped.perTarget * grouped.perTarget
      return .leaf(grouped.trees[first] == nil ? zero : nothing)
    }
    let forest = try Forest(forestNodes(), roots: roots, isDouble: element == .f64)
    let values = forest.leaf.map { leaf -> Double in
      if leaf < 0 { return 0 }
      if leaf == nothing { return aggregate.nothing }
      return leaf == zero ? 0 : weights[weightPlaces(ofLeaf: Int(leaf)).lowerBound]
    }
    let walk = try ForestWalk(forest, of: x, values: values, into: &lowering)
    let perTarget = Dim(grouped.perTarget)
    return try lowering.reduce(aggregate.combine, shape, over: [perTarget]) { builder, index, inner in
      walk.value(builder, row: index[0], tree: index[1] * builder.size(perTarget) + inner[0])
    }
  }

  /// All trees are walked, then the weights of the leaves are read from a table with a column for each target.
  func combinedFromTable(of x: Operand, into lowering: inout Lowering) throws -> Operand {
    let (cells, overflows) = max(leafCount, 1).multipliedReportingOverflow(by: targetCount)
    guard !overflows, cells < 1 << 28 else {
      throw DiagnosticError(
        .limit, "tree.table", "\(leafCount) leaves with weights for \(targetCount) targets are too many for a table")
    }
    let forest = try Forest(forestNodes(), roots: roots.indices.map(root), isDouble: element == .f64)
    let weights = weights?.doubles ?? []
    var table = [Double](repeating: aggregate.nothing, count: cells)
    var isWeighted = [Bool](repeating: false, count: cells)
    for leaf in 0..<leafCount {
      for place in weightPlaces(ofLeaf: leaf) {
        let cell = leaf * targetCount + targets[place]
        table[cell] =
          switch aggregate {
          case .sum: table[cell] + weights[place]
          case .minimum: min(table[cell], weights[place])
          case .maximum: max(table[cell], weights[place])
          }
        isWeighted[cell] = true
      }
    }
    let walk = try ForestWalk(forest, of: x, values: forest.leaf.map { Double(max($0, 0)) }, into: &lowering)
    let trees = Dim(roots.count)
    let leaves = try lowering.element([x.shape[0], trees]) { builder, index in
      walk.leaf(builder, row: index[0], tree: index[1])
    }
    let all = lowering.constant(HostTensor(element, [max(leafCount, 1), targetCount], doubles: table))
    let result = try lowering.reduce(aggregate.combine, [x.shape[0], Dim(targetCount)], over: [trees]) {
      builder, index, inner in
      builder.load(all.id, [builder.load(leaves.id, [index[0], inner[0]]).cast(to: .i64), index[1]])
    }
    if aggregate == .sum { return result }
    // A target that no reached leaf has a weight for gets 0. That cannot be where all leaves of some tree have one.
    let byTree = leavesByTree()
    let mayLack = (0..<targetCount).map { target in
      !byTree.contains { leaves in leaves.allSatisfy { isWeighted[$0 * targetCount + target] } }
    }
    if !mayLack.contains(true) { return result }
    let lacking = lowering.constant(HostTensor(.bool, [targetCount], values: mayLack))
    return try lowering.element(result.shape) { builder, index in
      let value = builder.load(result.id, index)
      let isNone = value .== builder.constant(aggregate.nothing, element)
      return builder.select(
        builder.load(lacking.id, [index[1]]) && isNone, builder.constant(0.0, element), value)
    }
  }
}
