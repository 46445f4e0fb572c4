import Glibc
import SinterCore

/// One call of a function of the runtime, computed here: what `RuntimeFunction` says, in Swift. Interpreters and in-process runs use it, and
/// the C functions of compiled libraries are held against it.
package struct RuntimeArguments {
  private let result: UnsafeMutableRawPointer?
  private let resultCount: Int
  private let operands: [(base: UnsafeRawPointer, count: Int)]
  private let parameters: [Int64]

  /// - Parameter result: nil only where it has no element.
  package init(
    result: UnsafeMutableRawPointer?, resultCount: Int, operands: [(base: UnsafeRawPointer, count: Int)],
    parameters: [Int64]
  ) {
    self.result = result
    self.resultCount = resultCount
    self.operands = operands
    self.parameters = parameters
  }

  private var automaton: RuntimeAutomaton {
    RuntimeAutomaton(
      classes: operands[1].base, next: operands[2].base, accepts: operands[3].base,
      width: operands[2].count / Swift.max(operands[3].count / 4, 1))
  }

  private func integer(_ operand: Int, _ index: Int) -> Int64 {
    operands[operand].base.loadUnaligned(fromByteOffset: 8 * index, as: Int64.self)
  }

  private func set(_ index: Int, _ value: Int64) {
    result?.storeBytes(of: value, toByteOffset: 8 * index, as: Int64.self)
  }

  /// - Parameter failure: what tells of an error of the program, by its number and a value.
  package func run(
    _ function: RuntimeFunction, _ texts: inout TextTable, failure: (Int, Int64) -> DiagnosticError
  ) throws {
    guard operands.count == function.operandCount, parameters.count == function.parameterCount else {
      throw DiagnosticError(
        .bug, "form.call",
        "\(function.rawValue) is called with \(operands.count) operands and \(parameters.count) parameters")
    }
    let count = operands.first?.count ?? 0
    func text(_ operand: Int, _ index: Int) -> String { texts[Int(integer(operand, index))] }
    switch function {
    case .join:
      for i in 0..<count { set(i, Int64(texts.number(of: text(0, i) + text(1, i)))) }
    case .count_pieces:
      for i in 0..<count { set(i, Int64(pieces(of: text(0, i), texts).count)) }
    case .pieces:
      let width = count == 0 ? 0 : resultCount / count
      for i in 0..<count {
        let pieces = pieces(of: text(0, i), texts)
        for j in 0..<width { set(i * width + j, Int64(j < pieces.count ? texts.number(of: pieces[j]) : 0)) }
      }
    case .change_case:
      for i in 0..<count {
        let text = text(0, i)
        set(i, Int64(texts.number(of: parameters[0] == 0 ? text.lowercased() : text.uppercased())))
      }
    case .ranks:
      let present = Set((0..<count).map { integer(0, $0) })
      let ordered = present.sorted { texts[Int($0)].utf8.lexicographicallyPrecedes(texts[Int($1)].utf8) }
      let ranks = Dictionary(uniqueKeysWithValues: ordered.enumerated().map { ($1, Int64($0)) })
      for i in 0..<count { set(i, ranks[integer(0, i)] ?? 0) }
    case .print:
      for i in 0..<count { set(i, Int64(texts.number(of: printed(integer(0, i))))) }
    case .parse:
      for i in 0..<count {
        guard let number = parsed(text(0, i)) else { throw failure(Int(parameters[1]), Int64(i)) }
        set(i, number)
      }
    case .match:
      let automaton = automaton
      for i in 0..<count { set(i, automaton.accepts(Array(text(0, i).utf8)) ? 1 : 0) }
    case .count_tokens:
      let automaton = automaton
      for i in 0..<count { set(i, Int64(automaton.tokens(Array(text(0, i).utf8), parameters).count)) }
    case .tokens:
      let automaton = automaton
      let width = count == 0 ? 0 : resultCount / count
      for i in 0..<count {
        let tokens = automaton.tokens(Array(text(0, i).utf8), parameters)
        for j in 0..<width { set(i * width + j, j < tokens.count ? Int64(texts.number(of: tokens[j])) : parameters[7]) }
      }
    case .image_size:
      let image = try image(failure)
      set(0, Int64(image.height))
      set(1, Int64(image.width))
    case .image_pixels:
      let pixels = try image(failure).pixels(.init(rawValue: parameters[1]) ?? .rgb)
      guard pixels.count == resultCount else { throw failure(Int(parameters[0]), 0) }
      result?.copyMemory(from: pixels, byteCount: pixels.count)
    }
  }

  private func image(_ failure: (Int, Int64) -> DiagnosticError) throws -> PlainImage {
    let file = UnsafeRawBufferPointer(start: operands[0].base, count: operands[0].count)
    do throws(PlainImage.Failure) {
      return try PlainImage(file: [UInt8](file))
    } catch {
      switch error {
      case .problem(let problem): throw failure(Int(parameters[0]) + problem.rawValue, 0)
      case .compressed:
        throw DiagnosticError(
          .limit, "form.image", "files of this format are decoded in compiled libraries only, not ahead of time")
      }
    }
  }

  // MARK: Pieces

  private func pieces(of text: String, _ texts: TextTable) -> [String] {
    let delimiter = texts[Int(parameters[0])]
    let cuts = parameters[1] < 0 ? Int.max : Int(parameters[1])
    return delimiter.isEmpty ? Self.words(text, cuts) : Self.parts(text, Array(delimiter.utf8), cuts)
  }

  /// What lies between white space; behind the last cut all that is left, with the white space at its end.
  private static func words(_ text: String, _ cuts: Int) -> [String] {
    let scalars = text.unicodeScalars
    var words: [String] = []
    var rest = scalars[...]
    while true {
      rest = rest.drop(while: isSpace)
      if rest.isEmpty { return words }
      if words.count == cuts { return words + [String(rest)] }
      let word = rest.prefix { !isSpace($0) }
      words.append(String(word))
      rest = rest[word.endIndex...]
    }
  }

  /// Unicode's white space, and the four separators that are control characters.
  private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isWhitespace || (0x1c...0x1f).contains(scalar.value)
  }

  private static func parts(_ text: String, _ delimiter: [UInt8], _ cuts: Int) -> [String] {
    var parts: [String] = []
    let bytes = Array(text.utf8)
    var (start, at) = (0, 0)
    while parts.count < cuts, at + delimiter.count <= bytes.count {
      if bytes[at..<(at + delimiter.count)].elementsEqual(delimiter) {
        parts.append(String(decoding: bytes[start..<at], as: UTF8.self))
        at += delimiter.count
        start = at
      } else {
        at += 1
      }
    }
    return parts + [String(decoding: bytes[start...], as: UTF8.self)]
  }

  // MARK: Numbers

  private var numbers: RuntimeFunction.NumberText { .init(rawValue: parameters[0]) ?? .signed }

  private func printed(_ bits: Int64) -> String {
    switch numbers {
    case .signed: return "\(bits)"
    case .unsigned: return "\(UInt64(bitPattern: bits))"
    case .float:
      let value = Double(bitPattern: UInt64(bitPattern: bits))
      if value.isNaN { return "NaN" }
      if value.isInfinite { return value < 0 ? "-INF" : "INF" }
      var buffer = [CChar](repeating: 0, count: 64)
      withVaList([value]) { _ = vsnprintf(&buffer, buffer.count, "%.8g", $0) }
      return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  private func parsed(_ text: String) -> Int64? {
    errno = 0
    return text.withCString { start in
      var end: UnsafeMutablePointer<CChar>?
      let bits: Int64 =
        switch numbers {
        case .signed: Int64(strtoll(start, &end, 10))
        case .unsigned: Int64(bitPattern: UInt64(strtoull(start, &end, 10)))
        case .float: Int64(bitPattern: strtod(start, &end).bitPattern)
        }
      let isBeyond = errno == ERANGE && numbers != .float
      return end.map { UnsafePointer($0) } == start || isBeyond ? nil : bits
    }
  }
}
