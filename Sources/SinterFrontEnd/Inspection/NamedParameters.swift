/// A parameter as a model holds it.
public struct NamedParameter: Sendable {
  /// The first name by which the model holds it.
  public let name: String
  /// Further names, where layers share it.
  public let aliases: [String]
  /// The parameter itself.
  public let parameter: Parameter
}

/// All parameters of a model under PyTorch's names, running statistics among them, shared ones once.
public func namedParameters(of model: Any) -> [NamedParameter] {
  LayerIndex(of: model).unique.map {
    NamedParameter(name: $0.names[0], aliases: Array($0.names.dropFirst()), parameter: $0.parameter)
  }
}

/// The number of elements of all trainable parameters that a predicate on names holds for: PyTorch's `sum(p.numel() for p in net.parameters())`.
public func parameterCount(of model: Any, where isCounted: (String) -> Bool = { _ in true }) -> Int {
  namedParameters(of: model).filter { $0.parameter.role == .trainable && isCounted($0.name) }
    .reduce(0) { $0 + $1.parameter.count }
}

extension Layer {
  /// All parameters under PyTorch's names, running statistics among them, shared ones once.
  public var namedParameters: [NamedParameter] { SinterFrontEnd.namedParameters(of: self) }

  /// The number of elements of all trainable parameters.
  public var parameterCount: Int { SinterFrontEnd.parameterCount(of: self) }
}
