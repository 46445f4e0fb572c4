import SinterCore
import SinterIR
import SinterOps
import TestSupport
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
    for case (let index, .constant(let given)) in example.inputs.enumerated() {
      values[index] = builder.constant(given)
    }
    let results = try builder.add(example.op, values, outputs: example.outputCount)
    for (index, result) in results.enumerated() { builder.output(result, named: "y\(index)") }
    graph = builder.graph
  }

  func run(sizes: [Symbol: Int]) throws -> [HostTensor] { try GraphEvaluator.run(graph, inputs, symbols: sizes) }
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
}
