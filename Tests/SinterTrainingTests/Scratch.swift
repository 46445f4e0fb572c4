import Foundation
import Sinter
import Testing

/// A folder that goes away with the test.
func withScratchFolder<R>(_ body: (String) throws -> R) throws -> R {
  let path = FileManager.default.temporaryDirectory.path + "/sinter-test-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try body(path)
}

/// The text of the error that something must throw; where it throws none, a test that fails.
func message(_ body: () throws -> some Any, _ place: SourceLocation = #_sourceLocation) -> String {
  do {
    _ = try body()
    Issue.record("nothing was thrown", sourceLocation: place)
    return ""
  } catch {
    guard let error = error as? DiagnosticError else {
      Issue.record("\(error) is no DiagnosticError", sourceLocation: place)
      return ""
    }
    return error.description
  }
}

/// What tests read, made by `Tests/Peers/data_fixtures.py`.
func fixture(_ name: String) -> String {
  URL(filePath: #filePath).deletingLastPathComponent().path + "/Fixtures/" + name
}
