import SinterCore
import SinterIR
import SinterKernel

/// A graph run again and again, at most as often as a count says and as long as a condition holds, with values carried from turn to turn.
///
/// Inputs: the count, the first condition (either may be absent), the carried values. The graph takes the turn's number, the condition and the
/// carried values; it gives the next condition, the next values and what is collected. Results: the last values, then what was
/// collected, along a new first axis.
///
/// How often the graph may run has to be known ahead of time, up to symbols, or be declared as the length of what is collected. Where
/// the condition ends it earlier, the turns left change nothing.
public struct Loop: Primitive, ControlFlow {
  public static let name = "Loop"
  public static let summary = "A graph run as often as a count and a condition say, with values carried on."

  /// How many values are carried.
  public var carriedCount = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.int("carried", &carriedCount, default: 0) }

  public static var onnx: [OnnxRule] {
    [
      OnnxRule("Loop") { node, builder in
        var op = Loop()
        var inputs = node.inputs
        while inputs.count < 2 { inputs.append(nil) }
        op.carriedCount = inputs.count - 2
        let body = try node.body("body")
        let known = builder.inputs(inputs, outputs: node.outputCount)
        var facts = [Fact(.i64, []), known.has(1) ? Fact(.tensor(try known.tensor(1))) : Fact(.bool, [])]
        for index in 2..<inputs.count { facts.append(Fact(.tensor(try known.tensor(index)))) }
        let graph = try body.build(facts + body.captures.map { builder.fact($0) })
        return try builder.add(op, inputs + body.captures, outputs: node.outputCount, bodies: [graph])
      }
    ]
  }

  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? {
    var form = OnnxForm("Loop", since: 16)
    form.bodies = [("body", carriedCount + 2)]
    return form
  }

  /// How often the graph runs at most, and whether that often in any case.
  private func turns(_ inputs: NodeInputs, _ body: Graph) throws -> (count: Dim, isCertain: Bool) {
    let starts = !inputs.has(1) || inputs.integers(1)?.first == 1
    let isCertain = starts && body.givesTrue()
    if inputs.has(0), let count = inputs.contents(0)?.first {
      if count.value == 0 || (!starts && inputs.integers(1)?.first == 0) { return (0, true) }
      if count.value ?? 0 < Int(Int32.max) { return (count.clampedToZero, isCertain) }
    }
    // What is collected is as long as there are turns.
    if let declared = inputs.declaredShape(carriedCount)?.first { return (declared, false) }
    throw DiagnosticError(
      .limit, "loop.count", "how often the loop may run must be known ahead of time, but its count is computed at run time",
      hint: "make the count a constant, or export the loop unrolled")
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let body = try inputs.body(0, "body")
    let (count, isCertain) = try turns(inputs, body)
    guard body.outputs.count > carriedCount else {
      throw DiagnosticError(
        .user, "loop.results", "the graph must give a condition and \(carriedCount) values, but gives \(body.outputs.count)")
    }
    return try body.outputs.indices.dropFirst().map { index in
      var type = try body.tensorOutput(index)
      if index <= carriedCount {
        try checkCarried(try inputs.tensor(index + 1), type, index - 1)
      } else {
        let declared = inputs.declaredShape(index - 1)?.first
        guard isCertain || declared != nil else {
          throw DiagnosticError(
            .limit, "loop.collected", "how much the loop collects is known only at run time",
            hint: "declare the result's shape in the file")
        }
        type.shape.insert(isCertain ? count : declared ?? count, at: 0)
      }
      return Fact(.tensor(type))
    }
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let body = try node.facts.body(0, "body")
    let (count, isCertain) = try turns(node.facts, body)
    let carried = try (0..<carriedCount).map { try node.input($0 + 2) }
    let captures = try node.inputs.indices.dropFirst(carriedCount + 2).map { try node.input($0) }
    let limit = node.has(0) ? try node.input(0) : nil
    let conditionType = TensorType(.bool, node.has(1) ? try node.input(1).shape : [])
    let counter = try lowering.element([]) { builder, _ in builder.constant(0, .i64) }
    let first = node.has(1) ? try node.input(1) : try lowering.element([]) { builder, _ in builder.bool(true) }

    let (final, collected) = try lowering.repetition(
      count: count, carried: [counter, first] + carried, sliced: []
    ) { lowering, current, _ in
      let (turn, condition, values) = (current[0], current[1], Array(current.dropFirst(2)))
      // Whether this turn still counts.
      let counts = try lowering.element(conditionType.shape) { builder, _ in
        var result = Lowering.condition(builder, condition)
        if let limit, !isCertain {
          result = result && (builder.load(turn.id, []) < Lowering.condition(builder, limit).cast(to: .i64))
        }
        return result
      }
      let results = try body.lower(into: &lowering, inputs: [turn, counts] + values + captures)
      let next = try lowering.element([]) { builder, _ in builder.load(turn.id, []) + builder.constant(1, .i64) }
      let goesOn = try lowering.element(conditionType.shape) { builder, _ in
        isCertain
          ? builder.bool(true) : Lowering.condition(builder, counts) && Lowering.condition(builder, results[0])
      }
      let carriedOn = try zip(values, results.dropFirst()).map { before, after in
        if isCertain { return try lowering.copied(after) }
        return try lowering.element(before.shape) { builder, index in
          builder.select(
            Lowering.condition(builder, counts), builder.load(after.id, index), builder.load(before.id, index))
        }
      }
      let kept = try results.dropFirst(carriedCount + 1).map { try lowering.copied($0) }
      return ([next, goesOn] + carriedOn, Array(kept))
    }
    let wholes = try collected.enumerated().map { place, operand -> Operand in
      let shape = try node.output(carriedCount + place).shape
      if shape == operand.shape { return operand }
      return try lowering.element(shape) { builder, index in builder.load(operand.id, index) }
    }
    return Array(final.dropFirst(2)) + wholes
  }

  public static var examples: [OperatorExample] { [] }
}

extension Graph {
  /// Whether the first output is true in any case where the second input is: a constant, or that input itself.
  fileprivate func givesTrue() -> Bool {
    guard var value = outputs.first?.value else { return false }
    while let id = producer(of: value), nodes[id].op is Identity, let input = nodes[id].inputs.first ?? nil { value = input }
    if inputs.count > 1, value == inputs[1].value { return true }
    return constant(value)?.integers == [1] || values[value].fact.contents?.first?.value == 1
  }
}
