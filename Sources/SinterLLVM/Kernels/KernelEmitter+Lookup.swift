internal import CLLVM
import SinterKernelIR

extension KernelEmitter {
  /// For each byte the element of that number of 256 bytes in memory; see `Statement.lookup`.
  ///
  /// Processors permute bytes of a register by the bytes of another; a table takes several registers, of each of which a byte picks one by its upper
  /// bits. Where none has enough of that, bytes are loaded one at a time.
  func lookup(_ bytes: IRValue, in table: Memory) throws -> IRValue {
    let lanes = ir.lanes(bytes)
    let base = base(of: table)
    if lanes == 1 { return ir.load(ir.i8, ir.address(ir.i8, base, ir.zext(bytes, ir.i64)), alignment: 1) }
    switch ir.target.bytePermutation(lanes: lanes) {
    case .pairs: return onVectors(of: 64, bytes) { pairLookup($0, base) }
    case .fours: return onVectors(of: 16, bytes) { fourLookup($0, base) }
    case .ones(let width, let instruction):
      return onVectors(of: width, bytes) { singleLookup($0, base, width, instruction) }
    case nil: return try gather(table, at: ir.zext(bytes, ir.vector(ir.i64, lanes)), mask: nil)
    }
  }

  /// Work on a vector of `width` bytes, on as many of them as hold all lanes.
  private func onVectors(of width: Int, _ bytes: IRValue, _ work: (IRValue) -> IRValue) -> IRValue {
    let lanes = ir.lanes(bytes)
    if lanes == width { return work(bytes) }
    if lanes < width {
      let wide = work(ir.shuffle(bytes, bytes, (0..<width).map { $0 % lanes }))
      return ir.shuffle(wide, wide, Array(0..<lanes))
    }
    let half = lanes / 2
    let (low, high) = (Array(0..<half), Array(half..<lanes))
    let first = onVectors(of: width, ir.shuffle(bytes, bytes, low), work)
    let second = onVectors(of: width, ir.shuffle(bytes, bytes, high), work)
    return ir.shuffle(first, second, Array(0..<lanes))
  }

  private func part(_ base: IRValue, _ number: Int, of width: Int) -> IRValue {
    ir.load(ir.vector(ir.i8, width), ir.address(ir.i8, base, ir.index(number * width)), alignment: 1)
  }

  /// By an instruction that takes the lower seven bits as a place in two registers of 64 bytes.
  private func pairLookup(_ bytes: IRValue, _ base: IRValue) -> IRValue {
    func half(_ first: Int) -> IRValue {
      ir.intrinsic(
        "llvm.x86.avx512.vpermi2var.qi.512", [], [part(base, first, of: 64), bytes, part(base, first + 1, of: 64)])
    }
    return ir.select(ir.icmp(LLVMIntSLT, bytes, 0), half(2), half(0))
  }

  /// By instructions that take a byte below 64 as a place in four registers of 16 bytes; of the others one gives zero, one what there was.
  private func fourLookup(_ bytes: IRValue, _ base: IRValue) -> IRValue {
    var result: IRValue?
    for quarter in 0..<4 {
      let parts = (4 * quarter..<4 * quarter + 4).map { part(base, $0, of: 16) }
      let places = quarter == 0 ? bytes : ir.sub(bytes, Int64(64 * quarter))
      if let found = result {
        result = ir.intrinsic("llvm.aarch64.neon.tbx4", [ir.type(bytes)], [found] + parts + [places])
      } else {
        result = ir.intrinsic("llvm.aarch64.neon.tbl4", [ir.type(bytes)], parts + [places])
      }
    }
    return result ?? bytes
  }

  /// By an instruction that takes the lower four bits as a place in 16 bytes, and gives zero where the highest bit is set: it is, after an
  /// addition that saturates, for all bytes whose upper half is another part's number.
  private func singleLookup(_ bytes: IRValue, _ base: IRValue, _ width: Int, _ instruction: String) -> IRValue {
    let type = ir.type(bytes)
    var result: IRValue?
    for number in 0..<16 {
      let sixteen = part(base, number, of: 16)
      let all = width == 16 ? sixteen : ir.shuffle(sixteen, sixteen, (0..<width).map { $0 % 16 })
      let places = ir.intrinsic(
        "llvm.uadd.sat", [type], [ir.xor(bytes, ir.int(type, Int64(number << 4))), ir.int(type, 0x70)])
      let found = ir.intrinsic(instruction, [], [all, places])
      result = result.map { ir.or($0, found) } ?? found
    }
    return result ?? bytes
  }
}
