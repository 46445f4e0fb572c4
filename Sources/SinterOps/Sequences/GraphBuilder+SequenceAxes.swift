import SinterCore
import SinterIR

/// Sequences made of one tensor along an axis, and the other way round.
extension GraphBuilder {
  /// The most tensors that an axis is split into ahead of time, each of them a value of its own.
  private static let listLimit = 256

  // MARK: Joining

  /// The tensors of a sequence one after another along an axis, or along a new one.
  mutating func concatenated(_ value: OnnxValue, axis: Int, stacks: Bool) throws -> ValueID {
    if case .list(let tensors, of: _) = value {
      guard let first = tensors.first else { throw Self.nothingToJoin }
      if !stacks { return try add1(Concat(axis: axis), tensors) }
      let place = try normalizedAxis(axis, rank: try type(first).rank + 1)
      let layers = try tensors.map { try add1(Unsqueeze(), [$0, integers([place])]) }
      return try add1(Concat(axis: place), layers)
    }
    let sequence = try RaggedSequence(value)
    let shapes = try type(sequence.shapes)
    let rank = try sequence.knownRank(to: "join them")
    let axis = try normalizedAxis(axis, rank: stacks ? rank + 1 : rank)
    try require(by: "ConcatFromSequence") {
      try $0.atLeast(shapes.shape[0], 1, "length of the sequence that is joined")
    }
    let common = try commonSizes(sequence, rank, except: stacks ? nil : axis)
    let length = try sizes(of: sequence.shapes, from: 0, to: 1)
    if stacks {
      let sizes = try add1(Concat(axis: 0), [length, common])
      let stack = try add1(Excerpt(), [sequence.elements, constant(.i64([], [0])), sizes])
      if axis == 0 { return stack }
      var order = Array(1...rank)
      order.insert(0, at: axis)
      return try add1(Transpose(order), [stack])
    }
    let lengths = try shapeColumn(axis, of: sequence.shapes)
    let total = try add1(ReadSizes(), [try add1(Reduce(.sum), [lengths, integers([0])])])
    let before = try add1(Slice(), [common, integers([0]), integers([axis])])
    let behind = try add1(Slice(), [common, integers([axis + 1]), integers([Int.max])])
    let result = try add1(Concat(axis: 0), [before, total, behind])
    if axis == 0 { return try add1(Excerpt(), [sequence.elements, constant(.i64([], [0])), result]) }
    let places = try scalarPlaces(
      lengths, total: total, outer: try add1(Reduce(.product), [before, integers([0])]),
      inner: try add1(Reduce(.product), [behind, integers([0])]))
    let parts = try add1(Gather(axis: 0), [sequence.elements, places])
    return try add1(Reshape(allowZero: true), [parts, result])
  }

  private static var nothingToJoin: DiagnosticError {
    DiagnosticError(.user, "sequence.join", "a sequence of 0 elements cannot be joined")
  }

  /// The sizes that all tensors of a sequence must have in common, as one list of sizes; that of the axis left out means nothing.
  private mutating func commonSizes(_ sequence: RaggedSequence, _ rank: Int, except axis: Int?) throws -> ValueID {
    let greatest = try add1(
      ReadSizes(), [try add1(Reduce(.maximum, keepsAxes: false), [sequence.shapes, integers([0])])])
    let least = try add1(ReadSizes(), [try add1(Reduce(.minimum, keepsAxes: false), [sequence.shapes, integers([0])])])
    guard let most = fact(greatest).contents, let fewest = fact(least).contents else { return greatest }
    try require(by: "ConcatFromSequence") {
      for other in 0..<rank where other != axis {
        try $0.equal(
          most[other], fewest[other], "greatest and least size of axis \(other) of the tensors that are joined")
      }
    }
    return greatest
  }

  /// One column of a matrix, [rows].
  private mutating func shapeColumn(_ index: Int, of matrix: ValueID) throws -> ValueID {
    try add1(Gather(axis: 1), [matrix, constant(.i64([], [index]))])
  }

  /// Where the scalars of a tensor [outer, total, inner] lie in the list of the scalars of its parts, whose lengths along the middle axis are
  /// given: i64 [outer, total, inner].
  private mutating func scalarPlaces(
    _ lengths: ValueID, total: ValueID, outer: ValueID, inner: ValueID
  ) throws -> ValueID {
    let (zero, one) = (constant(.i64([], [0])), constant(.i64([], [1])))
    func binary(_ kind: Binary.Kind, _ a: ValueID, _ b: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
      try builder.add1(Binary(kind), [a, b])
    }
    func places(_ count: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
      try builder.add1(Range(), [zero, try builder.integerScalar(count), one])
    }
    let along = try places(total, &self)
    let ends = try add1(Cumulative(.sum), [lengths, zero])
    let starts = try binary(.subtract, ends, lengths, &self)
    // The part that a place along the axis lies in: as many as end before it.
    let isBehind = try add1(Compare(.greaterOrEqual), [try add1(Unsqueeze(), [along, integers([1])]), ends])
    let part = try add1(
      Reduce(.sum, keepsAxes: false), [try add1(Cast(to: .i64), [isBehind]), integers([1])])
    let start = try add1(Gather(axis: 0), [starts, part])
    let length = try add1(Gather(axis: 0), [lengths, part])
    let offset = try binary(.subtract, along, start, &self)
    let base = try binary(
      .multiply, try binary(.add, try binary(.multiply, start, outer, &self), offset, &self), inner, &self)
    let rows = try add1(Unsqueeze(), [try places(outer, &self), integers([1])])
    let row = try binary(.multiply, rows, try binary(.multiply, length, inner, &self), &self)
    let heads = try add1(Unsqueeze(), [try binary(.add, row, base, &self), integers([2])])
    return try binary(.add, heads, try places(inner, &self), &self)
  }

  // MARK: Splitting

  /// A tensor cut along an axis: into parts of one size, the last one smaller where need be; of given sizes; or into slices of one, where no
  /// sizes are given, whose axis may be dropped.
  mutating func split(
    _ x: ValueID, into split: ValueID?, axis: Int, keepsAxis: Bool
  ) throws -> OnnxValue {
    let source = try type(x)
    let axis = try normalizedAxis(axis, rank: source.rank)
    if let parts = try knownParts(source.shape[axis], split) {
      let drops = split == nil && !keepsAxis
      if parts.isEmpty { return .list([], of: source.element) }
      let pieces = try add(Split(axis: axis), [x, parts.value(&self)], outputs: parts.count)
      return .list(
        try drops ? pieces.map { try add1(Squeeze(), [$0, integers([axis])]) } : pieces, of: source.element)
    }
    guard source.element.bits >= 8 else {
      throw DiagnosticError(
        .limit, "sequence.element",
        "tensors of \(source.element), of less than a byte, are split into a known number of parts only")
    }
    if split == nil, !keepsAxis { return try slices(x, axis) }
    let lengths = try partLengths(source.shape[axis], of: x, axis, split)
    let count = try sizes(of: lengths)
    var columns: [ValueID] = []
    for other in 0..<source.rank {
      let column =
        other == axis
        ? lengths : try add1(Expand(), [try sizes(of: x, from: other, to: other + 1), count])
      columns.append(try add1(Unsqueeze(), [column, integers([1])]))
    }
    let shapes = try add1(Concat(axis: 1), columns)
    if axis == 0 { return .ragged(elements: try flattened(x), shapes: shapes, rank: source.rank) }
    func product(_ start: Int, _ end: Int?, _ builder: inout GraphBuilder) throws -> ValueID {
      try builder.add1(Reduce(.product), [try builder.sizes(of: x, from: start, to: end), builder.integers([0])])
    }
    let places = try scalarPlaces(
      lengths, total: try sizes(of: x, from: axis, to: axis + 1), outer: try product(0, axis, &self),
      inner: try product(axis + 1, nil, &self))
    let scalars = try flattened(x)
    let elements = try add1(ScatterElements(), [scalars, try flattened(places), scalars])
    return .ragged(elements: elements, shapes: shapes, rank: source.rank)
  }

  /// All slices of an axis that is dropped.
  private mutating func slices(_ x: ValueID, _ axis: Int) throws -> OnnxValue {
    let source = try type(x)
    var order = Array(0..<source.rank)
    order.insert(order.remove(at: axis), at: 0)
    let front = axis == 0 ? x : try add1(Transpose(order), [x])
    let row = try add1(Unsqueeze(), [try sizes(of: front, from: 1), integers([0])])
    let grid = try add1(Concat(axis: 0), [try sizes(of: front, from: 0, to: 1), integers([source.rank - 1])])
    return .ragged(elements: try flattened(front), shapes: try add1(Expand(), [row, grid]), rank: source.rank - 1)
  }

  /// The lengths of parts whose number only the data tell, [parts].
  private mutating func partLengths(_ size: Dim, of x: ValueID, _ axis: Int, _ split: ValueID?) throws -> ValueID {
    let given = try split.map { try type($0) }
    if let split, given?.rank == 1 {
      let lengths = try add1(Cast(to: .i64), [split])
      let total = try add1(ReadSizes(), [try add1(Reduce(.sum), [lengths, integers([0])])])
      let all = try add1(Concat(axis: 0), [lengths, integers([0])])
      let least = try add1(ReadSizes(isSigned: true), [try add1(Reduce(.minimum), [all, integers([0])])])
      if let smallest = fact(least).contents?.first {
        try require(by: "SplitToSequence") { try $0.atLeast(smallest, 0, "size of the smallest part") }
      }
      if let sum = fact(total).contents?.first {
        let source = try type(x)
        try require(by: "SplitToSequence") {
          try $0.equal(size, sum, "size of axis \(axis) of \(source) and the sum of the parts")
        }
      }
      return lengths
    }
    let scalar = try split.map { try integerScalar($0) }
    let step = try add1(ReadSizes(), [scalar ?? constant(.i64([], [1]))])
    if let known = fact(step).contents?.first {
      try require(by: "SplitToSequence") { try $0.atLeast(known, 1, "size of the parts") }
    }
    let whole = try integerScalar(try sizes(of: x, from: axis, to: axis + 1))
    let starts = try add1(Range(), [constant(.i64([], [0])), whole, step])
    let left = try add1(Binary(.subtract), [whole, starts])
    return try add1(Variadic(.minimum), [left, step])
  }

  /// The sizes of parts whose number is known.
  private enum Parts {
    case sizes([Int])
    /// The elements of a tensor, as many as are told.
    case given(ValueID, count: Int)

    var count: Int {
      switch self {
      case .sizes(let sizes): sizes.count
      case .given(_, let count): count
      }
    }

    var isEmpty: Bool { count == 0 }

    func value(_ builder: inout GraphBuilder) -> ValueID {
      switch self {
      case .sizes(let sizes): builder.integers(sizes)
      case .given(let value, _): value
      }
    }
  }

  private mutating func knownParts(_ size: Dim, _ split: ValueID?) throws -> Parts? {
    if let split, try type(split).rank == 1 {
      guard let count = try type(split).shape[0].value, (1...Self.listLimit).contains(count) else { return nil }
      return .given(split, count: count)
    }
    var step = 1
    if let split {
      guard let given = inputs([split], outputs: 1).integers(0)?.first else { return nil }
      guard given > 0 else {
        throw DiagnosticError(.user, "split.parts", "the size of the parts must be at least 1, but is \(given)")
      }
      step = given
    }
    guard let whole = size.value, (whole + step - 1) / step <= Self.listLimit else { return nil }
    return .sizes(stride(from: 0, to: whole, by: step).map { min(step, whole - $0) })
  }
}
