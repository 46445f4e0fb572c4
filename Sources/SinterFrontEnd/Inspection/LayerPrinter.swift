/// Layers as PyTorch prints modules: a tree of names, types and what they were made with.
enum LayerPrinter {
  static func text(_ layer: any Layer) -> String {
    node(layer.layerName, layer.printedArguments, children(of: layer), joinsEqual: layer is ModuleList)
  }

  private static func node(
    _ name: String, _ arguments: String, _ children: [(name: String, text: String)], joinsEqual: Bool = false
  ) -> String {
    if children.isEmpty { return "\(name)(\(arguments))" }
    var lines = arguments.isEmpty ? [] : [arguments]
    var place = 0
    while place < children.count {
      var end = place
      while joinsEqual, end + 1 < children.count, children[end + 1].text == children[place].text { end += 1 }
      let text = children[place].text
      let line =
        end == place
        ? "(\(children[place].name)): \(text)"
        : "(\(children[place].name)-\(children[end].name)): \(end - place + 1) x \(text)"
      lines.append(line.replacing("\n", with: "\n  "))
      place = end + 1
    }
    return "\(name)(\n  " + lines.joined(separator: "\n  ") + "\n)"
  }

  private static func children(of value: Any) -> [(name: String, text: String)] {
    LayerWalk.children(of: value).flatMap { name, child -> [(name: String, text: String)] in
      if let layer = child as? any Layer { return name.isEmpty ? children(of: layer) : [(name, text(layer))] }
      switch Mirror(reflecting: child).displayStyle {
      case .optional:
        // The name is that of the property that holds it.
        return LayerWalk.children(of: child).flatMap { _, value -> [(name: String, text: String)] in
          (value as? any Layer).map { [(name, text($0))] } ?? []
        }
      case .collection:
        let own = children(of: child)
        return own.isEmpty ? [] : [(name, node("ModuleList", "", own, joinsEqual: true))]
      case .dictionary:
        let own = children(of: child)
        return own.isEmpty ? [] : [(name, node("ModuleDict", "", own))]
      default: return []
      }
    }
  }
}

/// Values as Python writes them.
enum PrintedForm {
  static func bool(_ value: Bool) -> String { value ? "True" : "False" }
  static func number(_ value: Double) -> String { "\(value)" }
  static func tuple(_ values: [Int]) -> String {
    values.count == 1 ? "(\(values[0]),)" : "(" + values.map(String.init).joined(separator: ", ") + ")"
  }
}
