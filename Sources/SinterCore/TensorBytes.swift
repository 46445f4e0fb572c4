/// Bytes that do not move: owned, or a range of a mapped file. Copies of the handle share them.
public final class TensorBytes: @unchecked Sendable {
  // Immutable once handed out: `init(count:filling:)` is the only writer.
  private let base: UnsafeRawPointer
  /// The number of bytes.
  public let count: Int
  /// Keeps the memory alive where it belongs to something else.
  private let owner: AnyObject?
  private let isOwned: Bool

  /// Allocates `count` bytes (64-byte aligned, zeroed) and has `body` fill them.
  public init(count: Int, filling body: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Swift.max(count, 1), alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: Swift.max(count, 1))
    base = UnsafeRawPointer(memory)
    self.count = count
    owner = nil
    isOwned = true
    MemoryLimit.take(count)
    try body(UnsafeMutableRawBufferPointer(start: memory, count: count))
  }

  /// The same where a model says how many there are: throws, before anything is allocated, where they do not fit into `MemoryLimit`.
  package convenience init(limited count: Int, filling body: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
    try MemoryLimit.require(count)
    try self.init(count: count, filling: body)
  }

  /// Bytes inside memory that `owner` keeps alive, such as a mapped file.
  public init(at base: UnsafeRawPointer, count: Int, owner: AnyObject) {
    self.base = base
    self.count = count
    self.owner = owner
    isOwned = false
  }

  deinit {
    guard isOwned else { return }
    UnsafeMutableRawPointer(mutating: base).deallocate()
    MemoryLimit.giveBack(count)
  }

  /// Reads the bytes, which are not aligned where they come from a file.
  public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try body(UnsafeRawBufferPointer(start: base, count: count))
  }
}
