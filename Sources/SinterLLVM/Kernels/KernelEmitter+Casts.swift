internal import CLLVM
import SinterCore
import SinterKernelIR

extension KernelEmitter {
  /// Conversion by value, lane by lane. Float to integer truncates, saturates and takes NaN to zero; integers wrap;
  /// anything but zero is true.
  func cast(_ a: IRValue, from: ElementType, to: ElementType) throws -> IRValue {
    if from == to { return a }
    if from.kind == .string || from.kind == .complex || to.kind == .string || to.kind == .complex {
      throw bug("cast from \(from) to \(to)")
    }
    if from.isFloat, from.computeType != from {
      return try cast(widen(a, from: from), from: .f32, to: to)
    }
    let type = ir.like(a, scalarType(to))
    switch (from.kind, to.kind) {
    case (.float, .float):
      if to.computeType != to { return narrow(a, from: from, to: to) }
      return to == .f64 ? ir.fpext(a, type) : ir.fptrunc(a, type)
    case (_, .float):
      let compute = to == .f64 ? ElementType.f64 : .f32
      let float = ir.like(a, scalarType(compute))
      let value = from.kind == .signed ? ir.sitofp(a, float) : ir.uitofp(a, float)
      return to == compute ? value : narrow(value, from: compute, to: to)
    case (.float, .bool): return ir.fcmp(LLVMRealUNE, a, ir.zero(ir.type(a)))
    case (_, .bool): return ir.icmp(LLVMIntNE, a, 0)
    case (.float, _):
      return saturated(a, from: from, to: to)
    case (_, _):
      let value = resized(a, isSigned: from.kind == .signed, to: type)
      return to.bits < 8 ? wrapped(value, to: to) : value
    }
  }

  /// An integer register of another width. What registers hold decides, not what memory does: a truth value is one bit.
  private func resized(_ a: IRValue, isSigned: Bool, to type: IRType) -> IRValue {
    if ir.bits(type) < ir.bits(ir.type(a)) { return ir.trunc(a, type) }
    return isSigned ? ir.sext(a, type) : ir.zext(a, type)
  }

  /// A float truncated and held within an integer type; NaN is 0.
  ///
  /// LLVM has intrinsics for this, but writes them for x86 lane by lane unless the result fills whole vectors. Bounds that the float's type
  /// has exactly are cheaper to apply before the conversion anyway; above them, for 32 and 64 bits, the float next below is converted and
  /// what was greater replaced.
  private func saturated(_ a: IRValue, from: ElementType, to: ElementType) -> IRValue {
    let isSigned = to.kind == .signed
    let type = ir.like(a, scalarType(to))
    let wide = to.bits < 32 ? ir.like(a, ir.i32) : type
    let magnitude = to.bits - (isSigned ? 1 : 0)
    let digits = from == .f64 ? Double.significandBitCount + 1 : Float.significandBitCount + 1
    let isExact = magnitude <= digits
    if !isExact, ir.lanes(a) == 1 || ir.target.architecture != .x86_64 {
      return ir.intrinsic(isSigned ? "llvm.fptosi.sat" : "llvm.fptoui.sat", [type, ir.type(a)], [a])
    }
    let beyond = Double(sign: .plus, exponent: magnitude, significand: 1)
    let greatest = beyond - (isExact ? 1 : Double(sign: .plus, exponent: magnitude - digits, significand: 1))
    let raised = ir.intrinsic("llvm.maxnum", [ir.type(a)], [a, ir.real(ir.type(a), isSigned ? -beyond : 0)])
    let held = ir.intrinsic("llvm.minnum", [ir.type(a)], [raised, ir.real(ir.type(a), greatest)])
    // Below 32 bits all bounds are positive numbers of 32 bits with a sign.
    var result = isSigned || to.bits < 32 ? ir.fptosi(held, wide) : ir.fptoui(held, wide)
    if !isExact {
      let isAbove = ir.fcmp(LLVMRealOGE, a, ir.real(ir.type(a), beyond))
      let most = isSigned ? ir.int(wide, to.bits == 64 ? .max : Int64(Int32.max)) : ir.int(wide, -1)
      result = ir.select(isAbove, most, result)
    }
    // Unsigned, NaN has become the bound, which is 0.
    if isSigned { result = ir.select(ir.fcmp(LLVMRealUNO, a, a), ir.zero(wide), result) }
    return ir.trunc(result, type)
  }

  /// The low bits of a byte, extended as a packed integer type has them.
  func wrapped(_ value: IRValue, to element: ElementType) -> IRValue {
    if element.kind != .signed { return ir.and(value, Int64((1 << element.bits) - 1)) }
    return ir.ashr(ir.shl(value, 8 - element.bits), 8 - element.bits)
  }

  /// The same bits as another type of that width; a truth value is a byte of 0 or 1.
  func bitcast(_ a: IRValue, from: ElementType, to: RegisterType) throws -> IRValue {
    guard from.bits == to.element.bits else { throw bug("bitcast from \(from) to \(to.element)") }
    if from == .bool { return ir.zext(a, registerType(to)) }
    if to.element == .bool { return ir.icmp(LLVMIntNE, a, 0) }
    if from.bits < 8 { return wrapped(a, to: to.element) }
    return ir.bitcast(a, registerType(to))
  }
}
