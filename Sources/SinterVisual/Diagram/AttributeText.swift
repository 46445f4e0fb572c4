import SinterCore
import SinterIR

/// Attributes in words: all of them for who asks, and the few that tell what a node does.
enum AttributeText {
  static func text(_ value: AttributeValue) -> String {
    switch value {
    case .int(let value): "\(value)"
    case .float(let value): "\(value)"
    case .bool(let value): "\(value)"
    case .string(let value), .choice(let value): value
    case .ints(let values): list(values)
    case .floats(let values): list(values)
    case .strings(let values): list(values)
    case .element(let value): value.name
    case .dims(let values): list(values)
    case .tensor(let value): "\(value.type)"
    }
  }

  static func text(_ value: OnnxAttribute) -> String {
    switch value {
    case .int(let value): "\(value)"
    case .float(let value): "\(value)"
    case .string(let value): value
    case .tensor(let value): "\(value.type)"
    case .ints(let values): list(values)
    case .floats(let values): list(values)
    case .strings(let values): list(values)
    case .elementType(let element): element.name
    case .type(let type): "\(type)"
    case .other(let kind): kind
    }
  }

  /// Long lists are cut: `1, 2, … (400)`.
  private static func list(_ values: [some Any]) -> String {
    let shown = values.prefix(16).map { "\($0)" }.joined(separator: ", ")
    return values.count > 16 ? "[\(shown), … (\(values.count))]" : "[\(shown)]"
  }

  /// `3×3 /2 pad 1` of a convolution, `axis 1` of a softmax.
  ///
  /// - Parameter weights: the sizes of the second input, whose last ones are a convolution's window where no attribute tells it.
  static func summary(_ name: String, _ attributes: [(name: String, value: AttributeValue)], weights: [Dim]?) -> String
  {
    var parts: [String] = []
    var hasWindow = false
    for (key, value) in attributes {
      switch (key, value) {
      case ("kernel_shape", .ints(let sizes)) where !sizes.isEmpty:
        hasWindow = true
        parts.insert(sizes.map(String.init).joined(separator: "×"), at: 0)
      case ("strides", .ints(let steps)) where steps.contains { $0 != 1 }: parts.append("/" + same(steps))
      case ("pads", .ints(let pads)) where pads.contains { $0 != 0 }: parts.append("pad " + same(pads))
      case ("dilations", .ints(let steps)) where steps.contains { $0 != 1 }: parts.append("dilation " + same(steps))
      case ("axis", .int(let axis)), ("group", .int(let axis)), ("block_size", .int(let axis)),
        ("num_heads", .int(let axis)), ("k", .int(let axis)), ("to", .int(let axis)):
        parts.append("\(key == "num_heads" ? "heads" : key) \(axis)")
      case ("axes", .ints(let axes)), ("perm", .ints(let axes)), ("split", .ints(let axes)):
        parts.append("\(key) \(axes.map(String.init).joined(separator: ","))")
      case ("transA", .bool(true)): parts.append("Aᵀ")
      case ("transB", .bool(true)): parts.append("Bᵀ")
      case ("channels_last", .bool(true)): parts.append("channels last")
      case ("equation", .string(let equation)): parts.append(equation)
      case ("mode", .choice(let mode)), ("direction", .choice(let mode)), ("reduction", .choice(let mode)),
        ("approximate", .choice(let mode)):
        parts.append(mode)
      case ("to", .element(let element)): parts.append("to \(element)")
      default: break
      }
    }
    if !hasWindow, name.hasPrefix("Conv"), let weights, weights.count > 2 {
      parts.insert(weights.dropFirst(2).map(\.description).joined(separator: "×"), at: 0)
    }
    return parts.joined(separator: " ")
  }

  private static func same(_ values: [Int]) -> String {
    Set(values).count == 1 ? "\(values[0])" : values.map(String.init).joined(separator: ",")
  }
}
