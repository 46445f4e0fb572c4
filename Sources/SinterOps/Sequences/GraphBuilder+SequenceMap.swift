import SinterCore
import SinterIR

extension GraphBuilder {
  /// A body run for each place of sequences of equal length, its results sequences again. Where the length is known ahead of time the body is
  /// built once for each place; otherwise it is the body of a loop.
  mutating func mapped(_ node: OnnxNode) throws -> [OnnxValue] {
    guard let body = node.bodies["body"] else {
      throw DiagnosticError(.user, "control.body", "attribute body must be a graph, but is missing")
    }
    guard body.inputNames.count == node.values.count, !node.values.isEmpty else {
      throw DiagnosticError(
        .user, "sequence.map",
        "the body has \(body.inputNames.count) inputs, but \(node.values.count) are given; the first is a sequence")
    }
    _ = try node.sequence(0)
    let lengths = node.values.compactMap { value -> Int? in
      if case .list(let tensors, of: _)? = value { tensors.count } else { nil }
    }
    if let first = lengths.first, let other = lengths.first(where: { $0 != first }) {
      throw DiagnosticError(
        .user, "sequence.map", "the sequences have \(first) and \(other) elements, but must be equally long")
    }
    let hasRagged = node.values.contains { value in
      if case .ragged? = value { true } else { false }
    }
    if !hasRagged, let count = lengths.first, count > 0 { return try unrolled(node, body, count) }
    return try looped(node, body)
  }

  private mutating func unrolled(_ node: OnnxNode, _ body: OnnxBody, _ count: Int) throws -> [OnnxValue] {
    var results = [[ValueID]](repeating: [], count: body.outputCount)
    for place in 0..<count {
      let arguments = try node.values.indices.map { index -> ValueID in
        if case .list(let tensors, of: _)? = node.values[index] { return tensors[place] }
        return try node.tensorValue(index)
      }
      let graph = try body.build((arguments + body.captures).map { fact($0) })
      for (index, value) in try splice(graph, arguments + body.captures).enumerated() { results[index].append(value) }
    }
    return try results.map { .list($0, of: try type($0[0]).element) }
  }

  private mutating func looped(_ node: OnnxNode, _ body: OnnxBody) throws -> [OnnxValue] {
    let operands = try node.values.indices.map { index -> OnnxValue in
      switch node.values[index] {
      case .list?, .ragged?: return try ragged(try node.sequence(index))
      default: return .tensor(try node.tensorValue(index))
      }
    }
    let count = try length(ofSequence: operands[0])
    try requireEqualLengths(operands)
    let own = operands.flatMap(\.leaves)
    let template = operands
    let iterations = OnnxBody(
      inputNames: ["iteration", "condition"] + (0..<body.outputCount).map { "results\($0)" },
      outputCount: body.outputCount + 1,
      captures: own + body.captures
    ) { inputs, captures in
      var inner = GraphBuilder(name: "body of SequenceMap")
      let iteration = inner.input(inputs[0].leaves[0], named: "iteration")
      let condition = inner.input(inputs[1].leaves[0], named: "condition")
      let results = inputs.dropFirst(2).enumerated().map { index, fact in
        var part = 0
        return fact.map { fact -> ValueID in
          defer { part += 1 }
          return inner.input(fact, named: "results\(index).\(part)")
        }
      }
      let given = captures.enumerated().map { inner.input($1, named: "capture\($0)") }
      var place = 0
      let operands = template.map { $0.taking(given, at: &place) }
      let arguments = try operands.map { operand in
        try operand.tensor ?? inner.element(ofSequence: operand, at: iteration)
      }
      let captured = Array(given.dropFirst(own.count))
      let graph = try body.build((arguments + captured).map { inner.fact($0) })
      let values = try inner.splice(graph, arguments + captured)
      let grown = try zip(results, values).map { result, value in
        if case .list(let none, of: _) = result, none.isEmpty {
          return OnnxValue.list([value], of: try inner.type(value).element)
        }
        return try inner.inserting(value, into: result, at: nil)
      }
      for (index, leaf) in ([condition] + grown.flatMap(\.leaves)).enumerated() {
        inner.output(leaf, named: "result\(index)")
      }
      return OnnxBody.Built(graph: inner.graph, results: [.tensor(condition)] + grown)
    }
    return try Loop.build(
      count: count, condition: nil, carried: (0..<body.outputCount).map { _ in .list([], of: .f32) }, body: iterations,
      outputs: body.outputCount, &self)
  }

  private mutating func requireEqualLengths(_ operands: [OnnxValue]) throws {
    let lengths = try operands.compactMap { operand -> Dim? in
      guard case .ragged(_, let shapes, rank: _) = operand else { return nil }
      return try type(shapes).shape[0]
    }
    try require(by: "SequenceMap") {
      for length in lengths.dropFirst() { try $0.equal(lengths[0], length, "lengths of the sequences") }
    }
  }
}
