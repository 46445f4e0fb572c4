import SinterCore
import SinterIR
import SinterPasses

/// Makes a model compute in bytes: its products and convolutions with constant weights get pairs of `QuantizeLinear` and
/// `DequantizeLinear`, which runtimes take for integer arithmetic.
///
/// Ranges of activations are taken from samples. All errors of a stage are thrown together.
package struct ByteQuantizer {
  package var options: QuantizationOptions
  package let runner: GraphRunner

  package init(_ options: QuantizationOptions, runner: @escaping GraphRunner) {
    self.options = options
    self.runner = runner
  }

  /// Errors are measured on so many of the samples at most, spread evenly over all, and those of each layer alone on fewer.
  private static let checkedRuns = 16
  private static let checkedRunsAlone = 4

  /// What keeps a model from being quantized, whatever the data.
  package func problems(of model: Graph) -> [Diagnostic] {
    do {
      _ = try LayerSelection(of: model, excluding: options.excluded)
      return []
    } catch {
      return (error as? DiagnosticError)?.diagnostics ?? [Diagnostic(.bug, "quantize.layers", "\(error)")]
    }
  }

  /// The quantized graph, and what that did to the model.
  ///
  /// - Parameters:
  ///   - samples: what ranges are taken from.
  ///   - checks: what errors are measured on; the samples by default.
  package func quantize(
    _ model: Graph, samples: any SampleSource, checks: (any SampleSource)? = nil
  ) throws -> (graph: Graph, report: QuantizationReport) {
    let selection = try LayerSelection(of: model, excluding: options.excluded)
    let graph = selection.graph
    if samples.count == 0 {
      throw DiagnosticError(.user, "quantize.data", "there is no sample to take ranges from", hint: "give at least one")
    }
    let numbers = try numbers(selection.layers, of: graph, samples)

    let probe = try LayerProbe(graph, numbers, by: runner)
    let checking = try CheckRuns(probe, checks ?? samples, limit: Self.checkedRuns, layers: numbers.count)
    var quantized = [Bool](repeating: true, count: numbers.count)
    var alone: [Double?] = quantized.map { _ in nil }
    if let most = options.maximumLoss, try checking.loss(quantized) > most {
      let losses = try quantized.indices.map { index in
        try checking.loss(quantized.indices.map { $0 == index }, runs: Self.checkedRunsAlone)
      }
      alone = losses
      quantized = try Self.leastLeftOut(worstFirst: quantized.indices.sorted { (losses[$1], $0) < (losses[$0], $1) }) {
        try checking.loss($0) <= most
      }
    }
    let result = try graph.quantizing(zip(numbers, quantized).filter(\.1).map(\.0))
    let outputs = try checking.errors(quantized).sorted { $0.key < $1.key }
    let layers = numbers.indices.map { index in
      QuantizationReport.Layer(
        name: numbers[index].layer.name, opType: numbers[index].layer.kind.rawValue,
        outcome: quantized[index] ? .quantized : .tooLossy, error: checking.layers[index], lossAlone: alone[index])
    }
    let report = QuantizationReport(
      layers: layers + selection.excludedRows,
      outputs: outputs.map { .init(name: graph.outputs[$0.key].name, error: $0.value) }, calibrationRuns: samples.count,
      checkedRuns: checking.count)
    return (result, report)
  }

  /// Runs the samples, and chooses all numbers of the layers.
  private func numbers(
    _ layers: [QuantizableLayer], of graph: Graph, _ samples: any SampleSource
  ) throws -> [LayerNumbers] {
    let results = Set(layers.filter { $0.isQuantizedInPlace(options) }.map(\.result))
    var values: [ValueID] = []
    var sources: [ValueID: ValueID] = [:]
    for layer in layers {
      let wanted = [
        graph.nodes[layer.node].inputs[layer.activation], results.contains(layer.result) ? layer.result : nil,
      ]
      for case let value? in wanted where sources[value] == nil {
        sources[value] = graph.source(of: value, in: results) ?? value
        if sources[value] == value { values.append(value) }
      }
    }
    let calibration = try Calibration(of: values, in: graph, on: samples, by: runner)
    let problems = calibration.problems(in: graph, layers: layers)
    if !problems.isEmpty { throw DiagnosticError(problems) }
    let own = calibration.histograms.mapValues {
      ActivationScale(options.method.range(of: $0, symmetric: options.symmetric), symmetric: options.symmetric)
    }
    let scales = sources.compactMapValues { own[$0] }
    return try layers.map { try LayerNumbers($0, in: graph, scales: scales, options) }
  }

  /// Leaves out as few of the worst as `holds` needs, found by doubling and halving. That it holds with none is taken for granted.
  package static func leastLeftOut(worstFirst: [Int], holds: ([Bool]) throws -> Bool) rethrows -> [Bool] {
    func without(_ count: Int) -> [Bool] {
      var chosen = [Bool](repeating: true, count: worstFirst.count)
      for index in worstFirst.prefix(count) { chosen[index] = false }
      return chosen
    }
    var (tooFew, enough) = (0, 1)
    while enough < worstFirst.count, try !holds(without(enough)) {
      tooFew = enough
      enough *= 2
    }
    enough = min(enough, worstFirst.count)
    while enough - tooFew > 1 {
      let middle = (tooFew + enough) / 2
      if try holds(without(middle)) { enough = middle } else { tooFew = middle }
    }
    return without(enough)
  }
}
