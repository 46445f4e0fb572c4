import SinterCore
import SinterIR
import SinterOps

/// A graph that holds each layer twice, as it was and quantized, with an input that says which one's result goes on. One compilation thus
/// serves every choice of layers.
struct LayerProbe {
  private let run: PreparedGraph
  private let layerCount: Int
  private let outputs: [Graph.Port]
  /// The outputs that are compared: floats, or all numbers where there are none.
  private let compared: [Int]

  init(_ graph: Graph, _ layers: [LayerNumbers], by runner: GraphRunner) throws {
    run = try runner(try Self.probe(graph, layers))
    layerCount = layers.count
    outputs = graph.outputs
    let elements = graph.outputs.map { graph.type(of: $0.value).tensor?.element }
    let floats = elements.indices.filter { elements[$0]?.isFloat ?? false }
    compared = floats.isEmpty ? elements.indices.filter { elements[$0]?.isInteger ?? false } : floats
  }

  /// What one run of the probe gives.
  struct Outcome {
    var outputs: [HostTensor]
    /// For each layer, what its quantized result differs from its own on the same input.
    var layers: [ErrorSums]
  }

  /// Runs with the quantized results of chosen layers.
  func run(_ inputs: [HostTensor], quantized: [Bool]) throws -> Outcome {
    let switches = quantized.map { HostTensor(.bool, [], values: [$0]) }
    let results = try run(inputs + switches)
    let sums = results.dropFirst(outputs.count).map { $0.doubles?.first ?? 0 }
    let layers = (0..<layerCount).map { index in
      var error = ErrorSums()
      error.add(signal: sums[2 * index], noise: sums[2 * index + 1])
      return error
    }
    return Outcome(outputs: Array(results.prefix(outputs.count)), layers: layers)
  }

  /// What the outputs differ from references, by port; ports that are not compared are not there.
  func add(_ outputs: [HostTensor], references: [HostTensor], to errors: inout [Int: ErrorSums]) {
    for index in compared { errors[index, default: ErrorSums()].add(outputs[index], reference: references[index]) }
  }

  private static func probe(_ graph: Graph, _ layers: [LayerNumbers]) throws -> Graph {
    var insertion = GraphInsertion(graph)
    var sums: [ValueID] = []
    for (index, numbers) in layers.enumerated() {
      let (layer, node) = (numbers.layer, graph.nodes[numbers.layer.node])
      let name = "$layer\(index)"
      let place = GraphInsertion.Place.after(layer.clipping.last ?? layer.node)
      func add(_ op: any Operator, _ inputs: [ValueID?]) throws -> ValueID {
        try insertion.add(op, inputs, at: place, named: "", node: name)
      }
      // Inside the probe the layer's own input may have been replaced by then: what is given here must be what goes on.
      guard let input = node.inputs[layer.activation].map({ insertion.current($0) }) else { continue }
      var inputs = node.inputs
      inputs[layer.activation] = try insertion.addPair(of: input, numbers.activation, at: place, name)
      inputs[layer.weights] = insertion.constant(numbers.weights.dequantized, named: "")
      if let bias = numbers.bias, let index = layer.bias {
        inputs[index] = insertion.constant(bias.dequantized, named: "")
      }
      var quantized = try add(node.op, inputs)
      for id in layer.clipping {
        quantized = try add(graph.nodes[id].op, [quantized] + graph.nodes[id].inputs.dropFirst())
      }
      if let scale = numbers.result { quantized = try insertion.addPair(of: quantized, scale, at: place, name) }
      let difference = try add(Binary(.subtract), [quantized, layer.result])
      for value in [layer.result, difference] { sums.append(try add(Reduce(.sumSquare, keepsAxes: false), [value])) }
      let isQuantized = insertion.input(Fact(.bool, []), named: name)
      let chosen = try add(Where(), [isQuantized, quantized, layer.result])
      insertion.replaceUses(of: layer.result, with: chosen)
    }
    var result = insertion.finished()
    for (index, value) in sums.enumerated() { result.outputs.append(.init(name: "$sum\(index)", value: value)) }
    return result
  }
}
