/// A layer or a model with one input and one output: a struct whose stored properties are parameters and other layers.
///
/// Write `forward`; call the layer itself, `layer(x)`, so that what it does carries its path and the caller's line.
public protocol UnaryLayer {
  func forward(_ x: Tensor) -> Tensor
}

extension UnaryLayer {
  public func callAsFunction(_ x: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
    x.trace.enter(self, file: file, line: line) { forward(x) }
  }
}

/// Layers applied one after another. The parameters of the first are named `0.weight` and so on, as PyTorch names them.
public struct Sequential: UnaryLayer, CustomParameterNames {
  public var layers: [any UnaryLayer]

  public init(_ layers: any UnaryLayer...) { self.layers = layers }
  public init(_ layers: [any UnaryLayer]) { self.layers = layers }

  public subscript(index: Int) -> any UnaryLayer {
    get { layers[index] }
    set { layers[index] = newValue }
  }

  public func forward(_ x: Tensor) -> Tensor { layers.reduce(x) { $1.forward(in: $0) } }

  public func parameterName(_ property: String) -> String? { property == "layers" ? "" : nil }
}

extension UnaryLayer {
  /// The call of a layer by the one that holds it, from no line of the user's.
  fileprivate func forward(in x: Tensor) -> Tensor { callAsFunction(x, file: "", line: 0) }
}

/// Gives back what it gets: takes the place of a layer that is to be left out.
public struct Identity: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x }
}

/// The axes from `start` on as one.
public struct Flatten: UnaryLayer {
  public var start: Int
  public init(from start: Int = 1) { self.start = start }
  public func forward(_ x: Tensor) -> Tensor { x.flatten(from: start) }
}
