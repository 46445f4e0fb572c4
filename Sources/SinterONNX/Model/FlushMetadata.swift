import SinterIR

/// In ONNX files an entry among the model's metadata, `sinter.flush_subnormals`, whose value does not matter, says that libraries of the graph flush subnormal
/// numbers to zero (`Graph.flushesSubnormals`). Other runtimes compute with them, or have an option of their own.
enum FlushMetadata {
  private static let key = "sinter.flush_subnormals"

  static func entries(of graph: Graph) -> [OnnxFile.Entry] {
    graph.flushesSubnormals ? [OnnxFile.Entry(key, "1")] : []
  }

  static func flushes(_ entries: [OnnxFile.Entry]) -> Bool { entries.contains { $0.key == key } }
}
