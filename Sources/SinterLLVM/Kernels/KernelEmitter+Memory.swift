internal import CLLVM
import SinterCore
import SinterKernelIR

extension KernelEmitter {
  func element(of memory: Memory) -> ElementType {
    switch memory {
    case .parameter(let index): kernel.parameters[index].element
    case .local(let index): kernel.locals[index].element
    }
  }

  func base(of memory: Memory) -> IRValue {
    switch memory {
    case .parameter(let index): parameters[index]
    case .local(let index): locals[index]
    }
  }

  private func alignment(_ element: ElementType) -> Int { max(1, element.bits / 8) }

  /// What memory holds, as registers have it: bytes become truth values.
  private func fromMemory(_ value: IRValue, _ element: ElementType) -> IRValue {
    element == .bool ? ir.icmp(LLVMIntNE, value, 0) : value
  }

  private func toMemory(_ value: IRValue, _ element: ElementType) -> IRValue {
    element == .bool ? ir.zext(value, ir.like(value, ir.i8)) : value
  }

  // MARK: Side by side

  func load(_ memory: Memory, at: Register, mask: IRValue?, lanes: Int) throws -> IRValue {
    let element = element(of: memory)
    if element.bits < 8 { return try packedLoad(memory, at: at, mask: mask, lanes: lanes) }
    let type = ir.vector(memoryType(element), lanes)
    let address = ir.address(memoryType(element), base(of: memory), try self[at])
    guard let mask else { return fromMemory(ir.load(type, address, alignment: alignment(element)), element) }
    let value: IRValue
    if lanes == 1 {
      value = when(mask, otherwise: ir.zero(type)) { ir.load(type, address, alignment: alignment(element)) }
    } else {
      value = ir.intrinsic(
        "llvm.masked.load", [type, ir.pointer],
        [address, ir.int(ir.i32, Int64(alignment(element))), mask, ir.zero(type)])
    }
    return fromMemory(value, element)
  }

  func store(_ value: IRValue, _ memory: Memory, at: Register, mask: IRValue?) throws {
    let element = element(of: memory)
    if element.bits < 8 { return try packedStore(value, memory, at: at, mask: mask) }
    let value = toMemory(value, element)
    let address = ir.address(memoryType(element), base(of: memory), try self[at])
    guard let mask else { return ir.store(value, address, alignment: alignment(element)) }
    if ir.lanes(value) == 1 {
      when(mask) { ir.store(value, address, alignment: alignment(element)) }
    } else {
      ir.intrinsic(
        "llvm.masked.store", [ir.type(value), ir.pointer],
        [value, address, ir.int(ir.i32, Int64(alignment(element))), mask])
    }
  }

  // MARK: Anywhere

  func gather(_ memory: Memory, at index: IRValue, mask: IRValue?) throws -> IRValue {
    let element = element(of: memory)
    let lanes = ir.lanes(index)
    if element.bits < 8 {
      return ir.gathered(
        (0..<lanes).map { lane in
          packedLoad(memory, at: ir.extract(index, lane), mask: mask.map { ir.extract($0, lane) })
        })
    }
    let type = ir.vector(memoryType(element), lanes)
    let addresses = ir.address(memoryType(element), base(of: memory), index)
    if lanes == 1 || (mask == nil && element.bits < 32) {
      // The processor gathers words only.
      let scalars = (0..<lanes).map { lane -> IRValue in
        let address = ir.extract(addresses, lane)
        let scalar = memoryType(element)
        guard let mask else { return ir.load(scalar, address, alignment: alignment(element)) }
        return when(ir.extract(mask, lane), otherwise: ir.zero(scalar)) {
          ir.load(scalar, address, alignment: alignment(element))
        }
      }
      return fromMemory(ir.gathered(scalars), element)
    }
    let all = ir.int(ir.vector(ir.i1, lanes), 1)
    let value = ir.intrinsic(
      "llvm.masked.gather", [type, ir.vector(ir.pointer, lanes)],
      [addresses, ir.int(ir.i32, Int64(alignment(element))), mask ?? all, ir.zero(type)])
    return fromMemory(value, element)
  }

  func scatter(_ value: IRValue, _ memory: Memory, at index: IRValue, mask: IRValue?) throws {
    let element = element(of: memory)
    let lanes = ir.lanes(index)
    if element.bits < 8 {
      for lane in 0..<lanes {
        packedStore(
          ir.extract(value, lane), memory, at: ir.extract(index, lane), mask: mask.map { ir.extract($0, lane) })
      }
      return
    }
    let value = toMemory(value, element)
    let addresses = ir.address(memoryType(element), base(of: memory), index)
    if lanes == 1 {
      let write = { [ir] in ir.store(value, addresses, alignment: self.alignment(element)) }
      if let mask { when(mask, write) } else { write() }
      return
    }
    ir.intrinsic(
      "llvm.masked.scatter", [ir.type(value), ir.vector(ir.pointer, lanes)],
      [value, addresses, ir.int(ir.i32, Int64(alignment(element))), mask ?? ir.int(ir.vector(ir.i1, lanes), 1)])
  }

  func prefetch(_ memory: Memory, at index: IRValue) throws {
    let element = element(of: memory)
    let place = element.bits < 8 ? ir.lshr(index, element.bits == 4 ? 1 : 2) : index
    prefetch(ir.address(memoryType(element), base(of: memory), place))
  }

  func prefetch(_ address: IRValue) {
    // To be read, kept in the second-level cache, data.
    ir.intrinsic("llvm.prefetch", [ir.pointer], [address, ir.int(ir.i32, 0), ir.int(ir.i32, 2), ir.int(ir.i32, 1)])
  }
}
