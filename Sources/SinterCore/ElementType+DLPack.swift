extension ElementType {
  /// The family of this type by DLPack's numbers, 200 for text: `SinterDataType.code` of the C interface.
  package var dlpackCode: UInt8 {
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
    case .string: 200
    }
  }
}
