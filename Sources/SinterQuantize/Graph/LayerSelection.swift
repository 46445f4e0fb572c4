import SinterCore
import SinterIR
import SinterPasses

/// What of a model is quantized.
struct LayerSelection {
  /// The model with its weights as constants of its layers, and batch normalization in the convolutions before it.
  let graph: Graph
  let layers: [QuantizableLayer]
  let excluded: [QuantizableLayer]

  /// Throws all that is wrong at once.
  ///
  /// - Parameter suits: which layers are looked at.
  init(of model: Graph, excluding names: [String], where suits: (QuantizableLayer) -> Bool = { _ in true }) throws {
    var graph = model
    var problems = model.quantizedNodes.map { opType, name in
      Diagnostic(
        .user, "quantize.quantized", "the model is quantized already: it has \(opType)", at: ["node \(name)"],
        hint: "give the f32 model that it was made from")
    }
    var manager = PassManager(flags: .fromEnvironment())
    try manager.run(Pipelines.prepareQuantization, on: &graph)
    let patterns = names.map { NamePattern($0) }
    let (layers, excluded, found) = graph.quantizableLayers(excluding: patterns, where: suits)
    problems += found
    for pattern in patterns where !excluded.contains(where: { pattern.matches($0.name) }) {
      let known = (layers + excluded).prefix(8).map(\.name).joined(separator: ", ")
      problems.append(
        Diagnostic(
          .user, "quantize.exclude", "no layer is named \(pattern.text)",
          hint: known.isEmpty ? nil : "layers are \(known)\(layers.count + excluded.count > 8 ? ", …" : "")"))
    }
    if layers.isEmpty, problems.isEmpty {
      problems.append(
        Diagnostic(
          .user, "quantize.layers",
          excluded.isEmpty
            ? "there is nothing to quantize: the model has no Conv, MatMul or Gemm with constant weights"
            : "there is nothing left to quantize: all layers are excluded",
          hint: excluded.isEmpty ? nil : "exclude fewer"))
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    (self.graph, self.layers, self.excluded) = (graph, layers, excluded)
  }

  var excludedRows: [QuantizationReport.Layer] {
    excluded.map { .init(name: $0.name, opType: $0.kind.rawValue, outcome: .excluded, error: nil, lossAlone: nil) }
  }
}
