/// The type of one element of a tensor.
public enum ElementType: UInt8, Hashable, Sendable, CaseIterable {
  case f32, f64, f16, bf16
  case i8, i16, i32, i64
  case u8, u16, u32, u64
  case bool
  case string
  case c64, c128
  case f8e4m3fn, f8e4m3fnuz, f8e5m2, f8e5m2fnuz, f8e8m0
  case f4e2m1
  case i4, u4, i2, u2

  /// The name in text forms and messages: `f32`, `i64`, `bool`.
  public var name: String { description }

  /// The type of a name in text forms, such as `f32`; nil for any other text.
  public init?(name: some StringProtocol) {
    guard let match = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }

  /// What kind of number an element is.
  public enum Kind: Sendable { case float, signed, unsigned, bool, string, complex }

  /// What kind of number an element is.
  public var kind: Kind {
    switch self {
    case .f32, .f64, .f16, .bf16, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1: .float
    case .i8, .i16, .i32, .i64, .i4, .i2: .signed
    case .u8, .u16, .u32, .u64, .u4, .u2: .unsigned
    case .bool: .bool
    case .string: .string
    case .c64, .c128: .complex
    }
  }

  /// Whether elements are floats of any width.
  public var isFloat: Bool { kind == .float }
  /// Whether elements are integers, truth values not among them.
  public var isInteger: Bool { kind == .signed || kind == .unsigned }

  /// Bits of storage: 2 and 4 for the packed types, 128 for text (a pointer and a length).
  public var bits: Int {
    switch self {
    case .i2, .u2: 2
    case .i4, .u4, .f4e2m1: 4
    case .i8, .u8, .bool, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0: 8
    case .i16, .u16, .f16, .bf16: 16
    case .i32, .u32, .f32: 32
    case .i64, .u64, .f64, .c64: 64
    case .c128, .string: 128
    }
  }

  /// Bytes that `count` elements take, the packed types side by side.
  public func byteCount(_ count: Int) -> Int { (count * bits + 7) / 8 }

  /// The type in which arithmetic on elements of this type is done: narrow floats compute in `f32`, packed integers in
  /// bytes, everything else in itself.
  public var computeType: ElementType {
    switch self {
    case .f16, .bf16, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1: .f32
    case .i4, .i2: .i8
    case .u4, .u2: .u8
    case .f32, .f64, .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool, .string, .c64, .c128: self
    }
  }
}

extension ElementType: CustomStringConvertible {
  public var description: String {
    switch self {
    case .f32: "f32"
    case .f64: "f64"
    case .f16: "f16"
    case .bf16: "bf16"
    case .i8: "i8"
    case .i16: "i16"
    case .i32: "i32"
    case .i64: "i64"
    case .u8: "u8"
    case .u16: "u16"
    case .u32: "u32"
    case .u64: "u64"
    case .bool: "bool"
    case .string: "string"
    case .c64: "c64"
    case .c128: "c128"
    case .f8e4m3fn: "f8e4m3fn"
    case .f8e4m3fnuz: "f8e4m3fnuz"
    case .f8e5m2: "f8e5m2"
    case .f8e5m2fnuz: "f8e5m2fnuz"
    case .f8e8m0: "f8e8m0"
    case .f4e2m1: "f4e2m1"
    case .i4: "i4"
    case .u4: "u4"
    case .i2: "i2"
    case .u2: "u2"
    }
  }
}
