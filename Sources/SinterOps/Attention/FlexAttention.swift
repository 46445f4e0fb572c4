import SinterCore
import SinterIR

/// FlexAttention of ONNX's preview domain: attention of heads whose scores and weights go through graphs of the node.
///
/// Without graphs it is `Attention`. With them it becomes the two products and the softmax between which the graphs' nodes stand, which are fused
/// again where they can be.
struct FlexAttention {
  static let rule = OnnxRule("FlexAttention", domain: "ai.onnx.preview") { node, builder in
    let inputs = builder.inputs(node.inputs, outputs: 1)
    let types = try (0..<3).map { try inputs.tensor($0) }
    guard types.allSatisfy({ $0.rank == 4 && $0.element.isFloat }) else {
      throw DiagnosticError(
        .user, "attention.rank",
        "queries, keys and values must be floats of 4 axes, but are \(types[0]), \(types[1]) and \(types[2])")
    }
    let given = node.int("softmax_precision").flatMap { ElementType(onnx: $0) }
    let compute = given ?? (types[0].element == .f64 ? .f64 : .f32)
    if node.bodies.isEmpty {
      var op = Attention()
      (op.scale, op.softmaxPrecision) = (node.float("scale"), compute.onnx)
      return try builder.add(op, node.inputs)
    }
    return [try FlexAttention(node: node, compute: compute).attended(inputs, types, into: &builder)]
  }

  let node: OnnxNode
  let compute: ElementType

  private func attended(
    _ inputs: NodeInputs, _ types: [TensorType], into builder: inout GraphBuilder
  ) throws -> ValueID {
    let (query, key, value) = (types[0], types[1], types[2])
    try builder.require(by: "FlexAttention") {
      for axis in [0, 3] {
        try $0.equal(query.shape[axis], key.shape[axis], "sizes of \(query) and \(key) along axis \(axis)")
      }
      for axis in 0..<3 {
        try $0.equal(key.shape[axis], value.shape[axis], "sizes of \(key) and \(value) along axis \(axis)")
      }
      if key.shape[1].isConstant { try $0.atLeast(key.shape[1], 1, "number of heads of keys \(key)") }
      if query.shape[1] != key.shape[1] {
        try $0.divisible(
          query.shape[1], by: key.shape[1], "number of heads of queries \(query), which share those of keys,")
      }
    }
    let operands = try (0..<3).map { index in
      let wide = try builder.add1(Cast(to: compute), [try inputs.value(index)])
      return index == 0 || query.shape[1] == key.shape[1]
        ? wide : try shared(wide, query: try inputs.value(0), into: &builder)
    }
    let turned = try builder.add1(Transpose([0, 1, 3, 2]), [operands[1]])
    let products = try builder.add1(MatMul(), [operands[0], turned])
    var scores = try builder.add1(Binary(.multiply), [products, try scale(inputs, query, into: &builder)])
    scores = try modified(scores, by: "score_mod", into: &builder)
    let weights = try modified(
      try builder.add1(Softmax(.soft, axis: -1), [scores]), by: "prob_mod", into: &builder)
    return try builder.add1(Cast(to: value.element), [try builder.add1(MatMul(), [weights, operands[2]])])
  }

  /// What products are multiplied by.
  private func scale(_ inputs: NodeInputs, _ query: TensorType, into builder: inout GraphBuilder) throws -> ValueID {
    if let scale = node.float("scale") { return try builder.scalar(scale, compute) }
    if let size = query.shape[3].value { return try builder.scalar(1 / Double(size).squareRoot(), compute) }
    let size = try builder.add1(Cast(to: compute), [try builder.size(of: try inputs.value(0), along: 3)])
    return try builder.add1(Unary(.reciprocal), [try builder.add1(Unary(.sqrt), [size])])
  }

  /// Heads of keys or values, each as often as heads of queries share it.
  private func shared(_ x: ValueID, query: ValueID, into builder: inout GraphBuilder) throws -> ValueID {
    let (own, all) = (try builder.size(of: x, along: 1), try builder.size(of: query, along: 1))
    let sizes = try [0, 2, 3].map { try builder.size(of: x, along: $0) }
    let group = try builder.add1(Binary(.divide), [all, own])
    let apart = try builder.add1(Unsqueeze(), [x, builder.integers([2])])
    let wide = try builder.add1(
      Expand(), [apart, try builder.add1(Concat(axis: 0), [sizes[0], own, group, sizes[1], sizes[2]])])
    return try builder.add1(
      Reshape(allowZero: true), [wide, try builder.add1(Concat(axis: 0), [sizes[0], all, sizes[1], sizes[2]])])
  }

  /// A value behind one of the node's graphs, which keeps its type.
  private func modified(_ x: ValueID, by name: String, into builder: inout GraphBuilder) throws -> ValueID {
    guard let body = node.bodies[name] else { return x }
    let type = try builder.type(x)
    guard body.inputNames.count == 1, body.outputCount == 1 else {
      throw DiagnosticError(
        .user, "attention.graph",
        "\(name) must take one tensor and give one, but takes \(body.inputNames.count) and gives \(body.outputCount)")
    }
    let graph = try body.build([Fact(.tensor(type))] + body.captures.map { builder.fact($0) })
    let result = try builder.splice(graph, [x] + body.captures)[0]
    let own = try builder.type(result)
    guard own.rank == type.rank, own.element == type.element else {
      throw DiagnosticError(.user, "attention.graph", "\(name) must keep the type \(type), but gives \(own)")
    }
    try builder.require(by: "FlexAttention") {
      _ = try $0.equal(own.shape, type.shape, "sizes of what \(name) takes, \(type), and gives, \(own),")
    }
    return result
  }
}
