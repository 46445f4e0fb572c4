import SinterCore
import SinterForms
import SinterIR

/// An example of an operator whose inputs have symbols for sizes, and inputs of any sizes for it.
package struct SizeExample: Sendable {
  /// A size of an input.
  struct Place: Hashable, Sendable {
    var input, axis: Int
    var symbol: Symbol { Symbol("d\(input)_\(axis)") }
  }

  package let example: OperatorExample
  /// The one node, with a symbol for each size but for `kept`.
  package private(set) var graph: Graph
  /// Sizes that the operator takes as numbers only, with what it says.
  package private(set) var kept: [String] = []
  private var fixed: Set<Place> = []
  private let original: [[Int]?]

  /// - Parameter accepts: throws where a graph is of no use.
  /// - Throws: what is wrong with the example as it stands.
  package init(_ example: OperatorExample, accepts: (Graph) throws -> Void) throws {
    self.example = example
    original = try example.inputs.map { input in
      switch input {
      case .absent, .constant: nil
      case .given(let tensor): tensor.shape
      case .random(let type, _):
        try type.shape.map { size in
          guard let value = size.evaluated({ example.sizes[$0] }) else {
            throw DiagnosticError(.user, "example.size", "the example gives no value of \(size)")
          }
          return value
        }
      }
    }
    var places: [Place] = []
    for (input, shape) in original.enumerated() {
      places += (shape ?? []).indices.map { Place(input: input, axis: $0) }
    }
    graph = Graph(name: "")
    do {
      graph = try graph(fixed: [])
      try accepts(graph)
      return
    } catch {}
    fixed = Set(places)
    graph = try graph(fixed: fixed)
    try accepts(graph)
    for place in places {
      do {
        let wider = try graph(fixed: fixed.subtracting([place]))
        try accepts(wider)
        (graph, fixed) = (wider, fixed.subtracting([place]))
      } catch {
        kept.append("axis \(place.axis) of input \(place.input): \(error)")
      }
    }
  }

  /// The node for given shapes of its inputs.
  package func graph(shapes: [[Int]?]) throws -> Graph {
    try graph { input, axis in Dim(shapes[input]?[axis] ?? 0) }
  }

  private func graph(fixed: Set<Place>) throws -> Graph {
    try graph { input, axis in
      let place = Place(input: input, axis: axis)
      return fixed.contains(place) ? Dim(original[input]?[axis] ?? 0) : Dim(place.symbol)
    }
  }

  private func graph(_ size: (Int, Int) -> Dim) throws -> Graph {
    var builder = GraphBuilder(name: Swift.type(of: example.op).name)
    var values = [ValueID?](repeating: nil, count: example.inputs.count)
    for (index, input) in example.inputs.enumerated() {
      let element: ElementType
      switch input {
      case .absent, .constant: continue
      case .given(let tensor): element = tensor.element
      case .random(let type, _): element = type.element
      }
      let shape = (original[index] ?? []).indices.map { size(index, $0) }
      values[index] = builder.input(Fact(element, shape), named: "x\(index)")
    }
    for case (let index, .constant(let tensor)) in example.inputs.enumerated() {
      values[index] = builder.constant(tensor)
    }
    let results = try builder.add(example.op, values, outputs: example.outputCount)
    for (index, result) in results.enumerated() { builder.output(result, named: "y\(index)") }
    return builder.graph
  }

  // MARK: Draws

  /// Shapes for all inputs, many of which fit one another: the example's own with one or a few sizes changed.
  package func shapes(_ count: Int, _ generator: inout CheckGenerator) -> [[[Int]?]] {
    var found = [original]
    var seen = Set(found)
    for _ in 0..<(4 * count) where found.count < count {
      let shapes = generator.pick([true, true, false]) ? fittingShapes(&generator) : otherShapes(&generator)
      if seen.insert(shapes).inserted { found.append(shapes) }
    }
    return found
  }

  private var open: [Place] {
    original.enumerated().flatMap { input, shape in
      (shape ?? []).indices.map { Place(input: input, axis: $0) }.filter { !fixed.contains($0) }
    }
  }

  private func size(_ place: Place) -> Int { original[place.input]?[place.axis] ?? 0 }

  private func otherSize(than size: Int, _ generator: inout CheckGenerator) -> Int {
    let others = open.map { self.size($0) }
    return generator.pick(
      [0, 1, 1, 2, size + 1, Swift.max(size - 1, 0), 2 * size] + (others.isEmpty ? [] : [generator.pick(others)]))
  }

  /// Each size on its own.
  private func otherShapes(_ generator: inout CheckGenerator) -> [[Int]?] {
    var shapes = original
    if open.isEmpty { return shapes }
    for _ in 0..<generator.pick([1, 1, 2, 3]) {
      let place = generator.pick(open)
      shapes[place.input]?[place.axis] = otherSize(than: size(place), &generator)
    }
    return shapes
  }

  /// What the graph says of sizes that are equal is kept; or all sizes that are equal in the example stay so.
  private func fittingShapes(_ generator: inout CheckGenerator) -> [[Int]?] {
    let places = open
    let types = graph.inputs.map { graph.type(of: $0.value).tensor }
    var sizes: [Place: Dim] = [:]
    var next = 0
    for (input, shape) in original.enumerated() where shape != nil {
      for (axis, size) in (types[next]?.shape ?? []).enumerated() { sizes[Place(input: input, axis: axis)] = size }
      next += 1
    }
    var values: [Symbol: Int] = [:]
    for place in places {
      if let symbol = sizes[place]?.symbol { values[symbol] = size(place) }
    }
    let symbols = values.keys.sorted()
    if symbols.isEmpty { return original }
    for _ in 0..<generator.pick([1, 1, 2]) {
      let symbol = generator.pick(symbols)
      let (old, keepsTogether) = (values[symbol] ?? 0, generator.pick([true, false]))
      let new = otherSize(than: old, &generator)
      for other in symbols where other == symbol || keepsTogether && values[other] == old { values[other] = new }
    }
    var shapes = original
    for place in places {
      if let size = sizes[place]?.evaluated({ values[$0] }), size >= 0 { shapes[place.input]?[place.axis] = size }
    }
    return shapes
  }

  /// Inputs of given shapes. Those that the example gives hold its elements, over and over.
  package func inputs(_ shapes: [[Int]?], _ generator: inout CheckGenerator) -> [HostTensor] {
    var inputs: [HostTensor] = []
    for (input, shape) in zip(example.inputs, shapes) {
      guard let shape else { continue }
      let count = shape.reduce(1, *)
      switch input {
      case .absent, .constant: continue
      case .given(let tensor):
        inputs.append(tensor.shape == shape ? tensor : tensor.repeated(shape))
      case .random(let type, let range):
        let values = (0..<count).map { _ in
          let value = Double.random(in: range, using: &generator)
          return type.element.isFloat ? value : value.rounded(.down)
        }
        inputs.append(HostTensor(type.element, shape, doubles: values))
      }
    }
    return inputs
  }
}

/// A generator that gives the same numbers on every machine.
package struct CheckGenerator: RandomNumberGenerator, Sendable {
  private var numbers: SplitMix64
  package init(seed: UInt64) { numbers = SplitMix64(seed: seed &+ 0x9e37_79b9_7f4a_7c15) }
  package mutating func next() -> UInt64 { numbers.next() }

  package mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &self)] }
}

extension HostTensor {
  /// Its elements in another shape, from the first on again where there are not enough.
  fileprivate func repeated(_ shape: [Int]) -> HostTensor {
    let count = shape.reduce(1, *)
    func numbers<T>(_ all: [T], _ none: T) -> [T] { (0..<count).map { all.isEmpty ? none : all[$0 % all.count] } }
    if element == .string { return HostTensor(strings: numbers(strings, ""), shape: shape) }
    if let integers, let tensor = HostTensor(element, shape, integers: numbers(integers, 0)) { return tensor }
    return HostTensor(element, shape, doubles: numbers(doubles ?? [], 0))
  }

  /// The largest difference to another tensor, relative to its largest magnitude (at least 1); infinite where types or shapes differ.
  package func difference(from other: HostTensor) -> Double {
    guard element == other.element, shape == other.shape else { return .infinity }
    guard element.isFloat, let a = doubles, let b = other.doubles else {
      return hasSameContents(as: other) ? 0 : .infinity
    }
    let scale = b.reduce(1) { Swift.max($0, $1.isFinite ? $1.magnitude : 0) }
    return zip(a, b).reduce(0) { worst, pair in
      if pair.0 == pair.1 || (pair.0.isNaN && pair.1.isNaN) { return worst }
      let error = (pair.0 - pair.1).magnitude / scale
      return error.isNaN ? .infinity : Swift.max(worst, error)
    }
  }
}
