package import SinterCore

/// The Open Inference Protocol's names of element types. It has none for complex numbers, for floats of 8 bits and less, and for integers of
/// less than 8.
extension ElementType {
  package var protocolName: String? {
    switch self {
    case .bool: "BOOL"
    case .u8: "UINT8"
    case .u16: "UINT16"
    case .u32: "UINT32"
    case .u64: "UINT64"
    case .i8: "INT8"
    case .i16: "INT16"
    case .i32: "INT32"
    case .i64: "INT64"
    case .f16: "FP16"
    case .bf16: "BF16"
    case .f32: "FP32"
    case .f64: "FP64"
    case .string: "BYTES"
    case .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1, .i4, .u4, .i2, .u2: nil
    }
  }

  package init?(protocolName: String) {
    guard let match = Self.allCases.first(where: { $0.protocolName == protocolName }) else { return nil }
    self = match
  }
}
