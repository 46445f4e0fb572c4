internal import CLLVM
import SinterCore
import SinterKernelIR

extension KernelEmitter {
  /// c + Σ over j of a[d·l + j] · b[d·l + j]; see `Statement.dot`.
  func dot(_ a: IRValue, _ b: IRValue, _ c: IRValue) -> IRValue {
    ir.like(c, ir.f32) == ir.type(c) ? pairDot(a, b, c) : byteDot(a, b, c)
  }

  /// Pairs of bf16, d = 2.
  ///
  /// One instruction where the processor has it. Elsewhere a bf16 becomes f32 where its bits are the upper ones of a word, and products are exact,
  /// so that it makes no difference whether they are rounded before they are added.
  private func pairDot(_ a: IRValue, _ b: IRValue, _ c: IRValue) -> IRValue {
    let lanes = ir.lanes(c)
    if ir.target.pairDotLanes.contains(lanes) {
      let pairs = ir.vector(ir.bf16, 2 * lanes)
      return ir.intrinsic(
        "llvm.x86.avx512bf16.dpbf16ps.\(32 * lanes)", [], [c, ir.bitcast(a, pairs), ir.bitcast(b, pairs)])
    }
    let words = ir.like(c, ir.i32)
    let (x, y) = (ir.bitcast(a, words), ir.bitcast(b, words))
    func float(_ word: IRValue) -> IRValue { ir.bitcast(word, ir.type(c)) }
    func odd(_ word: IRValue) -> IRValue { float(ir.and(word, 0xffff_0000)) }
    func even(_ word: IRValue) -> IRValue { float(ir.shl(word, 16)) }
    func added(_ a: IRValue, _ b: IRValue, _ c: IRValue) -> IRValue {
      ir.intrinsic(ir.target.hasMultiplyAdd ? "llvm.fma" : "llvm.fmuladd", [ir.type(c)], [a, b, c])
    }
    return added(even(x), even(y), added(odd(x), odd(y), c))
  }

  /// Four bytes, unsigned ones times signed ones.
  ///
  /// One instruction where the processor has it. Elsewhere the bytes at even and at odd places become 16-bit numbers, whose products
  /// another instruction adds in pairs, exactly: no sum of two leaves 32 bits.
  private func byteDot(_ a: IRValue, _ b: IRValue, _ c: IRValue) -> IRValue {
    let lanes = ir.lanes(c)
    if ir.target.byteDotLanes.contains(lanes) {
      let words = ir.type(c)
      return ir.intrinsic(
        "llvm.x86.avx512.vpdpbusd.\(32 * lanes)", [], [c, ir.bitcast(a, words), ir.bitcast(b, words)])
    }
    let halves = ir.vector(ir.i16, 2 * lanes)
    let (x, y) = (ir.bitcast(a, halves), ir.bitcast(b, halves))
    let even = pairSums(ir.and(x, 0xFF), ir.ashr(ir.shl(y, 8), 8), like: c)
    let odd = pairSums(ir.lshr(x, 8), ir.ashr(y, 8), like: c)
    return ir.add(ir.add(c, even), odd)
  }

  /// a[2l] · b[2l] + a[2l + 1] · b[2l + 1] of 16-bit numbers in each 32-bit lane l.
  private func pairSums(_ a: IRValue, _ b: IRValue, like c: IRValue) -> IRValue {
    if let name = ir.target.pairSums(lanes: ir.lanes(c)) { return ir.intrinsic(name, [], [a, b]) }
    let words = ir.type(c)
    let (x, y) = (ir.bitcast(a, words), ir.bitcast(b, words))
    func low(_ value: IRValue) -> IRValue { ir.ashr(ir.shl(value, 16), 16) }
    return ir.add(ir.mul(low(x), low(y)), ir.mul(ir.ashr(x, 16), ir.ashr(y, 16)))
  }
}
