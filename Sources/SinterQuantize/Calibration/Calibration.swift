import SinterCore
import SinterIR

/// A graph made ready: gives its outputs for its inputs, both in the order of ports.
package typealias PreparedGraph = (_ inputs: [HostTensor]) throws -> [HostTensor]

/// Makes graphs ready to run: by interpreting them, or by compiling them. This module knows no compiler.
package typealias GraphRunner = (Graph) throws -> PreparedGraph

/// Inputs that a model is used on, one run after another.
package protocol SampleSource {
  var count: Int { get }
  /// One tensor a port, in the order of ports.
  func inputs(_ index: Int) throws -> [HostTensor]
}

extension SampleSource {
  /// Says in errors which of the runs they happened in.
  func locating<R>(_ index: Int, _ body: () throws -> R) throws -> R {
    do {
      return try body()
    } catch let error as DiagnosticError {
      throw error.located(at: "run \(index + 1) of \(count) on the data")
    }
  }
}

/// The values that tensors of a graph take on samples.
struct Calibration {
  let histograms: [ValueID: ValueHistogram]

  /// Runs the graph on all samples with the values as its outputs.
  init(of values: [ValueID], in graph: Graph, on samples: any SampleSource, by runner: GraphRunner) throws {
    var histograms: [ValueID: ValueHistogram] = [:]
    let ports = Dictionary(graph.inputs.enumerated().map { ($1.value, $0) }) { first, _ in first }
    let inner = values.filter { ports[$0] == nil }
    var watched = graph
    watched.outputs = inner.map { Graph.Port(name: "\($0)", value: $0) }
    let run: PreparedGraph = inner.isEmpty ? { _ in [] } : try runner(watched)
    for index in 0..<samples.count {
      let inputs = try samples.inputs(index)
      let outputs = try samples.locating(index) { try run(inputs) }
      for value in values {
        if let port = ports[value] { histograms[value, default: ValueHistogram()].add(inputs[port]) }
      }
      for (value, tensor) in zip(inner, outputs) { histograms[value, default: ValueHistogram()].add(tensor) }
    }
    self.histograms = histograms
  }

  /// What is wrong with the values: no scale tells infinities.
  func problems(in graph: Graph, layers: [QuantizableLayer]) -> [Diagnostic] {
    var told: Set<ValueID> = []
    return layers.flatMap { layer -> [Diagnostic] in
      let input = graph.nodes[layer.node].inputs[layer.activation]
      return [(input, "input"), (layer.result, "result")].compactMap { value, role in
        guard let value, let strange = histograms[value]?.strange, strange > 0, told.insert(value).inserted else {
          return nil
        }
        return Diagnostic(
          .user, "quantize.finite",
          "\(layer.kind.rawValue): \(strange) values of its \(role) are infinite or no numbers on the calibration data",
          at: ["node \(layer.name)"], hint: "mend the data, or leave the layer as it is with --exclude '\(layer.name)'")
      }
    }
  }
}
