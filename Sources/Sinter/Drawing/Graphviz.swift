import Foundation
import SinterCore

/// Drawings in files: DOT as it is, SVG and PNG by graphviz, which the ending of the file's name chooses.
package enum Graphviz {
  package static func write(dot text: String, to path: String) throws {
    guard let format = ["svg", "png"].first(where: { path.hasSuffix("." + $0) }) else {
      return try AtomicFile.write(text, to: path)
    }
    let result = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      Result { try drawn(text, format, in: folder) }
    }
    let data = try result.get()
    let file = try AtomicFile(path)
    try data.withUnsafeBytes { try file.append($0) }
    try file.commit()
  }

  private static func drawn(_ text: String, _ format: String, in folder: String) throws -> Data {
    let (source, drawn) = ("\(folder)/graph.dot", "\(folder)/graph.\(format)")
    try AtomicFile.write(text, to: source)
    let result: Subprocess.Result
    do {
      result = try Subprocess.run("dot", ["-T\(format)", source, "-o", drawn])
    } catch {
      throw DiagnosticError(
        .user, "graph.dot", "dot cannot be started", hint: "install graphviz, or write a .dot file")
    }
    guard result.succeeded, let data = FileManager.default.contents(atPath: drawn) else {
      throw DiagnosticError(.user, "graph.dot", "graphviz failed", output: result.output)
    }
    return data
  }
}
