import SinterCore
import SinterIR

/// A sequence whose length only the data tell.
struct RaggedSequence {
  /// All scalars, [total].
  var elements: ValueID
  /// The sizes of each tensor, i64 [length, rank].
  var shapes: ValueID
  /// How many axes each tensor has; nil where they may differ, or that is not known ahead of time.
  var rank: Int?

  init(_ value: OnnxValue) throws {
    guard case .ragged(let elements, let shapes, let rank) = value else {
      throw DiagnosticError(.bug, "sequence.form", "expected a ragged sequence, but it is \(value.kindName)")
    }
    (self.elements, self.shapes, self.rank) = (elements, shapes, rank)
  }

  /// How many axes its tensors have, where something is done that needs to know.
  func knownRank(to what: String) throws -> Int {
    if let rank { return rank }
    throw DiagnosticError(
      .limit, "sequence.rank",
      "the tensors of the sequence must all have one number of axes, known ahead of time, to \(what)",
      hint: "declare their shape in the file, or give the shape of the sequence's elements (--shape)")
  }
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

  /// The size of the first axis, an i64 scalar.
  mutating func firstSize(of value: ValueID) throws -> ValueID {
    try add1(Squeeze(), [try sizes(of: value, from: 0, to: 1), integers([0])])
  }

  /// The numbers from 0 to before a count, which is an i64 scalar.
  mutating func places(_ count: ValueID) throws -> ValueID {
    try add1(Range(), [constant(.i64([], [0])), count, constant(.i64([], [1]))])
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
    case .ragged(let elements, _, rank: _): return try type(elements).element
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
          .limit, "sequence.element",
          "sequences of \(element), of less than a byte, must have a known length and be read at known positions")
      }
      let types = try tensors.map { try type($0) }
      let ranks = Set(types.map(\.rank))
      if tensors.isEmpty {
        let none =
          element == .string ? HostTensor(strings: [], shape: [0]) : HostTensor(element, [0], integers: [Int64]())
        return .ragged(elements: constant(none), shapes: constant(.i64([0, rank ?? 0], [])), rank: rank)
      }
      let parts = try tensors.map { try flattened($0) }
      let columns = ranks.max() ?? 0
      let rows = try tensors.map { try widened(try shapeRow($0), to: constant(.i64([1], [columns]))) }
      return .ragged(
        elements: try add1(Concat(axis: 0), parts),
        shapes: columns == 0 ? constant(.i64([tensors.count, 0], [])) : try add1(Concat(axis: 0), rows),
        rank: ranks.count == 1 ? columns : nil)
    }
  }

  /// A matrix of shapes with more columns, at least as many as a list of one size says: -1 stands where there is no axis.
  private mutating func widened(_ shapes: ValueID, to columns: ValueID) throws -> ValueID {
    let own = try sizes(of: shapes, from: 1, to: 2)
    let more = try add1(Variadic(.maximum), [try add1(Binary(.subtract), [columns, own]), integers([0])])
    if fact(more).contents?.first == 0 { return shapes }
    let pads = try add1(Concat(axis: 0), [integers([0, 0, 0]), more])
    return try add1(Pad(), [shapes, pads, constant(.i64([], [-1]))])
  }

  /// The length of a sequence, an i64 scalar.
  mutating func length(ofSequence value: OnnxValue) throws -> ValueID {
    switch value {
    case .list(let tensors, of: _): return constant(.i64([], [tensors.count]))
    case .ragged(_, let shapes, rank: _):
      return try add1(Squeeze(), [try sizes(of: shapes, from: 0, to: 1), integers([0])])
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
    _ = try sequence.knownRank(to: "take one out")
    let place = try add(SequencePlace(for: "SequenceAt"), [sequence.shapes, position], outputs: 3)
    return try add1(Excerpt(), [sequence.elements, place[1], place[2]])
  }

  /// A sequence with a tensor put in before a position; behind all others where there is none.
  mutating func inserting(_ tensor: ValueID, into value: OnnxValue, at position: ValueID?) throws -> OnnxValue {
    let new = try type(tensor)
    let element = try elementType(ofSequence: value)
    guard new.element == element else {
      throw DiagnosticError(
        .user, "sequence.element", "a sequence of \(element) cannot take a tensor of \(new.element)")
    }
    if case .list(var tensors, of: _) = value {
      let index =
        try position.map { try known($0, in: tensors.count, isGap: true, for: "SequenceInsert") } ?? tensors.count
      if let index {
        tensors.insert(tensor, at: index)
        return .list(tensors, of: element)
      }
    }
    var sequence = try RaggedSequence(try ragged(value, rank: new.rank))
    let flat = try flattened(tensor)
    var row = try shapeRow(tensor)
    if sequence.rank != new.rank {
      let columns = try sizes(of: sequence.shapes, from: 1, to: 2)
      sequence.shapes = try widened(sequence.shapes, to: integers([new.rank]))
      row = try widened(row, to: columns)
      sequence.rank = nil
    }
    guard let position else {
      return .ragged(
        elements: try add1(Concat(axis: 0), [sequence.elements, flat]),
        shapes: try add1(Concat(axis: 0), [sequence.shapes, row]), rank: sequence.rank)
    }
    let place = try add(SequencePlace(isGap: true, for: "SequenceInsert"), [sequence.shapes, position], outputs: 2)
    return .ragged(
      elements: try add1(InsertRows(), [sequence.elements, flat, place[1]]),
      shapes: try add1(InsertRows(), [sequence.shapes, row, place[0]]), rank: sequence.rank)
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
    let length = try type(sequence.shapes).shape[0]
    try require(by: "SequenceErase") {
      try $0.atLeast(length, 1, "length of the sequence that a tensor is erased from")
    }
    let place = try add(SequencePlace(for: "SequenceErase"), [sequence.shapes, position], outputs: 3)
    let one = constant(.i64([], [1]))
    let known =
      sequence.rank != nil
      ? place[2]
      : try add1(Where(), [try add1(Compare(.less), [place[2], constant(.i64([], [0]))]), one, place[2]])
    let count = try add1(Reduce(.product, keepsAxes: false), [known, integers([0])])
    return .ragged(
      elements: try add1(RemoveRows(), [sequence.elements, place[1], count]),
      shapes: try add1(RemoveRows(), [sequence.shapes, place[0], one]), rank: sequence.rank)
  }
}
