import SinterCore

extension PortStructure {
  /// `"x" optional(0, ragged(1, 2)) [?, 4]`: the name, the positions of the tensors, and the sizes of a sequence's elements.
  var text: String {
    let sizes = elementSizes.map { sizes in
      " [" + sizes.map { $0.map(String.init) ?? "?" }.joined(separator: ", ") + "]"
    }
    return "\(TensorText.quoted(name)) \(Self.text(value))\(sizes ?? "")"
  }

  private static func text(_ value: Structured<Int>) -> String {
    switch value {
    case .tensor(let position): "\(position)"
    case .list(let positions, of: let element):
      "list(" + ([element.name] + positions.map(String.init)).joined(separator: ", ") + ")"
    case .ragged(let elements, let shapes, rank: _): "ragged(\(elements), \(shapes))"
    case .optional(let present, let value): "optional(\(present), \(text(value)))"
    case .map(let keys, let values): "map(\(keys), \(values))"
    case .maps(let keys, let values): "maps(\(keys), \(values))"
    }
  }
}

extension TextScanner {
  /// Reads what `text` writes.
  mutating func portStructure() throws -> PortStructure {
    let name = try quoted()
    let value = try structured(depth: 0)
    guard take("[") else { return PortStructure(name: name, value: value) }
    var sizes: [Int?] = []
    if !take("]") {
      repeat { sizes.append(take("?") ? nil : try integer()) } while take(",")
      try expect("]")
    }
    return PortStructure(name: name, value: value.with(rank: sizes.count), elementSizes: sizes)
  }

  private mutating func structured(depth: Int) throws -> Structured<Int> {
    guard depth < 4 else { throw error("optionals are nested too deep") }
    let value: Structured<Int>
    if take("list(") {
      let word = word()
      guard let element = ElementType(name: word) else { throw error("there is no element type '\(word)'") }
      var positions: [Int] = []
      while take(",") { positions.append(try integer()) }
      value = .list(positions, of: element)
    } else if take("ragged(") {
      let (first, second) = try pair()
      value = .ragged(elements: first, shapes: second, rank: nil)
    } else if take("maps(") {
      let (first, second) = try pair()
      value = .maps(keys: first, values: second)
    } else if take("map(") {
      let (first, second) = try pair()
      value = .map(keys: first, values: second)
    } else if take("optional(") {
      let present = try integer()
      try expect(",")
      value = .optional(present: present, try structured(depth: depth + 1))
    } else {
      return .tensor(try integer())
    }
    try expect(")")
    return value
  }

  private mutating func pair() throws -> (Int, Int) {
    let first = try integer()
    try expect(",")
    return (first, try integer())
  }
}

extension Structured {
  /// The same with so many axes of a sequence's tensors.
  fileprivate func with(rank: Int?) -> Structured {
    switch self {
    case .ragged(let elements, let shapes, rank: _): .ragged(elements: elements, shapes: shapes, rank: rank)
    case .optional(let present, let value): .optional(present: present, value.with(rank: rank))
    case .tensor, .list, .map, .maps: self
    }
  }
}
