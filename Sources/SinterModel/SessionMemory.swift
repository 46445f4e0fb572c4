import Glibc
import SinterCore
internal import SinterABI

/// Memory of sessions that is held to `MemoryLimit`, as that of tensors is: what does not fit is not given, and the library says what it was for.
enum SessionMemory {
  /// In front of each block: how many bytes were asked for, and where its memory begins.
  private static let header = 64

  /// Has a session take its memory from here.
  static func use(in options: inout SinterOptions) {
    options.allocate = { _, bytes, alignment in SessionMemory.allocate(bytes, alignment: alignment) }
    options.deallocate = { _, block in SessionMemory.deallocate(block) }
  }

  private static func allocate(_ bytes: Int, alignment: Int) -> UnsafeMutableRawPointer? {
    let room = Swift.max(alignment, header)
    let (whole, overflows) = bytes.addingReportingOverflow(room)
    guard bytes >= 0, !overflows, MemoryLimit.hasRoom(for: bytes) else { return nil }
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, room, whole) == 0, let memory else { return nil }
    MemoryLimit.take(bytes)
    let block = memory + room
    block.storeBytes(of: bytes, toByteOffset: -16, as: Int.self)
    block.storeBytes(of: memory, toByteOffset: -8, as: UnsafeMutableRawPointer.self)
    return block
  }

  private static func deallocate(_ block: UnsafeMutableRawPointer?) {
    guard let block else { return }
    MemoryLimit.giveBack(block.load(fromByteOffset: -16, as: Int.self))
    free(block.load(fromByteOffset: -8, as: UnsafeMutableRawPointer.self))
  }
}
