import SinterCore
import SinterIR
import SinterOps
import Testing

/// An operator's example as a graph, and inputs for it.
struct ExampleCase {
  var graph: Graph
  var inputs: [HostTensor]

  /// - Parameters:
  ///   - isBound: whether symbols become numbers in the inputs' types.
  ///   - isConstant: whether all inputs become constants of the graph.
  init(_ example: OperatorExample, isBound: Bool = false, isConstant: Bool = false) throws {
    var builder = GraphBuilder(name: Swift.type(of: example.op).name)
    var generator = SeededGenerator(seed: 7)
    var values = [ValueID?](repeating: nil, count: example.inputs.count)
    inputs = []
    for (index, input) in example.inputs.enumerated() {
      var tensor: HostTensor
      var type: TensorType
      switch input {
      case .absent, .constant: continue
      case .given(let given):
        tensor = given
        type = given.type
      case .random(let given, let range):
        let shape = try given.shape.map { size in
          try #require(size.evaluated { example.sizes[$0] }, "the example gives no value of \(size)")
        }
        tensor = HostTensor.random(given.element, shape, in: range, &generator)
        type = isBound ? tensor.type : given
      }
      if isConstant {
        values[index] = builder.constant(tensor)
      } else {
        values[index] = builder.input(Fact(.tensor(type)), named: "x\(index)")
        inputs.append(tensor)
      }
    }
    // Constants come behind inputs, as text forms have them.
    for case (let index, .constant(let given)) in example.inputs.enumerated() { values[index] = builder.constant(given) }
    let results = try builder.add(example.op, values, outputs: example.outputCount)
    for (index, result) in results.enumerated() { builder.output(result, named: "y\(index)") }
    graph = builder.graph
  }

  func run(sizes: [Symbol: Int]) throws -> [HostTensor] { try GraphEvaluator.run(graph, inputs, symbols: sizes) }
}

/// A generator that gives the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed &+ 0x9e37_79b9_7f4a_7c15 }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

extension HostTensor {
  /// Uniform numbers; integers and truth values are rounded down.
  static func random(
    _ element: ElementType, _ shape: [Int], in range: ClosedRange<Double>, _ generator: inout SeededGenerator
  ) -> HostTensor {
    let values = (0..<shape.reduce(1, *)).map { _ in
      let value = Double.random(in: range, using: &generator)
      return element.isFloat ? value : value.rounded(.down)
    }
    return HostTensor(element, shape, doubles: values)
  }

  /// The largest difference to another tensor, relative to its largest magnitude (at least 1).
  func distance(to other: HostTensor) -> Double {
    guard element == other.element, shape == other.shape else { return .infinity }
    guard element.isFloat, let a = doubles, let b = other.doubles else { return hasSameContents(as: other) ? 0 : .infinity }
    let scale = b.reduce(1) { Swift.max($0, $1.isFinite ? Swift.abs($1) : 0) }
    return zip(a, b).reduce(0) { worst, pair in
      if pair.0 == pair.1 || (pair.0.isNaN && pair.1.isNaN) { return worst }
      let error = Swift.abs(pair.0 - pair.1) / scale
      return error.isNaN ? .infinity : Swift.max(worst, error)
    }
  }
}
