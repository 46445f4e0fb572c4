extension PortStructure {
  /// The tensors that a value of the host is passed as.
  ///
  /// - Parameter types: of all inputs by position. Sizes that are no numbers stand for any.
  /// - Throws: `DiagnosticError` where the value does not fit.
  package func tensors(of value: HostValue, _ types: [TensorType]) throws(DiagnosticError) -> [HostTensor] {
    try parts(self.value, value, types)
  }

  private func fail(_ expected: String, _ given: HostValue) -> DiagnosticError {
    DiagnosticError(.user, "value.kind", "'\(name)' is \(given.kindName), expected \(expected)")
  }

  private func parts(
    _ structure: Structured<Int>, _ value: HostValue, _ types: [TensorType]
  ) throws(DiagnosticError) -> [HostTensor] {
    switch (structure, value) {
    case (.optional(_, let inner), .none):
      let nothing = inner.leaves.map { position in
        let shape = types[position].shape.map { $0.value ?? 0 }
        return HostTensor.zeros(types[position].element, shape)
      }
      return [HostTensor(.bool, [], values: [false])] + nothing
    case (.optional(_, let inner), _):
      return [HostTensor(.bool, [], values: [true])] + (try parts(inner, value, types))
    case (.tensor, .tensor(let tensor)): return [tensor]
    case (.ragged(let elements, _, let rank), .sequence(let values)):
      var tensors: [HostTensor] = []
      for value in values {
        guard case .tensor(let tensor) = value, tensor.element == types[elements].element,
          rank == nil || tensor.rank == rank
        else {
          throw fail("a sequence of \(types[elements].element)\(rank.map { " with \($0) axes" } ?? "")", value)
        }
        tensors.append(tensor)
      }
      let columns = rank ?? tensors.map(\.rank).max() ?? 0
      let rows = tensors.flatMap { $0.shape + [Int](repeating: -1, count: columns - $0.rank) }
      return [HostTensor.joined(tensors, types[elements].element), .i64([tensors.count, columns], rows)]
    case (.map, .map(let keys, let values)): return [keys, values]
    case (.tensor, _): throw fail("a tensor", value)
    case (.ragged, _), (.list, _), (.maps, _): throw fail("a sequence", value)
    case (.map, _): throw fail("a map", value)
    }
  }

  /// The value that tensors make up, which are all outputs by position.
  package func value(of tensors: [HostTensor]) -> HostValue { Self.value(self.value.map { tensors[$0] }) }

  private static func value(_ structure: Structured<HostTensor>) -> HostValue {
    switch structure {
    case .tensor(let tensor): return .tensor(tensor)
    case .list(let tensors, of: _): return .sequence(tensors.map { .tensor($0) })
    case .optional(let present, let inner): return present.int64s == [1] ? value(inner) : .none
    case .map(let keys, let values): return .map(keys: keys, values: values)
    case .maps(let keys, let values):
      let count = values.shape[1]
      return .sequence(
        (0..<values.shape[0]).map { row in
          .map(keys: keys, values: values.slice(from: row * count, [count]))
        })
    case .ragged(let elements, let shapes, rank: _):
      let (sizes, columns) = (shapes.int64s ?? [], shapes.shape[1])
      var start = 0
      return .sequence(
        (0..<shapes.shape[0]).map { row in
          let shape = sizes[(row * columns)..<((row + 1) * columns)].map { Int($0) }.filter { $0 >= 0 }
          defer { start += shape.reduce(1, *) }
          return .tensor(elements.slice(from: start, shape))
        })
    }
  }
}

extension HostValue {
  /// What messages call it.
  package var kindName: String {
    switch self {
    case .none: "empty"
    case .tensor(let tensor): "a tensor (\(tensor.type))"
    case .sequence: "a sequence"
    case .map: "a map"
    }
  }
}

extension HostTensor {
  /// Zeros, or empty texts.
  package static func zeros(_ element: ElementType, _ shape: [Int]) -> HostTensor {
    let count = shape.reduce(1, *)
    if element == .string { return HostTensor(strings: [String](repeating: "", count: count), shape: shape) }
    return HostTensor(
      element, shape,
      bytes: TensorBytes(count: element.byteCount(count)) { memory in
        memory.initializeMemory(as: UInt8.self, repeating: 0)
      })
  }

  /// All elements of some tensors of a type of whole bytes one after another, along one axis.
  fileprivate static func joined(_ tensors: [HostTensor], _ element: ElementType) -> HostTensor {
    let count = tensors.reduce(0) { $0 + $1.count }
    if element == .string { return HostTensor(strings: tensors.flatMap(\.strings), shape: [count]) }
    return HostTensor(
      element, [count],
      bytes: TensorBytes(count: element.byteCount(count)) { memory in
        var start = 0
        for tensor in tensors {
          let size = element.byteCount(tensor.count)
          tensor.bytes.withBytes { source in
            UnsafeMutableRawBufferPointer(rebasing: memory[start..<(start + size)])
              .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[0..<size]))
          }
          start += size
        }
      })
  }

  /// A tensor whose elements, of whole bytes, lie here from a place on.
  fileprivate func slice(from start: Int, _ shape: [Int]) -> HostTensor {
    let count = shape.reduce(1, *)
    if element == .string { return HostTensor(strings: Array(strings[start..<(start + count)]), shape: shape) }
    let (offset, size) = (element.byteCount(start), element.byteCount(count))
    return HostTensor(
      element, shape,
      bytes: TensorBytes(count: size) { memory in
        bytes.withBytes { memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + size)])) }
      })
  }
}
