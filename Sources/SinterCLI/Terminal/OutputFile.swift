import ArgumentParser
@preconcurrency import Glibc
import Sinter

/// Results in files that appear whole or not at all, on standard output for `-`.
enum OutputFile {
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

  /// Refuses a path whose ending promises what a command does not write.
  static func check(_ path: String, hasEnding endings: [String], or remedy: String? = nil) throws {
    if path == "-" || path.hasPrefix("/dev/") || endings.contains(where: { path.hasSuffix($0) }) { return }
    let name = path.split(separator: "/").last ?? ""
    let ending = name.lastIndex(of: ".").map { "ends with \(name[$0...])" } ?? "has no ending"
    let known =
      endings.count == 1 ? endings[0] : endings.dropLast().joined(separator: ", ") + " or " + endings[endings.count - 1]
    throw ValidationError(
      "\(path) \(ending), where \(known) was expected" + (remedy.map { "; \($0)" } ?? ""))
  }
}
