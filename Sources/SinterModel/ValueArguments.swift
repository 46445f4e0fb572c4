import SinterCore
internal import SinterABI

/// Host values as the C interface takes them. The memory is valid as long as this object.
final class ValueArguments {
  let values: UnsafeMutablePointer<SinterValue>
  /// Keeps the tensors' bytes alive.
  private let sources: [HostValue]
  private var allocations: [UnsafeMutableRawPointer] = []

  init(_ sources: [HostValue]) {
    self.sources = sources
    values = .allocate(capacity: max(sources.count, 1))
    values.initialize(repeating: SinterValue(), count: max(sources.count, 1))
    for (index, source) in sources.enumerated() { values[index] = value(source) }
  }

  deinit {
    for allocation in allocations { allocation.deallocate() }
    values.deallocate()
  }

  private func allocate<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
    let memory = UnsafeMutablePointer<T>.allocate(capacity: max(count, 1))
    allocations.append(UnsafeMutableRawPointer(memory))
    return memory
  }

  private func value(_ source: HostValue) -> SinterValue {
    var result = SinterValue()
    switch source {
    case .none:
      result.kind = Int32(SINTER_NONE.rawValue)
    case .tensor(let source):
      result.kind = Int32(SINTER_TENSOR.rawValue)
      result.tensor = tensor(source)
    case .sequence(let elements):
      result.kind = Int32(SINTER_SEQUENCE.rawValue)
      set(&result, elements)
    case .map(let keys, let values):
      result.kind = Int32(SINTER_MAP.rawValue)
      set(&result, [.tensor(keys), .tensor(values)])
    }
    return result
  }

  private func set(_ result: inout SinterValue, _ elements: [HostValue]) {
    let memory = allocate(SinterValue.self, elements.count)
    for (index, element) in elements.enumerated() { (memory + index).initialize(to: value(element)) }
    result.elements = memory
    result.count = elements.count
  }

  private func tensor(_ source: HostTensor) -> SinterTensor {
    let shape = allocate(Int64.self, source.rank)
    for (axis, size) in source.shape.enumerated() { shape[axis] = Int64(size) }
    var result = SinterTensor()
    result.data = source.element == .string ? strings(source.strings) : address(source.bytes)
    result.device = SinterDevice(device_type: 1, device_id: 0)
    result.ndim = Int32(source.rank)
    result.dtype = source.element.dataType
    result.shape = shape
    return result
  }

  /// The bytes do not move, and `sources` keeps them.
  private func address(_ bytes: TensorBytes) -> UnsafeMutableRawPointer? {
    bytes.withBytes { UnsafeMutableRawPointer(mutating: $0.baseAddress) }
  }

  private func strings(_ texts: [String]) -> UnsafeMutableRawPointer {
    let table = allocate(SinterString.self, texts.count)
    for (index, text) in texts.enumerated() {
      let bytes = allocate(CChar.self, text.utf8.count)
      for (offset, byte) in text.utf8.enumerated() { bytes[offset] = CChar(bitPattern: byte) }
      table[index] = SinterString(bytes: bytes, length: UInt64(text.utf8.count))
    }
    return UnsafeMutableRawPointer(table)
  }
}
