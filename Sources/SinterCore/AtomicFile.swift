import Glibc

/// A file that comes into being, or replaces another, only when all of it is written.
///
/// A link at its path stays, and what it leads to is replaced. What is no file, a device or a pipe, is written through as the bytes come.
public final class AtomicFile {
  /// Where the file will be.
  public let path: String
  private let destination: Destination
  private let temporaryPath: String?
  private var descriptor: Int32
  private var isCommitted = false

  /// Makes a temporary file in the folder of the file that `path` leads to, or opens what is no file.
  public init(_ path: String) throws {
    self.path = path
    destination = try Destination(path)
    var code: Int32 = 0
    switch destination {
    case .file(let target):
      var template = Array((Files.folder(of: target) + "/.sinter-XXXXXX").utf8CString)
      descriptor = template.withUnsafeMutableBufferPointer { mkstemp($0.baseAddress!) }
      code = errno
      if descriptor >= 0 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
      temporaryPath = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    case .stream(let target):
      descriptor = open(target, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC)
      code = errno
      temporaryPath = nil
    }
    guard descriptor >= 0 else { throw Destination.failure(path, code) }
    if let temporaryPath { Temporaries.add(temporaryPath) }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    guard let temporaryPath else { return }
    if !isCommitted { unlink(temporaryPath) }
    Temporaries.forget(temporaryPath)
  }

  /// Writes bytes behind those that are there.
  public func append(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let slice = UnsafeRawBufferPointer(rebasing: rest)
      let written = Glibc.write(descriptor, slice.baseAddress, slice.count)
      if written < 0 {
        if errno == EINTR { continue }
        throw Destination.failure(path, errno)
      }
      rest = rest.dropFirst(written)
    }
  }

  /// Writes text behind what is there.
  public func append(_ text: String) throws {
    try Array(text.utf8).withUnsafeBytes { try append($0) }
  }

  /// Gives the file its name, with the permissions that new files have.
  public func commit() throws {
    if temporaryPath != nil {
      let mask = umask(0)
      umask(mask)
      guard fchmod(descriptor, 0o666 & ~mask) == 0 else { throw Destination.failure(path, errno) }
    }
    // Some file systems tell only now that there was no room.
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0 else { throw Destination.failure(path, errno) }
    if let temporaryPath, case .file(let target) = destination {
      guard rename(temporaryPath, target) == 0 else { throw Destination.failure(path, errno) }
    }
    isCommitted = true
  }

  /// Writes a file that holds `text`.
  public static func write(_ text: String, to path: String) throws {
    let file = try AtomicFile(path)
    try file.append(text)
    try file.commit()
  }
}
