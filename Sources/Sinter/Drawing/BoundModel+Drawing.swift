import SinterCore
import SinterVisual

extension BoundModel {
  /// Writes the graph as a drawing for graphviz: `dot -Tsvg FILE.dot -o FILE.svg`.
  public func saveDOT(_ path: String) throws {
    try AtomicFile.write(DOTWriter.text(of: Diagram(of: graph)), to: path)
  }

  /// Writes a drawing: `.svg` or `.png` by graphviz, which must be installed, or `.dot`.
  ///
  /// - Parameter folding: whether layers that repeat are drawn once, with their number.
  public func draw(_ path: String, stage: DrawingStage = .imported, folding: Bool = true) throws {
    var compiler = Compiler()
    let diagram = try compiler.diagram(of: graph, stage)
    try Graphviz.write(dot: DOTWriter.text(of: diagram, foldingRepeats: folding), to: path)
  }

  /// Writes a page for browsers that shows the graph in all its stages, in one file and without a network. See docs/viewer.md.
  public func saveView(_ path: String) throws {
    try AtomicFile.write(ModelView(of: graph).page.html, to: path)
  }
}
