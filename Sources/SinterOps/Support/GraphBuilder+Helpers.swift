import SinterCore
import SinterIR

extension GraphBuilder {
  /// A list of numbers as an i64 tensor of one axis: what older opsets have as an attribute where newer ones have an input.
  mutating func integers(_ values: [Int]) -> ValueID { constant(.i64([values.count], values)) }

  /// One number as a tensor of no axes.
  mutating func scalar(_ value: Double, _ type: ElementType) throws -> ValueID {
    try constant(HostTensor(scalar: value, type))
  }

  /// A value with axes of size 1 added so that its own begin at `axis` of `rank`: how opsets before 7 say which axes broadcast.
  mutating func alignLeft(_ value: ValueID, at axis: Int, rank: Int) throws -> ValueID {
    let own = try type(value).rank
    let behind = rank - axis - own
    if behind <= 0 { return value }
    return try add1(Unsqueeze(), [value, integers(Array(own..<(own + behind)))])
  }
}

extension HostTensor {
  /// A number as a tensor of no axes. Throws for types that Sinter does not compute in.
  package init(scalar value: Double, _ type: ElementType) throws {
    switch type {
    case .f32: self.init(type, [], values: [Float(value)])
    case .f64: self.init(type, [], values: [value])
    case .f16: self.init(type, [], values: [Float16(value)])
    case .i8: self.init(type, [], values: [Int8(saturating: value)])
    case .i16: self.init(type, [], values: [Int16(saturating: value)])
    case .i32: self.init(type, [], values: [Int32(saturating: value)])
    case .i64: self.init(type, [], values: [Int64(saturating: value)])
    case .u8: self.init(type, [], values: [UInt8(saturating: value)])
    case .u16: self.init(type, [], values: [UInt16(saturating: value)])
    case .u32: self.init(type, [], values: [UInt32(saturating: value)])
    case .u64: self.init(type, [], values: [UInt64(saturating: value)])
    case .bool: self.init(type, [], values: [value != 0])
    case .bf16: self.init(type, [], values: [UInt16(truncatingIfNeeded: Float(value).bitPattern >> 16)])
    case .string, .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1, .i4, .u4, .i2, .u2:
      throw DiagnosticError(.limit, "operator.type", "constants of type \(type) are not computed with")
    }
  }
}
