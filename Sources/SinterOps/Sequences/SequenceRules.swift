import SinterCore
import SinterIR

extension OnnxRule {
  /// How nodes of sequences are read. Where length and positions are known ahead of time nothing is left of them; otherwise they become
  /// work on the scalars of all tensors and on the matrix of their shapes.
  static let sequences: [OnnxRule] = [
    OnnxRule(values: "SequenceEmpty", since: 11) { node, _ in
      [.list([], of: try node.elementType("dtype") ?? .f32)]
    },
    OnnxRule(values: "SequenceConstruct", since: 11) { node, builder in
      let tensors = try node.values.indices.map { try node.tensorValue($0) }
      guard let first = tensors.first else {
        throw DiagnosticError(
          .user, "sequence.empty", "a sequence is made of at least one tensor", hint: "use SequenceEmpty")
      }
      let element = try builder.type(first).element
      for (index, tensor) in tensors.enumerated() {
        let other = try builder.type(tensor).element
        guard other == element else {
          throw DiagnosticError(
            .user, "sequence.element", "input 0 holds \(element), but input \(index) holds \(other)")
        }
      }
      return [.list(tensors, of: element)]
    },
    OnnxRule(values: "SequenceAt", since: 11) { node, builder in
      [.tensor(try builder.element(ofSequence: try node.sequence(0), at: try node.tensorValue(1)))]
    },
    OnnxRule(values: "SequenceLength", since: 11) { node, builder in
      [.tensor(try builder.length(ofSequence: try node.sequence(0)))]
    },
    OnnxRule(values: "SequenceInsert", since: 11) { node, builder in
      [
        try builder.inserting(
          try node.tensorValue(1), into: try node.sequence(0),
          at: node.value(2) == nil ? nil : try node.tensorValue(2))
      ]
    },
    OnnxRule(values: "SequenceErase", since: 11) { node, builder in
      [try builder.erasing(from: try node.sequence(0), at: node.value(1) == nil ? nil : try node.tensorValue(1))]
    },
    OnnxRule(values: "ConcatFromSequence", since: 11) { node, builder in
      [
        .tensor(
          try builder.concatenated(
            try node.sequence(0), axis: node.int("axis") ?? 0, stacks: node.int("new_axis") ?? 0 != 0))
      ]
    },
    OnnxRule(values: "SplitToSequence", since: 11) { node, builder in
      [
        try builder.split(
          try node.tensorValue(0), into: node.value(1) == nil ? nil : try node.tensorValue(1),
          axis: node.int("axis") ?? 0, keepsAxis: node.int("keepdims") ?? 1 != 0)
      ]
    },
    OnnxRule(values: "SequenceMap", since: 17) { node, builder in try builder.mapped(node) },
  ]
}

extension OnnxNode {
  /// An input that must be a tensor.
  func tensorValue(_ index: Int) throws -> ValueID {
    guard let value = value(index) else {
      throw DiagnosticError(.user, "operator.input", "input \(index) is missing", hint: "connect it")
    }
    guard let tensor = value.tensor else {
      throw DiagnosticError(.user, "onnx.kind", "input \(index) must be a tensor, but is \(value.kindName)")
    }
    return tensor
  }

  /// An input that must be a sequence of tensors.
  func sequence(_ index: Int) throws -> OnnxValue {
    switch value(index) {
    case .list?, .ragged?: return value(index) ?? .list([], of: .f32)
    case let other:
      throw DiagnosticError(
        .user, "onnx.kind",
        "input \(index) must be a sequence of tensors, but is \(other.map(\.kindName) ?? "missing")",
        hint: "connect a sequence")
    }
  }

  /// The element type that an attribute names.
  func elementType(_ name: String) throws -> ElementType? {
    switch attributes[name] {
    case .int(let code)?:
      guard let element = ElementType(onnx: code) else {
        throw DiagnosticError(.user, "onnx.attribute", "the attribute \(name) is \(code), which is no element type")
      }
      return element
    case .elementType(let element)?: return element
    default: return nil
    }
  }
}
