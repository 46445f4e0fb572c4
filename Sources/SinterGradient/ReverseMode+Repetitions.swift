import SinterCore
import SinterIR
import SinterOps

/// Gradients through `Scan` and `Loop`: the node gives more, what its iterations have stored, and a `Scan` over that runs from the last iteration to the
/// first. An iteration's code is there once forward and once backward, however many iterations there are.
extension ReverseMode {
  func gradients(
    through scan: Scan, _ id: NodeID, _ wanted: [Bool], _ outputGradients: [GradientTensor?]
  ) throws -> [GradientTensor?] {
    let node = tape.builder.graph.nodes[id]
    let layout = IterationLayout(ownInputs: 0, ownResults: 0, states: scan.stateCount, slices: scan.slicedCount)
    func sliced(_ value: ValueID?, _ axes: [Int], _ directions: [Int], _ place: Int) throws -> Sliced {
      guard let value else { throw DiagnosticError(.bug, "gradient.scan", "slice \(place) is missing") }
      let axis = place < axes.count ? axes[place] : 0
      return Sliced(
        value: value, axis: axis < 0 ? axis + (try tape.builder.type(value).rank) : axis,
        isReversed: place < directions.count && directions[place] != 0)
    }
    let slices = try (0..<layout.slices).map {
      try sliced(node.inputs[layout.slice($0)], scan.inputAxes, scan.inputDirections, $0)
    }
    let isReversed = slices.first?.isReversed ?? false
    var repetition = RepetitionGradient(
      tape: tape, layout: layout, inputs: node.inputs, outputGradients: outputGradients, slices: slices,
      collected: try node.outputs.dropFirst(layout.states).enumerated().map {
        try sliced($1, scan.outputAxes, scan.outputDirections, $0)
      }, isReversed: isReversed)
    let iteration = try IterationGradient(
      node.bodies[0], layout, varying: Set(wanted.indices.filter { wanted[$0] }),
      given: Set(outputGradients.indices.filter { outputGradients[$0] != nil }),
      plain: Set(slices.indices.filter { slices[$0].axis == 0 && slices[$0].isReversed == isReversed }),
      counting: layout.slice(0))
    var storing = scan
    let collected = node.bodies[0].outputs.count - layout.states
    let added = iteration.stored.count + iteration.kept.count
    func padded(_ list: [Int], _ rest: Int) -> [Int] {
      list + [Int](repeating: 0, count: max(collected - list.count, 0)) + [Int](repeating: rest, count: added)
    }
    storing.outputAxes = padded(scan.outputAxes, 0)
    storing.outputDirections = padded(scan.outputDirections, isReversed ? 1 : 0)
    try repetition.store(iteration, in: id, as: storing)
    return try repetition.gradients(iteration)
  }

  func gradients(
    through loop: Loop, _ id: NodeID, _ wanted: [Bool], _ outputGradients: [GradientTensor?]
  ) throws -> [GradientTensor?] {
    let node = tape.builder.graph.nodes[id]
    let layout = IterationLayout(ownInputs: 2, ownResults: 1, states: loop.carriedCount, slices: 0)
    // Without slices the number of the iteration tells how many there were.
    let iteration = try IterationGradient(
      node.bodies[0], layout, varying: Set(wanted.indices.filter { $0 >= layout.ownInputs && wanted[$0] }),
      given: Set(outputGradients.indices.filter { outputGradients[$0] != nil }.map { $0 + layout.ownResults }),
      plain: [], counting: 0)
    for state in iteration.states {
      let sizes = node.bodies[0].type(of: node.bodies[0].inputs[layout.state(state)].value).tensor?.shape ?? []
      if sizes.contains(where: \.variesByIteration) {
        throw DiagnosticError(
          .limit, "gradient.sizes",
          "carried value \(state) changes its size from iteration to iteration, which has no gradient",
          hint: "carry values of one size, or collect what the iterations compute")
      }
    }
    var repetition = RepetitionGradient(
      tape: tape, layout: layout, inputs: node.inputs, outputGradients: outputGradients, slices: [],
      collected: node.outputs.dropFirst(layout.states).map { Sliced(value: $0) }, isReversed: false)
    try repetition.store(iteration, in: id, as: loop)
    return try repetition.gradients(iteration)
  }
}

/// A value that is taken apart, one slice an iteration.
private struct Sliced {
  var value: ValueID
  var axis = 0
  /// Whether the first iteration has the last slice.
  var isReversed = false
}

/// What a repetition is given and gives, and its backward pass.
private struct RepetitionGradient {
  let tape: GradientTape
  let layout: IterationLayout
  /// The node's.
  let inputs: [ValueID?]
  let outputGradients: [GradientTensor?]
  let slices: [Sliced]
  let collected: [Sliced]
  /// Whether what is stored begins with what the last iteration has stored.
  let isReversed: Bool
  /// What the backward iteration reads, and what only products over all iterations do.
  var stored: [Sliced] = []
  var kept: [Sliced] = []

  /// Has a repetition give what its backward pass reads.
  mutating func store(_ iteration: IterationGradient, in id: NodeID, as op: some Operator) throws {
    let node = tape.builder.graph.nodes[id]
    let results = iteration.forward.outputs.map(\.value)
    // What is collected already is not stored again.
    func known(_ value: ValueID) -> Sliced? {
      collected.indices.first { results[layout.collected($0)] == value }.map { collected[$0] }
    }
    let added = (iteration.stored + iteration.kept).filter { known($0) == nil }
    let ownCount = results.count - layout.ownResults
    tape.builder.declared =
      node.outputs.map { tape.builder.fact($0) }
      + [Fact?](repeating: nil, count: ownCount - node.outputs.count + added.count)
    defer { tape.builder.declared = [] }
    let before = tape.builder.graph.order.count
    guard let place = tape.builder.graph.order.firstIndex(of: id) else {
      throw DiagnosticError(.bug, "gradient.store", "\(id) has no place in the order")
    }
    let outputs = try tape.builder.add(
      op, node.inputs, outputs: ownCount + added.count, bodies: [iteration.storing(added)])
    tape.builder.adopt(
      results: Array(outputs.prefix(node.outputs.count)), as: node.outputs, movingNodesSince: before, to: place,
      droppingNode: id)
    let places = Dictionary(uniqueKeysWithValues: zip(added, outputs.dropFirst(ownCount)))
    func whole(_ value: ValueID) -> Sliced? {
      known(value) ?? places[value].map { Sliced(value: $0, isReversed: isReversed) }
    }
    (stored, kept) = (iteration.stored.compactMap(whole), iteration.kept.compactMap(whole))
  }

  private func tensor(_ value: ValueID) -> GradientTensor { GradientTensor(value, tape) }

  private func input(_ index: Int) throws -> GradientTensor {
    guard let value = inputs[index] else {
      throw DiagnosticError(.bug, "gradient.repetition", "input \(index) is missing")
    }
    return tensor(value)
  }

  private func outputGradient(_ index: Int) -> GradientTensor? {
    index < outputGradients.count ? outputGradients[index] : nil
  }

  /// All slices along the first axis, in the order in which stored values lie.
  private func plain(_ sliced: Sliced) throws -> GradientTensor {
    let value = tensor(sliced.value)
    let rank = try value.rank
    let moved = try value.transposed([sliced.axis] + (0..<rank).filter { $0 != sliced.axis })
    return sliced.isReversed == isReversed ? moved : try moved.reversed()
  }

  /// Adds the backward repetition, and gives the gradients of the node's inputs that come of it.
  func gradients(_ iteration: IterationGradient) throws -> [GradientTensor?] {
    let states = try iteration.states.map { state in
      let own = try input(layout.state(state))
      return try outputGradient(state)?.reshaped(like: own) ?? own.zeros()
    }
    let sums = try iteration.summed.map { try input(layout.capture($0)).zeros() }
    let given = try iteration.collected.map { place in
      var part = collected[place]
      part.value = try outputGradient(layout.states + place)?.reshaped(like: tensor(part.value)).id ?? part.value
      return part
    }
    let sliced = given + stored + iteration.slices.map { slices[$0] }
    var scan = Scan()
    scan.stateCount = states.count + sums.count
    scan.slicedCount = sliced.count
    scan.inputAxes = sliced.map(\.axis)
    scan.inputDirections = sliced.map { $0.isReversed ? 0 : 1 }
    let count = iteration.backward.outputs.count - scan.stateCount
    scan.outputAxes = [Int](repeating: 0, count: count)
    scan.outputDirections = [Int](repeating: isReversed ? 0 : 1, count: count)
    for (slice, result) in iteration.sliceGradients {
      scan.outputAxes[result] = slices[slice].axis
      scan.outputDirections[result] = slices[slice].isReversed ? 0 : 1
    }
    let captures = try iteration.captures.map { try input(layout.capture($0)) }
    let operands = (states + sums).map(\.id) + sliced.map(\.value) + captures.map(\.id)
    let values = try tape.builder.add(
      scan, operands, outputs: iteration.backward.outputs.count, bodies: [iteration.backward]
    ).map(tensor)
    var gradients = [GradientTensor?](repeating: nil, count: inputs.count)
    for (index, state) in iteration.states.enumerated() { gradients[layout.state(state)] = values[index] }
    for (index, capture) in iteration.summed.enumerated() {
      gradients[layout.capture(capture)] = values[states.count + index]
    }
    for (slice, result) in iteration.sliceGradients {
      gradients[layout.slice(slice)] = values[scan.stateCount + result]
    }
    for (product, capture, result) in iteration.gathered {
      guard let rows = try rows(of: product, iteration) else {
        throw DiagnosticError(.bug, "gradient.gather", "the rows of a product were not stored")
      }
      let own = try product.gradient(
        rows: rows, shared: input(layout.capture(capture)), gradients: values[scan.stateCount + result], tape)
      let before = gradients[layout.capture(capture)]
      gradients[layout.capture(capture)] = try before.flatMap { before in try own.map { try before + $0 } } ?? own
    }
    return gradients
  }

  private func rows(of product: GatheredProduct, _ iteration: IterationGradient) throws -> GradientTensor? {
    if let place = iteration.stored.firstIndex(of: product.rows) { return try plain(stored[place]) }
    if let place = iteration.kept.firstIndex(of: product.rows) { return try plain(kept[place]) }
    return try iteration.slice(product.rows, layout).map { try plain(slices[$0]) }
  }
}
