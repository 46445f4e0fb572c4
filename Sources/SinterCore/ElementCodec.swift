/// Moves elements between their stored form and the types in which arithmetic on them is done on the host: `Float` for f32 and
/// the floats narrower than it, `Double` for f64, `Int64` for integers (u64 as its bits), truth values and the bits of c64.
///
/// Positions count elements, so that the types narrower than a byte need no care by the caller.
public enum ElementCodec {
  /// Elements at the positions that `position` gives for 0 ..< count.
  @inline(__always)
  public static func decode(
    _ type: ElementType, _ base: UnsafeRawPointer, count: Int, into out: UnsafeMutablePointer<Float>,
    position: (Int) -> Int
  ) {
    switch type {
    case .f32:
      for i in 0..<count { out[i] = base.loadUnaligned(fromByteOffset: position(i) &* 4, as: Float.self) }
    case .f16:
      for i in 0..<count {
        out[i] = NarrowFloat.decodeF16(base.loadUnaligned(fromByteOffset: position(i) &* 2, as: UInt16.self))
      }
    case .bf16:
      for i in 0..<count {
        out[i] = Float(
          bitPattern: UInt32(base.loadUnaligned(fromByteOffset: position(i) &* 2, as: UInt16.self)) << 16)
      }
    case .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0:
      for i in 0..<count {
        out[i] = NarrowFloat.decode(UInt32(base.load(fromByteOffset: position(i), as: UInt8.self)), as: type)
      }
    case .f4e2m1:
      for i in 0..<count { out[i] = NarrowFloat.decode(packed(base, position(i), bits: 4), as: type) }
    case .f64, .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool, .string, .c64, .c128, .i4, .u4, .i2, .u2:
      break
    }
  }

  /// Reads f64 elements. `position` gives the place of the i-th one, counted in elements; nothing is checked.
  @inline(__always)
  public static func decode(
    _ base: UnsafeRawPointer, count: Int, into out: UnsafeMutablePointer<Double>, position: (Int) -> Int
  ) {
    for i in 0..<count { out[i] = base.loadUnaligned(fromByteOffset: position(i) &* 8, as: Double.self) }
  }

  /// Reads elements of an integer type or truth values, sign-extended or zero-extended to 64 bits. `position` gives the place of the i-th one,
  /// counted in elements; nothing is checked.
  @inline(__always)
  public static func decode(
    _ type: ElementType, _ base: UnsafeRawPointer, count: Int, into out: UnsafeMutablePointer<Int64>,
    position: (Int) -> Int
  ) {
    @inline(__always)
    func each<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) {
      for i in 0..<count {
        out[i] = Int64(
          truncatingIfNeeded: base.loadUnaligned(fromByteOffset: position(i) &* MemoryLayout<T>.size, as: T.self))
      }
    }
    switch type {
    case .i64, .u64, .c64: each(Int64.self)
    case .i32: each(Int32.self)
    case .i16: each(Int16.self)
    case .i8: each(Int8.self)
    case .u32: each(UInt32.self)
    case .u16: each(UInt16.self)
    case .u8: each(UInt8.self)
    case .bool:
      for i in 0..<count { out[i] = base.load(fromByteOffset: position(i), as: UInt8.self) == 0 ? 0 : 1 }
    case .u4:
      for i in 0..<count { out[i] = Int64(packed(base, position(i), bits: 4)) }
    case .i4:
      for i in 0..<count { out[i] = (Int64(packed(base, position(i), bits: 4)) << 60) >> 60 }
    case .u2:
      for i in 0..<count { out[i] = Int64(packed(base, position(i), bits: 2)) }
    case .i2:
      for i in 0..<count { out[i] = (Int64(packed(base, position(i), bits: 2)) << 62) >> 62 }
    case .f32, .f64, .f16, .bf16, .string, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1:
      break
    }
  }

  @inline(__always)
  private static func packed(_ base: UnsafeRawPointer, _ position: Int, bits: Int) -> UInt32 {
    let bit = position &* bits
    return (UInt32(base.load(fromByteOffset: bit >> 3, as: UInt8.self)) >> UInt32(bit & 7)) & ((1 << UInt32(bits)) - 1)
  }

  /// Writes values to the positions that `position` gives, rounded to the type. Infinity stays what it is where the type has it.
  @inline(__always)
  public static func encode(
    _ type: ElementType, _ values: UnsafePointer<Float>, count: Int, to base: UnsafeMutableRawPointer,
    position: (Int) -> Int
  ) {
    switch type {
    case .f32:
      for i in 0..<count { base.storeBytes(of: values[i], toByteOffset: position(i) &* 4, as: Float.self) }
    case .f16:
      for i in 0..<count {
        base.storeBytes(of: NarrowFloat.encodeF16(values[i]), toByteOffset: position(i) &* 2, as: UInt16.self)
      }
    case .bf16:
      for i in 0..<count {
        base.storeBytes(of: NarrowFloat.encodeBF16(values[i]), toByteOffset: position(i) &* 2, as: UInt16.self)
      }
    case .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0:
      for i in 0..<count {
        base.storeBytes(
          of: UInt8(truncatingIfNeeded: NarrowFloat.code(of: values[i], as: type)), toByteOffset: position(i),
          as: UInt8.self)
      }
    case .f4e2m1:
      for i in 0..<count { pack(NarrowFloat.encode(values[i], as: type), base, position(i), bits: 4) }
    case .f64, .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool, .string, .c64, .c128, .i4, .u4, .i2, .u2:
      break
    }
  }

  @inline(__always)
  public static func encode(
    _ values: UnsafePointer<Double>, count: Int, to base: UnsafeMutableRawPointer, position: (Int) -> Int
  ) {
    for i in 0..<count { base.storeBytes(of: values[i], toByteOffset: position(i) &* 8, as: Double.self) }
  }

  @inline(__always)
  public static func encode(
    _ type: ElementType, _ values: UnsafePointer<Int64>, count: Int, to base: UnsafeMutableRawPointer,
    position: (Int) -> Int
  ) {
    @inline(__always)
    func each<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) {
      for i in 0..<count {
        base.storeBytes(
          of: T(truncatingIfNeeded: values[i]), toByteOffset: position(i) &* MemoryLayout<T>.size, as: T.self)
      }
    }
    switch type {
    case .i64, .u64, .c64: each(Int64.self)
    case .i32, .u32: each(Int32.self)
    case .i16, .u16: each(Int16.self)
    case .i8, .u8: each(Int8.self)
    case .bool:
      for i in 0..<count {
        base.storeBytes(of: values[i] == 0 ? 0 : 1, toByteOffset: position(i), as: UInt8.self)
      }
    case .i4, .u4:
      for i in 0..<count { pack(UInt32(truncatingIfNeeded: values[i]), base, position(i), bits: 4) }
    case .i2, .u2:
      for i in 0..<count { pack(UInt32(truncatingIfNeeded: values[i]), base, position(i), bits: 2) }
    case .f32, .f64, .f16, .bf16, .string, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1:
      break
    }
  }

  @inline(__always)
  private static func pack(_ code: UInt32, _ base: UnsafeMutableRawPointer, _ position: Int, bits: Int) {
    let bit = position &* bits
    let mask = UInt8((1 << bits) - 1) << UInt8(bit & 7)
    let old = base.load(fromByteOffset: bit >> 3, as: UInt8.self)
    base.storeBytes(
      of: (old & ~mask) | ((UInt8(truncatingIfNeeded: code) << UInt8(bit & 7)) & mask), toByteOffset: bit >> 3,
      as: UInt8.self)
  }
}
