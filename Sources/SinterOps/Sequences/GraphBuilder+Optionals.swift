import SinterCore
import SinterIR

extension GraphBuilder {
  /// A value as an optional one, which is there.
  package mutating func optional(_ value: OnnxValue) throws -> OnnxValue {
    if case .optional = value { return value }
    return .optional(present: constant(HostTensor(.bool, [], values: [true])), value)
  }

  /// What an optional holds. A run in which it holds nothing ends with an error.
  package mutating func element(ofOptional value: OnnxValue) throws -> OnnxValue {
    guard case .optional(let present, let payload) = value else { return value }
    switch inputs([present], outputs: 1).integers(0)?.first {
    case 0?:
      throw DiagnosticError(.user, "optional.empty", "the optional holds nothing")
    case nil:
      let reason = "OptionalGetElement: the optional holds nothing"
      return try payload.map { try add1(Expect(true, reason: reason), [present, $0]) }
    default: return payload
    }
  }

  /// The value that stands where an optional of this type holds nothing.
  mutating func placeholder(of type: ValueType) throws -> OnnxValue {
    switch type {
    case .tensor(let tensor):
      let shape = tensor.shape.map { $0.value ?? 0 }
      if tensor.element == .string {
        return .tensor(constant(HostTensor(strings: [String](repeating: "", count: shape.reduce(1, *)), shape: shape)))
      }
      return .tensor(
        constant(HostTensor(tensor.element, shape, integers: [Int64](repeating: 0, count: shape.reduce(1, *)))))
    case .sequence(.tensor(let tensor)): return .list([], of: tensor.element)
    case .sequence, .optional, .map:
      throw DiagnosticError(
        .limit, "optional.type", "optionals of the type \(type) are not supported",
        hint: "use optionals of tensors or of sequences of tensors")
    }
  }
}
