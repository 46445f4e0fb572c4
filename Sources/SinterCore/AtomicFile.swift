import Glibc

/// A file that comes into being, or replaces another, only when all of it is written.
public final class AtomicFile {
  public let path: String
  private let temporaryPath: String
  private var descriptor: Int32

  /// Makes a temporary file in the folder of `path`.
  public init(_ path: String) throws {
    self.path = path
    var template = Array((path + ".XXXXXX").utf8CString)
    descriptor = template.withUnsafeMutableBufferPointer { mkstemp($0.baseAddress!) }
    temporaryPath = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard descriptor >= 0 else { throw Self.failure(path) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(temporaryPath)
  }

  public func append(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let slice = UnsafeRawBufferPointer(rebasing: rest)
      let written = write(descriptor, slice.baseAddress, slice.count)
      if written < 0 {
        if errno == EINTR { continue }
        throw Self.failure(path)
      }
      rest = rest.dropFirst(written)
    }
  }

  /// Gives the file its name, with the permissions that new files have.
  public func commit() throws {
    let mask = umask(0)
    umask(mask)
    guard fchmod(descriptor, 0o666 & ~mask) == 0, rename(temporaryPath, path) == 0 else { throw Self.failure(path) }
    close(descriptor)
    descriptor = -1
  }

  private static func failure(_ path: String) -> DiagnosticError {
    DiagnosticError(.user, "file.write", "\(path) cannot be written: \(String(cString: strerror(errno)))")
  }
}
