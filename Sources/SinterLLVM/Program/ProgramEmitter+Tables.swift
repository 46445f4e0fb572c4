internal import CLLVM
import SinterCore
import SinterKernelIR

extension ProgramEmitter {
  func emitTables(plan: IRValue, run: IRValue) {
    let features = ir.target.requiredFeatures.map { string($0) } + [ir.zero(ir.pointer)]
    let isPlanned = program.arenaBytes != nil && program.buffers.elements.allSatisfy { $0.isPlanned }
    let fields: [IRValue] = [
      ir.int(ir.i32, 1), string(program.name), string("sinter \(SinterVersion.current)"), string(place.target),
      table(ir.pointer, features),
      count(program.inputs.count), count(program.outputs.count),
      table(types.port, program.inputs.map { port($0) }), table(types.port, program.outputs.map { port($0) }),
      table(ir.pointer, program.inputs.map { inputDimensions($0) }),
      table(ir.pointer, layout.outputSlots.map { slots in table(ir.i32, slots.map { ir.int(ir.i32, Int64($0)) }) }),
      count(layout.symbols.count), table(types.symbol, layout.symbols.map { symbol($0) }), count(layout.slots.count),
      count(program.buffers.count),
      table(types.buffer, program.buffers.indices.map { buffer($0, isPlanned: isPlanned) }),
      count(isPlanned ? program.arenaBytes ?? 0 : -1),
      place.weightsBeside || place.weightBytes == 0 ? ir.zero(ir.pointer) : hiddenGlobal(Self.weightsSymbol),
      count(place.weightBytes),
      table(ir.pointer, layout.errors.map { string($0) }), count(layout.errors.count),
      plan, run, place.isLast ? ir.zero(ir.pointer) : hiddenGlobal(Self.programSymbol(place.variant + 1)),
      table(types.obligation, layout.obligations.map { obligation($0) }), count(layout.obligations.count),
      interface,
      count(layout.texts?.count ?? 0), count(layout.texts?.boundsOffset ?? 0), count(layout.texts?.bytesOffset ?? 0),
      count(program.states.count), table(types.state, program.states.indices.map { state($0) }),
      ir.int(ir.i64, Int64(bitPattern: place.weightHash)), ir.int(ir.i32, program.flushesSubnormals ? 1 : 0),
    ]
    let definition = define(types.program, structure(fields, types.program), name: Self.programSymbol(place.variant))
    LLVMSetLinkage(definition, LLVMExternalLinkage)
    LLVMSetVisibility(definition, LLVMHiddenVisibility)
  }

  private func obligation(_ item: (relation: Obligation.Relation, left: Int, right: Int, error: Int)) -> IRValue {
    structure(
      [item.relation.number, item.left, item.right, item.error].map { ir.int(ir.i32, Int64($0)) }, types.obligation)
  }

  private func state(_ number: Int) -> IRValue {
    let state = program.states[number]
    return structure(
      [
        ir.int(ir.i32, Int64(state.input)), ir.int(ir.i32, Int64(state.output ?? -1)),
        ir.int(ir.i32, program.statesInPlace.contains(number) ? 1 : 0),
        ir.int(ir.i64, Int64(layout.initialStates[number] ?? -1)),
      ], types.state)
  }

  func count(_ value: Int) -> IRValue { ir.int(ir.i64, Int64(value)) }

  /// Something that another object of the library defines.
  private func hiddenGlobal(_ name: String) -> IRValue {
    let global = LLVMAddGlobal(ir.module, ir.i8, name)!
    LLVMSetVisibility(global, LLVMHiddenVisibility)
    return global
  }

  // MARK: Ports

  private func port(_ port: KernelProgram.Port) -> IRValue {
    let shape = port.type.shape
    return structure(
      [
        string(port.name), ir.int(ir.i32, 1), ir.int(ir.i32, 0), dataType(port.type.element),
        ir.int(ir.i32, Int64(shape.count)), table(ir.i64, shape.map { ir.int(ir.i64, Int64($0.value ?? -1)) }),
        table(ir.pointer, shape.map { $0.isConstant ? ir.zero(ir.pointer) : string($0.publicName) }),
        ir.zero(ir.pointer),
      ], types.port)
  }

  func dataType(_ element: ElementType) -> IRValue {
    structure(
      [ir.int(ir.i8, Int64(element.dlpackCode)), ir.int(ir.i8, Int64(element.bits)), ir.int(ir.i16, 1)], types.dataType)
  }

  private func inputDimensions(_ port: KernelProgram.Port) -> IRValue {
    table(
      types.dimension,
      port.type.shape.map { dim in
        let (kind, value): (Int64, Int) =
          if let value = dim.value {
            (0, value)
          } else {
            (dim.symbol == nil ? 2 : 1, layout.knownSlot(dim) ?? 0)
          }
        return structure(
          [
            ir.int(ir.i32, kind), ir.int(ir.i64, Int64(value)), dim.isConstant ? ir.zero(ir.pointer) : string("\(dim)"),
          ],
          types.dimension)
      })
  }

  private func symbol(_ symbol: Symbol) -> IRValue {
    let range = program.ranges[symbol] ?? 0...Int.max
    let most = range.upperBound == Int.max ? -1 : range.upperBound
    return structure(
      [string(symbol.name), ir.int(ir.i64, Int64(range.lowerBound)), ir.int(ir.i64, Int64(most))], types.symbol)
  }

  // MARK: Buffers

  private func buffer(_ id: BufferID, isPlanned: Bool) -> IRValue {
    let buffer = program.buffers[id]
    let place = layout.buffers[id.position]
    let (kind, port, offset): (Int64, Int, Int) =
      switch buffer.storage {
      case .input(let port): (0, port, 0)
      case .output(let port): (1, port, 0)
      case .constant: (2, -1, place.weightOffset)
      case .arena: (3, -1, isPlanned ? buffer.offset ?? -1 : -1)
      case .dynamic: (4, -1, 0)
      }
    return structure(
      [
        ir.int(ir.i32, kind), ir.int(ir.i32, Int64(port)), ir.int(ir.i32, Int64(place.first)),
        ir.int(ir.i32, Int64(place.last)), ir.int(ir.i64, Int64(offset)), ir.int(ir.i32, Int64(place.bytesSlot)),
      ], types.buffer)
  }

  // MARK: Constants

  func structure(_ fields: [IRValue], _ type: IRType) -> IRValue {
    var fields: [IRValue?] = fields
    return LLVMConstNamedStruct(type, &fields, UInt32(fields.count))
  }

  /// The address of an array of constants; null where there are none.
  func table(_ element: IRType, _ elements: [IRValue]) -> IRValue {
    if elements.isEmpty { return ir.zero(ir.pointer) }
    var elements: [IRValue?] = elements
    let array = LLVMConstArray2(element, &elements, UInt64(elements.count))!
    return define(ir.array(element, elements.count), array, name: "table")
  }

  func string(_ text: String) -> IRValue {
    let bytes = Array(text.utf8).map { CChar(bitPattern: $0) }
    let value = LLVMConstStringInContext2(ir.context, bytes, bytes.count, 0)!
    let global = define(LLVMTypeOf(value), value, name: "text")
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr)
    LLVMSetAlignment(global, 1)
    return global
  }

  func define(_ type: IRType, _ value: IRValue, name: String) -> IRValue {
    let global = LLVMAddGlobal(ir.module, type, name)!
    LLVMSetInitializer(global, value)
    LLVMSetGlobalConstant(global, 1)
    LLVMSetLinkage(global, LLVMPrivateLinkage)
    return global
  }
}

extension Obligation.Relation {
  /// As sinter_runtime.h counts them.
  var number: Int {
    switch self {
    case .equal: 0
    case .equalOrOne: 1
    case .broadcastable: 2
    case .divisible: 3
    case .atLeast: 4
    }
  }
}

extension Dim {
  /// As hosts see it: without the mark of sizes that data determine.
  var publicName: String { description.filter { $0 != "$" } }
}

extension KernelProgram.Buffer {
  /// Whether its place is known ahead of time.
  fileprivate var isPlanned: Bool {
    switch storage {
    case .arena: offset != nil
    case .input, .output, .constant, .dynamic: true
    }
  }
}
