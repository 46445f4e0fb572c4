import Foundation
import SinterCore
import SinterIR
import SinterOps
import SinterPasses
import Testing

/// Each file of `Goldens` names passes, gives a graph, and what the passes make of it. `SINTER_BLESS=1` writes the latter anew.
@Suite struct GoldenTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
    "Goldens")
  private static let separator = "// becomes\n"

  private static var names: [String] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return files.filter { $0.hasSuffix(".sinter") }.sorted()
  }

  @Test(arguments: names) func passesMakeWhatTheFileSays(_ name: String) throws {
    let file = Self.folder.appendingPathComponent(name)
    let text = try String(contentsOf: file, encoding: .utf8)
    let parts = text.components(separatedBy: Self.separator)
    let prefix = "// passes: "
    let first = try #require(parts[0].split(separator: "\n").first)
    try #require(first.hasPrefix(prefix))
    let passes = try first.dropFirst(prefix.count).split(separator: ",").map { word in
      let name = word.trimmingCharacters(in: .whitespaces)
      return try #require(Pipelines.all.first { $0.name == name }, "there is no pass \(name)")
    }
    var graph = try Graph(parsing: parts[0], operators: .standard)
    var flags = Flags()
    flags.verify = true
    var manager = PassManager(flags: flags)
    try manager.run(passes, on: &graph)
    if Flags.fromEnvironment().bless {
      try (parts[0] + Self.separator + graph.description).write(to: file, atomically: true, encoding: .utf8)
    } else {
      #expect(parts.count == 2, "SINTER_BLESS=1 makes the second half")
      #expect(graph.description == parts.last)
    }
  }
}
