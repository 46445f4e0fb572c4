import SinterCore
import SinterIR
import SinterOps

/// Graphs of operators that passes know something about, put together at random.
package struct RandomGraph {
  private var builder: GraphBuilder
  private var generator: SeededGenerator
  private var values: [ValueID] = []

  package static func make(seed: UInt64, steps: Int) throws -> Graph {
    var random = RandomGraph(builder: GraphBuilder(name: "random\(seed)"), generator: SeededGenerator(seed: seed))
    for index in 0..<2 {
      let shape: [Dim] = ["n", 4, Dim(random.pick([1, 2, 6])), Dim(random.pick([1, 3, 6]))]
      random.values.append(random.builder.input(Fact(.f32, shape), named: "x\(index)"))
    }
    for _ in 0..<steps {
      // An operator that refuses its random inputs is another graph's luck.
      if let value = try? random.step() { random.values.append(value) }
    }
    for (index, value) in random.values.suffix(3).enumerated() { random.builder.output(value, named: "y\(index)") }
    return random.builder.graph
  }

  private mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &generator)] }

  private mutating func constant(_ shape: [Int]) -> ValueID {
    builder.constant(.random(.f32, shape, &generator))
  }

  /// A constant that broadcasts to a shape whose open sizes it leaves alone.
  private mutating func broadcast(to shape: [Dim]) -> ValueID {
    let kept = Int.random(in: 0...shape.count, using: &generator)
    let sizes = shape.suffix(kept).map { dim in dim.value.map { pick([1, $0]) } ?? 1 }
    return pick([0, 1, 2]) == 0 ? builder.constant(.f32([], [pick([0, 1, 0.5])])) : constant(sizes)
  }

  /// Refuses what only some values of the open sizes allow.
  private mutating func binary(_ kind: Binary.Kind, _ a: ValueID, _ b: ValueID) throws -> ValueID {
    let (x, y) = (try builder.type(a).shape, try builder.type(b).shape)
    for (p, q) in zip(x.reversed(), y.reversed()) where p != q && p != 1 && q != 1 {
      throw DiagnosticError(.user, "random", "\(p) and \(q) need not be equal")
    }
    return try builder.add1(Binary(kind), [a, b])
  }

  private mutating func integers(_ values: [Int]) -> ValueID { builder.constant(.i64([values.count], values)) }

  private mutating func step() throws -> ValueID {
    let x = pick(Array(values.suffix(6)))
    let shape = try builder.type(x).shape
    let rank = shape.count
    switch Int.random(in: 0..<16, using: &generator) {
    case 0: return try builder.add1(Unary(pick([.relu, .tanh, .negate, .sigmoid, .abs])), [x])
    case 1: return try binary(pick([.add, .subtract, .multiply]), x, broadcast(to: shape))
    case 2: return try binary(pick([.add, .multiply]), broadcast(to: shape), x)
    case 3, 4: return try binary(pick([.add, .subtract, .multiply]), x, pick(values))
    case 5: return try builder.add1(Transpose(Array(0..<rank).shuffled(using: &generator)), [x])
    case 6: return try builder.add1(pick([Transpose([0, 2, 3, 1]), Transpose([0, 3, 1, 2])]), [x])
    case 7, 8:
      guard rank == 4, let channels = shape[1].value else { return try builder.add1(Identity(), [x]) }
      let conv = try Conv(attributeValues: ["pads": .ints([1, 1, 1, 1])])
      return try builder.add1(conv, [x, constant([4, channels, 3, 3]), pick([nil, constant([4])])])
    case 9:
      guard rank >= 2, let channels = shape[1].value else { return try builder.add1(Identity(), [x]) }
      let ones = builder.constant(.f32([channels], [Float](repeating: 0.75, count: channels)))
      return try builder.add1(BatchNormalization(), [x, ones, constant([channels]), constant([channels]), ones])
    case 10:
      let pool = try MaxPool(attributeValues: ["kernel_shape": .ints([2, 2])])
      return pick([true, false]) ? try builder.add1(pool, [x]) : try builder.add1(GlobalPool(), [x])
    case 11: return try builder.add1(Concat(axis: pick([1, -1])), [x, x])
    case 12:
      let axis = pick([1, -1])
      let shape = try builder.type(x).shape
      guard let size = shape[axis < 0 ? axis + shape.count : axis].value, size % 2 == 0 else { return x }
      return try builder.add(Split(axis: axis), [x], outputs: 2)[pick([0, 1])]
    case 13:
      let axes = pick([[-1], [1], [2, 3], [1, 2]])
      return try builder.add1(
        Reduce(pick([.sum, .mean, .maximum]), keepsAxes: pick([true, false])), [x, integers(axes)])
    case 14: return try builder.add1(Softmax(.soft, axis: pick([1, -1])), [x])
    default:
      let sizes = try builder.add1(Shape(), [x])
      let flat = try builder.add1(Reshape(), [x, integers([0, -1])])
      return pick([true, false]) ? try builder.add1(Reshape(), [flat, sizes]) : flat
    }
  }
}
