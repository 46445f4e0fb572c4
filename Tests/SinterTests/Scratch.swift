import Foundation
import Testing

/// A folder that goes away with the test.
func withScratchFolder<R>(_ body: (String) throws -> R) throws -> R {
  let path = FileManager.default.temporaryDirectory.appendingPathComponent("sinter-test-\(UUID().uuidString)").path
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
  } catch { return "\(error)" }
}

/// The largest difference between two lists.
func difference(_ a: [Float], _ b: [Float]) -> Float {
  a.count == b.count ? zip(a, b).map { abs($0 - $1) }.max() ?? 0 : .infinity
}
