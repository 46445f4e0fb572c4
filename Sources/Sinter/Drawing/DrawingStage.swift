import SinterIR
import SinterVisual

/// Which shape of a model a drawing shows.
public enum DrawingStage: String, CaseIterable, Sendable {
  /// The graph as it was read or traced.
  case imported
  /// The graph after all passes.
  case optimized
  /// The loop forms after fusion: a box for what becomes one kernel.
  case fused
}

extension Compiler {
  /// The diagram of a stage of a graph.
  package mutating func diagram(of graph: Graph, _ stage: DrawingStage) throws -> Diagram {
    switch stage {
    case .imported: Diagram(of: graph)
    case .optimized: Diagram(of: try optimize(graph))
    case .fused: try fusedDiagram(ofOptimized: try optimize(graph))
    }
  }

  /// The diagram of an optimized graph's fused forms, with the names of kernels where it can be scheduled.
  package mutating func fusedDiagram(ofOptimized graph: Graph) throws -> Diagram {
    let program = try fuse(lower(graph))
    var kernels: [[String]: [String]] = [:]
    if let scheduled = try? schedule(program) {
      for call in scheduled.steps.flatMap(\.calls) {
        let name = scheduled.kernels[call.kernel].name
        if kernels[call.origin]?.contains(name) != true { kernels[call.origin, default: []].append(name) }
      }
    }
    return Diagram(of: program, fusion: fusion, kernels: kernels)
  }
}
