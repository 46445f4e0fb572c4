internal import SinterCore

/// The elements of a tensor as a JSON text has them: one list in row-major order, or lists inside lists as the shape has it.
enum JSONElements {
  /// Reads the elements of a tensor whose type and shape are known.
  ///
  /// - Parameter place: what is read, as in `input 'images' of model 'digits'`.
  static func tensor(
    _ element: ElementType, _ shape: [Int], _ cursor: inout JSONCursor, _ place: @autoclosure () -> String
  ) throws(Refusal) -> HostTensor {
    guard let count = elementCount(shape) else {
      throw .badRequest("\(place()): \(shape) is no shape, or has more elements than can be counted")
    }
    // An element takes a digit and a comma at least.
    guard count <= (cursor.bytes.count - cursor.at) / 2 + 1 else {
      throw .badRequest("\(place()): expected \(count) elements for the shape \(shape), given fewer")
    }
    switch element {
    case .f32: return try numbers(element, shape, count, &cursor, place) { number, _ in number.float }
    case .f64: return try numbers(element, shape, count, &cursor, place) { number, _ in number.double }
    case .f16, .bf16:
      var values: [Double] = []
      values.reserveCapacity(count)
      try walk(shape, count, &cursor, place) { cursor, _ throws(Refusal) in values.append(try cursor.number().double) }
      return HostTensor(element, shape, doubles: values)
    case .i8: return try integers(Int8.self, element, shape, count, &cursor, place)
    case .i16: return try integers(Int16.self, element, shape, count, &cursor, place)
    case .i32: return try integers(Int32.self, element, shape, count, &cursor, place)
    case .i64: return try integers(Int64.self, element, shape, count, &cursor, place)
    case .u8: return try integers(UInt8.self, element, shape, count, &cursor, place)
    case .u16: return try integers(UInt16.self, element, shape, count, &cursor, place)
    case .u32: return try integers(UInt32.self, element, shape, count, &cursor, place)
    case .u64: return try integers(UInt64.self, element, shape, count, &cursor, place)
    case .bool:
      var values: [UInt8] = []
      values.reserveCapacity(count)
      try walk(shape, count, &cursor, place) { cursor, index throws(Refusal) in
        if cursor.takeWord("true") || cursor.takeWord("1") {
          values.append(1)
        } else if cursor.takeWord("false") || cursor.takeWord("0") {
          values.append(0)
        } else {
          throw .badRequest("\(place()): element \(index) is neither true nor false")
        }
      }
      return HostTensor(element, shape, values: values)
    case .string:
      var texts: [String] = []
      texts.reserveCapacity(count)
      try walk(shape, count, &cursor, place) { cursor, _ throws(Refusal) in texts.append(try cursor.string()) }
      return HostTensor(strings: texts, shape: shape)
    case .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1, .i4, .u4, .i2, .u2:
      throw .badRequest("\(place()): the protocol has no name for elements of type \(element)")
    }
  }

  /// The shape that lists inside lists have, told by the first of each; `[]` for what is no list.
  ///
  /// - Parameter rank: the dimensions that are expected. Lists one deeper than that are still told, and none below: each dimension is a pass over the
  ///   text.
  static func shape(_ cursor: JSONCursor, rank: Int? = nil) throws(Refusal) -> [Int] {
    var (cursor, sizes) = (cursor, [Int]())
    while cursor.peek() == UInt8(ascii: "[") {
      if let rank, sizes.count > rank { break }
      guard sizes.count < maximumRank else { throw .badRequest("lists are more than \(maximumRank) deep") }
      var (whole, count) = (cursor, 0)
      try whole.array { cursor throws(Refusal) in
        try cursor.skipValue()
        count += 1
      }
      sizes.append(count)
      guard cursor.take(UInt8(ascii: "[")), count > 0 else { break }
    }
    return sizes
  }

  static let maximumRank = 64

  private static func integers<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type, _ element: ElementType, _ shape: [Int], _ count: Int, _ cursor: inout JSONCursor,
    _ place: () -> String
  ) throws(Refusal) -> HostTensor {
    try numbers(element, shape, count, &cursor, place) { number, index throws(Refusal) in
      let value = T.isSigned ? number.int64.flatMap { T(exactly: $0) } : number.uint64.flatMap { T(exactly: $0) }
      guard let value else {
        throw .badRequest(
          "\(place()): element \(index) is \(number.description), expected an integer of type \(element.protocolName ?? "")"
        )
      }
      return value
    }
  }

  @inline(__always)
  private static func numbers<T: BitwiseCopyable>(
    _ element: ElementType, _ shape: [Int], _ count: Int, _ cursor: inout JSONCursor, _ place: () -> String,
    _ value: (JSONNumber, Int) throws(Refusal) -> T
  ) throws(Refusal) -> HostTensor {
    var problem: Refusal?
    let bytes = TensorBytes(count: count * MemoryLayout<T>.stride) { memory in
      let elements = memory.bindMemory(to: T.self)
      do throws(Refusal) {
        try walk(shape, count, &cursor, place) { cursor, index throws(Refusal) in
          elements[index] = try value(try cursor.number(), index)
        }
      } catch {
        problem = error
      }
    }
    if let problem { throw problem }
    return HostTensor(element, shape, bytes: bytes)
  }

  /// Calls `body` where each element stands, with its index.
  @inline(__always)
  private static func walk(
    _ shape: [Int], _ count: Int, _ cursor: inout JSONCursor, _ place: () -> String,
    _ body: (inout JSONCursor, Int) throws(Refusal) -> Void
  ) throws(Refusal) {
    guard shape.count <= maximumRank else {
      throw .badRequest("\(place()): a shape of \(shape.count) dimensions, at most \(maximumRank) are read")
    }
    if shape.isEmpty, cursor.peek() != UInt8(ascii: "[") { return try body(&cursor, 0) }
    var ahead = cursor
    try ahead.expect(UInt8(ascii: "["))
    var index = 0
    let isNested = shape.count > 1 && ahead.peek() == UInt8(ascii: "[")
    // One list is a list of depth 0 whose size is all there is.
    try nested(isNested ? shape : [count], shape, 0, &cursor, &index, place) {
      size, cursor, index throws(Refusal) in
      try list(size, shape, &cursor, &index, place, body)
    }
  }

  /// Lists inside lists from a dimension on, of which `list` reads the innermost.
  private static func nested(
    _ sizes: [Int], _ shape: [Int], _ axis: Int, _ cursor: inout JSONCursor, _ index: inout Int, _ place: () -> String,
    _ list: (_ size: Int, inout JSONCursor, _ index: inout Int) throws(Refusal) -> Void
  ) throws(Refusal) {
    if axis == sizes.count - 1 { return try list(sizes[axis], &cursor, &index) }
    var size = 0
    try cursor.array { cursor throws(Refusal) in
      guard size < sizes[axis] else {
        throw .badRequest("\(place()): expected \(sizes[axis]) lists in dimension \(axis), given more")
      }
      guard cursor.peek() == UInt8(ascii: "[") else {
        throw .badRequest("\(place()): lists have to be as deep as the shape \(shape)")
      }
      try nested(sizes, shape, axis + 1, &cursor, &index, place, list)
      size += 1
    }
    guard size == sizes[axis] else {
      throw .badRequest("\(place()): expected \(sizes[axis]) lists in dimension \(axis), given \(size)")
    }
  }

  /// A list of elements. Its place in the text stays in a register: a body may be little else than one such list.
  @inline(__always)
  private static func list(
    _ size: Int, _ shape: [Int], _ cursor: inout JSONCursor, _ index: inout Int, _ place: () -> String,
    _ body: (inout JSONCursor, Int) throws(Refusal) -> Void
  ) throws(Refusal) {
    let start = index
    var (own, count) = (cursor, 0)
    try own.expect(UInt8(ascii: "["))
    if !own.take(UInt8(ascii: "]")) {
      repeat {
        guard count < size else { throw .badRequest("\(place()): expected \(size) elements in a list, given more") }
        if own.peek() == UInt8(ascii: "[") {
          throw .badRequest(
            "\(place()): expected element \(start + count), given a list: lists have to be as deep as the shape \(shape)"
          )
        }
        try body(&own, start + count)
        count += 1
      } while own.take(UInt8(ascii: ","))
      try own.expect(UInt8(ascii: "]"))
    }
    guard count == size else {
      throw .badRequest("\(place()): expected \(size) elements in a list, given \(count)")
    }
    (cursor, index) = (own, start + count)
  }
}
