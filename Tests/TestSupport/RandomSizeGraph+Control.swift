import SinterCore
import SinterIR
import SinterOps

extension RandomSizeGraph {
  mutating func control() throws -> ValueID {
    switch pick([0, 1, 2, 3]) {
    case 0: return try branch()
    case 1: return try loop(grows: false)
    case 2: return try loop(grows: true)
    default: return try scan()
    }
  }

  /// One number, not in a list.
  private mutating func scalar(_ value: ValueID) throws -> ValueID {
    try builder.add1(Reshape(), [value, integers([])])
  }

  private mutating func branch() throws -> ValueID {
    let (x, y) = (tensor(), tensor())
    let condition: ValueID
    switch pick([0, 1]) {
    case 0:
      condition = try builder.add1(
        Compare(.less), [try scalar(try number([0, 1, 2])), try scalar(try number([1, 2, 3]))])
    default:
      let sum = try builder.add1(Reduce(.sum, keepsAxes: false), [tensor()])
      condition = try builder.add1(Compare(.greater), [sum, builder.constant(.f32([], [0]))])
    }
    let (first, second) = (pick([0, 1, 2]), pick([0, 1, 2]))
    func body(_ kind: Int, _ name: String) throws -> Graph {
      var inner = GraphBuilder(name: name)
      let a = inner.input(builder.fact(x), named: "a")
      let b = inner.input(builder.fact(y), named: "b")
      let result: ValueID
      switch kind {
      case 0: result = try inner.add1(Unary(.negate), [a])
      case 1: result = try inner.add1(Binary(.add), [a, b])
      default: result = try inner.add1(Concat(axis: 0), [a, a])
      }
      inner.output(result, named: "y")
      return inner.graph
    }
    let bodies = [try body(first, "then"), try body(second, "else")]
    return try builder.add(If(), [condition, x, y, x, y], bodies: bodies)[0]
  }

  /// Up to three iterations, or as many as there are elements somewhere; a sum is carried, or something that grows.
  private mutating func loop(grows: Bool) throws -> ValueID {
    let x = try tensor(rank: grows ? 1...4 : 0...4)
    let y = tensor()
    var body = GraphBuilder(name: "iteration")
    _ = body.input(Fact(.i64, []), named: "iteration")
    let condition = body.input(Fact(.bool, []), named: "condition")
    var type = try builder.type(x)
    if grows { type.shape[0] = builder.freshSize() }
    let carried = body.input(Fact(.tensor(type)), named: "x")
    let captured = body.input(builder.fact(y), named: "y")
    let next =
      grows
      ? try body.add1(Concat(axis: 0), pick([[carried, carried], [carried, captured]]))
      : try body.add1(Binary(.add), [carried, captured])
    let collects = pick([true, false])
    body.output(condition, named: "goes on")
    body.output(next, named: "next")
    if collects { body.output(pick([captured, carried]), named: "collected") }
    var op = Loop()
    op.carriedCount = 1
    let count = try scalar(try number([0, 1, 2, 3]))
    let results = try builder.add(
      op, [count, builder.constant(HostTensor(.bool, [], values: [UInt8(1)])), x, y], outputs: collects ? 2 : 1,
      bodies: [body.graph])
    return pick(results)
  }

  private mutating func scan() throws -> ValueID {
    let whole = try tensor(rank: 1...4)
    let type = try builder.type(whole)
    let state = try tensor(rank: 0...3)
    var body = GraphBuilder(name: "step")
    let before = body.input(builder.fact(state), named: "state")
    let slice = body.input(Fact(type.element, Array(type.shape.dropFirst())), named: "slice")
    let sum = try body.add1(Binary(.add), [before, slice])
    body.output(sum, named: "next")
    body.output(try body.add1(Unary(.abs), [pick([sum, slice])]), named: "collected")
    var op = Scan()
    op.stateCount = 1
    op.slicedCount = 1
    op.inputDirections = [pick([0, 1])]
    return pick(try builder.add(op, [state, whole], outputs: 2, bodies: [body.graph]))
  }
}

extension Graph {
  /// Inputs of few different sizes, so that many fit; what the graph knows of sizes that are equal is kept mostly, and not always.
  package func inputsOfRandomSizes(_ generator: inout SeededGenerator) -> [HostTensor] {
    let pool = (0..<Int.random(in: 1...3, using: &generator)).map { _ in Int.random(in: 0...5, using: &generator) }
    let keepsDeclared = Int.random(in: 0..<4, using: &generator) == 0
    var sizes: [Symbol: Int] = [:]
    let types = inputs.compactMap { port -> TensorType? in
      keepsDeclared ? (port.declared ?? type(of: port.value)).tensor : type(of: port.value).tensor
    }
    for symbol in types.flatMap({ $0.shape.flatMap(\.symbols) }) where sizes[symbol] == nil {
      sizes[symbol] = pool[Int.random(in: 0..<pool.count, using: &generator)]
    }
    return types.map { type in
      HostTensor.random(type.element, type.shape.map { Swift.max(0, $0.evaluated { sizes[$0] } ?? 0) }, &generator)
    }
  }
}
