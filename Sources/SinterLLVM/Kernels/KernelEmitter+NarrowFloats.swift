internal import CLLVM
import SinterCore
import SinterForms

/// Conversions of floats of 16 bits and less, by the same rules as `NarrowFloat`: widening is exact; narrowing rounds
/// to nearest, ties to even (f8e8m0: up, negative numbers to NaN), and saturates but for f16 and bf16.
extension KernelEmitter {
  /// The bits of a narrow float as f32.
  func widen(_ a: IRValue, from element: ElementType) -> IRValue {
    let float = ir.like(a, ir.f32)
    if element == .f16, ir.target.hasHalfConversion {
      // Behind the fence LLVM does not see that what it compares was narrow: it would compare in f16, one lane after the other where the
      // processor has no instruction for that.
      return ir.intrinsic("llvm.arithmetic.fence", [float], [ir.fpext(ir.bitcast(a, ir.like(a, ir.f16)), float)])
    }
    let word = ir.zext(a, ir.like(a, ir.i32))
    if element == .bf16 { return ir.bitcast(ir.shl(word, 16), float) }
    guard let layout = NarrowLayout(element) else { return ir.bitcast(widenedPower(word), float) }

    let magnitude = ir.and(word, Int64(layout.signBit - 1))
    // The exponent counts from another bias; the product mends that, and makes subnormal numbers what they are.
    let scale = ir.real(float, Double(sign: .plus, exponent: 127 - layout.bias, significand: 1))
    let scaled = ir.bitcast(
      ir.fmul(ir.bitcast(ir.shl(magnitude, 23 - layout.fractionBits), float), scale), ir.type(word))
    let value: IRValue
    switch layout.special {
    case .ieee:
      let special = ir.or(ir.shl(magnitude, 23 - layout.fractionBits), 0x7f80_0000)
      value = ir.select(ir.icmp(LLVMIntUGE, magnitude, Int64(layout.infinity)), special, scaled)
    case .allOnes:
      value = ir.select(ir.icmp(LLVMIntEQ, magnitude, Int64(layout.nan)), ir.int(ir.type(word), 0x7fc0_0000), scaled)
    case .negativeZero:
      value = ir.select(ir.icmp(LLVMIntEQ, word, Int64(layout.nan)), ir.int(ir.type(word), 0x7fc0_0000), scaled)
    case .none: value = scaled
    }
    let sign = ir.shl(ir.and(word, Int64(layout.signBit)), 32 - layout.bits)
    return ir.bitcast(ir.or(value, sign), float)
  }

  /// Powers of two: an exponent alone, all ones for NaN.
  private func widenedPower(_ word: IRValue) -> IRValue {
    let type = ir.type(word)
    let least = ir.select(ir.icmp(LLVMIntEQ, word, 0), ir.int(type, 0x0040_0000), ir.shl(word, 23))
    return ir.select(ir.icmp(LLVMIntEQ, word, 255), ir.int(type, 0x7fc0_0000), least)
  }

  /// f32 or f64 as the bits of a narrow float.
  func narrow(_ a: IRValue, from: ElementType, to element: ElementType) -> IRValue {
    let float = ir.like(a, ir.f32)
    let value = from == .f64 ? ir.fptrunc(a, float) : a
    let result = ir.like(a, scalarType(element))
    if element == .f16, ir.target.hasHalfConversion { return ir.bitcast(ir.fptrunc(value, ir.like(a, ir.f16)), result) }
    let word = ir.bitcast(value, ir.like(a, ir.i32))
    let magnitude = ir.and(word, 0x7fff_ffff)
    let isNaN = ir.icmp(LLVMIntUGT, magnitude, 0x7f80_0000)
    if element == .bf16 {
      let rounded = ir.lshr(ir.add(ir.add(word, 0x7fff), ir.and(ir.lshr(word, 16), 1)), 16)
      return ir.trunc(ir.select(isNaN, ir.or(ir.lshr(word, 16), 0x40), rounded), result)
    }
    guard let layout = NarrowLayout(element) else {
      let isNegative = ir.icmp(LLVMIntUGT, word, 0x8000_0000)
      return ir.trunc(narrowedPower(magnitude, isNaN: ir.or(isNaN, isNegative)), result)
    }

    let shift = 23 - layout.fractionBits
    let type = ir.type(word)
    let nearest = ir.add(ir.add(magnitude, Int64(1 << (shift - 1)) - 1), ir.and(ir.lshr(magnitude, shift), 1))
    let normal = ir.sub(ir.lshr(nearest, shift), Int64((127 - layout.bias) << layout.fractionBits))
    // The sum's last bit is that of the subnormal number, so that adding rounds as it should.
    let aligner = Double(sign: .plus, exponent: shift + 1 - layout.bias, significand: 1)
    let aligned = ir.bitcast(ir.fadd(ir.bitcast(magnitude, float), ir.real(float, aligner)), type)
    let subnormal = ir.sub(aligned, Int64(Float(aligner).bitPattern))
    let isSubnormal = ir.icmp(LLVMIntULT, magnitude, Int64((128 - layout.bias) << 23))
    let code = ir.select(isSubnormal, subnormal, normal)
    let most = ir.int(type, Int64(layout.saturates ? layout.largest : layout.infinity))
    let bounded = ir.select(ir.icmp(LLVMIntUGT, code, most), most, code)
    let sign = ir.and(ir.lshr(word, 32 - layout.bits), Int64(layout.signBit))
    let nan = ir.int(type, Int64(layout.nan))
    switch layout.special {
    case .ieee, .allOnes: return ir.trunc(ir.or(ir.select(isNaN, nan, bounded), sign), result)
    case .none: return ir.trunc(ir.select(isNaN, nan, ir.or(bounded, sign)), result)
    case .negativeZero:
      let signed = ir.select(ir.icmp(LLVMIntEQ, bounded, 0), bounded, ir.or(bounded, sign))
      return ir.trunc(ir.select(isNaN, nan, signed), result)
    }
  }

  /// The exponent of the power of two that is not less than a magnitude.
  private func narrowedPower(_ magnitude: IRValue, isNaN: IRValue) -> IRValue {
    let type = ir.type(magnitude)
    func number(_ value: Int64) -> IRValue { ir.int(type, value) }
    let up = ir.lshr(ir.add(magnitude, 0x007f_ffff), 23)
    let small = ir.select(ir.icmp(LLVMIntULE, magnitude, 0x0040_0000), number(0), number(1))
    let finite = ir.select(ir.icmp(LLVMIntULT, magnitude, 0x0080_0000), small, up)
    let bounded = ir.select(ir.icmp(LLVMIntUGE, magnitude, 0x7f00_0000), number(254), finite)
    return ir.select(isNaN, number(255), bounded)
  }
}
