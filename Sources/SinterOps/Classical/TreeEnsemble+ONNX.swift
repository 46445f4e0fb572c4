import SinterCore
import SinterIR

extension TreeEnsemble {
  /// ONNX's TreeEnsemble, whose lists are those of the operator.
  static var treeEnsembleRule: OnnxRule {
    OnnxRule("TreeEnsemble", domain: .ml, since: 5) { node, builder in
      let x = try builder.inputs(node.inputs, outputs: 1).numbers(0, of: node.opType)
      let element = x.element == .f64 ? ElementType.f64 : .f32
      func list(_ name: String) -> [Int] { node.ints(name) ?? [] }
      func tensor(_ name: String) -> HostTensor? { node.tensor(name)?.converted(to: element) }
      var op = TreeEnsemble()
      op.targetCount = node.int("n_targets") ?? 1
      op.roots = list("tree_roots")
      op.features = list("nodes_featureids")
      op.modes = node.tensor("nodes_modes")?.integers ?? []
      op.bounds = tensor("nodes_splits")
      (op.yes, op.no) = (list("nodes_truenodeids"), list("nodes_falsenodeids"))
      (op.yesIsLeaf, op.noIsLeaf) = (list("nodes_trueleafs"), list("nodes_falseleafs"))
      op.tracksNaN = list("nodes_missing_value_tracks_true")
      op.members = tensor("membership_values")
      op.targets = list("leaf_targetids")
      op.weights = tensor("leaf_weights")
      let names = ["AVERAGE", "SUM", "MIN", "MAX"]
      let aggregate = node.int("aggregate_function") ?? 1
      guard names.indices.contains(aggregate),
        let transform = PostTransform(number: node.int("post_transform") ?? 0)
      else {
        throw DiagnosticError(
          .user, "onnx.attribute",
          "aggregate_function must be 0 to 3 and post_transform 0 to 4, but they are "
            + "\(aggregate) and \(node.int("post_transform") ?? 0)")
      }
      var scores = try op.add(names[aggregate], to: try builder.cast(try builder.rows(node), to: element), &builder)
      scores = try builder.transformed(scores, by: transform)
      return [try builder.cast(scores, to: x.element)]
    }
  }

  /// Adds the operator with one of ONNX's ways to join weights; gives the scores.
  func add(_ aggregate: String, to x: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
    var op = self
    switch aggregate {
    case "SUM", "AVERAGE": op.aggregate = .sum
    case "MIN": op.aggregate = .minimum
    case "MAX": op.aggregate = .maximum
    case let other:
      throw DiagnosticError(
        .user, "onnx.attribute", "aggregate_function must be AVERAGE, SUM, MIN or MAX, but is \"\(other)\"")
    }
    let scores = try builder.add1(op, [x])
    if aggregate != "AVERAGE" || roots.isEmpty { return scores }
    return try builder.add1(Binary(.divide), [scores, try builder.scalar(Double(roots.count), element)])
  }

  /// ONNX has one weight a leaf: trees whose leaves have several are written once for each.
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    let copies = max((0..<leafCount).map { weightPlaces(ofLeaf: $0).count }.max() ?? 1, 1)
    let own = weights?.doubles ?? []
    func copied(_ list: [Int], _ shift: (Int) -> Int = { _ in 0 }) -> OnnxAttribute {
      .ints((0..<copies).flatMap { copy in list.indices.map { list[$0] + copy * shift($0) } })
    }
    func way(_ list: [Int], _ isLeaf: [Int]) -> OnnxAttribute {
      copied(list) { isLeaf[$0] != 0 ? leafCount : features.count }
    }
    // A leaf without as many weights has its first one again, or nothing, where that changes no sum.
    let leaves = (0..<copies).flatMap { copy in
      (0..<leafCount).map { leaf -> (target: Int, weight: Double) in
        let places = weightPlaces(ofLeaf: leaf)
        if copy < places.count { return (targets[places.lowerBound + copy], own[places.lowerBound + copy]) }
        if aggregate == .sum || places.isEmpty { return (0, aggregate.nothing) }
        return (targets[places.lowerBound], own[places.lowerBound])
      }
    }
    func tensor(_ values: [Double]) -> OnnxAttribute { .tensor(HostTensor(element, [values.count], doubles: values)) }
    let limits = bounds?.doubles ?? []
    var attributes: [(name: String, value: OnnxAttribute)] = [
      ("aggregate_function", .int(aggregate == .sum ? 1 : aggregate == .minimum ? 2 : 3)),
      ("n_targets", .int(targetCount)),
      ("tree_roots", copied(roots) { _ in features.count }),
      ("nodes_featureids", copied(features)),
      (
        "nodes_modes",
        .tensor(
          HostTensor(
            .u8, [copies * modes.count],
            values: (0..<copies).flatMap { _ in modes.map { UInt8(truncatingIfNeeded: $0) } }))
      ),
      ("nodes_splits", tensor((0..<copies).flatMap { _ in limits })),
      ("nodes_truenodeids", way(yes, yesIsLeaf)), ("nodes_falsenodeids", way(no, noIsLeaf)),
      ("nodes_trueleafs", copied(yesIsLeaf)), ("nodes_falseleafs", copied(noIsLeaf)),
      ("leaf_targetids", .ints(leaves.map(\.target))), ("leaf_weights", tensor(leaves.map(\.weight))),
    ]
    if !tracksNaN.isEmpty { attributes.append(("nodes_missing_value_tracks_true", copied(tracksNaN))) }
    if let members = members?.doubles {
      attributes.append(("membership_values", tensor((0..<copies).flatMap { _ in members })))
    }
    return NodeSpecification("TreeEnsemble", domain: .ml, since: 5, attributes: attributes)
  }
}

extension HostTensor {
  /// The same numbers in another type of floats.
  fileprivate func converted(to type: ElementType) -> HostTensor? {
    element == type ? self : doubles.map { HostTensor(type, shape, doubles: $0) }
  }
}

extension GraphBuilder {
  /// The first input of a node as rows of features.
  mutating func rows(_ node: OnnxNode) throws -> ValueID {
    guard let x = node.input(0) else {
      throw DiagnosticError(.user, "operator.input", "input 0 is missing", hint: "connect it")
    }
    return try rows(x, of: node.opType)
  }
}
