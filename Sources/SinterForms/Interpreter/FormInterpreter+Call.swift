import SinterCore

extension FormInterpreter {
  func call(
    _ form: CallForm, _ element: ElementType, _ shape: [Int], _ memory: FormMemory
  ) throws -> FormMemory.Stored {
    let operands = try form.operands.map { try memory.value($0) }
    let codec = element == .string ? .i64 : element
    let bytes = try TensorBytes(limited: codec.byteCount(shape.reduce(1, *))) { out in
      try withExtendedLifetime(operands) {
        let arguments = RuntimeArguments(
          result: out.baseAddress, resultCount: shape.reduce(1, *), operands: operands.map { ($0.base, $0.count) },
          parameters: form.parameters)
        try arguments.run(form.function, &memory.texts) { memory.error($0, value: $1, bound: 0) }
      }
    }
    return FormMemory.Stored(element: element, shape: shape, bytes: bytes)
  }
}
