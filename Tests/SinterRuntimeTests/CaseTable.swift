/// `text_case_table.h`: what each code point becomes in small letters and in capitals, as ranges, by the Unicode data of Swift's library.
struct CaseTable {
  private struct Range {
    var first, last, stride, distance: Int
    /// Where the code points stand that it becomes, where those are several.
    var more = -1
  }

  private var expansions: [Int] = []
  private var text = ""

  static var header: String {
    var table = CaseTable()
    let small = table.ranges { $0.properties.lowercaseMapping }
    let capital = table.ranges { $0.properties.uppercaseMapping }
    return table.written(small, capital)
  }

  /// The ranges of code points that become something else, in order.
  private mutating func ranges(_ mapping: (Unicode.Scalar) -> String) -> [Range] {
    var ranges: [Range] = []
    for scalar in (0...0x10FFFF).lazy.compactMap({ Unicode.Scalar($0 as Int) }) {
      let mapped = mapping(scalar).unicodeScalars.map { Int($0.value) }
      let code = Int(scalar.value)
      if mapped == [code] { continue }
      guard mapped.count == 1 else {
        ranges.append(Range(first: code, last: code, stride: 1, distance: 0, more: expansions.count))
        expansions += mapped + [0]
        continue
      }
      let distance = mapped[0] - code
      if let range = ranges.last, range.distance == distance, range.more < 0 {
        let step = code - range.last
        if range.first == range.last ? step <= 2 : step == range.stride {
          ranges[ranges.count - 1].last = code
          ranges[ranges.count - 1].stride = step
          continue
        }
      }
      ranges.append(Range(first: code, last: code, stride: 1, distance: distance))
    }
    return ranges
  }

  private func written(_ small: [Range], _ capital: [Range]) -> String {
    var text = """
      /* text_case_table.h: what code points become in small letters and in capitals. Made from the Unicode data of Swift's library:
       * SINTER_BLESS=1 swift test --filter CaseTableTests */
      #ifndef SINTER_TEXT_CASE_TABLE_H
      #define SINTER_TEXT_CASE_TABLE_H

      #include <stddef.h>
      #include <stdint.h>

      /* Every `stride`th code point from `first` to `last` becomes the one that many places on, or, where `more` is not negative, those from there
       * on in case_expansions up to the zero. */
      typedef struct { int32_t first, last, distance; int16_t stride, more; } CaseRange;

      /* How many times as many bytes a text has at most. */
      #define CASE_GROWTH 3


      """
    text += "static const int32_t case_expansions[] = {\n" + Self.rows(expansions.map { "\($0)" }) + "};\n"
    for (name, ranges) in [("small", small), ("capital", capital)] {
      let items = ranges.map { "{\($0.first), \($0.last), \($0.distance), \($0.stride), \($0.more)}" }
      text += "\nstatic const CaseRange \(name)_ranges[] = {\n" + Self.rows(items) + "};\n"
      text += "#define \(name)_range_count (sizeof \(name)_ranges / sizeof *\(name)_ranges)\n"
    }
    return text + "\n#endif\n"
  }

  private static func rows(_ items: [String]) -> String {
    var (text, line) = ("", " ")
    for item in items {
      if line.utf8.count + item.utf8.count > 130 {
        text += line + "\n"
        line = " "
      }
      line += " \(item),"
    }
    return text + line + "\n"
  }
}
