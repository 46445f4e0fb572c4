import SinterCore

/// Arrays of text as NumPy keeps them: elements of equal size, padded with zeros, in UTF-32 (`<U5`) or as bytes (`|S5`).
enum NpyText {
  /// The bytes of an element, and whether they are UTF-32; nil for a description of anything else.
  static func layout(_ description: some StringProtocol) -> (width: Int, isWide: Bool)? {
    guard let count = Int(description.dropFirst(2)), count >= 0, count < 1 << 28 else { return nil }
    return description.hasPrefix("<U") ? (4 * count, true) : description.hasPrefix("|S") ? (count, false) : nil
  }

  /// The texts of some elements.
  static func texts(_ raw: UnsafeRawBufferPointer, count: Int, width: Int, isWide: Bool) -> [String] {
    (0..<count).map { index in
      let element = UnsafeRawBufferPointer(rebasing: raw[(index * width)..<((index + 1) * width)])
      if !isWide { return String(decoding: element[..<((element.lastIndex { $0 != 0 } ?? -1) + 1)], as: UTF8.self) }
      var text = String.UnicodeScalarView()
      let codes = (0..<(width / 4)).map {
        UInt32(littleEndian: element.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
      }
      for code in codes[..<((codes.lastIndex { $0 != 0 } ?? -1) + 1)] {
        text.append(Unicode.Scalar(code) ?? "\u{fffd}")
      }
      return String(text)
    }
  }

  /// The description of an array of some texts, and its bytes.
  static func written(_ texts: [String]) -> (description: String, bytes: [UInt8]) {
    let length = max(texts.map(\.unicodeScalars.count).max() ?? 0, 1)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(4 * length * texts.count)
    for text in texts {
      for scalar in text.unicodeScalars { withUnsafeBytes(of: scalar.value.littleEndian) { bytes += $0 } }
      bytes += [UInt8](repeating: 0, count: 4 * (length - text.unicodeScalars.count))
    }
    return ("<U\(length)", bytes)
  }
}
