/// A trainable tensor of a layer, or one that the layer updates itself: its identity, shape and initial values, but no array.
///
/// Layers hold parameters as stored properties. Two layers that hold the same handle share one value. In a trace a parameter becomes an input of
/// the graph, named by the path of properties that leads to it (`features.0.weight`).
public final class Parameter: Sendable {
  /// Whether steps of training change it by its gradient, or layers by themselves.
  public enum Role: Sendable {
    case trainable
    /// Not trained, but saved: running statistics.
    case buffer
  }

  /// The element type.
  public let element: ElementType
  /// The sizes.
  public let shape: [Int]
  /// What changes it.
  public let role: Role
  /// The values that it starts with.
  public let initializer: Initializer

  /// A parameter of some sizes, none of them negative, that starts as the initializer says.
  public init(
    _ shape: [Int], element: ElementType = .f32, role: Role = .trainable, initializer: Initializer = .zeros
  ) {
    self.shape = shape
    self.element = element
    self.role = role
    self.initializer = initializer
  }

  /// The number of elements; zero where the shape is impossible.
  public var count: Int {
    var count = 1
    for size in shape {
      let (product, overflows) = count.multipliedReportingOverflow(by: size)
      if size < 0 || overflows { return 0 }
      count = product
    }
    return count
  }

  /// That so many elements are more than this machine's memory holds; nil where they are not.
  static func excess(_ count: Int, _ element: ElementType) -> String? {
    let (bytes, overflows) = count.multipliedReportingOverflow(by: max(1, element.bits / 8))
    if !overflows && bytes <= memory { return nil }
    return "takes \(MemoryLimit.readable(overflows ? .max : bytes)), more than this machine has"
  }
  private static let memory = MemoryLimit.available

  /// The product of two sizes of a layer; the greatest number, which no parameter has, where it cannot be counted.
  static func rows(_ gates: Int, _ hidden: Int) -> Int {
    let (product, overflows) = gates.multipliedReportingOverflow(by: hidden)
    return overflows ? .max : product
  }

  /// What is wrong with it, found where a model is traced.
  package var problem: String? {
    if let size = shape.first(where: { $0 < 0 }) {
      return "a parameter cannot have the shape \(shape): \(size) is no size"
    }
    if !shape.contains(0), count == 0 {
      return "a parameter of the shape \(shape) has more elements than can be counted"
    }
    if let excess = Self.excess(count, element) { return "a parameter of the shape \(shape) \(excess)" }
    if case .values(let tensor) = initializer {
      if let problem = tensor.problem { return "initial values of a parameter of the shape \(shape): \(problem)" }
      if tensor.count != count {
        return "a parameter of the shape \(shape) has \(count) elements, but \(tensor.count) initial values"
      }
      if tensor.element != element {
        return "a parameter of type \(element) cannot start as a tensor of type \(tensor.element)"
      }
    }
    return nil
  }

  /// A parameter of the same type, shape and role that starts otherwise: `net.fc.weight = net.fc.weight.initialized(.xavierUniform())`.
  public func initialized(_ initializer: Initializer) -> Parameter {
    Parameter(shape, element: element, role: role, initializer: initializer)
  }
}

extension Parameter {
  /// A size, 0 where the parameter has no such axis.
  func size(_ axis: Int) -> Int { shape.indices.contains(axis) ? shape[axis] : 0 }
}
