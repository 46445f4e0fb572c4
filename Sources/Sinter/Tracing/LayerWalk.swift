/// Finds the parameters that a layer holds, by its stored properties.
///
/// Names are PyTorch's: properties joined by dots, `.0` and so on for elements of arrays. Optionals and tuples count as what they hold.
enum LayerWalk {
  /// Every parameter with its name, in the order of properties; one that is reached twice comes twice.
  static func parameters(of layer: Any) -> [(name: String, parameter: Parameter)] {
    var found: [(String, Parameter)] = []
    walk(layer, "") { name, parameter in
      found.append((name, parameter))
      return true
    }
    return found
  }

  /// Each parameter's first name.
  static func names(of layer: Any) -> [ObjectIdentifier: String] {
    Dictionary(parameters(of: layer).map { (ObjectIdentifier($0.parameter), $0.name) }, uniquingKeysWith: { a, _ in a })
  }

  /// The path of a layer inside the model whose parameters have these names; nil for a layer without parameters.
  static func path(of layer: Any, names: [ObjectIdentifier: String]) -> String? {
    var path: String?
    walk(layer, "") { name, parameter in
      guard let full = names[ObjectIdentifier(parameter)], full.hasSuffix(name) else { return true }
      let prefix = full.dropLast(name.count)
      path = String(prefix.hasSuffix(".") ? prefix.dropLast() : prefix)
      return false
    }
    return path
  }

  /// Calls `visit` for each parameter until it gives false.
  @discardableResult
  private static func walk(_ value: Any, _ name: String, _ visit: (String, Parameter) -> Bool) -> Bool {
    if let parameter = value as? Parameter { return visit(name, parameter) }
    let mirror = Mirror(reflecting: value)
    var position = 0
    for child in mirror.children {
      defer { position += 1 }
      let own: String
      switch mirror.displayStyle {
      case .optional: own = name
      case .collection: own = name.isEmpty ? "\(position)" : "\(name).\(position)"
      default:
        guard let label = child.label else { continue }
        let clean = label.hasPrefix(".") ? String(label.dropFirst()) : label
        own = (value as? any CustomParameterNames)?.parameterName(clean).map { join(name, $0) } ?? join(name, clean)
      }
      if isLeaf(child.value) { continue }
      if !walk(child.value, own, visit) { return false }
    }
    return true
  }

  private static func join(_ a: String, _ b: String) -> String { a.isEmpty ? b : b.isEmpty ? a : a + "." + b }

  private static func isLeaf(_ value: Any) -> Bool {
    value is Int || value is Double || value is Bool || value is String || value is [Int] || value is Float
  }
}

/// A layer whose parameters have names that its properties cannot have, such as `0.weight` for the elements of a `Sequential`.
public protocol CustomParameterNames {
  /// The name under which what the property holds appears; "" leaves the level out; nil keeps the property's name.
  func parameterName(_ property: String) -> String?
}
