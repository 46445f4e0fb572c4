import SinterCore
import SinterIR

/// How a value is told in tensors where several ways lead to one place: behind the branches of a condition, and from iteration to iteration of a loop.
/// Of its tensors the element types and the numbers of axes count.
typealias ValueForm = Structured<TensorType>

extension Structured<TensorType> {
  /// The form of a sequence of unknown length, with how many axes its tensors have where that is known.
  static func sequence(_ element: ElementType, rank: Int?) -> ValueForm {
    .ragged(elements: TensorType(element, [0]), shapes: TensorType(.i64, [0, Dim(rank ?? 0)]), rank: rank)
  }

  /// How many axes the tensors of a sequence of unknown length have, where that is known.
  var sequenceRank: Int? {
    switch self {
    case .ragged(_, _, let rank): rank
    case .optional(_, let inner): inner.sequenceRank
    case .tensor, .list, .map, .maps: nil
    }
  }

  /// The same with tensors of so many axes, which are known only at run time where it is nil.
  func ofRank(_ rank: Int?) -> ValueForm {
    switch self {
    case .ragged(let elements, let shapes, rank: _): .ragged(elements: elements, shapes: shapes, rank: rank)
    case .optional(let present, let inner): .optional(present: present, inner.ofRank(rank))
    case .tensor, .list, .map, .maps: self
    }
  }

  /// Whether it is a sequence without elements, so that nothing is known of them.
  var isEmptyList: Bool {
    if case .list(let tensors, of: _) = self { tensors.isEmpty } else { false }
  }

  /// The same, or what an optional holds is one.
  var holdsEmptyList: Bool {
    if case .optional(_, let inner) = self { inner.holdsEmptyList } else { isEmptyList }
  }

  /// With sizes of their own for sequences of unknown length, so that nothing follows from how many elements there are.
  func opened(_ size: () -> Dim) -> ValueForm {
    switch self {
    case .ragged(let elements, _, let rank):
      .ragged(
        elements: TensorType(elements.element, [size()]),
        shapes: TensorType(.i64, [size(), rank.map { Dim($0) } ?? size()]),
        rank: rank)
    case .optional(let present, let inner): .optional(present: present, inner.opened(size))
    case .tensor, .list, .map, .maps: self
    }
  }

  /// With sequences that have elements as ones of unknown length.
  var ofAnyLength: ValueForm {
    switch self {
    case .list(let types, of: let element) where !types.isEmpty: .sequence(element, rank: types[0].rank)
    case .optional(let present, let inner): .optional(present: present, inner.ofAnyLength)
    case .tensor, .list, .ragged, .map, .maps: self
    }
  }

  /// Where a sequence of unknown length is meant, that of its tensors' axes; nil for other values.
  private var asSequence: ValueForm? {
    switch self {
    case .ragged: return self
    case .list(let types, of: let element): return .sequence(element, rank: types.first?.rank)
    case .tensor, .optional, .map, .maps: return nil
    }
  }

  /// The form that serves values of this one and of another.
  func joined(with other: ValueForm, _ name: String) throws -> ValueForm {
    switch (self, other) {
    case (.tensor, .tensor), (.map, .map), (.maps, .maps): return self
    case (.optional(let present, let a), .optional(_, let b)):
      return .optional(present: present, try a.joined(with: b, name))
    case (.optional(let present, let a), _): return .optional(present: present, try a.joined(with: other, name))
    case (_, .optional(let present, let b)): return .optional(present: present, try joined(with: b, name))
    case (.list(let a, of: _), .list(let b, of: _)) where a.map(\.kind) == b.map(\.kind): return self
    default: break
    }
    if let mine = asSequence, let theirs = other.asSequence {
      if isEmptyList || mine.sequenceRank == theirs.sequenceRank { return theirs }
      return other.isEmptyList ? mine : mine.ofRank(nil)
    }
    throw DiagnosticError(
      .user, "control.kind", "\(name) is \(kindName) on one way and \(other.kindName) on the other",
      hint: "give the same kind of value on both")
  }
}

extension TensorType {
  fileprivate var kind: [Int] { [element.onnx, rank] }
}

extension GraphBuilder {
  /// How a value of this graph is told.
  func form(of value: OnnxValue) throws -> ValueForm { try value.map { try type($0) } }

  /// A value in a form that serves it.
  mutating func converted(_ value: OnnxValue, to form: ValueForm, _ name: String) throws -> OnnxValue {
    switch (value, form) {
    case (.tensor, .tensor), (.map, .map), (.maps, .maps): return value
    case (.ragged(let elements, let shapes, rank: _), .ragged(_, _, let rank)):
      return .ragged(elements: elements, shapes: shapes, rank: rank)
    case (.optional(let present, let payload), .optional(_, let inner)):
      return .optional(present: present, try converted(payload, to: inner, name))
    case (_, .optional(_, let inner)):
      guard case .optional(let present, let payload) = try optional(value) else { return value }
      return .optional(present: present, try converted(payload, to: inner, name))
    case (.list(let tensors, of: _), .list(let types, of: _)) where tensors.count == types.count: return value
    case (.list(let tensors, of: _), .ragged(let elements, _, let rank)) where tensors.isEmpty:
      return try ragged(.list([], of: elements.element), rank: rank)
    case (.list, .ragged): return try converted(try ragged(value), to: form, name)
    default:
      throw DiagnosticError(
        .user, "control.kind", "\(name) is \(value.kindName), but must be \(form.kindName)",
        hint: "give the same kind of value")
    }
  }
}

extension OnnxBody.Built {
  /// How the results are told.
  func forms() throws -> [ValueForm] {
    let builder = GraphBuilder(graph)
    return try results.map { try builder.form(of: $0) }
  }

  /// The body with results in given forms; nil leaves a result as it is.
  func giving(_ forms: [ValueForm?], _ name: String) throws -> OnnxBody.Built {
    var open = graph
    open.outputs = []
    var builder = GraphBuilder(open)
    let values = try zip(results, forms).enumerated().map { index, pair in
      try pair.1.map { try builder.converted(pair.0, to: $0, "\(name) \(index)") } ?? pair.0
    }
    if values == results { return self }
    var outputs: [Graph.Port] = []
    for (index, value) in values.enumerated() {
      for (part, leaf) in value.leaves.enumerated() {
        outputs.append(Graph.Port(name: "result\(index).\(part)", value: leaf))
      }
    }
    open = builder.graph
    open.outputs = outputs
    return OnnxBody.Built(graph: open, results: values)
  }

  /// The results as tensors that another graph has for them.
  func results(as tensors: [ValueID]) -> [OnnxValue] {
    var place = 0
    return results.map { $0.taking(tensors, at: &place) }
  }
}
