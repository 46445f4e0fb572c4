/// Finds the parameters and layers that a layer holds, by its stored properties.
///
/// Names are PyTorch's: properties joined by dots, `.0` and so on for elements of arrays, keys for those of dictionaries. Optionals and tuples
/// count as what they hold.
enum LayerWalk {
  /// Every parameter with its name, in the order of properties; one that is reached twice comes twice.
  package static func parameters(of layer: Any) -> [(name: String, parameter: Parameter)] {
    var found: [(String, Parameter)] = []
    walk(layer, "") { name, parameter in
      found.append((name, parameter))
      return true
    }
    return found
  }

  /// Calls `visit` for each parameter until it gives false.
  @discardableResult
  static func walk(_ value: Any, _ name: String, _ visit: (String, Parameter) -> Bool) -> Bool {
    if let parameter = value as? Parameter { return visit(name, parameter) }
    for child in children(of: value) where !walk(child.value, join(name, child.name), visit) { return false }
    return true
  }

  /// What a value holds that may hold parameters, by name; "" for a level that names leave out.
  static func children(of value: Any) -> [(name: String, value: Any)] {
    if isLeaf(value) { return [] }
    if let own = value as? any NamedChildren { return own.children }
    let mirror = Mirror(reflecting: value)
    let renaming = value as? any CustomParameterNames
    var found: [(String, Any)] = []
    var level: Mirror? = mirror.superclassMirror
    var above: [Mirror] = []
    while let mirror = level {
      above.insert(mirror, at: 0)
      level = mirror.superclassMirror
    }
    for mirror in above + [mirror] {
      for (position, child) in mirror.children.enumerated() where !isLeaf(child.value) {
        switch mirror.displayStyle {
        case .optional: found.append(("", child.value))
        case .collection, .set: found.append(("\(position)", child.value))
        case .dictionary:
          let parts = Mirror(reflecting: child.value).children.map(\.value)
          if parts.count == 2 { found.append(("\(parts[0])", parts[1])) }
        default:
          guard let label = child.label else { continue }
          let clean = label.hasPrefix(".") ? String(label.dropFirst()) : label
          found.append((renaming?.parameterName(clean) ?? clean, child.value))
        }
      }
    }
    // Dictionaries have no order of their own.
    return mirror.displayStyle == .dictionary ? found.sorted { $0.0 < $1.0 } : found
  }

  static func join(_ a: String, _ b: String) -> String { a.isEmpty ? b : b.isEmpty ? a : a + "." + b }

  private static func isLeaf(_ value: Any) -> Bool {
    value is Int || value is Double || value is Bool || value is String || value is Float || value is any AxisSizes
  }
}

/// What a model holds: names of its parameters, and where its layers are.
package struct LayerIndex {
  /// Every parameter with its name, in the order of properties; one that is reached twice comes twice.
  package let parameters: [(name: String, parameter: Parameter)]
  private let names: [ObjectIdentifier: String]

  package init(of model: Any) {
    parameters = LayerWalk.parameters(of: model)
    names = Dictionary(
      parameters.map { (ObjectIdentifier($0.parameter), $0.name) }, uniquingKeysWith: { first, _ in first })
  }

  /// A parameter's first name; nil for one that the model does not hold.
  package func name(of parameter: Parameter) -> String? { names[ObjectIdentifier(parameter)] }

  /// The path of a layer inside the model; nil for a layer without parameters.
  package func path(of layer: Any) -> String? {
    var path: String?
    LayerWalk.walk(layer, "") { name, parameter in
      guard let full = names[ObjectIdentifier(parameter)], full.hasSuffix(name) else { return true }
      let prefix = full.dropLast(name.count)
      path = String(prefix.hasSuffix(".") ? prefix.dropLast() : prefix)
      return false
    }
    return path
  }

  /// Every parameter once, with all its names, the first of which is its own.
  package var unique: [(names: [String], parameter: Parameter)] {
    var places: [ObjectIdentifier: Int] = [:]
    var found: [(names: [String], parameter: Parameter)] = []
    for (name, parameter) in parameters {
      if let place = places[ObjectIdentifier(parameter)] {
        found[place].names.append(name)
      } else {
        places[ObjectIdentifier(parameter)] = found.count
        found.append(([name], parameter))
      }
    }
    return found
  }
}

/// A layer whose parameters have names that its properties cannot have, such as `0.weight` for the elements of a `Sequential`.
public protocol CustomParameterNames {
  /// The name under which what the property holds appears; "" leaves the level out; nil keeps the property's name.
  func parameterName(_ property: String) -> String?
}

/// A layer that says itself what it holds, where its stored properties do not: parameters, layers, and lists of them, by name.
public protocol NamedChildren {
  var children: [(name: String, value: Any)] { get }
}
