extension OnnxFile {
  /// The file with what another one, which it was made from, tells people and tools: descriptions and metadata of the model, its graph, its
  /// ports and the nodes of the same names.
  package func keepingTexts(of source: OnnxFile) -> OnnxFile {
    var copy = self
    (copy.domain, copy.modelVersion, copy.doc) = (source.domain, source.modelVersion, source.doc)
    copy.metadata = source.metadata
    (copy.graph.doc, copy.graph.metadata) = (source.graph.doc, source.graph.metadata)
    copy.graph.inputs = Self.keepingTexts(copy.graph.inputs, of: source.graph.inputs)
    copy.graph.outputs = Self.keepingTexts(copy.graph.outputs, of: source.graph.outputs)
    let nodes = Dictionary(source.graph.nodes.map { ($0.name, $0) }) { first, _ in first }
    for index in copy.graph.nodes.indices {
      guard let node = nodes[copy.graph.nodes[index].name], !node.name.isEmpty else { continue }
      if !node.doc.isEmpty { copy.graph.nodes[index].doc = node.doc }
      let own = Set(node.metadata.map(\.key))
      copy.graph.nodes[index].metadata =
        node.metadata + copy.graph.nodes[index].metadata.filter { !own.contains($0.key) }
    }
    return copy
  }

  private static func keepingTexts(_ values: [ValueInfo], of source: [ValueInfo]) -> [ValueInfo] {
    let known = Dictionary(source.map { ($0.name, $0) }) { first, _ in first }
    return values.map { value in
      var copy = value
      if let other = known[value.name] { (copy.doc, copy.metadata) = (other.doc, other.metadata) }
      return copy
    }
  }
}
