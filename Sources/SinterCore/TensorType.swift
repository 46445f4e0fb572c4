/// An element type and the sizes of the axes, outermost first. A scalar has no axes.
public struct TensorType: Hashable, Sendable {
  /// The element type.
  public var element: ElementType
  /// The sizes, which are numbers or symbols.
  public var shape: [Dim]

  /// A tensor of some sizes, the outermost axis first.
  public init(_ element: ElementType, _ shape: [Dim]) {
    self.element = element
    self.shape = shape
  }

  /// The number of axes.
  public var rank: Int { shape.count }

  /// The number of elements: zero where an axis has none, however long the others are.
  public var count: Dim { shape.contains(0) ? 0 : shape.reduce(1, *) }

  /// The sizes as numbers, where all are known.
  public var staticShape: [Int]? {
    let values = shape.compactMap(\.value)
    return values.count == shape.count ? values : nil
  }

  /// Elements between neighbours along each axis, where elements lie row after row without gaps.
  package static func strides(_ shape: [Dim]) -> [Dim] {
    var strides = [Dim](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
    return strides
  }
}

extension TensorType: CustomStringConvertible {
  /// `f32[batch, 3, 224, 224]`.
  public var description: String { "\(element)[" + shape.map(\.description).joined(separator: ", ") + "]" }
}

/// The type of a value of a graph, as ONNX has them.
public indirect enum ValueType: Hashable, Sendable {
  case tensor(TensorType)
  case sequence(ValueType)
  case optional(ValueType)
  case map(key: ElementType, value: ValueType)

  /// The type, where it is a tensor's.
  public var tensor: TensorType? {
    if case .tensor(let type) = self { type } else { nil }
  }
}

extension ValueType: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tensor(let type): "\(type)"
    case .sequence(let element): "seq(\(element))"
    case .optional(let wrapped): "optional(\(wrapped))"
    case .map(let key, let value): "map(\(key), \(value))"
    }
  }
}
