/// Layers applied one after another. The parameters of the first are named `0.weight` and so on, as PyTorch names them.
///
/// Single layers are read and replaced by number, `net.classifier[6] = Linear(4096, 2)`; ranges give another `Sequential` of the same layers,
/// `net.features[..<10]`.
public struct Sequential: UnaryLayer, NamedChildren, ExpressibleByArrayLiteral {
  /// The layers, in order.
  public var layers: [any UnaryLayer]
  /// Where layers have names of their own.
  private var names: [String]?

  /// The given layers, named `0`, `1` and so on.
  public init(_ layers: any UnaryLayer...) { self.layers = layers }
  /// The layers of a list, named `0`, `1` and so on.
  public init(_ layers: [any UnaryLayer]) { self.layers = layers }
  public init(arrayLiteral elements: any UnaryLayer...) { layers = elements }

  /// Layers with names, as PyTorch's `Sequential(OrderedDict([…]))`.
  public init(named layers: KeyValuePairs<String, any UnaryLayer>) {
    self.layers = layers.map(\.value)
    names = layers.map(\.key)
  }

  public var count: Int { layers.count }

  /// The layer at a place, which counts from 0, or from the end where it is negative.
  public subscript(index: Int) -> any UnaryLayer {
    get { layers[place(index)] }
    set { layers[place(index)] = newValue }
  }

  /// Some of the layers, which keep their parameters and their names: those of `net[2...]` are named `2.weight` and so on.
  public subscript(range: some RangeExpression<Int>) -> Sequential {
    let places = range.relative(to: layers)
    var part = Sequential(Array(layers[places]))
    if names != nil || places.lowerBound > 0 { part.names = places.map { names?[$0] ?? "\($0)" } }
    return part
  }

  /// A layer by its name; setting nil removes it, and what is behind it moves up where layers are named by number.
  public subscript(name: String) -> (any UnaryLayer)? {
    get { place(named: name).map { layers[$0] } }
    set {
      let place = place(named: name)
      guard let newValue else {
        guard let place else { return }
        layers.remove(at: place)
        names?.remove(at: place)
        return
      }
      if let place {
        layers[place] = newValue
      } else {
        names = (names ?? layers.indices.map(String.init)) + [name]
        layers.append(newValue)
      }
    }
  }

  private func place(named name: String) -> Int? {
    if let names { return names.firstIndex(of: name) }
    return Int(name).flatMap { layers.indices.contains($0) ? $0 : nil }
  }

  /// A layer behind the others, named by how many there were, as PyTorch has it. A name that there is already is an error where the layers are
  /// run.
  public mutating func append(_ layer: any UnaryLayer) {
    if let names { self.names = names + ["\(layers.count)"] }
    layers.append(layer)
  }

  /// Negative numbers count from the back.
  private func place(_ index: Int) -> Int { index < 0 ? index + layers.count : index }

  public func forward(_ x: Tensor) -> Tensor {
    if let names, let twice = names.indices.first(where: { names[..<$0].contains(names[$0]) }) {
      return x.trace.fail(
        "name", "two layers of a Sequential are named \(names[twice])", like: x,
        hint: "append by another name: layers[\"name\"] = layer")
    }
    return layers.reduce(x) { $1.forward(in: $0) }
  }

  public var children: [(name: String, value: Any)] {
    layers.enumerated().map { (names?[$0.offset] ?? "\($0.offset)", $0.element) }
  }
}

/// Layers in a list, to be called one by one: PyTorch's `ModuleList`. A plain Swift array of layers does as well.
public struct ModuleList: Layer, NamedChildren, RandomAccessCollection, MutableCollection, ExpressibleByArrayLiteral {
  /// The layers, in order.
  public var layers: [any UnaryLayer]

  /// The layers of a list, named `0`, `1` and so on.
  public init(_ layers: [any UnaryLayer]) { self.layers = layers }
  public init(arrayLiteral elements: any UnaryLayer...) { layers = elements }

  public var startIndex: Int { 0 }
  public var endIndex: Int { layers.count }
  /// The layer at a place, which counts from 0.
  public subscript(index: Int) -> any UnaryLayer {
    get { layers[index] }
    set { layers[index] = newValue }
  }
  /// Adds a layer at the end.
  public mutating func append(_ layer: any UnaryLayer) { layers.append(layer) }

  public var children: [(name: String, value: Any)] { layers.enumerated().map { ("\($0.offset)", $0.element) } }
}

/// Layers by name, in order: PyTorch's `ModuleDict`.
public struct ModuleDict: Layer, NamedChildren, ExpressibleByDictionaryLiteral {
  /// The names of layers, in order.
  public private(set) var keys: [String] = []
  private var layers: [String: any UnaryLayer] = [:]

  public init(dictionaryLiteral elements: (String, any UnaryLayer)...) {
    for (key, layer) in elements { self[key] = layer }
  }

  /// The layer of a name. Setting adds or replaces it; nil removes it.
  public subscript(key: String) -> (any UnaryLayer)? {
    get { layers[key] }
    set {
      if newValue == nil { keys.removeAll { $0 == key } } else if layers[key] == nil { keys.append(key) }
      layers[key] = newValue
    }
  }

  public var children: [(name: String, value: Any)] { keys.compactMap { key in layers[key].map { (key, $0) } } }
}
