import SinterCore
internal import SinterABI

/// What a run allocated for one output; given back when the last tensor that lies in it is gone.
final class OutputMemory {
  private var output: SinterValue
  /// `release` is code of the library.
  private let library: CompiledLibrary

  init(_ output: SinterValue, _ library: CompiledLibrary) {
    self.output = output
    self.library = library
  }

  deinit { output.release?(&output) }

  var value: HostValue { value(output) }

  private func value(_ source: SinterValue) -> HostValue {
    let elements = UnsafeBufferPointer(start: source.elements, count: source.count)
    switch SinterKind(UInt32(bitPattern: source.kind)) {
    case SINTER_TENSOR: return .tensor(tensor(source.tensor))
    case SINTER_SEQUENCE: return .sequence(elements.map { value($0) })
    case SINTER_MAP where elements.count == 2:
      return .map(keys: tensor(elements[0].tensor), values: tensor(elements[1].tensor))
    default: return .none
    }
  }

  private func tensor(_ source: SinterTensor) -> HostTensor {
    let shape = UnsafeBufferPointer(start: source.shape, count: Int(source.ndim)).map { Int($0) }
    let count = shape.reduce(1, *)
    guard let data = source.data.map({ UnsafeRawPointer($0) + Int(source.byte_offset) }) else {
      return HostTensor(ElementType(source.dtype) ?? .u8, shape, bytes: TensorBytes(count: 0) { _ in })
    }
    guard let element = ElementType(source.dtype), element != .string else {
      let table = UnsafeBufferPointer(start: data.assumingMemoryBound(to: SinterString.self), count: count)
      return HostTensor(strings: table.map(Self.text), shape: shape)
    }
    return HostTensor(element, shape, bytes: TensorBytes(at: data, count: element.byteCount(count), owner: self))
  }

  private static func text(_ string: SinterString) -> String {
    String(decoding: UnsafeRawBufferPointer(start: string.bytes, count: Int(string.length)), as: UTF8.self)
  }
}
