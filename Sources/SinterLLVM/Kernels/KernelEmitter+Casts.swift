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
      let name = to.kind == .signed ? "llvm.fptosi.sat" : "llvm.fptoui.sat"
      let value = ir.intrinsic(name, [type, ir.type(a)], [a])
      return to.bits < 8 ? clamped(value, to: to) : value
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

  /// A byte brought into the range of a packed integer type.
  private func clamped(_ value: IRValue, to element: ElementType) -> IRValue {
    let range = element.integerRange
    let least = ir.int(ir.type(value), range.lowerBound)
    let most = ir.int(ir.type(value), range.upperBound)
    let isSigned = element.kind == .signed
    let raised = isSigned ? ir.select(ir.icmp(LLVMIntSLT, value, least), least, value) : value
    return ir.select(ir.icmp(isSigned ? LLVMIntSGT : LLVMIntUGT, raised, most), most, raised)
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
