import ArgumentParser
@preconcurrency import Glibc
import Sinter

/// Results in files that appear whole or not at all, on standard output for `-`.
enum OutputFile {
  /// Writes a text.
  ///
  /// - Throws: where it cannot be written, a full device behind standard output included.
  static func write(_ text: String, to path: String) throws {
    if path == "-" {
      print(text)
      return try flush()
    }
    try AtomicFile.write(text, to: path)
  }

  /// Writes what standard output still holds.
  ///
  /// - Throws: where any of what was printed did not reach its end.
  static func flush() throws(DiagnosticError) {
    let isWritten = fflush(stdout) == 0
    let reason = errno
    guard !isWritten || ferror(stdout) != 0 else { return }
    throw DiagnosticError(
      .user, "file.write",
      "standard output cannot be written" + (isWritten ? "" : ": \(String(cString: strerror(reason)))"))
  }

  /// The path under which bytes go where they should.
  static func path(_ path: String) -> String { path == "-" ? "/dev/stdout" : path }

  /// Refuses files that cannot be written, ahead of long work whose results would be lost.
  static func requireWritable(_ paths: String?...) throws(DiagnosticError) {
    for case let path? in paths where path != "-" && !path.hasPrefix("/dev/") {
      let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
      let folder = parts.isEmpty ? "." : parts.joined(separator: "/") + "/"
      var status = stat()
      if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
        errno = EISDIR
      } else if access(folder, W_OK) == 0 {
        continue
      }
      throw DiagnosticError(.user, "file.write", "\(path) cannot be written: \(String(cString: strerror(errno)))")
    }
  }

  /// Refuses a report where something else goes to standard output, too.
  static func check(_ report: String?, of option: String, beside output: String?) throws {
    guard report == "-", output == "-" else { return }
    throw ValidationError("-o - and \(option) - both write to standard output: give one of them a file")
  }

  /// Refuses a path whose ending promises what a command does not write.
  static func check(_ path: String, hasEnding endings: [String], or remedy: String? = nil) throws {
    if path == "-" || path.hasPrefix("/dev/") || endings.contains(where: { path.hasSuffix($0) }) { return }
    if path.hasSuffix("/") { throw ValidationError("\(path) names a folder, where a file was expected") }
    let name = path.split(separator: "/").last ?? ""
    let ending = name.lastIndex(of: ".").map { "ends with \(name[$0...])" } ?? "has no ending"
    let known =
      endings.count == 1 ? endings[0] : endings.dropLast().joined(separator: ", ") + " or " + endings[endings.count - 1]
    throw ValidationError(
      "\(path) \(ending), where \(known) was expected" + (remedy.map { "; \($0)" } ?? ""))
  }
}
