internal import CLLVM
import SinterCore
import SinterKernelIR

extension KernelEmitter {
  /// Floats rounded, halves to even, moved by a whole number, and held within an unsigned byte; NaN is 0. Nil where the processor has no
  /// instruction that rounds while it converts.
  ///
  /// Four whole vectors become one of bytes: two instructions that narrow hold numbers within their types, so that only what is too great for
  /// 32 bits needs a bound.
  ///
  /// - Parameter offset: within a byte, signed or not.
  func bytes(_ number: IRValue, plus offset: Int) -> IRValue? {
    let lanes = ir.lanes(number)
    let quarter = 16
    if ir.target.packsBytes, lanes == 2 * quarter || lanes == 4 * quarter {
      let parts = (0..<(lanes / quarter)).map { part in
        ir.shuffle(number, number, (0..<quarter).map { part * quarter + $0 })
      }
      return packed(parts, plus: offset)
    }
    guard let name = ir.target.roundingConversion(lanes: lanes) else { return nil }
    let type = ir.type(number)
    let (low, high) = (ir.real(type, Double(-offset)), ir.real(type, Double(255 - offset)))
    let raised = ir.select(ir.fcmp(LLVMRealOGT, number, low), number, low)
    let held = ir.select(ir.fcmp(LLVMRealOLT, raised, high), raised, high)
    let result = ir.add(rounded(held, name), ir.int(ir.vector(ir.i32, lanes), Int64(offset)))
    return ir.trunc(result, ir.vector(ir.i8, lanes))
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

  /// 32-bit numbers nearest to floats; the least one for what none is near to.
  private func rounded(_ value: IRValue, _ name: String) -> IRValue {
    let words = ir.vector(ir.i32, ir.lanes(value))
    if ir.lanes(value) < 16 { return ir.intrinsic(name, [], [value]) }
    let all = ir.int(ir.i16, -1)
    let current = ir.int(ir.i32, 4)
    return ir.intrinsic(name, [], [value, ir.zero(words), all, current])
  }

  /// Two or four vectors of 16 floats as bytes.
  private func packed(_ parts: [IRValue], plus offset: Int) -> IRValue {
    let high = ir.real(ir.type(parts[0]), Double(255 - offset))
    let numbers = parts.map { part in
      rounded(
        ir.select(ir.fcmp(LLVMRealOGT, part, high), high, part), ir.target.roundingConversion(lanes: 16) ?? "")
    }
    let half = ir.vector(ir.i16, 32)
    let pairs = stride(from: 0, to: numbers.count, by: 2).map { index -> IRValue in
      let pair = ir.intrinsic("llvm.x86.avx512.packssdw.512", [], [numbers[index], numbers[index + 1]])
      return offset == 0 ? pair : ir.intrinsic("llvm.sadd.sat", [half], [pair, ir.int(half, Int64(offset))])
    }
    // Each group of 128 bits holds four numbers of each vector.
    let mixed = ir.bitcast(
      ir.intrinsic("llvm.x86.avx512.packuswb.512", [], [pairs[0], pairs[pairs.count - 1]]), ir.vector(ir.i32, 16))
    let count = 4 * parts.count
    let sorted = ir.shuffle(mixed, mixed, (0..<count).map { ($0 % 4) * 4 + $0 / 4 })
    return ir.bitcast(sorted, ir.vector(ir.i8, 4 * count))
  }
}
