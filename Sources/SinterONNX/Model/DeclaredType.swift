import SinterCore

/// A type as files write it, where anything may be left open.
package indirect enum DeclaredType: Hashable, Sendable {
  /// The shape is nil where even the rank is left open.
  case tensor(ElementType?, [DeclaredDim]?)
  case sparseTensor(ElementType?, [DeclaredDim]?)
  case sequence(DeclaredType?)
  case optional(DeclaredType?)
  case map(ElementType?, DeclaredType?)
  case opaque(domain: String, name: String)
}

/// The size of one axis.
package enum DeclaredDim: Hashable, Sendable {
  case value(Int64)
  case symbol(String)
  case unknown
}

extension DeclaredType {
  /// The type of a graph's value as it is written into a file.
  package init(_ type: ValueType) {
    switch type {
    case .tensor(let tensor):
      self = .tensor(
        tensor.element, tensor.shape.map { $0.value.map { .value(Int64($0)) } ?? .symbol("\($0)".filter { $0 != "$" }) }
      )
    case .sequence(let element): self = .sequence(DeclaredType(element))
    case .optional(let wrapped): self = .optional(DeclaredType(wrapped))
    case .map(let key, let value): self = .map(key, DeclaredType(value))
    }
  }
}
