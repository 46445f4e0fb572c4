import SinterIR
import SinterLLVM
import SinterModel
import SinterONNX
import SinterPasses

/// A processor to compile for: `Target.named("neoverse-n1", for: "aarch64-linux-gnu")`.
public typealias Target = SinterLLVM.Target

/// A graph that has all its parameters: to be optimized, compiled, exported and drawn.
public struct BoundModel: Sendable {
  /// The graph, which has no parameters left as inputs.
  public var graph: Graph { didSet { exportable = nil } }
  /// Of an optimized graph the form that ONNX has words for, which knows no channels-last layout.
  private var exportable: Graph?

  /// A model of a graph whose parameters are all constants.
  public init(graph: Graph) { self.graph = graph }

  /// The graph after all passes.
  public func optimized() throws -> BoundModel {
    var compiler = Compiler()
    var result = BoundModel(graph: try compiler.optimize(graph))
    result.exportable = try compiler.optimize(exportable ?? graph, with: Pipelines.simplify)
    return result
  }

  /// The graph after passes of your own, and what they changed, by rule. `optimized()` and `compile(to:)` go on from there.
  ///
  /// After each pass the graph is verified. Throws what a pass throws, and a graph that does not verify as an error that names the pass.
  public func applying(_ passes: Pass...) throws -> (model: BoundModel, changes: RewriteLog) {
    var flags = Flags.fromEnvironment()
    flags.verify = true
    func applied(to graph: Graph) throws -> (Graph, RewriteLog) {
      var manager = PassManager(flags: flags)
      var graph = graph
      try manager.run(passes, on: &graph)
      return (graph, manager.log)
    }
    let (graph, changes) = try applied(to: graph)
    var result = BoundModel(graph: graph)
    result.exportable = try exportable.map { try applied(to: $0).0 }
    return (result, changes)
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

  /// Compiles into a library that is loaded at once and leaves no file.
  ///
  /// - Parameter threads: 0 for as many as this process may run on.
  public func load(threads: Int = 0) throws -> LoadedModel {
    try TemporaryLibrary.with { path in
      try compile(to: path)
      return try LoadedModel(path, threads: threads)
    }
  }

  /// Compiles into a shared library for other processors than this one, which need not be able to load it.
  ///
  ///     try graph.compile(to: "libdigits.so", for: Target.list("neoverse-n1,generic", for: "aarch64-linux-gnu"))
  ///
  /// - Parameters:
  ///   - targets: of one architecture, the most demanding first; the library takes the first that the processor can run.
  ///   - header, name: as in `compile(to:header:name:)`.
  public func compile(
    to path: String, for targets: [Target], header: Bool = false, name: String? = nil
  ) throws {
    var graph = graph
    if let name { graph.name = name }
    let variants = try targets.map { target in
      var compiler = Compiler(for: target)
      return LibraryVariant(target: target, program: try compiler.kernels(of: graph))
    }
    _ = try LibraryCompiler.compile(variants, to: path, options: LibraryOptions(writesHeaders: header))
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
  /// The library that was loaded.
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
