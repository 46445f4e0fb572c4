import SinterCore
import SinterIR
import SinterOps

extension OpTable {
  /// All operators that Sinter has, and ONNX's nodes that ask for gradients.
  public static let complete = standard.adding([.gradient])
}

extension OnnxRule {
  /// ONNX's `Gradient`: the derivatives of a value of the file, which the node names (`y`), with respect to others (`xs`), at given values of these
  /// and of further ones (`zs`), which the node has as inputs. Where these are what is named, that is what is differentiated; otherwise the
  /// nodes between are computed again. Of a value with several elements their sum is meant.
  static let gradient = OnnxRule("Gradient", domain: "ai.onnx.preview.training") { node, builder in
    let (sources, others) = (node.strings("xs") ?? [], node.strings("zs") ?? [])
    guard let target = node.string("y"), !sources.isEmpty else {
      throw DiagnosticError(
        .user, "onnx.gradient", "attributes xs and y must name values of the graph, but are missing")
    }
    guard node.inputs.count == sources.count + others.count else {
      throw DiagnosticError(
        .user, "onnx.gradient",
        "xs and zs name \(sources.count + others.count) values, but \(node.inputs.count) are given")
    }
    let graph = builder.graph
    func named(_ name: String) throws -> ValueID {
      guard let value = graph.values.indices.last(where: { graph.values[$0].name == name }) else {
        throw DiagnosticError(
          .user, "onnx.gradient", "no value before the node is named \"\(name)\"",
          hint: "xs, zs and y name inputs, or results of earlier nodes, of the same graph")
      }
      return value
    }
    var given: [ValueID: ValueID] = [:]
    for (index, name) in (sources + others).enumerated() {
      guard let input = node.inputs[index] else {
        throw DiagnosticError(.user, "operator.input", "input \(index) is missing", hint: "connect it")
      }
      given[try named(name)] = input
    }
    var value = try named(target)
    if given.contains(where: { $0.key != $0.value }) {
      for id in graph.values.indices where given[id] == nil && graph.producer(of: id) == nil { given[id] = id }
      try builder.copyNodes(of: graph, computing: [value], &given) { _ in nil }
      value = given[value] ?? value
    }
    return try builder.gradients(of: value, withRespectTo: node.inputs.prefix(sources.count).compactMap { $0 })
  }
}
