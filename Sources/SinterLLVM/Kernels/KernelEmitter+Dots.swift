internal import CLLVM
import SinterCore
import SinterKernelIR

extension KernelEmitter {
  /// c + Σ over j of a[d·l + j] · b[d·l + j]; see `Statement.dot`.
  func dot(_ a: IRValue, _ b: IRValue, _ c: IRValue, isSigned: Bool) -> IRValue {
    if ir.like(c, ir.f32) == ir.type(c) { return pairDot(a, b, c) }
    if ir.vector(ir.i16, 2 * ir.lanes(c)) == ir.type(a) { return ir.add(c, pairSums(a, b, like: c)) }
    return byteDot(a, b, c, isSigned: isSigned)
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
    let (x, y) = (halves(a, like: c), halves(b, like: c))
    return addingProduct(x.even, y.even, to: addingProduct(x.odd, y.odd, to: c))
  }

  /// The products of bf16 at even places added to one vector of sums, and those at odd places to another.
  func pairProducts(_ a: IRValue, _ b: IRValue, to sums: (even: IRValue, odd: IRValue)) -> [IRValue] {
    let (x, y) = (halves(a, like: sums.even), halves(b, like: sums.odd))
    return [addingProduct(x.even, y.even, to: sums.even), addingProduct(x.odd, y.odd, to: sums.odd)]
  }

  private func addingProduct(_ a: IRValue, _ b: IRValue, to c: IRValue) -> IRValue {
    ir.intrinsic(ir.target.hasMultiplyAdd ? "llvm.fma" : "llvm.fmuladd", [ir.type(c)], [a, b, c])
  }

  /// The bf16 at even and at odd places as f32.
  private func halves(_ a: IRValue, like c: IRValue) -> (even: IRValue, odd: IRValue) {
    let words = ir.bitcast(a, ir.like(c, ir.i32))
    return (ir.bitcast(ir.shl(words, 16), ir.type(c)), ir.bitcast(ir.and(words, 0xffff_0000), ir.type(c)))
  }

  /// Four bytes: unsigned ones, or signed ones, times signed ones.
  ///
  /// One instruction where the processor has it. Elsewhere the bytes at even and at odd places become 16-bit numbers, whose products
  /// another instruction adds in pairs, exactly: no sum of two leaves 32 bits.
  private func byteDot(_ a: IRValue, _ b: IRValue, _ c: IRValue, isSigned: Bool) -> IRValue {
    if let result = dotInstruction(a, b, c, isSigned: isSigned) { return result }
    let lanes = ir.lanes(c)
    if ir.target.architecture == .riscv64 { return scalarDot(a, b, c, isSigned: isSigned) }
    let halves = ir.vector(ir.i16, 2 * lanes)
    let (x, y) = (ir.bitcast(a, halves), ir.bitcast(b, halves))
    func low(_ value: IRValue) -> IRValue { ir.ashr(ir.shl(value, 8), 8) }
    let (even, odd) = isSigned ? (low(x), ir.ashr(x, 8)) : (ir.and(x, 0xFF), ir.lshr(x, 8))
    if ir.target.architecture == .aarch64 {
      return addingNeighbours(ir.mul(odd, ir.ashr(y, 8)), to: addingNeighbours(ir.mul(even, low(y)), to: c))
    }
    return ir.add(ir.add(c, pairSums(even, low(y), like: c)), pairSums(odd, ir.ashr(y, 8), like: c))
  }

  private func dotInstruction(_ a: IRValue, _ b: IRValue, _ c: IRValue, isSigned: Bool) -> IRValue? {
    let (target, lanes, words) = (ir.target, ir.lanes(c), ir.type(c))
    func arm(_ name: String, _ a: IRValue, _ c: IRValue) -> IRValue {
      ir.intrinsic("llvm.aarch64.neon.\(name)", [words, ir.type(a)], [c, a, b])
    }
    if isSigned { return target.signedByteDotLanes.contains(lanes) ? arm("sdot", a, c) : nil }
    if target.byteDotLanes.contains(lanes) {
      return target.architecture == .aarch64
        ? arm("usdot", a, c)
        : ir.intrinsic(
          "llvm.x86.avx512.vpdpbusd.\(32 * lanes)", [], [c, ir.bitcast(a, words), ir.bitcast(b, words)])
    }
    guard target.signedByteDotLanes.contains(lanes) else { return nil }
    // Signed bytes that are 128 less, and what that leaves out, which is one value for all rows of a tile.
    let flip = ir.int(ir.type(a), 128)
    return arm("sdot", ir.xor(a, flip), ir.sub(c, arm("sdot", flip, ir.zero(words))))
  }

  /// a[2l] · b[2l] + a[2l + 1] · b[2l + 1] of 16-bit numbers in each 32-bit lane l.
  private func pairSums(_ a: IRValue, _ b: IRValue, like c: IRValue) -> IRValue {
    if let name = ir.target.pairSums(lanes: ir.lanes(c)) { return ir.intrinsic(name, [], [a, b]) }
    let words = ir.type(c)
    let (x, y) = (ir.bitcast(a, words), ir.bitcast(b, words))
    func low(_ value: IRValue) -> IRValue { ir.ashr(ir.shl(value, 16), 16) }
    return ir.add(ir.mul(low(x), low(y)), ir.mul(ir.ashr(x, 16), ir.ashr(y, 16)))
  }

  /// Neighbours of 16 bits, which are products of two bytes and so exact, added to lanes of 32: one instruction on AArch64 for whole vectors.
  private func addingNeighbours(_ products: IRValue, to c: IRValue) -> IRValue {
    let words = ir.type(c)
    if ir.lanes(c) == 4 || ir.lanes(c) == 2 {
      return ir.add(c, ir.intrinsic("llvm.aarch64.neon.saddlp", [words, ir.type(products)], [products]))
    }
    let pairs = ir.bitcast(products, words)
    return ir.add(ir.add(c, ir.ashr(ir.shl(pairs, 16), 16)), ir.ashr(pairs, 16))
  }

  /// Byte by byte, for processors without vectors.
  private func scalarDot(_ a: IRValue, _ b: IRValue, _ c: IRValue, isSigned: Bool) -> IRValue {
    let sums = (0..<ir.lanes(c)).map { lane in
      (4 * lane..<4 * lane + 4).reduce(ir.extract(c, lane)) { sum, place in
        let x = ir.extract(a, place)
        return ir.add(
          sum, ir.mul(isSigned ? ir.sext(x, ir.i32) : ir.zext(x, ir.i32), ir.sext(ir.extract(b, place), ir.i32)))
      }
    }
    return ir.gathered(sums)
  }
}
