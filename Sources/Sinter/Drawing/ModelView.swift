import SinterCore
import SinterIR
import SinterVisual

/// A model as a page shows it: the stages that it gets through, and what the passes did on the way.
package struct ModelView {
  package var page: ViewPage
  /// Why later stages are missing.
  package private(set) var problems: [Diagnostic] = []

  /// - Parameter stages: which to show; `imported` stands in where none of them can be made.
  package init(of graph: Graph, title: String? = nil, stages: Set<DrawingStage> = Set(DrawingStage.allCases)) {
    page = ViewPage(title: title ?? graph.name, stages: [StageView(name: "imported", Diagram(of: graph))])
    if stages.isSubset(of: [.imported]) { return }
    defer {
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
