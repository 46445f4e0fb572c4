import Foundation
import SinterIR
import SinterModel

/// A library that is loaded as soon as it is made, and whose file is gone then: it is needed no more.
enum TemporaryLibrary {
  /// Calls `body` with the path of a library that it makes and loads.
  static func with<R>(_ body: (_ path: String) throws -> R) throws -> R {
    let folder = FileManager.default.temporaryDirectory.path + "/sinter-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder + "/library.so")
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
