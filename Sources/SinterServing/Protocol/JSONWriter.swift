internal import SinterCore

/// Writes a JSON text from front to back.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []
  private var needsComma = false

  mutating func object(_ body: (inout JSONWriter) throws(Refusal) -> Void) throws(Refusal) {
    try group(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
  }

  mutating func array(_ body: (inout JSONWriter) throws(Refusal) -> Void) throws(Refusal) {
    try group(UInt8(ascii: "["), UInt8(ascii: "]"), body)
  }

  private mutating func group(
    _ open: UInt8, _ close: UInt8, _ body: (inout JSONWriter) throws(Refusal) -> Void
  ) throws(Refusal) {
    separate()
    bytes.append(open)
    needsComma = false
    try body(&self)
    bytes.append(close)
    needsComma = true
  }

  /// The name of what is written next.
  mutating func name(_ name: String) {
    value(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  mutating func value(_ text: String) {
    separate()
    quote(text)
    needsComma = true
  }

  mutating func value(_ number: Int) { raw(number.description) }
  mutating func value(_ truth: Bool) { raw(truth ? "true" : "false") }

  mutating func field(_ name: String, _ text: String) {
    self.name(name)
    value(text)
  }

  mutating func field(_ name: String, _ texts: [String]) throws(Refusal) {
    self.name(name)
    try array { writer throws(Refusal) in for text in texts { writer.value(text) } }
  }

  mutating func field(_ name: String, _ numbers: [Int]) throws(Refusal) {
    self.name(name)
    try array { writer throws(Refusal) in for number in numbers { writer.value(number) } }
  }

  private mutating func raw(_ text: String) {
    separate()
    bytes.append(contentsOf: text.utf8)
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
  }

  private mutating func quote(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
      case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
      case ..<0x20, 0x7f:
        let digits = String(byte, radix: 16)
        bytes.append(contentsOf: ("\\u00" + (digits.count < 2 ? "0" : "") + digits).utf8)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// The elements of a tensor as one list, or, where `isNested`, as lists inside lists.
  ///
  /// - Throws: where a float is infinite or NaN, which JSON cannot represent, or where a tensor without elements would be very many lists.
  mutating func elements(
    _ tensor: HostTensor, isNested: Bool = false, _ place: @autoclosure () -> String
  ) throws(Refusal) {
    // Sizes before a zero may have a product that no integer holds.
    let count = tensor.shape.contains(0) ? 0 : tensor.count
    guard isNested else { return try list(tensor, 0..<count, place) }
    if count == 0, !Self.isBrief(tensor.shape) {
      throw Refusal(
        .unprocessable,
        "\(place()) has the shape \(tensor.shape): no elements, but more than \(Self.mostEmptyLists) lists; "
          + "ask for it at /v2/models/…/infer, which gives the shape by itself")
    }
    try nested(tensor, 0, 0..<count, place)
  }

  /// Lists that a tensor without elements may be written as: nothing else bounds how many they are.
  private static let mostEmptyLists = 1 << 20

  /// Whether the lists inside lists of a shape without elements are few.
  private static func isBrief(_ shape: [Int]) -> Bool {
    var lists = 1
    for size in shape {
      if size == 0 { break }
      let (product, overflows) = lists.multipliedReportingOverflow(by: size)
      if overflows || product > mostEmptyLists { return false }
      lists = product
    }
    return true
  }

  private mutating func nested(
    _ tensor: HostTensor, _ axis: Int, _ range: Range<Int>, _ place: () -> String
  ) throws(Refusal) {
    if tensor.rank == 0 { return try items(tensor, 0..<1, place) }
    if axis == tensor.rank - 1 { return try list(tensor, range, place) }
    try array { writer throws(Refusal) in
      let size = tensor.shape[axis]
      for index in 0..<size {
        let step = range.count / size
        let first = range.lowerBound + index * step
        try writer.nested(tensor, axis + 1, first..<first + step, place)
      }
    }
  }

  private mutating func list(_ tensor: HostTensor, _ range: Range<Int>, _ place: () -> String) throws(Refusal) {
    try array { writer throws(Refusal) in try writer.items(tensor, range, place) }
  }

  private mutating func items(_ tensor: HostTensor, _ range: Range<Int>, _ place: () -> String) throws(Refusal) {
    switch tensor.element {
    case .f32: try floats(tensor, Float.self, range, place) { $0 }
    case .f64: try floats(tensor, Double.self, range, place) { $0 }
    case .string: for text in tensor.strings[range] { value(text) }
    case .u64: numbers(tensor, UInt64.self, range)
    case .i64: numbers(tensor, Int64.self, range)
    case .i32: numbers(tensor, Int32.self, range)
    case .u32: numbers(tensor, UInt32.self, range)
    case .i16: numbers(tensor, Int16.self, range)
    case .u16: numbers(tensor, UInt16.self, range)
    case .i8: numbers(tensor, Int8.self, range)
    case .u8: numbers(tensor, UInt8.self, range)
    case .bool:
      tensor.bytes.withBytes { bytes in for index in range { value(bytes[index] != 0) } }
    case .f16: try floats(tensor, UInt16.self, range, place) { Float(half: $0) }
    case .bf16: try floats(tensor, UInt16.self, range, place) { Float(bitPattern: UInt32($0) << 16) }
    case .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1, .i4, .u4, .i2, .u2:
      throw Refusal(.failed, "\(place()): the protocol has no name for elements of type \(tensor.element)")
    }
  }

  private mutating func numbers<T: FixedWidthInteger & BitwiseCopyable>(
    _ tensor: HostTensor, _ type: T.Type, _ range: Range<Int>
  ) {
    tensor.bytes.withBytes { bytes in
      for index in range {
        raw(bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.stride, as: T.self).description)
      }
    }
  }

  private mutating func floats<T: BitwiseCopyable, F: BinaryFloatingPoint & LosslessStringConvertible>(
    _ tensor: HostTensor, _ type: T.Type, _ range: Range<Int>, _ place: () -> String, _ convert: (T) -> F
  ) throws(Refusal) {
    let odd = tensor.bytes.withBytes { bytes -> F? in
      for index in range {
        let number = convert(bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.stride, as: T.self))
        guard number.isFinite else { return number }
        raw(number.description)
      }
      return nil
    }
    guard let odd else { return }
    throw Refusal(
      .unprocessable,
      "\(place()) holds \(odd), which JSON cannot represent; ask for it with \"parameters\": {\"binary_data\": true}")
  }
}

extension Float {
  /// The value of a float of 16 bits.
  fileprivate init(half bits: UInt16) {
    let (exponent, mantissa) = (bits >> 10 & 0x1f, Float(bits & 0x3ff))
    let size: Float =
      switch exponent {
      case 0: mantissa * 0x1p-24
      case 31: mantissa == 0 ? .infinity : .nan
      default: (1 + mantissa / 1024) * Float(sign: .plus, exponent: Int(exponent) - 15, significand: 1)
      }
    self = bits >> 15 == 0 ? size : -size
  }
}
