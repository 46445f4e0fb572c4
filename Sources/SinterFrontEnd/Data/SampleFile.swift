import Foundation

/// A file that is read and written at any place, by any thread, through no mapping: what was read does not count as the process's memory.
final class SampleFile: @unchecked Sendable {
  // The system's calls take the place themselves, so that threads share nothing.
  private let descriptor: Int32
  let path: String

  init(_ path: String, writes: Bool) throws {
    descriptor = open(path, (writes ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0o666)
    self.path = path
    guard descriptor >= 0 else { throw Self.failure("opened", path) }
  }

  deinit { close(descriptor) }

  var size: Int {
    get throws {
      var status = stat()
      guard fstat(descriptor, &status) == 0 else { throw Self.failure("examined", path) }
      return Int(status.st_size)
    }
  }

  /// Fills memory with the bytes from a place on.
  func read(at place: Int, into target: UnsafeMutableRawBufferPointer) throws {
    var done = 0
    while done < target.count, let base = target.baseAddress {
      let count = pread(descriptor, base + done, target.count - done, place + done)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Self.failure("read", path) }
      guard count > 0 else {
        throw DiagnosticError(
          .user, "data.read", "\(path) ends at byte \(place + done), but \(target.count - done) more are needed",
          hint: "was it cut off while it was read?")
      }
      done += count
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at place: Int) throws {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      let count = pwrite(descriptor, base + done, bytes.count - done, place + done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Self.failure("written", path) }
      done += count
    }
  }

  func truncate(to size: Int) throws {
    guard ftruncate(descriptor, size) == 0 else { throw Self.failure("written", path) }
  }

  private static func failure(_ verb: String, _ path: String) -> DiagnosticError {
    SystemError.diagnostic(
      "file.\(verb)", "\(path) cannot be \(verb)", code: errno, path: path, makes: verb == "written")
  }
}
