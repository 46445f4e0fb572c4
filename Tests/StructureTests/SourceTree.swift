import Foundation

/// Reads the package's own sources, found from this file's place in the tree.
enum SourceTree {
  struct ImportStatement {
    let module: String
    let isInternal: Bool
  }

  static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  static let sources = root.appending(path: "Sources")

  /// Folders of `Sources` that hold at least one Swift file.
  static func swiftTargets() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: sources.path).filter { try !swiftFiles(of: $0).isEmpty }
  }

  static func swiftFiles(of target: String) throws -> [URL] {
    let folder = sources.appending(path: target)
    guard let found = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil) else { return [] }
    return found.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
  }

  /// The import lines of a file: attributes, access levels and `import struct M.Type` are understood.
  static func imports(of file: URL) throws -> [ImportStatement] {
    let pattern =
      /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(\w+)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/
    return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
      guard let match = line.firstMatch(of: pattern) else { return nil }
      return ImportStatement(module: String(match.2), isInternal: match.1 == "internal")
    }
  }
}
