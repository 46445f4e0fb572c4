internal import CLLVM
import SinterCore
import SinterForms
import SinterKernelIR

extension KernelEmitter {
  func constant(_ scalar: Scalar, _ type: RegisterType) -> IRValue {
    let element = type.element
    let llvm = registerType(type)
    switch (element.kind, scalar) {
    case (.float, _):
      let value: Double =
        switch scalar {
        case .float(let value): value
        case .int(let value): Double(value)
        }
      if element == .f32 || element == .f64 { return ir.real(llvm, value) }
      return narrow(ir.real(ir.vector(ir.f64, type.lanes), value), from: .f64, to: element)
    case (_, .int(let value)): return ir.int(llvm, element.wrapped(value))
    case (_, .float(let value)): return ir.int(llvm, element.integer(saturating: value))
    }
  }

  /// Arithmetic is for f32, f64, truth values and integers of a byte and more.
  private func checkArithmetic(_ element: ElementType) throws {
    if element.computeType != element { throw bug("arithmetic on \(element), which must be cast first") }
  }

  // MARK: One argument

  func unary(_ function: UnaryFunction, _ a: IRValue, _ type: RegisterType) throws -> IRValue {
    try checkArithmetic(type.element)
    let isFloat = type.element.isFloat
    func float(_ intrinsic: String) throws -> IRValue {
      guard isFloat else { throw bug("\(function) of \(type.element)") }
      return ir.intrinsic(intrinsic, [ir.type(a)], [a])
    }
    switch function {
    case .negate: return isFloat ? ir.fneg(a) : ir.sub(ir.zero(ir.type(a)), a)
    case .abs:
      if isFloat { return try float("llvm.fabs") }
      if type.element.kind != .signed { return a }
      return ir.intrinsic("llvm.abs", [ir.type(a)], [a, ir.int(ir.i1, 0)])
    case .sqrt: return try float("llvm.sqrt")
    case .floor: return isFloat ? try float("llvm.floor") : a
    case .ceil: return isFloat ? try float("llvm.ceil") : a
    case .round: return isFloat ? try float("llvm.roundeven") : a
    case .truncate: return isFloat ? try float("llvm.trunc") : a
    case .not: return ir.xor(a, ir.int(ir.type(a), -1))
    case .isNaN: return isFloat ? ir.fcmp(LLVMRealUNO, a, a) : ir.zero(ir.like(a, ir.i1))
    case .exp, .log, .sin, .cos, .tan, .asin, .acos, .atan, .sinh, .cosh, .tanh, .asinh, .acosh, .atanh, .erf:
      guard isFloat else { throw bug("\(function) of \(type.element)") }
      return mathFunction(function.rawValue, [a])
    case .weight: throw bug("weights are spelled out before")
    }
  }

  /// A function of the C library, lane by lane.
  private func mathFunction(_ name: String, _ arguments: [IRValue]) -> IRValue {
    let type = ir.type(ir.extract(arguments[0], 0))
    let function = ir.external(
      type == ir.f32 ? name + "f" : name, ir.functionType(type, arguments.map { _ in type }), isPure: true)
    return ir.gathered(
      (0..<ir.lanes(arguments[0])).map { lane in ir.call(function, arguments.map { ir.extract($0, lane) }) })
  }

  // MARK: Two arguments

  func binary(_ function: BinaryFunction, _ a: IRValue, _ b: IRValue, _ type: RegisterType) throws -> IRValue {
    try checkArithmetic(type.element)
    switch type.element.kind {
    case .float: return try floatBinary(function, a, b)
    case .bool: return try boolBinary(function, a, b)
    case .signed: return try integerBinary(function, a, b, isSigned: true)
    case .unsigned: return try integerBinary(function, a, b, isSigned: false)
    case .string, .complex: throw bug("\(function) of \(type.element)")
    }
  }

  private func floatBinary(_ function: BinaryFunction, _ a: IRValue, _ b: IRValue) throws -> IRValue {
    switch function {
    case .add: return ir.fadd(a, b)
    case .subtract: return ir.fsub(a, b)
    case .multiply: return ir.fmul(a, b)
    case .divide: return ir.fdiv(a, b)
    case .floorDivide: return ir.intrinsic("llvm.floor", [ir.type(a)], [ir.fdiv(a, b)])
    case .remainder: return mathFunction("fmod", [a, b])
    case .modulo:
      let remainder = mathFunction("fmod", [a, b])
      let zero = ir.zero(ir.type(a))
      let differs = ir.icmp(LLVMIntSLT, ir.xor(bits(remainder), bits(b)), 0)
      let moves = ir.and(differs, ir.fcmp(LLVMRealONE, remainder, zero))
      // Zero has the divisor's sign, too.
      let signed = ir.intrinsic("llvm.copysign", [ir.type(a)], [remainder, b])
      let kept = ir.select(ir.fcmp(LLVMRealOEQ, remainder, zero), signed, remainder)
      return ir.select(moves, ir.fadd(remainder, b), kept)
    case .power: return mathFunction("pow", [a, b])
    case .arcTangent2: return mathFunction("atan2", [a, b])
    case .minimum: return ir.extreme("llvm.minimum", a, b)
    case .maximum: return ir.extreme("llvm.maximum", a, b)
    case .and, .or, .xor, .shiftLeft, .shiftRight: throw bug("\(function) of floats")
    }
  }

  /// The bits of a float as an integer of its width.
  private func bits(_ value: IRValue) -> IRValue {
    let element = ir.type(ir.extract(value, 0))
    return ir.bitcast(value, ir.like(value, element == ir.f64 ? ir.i64 : ir.i32))
  }

  private func boolBinary(_ function: BinaryFunction, _ a: IRValue, _ b: IRValue) throws -> IRValue {
    switch function {
    case .and, .multiply, .minimum: return ir.and(a, b)
    case .or, .add, .maximum: return ir.or(a, b)
    case .xor, .subtract: return ir.xor(a, b)
    case .divide, .floorDivide, .modulo, .remainder, .power, .shiftLeft, .shiftRight, .arcTangent2:
      throw bug("\(function) of truth values")
    }
  }

  private func integerBinary(_ function: BinaryFunction, _ a: IRValue, _ b: IRValue, isSigned: Bool) throws -> IRValue {
    let type = ir.type(a)
    let zero = ir.zero(type)
    switch function {
    case .add: return ir.add(a, b)
    case .subtract: return ir.sub(a, b)
    case .multiply: return ir.mul(a, b)
    case .and: return ir.and(a, b)
    case .or: return ir.or(a, b)
    case .xor: return ir.xor(a, b)
    case .minimum: return ir.select(ir.icmp(isSigned ? LLVMIntSLT : LLVMIntULT, a, b), a, b)
    case .maximum: return ir.select(ir.icmp(isSigned ? LLVMIntSGT : LLVMIntUGT, a, b), a, b)
    case .divide: return division(a, b, isSigned: isSigned).quotient
    case .remainder: return division(a, b, isSigned: isSigned).remainder
    case .floorDivide:
      let parts = division(a, b, isSigned: isSigned)
      return isSigned
        ? ir.select(isRoundedUp(parts.remainder, b), ir.sub(parts.quotient, 1), parts.quotient) : parts.quotient
    case .modulo:
      let parts = division(a, b, isSigned: isSigned)
      return isSigned
        ? ir.select(isRoundedUp(parts.remainder, b), ir.add(parts.remainder, b), parts.remainder) : parts.remainder
    case .shiftLeft, .shiftRight:
      let width = Int64(LLVMGetIntTypeWidth(ir.type(ir.extract(a, 0))))
      let fits = ir.icmp(LLVMIntULT, b, ir.int(type, width))
      let amount = ir.select(fits, b, zero)
      if function == .shiftLeft { return ir.select(fits, ir.shl(a, amount), zero) }
      return ir.select(fits, isSigned ? ir.ashr(a, amount) : ir.lshr(a, amount), zero)
    case .power: return integerPower(a, b, isSigned: isSigned)
    case .arcTangent2: throw bug("\(function) of integers")
    }
  }

  /// A remainder whose sign is not the divisor's: division toward zero went up.
  private func isRoundedUp(_ remainder: IRValue, _ divisor: IRValue) -> IRValue {
    ir.and(
      ir.icmp(LLVMIntNE, remainder, 0), ir.icmp(LLVMIntSLT, ir.xor(remainder, divisor), 0))
  }

  /// Toward zero; by zero both are zero, and the least number by -1 is itself.
  private func division(_ a: IRValue, _ b: IRValue, isSigned: Bool) -> (quotient: IRValue, remainder: IRValue) {
    let type = ir.type(a)
    let byZero = ir.icmp(LLVMIntEQ, b, 0)
    var divisor = ir.select(byZero, ir.int(type, 1), b)
    guard isSigned else {
      let zero = ir.zero(type)
      return (ir.select(byZero, zero, ir.udiv(a, divisor)), ir.select(byZero, zero, ir.urem(a, divisor)))
    }
    let isMinusOne = ir.icmp(LLVMIntEQ, b, -1)
    divisor = ir.select(isMinusOne, ir.int(type, 1), divisor)
    let quotient = ir.sdiv(a, divisor)
    let zero = ir.zero(type)
    return (
      ir.select(byZero, zero, ir.select(isMinusOne, ir.sub(zero, a), quotient)),
      ir.select(ir.or(byZero, isMinusOne), zero, ir.srem(a, divisor))
    )
  }

  /// By squaring, wrapping around. A negative exponent gives the truncated reciprocal.
  private func integerPower(_ a: IRValue, _ b: IRValue, isSigned: Bool) -> IRValue {
    let type = ir.type(ir.extract(a, 0))
    let name = "power.\(isSigned ? "s" : "u")\(LLVMGetIntTypeWidth(type))"
    let function = LLVMGetNamedFunction(ir.module, name) ?? powerFunction(name, type, isSigned: isSigned)
    return ir.gathered((0..<ir.lanes(a)).map { ir.call(function, [ir.extract(a, $0), ir.extract(b, $0)]) })
  }

  private func powerFunction(_ name: String, _ type: IRType, isSigned: Bool) -> IRValue {
    let here = ir.currentBlock
    defer { ir.position(at: here) }
    let function = ir.function(name, ir.functionType(type, [type, type]), linkage: LLVMInternalLinkage)
    let (base, exponent) = (ir.parameter(function, 0), ir.parameter(function, 1))
    let one = ir.int(type, 1)
    let entry = ir.block("entry", in: function)
    let loop = ir.block("loop", in: function)
    let done = ir.block("done", in: function)
    ir.position(at: entry)
    let parity = ir.icmp(LLVMIntNE, ir.and(exponent, 1), 0)
    let minusOnePower = ir.select(parity, base, one)
    let reciprocal = ir.select(
      ir.icmp(LLVMIntEQ, base, 1), one, ir.select(ir.icmp(LLVMIntEQ, base, -1), minusOnePower, ir.zero(type)))
    let isNegative = isSigned ? ir.icmp(LLVMIntSLT, exponent, 0) : ir.int(ir.i1, 0)
    ir.jump(if: isNegative, done, else: loop)
    ir.position(at: loop)
    let square = ir.phi(type, [(base, entry)])
    let rest = ir.phi(type, [(exponent, entry)])
    let product = ir.phi(type, [(one, entry)])
    let next = ir.select(ir.icmp(LLVMIntNE, ir.and(rest, 1), 0), ir.mul(product, square), product)
    let half = ir.lshr(rest, 1)
    ir.addIncoming(square, ir.mul(square, square), loop)
    ir.addIncoming(rest, half, loop)
    ir.addIncoming(product, next, loop)
    ir.jump(if: ir.icmp(LLVMIntEQ, half, 0), done, else: loop)
    ir.position(at: done)
    ir.giveBack(ir.phi(type, [(reciprocal, entry), (next, loop)]))
    return function
  }

  // MARK: Others

  /// Rounded once where the processor can; elsewhere a product and a sum, since a call for each lane would cost a
  /// hundred times as much.
  func multiplyAdd(_ a: IRValue, _ b: IRValue, _ c: IRValue, _ type: RegisterType) throws -> IRValue {
    try checkArithmetic(type.element)
    guard type.element.isFloat else { return ir.add(ir.mul(a, b), c) }
    return ir.intrinsic(ir.target.hasMultiplyAdd ? "llvm.fma" : "llvm.fmuladd", [ir.type(a)], [a, b, c])
  }

  /// a · 2^exponent. One instruction with AVX-512; elsewhere two factors, so that neither leaves the range of exponents and only the last
  /// product rounds.
  func scale(_ a: IRValue, exponent: IRValue) -> IRValue {
    let lanes = ir.lanes(a)
    if ir.target.hasScaling, [4, 8, 16].contains(lanes) {
      let mask = ir.int(lanes == 16 ? ir.i16 : ir.i8, -1)
      // For whole vectors of 512 bits the way of rounding is an operand: 4, the current one.
      let rounding = lanes == 16 ? [ir.int(ir.i32, 4)] : []
      return ir.intrinsic("llvm.x86.avx512.mask.scalef.ps.\(lanes * 32)", [], [a, exponent, a, mask] + rounding)
    }
    let type = ir.like(a, ir.i32)
    // 1.5 · 2²³ more, and the low bits hold the number; NaN gives some number, and stays NaN in the product.
    let whole = ir.sub(ir.bitcast(ir.fadd(exponent, ir.real(ir.type(a), 12_582_912)), type), 0x4B40_0000)
    let half = ir.ashr(whole, 1)
    func power(_ exponent: IRValue) -> IRValue { ir.bitcast(ir.shl(ir.add(exponent, 127), 23), ir.type(a)) }
    return ir.fmul(ir.fmul(a, power(half)), power(ir.sub(whole, half)))
  }

  func compare(_ comparison: Comparison, _ a: IRValue, _ b: IRValue, _ element: ElementType) throws -> IRValue {
    try checkArithmetic(element)
    if element.isFloat {
      switch comparison {
      case .equal: return ir.fcmp(LLVMRealOEQ, a, b)
      case .notEqual: return ir.fcmp(LLVMRealUNE, a, b)
      case .less: return ir.fcmp(LLVMRealOLT, a, b)
      case .lessOrEqual: return ir.fcmp(LLVMRealOLE, a, b)
      case .greater: return ir.fcmp(LLVMRealOGT, a, b)
      case .greaterOrEqual: return ir.fcmp(LLVMRealOGE, a, b)
      }
    }
    let isSigned = element.kind == .signed
    switch comparison {
    case .equal: return ir.icmp(LLVMIntEQ, a, b)
    case .notEqual: return ir.icmp(LLVMIntNE, a, b)
    case .less: return ir.icmp(isSigned ? LLVMIntSLT : LLVMIntULT, a, b)
    case .lessOrEqual: return ir.icmp(isSigned ? LLVMIntSLE : LLVMIntULE, a, b)
    case .greater: return ir.icmp(isSigned ? LLVMIntSGT : LLVMIntUGT, a, b)
    case .greaterOrEqual: return ir.icmp(isSigned ? LLVMIntSGE : LLVMIntUGE, a, b)
    }
  }

  /// Halves are combined until one lane is left, so that the order of rounding is fixed.
  func combineLanes(_ combine: Combine, _ a: IRValue, _ type: RegisterType) throws -> IRValue {
    guard let function = combine.function else { throw bug("\(combine) over lanes") }
    var value = a
    var lanes = type.lanes
    while lanes > 1 {
      guard lanes % 2 == 0 else { throw bug("combination of \(type.lanes) lanes") }
      lanes /= 2
      let low = shuffle(value, value, Array(0..<lanes))
      let high = shuffle(value, value, Array(lanes..<(2 * lanes)))
      value = try binary(function, low, high, RegisterType(type.element, lanes: lanes))
    }
    return value
  }

  /// Lanes of two vectors by position in their concatenation.
  func shuffle(_ a: IRValue, _ b: IRValue, _ positions: [Int]) -> IRValue {
    let count = ir.lanes(a)
    if count == 4, positions.count > 4, positions.count % 4 == 0, ir.type(ir.extract(a, 0)) == ir.i8,
      positions.enumerated().allSatisfy({ $1 == $0 % 4 })
    {
      // Four bytes over and over are one 32-bit number in all lanes.
      let word = ir.bitcast(a, ir.i32)
      return ir.bitcast(ir.broadcast(word, positions.count / 4), ir.vector(ir.i8, positions.count))
    }
    guard count == ir.lanes(b), count > 1, positions.count > 1 else {
      return ir.gathered(positions.map { $0 < count ? ir.extract(a, $0) : ir.extract(b, $0 - count) })
    }
    return ir.shuffle(a, b, positions)
  }
}
