/// How constants are written: few elements as themselves, many as a hash that names them in a store beside the text.
package enum TensorText {
  /// Constants of up to this many elements are written out.
  package static let limit = 32

  package static func describe(_ tensor: HostTensor) -> String {
    tensor.count > limit
      ? "#" + hex(tensor.contentHash, digits: 16) : "{" + elements(tensor).joined(separator: ", ") + "}"
  }

  package static func hex(_ value: UInt64, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }

  /// Numbers as Swift writes them; types that Swift has no numbers for as the hexadecimal digits of their bytes.
  private static func elements(_ tensor: HostTensor) -> [String] {
    switch tensor.element {
    case .f32: tensor.array(of: Float.self).map { "\($0)" }
    case .f64: tensor.array(of: Double.self).map { "\($0)" }
    case .i8: tensor.array(of: Int8.self).map { "\($0)" }
    case .i16: tensor.array(of: Int16.self).map { "\($0)" }
    case .i32: tensor.array(of: Int32.self).map { "\($0)" }
    case .i64: tensor.array(of: Int64.self).map { "\($0)" }
    case .u8: tensor.array(of: UInt8.self).map { "\($0)" }
    case .u16: tensor.array(of: UInt16.self).map { "\($0)" }
    case .u32: tensor.array(of: UInt32.self).map { "\($0)" }
    case .u64: tensor.array(of: UInt64.self).map { "\($0)" }
    case .bool: tensor.array(of: UInt8.self).map { $0 != 0 ? "true" : "false" }
    case .string: tensor.strings.map(quoted)
    case .f16, .bf16, .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1, .i4, .u4, .i2, .u2:
      tensor.bytes.withBytes { $0.map { "0x" + hex(UInt64($0), digits: 2) } }
    }
  }

  /// The tensor whose elements are written as these words; nil where one does not fit the type or their number is wrong.
  package static func parse(_ element: ElementType, _ shape: [Int], _ words: [String]) -> HostTensor? {
    func numbers<T: BitwiseCopyable>(_ read: (String) -> T?) -> HostTensor? {
      let values = words.compactMap(read)
      guard values.count == words.count, values.count == shape.reduce(1, *) else { return nil }
      return HostTensor(element, shape, values: values)
    }
    switch element {
    case .f32: return numbers { Float($0) }
    case .f64: return numbers { Double($0) }
    case .i8: return numbers { Int8($0) }
    case .i16: return numbers { Int16($0) }
    case .i32: return numbers { Int32($0) }
    case .i64: return numbers { Int64($0) }
    case .u8: return numbers { UInt8($0) }
    case .u16: return numbers { UInt16($0) }
    case .u32: return numbers { UInt32($0) }
    case .u64: return numbers { UInt64($0) }
    case .bool: return numbers { $0 == "true" ? UInt8(1) : $0 == "false" ? 0 : nil }
    case .string:
      return words.count == shape.reduce(1, *) ? HostTensor(strings: words, shape: shape) : nil
    case .f16, .bf16, .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1, .i4, .u4, .i2, .u2:
      let bytes = words.compactMap { $0.hasPrefix("0x") ? UInt8($0.dropFirst(2), radix: 16) : nil }
      guard bytes.count == words.count, bytes.count == element.byteCount(shape.reduce(1, *)) else { return nil }
      return HostTensor(element, shape, values: bytes)
    }
  }

  /// Text in quotes, with what would end it or break the line escaped.
  package static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
