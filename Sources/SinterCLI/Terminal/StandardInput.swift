import Foundation
import Glibc
import Sinter
import SinterCore
import Synchronization

/// A model that comes through standard input.
enum StandardInput {
  private static let kept = Mutex<String?>(nil)

  /// A path under which all of it can be read, again and again, while this process lives. It has no name that could be left behind.
  static func path() throws -> String {
    try kept.withLock { kept in
      if let kept { return kept }
      let folder = Environment.value("TMPDIR") ?? "/tmp"
      var template = Array((folder + "/sinter-XXXXXX").utf8CString)
      let file = mkstemp(&template)
      guard file >= 0 else { throw failure(writingTo: folder) }
      _ = fcntl(file, F_SETFD, FD_CLOEXEC)
      unlink(template)
      var chunk = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = read(0, &chunk, chunk.count)
        if count == 0 { break }
        if count < 0 {
          if errno == EINTR { continue }
          throw failure()
        }
        var written = 0
        while written < count {
          let part = chunk[written..<count].withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
          if part < 0, errno == EINTR { continue }
          guard part > 0 else { throw failure(writingTo: folder) }
          written += part
        }
      }
      // By the number of this process, so that processes that it starts can read it too.
      let path = "/proc/\(getpid())/fd/\(file)"
      kept = path
      return path
    }
  }

  private static func failure() -> DiagnosticError {
    SystemError.diagnostic(
      "file.read", "standard input cannot be read", code: errno,
      hint: errno == EBADF ? "it is closed: send a file or a pipe to it, or give the path of a file" : nil)
  }

  private static func failure(writingTo folder: String) -> DiagnosticError {
    SystemError.diagnostic(
      "file.write", "a temporary file in \(folder) cannot be written", code: errno,
      hint: "standard input is kept there; set TMPDIR to a folder with room")
  }

  /// An error as it reads where the path is not known to the user.
  static func named(_ diagnostic: Diagnostic) -> Diagnostic {
    guard let path = kept.withLock({ $0 }) else { return diagnostic }
    return DiagnosticError([diagnostic]).naming(path, as: "standard input").diagnostics[0]
  }
}
