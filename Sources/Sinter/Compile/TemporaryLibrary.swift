import SinterCore
import SinterIR
import SinterModel

/// A library that is loaded as soon as it is made, and whose file is gone then: it is needed no more.
enum TemporaryLibrary {
  /// Calls `body` with the path of a library that it makes and loads.
  static func with<R>(_ body: (_ path: String) throws -> R) throws -> R {
    let result = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      let path = folder + "/library.so"
      return Result { try body(path) }.mapError { ($0 as? DiagnosticError)?.naming(path, as: nil) ?? $0 }
    }
    return try result.get()
  }

  /// A graph, compiled and opened.
  ///
  /// - Parameter threads: 0 for as many as this process may run on.
  static func session(_ graph: Graph, threads: Int) throws -> Session {
    try with { path in
      try BoundModel(graph: graph).compile(to: path)
      return try CompiledLibrary(path).session(threads: threads)
    }
  }
}
