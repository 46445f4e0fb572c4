/// A value that is one tensor, or made of several: how sequences, optionals and maps are told in tensors, wherever they are told.
///
/// What stands for a tensor is up to the user of the type: a value of a graph, a fact, the position of a port. Nothing behind the import of a
/// model knows of structures; they come up again only where a library meets its caller.
public indirect enum Structured<Leaf> {
  case tensor(Leaf)
  /// A sequence whose length is known ahead of time: a tensor for each element, of one element type, of any ranks.
  case list([Leaf], of: ElementType)
  /// A sequence whose length only the data tell: the elements of all its tensors one after another, row-major, and the sizes of each tensor
  /// as a row of an i64 matrix. All tensors have `rank` axes. Where that is nil they may differ: the matrix has columns for as many axes as
  /// any of them may have, and -1 behind the last axis of the others.
  case ragged(elements: Leaf, shapes: Leaf, rank: Int?)
  /// A value that may be missing: whether it is there, one truth value, and the value. Where it is not, its tensors hold nothing of meaning.
  case optional(present: Leaf, Structured)
  /// Keys and their values, two tensors of one axis and of equal length.
  case map(keys: Leaf, values: Leaf)
  /// A sequence of maps that have the same keys: these, and a matrix of the values with a row for each map.
  case maps(keys: Leaf, values: Leaf)
}

extension Structured: Sendable where Leaf: Sendable {}
extension Structured: Equatable where Leaf: Equatable {}
extension Structured: Hashable where Leaf: Hashable {}

extension Structured {
  /// The tensors, in the order in which they stand among ports and operands.
  public var leaves: [Leaf] {
    switch self {
    case .tensor(let leaf): [leaf]
    case .list(let leaves, of: _): leaves
    case .ragged(let elements, let shapes, rank: _): [elements, shapes]
    case .optional(let present, let value): [present] + value.leaves
    case .map(let keys, let values), .maps(let keys, let values): [keys, values]
    }
  }

  /// The same structure of other tensors, which are asked for in the order of `leaves`.
  public func map<Other, Failure: Error>(
    _ transform: (Leaf) throws(Failure) -> Other
  ) throws(Failure) -> Structured<Other> {
    switch self {
    case .tensor(let leaf): return .tensor(try transform(leaf))
    case .list(let leaves, of: let element):
      var others: [Other] = []
      for leaf in leaves { others.append(try transform(leaf)) }
      return .list(others, of: element)
    case .ragged(let elements, let shapes, let rank):
      let first = try transform(elements)
      return .ragged(elements: first, shapes: try transform(shapes), rank: rank)
    case .optional(let present, let value):
      let first = try transform(present)
      return .optional(present: first, try value.map(transform))
    case .map(let keys, let values):
      let first = try transform(keys)
      return .map(keys: first, values: try transform(values))
    case .maps(let keys, let values):
      let first = try transform(keys)
      return .maps(keys: first, values: try transform(values))
    }
  }

  /// The same structure of tensors that a list holds from a place on; the place moves behind them.
  public func taking<Other>(_ list: [Other], at place: inout Int) -> Structured<Other> {
    map { _ in
      defer { place += 1 }
      return list[place]
    }
  }

  /// The one tensor that it is, where it is no more.
  public var tensor: Leaf? {
    if case .tensor(let leaf) = self { leaf } else { nil }
  }

  /// What messages call it.
  public var kindName: String {
    switch self {
    case .tensor: "a tensor"
    case .list, .ragged: "a sequence"
    case .optional(_, let value): "an optional (\(value.kindName))"
    case .map: "a map"
    case .maps: "a sequence of maps"
    }
  }

  /// The names of the tensors of a port: the port's own, with what each of them holds.
  public func partNames(_ name: String) -> [String] {
    switch self {
    case .tensor: [name]
    case .list(let leaves, of: _): leaves.indices.map { "\(name).\($0)" }
    case .ragged: ["\(name).elements", "\(name).shapes"]
    case .optional(_, .tensor): ["\(name).present", "\(name).value"]
    case .optional(_, let value): ["\(name).present"] + value.partNames(name)
    case .map, .maps: ["\(name).keys", "\(name).values"]
    }
  }
}
