import SinterCore
import SinterIR

/// States in ONNX files: an input that has an initializer, which is its default and what a session starts with, and an entry among the model's
/// metadata, `sinter.state:NAME`, whose value is the name of the output that it becomes, or empty. Other runtimes see a function whose state goes
/// in and comes out.
enum StateMetadata {
  private static let prefix = "sinter.state:"

  static func entry(_ input: String, becoming output: String?) -> OnnxFile.Entry {
    OnnxFile.Entry(prefix + input, output ?? "")
  }

  /// The outputs that states become, by the names of their inputs.
  static func outputs(_ entries: [OnnxFile.Entry]) -> [String: String] {
    var found: [String: String] = [:]
    for entry in entries where entry.key.hasPrefix(prefix) {
      found[String(entry.key.dropFirst(prefix.count))] = entry.value
    }
    return found
  }
}

extension OnnxFile {
  /// Notes the states of the graph that was exported as this file's.
  mutating func addStates(of source: SinterIR.Graph) {
    // Counted from the end, since sequences before them are one port here.
    for state in source.states {
      let name = graph.inputs[graph.inputs.count - source.inputs.count + state.input].name
      let output = state.output.map { graph.outputs[graph.outputs.count - source.outputs.count + $0].name }
      graph.initializers.append(Tensor(name, state.initial))
      metadata.append(StateMetadata.entry(name, becoming: output))
    }
  }
}

extension GraphImporter {
  /// Makes inputs states, as the file's metadata tell. `stateOutputs` must have been set before inputs were declared.
  mutating func addStates(of graph: OnnxFile.Graph) {
    if stateOutputs.isEmpty { return }
    var states: [StatePort] = []
    let outputs = builder.graph.outputs.map(\.name)
    for (index, port) in builder.graph.inputs.enumerated() {
      guard let output = stateOutputs[port.name],
        let initial = graph.initializers.first(where: { $0.name == port.name })?.value
      else { continue }
      guard output.isEmpty || outputs.contains(output) else {
        report(
          Diagnostic(
            .user, "onnx.state", "state \(port.name) becomes \(output), which is no output",
            hint: "export the model again"))
        continue
      }
      states.append(StatePort(input: index, output: outputs.firstIndex(of: output), initial: initial))
    }
    let problems = StatePort.problems(
      states, inputs: builder.graph.inputs.map { builder.graph.type(of: $0).tensor },
      outputs: builder.graph.outputs.map { builder.graph.type(of: $0).tensor })
    builder.setStates(states)
    for problem in problems { report(Diagnostic(.user, "onnx.state", problem, hint: "export the model again")) }
  }
}
