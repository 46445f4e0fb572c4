import SinterIR
import SinterLLVM
import SinterModel
import SinterONNX
import SinterPasses
import SinterVisual

/// A graph that has all its parameters: to be optimized, compiled, exported and drawn.
public struct CompiledGraph: Sendable {
  public var graph: Graph { didSet { exportable = nil } }
  /// Of an optimized graph the form that ONNX has words for, which knows no channels-last layout.
  private var exportable: Graph?

  public init(graph: Graph) { self.graph = graph }

  /// The graph after all passes.
  public func optimized() throws -> CompiledGraph {
    var compiler = Compiler()
    var result = CompiledGraph(graph: try compiler.optimize(graph))
    result.exportable = try compiler.optimize(exportable ?? graph, with: Pipelines.simplify)
    return result
  }

  /// Compiles into a shared library and loads it.
  ///
  /// - Parameters:
  ///   - path: the library, such as `libdigits.so`; what was there is replaced only when all went well.
  ///   - header: whether to write the library's own C header, `NAME.h`, and `sinter.h` beside it.
  ///   - name: the name in the header and in the library's table; the model's by default.
  @discardableResult
  public func compile(to path: String, header: Bool = false, name: String? = nil) throws -> LoadedModel {
    var graph = graph
    if let name { graph.name = name }
    var compiler = Compiler()
    var options = LibraryOptions()
    options.writesHeaders = header
    let program = try compiler.kernels(of: graph)
    _ = try compiler.backEnd.emit(program, to: path, options: options)
    return try LoadedModel(path)
  }

  /// Writes the graph as a drawing for graphviz: `dot -Tsvg FILE.dot -o FILE.svg`.
  public func saveDOT(_ path: String) throws {
    try AtomicFile.write(DOTWriter.text(of: graph), to: path)
  }

  /// Writes the graph as standard ONNX.
  ///
  /// - Parameter opset: the opset of the file, from 13 on. Operators that came later are written in terms of others; what that opset cannot say is
  ///   an error that names it. Nil: 20, or what the model came with, and newer where an operator needs it.
  public func export(_ path: String, opset: Int? = nil) throws {
    try OnnxExporter(opset: opset).file(of: exportable ?? graph).write(to: path)
  }
}

/// A compiled library, loaded into this process.
public final class LoadedModel {
  public let library: CompiledLibrary
  /// What runs it; of a library with state, what reads and saves that.
  public let session: Session

  /// - Parameter threads: 0 for as many as this process may run on.
  public init(_ path: String, threads: Int = 0) throws {
    library = try CompiledLibrary(path)
    session = try library.session(threads: threads)
  }

  /// The outputs for given inputs, in port order.
  public func run(_ inputs: HostTensor...) throws -> [HostTensor] { try session.run(inputs) }

  /// The same for a list of inputs.
  public func run(list inputs: [HostTensor]) throws -> [HostTensor] { try session.run(inputs) }

  /// The same for models that take or give sequences, optionals or maps.
  public func run(values: [HostValue]) throws -> [HostValue] { try session.run(values: values) }
}
