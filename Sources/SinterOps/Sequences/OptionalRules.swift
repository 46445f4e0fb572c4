import SinterCore
import SinterIR

extension OnnxRule {
  /// How nodes of optionals are read: what they do is known while a model is imported, or is one truth value when it runs.
  static let optionals: [OnnxRule] = [
    OnnxRule(values: "Optional", since: 15) { node, builder in
      if let value = node.value(0) { return [try builder.optional(value)] }
      guard case .type(let type)? = node.attributes["type"] else {
        throw DiagnosticError(
          .user, "optional.type", "an optional that holds nothing needs the attribute type, with known numbers of axes",
          hint: "export the model again")
      }
      let payload: ValueType
      if case .optional(let inner) = type { payload = inner } else { payload = type }
      return [
        .optional(
          present: builder.constant(HostTensor(.bool, [], values: [false])), try builder.placeholder(of: payload))
      ]
    },
    OnnxRule(values: "OptionalGetElement", since: 15) { node, builder in
      guard let value = node.value(0) else {
        throw DiagnosticError(.user, "operator.input", "input 0 is missing", hint: "connect it")
      }
      return [try builder.element(ofOptional: value)]
    },
    OnnxRule(values: "OptionalHasElement", since: 15) { node, builder in
      if case .optional(let present, _)? = node.value(0) { return [.tensor(present)] }
      return [.tensor(builder.constant(HostTensor(.bool, [], values: [node.value(0) != nil])))]
    },
  ]
}
