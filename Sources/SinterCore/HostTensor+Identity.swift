extension HostTensor {
  /// Equal type, shape and bytes (or texts).
  public func hasSameContents(as other: HostTensor) -> Bool {
    guard element == other.element, shape == other.shape, bytes.count == other.bytes.count,
      strings.elementsEqual(other.strings, by: { $0.hasSameBytes(as: $1) })
    else { return false }
    if bytes === other.bytes { return true }
    return bytes.withBytes { a in other.bytes.withBytes { b in a.elementsEqual(b) } }
  }

  /// A 64-bit hash of type, shape and contents that is the same on every machine: the name of a constant in text forms.
  public var contentHash: UInt64 {
    var hash: UInt64 = 0x9e37_79b9_7f4a_7c15
    func mix(_ word: UInt64) {
      hash = (hash ^ word) &* 0xff51_afd7_ed55_8ccd
      hash ^= hash >> 32
    }
    mix(UInt64(element.rawValue))
    for size in shape { mix(UInt64(bitPattern: Int64(size))) }
    for text in strings {
      mix(UInt64(text.utf8.count))
      for byte in text.utf8 { mix(UInt64(byte)) }
    }
    bytes.withBytes { raw in
      var at = 0
      while at + 8 <= raw.count {
        mix(UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
        at += 8
      }
      var rest: UInt64 = UInt64(raw.count)
      while at < raw.count {
        rest = rest << 8 | UInt64(raw[at])
        at += 1
      }
      mix(rest)
    }
    return hash
  }
}
