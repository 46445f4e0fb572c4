/// The tables of an automaton over bytes, as functions of the runtime get them.
struct RuntimeAutomaton {
  let classes, next, accepts: UnsafeRawPointer
  /// The number of classes.
  let width: Int

  private func state(behind state: Int, _ byte: UInt8) -> Int {
    let place = 4 * (state * width + Int(classes.load(fromByteOffset: Int(byte), as: UInt8.self)))
    return Int(next.loadUnaligned(fromByteOffset: place, as: Int32.self))
  }

  /// What stands at a place, as assertions ask: 0 for an end of the text, a part of a word, a line feed, or anything else.
  private static func kind(_ byte: UInt8?) -> Int {
    guard let byte else { return 0 }
    let isDigit = (0x30...0x39).contains(byte), isLetter = (0x61...0x7a).contains(byte | 0x20)
    return byte == 10 ? 2 : isDigit || isLetter || byte == 0x5f ? 1 : 3
  }

  private func isAccepted(_ state: Int, before byte: UInt8?) -> Bool {
    accepts.load(fromByteOffset: 4 * state + Self.kind(byte), as: UInt8.self) != 0
  }

  /// Whether it accepts a whole text.
  func accepts(_ text: [UInt8]) -> Bool { isAccepted(text.reduce(0) { state(behind: $0, $1) }, before: nil) }

  /// The end of the longest match that begins at a place and is not empty.
  private func end(_ text: [UInt8], from start: Int, _ parameters: [Int64]) -> Int? {
    var state = Int(parameters[Self.kind(start == 0 ? nil : text[start - 1])])
    var end: Int?
    for at in start..<text.count {
      state = self.state(behind: state, text[at])
      if isAccepted(state, before: at + 1 < text.count ? text[at + 1] : nil) { end = at + 1 }
    }
    return end
  }

  /// The tokens of a text; `parameters` are those of `RuntimeFunction.tokens`.
  func tokens(_ text: [UInt8], _ parameters: [Int64]) -> [String] {
    var tokens: [String] = []
    func add(_ range: Range<Int>) -> Bool {
      let count = text[range].count { $0 & 0xc0 != 0x80 }
      guard !range.isEmpty, count >= Int(parameters[6]) else { return false }
      tokens.append(String(decoding: text[range], as: UTF8.self))
      return true
    }
    var (begin, at) = (0, 0)
    while at < text.count {
      guard let end = end(text, from: at, parameters) else {
        at += 1
        continue
      }
      if parameters[5] != 0 {
        _ = add(begin..<at)
        (begin, at) = (end, end)
      } else if add(at..<end) {
        at = end
      } else {
        repeat { at += 1 } while at < text.count && text[at] & 0xc0 == 0x80
      }
    }
    if parameters[5] != 0 { _ = add(begin..<text.count) }
    return tokens
  }
}
