import SinterCore
import SinterIR

/// A sequence whose length only the data tell.
struct RaggedSequence {
  /// All scalars, [total].
  var elements: ValueID
  /// The sizes of each tensor, i64 [length, rank].
  var shapes: ValueID

  init(_ value: OnnxValue) throws {
    guard case .ragged(let elements, let shapes) = value else {
      throw DiagnosticError(.bug, "sequence.form", "expected a ragged sequence, but it is \(value.kindName)")
    }
    (self.elements, self.shapes) = (elements, shapes)
  }

  init(elements: ValueID, shapes: ValueID) { (self.elements, self.shapes) = (elements, shapes) }

  var value: OnnxValue { .ragged(elements: elements, shapes: shapes) }
}

extension GraphBuilder {
  /// The sizes of some axes as an i64 tensor.
  mutating func sizes(of value: ValueID, from start: Int = 0, to end: Int? = nil) throws -> ValueID {
    var shape = Shape()
    (shape.start, shape.end) = (start, end)
    return try add1(shape, [value])
  }

  /// One integer as an i64 tensor of no axes.
  mutating func integerScalar(_ value: ValueID) throws -> ValueID {
    var (result, type) = (value, try type(value))
    if type.element != .i64 { result = try add1(Cast(to: .i64), [result]) }
    if type.rank > 0 { result = try add1(Reshape(), [result, constant(.i64([0], []))]) }
    type.element = .i64
    return result
  }

  /// All elements of a tensor along one axis.
  mutating func flattened(_ value: ValueID) throws -> ValueID {
    if try type(value).rank == 1 { return value }
    return try add1(Reshape(mayBeEmpty: true), [value, integers([-1])])
  }

  /// A tensor's sizes as a row, i64 [1, rank].
  private mutating func shapeRow(_ value: ValueID) throws -> ValueID {
    if try type(value).rank == 0 { return constant(.i64([1, 0], [])) }
    return try add1(Unsqueeze(), [try sizes(of: value), integers([0])])
  }

  /// The element type of a sequence's tensors.
  func elementType(ofSequence value: OnnxValue) throws -> ElementType {
    switch value {
    case .list(_, of: let element): return element
    case .ragged(let elements, _): return try type(elements).element
    case .tensor, .optional, .map, .maps: throw Self.notSequence(value)
    }
  }

  static func notSequence(_ value: OnnxValue) -> DiagnosticError {
    DiagnosticError(.user, "sequence.kind", "expected a sequence of tensors, but it is \(value.kindName)")
  }

  /// A sequence in the form that serves any length.
  ///
  /// - Parameter rank: the axes of its tensors, where it has none that would tell.
  package mutating func ragged(_ value: OnnxValue, rank: Int? = nil) throws -> OnnxValue {
    switch value {
    case .ragged: return value
    case .tensor, .optional, .map, .maps: throw Self.notSequence(value)
    case .list(let tensors, of: let element):
      guard element.bits >= 8 else {
        throw DiagnosticError(
          .limit, "sequence.element", "sequences of \(element), of less than a byte, must have a known length and be read at known positions")
      }
      let types = try tensors.map { try type($0) }
      let ranks = Set(types.map(\.rank))
      guard ranks.count <= 1 else {
        let shown = types.prefix(3).map(\.description).joined(separator: ", ")
        throw DiagnosticError(
          .limit, "sequence.ranks",
          "the tensors of a sequence whose length or position only the data tell must have equal numbers of axes, but are \(shown)",
          hint: "give its tensors as many axes, or read it at positions that are known ahead of time")
      }
      if tensors.isEmpty {
        let none = element == .string ? HostTensor(strings: [], shape: [0]) : HostTensor(element, [0], integers: [Int64]())
        return .ragged(elements: constant(none), shapes: constant(.i64([0, rank ?? 0], [])))
      }
      let parts = try tensors.map { try flattened($0) }
      let rows = try tensors.map { try shapeRow($0) }
      return .ragged(
        elements: try add1(Concat(axis: 0), parts),
        shapes: ranks == [0] ? constant(.i64([tensors.count, 0], [])) : try add1(Concat(axis: 0), rows))
    }
  }

  /// A sequence whose tensors have so many axes, or that has none: a run in which they have others ends with an error.
  mutating func with(rank: Int, _ value: OnnxValue) throws -> OnnxValue {
    guard case .ragged(let elements, let shapes) = value, try type(shapes).shape[1] != Dim(rank) else { return value }
    let sizes = try add1(Concat(axis: 0), [try self.sizes(of: shapes, from: 0, to: 1), integers([rank])])
    return .ragged(elements: elements, shapes: try add1(Reshape(allowZero: true), [shapes, sizes]))
  }

  /// The length of a sequence, an i64 scalar.
  mutating func length(ofSequence value: OnnxValue) throws -> ValueID {
    switch value {
    case .list(let tensors, of: _): return constant(.i64([], [tensors.count]))
    case .ragged(_, let shapes): return try add1(Squeeze(), [try sizes(of: shapes, from: 0, to: 1), integers([0])])
    case .tensor, .optional, .map, .maps: throw Self.notSequence(value)
    }
  }

  /// A position that is known ahead of time, from the front.
  private func known(
    _ position: ValueID, in count: Int, isGap: Bool = false, for reader: String
  ) throws -> Int? {
    guard let given = inputs([position], outputs: 1).integers(0)?.first else { return nil }
    let limit = isGap ? count + 1 : count
    guard (-count..<limit).contains(given) else {
      throw DiagnosticError(
        .user, "sequence.position", "position \(given) lies outside of a sequence of \(count) elements")
    }
    return given < 0 ? given + count : given
  }

  /// The tensor at a position.
  mutating func element(ofSequence value: OnnxValue, at position: ValueID) throws -> ValueID {
    if case .list(let tensors, of: _) = value {
      if let index = try known(position, in: tensors.count, for: "SequenceAt") { return tensors[index] }
      guard !tensors.isEmpty else {
        throw DiagnosticError(.user, "sequence.position", "no position lies inside of a sequence of 0 elements")
      }
    }
    let sequence = try RaggedSequence(try ragged(value))
    let shapes = try type(sequence.shapes)
    guard shapes.shape[1].isConstant else {
      throw DiagnosticError(
        .limit, "sequence.rank",
        "how many axes the tensors of the sequence have must be known ahead of time to take one out",
        hint: "declare their shape in the file, or give the shape of the sequence's elements (--shape)")
    }
    let place = try add(SequencePlace(for: "SequenceAt"), [sequence.shapes, position], outputs: 3)
    return try add1(Excerpt(), [sequence.elements, place[1], place[2]])
  }

  /// A sequence with a tensor put in before a position; behind all others where there is none.
  mutating func inserting(_ tensor: ValueID, into value: OnnxValue, at position: ValueID?) throws -> OnnxValue {
    let new = try type(tensor)
    let element = try elementType(ofSequence: value)
    guard new.element == element else {
      throw DiagnosticError(.user, "sequence.element", "a sequence of \(element) cannot take a tensor of \(new.element)")
    }
    if case .list(var tensors, of: _) = value {
      let index = try position.map { try known($0, in: tensors.count, isGap: true, for: "SequenceInsert") } ?? tensors.count
      if let index {
        tensors.insert(tensor, at: index)
        return .list(tensors, of: element)
      }
    }
    let sequence = try RaggedSequence(try with(rank: new.rank, try ragged(value, rank: new.rank)))
    let (flat, row) = (try flattened(tensor), try shapeRow(tensor))
    guard let position else {
      return .ragged(
        elements: try add1(Concat(axis: 0), [sequence.elements, flat]),
        shapes: try add1(Concat(axis: 0), [sequence.shapes, row]))
    }
    let place = try add(SequencePlace(isGap: true, for: "SequenceInsert"), [sequence.shapes, position], outputs: 2)
    return .ragged(
      elements: try add1(InsertRows(), [sequence.elements, flat, place[1]]),
      shapes: try add1(InsertRows(), [sequence.shapes, row, place[0]]))
  }

  /// A sequence without the tensor at a position; without the last one where there is none.
  mutating func erasing(from value: OnnxValue, at position: ValueID?) throws -> OnnxValue {
    let position = position ?? constant(.i64([], [-1]))
    if case .list(var tensors, of: let element) = value {
      guard !tensors.isEmpty else {
        throw DiagnosticError(.user, "sequence.position", "nothing can be erased from a sequence of 0 elements")
      }
      if let index = try known(position, in: tensors.count, for: "SequenceErase") {
        tensors.remove(at: index)
        return .list(tensors, of: element)
      }
    }
    let sequence = try RaggedSequence(try ragged(value))
    let place = try add(SequencePlace(for: "SequenceErase"), [sequence.shapes, position], outputs: 3)
    let count = try add1(Reduce(.product, keepsAxes: false), [place[2], integers([0])])
    return .ragged(
      elements: try add1(RemoveRows(), [sequence.elements, place[1], count]),
      shapes: try add1(RemoveRows(), [sequence.shapes, place[0], constant(.i64([], [1]))]))
  }
}
