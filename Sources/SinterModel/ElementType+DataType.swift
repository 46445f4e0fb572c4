import SinterCore
internal import SinterABI

extension ElementType {
  /// DLPack's number for the family that this type belongs to.
  private var code: UInt8 {
    switch self {
    case .i8, .i16, .i32, .i64, .i4, .i2: 0
    case .u8, .u16, .u32, .u64, .u4, .u2: 1
    case .f16, .f32, .f64: 2
    case .bf16: 4
    case .c64, .c128: 5
    case .bool: 6
    case .f8e4m3fn: 10
    case .f8e4m3fnuz: 11
    case .f8e5m2: 12
    case .f8e5m2fnuz: 13
    case .f8e8m0: 14
    case .f4e2m1: 17
    case .string: UInt8(SINTER_STRING)
    }
  }

  /// How the C interface names this type.
  var dataType: SinterDataType { SinterDataType(code: code, bits: UInt8(bits), lanes: 1) }

  init?(_ dataType: SinterDataType) {
    guard dataType.lanes == 1,
      let match = Self.allCases.first(where: { $0.code == dataType.code && $0.bits == Int(dataType.bits) })
    else { return nil }
    self = match
  }
}
