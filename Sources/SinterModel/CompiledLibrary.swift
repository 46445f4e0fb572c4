import Glibc
public import SinterCore
internal import SinterABI

/// A library that Sinter compiled, loaded into this process.
///
///     let model = try CompiledLibrary("./libdigits.so")
///     let session = try model.session(threads: 2)
///     let probabilities = try session.run([image])[0]
public final class CompiledLibrary: @unchecked Sendable {
  // The table is constant, and its functions may be called from any thread.
  let table: UnsafePointer<SinterLibrary>
  let handle: UnsafeMutableRawPointer

  /// The library's file.
  public let path: String
  /// The model's name.
  public let name: String
  /// Who compiled it: `sinter 0.1.0`.
  public let producer: String
  /// The triple and the processors that it was built for.
  public let target: String
  /// The inputs, in order.
  public let inputs: [Port]
  /// The outputs, in order.
  public let outputs: [Port]
  /// What each session keeps from run to run: read, written, saved and restored by functions of `Session`.
  public let states: [Port]

  /// Loads the library at `path`. It stays loaded as long as this object, a session or an output of it lives.
  public init(_ path: String) throws(DiagnosticError) {
    guard access(path, R_OK) == 0 else {
      throw SystemError.diagnostic("library.load", "\(path) cannot be opened", code: errno, path: path)
    }
    try LibraryFile.check(path)
    // Without a slash, dlopen would look in the system's folders.
    guard let handle = dlopen(path.contains("/") ? path : "./" + path, RTLD_NOW | RTLD_LOCAL) else {
      throw DiagnosticError(
        .user, "library.load", "\(path) cannot be loaded: \(String(cString: dlerror()))",
        hint: "give a library that sinter compile wrote for machines like this one")
    }
    let table: UnsafePointer<SinterLibrary>
    let inputs: [Port]
    let outputs: [Port]
    let states: [Port]
    do {
      table = try Self.table(of: handle, path)
      inputs = try Self.ports(table.pointee.inputs, table.pointee.input_count, path)
      outputs = try Self.ports(table.pointee.outputs, table.pointee.output_count, path)
      states =
        table.pointee.abi_version < 2 ? [] : try Self.ports(table.pointee.states, table.pointee.state_count, path)
    } catch {
      dlclose(handle)
      throw error
    }
    self.handle = handle
    self.table = table
    self.path = path
    self.inputs = inputs
    self.outputs = outputs
    self.states = states
    name = String(cString: table.pointee.name)
    producer = String(cString: table.pointee.producer)
    target = String(cString: table.pointee.target)
  }

  deinit { dlclose(handle) }

  /// A session: what one thread needs to run the model. `threads` 0 takes as many as this process may run on; `weights` is the
  /// path of the weights file, where the model keeps them outside and not beside the library.
  public func session(threads: Int = 0, weights: String? = nil) throws(DiagnosticError) -> Session {
    try Session(self, threads: threads, weights: weights)
  }

  /// The same with its memory held to `MemoryLimit`: for one run, since a session keeps less for the next one then.
  package func limitedSession(threads: Int = 0) throws(DiagnosticError) -> Session {
    try Session(self, threads: threads, weights: nil, limitsMemory: MemoryLimit.bytes < .max)
  }

  private static func table(
    of handle: UnsafeMutableRawPointer, _ path: String
  ) throws(DiagnosticError) -> UnsafePointer<SinterLibrary> {
    typealias Entry = @convention(c) () -> UnsafePointer<SinterLibrary>?
    guard let symbol = dlsym(handle, "sinter_library"), let table = unsafeBitCast(symbol, to: Entry.self)() else {
      throw DiagnosticError(
        .user, "library.entry", "\(path) is no library that Sinter compiled: it has no sinter_library()",
        hint: "give one that sinter compile wrote")
    }
    guard (1...UInt32(SINTER_ABI_VERSION)).contains(table.pointee.abi_version) else {
      throw DiagnosticError(
        .user, "library.version",
        "\(path) has version \(table.pointee.abi_version) of the interface, expected one up to \(SINTER_ABI_VERSION)",
        hint: "compile the model again")
    }
    return table
  }

  private static func ports(
    _ first: UnsafePointer<SinterPort>?, _ count: Int, _ path: String
  ) throws(DiagnosticError) -> [Port] {
    var ports: [Port] = []
    for port in UnsafeBufferPointer(start: first, count: count) {
      guard let described = Port(port) else {
        throw DiagnosticError(
          .user, "library.port", "\(path) has a port of a kind or an element type that this version does not know")
      }
      ports.append(described)
    }
    return ports
  }
}

extension Port {
  /// Nil where the kind or the element type is unknown.
  fileprivate init?(_ port: SinterPort) {
    var (kind, map) = (Kind.tensor, port)
    switch SinterKind(UInt32(bitPattern: port.kind)) {
    case SINTER_TENSOR: break
    case SINTER_SEQUENCE:
      kind = .sequence
      if let inner = port.elements?.pointee, SinterKind(UInt32(bitPattern: inner.kind)) == SINTER_MAP {
        (kind, map) = (.maps, inner)
      }
    case SINTER_MAP: kind = .map
    default: return nil
    }
    var (element, key) = (ElementType(port.dtype), ElementType?.none)
    if kind == .map || kind == .maps {
      guard let parts = map.elements else { return nil }
      (key, element) = (ElementType(parts[0].dtype), ElementType(parts[1].dtype))
      guard key != nil else { return nil }
    }
    guard element != nil else { return nil }
    let sizes = UnsafeBufferPointer(start: port.shape, count: max(Int(port.ndim), 0))
    let shape = sizes.indices.map { axis -> Dimension in
      if sizes[axis] >= 0 { return .fixed(Int(sizes[axis])) }
      return port.dimension?[axis].map { .symbol(String(cString: $0)) } ?? .unknown
    }
    self.init(
      name: port.name.map { String(cString: $0) } ?? "", kind: kind, isOptional: port.optional != 0, element: element,
      key: key,
      shape: port.ndim < 0 ? nil : shape)
  }
}
