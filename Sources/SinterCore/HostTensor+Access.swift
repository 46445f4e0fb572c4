extension HostTensor {
  /// The elements of a tensor of numbers or truth values as Doubles, row-major; nil for text and complex numbers, and where there are not as
  /// many as the shape says. Integers beyond 2^53 are rounded.
  public var doubles: [Double]? {
    if problem != nil { return nil }
    switch element.kind {
    case .float:
      if element == .f64 { return array(of: Double.self) }
      let floats = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
        initialized = count
        guard count > 0, let out = buffer.baseAddress else { return }
        bytes.withBytes { raw in
          guard let base = raw.baseAddress else { return }
          ElementCodec.decode(element, base, count: count, into: out) { $0 }
        }
      }
      return floats.map { Double($0) }
    case .signed, .bool: return int64s?.map { Double($0) }
    case .unsigned: return int64s?.map { Double(UInt64(bitPattern: $0)) }
    case .string, .complex: return nil
    }
  }

  /// The elements of a tensor of integers or truth values, row-major, those of u64 as their bits; nil for other types, and where there
  /// are not as many as the shape says.
  public var int64s: [Int64]? {
    guard element.isInteger || element == .bool, problem == nil else { return nil }
    return [Int64](unsafeUninitializedCapacity: count) { buffer, initialized in
      initialized = count
      guard count > 0, let out = buffer.baseAddress else { return }
      bytes.withBytes { raw in
        guard let base = raw.baseAddress else { return }
        ElementCodec.decode(element, base, count: count, into: out) { $0 }
      }
    }
  }

  /// A tensor of any type of numbers from Doubles, which are rounded (floats) or truncated and saturated (integers) to the type.
  public init(_ element: ElementType, _ shape: [Int], doubles: [Double]) {
    if element == .f64 {
      self.init(element, shape, values: doubles)
    } else if element.isFloat {
      let floats = doubles.map { Float($0) }
      self.init(
        element, shape,
        bytes: TensorBytes(count: element.byteCount(floats.count)) { memory in
          guard let base = memory.baseAddress else { return }
          floats.withUnsafeBufferPointer { values in
            guard let values = values.baseAddress else { return }
            ElementCodec.encode(element, values, count: floats.count, to: base) { $0 }
          }
        })
    } else {
      self.init(element, shape, integers: doubles.map { element.integer(saturating: $0) })
    }
  }

  /// A tensor of integers or truth values, of which the low bits are kept.
  public init(_ element: ElementType, _ shape: [Int], integers: [Int64]) {
    if element.isFloat {
      self.init(element, shape, doubles: integers.map { Double($0) })
      return
    }
    self.init(
      element, shape,
      bytes: TensorBytes(count: element.byteCount(integers.count)) { memory in
        guard let base = memory.baseAddress else { return }
        integers.withUnsafeBufferPointer { values in
          guard let values = values.baseAddress else { return }
          ElementCodec.encode(element, values, count: integers.count, to: base) { $0 }
        }
      })
  }
}

extension ElementType {
  /// The integer (or truth value) of this type that a float converts to: truncated, then the nearest that the type holds; zero for
  /// NaN. Those of u64 come as their bits.
  public func integer(saturating value: Double) -> Int64 {
    switch self {
    case .bool: return value != 0 ? 1 : 0
    case .i64: return Self.clamped(value, Int64.min, Int64.max)
    case .u64:
      if value.isNaN || value <= 0 { return 0 }
      return value >= 0x1p64 ? -1 : Int64(bitPattern: UInt64(value))
    case .i32: return Self.clamped(value, Int64(Int32.min), Int64(Int32.max))
    case .i16, .i8, .i4, .i2: return Self.clamped(value, -(1 << Int64(bits - 1)), (1 << Int64(bits - 1)) - 1)
    case .u32, .u16, .u8, .u4, .u2: return Self.clamped(value, 0, (1 << Int64(bits)) - 1)
    case .f32, .f64, .f16, .bf16, .string, .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1:
      return 0
    }
  }

  private static func clamped(_ value: Double, _ low: Int64, _ high: Int64) -> Int64 {
    if value.isNaN { return 0 }
    if value >= Double(high) { return high }
    return value <= Double(low) ? low : Int64(value)
  }

  /// The low bits of an integer, extended as the type's sign has it: what is left when a result does not fit.
  @inline(__always)
  public func wrapped(_ value: Int64) -> Int64 {
    switch self {
    case .i32: Int64(Int32(truncatingIfNeeded: value))
    case .i16: Int64(Int16(truncatingIfNeeded: value))
    case .i8: Int64(Int8(truncatingIfNeeded: value))
    case .u32: Int64(UInt32(truncatingIfNeeded: value))
    case .u16: Int64(UInt16(truncatingIfNeeded: value))
    case .u8: Int64(UInt8(truncatingIfNeeded: value))
    case .i4: (value << 60) >> 60
    case .u4: value & 15
    case .i2: (value << 62) >> 62
    case .u2: value & 3
    case .bool: value == 0 ? 0 : 1
    case .i64, .u64, .f32, .f64, .f16, .bf16, .string, .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz,
      .f8e8m0,
      .f4e2m1:
      value
    }
  }
}
