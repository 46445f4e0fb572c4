import Testing

@testable import SinterLLVM

@Suite struct HeaderCommentTests {
  /// A slash with an accent is no slash to Swift, but it is one to C.
  @Test(arguments: [
    "a */ b", "a */\u{301} int x;", "*\u{301}*/\u{301}", "**//", "*/*/", "a *\n/ b", "a *\r\n/", "a *\u{2028}/",
  ])
  func namesCannotEndAComment(name: String) {
    let written = LibraryHeader.comment(name).unicodeScalars.map { $0 }
    for place in written.indices.dropFirst() { #expect(written[place - 1] != "*" || written[place] != "/") }
    #expect(!written.contains("\n") && !written.contains("\r"))
    func letters(_ scalars: some Sequence<Unicode.Scalar>) -> [Unicode.Scalar] {
      scalars.filter { !$0.properties.isWhitespace }
    }
    #expect(letters(written) == letters(name.unicodeScalars))
  }
}
