import SinterCore
import SinterIR

/// Writes a graph as an ONNX file.
///
/// An operator that ONNX has becomes one node; any other composite becomes the nodes of its expansion. Values keep
/// their names, made unique where they are not; nodes are named after where they come from.
package struct OnnxExporter: Sendable {
  /// The opset of the result, for which nodes are written as it has them, or in terms of other operators; nil for the one that the graph was
  /// imported with or 20, and newer where an operator needs it.
  package var opset: Int?
  package var producerVersion = SinterVersion.current

  package init(opset: Int? = nil) { self.opset = opset }

  /// The opset that graphs get which do not ask for another.
  package static let defaultOpset = 20

  /// The oldest opset that is written.
  package static let oldestOpset = 13
  /// The oldest that is chosen unasked: the first whose operators all look as the table of operators writes them.
  private static let oldestUnasked = 17

  package func file(of graph: Graph) throws -> OnnxFile {
    if let opset, !(Self.oldestOpset...(OnnxImporter.newestOpsets[""] ?? 0)).contains(opset) {
      throw DiagnosticError(
        .user, "onnx.opset", "opset \(opset) cannot be written",
        hint: "choose one from \(Self.oldestOpset) to \(OnnxImporter.newestOpsets[""] ?? 0)")
    }
    var writer = GraphExporter(names: NameTable(), opset: opset)
    let exported = writer.graph(graph)
    try writer.finish()
    var needed = writer.needed
    let least = needed.removeValue(forKey: "")
    let version = max(opset ?? max(graph.opsets[""] ?? Self.defaultOpset, Self.oldestUnasked), least ?? 1)
    var sets = [OnnxFile.OperatorSet("", Int64(version))]
    for domain in needed.keys.sorted() {
      let since = needed[domain] ?? 1
      sets.append(.init(domain, Int64(max(since, graph.opsets[domain] ?? since))))
    }
    var file = OnnxFile(irVersion: Self.irVersion(opset: version), operatorSets: sets, graph: exported)
    file.producerName = "sinter"
    file.producerVersion = producerVersion
    file.addStates(of: graph)
    file.metadata += FlushMetadata.entries(of: graph)
    return file
  }

  /// The version of the file format that came with an opset.
  static func irVersion(opset: Int) -> Int64 {
    switch opset {
    case ...14: 7
    case ...18: 8
    case ...20: 9
    case ...22: 10
    case 23: 11
    case 24: 12
    case ...27: 13
    default: OnnxFile.newestIRVersion
    }
  }
}

/// Names that are in use in a file.
struct NameTable {
  private var taken: Set<String> = []

  /// The name itself, or with a number where it is taken.
  mutating func unique(_ wish: String, or fallback: String) -> String {
    let base = wish.isEmpty ? fallback : wish
    var name = base
    var number = 1
    while !taken.insert(name).inserted {
      name = "\(base)_\(number)"
      number += 1
    }
    return name
  }
}
