@preconcurrency import Glibc
import SinterCore
import Synchronization

/// What a command was asked for, on standard output. Why any of it does not get there is kept, and told in the end.
enum StandardOutput {
  private static let failure = Mutex<Int32>(0)
  private static let wasClosed = Atomic<Bool>(false)

  /// Notes that the command began without one.
  static func noteClosed() { wasClosed.store(true, ordering: .relaxed) }

  /// Whether a path stands for it.
  static func isMeant(by path: String) -> Bool { ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].contains(path) }

  static func print(_ text: String, terminator: String = "\n") {
    var whole = text + terminator
    whole.withUTF8 { bytes in
      if fwrite(bytes.baseAddress, 1, bytes.count, stdout) < bytes.count { keep(errno) }
    }
  }

  /// Writes what is still held back.
  ///
  /// - Throws: where any of what was printed did not reach its end.
  static func flush() throws(DiagnosticError) {
    if fflush(stdout) != 0 { keep(errno) }
    let code = failure.withLock { $0 }
    if code != 0 { throw error(code) }
  }

  /// Refuses one that is closed, ahead of long work whose results would be lost.
  static func requireOpen() throws(DiagnosticError) {
    if wasClosed.load(ordering: .relaxed) { throw error(EBADF) }
  }

  private static func keep(_ code: Int32) { failure.withLock { if $0 == 0 { $0 = code } } }

  private static func error(_ code: Int32) -> DiagnosticError {
    SystemError.diagnostic("file.write", "standard output cannot be written", code: code)
  }
}
