import Glibc

/// A file's contents, mapped read-only. Pages are read when they are first touched, so that a large file costs nothing
/// to open. The file must not be shortened while it is mapped.
public final class MappedFile: @unchecked Sendable {
  /// The file.
  public let path: String
  /// All bytes of the file; empty for an empty file. Valid as long as this object lives.
  public let contents: UnsafeRawBufferPointer

  /// Its size in bytes.
  public var count: Int { contents.count }

  /// Maps the regular file at `path`.
  public init(_ path: String) throws {
    // Without waiting for whoever writes into a pipe, which is none.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw Self.failure("opened", path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Self.failure("examined", path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw DiagnosticError(
        .user, "file.kind", "\(path) is no regular file",
        hint: "give the path of a file, not of a folder, a pipe or a device")
    }
    self.path = path
    let size = Int(status.st_size)
    guard size > 0 else {
      contents = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
      throw Self.failure("mapped", path)
    }
    contents = UnsafeRawBufferPointer(start: base, count: size)
  }

  deinit {
    if let base = contents.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), contents.count) }
  }

  /// The bytes of `range`, which must lie inside the file, as a handle that keeps the mapping alive.
  public func bytes(_ range: Range<Int>) -> TensorBytes {
    guard let base = contents.baseAddress, !range.isEmpty else { return TensorBytes(count: 0) { _ in } }
    precondition(range.lowerBound >= 0 && range.upperBound <= contents.count)
    return TensorBytes(at: base + range.lowerBound, count: range.count, owner: self)
  }

  private static func failure(_ verb: String, _ path: String) -> DiagnosticError {
    SystemError.diagnostic("file.\(verb)", "\(path) cannot be \(verb)", code: errno, path: path)
  }
}
