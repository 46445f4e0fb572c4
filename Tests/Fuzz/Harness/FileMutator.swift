/// What libFuzzer calls to change an input. A file of ONNX is changed by fields of its messages: such files still parse, and say something else. Every
/// fourth time, and all other inputs, are left to libFuzzer's changes of bytes.
///
/// - Returns: the number of bytes that the changed input takes of `capacity`.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(_ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int, _ seed: UInt32) -> Int {
  var random = Random(state: UInt64(seed))
  let input = Array(UnsafeBufferPointer(start: data, count: count))
  guard random.below(4) > 0, var fields = Message.fields(of: input[...], depth: 0) else {
    return changeBytes(data, count, capacity)
  }
  for _ in 0...random.below(3) { Message.change(&fields, &random) }
  let output = fields.flatMap(\.encoded)
  guard output != input, output.count <= capacity else { return changeBytes(data, count, capacity) }
  UnsafeMutableBufferPointer(start: data, count: output.count).update(fromContentsOf: output)
  return output.count
}

/// libFuzzer's own change of an input.
@_silgen_name("LLVMFuzzerMutate")
private func changeBytes(_ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int) -> Int

/// SplitMix64.
private struct Random {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

  /// Numbers at which sizes, axes and lengths go wrong.
  mutating func number(near value: UInt64) -> UInt64 {
    switch below(8) {
    case 0: 0
    case 1: 1
    case 2: UInt64(bitPattern: Int64(-1 - below(4)))
    case 3: UInt64(1) << UInt64(below(64))
    case 4: UInt64(Int64.max) &- UInt64(below(3))
    case 5: value &+ 1
    case 6: value &- 1
    default: UInt64(below(40))
    }
  }
}

/// A field of a protobuf message.
private struct Field {
  enum Content {
    case number(UInt64)
    /// Of 4 or of 8 bytes.
    case fixed([UInt8])
    case bytes([UInt8])
    /// Bytes that are fields, all of them. Some are a text or packed numbers all the same, which a change does not mind.
    case message([Field])
  }

  var tag: UInt64
  var content: Content

  var encoded: [UInt8] {
    let key = Message.encoded(tag)
    switch content {
    case .number(let value): return key + Message.encoded(value)
    case .fixed(let bytes): return key + bytes
    case .bytes(let bytes): return key + Message.encoded(UInt64(bytes.count)) + bytes
    case .message(let fields):
      let bytes = fields.flatMap(\.encoded)
      return key + Message.encoded(UInt64(bytes.count)) + bytes
    }
  }
}

private enum Message {
  static func encoded(_ number: UInt64) -> [UInt8] {
    var (rest, bytes) = (number, [UInt8]())
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  /// The fields that bytes hold; nil where they are none.
  static func fields(of bytes: ArraySlice<UInt8>, depth: Int) -> [Field]? {
    guard depth < 12, !bytes.isEmpty else { return nil }
    var (rest, fields) = (bytes, [Field]())
    while !rest.isEmpty {
      guard let tag = number(&rest), tag >> 3 > 0, tag >> 3 < 10000 else { return nil }
      switch tag & 7 {
      case 0:
        guard let value = number(&rest) else { return nil }
        fields.append(Field(tag: tag, content: .number(value)))
      case 1, 5:
        let count = tag & 7 == 1 ? 8 : 4
        guard rest.count >= count else { return nil }
        fields.append(Field(tag: tag, content: .fixed(Array(rest.prefix(count)))))
        rest = rest.dropFirst(count)
      case 2:
        guard let count = number(&rest), count <= UInt64(rest.count) else { return nil }
        let own = rest.prefix(Int(count))
        let inner = Self.fields(of: own, depth: depth + 1)
        fields.append(Field(tag: tag, content: inner.map { .message($0) } ?? .bytes(Array(own))))
        rest = rest.dropFirst(Int(count))
      default: return nil
      }
    }
    return fields
  }

  private static func number(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = bytes.popFirst() else { return nil }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }

  /// All fields, those of messages inside after their own.
  private static func all(_ fields: [Field]) -> [Field] {
    fields.flatMap { field in if case .message(let inner) = field.content { [field] + all(inner) } else { [field] } }
  }

  /// Changes one field, each as likely as another.
  static func change(_ fields: inout [Field], _ random: inout Random) {
    let everything = all(fields)
    guard !everything.isEmpty else { return }
    var place = random.below(everything.count)
    _ = change(&fields, at: &place, everything, &random)
  }

  /// - Returns: whether the field at `place` was among these.
  private static func change(
    _ fields: inout [Field], at place: inout Int, _ everything: [Field], _ random: inout Random
  ) -> Bool {
    for index in fields.indices {
      if place == 0 {
        alter(&fields, index, everything, &random)
        return true
      }
      place -= 1
      if case .message(var inner) = fields[index].content, change(&inner, at: &place, everything, &random) {
        fields[index].content = .message(inner)
        return true
      }
    }
    return false
  }

  private static func alter(_ fields: inout [Field], _ index: Int, _ everything: [Field], _ random: inout Random) {
    switch random.below(8) {
    case 0: fields.remove(at: index)
    case 1: fields.insert(fields[index], at: random.below(fields.count + 1))
    case 2: fields.swapAt(index, random.below(fields.count))
    case 3, 4:
      // Another one of its kind, such as another value's name or another node's attribute.
      let tag = fields[index].tag
      let others = everything.filter { $0.tag == tag }
      fields[index] = others[random.below(others.count)]
    default: alter(&fields[index], everything, &random)
    }
  }

  private static func alter(_ field: inout Field, _ everything: [Field], _ random: inout Random) {
    switch field.content {
    case .number(let value): field.content = .number(random.number(near: value))
    case .fixed(var bytes):
      bytes[random.below(bytes.count)] = UInt8(random.below(256))
      field.content = .fixed(bytes)
    case .bytes(var bytes):
      switch random.below(4) {
      case 0: bytes.removeLast(min(bytes.count, 1 + random.below(8)))
      case 1: bytes += (0...random.below(8)).map { _ in UInt8(random.below(256)) }
      case 2: bytes = []
      default: if !bytes.isEmpty { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
      }
      field.content = .bytes(bytes)
    case .message(let inner): field.content = .message(inner.shuffled(by: &random))
    }
  }
}

extension [Field] {
  fileprivate func shuffled(by random: inout Random) -> [Field] {
    var result = self
    for index in indices { result.swapAt(index, random.below(index + 1)) }
    return result
  }
}
