import SinterCore

/// What the definition of an ONNX operator says of the form of its nodes, from one opset on: what no rule looks at, since it reads what it
/// knows and no more.
public struct OnnxSignature: Hashable, Sendable {
  /// The opset from which it holds.
  public var since: Int
  /// How many inputs a node may have; nil for any number.
  public var inputLimit: Int?
  /// Attributes that have no default.
  public var required: [String]

  /// What holds from opset `since` on.
  public init(since: Int, inputLimit: Int?, required: [String] = []) {
    self.since = since
    self.inputLimit = inputLimit
    self.required = required
  }

  /// All that is wrong with the form of a node.
  ///
  /// - Parameters:
  ///   - inputs: the number of its inputs, absent ones at the end not counted.
  ///   - attributes: the names of its attributes, subgraphs included.
  public func problems(inputs: Int, attributes: Set<String>) -> [Diagnostic] {
    var problems = required.filter { !attributes.contains($0) }.map { name in
      Diagnostic(.user, "onnx.attribute", "the attribute \(name) is missing", hint: "export the model again")
    }
    if let inputLimit, inputs > inputLimit {
      let most = inputLimit == 0 ? "no input" : inputLimit == 1 ? "one input" : "\(inputLimit) inputs"
      problems.append(
        Diagnostic(
          .user, "onnx.inputs", "the operator takes \(most), but \(inputs) are given", hint: "export the model again"))
    }
    return problems
  }
}
