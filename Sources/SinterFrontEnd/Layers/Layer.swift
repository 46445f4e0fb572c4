/// A part of a model: a struct whose stored properties are parameters and other layers. It prints itself and what it holds as PyTorch's modules do.
///
/// A layer that takes several tensors conforms to this protocol and calls what it does inside of `run`, so that it carries the layer's path and
/// the caller's line:
///
///     struct Pair: Layer {
///       var fc = Bilinear(4, 5, 2)
///       func callAsFunction(_ a: Tensor, _ b: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
///         run(a, file: file, line: line) { fc(a, b).relu() }
///       }
///     }
public protocol Layer: CustomStringConvertible {
  /// What it is called in print; the type's name by default.
  var layerName: String { get }
  /// What stands in brackets behind the name in print, written as PyTorch does: `in_features=4, out_features=2, bias=True`.
  var printedArguments: String { get }
}

extension Layer {
  public var layerName: String {
    let name = "\(type(of: self))"
    return name.firstIndex(of: "<").map { String(name[..<$0]) } ?? name
  }
  public var printedArguments: String { "" }
  public var description: String { LayerPrinter.text(self) }

  /// Does what the layer does, with its path and the caller's line as the origin of it.
  ///
  /// - Parameter input: any tensor that the layer is given.
  public func run<R>(_ input: Tensor, file: StaticString, line: UInt, _ body: () -> R) -> R {
    input.trace.enter(self, file: file, line: line, body)
  }
}

/// A layer or a model with one input and one output.
///
/// Write `forward`; call the layer itself, `layer(x)`, so that what it does carries its path and the caller's line.
public protocol UnaryLayer: Layer {
  func forward(_ x: Tensor) -> Tensor
}

extension UnaryLayer {
  /// What `forward` gives. Nodes that it adds carry the layer's path and the caller's file and line.
  public func callAsFunction(_ x: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
    run(x, file: file, line: line) { forward(x) }
  }

  /// The call of a layer by the one that holds it, from no line of the user's.
  func forward(in x: Tensor) -> Tensor { callAsFunction(x, file: "", line: 0) }
}

/// Gives back what it gets: takes the place of a layer that is to be left out.
public struct Identity: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x }
}

/// The axes from `start` to `end` as one.
public struct Flatten: UnaryLayer {
  /// The first and the last axis that become one; negative numbers count from the back.
  public var start: Int, end: Int
  /// Joins the axes from `start` to `end`, both included. By default all but the batch.
  public init(from start: Int = 1, to end: Int = -1) {
    self.start = start
    self.end = end
  }
  public func forward(_ x: Tensor) -> Tensor { x.flatten(from: start, to: end) }
  public var printedArguments: String { "start_dim=\(start), end_dim=\(end)" }
}

/// An axis as several of the given sizes, one of which may be -1.
public struct Unflatten: UnaryLayer {
  /// The axis; a negative one counts from the back.
  public var axis: Int
  /// The sizes that the axis is taken apart into.
  public var sizes: [Int]
  /// Takes an axis apart. The sizes must multiply to that of the axis; −1 stands for what is left.
  public init(_ axis: Int, _ sizes: [Int]) {
    self.axis = axis
    self.sizes = sizes
  }
  public func forward(_ x: Tensor) -> Tensor { x.unflatten(axis, sizes) }
  public var printedArguments: String { "dim=\(axis), unflattened_size=\(PrintedForm.tuple(sizes))" }
}

/// A function as a layer without parameters: `Apply { $0.flatten(from: 1) }`.
public struct Apply: UnaryLayer {
  /// What is done with the input.
  public var function: @Sendable (Tensor) -> Tensor
  /// A layer that calls the function.
  public init(_ function: @escaping @Sendable (Tensor) -> Tensor) { self.function = function }
  public func forward(_ x: Tensor) -> Tensor { function(x) }
}
