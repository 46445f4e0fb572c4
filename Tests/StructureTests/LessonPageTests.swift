import Foundation
import Testing

/// What the lessons in `docs/learn` show stands once: their Swift code in tested programs, their commands alike in both languages.
@Suite("Pages of the lessons")
struct LessonPageTests {
  static let folder = SourceTree.root.appending(path: "docs/learn")

  static func pages(_ language: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: language).path)
      .filter { $0.hasSuffix(".md") }.sorted()
  }

  static func text(_ path: String) throws -> String {
    try String(contentsOf: folder.appending(path: path), encoding: .utf8)
  }

  /// Fenced blocks: the words behind the fence, and the lines.
  static func blocks(_ page: String) -> [(info: String, text: String)] {
    page.matches(of: /(?m)^```([^\n]*)\n((?:(?!```).*\n)*?)```$/).map { (String($0.1), String($0.2)) }
  }

  /// The lines between `// region: NAME` and `// endregion`, without their common indentation.
  static func region(_ name: String, of file: String) -> String? {
    let lines = file.split(separator: "\n", omittingEmptySubsequences: false)
    guard let start = lines.firstIndex(where: { $0.drop(while: { $0 == " " }) == "// region: \(name)" }) else {
      return nil
    }
    let indent = lines[start].prefix(while: { $0 == " " }).count
    let inside = lines[(start + 1)...].prefix { $0.drop(while: { $0 == " " }) != "// endregion" }
    return inside.map { $0.dropFirst(min(indent, $0.count)) + "\n" }.joined()
  }

  @Test func bothLanguagesHaveTheSamePages() throws {
    let english = try Self.pages("en")
    #expect(english.count == 8)
    #expect(try Self.pages("ko") == english)
  }

  @Test func bothLanguagesShowTheSameBlocksAndPictures() throws {
    for page in try Self.pages("en") {
      let (english, korean) = (try Self.text("en/\(page)"), try Self.text("ko/\(page)"))
      let (ours, theirs) = (Self.blocks(english), Self.blocks(korean))
      #expect(!ours.isEmpty, "\(page) shows nothing")
      #expect(ours.count == theirs.count, "\(page) has other blocks in Korean")
      for (one, other) in zip(ours, theirs) {
        #expect(one == other, "\(page): a block is another one in Korean")
      }
      func pictures(_ text: String) -> [Substring] { text.matches(of: /\]\((\.\.\/pictures\/[^)]+)\)/).map(\.1) }
      #expect(pictures(english) == pictures(korean), "\(page) shows other pictures in Korean")
    }
  }

  @Test func swiftIsThatOfTheProgramsAndAllOfThemIsShown() throws {
    var shown: Set<String> = []
    for page in try Self.pages("en") {
      for block in Self.blocks(try Self.text("en/\(page)")) where block.info.hasPrefix("swift") {
        if block.info == "swift refused" { continue }
        let parts = block.info.dropFirst("swift ".count).split(separator: ":")
        guard parts.count == 2, let file = try? Self.text("code/\(parts[0])") else {
          Issue.record("\(page): a block must name a file of docs/learn/code and a region, not “\(block.info)”")
          continue
        }
        #expect(
          Self.region(String(parts[1]), of: file) == block.text, "\(page): \(block.info) is another text in the program"
        )
        shown.insert(String(block.info.dropFirst("swift ".count)))
      }
    }
    for file in try FileManager.default.contentsOfDirectory(atPath: Self.folder.appending(path: "code").path)
    where file != "Lessons.swift" {
      for name in try Self.text("code/\(file)").matches(of: /\/\/ region: (\w+)/).map(\.1) {
        #expect(shown.contains("\(file):\(name)"), "\(file): no page shows region \(name)")
      }
    }
  }

  @Test func findsRegionsAndBlocks() {
    let file = "a\n  // region: x\n  b\n\n    c\n  // endregion\nd\n"
    #expect(Self.region("x", of: file) == "b\n\n  c\n")
    #expect(Self.region("y", of: file) == nil)
    let blocks = Self.blocks("text\n```swift F.swift:x\nb\n```\nmore\n```console\n$ c\n```\n")
    #expect(blocks.map(\.info) == ["swift F.swift:x", "console"])
    #expect(blocks.map(\.text) == ["b\n", "$ c\n"])
  }
}
