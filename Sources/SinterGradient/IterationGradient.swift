import SinterCore
import SinterIR
import SinterOps

/// How the inputs and results of a repetition's graph follow one another: some of its own, the states, the slices, what it captures; and some of
/// its own, the next states, what is collected.
struct IterationLayout {
  var ownInputs: Int
  var ownResults: Int
  var states: Int
  var slices: Int

  func state(_ index: Int) -> Int { ownInputs + index }
  func slice(_ index: Int) -> Int { ownInputs + states + index }
  func capture(_ index: Int) -> Int { ownInputs + states + slices + index }
  func next(_ index: Int) -> Int { ownResults + index }
  func collected(_ index: Int) -> Int { ownResults + states + index }
}

/// One iteration of a repetition backward: a graph of its own, which reads what the iteration has stored.
///
/// Its inputs are the gradients of `states`, the sums so far of the gradients of `summed` captures, the gradients of `collected` results, what was
/// `stored`, the slices and the captures that it reads. Its results are the gradients of the states before the iteration, the next sums, and
/// `results` that are collected.
struct IterationGradient {
  /// The iteration with its expansions, which gives what it gave before.
  private(set) var forward: Graph
  private(set) var backward: Graph
  private(set) var states: [Int] = []
  private(set) var summed: [Int] = []
  private(set) var collected: [Int] = []
  /// Values of the forward graph.
  private(set) var stored: [ValueID] = []
  /// Values of the forward graph that only products over all iterations read.
  private(set) var kept: [ValueID] = []
  private(set) var slices: [Int] = []
  private(set) var captures: [Int] = []
  /// For slices with a gradient, its place among what is collected.
  private(set) var sliceGradients: [(slice: Int, result: Int)] = []
  /// Products for captures, with the place of the product's gradient among what is collected.
  private(set) var gathered: [(product: GatheredProduct, capture: Int, result: Int)] = []

  /// - Parameters:
  ///   - varying: the inputs of the graph that depend on what gradients are asked for, by position.
  ///   - given: the results that have a gradient, by position.
  ///   - plain: slices that lie as what is stored does, so that one result serves as their gradient and for products over all iterations.
  ///   - counting: the input that the backward iteration takes where it reads nothing else that tells how many iterations there are.
  init(
    _ body: Graph, _ layout: IterationLayout, varying: Set<Int>, given: Set<Int>, plain: Set<Int>, counting: Int
  ) throws {
    var builder = GraphBuilder(body)
    let (inputs, outputs) = (body.inputs.map(\.value), body.outputs.map(\.value))
    func isFloat(_ value: ValueID) -> Bool { body.type(of: value).tensor?.element.isFloat ?? false }
    // What a state makes of itself in later iterations counts as well.
    var (varying, given) = (varying.filter { isFloat(inputs[$0]) }, given.filter { isFloat(outputs[$0]) })
    while true {
      let path = Path(body, from: varying.map { inputs[$0] }, to: given.map { outputs[$0] })
      let before = varying.count + given.count
      for state in 0..<layout.states where isFloat(inputs[layout.state(state)]) {
        if path.depends(outputs[layout.next(state)]) { varying.insert(layout.state(state)) }
        if path.isWanted(inputs[layout.state(state)]), varying.contains(layout.state(state)) {
          given.insert(layout.next(state))
        }
      }
      if varying.count + given.count == before { break }
    }
    let start = Path(body, from: varying.map { inputs[$0] }, to: given.map { outputs[$0] })
    states = (0..<layout.states).filter { given.contains(layout.next($0)) && start.depends(outputs[layout.next($0)]) }
    collected = (0..<max(outputs.count - layout.collected(0), 0)).filter {
      given.contains(layout.collected($0)) && start.depends(outputs[layout.collected($0)])
    }
    let targets = states.map { outputs[layout.next($0)] } + collected.map { outputs[layout.collected($0)] }
    let sources = varying.sorted().map { inputs[$0] }
    let path = try builder.expandedPath(from: sources, to: targets)

    // The walk back, added to the iteration's own graph and taken apart below: it reads values of the iteration, and seeds that are inputs.
    let firstNew = builder.graph.values.count
    let expanded = builder.graph
    let seeds = try targets.enumerated().map { index, target in
      builder.input(Fact(.tensor(try builder.type(target))), named: "gradient\(index)")
    }
    let tape = GradientTape(builder)
    var reverse = ReverseMode(tape: tape, path: path)
    reverse.constantInIterations = Set(inputs.dropFirst(layout.capture(0)))
    let found = try reverse.run(
      zip(targets, seeds).map { ($0, GradientTensor($1, tape)) }, inputs)
    // What a state's gradient is where none flows back.
    let stateGradients = try states.map { state in
      try (found[layout.state(state)] ?? GradientTensor(inputs[layout.state(state)], tape).zeros())
        .reshaped(like: GradientTensor(inputs[layout.state(state)], tape))
    }
    var results: [ValueID] = []
    var shared: [ValueID: Int] = [:]
    func place(_ value: ValueID, isPlain: Bool) -> Int {
      if isPlain, let known = shared[value] { return known }
      results.append(value)
      if isPlain { shared[value] = results.count - 1 }
      return results.count - 1
    }
    for slice in 0..<layout.slices {
      guard varying.contains(layout.slice(slice)), let gradient = found[layout.slice(slice)] else { continue }
      let own = try gradient.reshaped(like: GradientTensor(inputs[layout.slice(slice)], tape))
      sliceGradients.append((slice, place(own.id, isPlain: plain.contains(slice))))
    }
    for product in reverse.gathered {
      guard let input = inputs.firstIndex(of: product.shared) else { continue }
      gathered.append((product, input - layout.capture(0), place(product.gradient, isPlain: true)))
    }
    let captureGradients = try inputs.indices.dropFirst(layout.capture(0)).compactMap {
      index -> (Int, GradientTensor)? in
      guard varying.contains(index), let gradient = found[index] else { return nil }
      return (index - layout.capture(0), try gradient.reshaped(like: GradientTensor(inputs[index], tape)))
    }
    summed = captureGradients.map(\.0)
    let whole = tape.builder.graph

    var split = IterationSplit(whole, layout, firstNew: firstNew, seeds: Set(seeds), inputs: inputs)
    backward = try split.backward(
      states: zip(states, stateGradients).map { ($0, $1.id) }, captures: captureGradients.map { ($0, $1.id) },
      seeds: seeds, collected: results, counting: inputs[counting])
    (stored, slices, captures) = (split.stored, split.slices, split.captures)
    for (product, _, _) in gathered where !stored.contains(product.rows) && !kept.contains(product.rows) {
      if !inputs[layout.slice(0)..<layout.capture(0)].contains(product.rows) { kept.append(product.rows) }
    }
    // The iteration itself, with what nested repetitions store for their own backward pass.
    forward = whole
    forward.inputs.removeLast(seeds.count)
    forward.outputs = expanded.outputs
  }

  /// The place among the slices of a value of the forward graph that is one.
  func slice(_ value: ValueID, _ layout: IterationLayout) -> Int? {
    (0..<layout.slices).first { forward.inputs[layout.slice($0)].value == value }
  }

  /// The forward graph with values more as its last results.
  func storing(_ values: [ValueID]) -> Graph {
    var graph = forward
    for (index, value) in values.enumerated() {
      graph.outputs.append(Graph.Port(name: "stored\(index)", value: value))
    }
    graph.removeDeadNodes()
    graph.compact()
    return graph
  }
}
