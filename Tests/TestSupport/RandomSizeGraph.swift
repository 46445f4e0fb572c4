import SinterCore
import SinterIR
import SinterOps

/// Graphs whose sizes are symbols, put together at random with little care for what fits: many fit some sizes and not others.
package struct RandomSizeGraph {
  var builder: GraphBuilder
  var generator: SeededGenerator
  /// Tensors of f32, and small lists of i64.
  var tensors: [ValueID] = []
  var lists: [ValueID] = []
  /// Elements of inputs of integers lie in 0 ..< this.
  package static let integerLimit = 4

  package static func make(seed: UInt64, steps: Int) throws -> Graph {
    var random = RandomSizeGraph(
      builder: GraphBuilder(name: "random\(seed)"), generator: SeededGenerator(seed: seed &* 0x9e37_79b9))
    let names = random.pick([["a"], ["a", "b"], ["a", "b"], ["a", "b", "c", "d"]])
    for index in 0..<random.pick([1, 2, 2, 3]) {
      let shape: [Dim] = (0..<random.pick([0, 1, 2, 2, 3, 3, 4])).map { _ in
        random.pick([0, 1, 2, 3, 4, 5]) == 0 ? Dim(random.pick([0, 1, 2, 3, 4])) : Dim(symbol: random.pick(names))
      }
      random.tensors.append(random.builder.input(Fact(.f32, shape), named: "x\(index)"))
    }
    for index in 0..<random.pick([0, 1, 1]) {
      random.lists.append(random.builder.input(Fact(.i64, [Dim(random.pick([1, 2, 3]))]), named: "n\(index)"))
    }
    for _ in 0..<steps {
      // An operator that refuses its random inputs is another graph's luck; what it added before stays, unused.
      let before = random.builder
      if (try? random.step()) == nil { random.builder = before }
    }
    for (index, value) in random.tensors.suffix(2).enumerated() { random.builder.output(value, named: "y\(index)") }
    if let list = random.lists.last, random.pick([true, false]) { random.builder.output(list, named: "n") }
    return random.builder.graph
  }

  mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &generator)] }

  /// The newest ones mostly.
  mutating func tensor() -> ValueID { pick([0, 1, 2]) == 0 ? pick(tensors) : pick(Array(tensors.suffix(4))) }

  /// One that goes well with another, mostly.
  mutating func partner(of value: ValueID) throws -> ValueID {
    let shape = try builder.type(value).shape
    let alike = try tensors.filter { other in
      try zip(builder.type(other).shape.reversed(), shape.reversed()).allSatisfy { $0 == $1 || $0 == 1 || $1 == 1 }
    }
    return pick([0, 1, 2, 3]) == 0 ? tensor() : pick(Array(alike.suffix(4)))
  }

  mutating func tensor(rank ranks: ClosedRange<Int>) throws -> ValueID {
    let fitting = try tensors.filter { ranks.contains(try builder.type($0).rank) }
    if fitting.isEmpty { throw DiagnosticError(.user, "random", "no tensor has as many axes") }
    return pick(Array(fitting.suffix(4)))
  }

  mutating func axis(of value: ValueID) throws -> Int {
    let rank = try builder.type(value).rank
    if rank == 0 { throw DiagnosticError(.user, "random", "there is no axis") }
    return Int.random(in: -rank..<rank, using: &generator)
  }

  mutating func integers(_ values: [Int]) -> ValueID { builder.constant(.i64([values.count], values)) }

  // MARK: Sizes

  /// One number in a list of its own: a constant, or something computed of sizes.
  mutating func number(_ constants: [Int]) throws -> ValueID {
    switch pick([0, 0, 1, 2, 3, 4]) {
    case 0: return integers([pick(constants)])
    case 1:
      let x = try tensor(rank: 1...8)
      let shape = try builder.add1(Shape(), [x])
      return try builder.add1(Gather(), [shape, integers([try axis(of: x)])])
    case 2:
      let kind: Binary.Kind = pick([.add, .subtract, .multiply, .divide])
      return try builder.add1(Binary(kind), [try number(constants), integers([pick([1, 2, 2, 3])])])
    case 3: return try builder.add1(Binary(pick([.add, .subtract])), [try number(constants), try number(constants)])
    default:
      guard let list = lists.last else { return integers([pick(constants)]) }
      return try builder.add1(Gather(), [list, integers([0])])
    }
  }

  /// A shape: another tensor's, or some numbers.
  mutating func shape() throws -> ValueID {
    switch pick([0, 1, 2, 3]) {
    case 0: return try builder.add1(Shape(), [tensor()])
    case 1: return integers((0..<pick([1, 2, 3])).map { _ in pick([0, 1, 1, 2, 3, -1]) })
    case 2 where !lists.isEmpty: return pick(lists)
    default:
      var parts: [ValueID] = []
      for _ in 0..<pick([1, 2, 3]) { parts.append(try number([1, 2, -1, 0])) }
      return try builder.add1(Concat(axis: 0), parts)
    }
  }

  // MARK: Steps

  private mutating func step() throws {
    switch Int.random(in: 0..<34, using: &generator) {
    case 28: lists.append(try shape())
    case 29: lists.append(try builder.add1(Shape(), [tensor()]))
    case 30: tensors.append(try builder.add1(Cast(to: .f32), [pick(lists.isEmpty ? tensors : lists)]))
    case 31, 32, 33: tensors.append(try control())
    case let choice: tensors.append(try step(choice))
    }
  }

  private mutating func step(_ choice: Int) throws -> ValueID {
    let x = tensor()
    switch choice {
    case 0: return try builder.add1(Unary(pick([.relu, .tanh, .negate, .sigmoid, .abs])), [x])
    case 1, 2, 3: return try builder.add1(Binary(pick([.add, .subtract, .multiply])), [x, partner(of: x)])
    case 4, 5: return try builder.add1(MatMul(), [x, pick([x, tensor()])])
    case 6: return try builder.add1(Reshape(), [x, integers(pick([[-1], [0, -1], [1, -1], [-1, 1]]))])
    case 7: return try builder.add1(Reshape(), [x, shape()])
    case 8: return try builder.add1(try Flatten(attributeValues: ["axis": .int(axis(of: x))]), [x])
    case 9, 10:
      return try builder.add1(
        Concat(axis: axis(of: x)), pick([[x, tensor()], [x, partner(of: x)], [x, x], [x, x, x]]))
    case 11, 12: return try slice(x)
    case 13: return try gather(x)
    case 14: return try builder.add1(Transpose(Array(0..<builder.type(x).rank).shuffled(using: &generator)), [x])
    case 15, 16:
      // No products: those of many numbers are infinite, and then depend on their order where a zero is among them.
      let kind: Reduce.Kind = pick([.sum, .mean, .maximum, .minimum])
      return try builder.add1(Reduce(kind, keepsAxes: pick([true, false])), [x, integers([axis(of: x)])])
    case 17: return try builder.add1(Softmax(pick([.soft, .logarithmic]), axis: axis(of: x)), [x])
    case 18: return try builder.add1(Expand(), [x, try builder.add1(Shape(), [partner(of: x)])])
    case 19: return try builder.add1(Expand(), [x, shape()])
    case 20:
      let parts = pick([nil, nil, nil, try builder.add1(Concat(axis: 0), [number([0, 1, 2]), number([0, 1, 2])])])
      return try builder.add(Split(axis: axis(of: x)), [x, parts], outputs: 2)[pick([0, 1])]
    case 21: return try pad(x)
    case 22:
      var op = TopK()
      op.axis = try axis(of: x)
      return try builder.add(op, [x, number([0, 1, 2])], outputs: 2)[0]
    case 23: return try pick([true, false]) ? places(of: x) : compress(x)
    case 24:
      let condition = try builder.add1(Compare(.less), [x, partner(of: x)])
      return try builder.add1(Where(), [condition, x, partner(of: x)])
    case 25: return try window()
    case 26:
      let repeats = try (0..<builder.type(x).rank).map { _ in try number([0, 1, 2]) }
      return try builder.add1(Tile(), [x, try builder.add1(Concat(axis: 0), repeats)])
    default:
      let op: any Operator = pick([Unsqueeze(), Unsqueeze(), Squeeze()])
      return try builder.add1(op, [x, integers([axis(of: x)])])
    }
  }

  private mutating func slice(_ x: ValueID) throws -> ValueID {
    let (start, end) = (try number([0, 1, 2, -1, -2]), try number([0, 1, 2, 3, -1, 100]))
    return try builder.add1(Slice(), [x, start, end, integers([axis(of: x)]), integers([pick([1, 1, 2, -1])])])
  }

  private mutating func gather(_ x: ValueID) throws -> ValueID {
    let indices = pick(
      lists.isEmpty ? [integers([pick([0, 1, -1])])] : [integers([pick([0, 1, -1]), 0]), pick(lists)])
    return try builder.add1(Gather(axis: axis(of: x)), [x, indices])
  }

  private mutating func pad(_ x: ValueID) throws -> ValueID {
    var pads: [ValueID] = []
    for _ in 0..<(2 * (try builder.type(x).rank)) { pads.append(try number([0, 0, 1, 2, -1])) }
    return try builder.add1(
      Pad(pick([.constant, .constant, .edge, .reflect])), [x, try builder.add1(Concat(axis: 0), pads)])
  }

  /// Where it is positive, as numbers.
  private mutating func places(of x: ValueID) throws -> ValueID {
    let isPositive = try builder.add1(Compare(.greater), [x, builder.constant(.f32([], [0]))])
    return try builder.add1(Cast(to: .f32), [try builder.add1(NonZero(), [isPositive])])
  }

  private mutating func compress(_ x: ValueID) throws -> ValueID {
    let y = try tensor(rank: 1...1)
    let isPositive = try builder.add1(Compare(.greater), [y, builder.constant(.f32([], [0]))])
    var op = Compress()
    op.axis = try pick([nil, axis(of: x)])
    return try builder.add1(op, [x, isPositive])
  }

  private mutating func window() throws -> ValueID {
    let x = try tensor(rank: 3...4)
    let spatial = try builder.type(x).rank - 2
    func each(_ value: Int) -> AttributeValue { .ints(Array(repeating: value, count: spatial)) }
    let pads = AttributeValue.ints(Array(repeating: pick([0, 1]), count: 2 * spatial))
    let strides = each(pick([1, 2]))
    switch pick([0, 1, 2, 3]) {
    case 0, 1:
      let channels = try builder.type(x).shape[1].value ?? pick([1, 2, 3])
      let kernel = [Int](repeating: pick([1, 2, 3]), count: spatial)
      let weight = builder.constant(.random(.f32, [pick([1, 2, 4]), channels] + kernel, &generator))
      return try builder.add1(try Conv(attributeValues: ["pads": pads, "strides": strides]), [x, weight])
    case 2:
      let pool = try MaxPool(attributeValues: ["kernel_shape": each(2), "pads": pads, "strides": strides])
      return try builder.add1(pool, [x])
    default:
      let pool = try AveragePool(attributeValues: [
        "kernel_shape": each(pick([2, 3])), "pads": pads, "strides": strides,
      ])
      return try builder.add1(pool, [x])
    }
  }
}
