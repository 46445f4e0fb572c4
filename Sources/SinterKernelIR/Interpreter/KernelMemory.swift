import SinterCore
import SinterForms

/// The buffers of a run.
final class KernelMemory {
  /// A buffer, seen from an element on.
  struct Span {
    var buffer: Int
    var base: UnsafeMutableRawPointer
    var element: ElementType
    /// Elements before and behind the span's own first one.
    var before, behind: Int
  }

  private struct Store {
    var base: UnsafeMutableRawPointer
    var count: Int
    var element: ElementType
    /// For each element the call and the task that wrote it last.
    var writers: [UInt64]
  }

  let program: KernelProgram
  var symbols: [Symbol: Int]
  var texts: TextTable
  var callNumber: UInt64 = 0
  private var stores: [Store] = []
  /// Where the program's memory is planned: all of it.
  private let arena: UnsafeMutableRawPointer?

  init(_ program: KernelProgram, inputs: [HostTensor], symbols: [Symbol: Int]) throws {
    self.program = program
    self.symbols = symbols
    texts = program.texts
    arena = program.arenaBytes.map { .allocate(byteCount: Swift.max(1, $0), alignment: 64) }
    let inPlace = program.bufferPairsInPlace
    for (id, buffer) in zip(program.buffers.indices, program.buffers.elements) {
      // What data determine gets memory during the run.
      let count = buffer.count.isFromData ? 0 : try size(buffer.count)
      guard count >= 0, buffer.element != .string else {
        throw DiagnosticError(.bug, "kernel.buffer", "buffer \(buffer.name) has \(count) elements of \(buffer.element)")
      }
      let bytes = buffer.element.byteCount(count)
      let base: UnsafeMutableRawPointer
      if case .arena = buffer.storage, let arena, let offset = buffer.offset {
        base = arena + offset
      } else if let current = inPlace[id] {
        stores.append(
          Store(
            base: stores[current.position].base, count: count, element: buffer.element,
            writers: Array(repeating: 0, count: count)))
        continue
      } else {
        base = .allocate(byteCount: Swift.max(1, bytes), alignment: 64)
      }
      // Memory that nobody wrote reads as NaN and as huge numbers.
      base.initializeMemory(as: UInt8.self, repeating: 0xFF, count: Swift.max(1, bytes))
      stores.append(Store(base: base, count: count, element: buffer.element, writers: []))
      switch buffer.storage {
      case .input(let number): try Self.fill(base, bytes, from: texts.numbers(of: inputs[number]), buffer.name)
      case .constant(let tensor): try Self.fill(base, bytes, from: tensor, buffer.name)
      case .output, .arena, .dynamic: stores[stores.count - 1].writers = Array(repeating: 0, count: count)
      }
    }
  }

  deinit {
    let inPlace = program.bufferPairsInPlace
    for (id, store) in zip(program.buffers.indices, stores) {
      let buffer = program.buffers[id]
      if case .arena = buffer.storage, arena != nil, buffer.offset != nil { continue }
      if inPlace[id] != nil { continue }
      store.base.deallocate()
    }
    arena?.deallocate()
  }

  private static func fill(
    _ base: UnsafeMutableRawPointer, _ bytes: Int, from tensor: HostTensor, _ name: String
  ) throws {
    try tensor.bytes.withBytes { source in
      guard source.count >= bytes else {
        throw DiagnosticError(
          .bug, "kernel.buffer", "buffer \(name) wants \(bytes) bytes, but is given \(source.count)")
      }
      if let start = source.baseAddress { base.copyMemory(from: start, byteCount: bytes) }
    }
  }

  func size(_ dim: Dim) throws -> Int {
    if let value = dim.evaluated({ symbols[$0] }) { return value }
    throw DiagnosticError(.bug, "kernel.size", "the size \(dim) is not known when it is needed")
  }

  func span(_ argument: KernelProgram.Call.Argument) throws -> Span {
    let store = stores[argument.buffer.position]
    let offset = try size(argument.offset)
    return Span(
      buffer: argument.buffer.position, base: store.base, element: store.element, before: offset,
      behind: store.count - offset)
  }

  /// The first element of a place of integers or truth values.
  func element(_ place: KernelProgram.Call.Argument) throws -> Int64 {
    let span = try span(place)
    guard span.behind > 0 else {
      throw DiagnosticError(.bug, "kernel.element", "\(place.buffer) has no element to read")
    }
    var result: Int64 = 0
    ElementCodec.decode(span.element, span.base, count: 1, into: &result) { _ in span.before }
    return result
  }

  /// Memory of a buffer of which a size has become known: new, but for what was there before where that is kept.
  func reserve(_ buffer: BufferID, _ count: Int, keeping: Bool) throws {
    let old = stores[buffer.position]
    guard count >= 0, count < 1 << 40 else {
      throw DiagnosticError(.user, "run.size", "\(program.buffers[buffer].name) would have \(count) elements")
    }
    if keeping, old.count >= count { return }
    let bytes = old.element.byteCount(count)
    let base = UnsafeMutableRawPointer.allocate(byteCount: Swift.max(1, bytes), alignment: 64)
    base.initializeMemory(as: UInt8.self, repeating: 0xFF, count: Swift.max(1, bytes))
    if keeping { base.copyMemory(from: old.base, byteCount: Swift.min(bytes, old.element.byteCount(old.count))) }
    old.base.deallocate()
    stores[buffer.position] = Store(
      base: base, count: count, element: old.element, writers: Array(repeating: 0, count: count))
  }

  func makeOutput(_ number: Int) throws {
    for (index, buffer) in program.buffers.elements.enumerated() {
      guard case .output(number) = buffer.storage else { continue }
      try reserve(BufferID(index), try size(buffer.count), keeping: false)
    }
  }

  func output(_ number: Int, _ element: ElementType, _ shape: [Int]) throws -> HostTensor {
    for (index, buffer) in program.buffers.elements.enumerated() {
      guard case .output(number) = buffer.storage else { continue }
      let stored = buffer.element
      let count = stored.byteCount(shape.reduce(1, *))
      let tensor = HostTensor(
        stored, shape,
        bytes: TensorBytes(count: count) { $0.copyMemory(from: .init(start: stores[index].base, count: count)) })
      return element == .string ? texts.texts(of: tensor) : tensor
    }
    throw DiagnosticError(.bug, "kernel.output", "output \(number) has no buffer")
  }

  /// Notes that a task writes an element; false where another task of the same call did.
  func write(_ buffer: Int, _ index: Int, task: Int) -> Bool {
    let mark = callNumber << 32 | UInt64(task + 1)
    let old = stores[buffer].writers[index]
    stores[buffer].writers[index] = mark
    return old >> 32 != callNumber || old == mark
  }

  func isWritable(_ buffer: Int) -> Bool {
    switch program.buffers.elements[buffer].storage {
    case .output, .arena, .dynamic: true
    case .input, .constant: false
    }
  }

  func error(_ number: Int, value: Int64, bound: Int64) -> DiagnosticError {
    let text = program.errors.indices.contains(number) ? program.errors[number] : "%0 lies outside 0 ..< %1"
    return DiagnosticError(.user, "run.check", ErrorText.filled(text, value: value, bound: bound))
  }
}
