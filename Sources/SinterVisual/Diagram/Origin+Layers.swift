import SinterIR

extension Origin {
  /// The layers around it, outermost first: those of the traced model, else the folders in the node's name.
  package var layers: [String] {
    if !path.isEmpty { return path.split(separator: ".").map(String.init) }
    return node.split(separator: "/").dropLast().map(String.init)
  }

  /// The node's name, or where there is none what else is known.
  package var label: String { node.isEmpty ? (path.isEmpty ? source : path) : node }
}

extension [Origin] {
  /// The layers that all are inside of, outermost first.
  package var commonLayers: [String] {
    guard var common = first?.layers else { return [] }
    for origin in dropFirst() { common = zip(common, origin.layers).prefix { $0 == $1 }.map { $0.0 } }
    return common
  }
}
