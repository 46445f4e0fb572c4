import SinterCore
import SinterIR

extension NodeInputs {
  /// The fact of an input that must be there.
  func fact(_ index: Int) throws -> Fact {
    guard index < facts.count, let fact = facts[index] else {
      throw DiagnosticError(.user, "operator.input", "input \(index) is missing", hint: "connect it")
    }
    return fact
  }

  /// The numbers in an integer input that must be known ahead of time.
  func knownIntegers(_ index: Int, _ name: String) throws -> [Int] {
    guard let values = integers(index) else {
      _ = try tensor(index)
      throw notKnown(index, name, "must be known ahead of time")
    }
    return values
  }

  /// What is told of an input whose elements are needed: sizes that are open decide them, or data do.
  private func notKnown(_ index: Int, _ name: String, _ need: String) -> DiagnosticError {
    let bind = "fix these sizes with --bind, or make it a constant"
    if let contents = contents(index), !contents.contains(where: \.isFromData) {
      let list = contents.map(\.description).joined(separator: ", ")
      return DiagnosticError(
        .limit, "operator.dynamic",
        "\(name) (input \(index)) \(need), but is [\(list)], which sizes of the inputs decide", hint: bind)
    }
    if index < facts.count, let fact = facts[index], fact.followsFromSizes {
      return DiagnosticError(
        .limit, "operator.dynamic", "\(name) (input \(index)) \(need), but follows from sizes that are open", hint: bind
      )
    }
    return DiagnosticError(
      .limit, "operator.dynamic", "\(name) (input \(index)) \(need), but is computed at run time",
      hint: "make it a constant")
  }

  /// The sizes in an integer input that must be known ahead of time, up to symbols.
  func knownSizes(_ index: Int, _ name: String) throws -> [Dim] {
    guard let values = contents(index) else {
      _ = try tensor(index)
      throw notKnown(index, name, "must be made of constants and sizes")
    }
    return values
  }

  /// The same, nil where the input is absent.
  func optionalIntegers(_ index: Int, _ name: String) throws -> [Int]? {
    has(index) ? try knownIntegers(index, name) : nil
  }
}

extension OnnxRule {
  /// The reading of opsets before 13 for operators whose second input, `axes`, was an attribute.
  static func axesAttribute<Op: Operator>(_ op: Op, as opType: String? = nil, since: Int = 1) -> OnnxRule {
    OnnxRule(opType ?? Op.name, since: since) { node, builder in
      var op = op
      var reader = OnnxAttributeReader(node)
      op.attributes(&reader)
      try reader.finish()
      let axes = node.ints("axes").map { builder.integers($0) }
      return try builder.add(op, [node.input(0)] + (axes.map { [$0] } ?? []))
    }
  }
}

extension NodeInputs {
  /// The shape that a result is declared to have, for operators whose result's sizes come from a tensor's elements that are not known
  /// ahead of time.
  func declaredShape(_ index: Int = 0) -> [Dim]? {
    index < declared.count ? declared[index]?.type.tensor?.shape : nil
  }
}
