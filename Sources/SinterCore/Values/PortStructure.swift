/// How a caller sees some of a graph's ports as one value: a sequence, an optional or a map.
public struct PortStructure: Hashable, Sendable {
  /// The name that callers know.
  public var name: String
  /// What the value is made of, each tensor by its position among the inputs, or the outputs. The positions follow one another.
  public var value: Structured<Int>
  /// Of a sequence of tensors, the sizes of each of them, as far as they are fixed ahead of time; nil where not even their number is.
  public var elementSizes: [Int?]?

  /// A value that callers know by a name and that is made of the given ports.
  public init(name: String, value: Structured<Int>, elementSizes: [Int?]? = nil) {
    self.name = name
    self.value = value
    self.elementSizes = elementSizes
  }

  /// The positions of its tensors; those of the first one on, where it has none.
  public var positions: Range<Int> {
    let leaves = value.leaves
    return (leaves.first ?? 0)..<((leaves.last ?? -1) + 1)
  }

  /// What callers pass, for people: `seq(f32[?, 4])`, `map(i64, f32)`, with `?` behind what may be left out.
  ///
  /// - Parameter types: of the tensors by position.
  public func description(_ types: [TensorType]) -> String {
    func sequence(_ element: ElementType) -> String {
      let sizes = elementSizes.map { sizes in
        "[" + sizes.map { $0.map(String.init) ?? "?" }.joined(separator: ", ") + "]"
      }
      return "seq(\(element)\(sizes ?? ""))"
    }
    func map(_ keys: Int, _ values: Int) -> String { "map(\(types[keys].element), \(types[values].element))" }
    let value =
      switch present {
      case .tensor(let position), .optional(let position, _): "\(types[position])".filter { $0 != "$" }
      case .list(_, of: let element): sequence(element)
      case .ragged(let elements, _, rank: _): sequence(types[elements].element)
      case .map(let keys, let values): map(keys, values)
      case .maps(let keys, let values): "seq(\(map(keys, values)))"
      }
    return value + (isOptional ? "?" : "")
  }

  /// The value without the option to leave it out.
  public var present: Structured<Int> {
    if case .optional(_, let value) = value { value } else { value }
  }

  /// Whether it may hold nothing.
  public var isOptional: Bool {
    if case .optional = value { true } else { false }
  }
}

/// A port as callers see it.
public struct CallerPort: Hashable, Sendable {
  /// The port's name.
  public var name: String
  /// Nil for a tensor.
  public var structure: PortStructure?
  /// The positions of its tensors among the inputs, or the outputs.
  public var positions: Range<Int>

  /// One tensor, the one at a position.
  package static func tensor(_ name: String, at position: Int) -> CallerPort {
    CallerPort(name: name, structure: nil, positions: position..<(position + 1))
  }

  /// The ports of a graph's tensors: those that a structure takes up, and each of the others by itself.
  ///
  /// - Parameters:
  ///   - names: of the tensors, in their order.
  ///   - structures: in the order of their positions.
  public static func all(_ names: [String], _ structures: [PortStructure]) -> [CallerPort] {
    var ports: [CallerPort] = []
    var position = 0
    for structure in structures {
      let range = structure.positions
      while position < range.lowerBound, position < names.count {
        ports.append(.tensor(names[position], at: position))
        position += 1
      }
      ports.append(CallerPort(name: structure.name, structure: structure, positions: range))
      position = max(position, range.upperBound)
    }
    while position < names.count {
      ports.append(.tensor(names[position], at: position))
      position += 1
    }
    return ports
  }
}
