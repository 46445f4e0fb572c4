import Glibc

/// Lines for who started the server, written at once.
enum Console {
  static func show(_ line: String) { write(line, to: STDOUT_FILENO) }
  static func note(_ line: String) { write(line, to: STDERR_FILENO) }
  static func error(_ line: String) { write("sinter-serve: error: " + line, to: STDERR_FILENO) }

  private static func write(_ line: String, to file: Int32) {
    let bytes = Array((line + "\n").utf8)
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress! + written, bytes.count - written) }
      if count > 0 { written += count } else if count == 0 || errno != EINTR { return }
    }
  }
}
