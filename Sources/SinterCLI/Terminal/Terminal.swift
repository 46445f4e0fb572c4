import Foundation
import Sinter
import SinterCore
import SinterLLVM
import Synchronization

/// What goes to the user besides results: on standard error, so that results can be piped.
enum Terminal {
  /// How much is said.
  enum Detail: Int, Comparable, Sendable {
    /// Errors only.
    case quiet
    /// To people, how far long work is and what came of it; to pipes, only errors and what a result leaves out.
    case normal
    /// To people and to pipes, what each stage took as well.
    case verbose

    static func < (a: Detail, b: Detail) -> Bool { a.rawValue < b.rawValue }
  }

  private static let chosen = Mutex(Detail.normal)
  static var detail: Detail {
    get { chosen.withLock { $0 } }
    set { chosen.withLock { $0 = newValue } }
  }

  /// Progress is shown to people, not to pipes.
  static let isInteractive = isatty(STDERR_FILENO) == 1

  /// Characters in a line of the terminal that results go to; nil where they go to a file or a pipe.
  static var columns: Int? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 1 else { return nil }
    return Int(size.ws_col)
  }

  static func error(_ text: String) { write(text + "\n") }

  static func error(_ diagnostic: Diagnostic) {
    ProgressBar.erase()
    let text = diagnostic.description
    let kind = diagnostic.kind.rawValue + ":"
    guard isColoured, text.hasPrefix(kind) else { return error("sinter: \(text)") }
    error("sinter: \u{1b}[1;31m\(kind)\u{1b}[0m\(text.dropFirst(kind.count))")
  }

  /// Colour on a terminal that has it, unless the user wants none (https://no-color.org).
  private static var isColoured: Bool {
    let environment = ProcessInfo.processInfo.environment
    return isInteractive && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
  }

  /// What a result leaves out, and why.
  static func note(_ text: String) {
    guard detail > .quiet else { return }
    ProgressBar.erase()
    error("sinter: note: \(text)")
  }

  /// What came of the work.
  static func progress(_ text: String) {
    guard detail == .verbose || detail == .normal && isInteractive else { return }
    ProgressBar.erase()
    error(text)
  }

  /// What only those want to know who ask for it.
  static func detail(_ text: String) {
    guard detail == .verbose else { return }
    ProgressBar.erase()
    error(text)
  }

  /// What a stage took.
  static func detail(_ duration: Duration, _ stage: String) {
    detail(String(format: "%9.1f ms  %@", duration / .milliseconds(1), stage))
  }

  /// What the stages of compiling took, those of less than a millisecond aside.
  static func detail(_ compiler: Compiler, _ made: LibraryArtifacts) {
    for stage in compiler.stages where stage.milliseconds >= 1 {
      detail(.milliseconds(stage.milliseconds), stage.name)
    }
    detail(.seconds(made.kernelSeconds), "kernels")
    detail(.seconds(made.programSeconds + made.linkSeconds), "link")
  }

  /// Writes to standard error; that nobody reads it stops nothing.
  static func write(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }

  static func bytes(_ count: Int) -> String {
    switch count {
    case ..<10_000: "\(count) B"
    case ..<10_000_000: String(format: "%.1f kB", Double(count) / 1e3)
    default: String(format: "%.1f MB", Double(count) / 1e6)
    }
  }

  /// A line cut to the terminal's width, with a mark where it was cut.
  static func fitting(_ line: String) -> String {
    guard let columns, line.count > columns else { return line }
    return line.prefix(columns - 1) + "…"
  }

  /// A line broken at spaces where the terminal ends, its further parts indented.
  static func wrapped(_ line: String, indent: Int) -> String {
    guard let columns, columns > indent + 20 else { return line }
    var lines = [""]
    for (number, word) in line.split(separator: " ", omittingEmptySubsequences: false).enumerated() {
      if lines[lines.count - 1].count + 1 + word.count > columns, !lines[lines.count - 1].allSatisfy({ $0 == " " }) {
        lines.append(String(repeating: " ", count: indent) + word)
      } else {
        lines[lines.count - 1] += (number == 0 ? "" : " ") + word
      }
    }
    return lines.joined(separator: "\n")
  }
}
