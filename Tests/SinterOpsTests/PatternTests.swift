import SinterCore
import SinterIR
import Testing

@testable import SinterOps

/// Regular expressions: what RE2, in ONNX Runtime, says of them.
@Suite struct PatternTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var pattern: String
    var matching: [String]
    var others: [String]
    var testDescription: String { pattern }

    init(_ pattern: String, _ matching: [String], _ others: [String] = []) {
      (self.pattern, self.matching, self.others) = (pattern, matching, others)
    }
  }

  static let cases = [
    Case(".", ["é", "a", "😀"], ["\n", "ab", ""]), Case("(?s).", ["\n"]), Case(#"\d+"#, ["12"], ["٣", ""]),
    Case(#"\w"#, ["a", "_"], ["é"]), Case("(?i)abc", ["ABC", "aBc"], ["ab"]), Case("(?i)é", ["É", "é"], ["e"]),
    Case("a|", ["", "a"], ["b"]), Case(#"\pL+"#, ["éa"], ["é1", ""]), Case(#"\p{^Lu}"#, ["e"], ["É"]),
    Case("[[:alpha:]]+", ["ab"], ["é"]), Case("[[:^digit:]]", ["a", "é"], ["1"]), Case("^a$", ["a"], ["a\n"]),
    Case(#"a\b"#, ["a"]), Case(#"a\B."#, ["ab"], ["a-"]), Case("(?i)straße", ["STRAßE", "ſtraße"], ["STRASSE"]),
    Case(#"\x{e9}"#, ["é"]), Case(#"\x41\101\07"#, ["AA\u{7}"]), Case("a{2,3}?", ["aa", "aaa"], ["a", "aaaa"]),
    Case("a{,3}", ["a{,3}"], ["aa"]), Case("a{2", ["a{2"]), Case("(?P<n>a)(?<m>b)", ["ab"]),
    Case(#"\Qa.b\E+"#, ["a.b", "a.bb"], ["axb"]),
    Case(#"\C"#, ["a"], ["é"]), Case("[^a]", ["\n", "b", "é"], ["a", ""]), Case(#"\s"#, [" "], ["\u{a0}", "\u{b}"]),
    Case(#"(?m)^a$\n^b$"#, ["a\nb"], ["ab"]), Case(#"[]a]"#, ["]", "a"]), Case("[a-]", ["-"]),
    Case("(?i)k", ["K", "\u{212a}"]),
    Case(#"(?i)\w"#, ["ſ", "K"], ["é"]), Case(#"(?i)\W"#, ["é"], ["ſ"]), Case(#"[\W]"#, ["é"], ["a"]),
    Case("(?U)a+", ["aa"]), Case("", [""], ["a"]),
    Case("a(?i)b|c", ["aB", "C"], ["AB"]), Case("(?:a(?i:b))c", ["aBc"], ["aBC"]), Case("(?i-i:a)", ["a"], ["A"]),
    Case("(a*)*", ["", "aaa"], ["b"]), Case("(|a){3}", ["", "aaa"], ["aaaa"]),
    Case(#"\x{d7ff}|\x{10ffff}"#, ["\u{d7ff}", "\u{10ffff}"]),
  ]

  @Test(arguments: cases)
  func matches(_ item: Case) throws {
    let texts = item.matching + item.others
    var builder = GraphBuilder(name: "match")
    let x = builder.constant(HostTensor(strings: texts, shape: [texts.count]))
    builder.output(try builder.add(RegexFullMatch(item.pattern), [x])[0], named: "y")
    let found = try #require(try GraphEvaluator.run(builder.graph, [])[0].int64s)
    for (text, given) in zip(texts, found) {
      #expect((given == 1) == item.matching.contains(text), "\(TensorText.quoted(text))")
    }
  }

  @Test(arguments: [
    "(?:a)*+", #"(a)\1"#, "(?=a)a", "a{1001}", #"[a-\d]"#, "x**", "[", #"\8"#, "(", ")", "*", "a**", #"\"#, "[b-a]",
    "[[:nope:]]", "(?x)a", #"\xg0"#,
    #"\x{110000}"#, "a{3,2}", "(?P<>a)", #"\pQ"#, "(?i)*", #"\p{Greek}"#, "[a", "(?P<n", "(?", "[[:alpha", #"\Q\"#,
  ])
  func mistakesHaveNames(_ pattern: String) throws {
    if pattern == #"\Q\"# { return _ = try PatternParser.parse(pattern) }
    let error = #expect(throws: DiagnosticError.self) { try PatternParser.parse(pattern) }
    #expect(error?.diagnostics.first?.id.hasPrefix("pattern.") == true)
  }

  @Test func sizesAreBounded() throws {
    #expect(throws: DiagnosticError.self) { try PatternAutomaton(try PatternParser.parse("(?:a{1000}){1000}")) }
    let letters = "abcdefghijklmnopqrstuvwxyz".map(String.init).joined(separator: "|")
    #expect(throws: DiagnosticError.self) {
      try PatternAutomaton(try PatternParser.parse("[a-z]*a[a-z]{20}|\(letters)"))
    }
    #expect(throws: DiagnosticError.self) { try PatternParser.parse(String(repeating: "(", count: 100_000)) }
    // As many states as there are places, and one for what fails.
    let automaton = try PatternAutomaton(try PatternParser.parse("ab"))
    #expect(automaton.stateCount == 4 && automaton.classCount <= 5 && automaton.dead != nil)
  }
}
