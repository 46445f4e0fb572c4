internal import CLLVM
import SinterCore
import SinterKernelIR

/// Elements of 2 and 4 bits, the first in the low bits of its byte.
///
/// Vectors that are known to begin at a byte are read and written as bytes; others element by element. Writing one
/// element reads its byte, so that a schedule must give whole bytes to each task.
extension KernelEmitter {
  // MARK: Vectors

  func packedLoad(_ memory: Memory, at: Register, mask: IRValue?, lanes: Int) throws -> IRValue {
    let element = element(of: memory)
    let perByte = 8 / element.bits
    let index = try self[at]
    if mask == nil, lanes > 1, lanes % perByte == 0, multiples[at] % perByte == 0 {
      let address = ir.address(ir.i8, base(of: memory), byteIndex(index, perByte))
      let bytes = ir.load(ir.vector(ir.i8, lanes / perByte), address, alignment: 1)
      return unpacked(bytes, element)
    }
    return ir.gathered(
      (0..<lanes).map { lane in
        packedLoad(memory, at: ir.add(index, Int64(lane)), mask: mask.map { ir.extract($0, lane) })
      })
  }

  func packedStore(_ value: IRValue, _ memory: Memory, at: Register, mask: IRValue?) throws {
    let element = element(of: memory)
    let perByte = 8 / element.bits
    let lanes = ir.lanes(value)
    let index = try self[at]
    if mask == nil, lanes > 1, lanes % perByte == 0, multiples[at] % perByte == 0 {
      let address = ir.address(ir.i8, base(of: memory), byteIndex(index, perByte))
      return ir.store(packed(value, element), address, alignment: 1)
    }
    for lane in 0..<lanes {
      packedStore(
        ir.extract(value, lane), memory, at: ir.add(index, Int64(lane)), mask: mask.map { ir.extract($0, lane) })
    }
  }

  private func byteIndex(_ index: IRValue, _ perByte: Int) -> IRValue { ir.lshr(index, perByte == 2 ? 1 : 2) }

  private func unpacked(_ bytes: IRValue, _ element: ElementType) -> IRValue {
    let perByte = 8 / element.bits
    let count = ir.lanes(bytes)
    let parts = (0..<perByte).map { part in ir.lshr(bytes, part * element.bits) }
    // Lane n is part n % perByte of byte n / perByte.
    let joined: IRValue
    if perByte == 2 {
      joined = shuffle(parts[0], parts[1], (0..<(2 * count)).map { $0 % 2 * count + $0 / 2 })
    } else {
      let low = shuffle(parts[0], parts[1], (0..<(2 * count)).map { $0 % 2 * count + $0 / 2 })
      let high = shuffle(parts[2], parts[3], (0..<(2 * count)).map { $0 % 2 * count + $0 / 2 })
      joined = shuffle(low, high, (0..<(4 * count)).map { $0 / 4 * 2 + $0 % 2 + ($0 % 4 < 2 ? 0 : 2 * count) })
    }
    return extended(joined, element)
  }

  private func packed(_ value: IRValue, _ element: ElementType) -> IRValue {
    let perByte = 8 / element.bits
    let count = ir.lanes(value) / perByte
    let low = ir.and(value, Int64((1 << element.bits) - 1))
    let parts = (0..<perByte).map { part in
      ir.shl(shuffle(low, low, (0..<count).map { $0 * perByte + part }), part * element.bits)
    }
    return parts.dropFirst().reduce(parts[0]) { ir.or($0, $1) }
  }

  /// The low bits of each byte as registers hold them; floats stay bits.
  private func extended(_ value: IRValue, _ element: ElementType) -> IRValue {
    element.kind == .signed ? wrapped(value, to: element) : ir.and(value, Int64((1 << element.bits) - 1))
  }

  // MARK: Elements

  /// Byte and shift of an element.
  private func place(_ index: IRValue, _ element: ElementType, in memory: Memory) -> (address: IRValue, shift: IRValue)
  {
    let perByte = 8 / element.bits
    let address = ir.address(ir.i8, base(of: memory), byteIndex(index, perByte))
    let within = ir.trunc(ir.and(index, Int64(perByte - 1)), ir.i8)
    return (address, ir.shl(within, element.bits == 4 ? 2 : 1))
  }

  func packedLoad(_ memory: Memory, at index: IRValue, mask: IRValue?) -> IRValue {
    let element = element(of: memory)
    let (address, shift) = place(index, element, in: memory)
    func read() -> IRValue { extended(ir.lshr(ir.load(ir.i8, address, alignment: 1), shift), element) }
    guard let mask else { return read() }
    return when(mask, otherwise: ir.zero(ir.i8), read)
  }

  func packedStore(_ value: IRValue, _ memory: Memory, at index: IRValue, mask: IRValue?) {
    let element = element(of: memory)
    let (address, shift) = place(index, element, in: memory)
    func write() {
      let ones = ir.int(ir.i8, Int64((1 << element.bits) - 1))
      let hole = ir.xor(ir.shl(ones, shift), ir.int(ir.i8, -1))
      let rest = ir.and(ir.load(ir.i8, address, alignment: 1), hole)
      ir.store(ir.or(rest, ir.shl(ir.and(value, ones), shift)), address, alignment: 1)
    }
    if let mask { when(mask, write) } else { write() }
  }
}
