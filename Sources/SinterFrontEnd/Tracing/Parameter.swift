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

  /// What is wrong with it, found where a model is traced.
  package var problem: String? {
    if let size = shape.first(where: { $0 < 0 }) {
      return "a parameter cannot have the shape \(shape): \(size) is no size"
    }
    if !shape.contains(0), count == 0 {
      return "a parameter of the shape \(shape) has more elements than can be counted"
    }
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
