/// An image in a file without compression, for the interpreters: bitmaps of 24 bits, graymaps and pixmaps of bytes. Compiled libraries read more
/// formats, with the help of libraries that the compiler itself does without.
struct PlainImage {
  enum Failure: Error {
    case problem(RuntimeFunction.ImageProblem)
    /// Of a format that is not read here.
    case compressed
  }

  let height, width: Int
  /// Red, green, blue of each pixel, rows from the top.
  private let colors: [UInt8]

  init(file: [UInt8]) throws(Failure) {
    if file.starts(with: Array("P5".utf8)) || file.starts(with: Array("P6".utf8)) {
      try self.init(pixmap: file)
    } else if file.starts(with: Array("BM".utf8)) {
      try self.init(bitmap: file)
    } else if Self.isKnown(file) {
      throw .compressed
    } else {
      throw .problem(.unknown)
    }
  }

  private static func isKnown(_ file: [UInt8]) -> Bool {
    let beginnings: [[UInt8]] = [
      [0x89, 0x50, 0x4e, 0x47], [0xff, 0xd8, 0xff], Array("RIFF".utf8), Array("II*\0".utf8), Array("MM\0*".utf8),
      Array("II+\0".utf8), Array("MM\0+".utf8), [0xff, 0x4f, 0xff, 0x51], [0, 0, 0, 12, 0x6a, 0x50],
    ]
    return beginnings.contains { file.starts(with: $0) }
      || (file.first == 0x50 && file.count > 1 && (0x31...0x36).contains(file[1]))
  }

  private init(bitmap file: [UInt8]) throws(Failure) {
    func number(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(file[at + $1]) << (8 * $1) } }
    guard file.count >= 54 else { throw .problem(.damaged) }
    guard number(14) == 40, file[28] == 24, file[29] == 0, number(30) == 0 else { throw .compressed }
    let signed = Int(Int32(truncatingIfNeeded: number(22)))
    let (width, height, data) = (Int(Int32(truncatingIfNeeded: number(18))), abs(signed), number(10))
    let stride = (3 * width + 3) / 4 * 4
    guard width > 0, height > 0, data <= file.count, height <= (file.count - data) / stride else {
      throw .problem(.damaged)
    }
    (self.height, self.width) = (height, width)
    colors = (0..<height).flatMap { row in
      (0..<3 * width).map { file[data + stride * (signed < 0 ? row : height - 1 - row) + $0 - $0 % 3 + 2 - $0 % 3] }
    }
  }

  private init(pixmap file: [UInt8]) throws(Failure) {
    var at = 2
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (9...13).contains(byte) }
    func number() throws(Failure) -> Int {
      while at < file.count, isSpace(file[at]) { at += 1 }
      if at < file.count, file[at] == UInt8(ascii: "#") { throw .compressed }
      var value: Int?
      while at < file.count, (0x30...0x39).contains(file[at]), value ?? 0 < 1 << 30 {
        value = 10 * (value ?? 0) + Int(file[at] - 0x30)
        at += 1
      }
      guard let value else { throw .problem(.damaged) }
      return value
    }
    let (width, height, most) = (try number(), try number(), try number())
    guard width > 0, height > 0, most > 0, at < file.count, isSpace(file[at]) else { throw .problem(.damaged) }
    guard most == 255 else { throw .compressed }
    let channels = file[1] == UInt8(ascii: "6") ? 3 : 1
    let pixels = file[(at + 1)...]
    guard width <= pixels.count / channels / height else { throw .problem(.damaged) }
    (self.height, self.width) = (height, width)
    colors = pixels.prefix(height * width * channels).flatMap { Array(repeating: $0, count: 3 / channels) }
  }

  func pixels(_ layout: RuntimeFunction.PixelLayout) -> [UInt8] {
    switch layout {
    case .rgb: colors
    case .bgr: colors.indices.map { colors[$0 - $0 % 3 + 2 - $0 % 3] }
    case .gray:
      stride(from: 0, to: colors.count, by: 3).map { at in
        // The weights of ITU-R 601 in 16 bits.
        let sum = 19595 * Int(colors[at]) + 38470 * Int(colors[at + 1]) + 7471 * Int(colors[at + 2])
        return UInt8((sum + 0x8000) >> 16)
      }
    }
  }
}
