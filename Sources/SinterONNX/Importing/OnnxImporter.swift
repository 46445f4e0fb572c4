import SinterCore
import SinterIR
import Synchronization

/// Makes a graph of an ONNX file.
///
/// Nothing here knows any operator but `Constant`: how a node is read is told by the table of operators. Functions that
/// the file carries are inlined, opsets are resolved by domain, and everything that is wrong is reported at once.
package struct OnnxImporter: Sendable {
  package var operators: OpTable
  /// Types for graph inputs that replace what the file says: a fixed batch, a rank that the file leaves open.
  package var shapes: [String: [Dim]] = [:]
  /// Numbers for symbols of the inputs. They are there before any node is read, so that all that a size decides is decided: which body of an If
  /// counts, which axes Squeeze removes, how long a window is.
  package var sizes: [Symbol: Int] = [:]
  /// Whether nodes that cannot be read stay, as what the file says of them: for drawings, and for nothing else.
  package var showsUnknown = false

  package init(operators: OpTable) { self.operators = operators }

  /// The newest opsets that are known, by domain. Domains that are not here belong to users' own operators.
  package static let newestOpsets: [String: Int] = [
    "": 28, "ai.onnx.ml": 5, "ai.onnx.preview": 1, "ai.onnx.preview.training": 1,
  ]

  /// The graph of the file at `path`. Throws `DiagnosticError`.
  package func graph(reading path: String) throws -> Graph {
    let (graph, problems) = try partialGraph(reading: path)
    if !problems.isEmpty { throw DiagnosticError(problems) }
    return graph
  }

  /// As much as can be read of the file at `path`, and all that is wrong with the rest; see `partialGraph(of:)`.
  package func partialGraph(reading path: String) throws -> (graph: Graph, problems: [Diagnostic]) {
    let (graph, problems) = partialGraph(of: try OnnxFile(reading: path))
    return (graph, DiagnosticError(problems).located(at: path).diagnostics)
  }

  package func graph(of file: OnnxFile) throws -> Graph {
    let (graph, problems) = partialGraph(of: file)
    if !problems.isEmpty { throw DiagnosticError(problems) }
    return graph
  }

  /// As much of the file as can be read, and all that is wrong with the rest. What a node that cannot be read would use is an output
  /// of the graph, so that the part that computes it is kept.
  package func partialGraph(of file: OnnxFile) -> (graph: Graph, problems: [Diagnostic]) {
    var context = ImportContext(file, operators: operators)
    context.sizes = sizes
    context.showsUnknown = showsUnknown
    let problems = ImportCheck.problems(of: file, in: context)
    if problems.contains(where: { ImportCheck.isFatal($0) }) { return (Graph(name: file.graph.name), problems) }
    var importer = GraphImporter(context, name: file.graph.name)
    for set in file.operatorSets { importer.builder.setOpset(Int(set.version), of: set.domain) }
    importer.stateOutputs = StateMetadata.outputs(file.metadata)
    if FlushMetadata.flushes(file.metadata) { importer.builder.setFlushesSubnormals() }
    importer.declareInputs(of: file.graph, shapes: shapes)
    importer.declareValues(of: file.graph)
    importer.addContents(of: file.graph)
    importer.addOutputs(file.graph.outputs)
    importer.addStates(of: file.graph)
    if !showsUnknown { importer.addLooseEnds() }
    return (importer.builder.graph, problems + importer.diagnostics)
  }
}

/// What holds for all nodes of a scope: how operators are read.
struct ImportContext: Sendable {
  let operators: OpTable
  let functions: [FunctionKey: OnnxFile.Function]
  /// Versions by domain. That of onnxruntime's own operators has had one version only, and files whose writer forgot to import it run there.
  var opsets: [String: Int]
  /// Numbers for symbols of the graph's inputs.
  var sizes: [Symbol: Int] = [:]
  var showsUnknown = false
  let budget = ImportBudget()

  init(_ file: OnnxFile, operators: OpTable) {
    self.operators = operators
    functions = Dictionary(file.functions.map { (FunctionKey($0), $0) }) { first, _ in first }
    opsets = Self.versions(file.operatorSets).merging(["com.microsoft": 1]) { own, _ in own }
  }

  /// The same for the body of a function, which may import other versions.
  func inside(_ function: OnnxFile.Function) -> ImportContext {
    var copy = self
    copy.opsets.merge(Self.versions(function.operatorSets)) { _, own in own }
    return copy
  }

  func function(_ node: OnnxFile.Node) -> OnnxFile.Function? { functions[FunctionKey(node)] }

  private static func versions(_ sets: [OnnxFile.OperatorSet]) -> [String: Int] {
    Dictionary(sets.map { ($0.domain, Int($0.version)) }) { first, _ in first }
  }
}

/// How many nodes an import may still make, functions inlined and bodies built. A small file can ask for any number.
final class ImportBudget: Sendable {
  static let limit = 250_000
  private let spent = Atomic<Int>(0)

  /// Whether another node may be made.
  func spend() -> Bool { spent.add(1, ordering: .relaxed).newValue <= Self.limit }
}

/// What tells functions apart, and which node calls which.
struct FunctionKey: Hashable {
  let domain: String
  let name: String
  let overload: String

  init(_ function: OnnxFile.Function) {
    (domain, name, overload) = (function.domain, function.name, function.overload)
  }

  init(_ node: OnnxFile.Node) {
    (domain, name, overload) = (node.domain, node.operatorType, node.overload)
  }
}
