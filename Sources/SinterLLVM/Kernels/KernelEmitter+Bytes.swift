internal import CLLVM
import SinterCore
import SinterKernelIR

extension KernelEmitter {
  /// Floats rounded, halves to even, moved by a whole number, and held within a byte; NaN is 0. Nil where the processor has no
  /// instruction that rounds while it converts.
  ///
  /// Four whole vectors become one of bytes: two instructions that narrow hold numbers within their types, so that only what is too great for
  /// 32 bits needs a bound.
  ///
  /// - Parameters:
  ///   - offset: within a byte, signed or not.
  ///   - isSigned: whether the result is.
  func bytes(_ number: IRValue, plus offset: Int, isSigned: Bool) -> IRValue? {
    let lanes = ir.lanes(number)
    let quarter = 16
    if ir.target.packsBytes, lanes == 2 * quarter || lanes == 4 * quarter {
      let parts = (0..<(lanes / quarter)).map { part in
        ir.shuffle(number, number, (0..<quarter).map { part * quarter + $0 })
      }
      return packed(parts, plus: offset, isSigned: isSigned)
    }
    guard let words = words(number, plus: offset, isSigned: isSigned) else { return nil }
    return ir.trunc(ir.add(words, ir.int(ir.type(words), Int64(offset))), ir.vector(ir.i8, lanes))
  }

  /// The same as 32-bit numbers before they are moved.
  func words(_ number: IRValue, plus offset: Int, isSigned: Bool) -> IRValue? {
    guard let name = ir.target.roundingConversion(lanes: ir.lanes(number)) else { return nil }
    let type = ir.type(number)
    let (least, most) = isSigned ? (-128, 127) : (0, 255)
    let (low, high) = (ir.real(type, Double(least - offset)), ir.real(type, Double(most - offset)))
    let isUnknown = ir.fcmp(LLVMRealUNO, number, number)
    let known = isSigned ? ir.select(isUnknown, ir.real(type, Double(-offset)), number) : number
    // A byte without a sign is 0 at its least, which is what becomes of NaN.
    let raised = ir.select(ir.fcmp(LLVMRealOGT, known, low), known, low)
    let held = ir.select(ir.fcmp(LLVMRealOLT, raised, high), raised, high)
    return rounded(held, name)
  }

  /// What `emit` found of a conversion from floats to bytes whose result becomes floats again: the bytes are never made.
  ///
  /// - Returns: the floats; and what is to be kept of them, since the number that was added is often subtracted next.
  func floats(of bytes: Register) -> (value: IRValue, moved: (words: IRValue, offset: Int))? {
    guard let held = held[bytes],
      let words = words(held.number, plus: held.offset, isSigned: type(bytes).element == .i8)
    else { return nil }
    let moved = ir.add(words, ir.int(ir.type(words), Int64(held.offset)))
    return (ir.sitofp(moved, ir.vector(ir.f32, ir.lanes(words))), (words, held.offset))
  }

  /// The whole number within a byte, signed or not, that all lanes of a float are for certain.
  func wholeNumber(_ value: IRValue) -> Int? {
    let lanes = ir.lanes(value)
    let numbers = (0..<lanes).map { lane -> Double? in
      guard LLVMIsConstant(value) != 0,
        let element = lanes == 1 ? value : LLVMGetAggregateElement(value, UInt32(lane)),
        LLVMIsAConstantFP(element) != nil
      else { return nil }
      var isInexact: LLVMBool = 0
      return LLVMConstRealGetDouble(element, &isInexact)
    }
    guard let first = numbers[0], numbers.allSatisfy({ $0 == first }), let whole = Int(exactly: first),
      (-128...255).contains(whole)
    else { return nil }
    return whole
  }

  /// 32-bit numbers nearest to floats; for what none is near to the least one.
  ///
  /// - Parameter unknown: what NaN becomes instead, where all lanes are 16.
  private func rounded(_ value: IRValue, _ name: String, unknown: Int? = nil) -> IRValue {
    let words = ir.vector(ir.i32, ir.lanes(value))
    if ir.lanes(value) < 16 { return ir.intrinsic(name, [], [value]) }
    let current = ir.int(ir.i32, 4)
    guard let unknown else { return ir.intrinsic(name, [], [value, ir.zero(words), ir.int(ir.i16, -1), current]) }
    let isKnown = ir.bitcast(ir.fcmp(LLVMRealORD, value, value), ir.i16)
    return ir.intrinsic(name, [], [value, ir.int(words, Int64(unknown)), isKnown, current])
  }

  /// Two or four vectors of 16 floats as bytes.
  private func packed(_ parts: [IRValue], plus offset: Int, isSigned: Bool) -> IRValue {
    let high = ir.real(ir.type(parts[0]), Double((isSigned ? 127 : 255) - offset))
    let numbers = parts.map { part in
      rounded(
        ir.select(ir.fcmp(LLVMRealOGT, part, high), high, part), ir.target.roundingConversion(lanes: 16) ?? "",
        unknown: isSigned ? -offset : nil)
    }
    let half = ir.vector(ir.i16, 32)
    let pairs = stride(from: 0, to: numbers.count, by: 2).map { index -> IRValue in
      let pair = ir.intrinsic("llvm.x86.avx512.packssdw.512", [], [numbers[index], numbers[index + 1]])
      return offset == 0 ? pair : ir.intrinsic("llvm.sadd.sat", [half], [pair, ir.int(half, Int64(offset))])
    }
    // Each group of 128 bits holds four numbers of each vector.
    let pack = "llvm.x86.avx512.pack\(isSigned ? "ss" : "us")wb.512"
    let mixed = ir.bitcast(ir.intrinsic(pack, [], [pairs[0], pairs[pairs.count - 1]]), ir.vector(ir.i32, 16))
    let count = 4 * parts.count
    let sorted = ir.shuffle(mixed, mixed, (0..<count).map { ($0 % 4) * 4 + $0 / 4 })
    return ir.bitcast(sorted, ir.vector(ir.i8, 4 * count))
  }
}
