import Foundation
import Testing

@Suite("Sources against the module table")
struct ImportTests {
  /// SwiftPM lets a file import what its target does not declare, as long as some other target built it.
  @Test(arguments: moduleTable.map(\.name))
  func filesImportOnlyWhatTheTableAllows(module: String) throws {
    let row = try #require(moduleTable.first { $0.name == module })
    let allowed = row.mayImport.union(["Glibc", "Synchronization"])
    for file in try SourceTree.swiftFiles(of: module) {
      for statement in try SourceTree.imports(of: file) {
        #expect(allowed.contains(statement.module), "\(file.lastPathComponent) imports \(statement.module)")
        #expect(
          statement.isInternal || !row.onlyInternally.contains(statement.module),
          "\(file.lastPathComponent) imports \(statement.module) without `internal`")
      }
    }
  }

  @Test func everySwiftTargetHasARow() throws {
    let targets = try SourceTree.swiftTargets()
    #expect(Set(targets) == Set(moduleTable.map(\.name)))
  }

  @Test func everyRowIsInTheReadme() throws {
    let readme = try String(contentsOf: SourceTree.root.appending(path: "README.md"), encoding: .utf8)
    for row in moduleTable { #expect(readme.contains("| `\(row.name)` |"), "README.md has no row for \(row.name)") }
  }

  @Test func everyImportStandsAboveItsImporter() {
    var seen: Set<String> = []
    let names = Set(moduleTable.map(\.name))
    for row in moduleTable {
      #expect(
        row.mayImport.intersection(names).isSubset(of: seen), "\(row.name) imports a module below it in the table")
      seen.insert(row.name)
    }
  }

  @Test(arguments: moduleTable.map(\.name))
  func filesStayReadable(module: String) throws {
    // What a compiler of protocols wrote is not for reading.
    for file in try SourceTree.swiftFiles(of: module) where !file.lastPathComponent.hasSuffix(".pb.swift") {
      let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
        .count
      #expect(lines <= 601, "\(file.lastPathComponent) has \(lines) lines: one concept a file, 600 lines at most")
    }
  }
}
