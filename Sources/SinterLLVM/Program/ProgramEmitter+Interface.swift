import SinterCore
import SinterKernelIR

/// The ports as callers see them: what sequences, optionals and maps are made of.
extension ProgramEmitter {
  /// A SinterInterface; null where each port is one tensor.
  var interface: IRValue {
    guard program.hasStructures else { return ir.zero(ir.pointer) }
    let (inputs, outputs) = (program.callerInputs, program.callerOutputs)
    let fields = [
      count(inputs.count), count(outputs.count),
      table(types.port, inputs.map { port($0, of: program.inputs) }),
      table(types.port, outputs.map { port($0, of: program.outputs) }),
      table(types.parts, inputs.map { parts($0) }), table(types.parts, outputs.map { parts($0) }),
    ]
    return define(types.interface, structure(fields, types.interface), name: "interface")
  }

  private func parts(_ port: CallerPort) -> IRValue {
    let kind: Int64 =
      switch port.structure?.present {
      case .tensor?, .optional?, nil: 0
      case .list?: 1
      case .ragged?: 2
      case .map?: 3
      case .maps?: 4
      }
    return structure(
      [kind, port.structure?.isOptional == true ? 1 : 0, Int64(port.positions.lowerBound), Int64(port.positions.count)]
        .map { ir.int(ir.i32, $0) }, types.parts)
  }

  private func port(_ port: CallerPort, of tensors: [KernelProgram.Port]) -> IRValue {
    let isOptional = port.structure?.isOptional == true
    switch port.structure?.present {
    case nil: return tensorPort(port.name, tensors[port.positions.lowerBound].type, isOptional)
    case .tensor(let position)?, .optional(let position, _)?:
      return tensorPort(port.name, tensors[position].type, isOptional)
    case .list(_, of: let element)?: return sequencePort(port, element, isOptional)
    case .ragged(let elements, _, rank: _)?: return sequencePort(port, tensors[elements].type.element, isOptional)
    case .map(let keys, let values)?: return mapPort(port.name, tensors[keys], tensors[values], isOptional)
    case .maps(let keys, let values)?:
      let map = mapPort(nil, tensors[keys], tensors[values], false)
      return rawPort(port.name, kind: 2, isOptional, element: nil, sizes: [], symbols: [], elements: [map])
    }
  }

  private func tensorPort(_ name: String?, _ type: TensorType, _ isOptional: Bool) -> IRValue {
    rawPort(
      name, kind: 1, isOptional, element: type.element, sizes: type.shape.map(\.value),
      symbols: type.shape.map { $0.isConstant ? nil : $0.publicName }, elements: [])
  }

  private func sequencePort(_ port: CallerPort, _ element: ElementType, _ isOptional: Bool) -> IRValue {
    let sizes = port.structure?.elementSizes
    let symbols = [String?](repeating: nil, count: sizes?.count ?? 0)
    let inner = rawPort(nil, kind: 1, false, element: element, sizes: sizes, symbols: symbols, elements: [])
    return rawPort(
      port.name, kind: 2, isOptional, element: element, sizes: sizes, symbols: symbols, elements: [inner])
  }

  /// Keys and values have one axis each, of equal length.
  private func mapPort(
    _ name: String?, _ keys: KernelProgram.Port, _ values: KernelProgram.Port, _ isOptional: Bool
  ) -> IRValue {
    let parts = [keys.type.element, values.type.element].map { element in
      rawPort(
        nil, kind: 1, false, element: element, sizes: [keys.type.shape[0].value], symbols: [nil], elements: [])
    }
    return rawPort(name, kind: 3, isOptional, element: nil, sizes: [], symbols: [], elements: parts)
  }

  /// A SinterPort. Without sizes, not even the number of axes is known ahead of time.
  private func rawPort(
    _ name: String?, kind: Int64, _ isOptional: Bool, element: ElementType?, sizes: [Int?]?, symbols: [String?],
    elements: [IRValue]
  ) -> IRValue {
    let type = element.map { dataType($0) } ?? ir.zero(types.dataType)
    return structure(
      [
        name.map { string($0) } ?? ir.zero(ir.pointer), ir.int(ir.i32, kind), ir.int(ir.i32, isOptional ? 1 : 0), type,
        ir.int(ir.i32, Int64(sizes?.count ?? -1)), table(ir.i64, (sizes ?? []).map { ir.int(ir.i64, Int64($0 ?? -1)) }),
        table(ir.pointer, symbols.map { $0.map { string($0) } ?? ir.zero(ir.pointer) }), table(types.port, elements),
      ], types.port)
  }
}
