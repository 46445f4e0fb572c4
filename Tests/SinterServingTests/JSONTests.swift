import Foundation
import SinterCore
import Testing

@testable import SinterServing

@Suite("JSON")
struct JSONTests {
  private func double(_ text: String) -> Double? {
    Array(text.utf8).withUnsafeBytes { bytes in
      var at = 0
      return JSONNumber(bytes, at: &at).flatMap { at == bytes.count ? $0.double : nil }
    }
  }

  private func float(_ text: String) -> Float? {
    Array(text.utf8).withUnsafeBytes { bytes in
      var at = 0
      return JSONNumber(bytes, at: &at).flatMap { at == bytes.count ? $0.float : nil }
    }
  }

  @Test func numbersAreTheNearest() throws {
    var generator = SplitMix64(seed: 7)
    for round in 0..<20_000 {
      let value = Double(bitPattern: generator.next())
      guard value.isFinite else { continue }
      let small = (generator.uniform() - 0.5) * 10
      let texts = [
        value.description, small.description, Double(Float(small)).description, String(format: "%.17g", small),
        String(format: "%.25g", small), String(format: "%.\(round % 12)f", small * 1e6),
        // Just between two floats.
        (Double(Float(small)) + Double(Float(small).ulp) / 2).description,
      ]
      for text in texts where !text.hasPrefix(".") {
        let expected = try #require(Double(text))
        #expect(double(text) == expected, "\(text)")
        #expect(float(text) == Float(expected), "\(text)")
      }
    }
  }

  /// Eight digits are read at a time where eight bytes follow: every length, at the end of the text and before more of it.
  @Test func numbersOfEveryLength() throws {
    for count in 1...24 {
      for point in 0...count {
        let digits = (0..<count).map { "\(($0 * 7 + 3) % 10)" }.joined()
        let whole = point == 0 ? "0" : String(digits.prefix(point))
        let text = point == count ? whole : whole + "." + digits.dropFirst(point)
        let expected = try #require(Double(text))
        #expect(double(text) == expected, "\(text)")
        let followed = Array((text + ", 123456789").utf8)
        followed.withUnsafeBytes { bytes in
          var at = 0
          let number = JSONNumber(bytes, at: &at)
          #expect(number?.double == expected && number?.float == Float(expected), "\(text)")
          #expect(at == text.utf8.count, "\(text)")
        }
      }
    }
    #expect(double("0.00000000000000000000000123") == 1.23e-24)
    #expect(double("-0.5") == -0.5)
    // Bytes around those of digits, and beyond ASCII.
    for other in ["1234567/", "1234567:", "123456\u{ff}7", "1\u{80}"] { #expect(double(other) == nil, "\(other)") }
  }

  @Test func integersAreThoseThatFit() {
    func int64(_ text: String) -> Int64? {
      Array(text.utf8).withUnsafeBytes { bytes in
        var at = 0
        return JSONNumber(bytes, at: &at)?.int64
      }
    }
    #expect(int64("-9223372036854775808") == .min)
    #expect(int64("9223372036854775807") == .max)
    for text in ["9223372036854775808", "-9223372036854775809", "99999999999999999999999", "1.5", "1e3", "NaN"] {
      #expect(int64(text) == nil, "\(text)")
    }
    #expect(int64("-0") == 0)
  }

  @Test(arguments: ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "0x10", "Inf", "nan", "--1"])
  func refusesWhatIsNoNumber(text: String) { #expect(double(text) == nil) }

  @Test func readsSpecialFloats() {
    #expect(double("NaN")?.isNaN == true)
    #expect(double("-Infinity") == -.infinity)
    #expect(float("Infinity") == .infinity)
    #expect(double("1e400") == .infinity)
    #expect(double("1e-400") == 0)
  }

  private func string(_ text: String) throws -> String {
    try Array(text.utf8).withUnsafeBytes { bytes in
      var cursor = JSONCursor(bytes)
      let result = try cursor.string()
      try cursor.expectEnd()
      return result
    }
  }

  @Test(arguments: [#""""#, #""a\n\t\"\\\/""#, #""\u00e9\ud83d\ude00é😀""#, #"  "x"  "#])
  func stringsAreFoundationsStrings(text: String) throws {
    let expected = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed) as? String
    #expect(try string(text) == expected)
  }

  @Test(arguments: [
    #"""#, #""\x""#, #""\u12""#, #""\ud83d""#, #""\ud83dx""#, #""\udc00""#, "\"\u{1}\"", #""a" b"#, "1",
  ])
  func refusesWhatIsNoString(text: String) { #expect(throws: Refusal.self) { try string(text) } }

  @Test func skipsValuesOfAnyDepthWithoutDepth() throws {
    func skip(_ text: String) throws {
      try Array(text.utf8).withUnsafeBytes { bytes in
        var cursor = JSONCursor(bytes)
        try cursor.skipValue()
        try cursor.expectEnd()
      }
    }
    try skip(#"{"a": [1, {"b": "]}"}, -2.5e3], "c": null}"#)
    for text in ["", "]", "[", "{\"a\": ]", "[1", "\"", ",", String(repeating: "[", count: 1_000_000)] {
      #expect(throws: Refusal.self) { try skip(text) }
    }
  }

  @Test func writesWhatFoundationReads() throws {
    var writer = JSONWriter()
    let text = "\"quoted\" \\ \n \u{1} é 😀"
    let floats: [Float] = [0, -1.5, 1e-5, 3.4e38, 1e-45, 0.1]
    try writer.object { writer throws(Refusal) in
      writer.field("text", text)
      try writer.field("shape", [2, 3])
      writer.name("data")
      try writer.elements(.f32([2, 3], floats), isNested: true, "")
      writer.name("flat")
      try writer.elements(HostTensor(.u64, [1], values: [UInt64.max]), "")
      writer.name("half")
      try writer.elements(HostTensor(.f16, [4], values: [0x3c00, 0x8001, 0x7bff, 0xc248] as [UInt16]), "")
    }
    let read = try JSONSerialization.jsonObject(with: Data(writer.bytes)) as? [String: Any]
    #expect(read?["text"] as? String == text)
    #expect((read?["data"] as? [[Double]])?.flatMap { $0 }.map { Float($0) } == floats)
    #expect(String(decoding: writer.bytes, as: UTF8.self).contains("[18446744073709551615]"))
    #expect(read?["half"] as? [Double] == [1, Double(Float(-0x1p-24).description)!, 65504, -3.140625])
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func refusesToWriteWhatJSONHasNoWordsFor(value: Float) {
    var writer = JSONWriter()
    #expect {
      try writer.elements(.f32([1], [value]), "output 'y'")
    } throws: { ($0 as? Refusal)?.kind == .unprocessable && "\($0)".contains("output 'y' holds") }
  }

  @Test func listsWithoutElementsAreBounded() throws {
    func written(_ shape: [Int]) throws -> String {
      var writer = JSONWriter()
      try writer.elements(.f32(shape, []), isNested: true, "output")
      return String(decoding: writer.bytes, as: UTF8.self)
    }
    #expect(try written([0]) == "[]")
    #expect(try written([2, 0, 5]) == "[[],[]]")
    #expect(try written([1 << 20, 0]).utf8.count == 3 << 20 | 1)
    for shape in [[2_000_000_000, 0, 0], [1 << 11, 1 << 11, 0], [.max, .max, 0]] {
      #expect(throws: Refusal.self) { try written(shape) }
    }
  }
}
