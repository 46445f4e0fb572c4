import SinterCore
import SinterForms

/// Integers of 2, 4 or 8 bits side by side in bytes along the last axis of a tensor, the first one in the lowest bits.
struct PackedBits {
  let bits: Int

  /// Throws where there are no such integers.
  init(_ bits: Int) throws {
    guard bits == 2 || bits == 4 || bits == 8 else {
      throw DiagnosticError(.user, "quantize.bits", "bits must be 2, 4 or 8, but is \(bits)")
    }
    self.bits = bits
  }

  /// How many share a byte.
  var perByte: Int { 8 / bits }
  /// What stands for zero where nothing says so.
  var middle: Int { 1 << (bits - 1) }

  /// The bytes that hold `count` of them.
  func bytes(_ count: Dim) -> Dim { count.ceilDivided(by: Dim(perByte)) }

  /// The integer at a place of the last axis, as i32. `leading` are the indices of the other axes.
  func load(_ builder: BodyBuilder, _ operand: Operand, _ leading: [Expr], _ place: Expr, where condition: Expr? = nil)
    -> Expr
  {
    if perByte == 1 { return builder.load(operand.id, leading + [place], where: condition).cast(to: .i32) }
    let count = builder.constant(perByte, .i64)
    let byte = builder.load(operand.id, leading + [place.floorDivided(by: count)], where: condition).cast(to: .i32)
    let shift = (place.modulo(count) * builder.constant(bits, .i64)).cast(to: .i32)
    return byte.applying(.shiftRight, shift).applying(.and, builder.constant((1 << bits) - 1, .i32))
  }
}
