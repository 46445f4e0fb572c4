import Glibc

/// What a path to write to names, links followed.
package enum Destination: Equatable {
  /// A file, there or not, by the path that no link leads away from: it is replaced as a whole, by one renamed over it.
  case file(String)
  /// What cannot be replaced because it is no file, or one that only this process's table of open files names: a device, a pipe, `/dev/stdout`.
  /// It is written through.
  case stream(String)

  private static let linkLimit = 40

  /// - Throws: where nothing can be written, because the path names a folder or cannot be followed.
  package init(_ path: String) throws(DiagnosticError) {
    if path.isEmpty { throw Self.failure("an empty path", ENOENT) }
    var status = stat()
    if stat(path, &status) == 0 {
      switch status.st_mode & S_IFMT {
      case S_IFREG: break
      case S_IFDIR: throw Self.failure(path, EISDIR)
      default:
        self = .stream(path)
        return
      }
    }
    // Step by step, since the last link may lead to what is still to be made.
    var target = path
    for _ in 0..<Self.linkLimit {
      guard let next = try Self.link(at: target, of: path) else {
        self = .file(target)
        return
      }
      let folder = Files.folder(of: target)
      if Self.resolved(folder).map({ ($0 + "/").hasPrefix("/proc/") }) ?? false {
        self = .stream(path)
        return
      }
      target = next.hasPrefix("/") ? next : folder + "/" + next
    }
    throw Self.failure(path, ELOOP)
  }

  /// The folder in which a file can be made ready to be renamed; nil where the bytes are written through.
  package var folder: String? {
    switch self {
    case .file(let path): Files.folder(of: path)
    case .stream: nil
    }
  }

  /// Puts a complete file, which lies in `folder` where there is one, in its place.
  package func take(_ file: String) throws(DiagnosticError) {
    switch self {
    case .file(let path): try Files.rename(file, to: path)
    case .stream(let path):
      do {
        let stream = try AtomicFile(path)
        let mapped = try MappedFile(file)
        try withExtendedLifetime(mapped) { try stream.append(mapped.contents) }
        try stream.commit()
      } catch {
        throw (error as? DiagnosticError) ?? DiagnosticError(.bug, "file.write", "\(path): \(error)")
      }
    }
  }

  /// Where the link at a path leads; nil where there is no link.
  private static func link(at place: String, of path: String) throws(DiagnosticError) -> String? {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = buffer.withUnsafeMutableBytes { bytes in
      readlink(place, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
    }
    if count >= 0 { return String(decoding: buffer[..<count], as: UTF8.self) }
    // No link, or nothing there yet.
    if errno == EINVAL || errno == ENOENT { return nil }
    throw failure(path, errno)
  }

  private static func resolved(_ folder: String) -> String? {
    guard let path = realpath(folder, nil) else { return nil }
    defer { free(path) }
    return String(cString: path)
  }

  static func failure(_ path: String, _ code: Int32) -> DiagnosticError {
    SystemError.diagnostic("file.write", "\(path) cannot be written", code: code, path: path, makes: true)
  }
}
