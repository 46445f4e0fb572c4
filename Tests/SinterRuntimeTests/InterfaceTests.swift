import Foundation
import SinterCore
import Testing

struct InterfaceTests {
  /// Hosts were compiled against version 1 of the interface: what is declared there is declared here, and what came later stands at the end of
  /// the table.
  @Test func headerBeginsAsVersion1() throws {
    let ours = try declarations(Folders.package + "/Sources/SinterABI/include/sinter.h")
    let published = try declarations(Folders.package + "/Tests/SinterRuntimeTests/programs/sinter_version_1.h")
    let last = "void (*close)(SinterSession *session);"
    let parts = ours.components(separatedBy: last)
    #expect(parts.count == 2)
    let end = try #require(parts.last?.range(of: "} SinterLibrary;"))
    let first = parts[0] + last + " " + parts[1][end.lowerBound...]
    #expect(first.replacing("SINTER_ABI_VERSION 2", with: "SINTER_ABI_VERSION 1") == published)
  }

  /// A header without its comments, with one space between words.
  private func declarations(_ path: String) throws -> String {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let code = text.replacing(#/(?s)/\*.*?\*//#, with: "")
    return code.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }
}
