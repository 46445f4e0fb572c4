import Foundation
import SinterCore
import Testing

struct CaseTableTests {
  /// `SINTER_BLESS=1 swift test --filter CaseTableTests` writes the table anew.
  @Test func tableIsOfThisUnicode() throws {
    let file = URL(filePath: Folders.runtime).appending(path: "text_case_table.h")
    if Flags.fromEnvironment().bless { try CaseTable.header.write(to: file, atomically: true, encoding: .utf8) }
    #expect(try String(contentsOf: file, encoding: .utf8) == CaseTable.header)
  }
}
