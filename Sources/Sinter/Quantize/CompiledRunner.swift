import SinterCore
import SinterIR
import SinterLLVM
import SinterModel
import SinterQuantize

/// Runs graphs by compiling them for this machine.
package enum CompiledRunner {
  /// - Parameter threads: 0 for as many as this process may run on.
  package static func runner(threads: Int = 0) -> GraphRunner {
    { graph in
      let session = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
        Result { try compiled(graph, in: folder).session(threads: threads) }
      }.get()
      return { inputs in
        do {
          return try session.run(inputs)
        } catch let error as DiagnosticError {
          // The library is nowhere that anybody could look.
          throw error.naming(session.library.path, as: nil)
        }
      }
    }
  }

  /// The library, which stays loaded when its file goes.
  private static func compiled(_ graph: Graph, in folder: String) throws -> CompiledLibrary {
    var compiler = Compiler()
    var options = LibraryOptions()
    options.writesHeaders = false
    let path = "\(folder)/model.so"
    _ = try compiler.backEnd.emit(try compiler.kernels(of: graph), to: path, options: options)
    return try CompiledLibrary(path)
  }
}
