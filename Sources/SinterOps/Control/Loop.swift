import SinterCore
import SinterForms
import SinterIR

/// A graph run again and again, at most as often as a count says and as long as a condition holds, with values carried from iteration to iteration.
///
/// Inputs: the count, the first condition (either may be absent), the carried values. The graph takes the iteration's number, the condition and the
/// carried values; it gives the next condition, the next values and what is collected. Results: the last values, then what was
/// collected, along a new first axis.
///
/// What is carried keeps its number of axes, and may change its sizes. What is collected has the same sizes in every iteration.
public struct Loop: Primitive, ControlFlow {
  public static let name = "Loop"
  public static let summary = "A graph run as often as a count and a condition say, with values carried on."

  /// How many values are carried.
  public var carriedCount = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.int("carried", &carriedCount, default: 0) }

  public static var onnx: [OnnxRule] {
    [
      OnnxRule(values: "Loop") { node, builder in
        try Loop.build(
          count: node.value(0) == nil ? nil : try node.tensorValue(0),
          condition: node.value(1) == nil ? nil : try node.tensorValue(1),
          carried: try node.values.indices.dropFirst(2).map { index in
            guard let value = node.values[index] else {
              throw DiagnosticError(.user, "operator.input", "input \(index) is missing", hint: "connect it")
            }
            return value
          },
          body: try node.body("body"), outputs: node.outputCount, &builder)
      }
    ]
  }

  /// Adds a loop. Of sequences that are carried the length is what only the data tell.
  static func build(
    count: ValueID?, condition: ValueID?, carried: [OnnxValue], body: OnnxBody, outputs: Int,
    _ builder: inout GraphBuilder
  ) throws -> [OnnxValue] {
    let before = [Fact(.i64, []), try condition.map { Fact(.tensor(try builder.type($0))) } ?? Fact(.bool, [])]
    let forms = try Self.forms(of: carried, body, before, builder)
    let initial = try zip(carried, forms).enumerated().map { index, pair in
      try builder.converted(pair.0, to: pair.1, "carried value \(index)")
    }
    let graph = try builder.bodyCarrying(
      try initial.map { try builder.form(of: $0) }, of: body, before: before, results: 1)
    var op = Loop()
    op.carriedCount = initial.reduce(0) { $0 + $1.leaves.count }
    let known = initial.prefix(outputs)
    let resultCount = known.reduce(0) { $0 + $1.leaves.count } + max(outputs - initial.count, 0)
    let results = try builder.add(
      op, [count, condition] + initial.flatMap(\.leaves) + body.captures, outputs: resultCount, bodies: [graph])
    var place = 0
    return known.map { $0.taking(results, at: &place) } + results.dropFirst(place).map { .tensor($0) }
  }

  /// How carried values are told: sequences as ones of unknown length. What an empty one will hold is seen from what an iteration makes of it.
  private static func forms(
    of carried: [OnnxValue], _ body: OnnxBody, _ before: [Fact], _ builder: GraphBuilder
  ) throws -> [ValueForm] {
    var forms = try carried.map { try builder.form(of: $0).ofAnyLength }
    if forms.allSatisfy({ $0.tensor != nil }) { return forms }
    var builder = builder
    // Each time round learns of one sequence at least.
    for _ in 0...forms.count {
      let captures = body.captures.map { builder.fact($0) }
      let given =
        before.map { Structured<Fact>.tensor($0) }
        + forms.map { form in
          form.opened { builder.freshSize() }.map { Fact(.tensor($0)) }
        }
      let results = try body.buildValues(given, captures).forms().dropFirst().prefix(forms.count)
      let next = try zip(forms, results).enumerated().map { index, pair in
        try pair.0.joined(with: pair.1, "carried value \(index)").ofAnyLength
      }
      let isSettled = zip(forms, next).allSatisfy {
        $0.holdsEmptyList == $1.holdsEmptyList && $0.sequenceRank == $1.sequenceRank
      }
      forms = next
      if isSettled { break }
    }
    return forms
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    var node = NodeSpecification("Loop", since: 16)
    node.bodies = [("body", carriedCount + 2)]
    return node
  }

  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(0, isSigned: true)] }

  /// How often the graph runs at most, and whether that often in any case.
  private func iterations(_ inputs: NodeInputs, _ body: Graph) -> (count: Dim, isCertain: Bool) {
    let starts = !inputs.has(1) || inputs.integers(1)?.first == 1
    let isCertain = starts && body.givesTrue()
    guard inputs.has(0), let count = inputs.contents(0)?.first, count.value ?? 0 < Int.max else {
      return (Dim(Int.max), false)
    }
    if count.value == 0 || (!starts && inputs.integers(1)?.first == 0) { return (0, true) }
    return (count.clampedToZero, isCertain)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let body = try inputs.body(0, "body")
    let (count, isCertain) = iterations(inputs, body)
    guard body.outputs.count > carriedCount, body.inputs.count >= carriedCount + 2 else {
      throw DiagnosticError(
        .user, "loop.results",
        "the graph must give a condition and \(carriedCount) values, but gives \(body.outputs.count)")
    }
    for (index, name) in [(0, "count"), (1, "condition")] where inputs.has(index) {
      let type = try inputs.tensor(index)
      _ = try obligations.equal(type.count, 1, "elements of the \(name) \(type) and their number")
    }
    // Sizes that only an iteration knows: those that it computes, and those that it finds changed.
    let outside = Set(inputs.facts.flatMap { $0?.dataSymbols ?? [] })
    let carried = body.inputs.dropFirst(2).prefix(carriedCount).flatMap { body.type(of: $0.value).symbols }
    let inside = body.ownDataSymbols.union(carried.filter { Dim($0).variesByIteration && !outside.contains($0) })
    return try body.outputs.indices.dropFirst().map { index in
      let next = try body.tensorOutput(index)
      let result = index - 1
      if index <= carriedCount {
        var type = try inputs.tensor(index + 1)
        let now = body.type(of: body.inputs[index + 1].value).tensor ?? type
        try checkCarried(now, next, result)
        for axis in type.shape.indices where now.shape[axis].variesByIteration {
          type.shape[axis] = inputs.freshSize(result: result, axis: axis)
        }
        return Fact(.tensor(type))
      }
      let slice = next.shape.enumerated().map { axis, size in
        inside.isDisjoint(with: size.symbols)
          ? size : inputs.freshSize(result: result, axis: axis + 1)
      }
      return Fact(next.element, [isCertain ? count : inputs.freshSize(result: result, axis: 0)] + slice)
    }
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let given = try node.facts.body(0, "body")
    let (count, isCertain) = iterations(node.facts, given)
    let initial = try (0..<carriedCount).map { try node.input($0 + 2) }
    let captures = try node.inputs.indices.dropFirst(carriedCount + 2).map { try node.input($0) }
    let conditionType = TensorType(.bool, node.has(1) ? try node.input(1).shape : [])
    let counter = try lowering.element([]) { builder, _ in builder.constant(0, .i64) }
    let first = node.has(1) ? try node.input(1) : try lowering.element([]) { builder, _ in builder.bool(true) }
    var carried = try CarriedSizes(
      given, initial: initial, inputs: 2, results: 1, finals: try (0..<carriedCount).map { try node.output($0) },
      into: &lowering)
    var changes = carried.changes
    let body = carried.body
    // What is collected must be as large in each iteration as in the first one.
    let slices = try (carriedCount..<node.outputs.count).map { try node.output($0) }
    let firstSizes = slices.map { type in
      type.shape.dropFirst().map { size in size.symbol.map { $0.isFromData && !lowering.knows($0) } ?? false }
    }
    let varies = firstSizes.contains { $0.contains(true) }
    if !isCertain { changes.condition = 1 }
    if !isCertain || varies { changes.iterations = lowering.freshSize() }
    let iteration = lowering.freshSize()
    if varies {
      changes.sizes.append(.init(current: iteration, final: lowering.freshSize(), initial: 0, next: Dim(iteration) + 1))
    }

    let (final, collected) = try lowering.repetition(
      count: count, carried: [counter, first] + initial,
      as: [counter.type, conditionType] + carried.types, sliced: [], &changes
    ) { lowering, current, _, changes in
      let results = try body.lower(into: &lowering, inputs: current + captures)
      let next = try lowering.element([]) { builder, _ in builder.load(current[0].id, []) + builder.constant(1, .i64) }
      let goesOn = try lowering.element(conditionType.shape) { builder, _ in
        isCertain ? builder.bool(true) : Lowering.condition(builder, results[0])
      }
      let carriedOn = try results.dropFirst().prefix(carriedCount).map { try lowering.copied($0) }
      carried.note(carriedOn, &changes)
      let kept = try results.dropFirst(carriedCount + 1).enumerated().map { place, operand in
        for axis in operand.shape.indices where place < slices.count && firstSizes[place][axis] {
          let size = operand.shape[axis]
          let (before, final) = (lowering.freshSize(), slices[place].shape[axis + 1].symbol ?? lowering.freshSize())
          lowering.knows(turning: before)
          changes.sizes.append(.init(current: before, final: final, initial: 0, next: size))
          // Behind the last iteration, what is carried may be larger than what was collected.
          changes.collected[place, default: operand.shape][axis] = Dim(final)
          lowering.require([
            Obligation(
              .equal, size * Dim(iteration), Dim(before) * Dim(iteration),
              subject:
                "sizes along axis \(axis) of what a loop collects in two iterations, times the iteration's number,",
              op: "Loop", origin: lowering.origin)
          ])
        }
        return try lowering.copied(operand)
      }
      return ([next, goesOn] + carriedOn, kept)
    }
    // Results have names of their own for the number of iterations.
    let wholes = try collected.prefix(slices.count).enumerated().map { place, operand -> Operand in
      let type = try node.output(carriedCount + place)
      for (inner, outer) in zip(operand.shape, type.shape) where inner != outer {
        if let symbol = outer.symbol, symbol.isFromData, !lowering.knows(symbol) { lowering.define(symbol, as: inner) }
      }
      if type.shape == operand.shape { return operand }
      return try lowering.element(type.shape) { builder, index in builder.load(operand.id, index) }
    }
    return Array(final.dropFirst(2)) + wholes
  }

  public static var examples: [OperatorExample] { [] }
}

extension Graph {
  /// Whether the first output is true in any case where the second input is: a constant, or that input itself.
  fileprivate func givesTrue() -> Bool {
    guard var value = outputs.first?.value else { return false }
    while let id = producer(of: value), nodes[id].op is Identity, let input = nodes[id].inputs.first ?? nil {
      value = input
    }
    if inputs.count > 1, value == inputs[1].value { return true }
    return constant(value)?.integers == [1] || values[value].fact.contents?.first?.value == 1
  }
}
