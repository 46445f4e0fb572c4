import SinterCore
import SinterIR

extension GraphImporter {
  /// Adds the graph's inputs, except those that have an initializer as their default and are no state.
  mutating func declareInputs(of graph: OnnxFile.Graph, shapes: [String: [Dim]]) {
    let sizes = context.sizes
    let defaults = Set(graph.initializers.map(\.name) + graph.sparseInitializers.map(\.values.name))
    let inputs = graph.inputs.filter { !defaults.contains($0.name) || stateOutputs[$0.name] != nil }
    var dims = DimReader(inputs.map(\.type))
    var symbols: Set<Symbol> = []
    builder.takenNames = Set(inputs.map(\.name) + graph.outputs.map(\.name))
    for input in inputs {
      do {
        if let declared = input.type,
          let (fact, sizes) = try structuredInput(declared, port: input.name, shape: shapes[input.name], &dims)
        {
          names[input.name] = .structured(builder.input(fact, named: input.name, elementSizes: sizes))
          continue
        }
        var note = ""
        let named = try valueType(of: input, &dims, shape: shapes[input.name], note: &note)
        symbols.formUnion(named.symbols)
        let type = named.mapDims { $0.substituting { sizes[$0].map { Dim($0) } } }
        names[input.name] = .value(builder.input(Fact(type), named: input.name, note: note))
      } catch {
        names[input.name] = .failed
        for diagnostic in (error as? DiagnosticError)?.located(at: "input \(input.name)").diagnostics ?? [] {
          report(diagnostic)
        }
      }
    }
    for diagnostic in Graph.problems(binding: sizes, of: symbols.sorted(), ranges: [:]) { report(diagnostic) }
    let unknown = shapes.keys.filter { name in !inputs.contains { $0.name == name } }.sorted()
    for name in unknown {
      let known = inputs.map(\.name).joined(separator: ", ")
      report(
        Diagnostic(
          .user, "onnx.shape", "a shape is given for \(name), but the model has no such input",
          hint: "its inputs are \(known)"))
    }
  }

  private func valueType(
    of input: OnnxFile.ValueInfo, _ dims: inout DimReader, shape: [Dim]?, note: inout String
  ) throws -> ValueType {
    guard let declared = input.type else {
      throw DiagnosticError(.user, "onnx.type", "the input has no type", hint: "export the model again")
    }
    if let shape, case .tensor(let element?, let old) = declared {
      guard old == nil || old?.count == shape.count else {
        throw DiagnosticError(
          .user, "onnx.shape", "the given shape has \(shape.count) axes, but the model's has \(old?.count ?? 0)",
          hint: "give one size for each axis")
      }
      return .tensor(TensorType(element, shape))
    }
    if case .tensor(.some, nil) = declared {
      throw DiagnosticError(
        .limit, "onnx.rank", "the number of axes of the input is not known", hint: "give its shape")
    }
    guard let type = try dims.valueType(declared, port: input.name) else {
      throw DiagnosticError(
        .limit, "onnx.type", "the type of the input is left open in part", hint: "export the model with full types")
    }
    if dims.isChanged, case .tensor(_, let old?) = declared {
      note = "[" + old.map(\.description).joined(separator: ", ") + "]"
    }
    return type
  }
}

extension DeclaredDim: CustomStringConvertible {
  package var description: String {
    switch self {
    case .value(let value): "\(value)"
    case .symbol(let name): name
    case .unknown: "?"
    }
  }
}
