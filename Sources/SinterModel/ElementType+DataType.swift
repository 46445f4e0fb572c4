import SinterCore
internal import SinterABI

extension ElementType {
  /// How the C interface names this type.
  var dataType: SinterDataType { SinterDataType(code: dlpackCode, bits: UInt8(bits), lanes: 1) }

  init?(_ dataType: SinterDataType) {
    guard dataType.lanes == 1,
      let match = Self.allCases.first(where: { $0.dlpackCode == dataType.code && $0.bits == Int(dataType.bits) })
    else { return nil }
    self = match
  }
}
