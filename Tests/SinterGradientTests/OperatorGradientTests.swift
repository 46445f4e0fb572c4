import SinterCore
import SinterGradient
import SinterIR
import SinterOps
import TestSupport
import Testing

/// The gradient of every operator that has one, on its examples, against central differences in f64.
@Suite struct OperatorGradientTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var type: any Operator.Type
    var testDescription: String { type.name }
  }

  static let differentiable = OpTable.standard.all.filter { $0 is any Differentiable.Type || $0 is any Composite.Type }
    .filter { untried[$0.name] == nil }.map { Case(type: $0) }

  /// Operators without an example that differences can judge, and why.
  static let untried: [String: String] = [
    "StopGradient": "its gradient is none by definition",
    "CastLike": "its examples give integers", "Compare": "its results are truth values",
    "Constant": "it has no inputs", "KeyedUniform": "its numbers follow from integers",
  ]

  @Test(arguments: differentiable)
  func agreesWithDifferences(_ item: Case) throws {
    var tried = 0
    for (index, example) in item.type.examples.enumerated() {
      let trial: GradientTrial
      do {
        guard let found = try GradientTrial(example) else { continue }
        trial = found
      } catch let error as DiagnosticError where error.diagnostics.allSatisfy({ $0.kind == .limit }) {
        // A case that is refused by name.
        continue
      }
      tried += 1
      for (name, given, expected) in try trial.gradients() {
        let scale = max(1, expected.map(abs).max() ?? 0)
        let worst = zip(given, expected).map { abs($0 - $1) }.max() ?? 0
        #expect(given.count == expected.count, "example \(index), \(name)")
        #expect(
          worst <= 1e-6 * scale,
          "example \(index), \(name): \(given.prefix(12)), but differences give \(expected.prefix(12))")
      }
    }
    // What only computes on integers has no gradient to try.
    let computesFloats = item.type is any Differentiable.Type
    #expect(tried > 0 || !computesFloats, "none of \(item.type.examples.count) examples could be tried")
  }
}

/// A node in f64, its result weighted by random numbers and summed.
private struct GradientTrial {
  private let forward: Graph
  private let backward: Graph
  private let inputs: [HostTensor]
  private let names: [Int]
  private let sizes: [Symbol: Int]

  /// Nil where an operator does not compute in f64, or has no float that it could be differentiated in.
  init?(_ example: OperatorExample) throws {
    var builder = GraphBuilder(name: "trial")
    var generator = SeededGenerator(seed: 11)
    var values = [ValueID?](repeating: nil, count: example.inputs.count)
    var tensors: [HostTensor] = []
    var varied: [(place: Int, value: ValueID)] = []
    func wide(_ tensor: HostTensor) -> HostTensor {
      guard tensor.element.isFloat else { return tensor }
      return HostTensor(.f64, tensor.shape, doubles: tensor.doubles ?? [])
    }
    for (index, input) in example.inputs.enumerated() {
      switch input {
      case .absent: continue
      case .constant(let tensor): values[index] = builder.constant(wide(tensor))
      case .given(let tensor):
        values[index] = builder.input(Fact(.tensor(wide(tensor).type)), named: "x\(index)")
        tensors.append(wide(tensor))
      case .random(let type, let range):
        let shape = try type.shape.map { try #require($0.evaluated { example.sizes[$0] }) }
        let element = type.element.isFloat ? ElementType.f64 : type.element
        let tensor = HostTensor.uniform(element, shape, in: range, &generator)
        let value = builder.input(Fact(.tensor(TensorType(element, type.shape))), named: "x\(index)")
        values[index] = value
        if element == .f64, tensor.count > 0 { varied.append((tensors.count, value)) }
        tensors.append(tensor)
      }
    }
    guard let outputs = try? builder.add(example.op, values, outputs: example.outputCount) else { return nil }
    let floats = outputs.filter { builder.fact($0).type.tensor?.element == .f64 }
    guard !varied.isEmpty, let first = floats.first else { return nil }
    // Random weights tell elements from one another.
    let shape = try GraphEvaluator.run(builder.graphWithOutputs([first]), tensors, symbols: example.sizes)[0].shape
    guard shape.reduce(1, *) > 0 else { return nil }
    let weights = HostTensor.uniform(.f64, shape, in: 0.5...1.5, &generator)
    let weight = builder.input(Fact(.tensor(TensorType(.f64, shape.map { Dim($0) }))), named: "weights")
    tensors.append(weights)
    let product = try builder.add(Binary(.multiply), [first, weight])[0]
    let loss = try builder.add(Reduce(.sum, keepsAxes: false), [product])[0]
    forward = builder.graphWithOutputs([loss])
    let gradients = try builder.gradients(of: loss, withRespectTo: varied.map(\.value))
    backward = builder.graphWithOutputs(gradients)
    inputs = tensors
    names = varied.map(\.place)
    sizes = example.sizes
  }

  /// For each varied input: by the rule, and by differences.
  func gradients() throws -> [(name: String, given: [Double], expected: [Double])] {
    #expect(GraphVerifier.problems(of: backward) == [])
    let given = try GraphEvaluator.run(backward, inputs, symbols: sizes)
    return try zip(names, given).map { place, gradient in
      #expect(gradient.shape == inputs[place].shape)
      let values = try #require(inputs[place].doubles)
      let step = 1e-5
      let expected = try values.indices.map { k in
        func loss(_ change: Double) throws -> Double {
          var moved = values
          moved[k] += change
          var all = inputs
          all[place] = HostTensor(.f64, inputs[place].shape, doubles: moved)
          return try GraphEvaluator.run(forward, all, symbols: sizes)[0].doubles?.first ?? .nan
        }
        return try (loss(step) - loss(-step)) / (2 * step)
      }
      return ("input \(place)", gradient.doubles ?? [], expected)
    }
  }
}

extension GraphBuilder {
  func graphWithOutputs(_ values: [ValueID]) -> Graph {
    var copy = self
    for (index, value) in values.enumerated() { copy.output(value, named: "y\(index)") }
    var graph = copy.graph
    graph.removeDeadNodes()
    return graph
  }
}

extension HostTensor {
  static func uniform(
    _ element: ElementType, _ shape: [Int], in range: ClosedRange<Double>, _ generator: inout SeededGenerator
  ) -> HostTensor {
    HostTensor(
      element, shape,
      doubles: (0..<shape.reduce(1, *)).map { _ in
        let value = Double.random(in: range, using: &generator)
        return element.isFloat ? value : value.rounded(.down)
      })
  }
}
