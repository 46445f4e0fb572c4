import SinterCore

/// What changes from iteration to iteration of a repetition besides the contents of what it carries.
public struct RepetitionChanges: Sendable {
  /// The carried value, by its place, that says before each iteration whether it begins.
  public var condition: Int?
  /// The name of the number of iterations, where it is known only behind the last one.
  public var iterations: Symbol?
  /// Sizes of carried values. `next` may speak of sizes that only an iteration knows.
  public var sizes: [FormProgram.Repetition.Size] = []
  /// The shapes of what is collected in an iteration, by place, as they are called behind the last one; where there is none, the slice's own.
  public var collected: [Int: [Dim]] = [:]

  public init() {}
}

extension Lowering {
  /// Runs `build` once to describe what each of `count` iterations does. `carried` holds the initial values, `sliced` values whose first axis is
  /// the iterations'. `build` gets the current values and this iteration's slices, and gives the next values (of the same types) and what to
  /// collect. With `reversed` iteration 0 sees the last slice and collects into the last place.
  ///
  /// - Returns: the carried values after the last iteration, and what was collected, with the iterations as first axis.
  public mutating func repetition(
    count: Dim, carried initial: [Operand], sliced: [Operand], reversed: Bool = false,
    _ build: (inout Lowering, [Operand], [Operand]) throws -> (next: [Operand], collected: [Operand])
  ) throws -> (final: [Operand], collected: [Operand]) {
    try repetition(
      count: count, carried: initial, sliced: sliced, isReversed: { _ in reversed },
      collectsReversed: { _ in reversed },
      build)
  }

  /// The same where each slice has a direction of its own.
  ///
  /// - Parameters:
  ///   - isReversed: whether iteration 0 sees the last slice of what has this place in `sliced`.
  ///   - collectsReversed: whether iteration 0 collects into the last place of the result of this number.
  public mutating func repetition(
    count: Dim, carried initial: [Operand], sliced: [Operand], isReversed: (Int) -> Bool,
    collectsReversed: (Int) -> Bool,
    _ build: (inout Lowering, [Operand], [Operand]) throws -> (next: [Operand], collected: [Operand])
  ) throws -> (final: [Operand], collected: [Operand]) {
    var changes = RepetitionChanges()
    return try repetition(
      count: count, carried: initial, as: initial.map(\.type), sliced: sliced, isReversed: isReversed,
      collectsReversed: collectsReversed, &changes
    ) { lowering, current, slices, _ in try build(&lowering, current, slices) }
  }

  /// The same where a condition may end it, or sizes change.
  ///
  /// - Parameters:
  ///   - types: those of carried values as an iteration sees them, with the `current` symbols of sizes that change.
  ///   - changes: what changes; `build` may add sizes. What is collected is described by the slices' types with the sizes' `final` symbols.
  public mutating func repetition(
    count: Dim, carried initial: [Operand], as types: [TensorType], sliced: [Operand],
    isReversed: (Int) -> Bool = { _ in false }, collectsReversed: (Int) -> Bool = { _ in false },
    _ changes: inout RepetitionChanges,
    _ build: (inout Lowering, [Operand], [Operand], inout RepetitionChanges) throws -> (
      next: [Operand], collected: [Operand]
    )
  ) throws -> (final: [Operand], collected: [Operand]) {
    let (outer, outerChecked, outerKnown) = (program.steps, checked, knownSizes)
    program.steps = []
    knownSizes.formUnion(changes.sizes.map(\.current))
    let current = types.map { declare($0) }
    let slices = sliced.map { declare(TensorType($0.element, Array($0.shape.dropFirst()))) }
    let next, collected: [Operand]
    do {
      (next, collected) = try build(&self, current, slices, &changes)
    } catch {
      (program.steps, checked, knownSizes) = (outer, outerChecked, outerKnown)
      throw error
    }
    let body = program.steps
    (program.steps, checked, knownSizes) = (outer, outerChecked, outerKnown)
    let finals = Dictionary(changes.sizes.map { ($0.current, Dim($0.final)) }) { first, _ in first }
    func behind(_ shape: [Dim]) -> [Dim] { shape.map { $0.substituting { finals[$0] } } }
    let final = types.map { declare(TensorType($0.element, behind($0.shape))) }
    let iterations = changes.iterations.map { Dim($0) } ?? count
    let wholes = collected.enumerated().map { place, slice in
      declare(TensorType(slice.element, [iterations] + (changes.collected[place] ?? behind(slice.shape))))
    }
    var repetition = FormProgram.Repetition(
      count: count,
      carried: initial.indices.map {
        .init(initial: initial[$0].id, current: current[$0].id, next: next[$0].id, final: final[$0].id)
      },
      inputs: sliced.indices.map { .init(whole: sliced[$0].id, slice: slices[$0].id, isReversed: isReversed($0)) },
      outputs: collected.indices.map {
        .init(whole: wholes[$0].id, slice: collected[$0].id, isReversed: collectsReversed($0))
      },
      body: body)
    repetition.condition = changes.condition.map { current[$0].id }
    repetition.iterations = changes.iterations
    repetition.sizes = changes.sizes
    program.steps.append(.repetition(repetition))
    flushObligations(knowing: changes.sizes.map(\.final) + (changes.iterations.map { [$0] } ?? []))
    return (final, wholes)
  }

  /// Whether a step of the list at hand, the innermost body, computes a value.
  public func computes(_ operand: Operand) -> Bool {
    program.steps.contains { step in
      if case .compute(operand.id, _) = step { true } else { false }
    }
  }

  /// Runs one of two lists of forms. `types` are those of the results; sizes in them that data determine are what the list that ran gives.
  public mutating func branch(
    _ condition: Operand, types: [TensorType], then: (inout Lowering) throws -> [Operand],
    otherwise: (inout Lowering) throws -> [Operand]
  ) throws -> [Operand] {
    let (first, firstSteps) = try apart(then)
    let (second, secondSteps) = try apart(otherwise)
    var sizes: [FormProgram.Branch.Size] = []
    for (index, type) in types.enumerated() {
      for (axis, size) in type.shape.enumerated() {
        guard let symbol = size.symbol, symbol.isFromData, !knownSizes.contains(symbol) else { continue }
        sizes.append(.init(symbol: symbol, then: first[index].shape[axis], otherwise: second[index].shape[axis]))
        knownSizes.insert(symbol)
      }
    }
    let results = types.map { declare($0) }
    program.steps.append(
      .branch(
        .init(
          condition: condition.id, then: firstSteps, otherwise: secondSteps, sizes: sizes,
          results: results.indices.map { .init(then: first[$0].id, otherwise: second[$0].id, result: results[$0].id) }))
    )
    flushObligations(knowing: sizes.map(\.symbol))
    return results
  }

  /// Steps of a list of their own.
  private mutating func apart(
    _ build: (inout Lowering) throws -> [Operand]
  ) throws -> ([Operand], [FormProgram.Step]) {
    let (outer, outerChecked, outerKnown) = (program.steps, checked, knownSizes)
    program.steps = []
    defer { (program.steps, checked, knownSizes) = (outer, outerChecked, outerKnown) }
    let results = try build(&self)
    return (results, program.steps)
  }
}
