import SinterCore
import SinterGradient
import SinterIR
import SinterOps
import TestSupport
import Testing

/// Results in f64, weighted by random numbers and summed, and the sum's gradients: by rules and by central differences.
struct GradientCheck {
  /// An input that is moved.
  struct Varied {
    var name: String
    /// Among the inputs.
    var place: Int
    var value: ValueID
  }

  let forward: Graph
  let backward: Graph
  private(set) var inputs: [HostTensor]
  private let varied: [Varied]
  private let sizes: [Symbol: Int]
  /// At most so many elements of an input are moved.
  private let limit = 24

  /// Nil where there is nothing to differentiate.
  ///
  /// - Parameters:
  ///   - results: all of which count that are f64.
  ///   - inputs: the tensors for the builder's inputs.
  init?(
    _ builder: GraphBuilder, _ results: [ValueID], _ inputs: [HostTensor], varied: [Varied], sizes: [Symbol: Int] = [:],
    seed: UInt64 = 11
  ) throws {
    var (builder, tensors) = (builder, inputs)
    var generator = SeededGenerator(seed: seed)
    let floats = results.filter { builder.fact($0).type.tensor?.element == .f64 }
    guard !varied.isEmpty, !floats.isEmpty else { return nil }
    // Random weights tell elements from one another.
    let values = try GraphEvaluator.run(builder.graphWithOutputs(floats), tensors, symbols: sizes)
    var parts: [ValueID] = []
    for (result, value) in zip(floats, values) where value.count > 0 {
      // Scores that masks have made infinite would drown all others.
      guard value.doubles?.allSatisfy(\.isFinite) ?? false else { continue }
      tensors.append(HostTensor.uniform(.f64, value.shape, in: 0.5...1.5, &generator))
      let weight = builder.input(
        Fact(.tensor(TensorType(.f64, value.shape.map { Dim($0) }))), named: "weights\(builder.graph.inputs.count)")
      let product = try builder.add1(Binary(.multiply), [result, weight])
      parts.append(try builder.add1(Reduce(.sum, keepsAxes: false), [product]))
    }
    guard let first = parts.first else { return nil }
    let loss = parts.count == 1 ? first : try builder.add1(Variadic(.sum), parts)
    let gradients = try builder.gradients(of: loss, withRespectTo: varied.map(\.value))
    // With expansions where gradients go through them; a test of their own holds these against what they stand for.
    forward = builder.graphWithOutputs([loss])
    backward = builder.graphWithOutputs(gradients)
    (self.inputs, self.varied, self.sizes) = (tensors, varied, sizes)
  }

  /// For each varied input the elements that were moved, their gradients by the rules, and by differences.
  func gradients() throws -> [(name: String, given: [Double], expected: [Double])] {
    #expect(GraphVerifier.problems(of: backward) == [])
    let given = try GraphEvaluator.run(backward, inputs, symbols: sizes)
    return try zip(varied, given).map { item, gradient in
      let place = item.place
      #expect(gradient.shape == inputs[place].shape)
      let values = try #require(inputs[place].doubles)
      let step = 1e-5
      var generator = SeededGenerator(seed: 5)
      let moved =
        values.count <= limit ? Array(values.indices) : Array(values.indices.shuffled(using: &generator).prefix(limit))
      let expected = try moved.map { k in
        func loss(_ change: Double) throws -> Double {
          var moved = values
          moved[k] += change
          var all = inputs
          all[place] = HostTensor(.f64, inputs[place].shape, doubles: moved)
          return try GraphEvaluator.run(forward, all, symbols: sizes)[0].doubles?.first ?? .nan
        }
        return try (loss(step) - loss(-step)) / (2 * step)
      }
      let all = try #require(gradient.doubles)
      return (item.name, moved.map { all[$0] }, expected)
    }
  }

  /// Records where rules and differences disagree.
  func expectAgreement(_ what: String, within tolerance: Double = 1e-6) throws {
    // What rounding of a large sum makes of a difference over 2e-5.
    let noise = abs(try GraphEvaluator.run(forward, inputs, symbols: sizes)[0].doubles?.first ?? 0) * 1e-10
    for (name, given, expected) in try gradients() {
      let scale = max(1, expected.map(abs).max() ?? 0)
      let worst = zip(given, expected).map { abs($0 - $1) }.max() ?? 0
      #expect(given.count == expected.count, "\(what), \(name)")
      #expect(
        worst <= tolerance * scale + noise,
        "\(what), \(name): \(given.prefix(12)), but differences give \(expected.prefix(12))")
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
