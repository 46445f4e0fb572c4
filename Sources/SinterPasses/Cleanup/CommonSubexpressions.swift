import SinterCore
import SinterIR

extension Pass {
  /// Nodes with equal operators and inputs become one, and so do equal constants.
  public static let commonSubexpressions = Pass(
    "merge-equal", "Computes once what several nodes compute alike, and keeps equal constants once."
  ) { graph, log in
    try graph.mergeEqualNodes(log: &log)
  }
}

/// What makes two deterministic nodes compute the same.
private struct NodeKey: Hashable {
  let op: ObjectIdentifier
  let attributes: [AttributeValue]
  let names: [String]
  let inputs: [ValueID?]
  let outputCount: Int
}

/// A constant of few bytes by its contents, a larger one by the memory that holds it.
private struct ConstantKey: Hashable {
  static let limit = 4096
  let element: ElementType
  let shape: [Int]
  let contents: [UInt8]
  /// Texts that are written with other bytes are not equal, even where Unicode has them mean the same.
  let texts: [[UInt8]]
  let memory: ObjectIdentifier?

  init(_ tensor: HostTensor) {
    element = tensor.element
    shape = tensor.shape
    texts = tensor.strings.map { Array($0.utf8) }
    let isSmall = tensor.bytes.count <= Self.limit
    contents = isSmall ? tensor.bytes.withBytes { [UInt8]($0) } : []
    memory = isSmall ? nil : ObjectIdentifier(tensor.bytes)
  }
}

extension Graph {
  mutating func mergeEqualNodes(log: inout RewriteLog) throws {
    for id in order {
      for index in nodes[id].bodies.indices { try nodes[id].bodies[index].mergeEqualNodes(log: &log) }
    }
    var replacements = values.indices
    var constants: [ConstantKey: ValueID] = [:]
    for id in values.indices {
      guard let tensor = constant(id) else { continue }
      if let first = constants[ConstantKey(tensor)] {
        replacements[id.position] = first
      } else {
        constants[ConstantKey(tensor)] = id
      }
    }
    var known: [NodeKey: NodeID] = [:]
    var kept: [NodeID] = []
    var twins: [(old: ValueID, new: ValueID)] = []
    kept.reserveCapacity(order.count)
    for id in order {
      for index in nodes[id].inputs.indices {
        if let input = nodes[id].inputs[index] { nodes[id].inputs[index] = replacements[input.position] }
      }
      let node = nodes[id]
      guard node.bodies.isEmpty, node.op.isDeterministic, log.isOpen else {
        kept.append(id)
        continue
      }
      let attributes = node.op.attributeValues
      let key = NodeKey(
        op: ObjectIdentifier(Swift.type(of: node.op)), attributes: attributes.map(\.value),
        names: attributes.map(\.name),
        inputs: node.inputs, outputCount: node.outputs.count)
      guard let first = known[key] else {
        known[key] = id
        kept.append(id)
        continue
      }
      for (output, twin) in zip(node.outputs, nodes[first].outputs) {
        replacements[output.position] = twin
        twins.append((output, twin))
        if values[twin].name.isEmpty { values[twin].name = values[output].name }
      }
      for origin in node.origin where !nodes[first].origin.contains(origin) { nodes[first].origin.append(origin) }
      log.add("equal nodes are one")
    }
    try identifySizes(twins)
    order = kept
    for index in outputs.indices { outputs[index].value = replacements[outputs[index].value.position] }
  }
}
