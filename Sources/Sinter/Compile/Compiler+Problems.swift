import SinterForms
import SinterIR
import SinterLLVM

extension Compiler {
  /// All that keeps a graph from becoming a library; nothing where it compiles.
  ///
  /// Stages go on with what the ones before them could do: nodes that nothing lowers are left out, and the forms of all others are
  /// scheduled. So the mistakes of one stage do not hide those of the next.
  package mutating func problems(of graph: Graph) -> [Diagnostic] {
    var problems: [Diagnostic] = []
    func note(_ error: any Error) {
      let found = (error as? DiagnosticError)?.diagnostics ?? [Diagnostic(.bug, "check.error", "\(error)")]
      problems += found.filter { !problems.contains($0) }
    }
    do {
      let (forms, unlowered) = try optimize(graph).partiallyLowered()
      note(DiagnosticError(unlowered))
      note(DiagnosticError(LibraryCompiler.problems(of: try schedule(try fuse(forms)))))
    } catch { note(error) }
    return problems
  }
}
