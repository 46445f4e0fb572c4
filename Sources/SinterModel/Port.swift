public import SinterCore

/// What a library takes or gives at one place.
public struct Port: Hashable, Sendable {
  /// What goes through the port.
  public enum Kind: Hashable, Sendable {
    case tensor, sequence, map
    /// A sequence of maps.
    case maps
  }

  /// A size: a number, or a symbol that each run may give another number.
  public enum Dimension: Hashable, Sendable {
    case fixed(Int)
    /// The same symbol stands for the same size wherever it appears: `batch`.
    case symbol(String)
    /// Known only at run time.
    case unknown
  }

  /// The port's name in the model.
  public var name: String
  /// What goes through the port.
  public var kind: Kind
  /// Whether it may be empty.
  public var isOptional: Bool
  /// Of a tensor, or of a sequence's tensors; of the values of a map.
  public var element: ElementType?
  /// Of the keys of a map.
  public var key: ElementType?
  /// Of a tensor, or of a sequence's tensors; nil where not even the rank is known ahead of time.
  public var shape: [Dimension]?

  package init(
    name: String, kind: Kind = .tensor, isOptional: Bool = false, element: ElementType?, key: ElementType? = nil,
    shape: [Dimension]?
  ) {
    self.name = name
    self.kind = kind
    self.isOptional = isOptional
    self.element = element
    self.key = key
    self.shape = shape
  }
}

extension Port.Dimension: CustomStringConvertible {
  public var description: String {
    switch self {
    case .fixed(let size): "\(size)"
    case .symbol(let name): name
    case .unknown: "?"
    }
  }
}

extension Port: CustomStringConvertible {
  /// `images: f32[batch, 3, 224, 224]`.
  public var description: String {
    let type = element.map { "\($0)" } ?? "?"
    let sizes = shape.map { "[" + $0.map(\.description).joined(separator: ", ") + "]" } ?? ""
    let map = "map(\(key.map { "\($0)" } ?? "?"), \(type))"
    let value =
      switch kind {
      case .tensor: type + sizes
      case .sequence: "seq(\(type)\(sizes))"
      case .map: map
      case .maps: "seq(\(map))"
      }
    return "\(name): \(value)" + (isOptional ? "?" : "")
  }
}
