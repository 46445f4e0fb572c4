internal import COnnx

/// Memory for protobuf-c's structures while they are built, freed all at once.
final class ProtoArena {
  private var blocks: [UnsafeMutableRawPointer] = []

  deinit {
    for block in blocks { block.deallocate() }
  }

  /// A structure set up by its own `init` function of protobuf-c.
  func new<T>(_ initialize: (UnsafeMutablePointer<T>?) -> Void) -> UnsafeMutablePointer<T> {
    let pointer = allocate(T.self, 1)
    initialize(pointer)
    return pointer
  }

  /// Nil, which is not written, for empty text.
  func text(_ text: String) -> UnsafeMutablePointer<CChar>? {
    text.isEmpty ? nil : required(text)
  }

  /// A copy of text, also of the empty one. What follows a NUL, which names cannot have, is lost.
  func required(_ text: String) -> UnsafeMutablePointer<CChar> {
    let units = text.utf8CString
    let pointer = allocate(CChar.self, units.count)
    units.withUnsafeBufferPointer { pointer.initialize(from: $0.baseAddress!, count: units.count) }
    return pointer
  }

  func data(_ text: String) -> ProtobufCBinaryData {
    let units = Array(text.utf8)
    let (_, pointer) = array(units)
    return ProtobufCBinaryData(len: units.count, data: pointer)
  }

  func array<T: BitwiseCopyable>(_ elements: [T]) -> (count: Int, pointer: UnsafeMutablePointer<T>) {
    let pointer = allocate(T.self, max(elements.count, 1))
    elements.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { pointer.initialize(from: base, count: source.count) }
    }
    return (elements.count, pointer)
  }

  func pointers<T>(_ elements: [UnsafeMutablePointer<T>]) -> (
    count: Int, pointer: UnsafeMutablePointer<UnsafeMutablePointer<T>?>
  ) {
    let pointer = allocate(UnsafeMutablePointer<T>?.self, max(elements.count, 1))
    for (index, element) in elements.enumerated() { (pointer + index).initialize(to: element) }
    return (elements.count, pointer)
  }

  private func allocate<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
    let block = UnsafeMutableRawPointer.allocate(
      byteCount: MemoryLayout<T>.stride * count, alignment: MemoryLayout<T>.alignment)
    blocks.append(block)
    return block.bindMemory(to: T.self, capacity: count)
  }
}
