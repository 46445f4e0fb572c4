import SinterIR
import SinterONNX
import SinterPasses

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
    let flags = Flags.fromEnvironment()
    var dumps = StageDumps(directory: flags.dumpDirectory)
    func applied(_ passes: [Pass], to graph: Graph) throws -> Graph {
      if flags.verify { try GraphVerifier.verify(graph) }
      try dumps.write(graph.description, as: "input", suffix: "sinter")
      var manager = PassManager(flags: flags, dumps: dumps)
      var result = graph
      try manager.run(passes, on: &result)
      dumps = manager.dumps
      return result
    }
    var result = BoundModel(graph: try applied(Pipelines.optimize, to: graph))
    result.exportable = try applied(Pipelines.simplify, to: exportable ?? graph)
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

  /// Writes the graph as standard ONNX.
  ///
  /// - Parameter opset: the opset of the file, from 13 on. Operators that came later are written in terms of others; what that opset cannot say is
  ///   an error that names it. Nil: 20, or what the model came with, and newer where an operator needs it.
  public func export(_ path: String, opset: Int? = nil) throws {
    try OnnxExporter(opset: opset).file(of: exportable ?? graph).write(to: path)
  }
}
