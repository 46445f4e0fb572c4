import ArgumentParser
import Foundation
@preconcurrency import Glibc
import Sinter
import SinterCore

/// Results in files that appear whole or not at all, on standard output for `-`.
enum OutputFile {
  /// Writes a text.
  ///
  /// - Throws: where it cannot be written, a full device behind standard output included.
  static func write(_ text: String, to path: String) throws {
    if path == "-" {
      StandardOutput.print(text)
      return try StandardOutput.flush()
    }
    try AtomicFile.write(text, to: path)
  }

  /// The path under which bytes go where they should.
  static func path(_ path: String) throws(DiagnosticError) -> String {
    if StandardOutput.isMeant(by: path) { try StandardOutput.requireOpen() }
    return path == "-" ? "/dev/stdout" : path
  }

  /// Refuses files that cannot be written, ahead of long work whose results would be lost.
  static func requireWritable(_ paths: String?...) throws(DiagnosticError) {
    for case let path? in paths {
      if StandardOutput.isMeant(by: path) { try StandardOutput.requireOpen() }
      if path == "-" { continue }
      guard let folder = try Destination(path).folder else { continue }
      // Rights alone do not tell whether files can be made there.
      var template = Array((folder + "/.sinter-XXXXXX").utf8CString)
      let file = mkstemp(&template)
      if file >= 0 {
        close(file)
        unlink(template)
        continue
      }
      throw SystemError.diagnostic("file.write", "\(path) cannot be written", code: errno, path: path, makes: true)
    }
  }

  /// Refuses a report where something else goes to standard output, too, or into the same file.
  static func check(_ report: String?, of option: String, beside output: String?) throws {
    try check([("-o", output), (option, report)])
  }

  /// Refuses texts of which one would stand in another's place.
  static func check(_ outputs: [(option: String, path: String?)]) throws {
    var known: [String: String] = [:]
    for (option, path) in outputs {
      guard let path else { continue }
      let place = StandardOutput.isMeant(by: path) ? "standard output" : URL(fileURLWithPath: path).standardized.path
      if place.hasPrefix("/dev/") { continue }
      if let other = known.updateValue("\(option) \(path)", forKey: place) {
        throw ValidationError(
          "\(other) and \(option) \(path) both write to \(place): give one of them a file of its own")
      }
    }
  }

  /// Refuses a path whose ending promises what a command does not write.
  static func check(_ path: String, hasEnding endings: [String], or remedy: String? = nil) throws {
    if path.isEmpty { throw ValidationError("-o is empty: give the path of a file") }
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
