import SinterCore
import SinterIR
import SinterVisual

/// A model as a page shows it: the stages that it gets through, and what the passes did on the way.
package struct ModelView {
  package var page: ViewPage
  /// Why later stages are missing.
  package private(set) var problems: [Diagnostic] = []
  /// The names of nodes in all stages, those that are not shown among them.
  package private(set) var labels: Set<String> = []

  /// - Parameter stages: which to show; `imported` stands in where none of them can be made.
  package init(of graph: Graph, title: String? = nil, stages: Set<DrawingStage> = Set(DrawingStage.allCases)) {
    page = ViewPage(title: title ?? graph.name, stages: [StageView(name: "imported", Diagram(of: graph))])
    defer { labels.formUnion(graph.labels) }
    if stages.isSubset(of: [.imported]) { return }
    defer {
      labels = Set(page.stages.flatMap { $0.diagram.nodes.flatMap(\.labels) })
      let asked = page.stages.filter { stage in stages.contains { $0.rawValue == stage.name } }
      if !asked.isEmpty { page.stages = asked }
    }
    do {
      let history = try PassHistory(of: graph)
      page.passes = history.passes
      page.stages.append(StageView(name: "optimized", Diagram(of: history.graph)))
      guard stages.contains(.fused) else { return }
      var compiler = Compiler()
      page.stages.append(StageView(name: "fused", try compiler.fusedDiagram(ofOptimized: history.graph)))
    } catch let error as DiagnosticError {
      problems = error.diagnostics
    } catch {
      problems = [Diagnostic(.bug, "view.error", "\(error)")]
    }
  }

  /// Colours the stages by what launches of kernels took.
  package mutating func setTimes(_ launches: [LaunchTime], _ timing: String) {
    page.timing = timing
    for index in page.stages.indices { page.stages[index].setTimes(launches) }
  }
}

extension Graph {
  /// The names of its nodes and of those in bodies.
  fileprivate var labels: Set<String> {
    order.reduce(into: []) { labels, id in
      labels.formUnion(nodes[id].origin.map(\.label))
      for body in nodes[id].bodies { labels.formUnion(body.labels) }
    }
  }
}
