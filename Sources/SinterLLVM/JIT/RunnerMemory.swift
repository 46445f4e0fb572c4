import SinterCore
import SinterKernelIR

/// The buffers of a program that runs in this process, one block each. Inputs and constants are copied.
final class RunnerMemory {
  private var blocks: [any RunnerBlock] = []
  /// Where each output lies, once it is made.
  private(set) var outputs: [Int: UnsafeMutableRawPointer] = [:]
  private let program: KernelProgram
  private let guarding: MemoryGuard?
  var isGuarded: Bool { guarding != nil }
  var texts: TextTable

  /// - Parameter guarding: at which side of each buffer accesses beyond it are found; nil: at none.
  init(program: KernelProgram, inputs: [HostTensor], symbols: [Symbol: Int], guarding: MemoryGuard?) throws {
    self.program = program
    self.guarding = guarding
    texts = program.texts
    for buffer in program.buffers.elements {
      let count = buffer.count.isFromData ? 0 : try KernelRunner.size(buffer.count, symbols)
      guard count >= 0 else {
        throw DiagnosticError(
          .user, "run.size", "the size \(buffer.count) of \(buffer.name) would be negative", at: buffer.origin)
      }
      let bytes = buffer.element.byteCount(count)
      let block = make(bytes)
      blocks.append(block)
      switch buffer.storage {
      case .input(let port): Self.copy(texts.numbers(of: inputs[port]), to: block.base, bytes)
      case .constant(let tensor): Self.copy(tensor, to: block.base, bytes)
      case .output(let port): outputs[port] = block.base
      case .arena, .dynamic: break
      }
    }
  }

  private func make(_ bytes: Int) -> any RunnerBlock {
    if let guarding { return GuardedBlock(byteCount: bytes, at: guarding) }
    return PlainBlock(byteCount: bytes)
  }

  func base(_ buffer: BufferID) -> UnsafeMutableRawPointer { blocks[buffer.position].base }

  /// Room for so many elements; what was there stays as far as it fits. Where nothing is watched, there may be room for more.
  func reserve(_ buffer: BufferID, _ count: Int) {
    let (place, bytes) = (buffer.position, program.buffers[buffer].element.byteCount(max(count, 0)))
    let old = blocks[place]
    if guarding == nil ? bytes <= old.byteCount : bytes == old.byteCount { return }
    let block = make(bytes)
    block.base.copyMemory(from: old.base, byteCount: min(bytes, old.byteCount))
    blocks[place] = block
  }

  /// Makes an output whose size has become known.
  func makeOutput(_ port: Int, count: (BufferID) throws -> Int) rethrows {
    for id in program.buffers.indices {
      guard case .output(port) = program.buffers[id].storage else { continue }
      reserve(id, try count(id))
      outputs[port] = base(id)
    }
  }

  /// Throws where something beside a buffer was touched.
  func check(_ what: @autoclosure () -> String) throws {
    if guarding == nil { return }
    for (buffer, block) in zip(program.buffers.elements, blocks) {
      guard let violation = (block as? GuardedBlock)?.violation else { continue }
      throw DiagnosticError(
        .bug, "run.memory",
        "\(what()) touches memory beside \(buffer.name) (\(block.byteCount) bytes, \(buffer.storage.word)): \(violation)",
        at: buffer.origin)
    }
  }

  func isTrue(_ buffer: BufferID, at offset: Int) -> Bool {
    base(buffer).load(fromByteOffset: offset, as: UInt8.self) != 0
  }

  func integer(_ buffer: BufferID, at offset: Int) -> Int {
    base(buffer).loadUnaligned(fromByteOffset: offset * 8, as: Int.self)
  }

  private static func copy(_ tensor: HostTensor, to base: UnsafeMutableRawPointer, _ bytes: Int) {
    tensor.bytes.withBytes { source in
      if let start = source.baseAddress { base.copyMemory(from: start, byteCount: min(bytes, source.count)) }
    }
  }
}

/// The memory of one buffer.
private protocol RunnerBlock: AnyObject {
  var base: UnsafeMutableRawPointer { get }
  var byteCount: Int { get }
}

extension GuardedBlock: RunnerBlock {}

/// Zeros at first, aligned for any kernel.
private final class PlainBlock: RunnerBlock {
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  init(byteCount: Int) {
    self.byteCount = max(byteCount, 64)
    base = .allocate(byteCount: self.byteCount, alignment: 64)
    base.initializeMemory(as: UInt8.self, repeating: 0, count: self.byteCount)
  }

  deinit { base.deallocate() }
}

extension KernelProgram.Buffer.Storage {
  fileprivate var word: String {
    switch self {
    case .input(let port): "input \(port)"
    case .output(let port): "output \(port)"
    case .constant: "a constant"
    case .arena, .dynamic: "between kernels"
    }
  }
}
