import ArgumentParser
import Foundation
import Sinter
import SinterLLVM

@main
enum Main {
  static func main() {
    // A reader that has gone is an error of the write that meets it.
    signal(SIGPIPE, SIG_IGN)
    FatalErrors.endProcessWithMessage()
    do {
      var command = try SinterCommand.parseAsRoot()
      try command.run()
    } catch let error as DiagnosticError {
      if Flags.fromEnvironment().jsonErrors {
        Terminal.error(JSONText.of(error.diagnostics.map(JSONProblem.init)) ?? "[]")
      } else {
        for diagnostic in error.diagnostics { Terminal.error("sinter: \(diagnostic)") }
      }
      exit(1)
    } catch {
      let code = SinterCommand.exitCode(for: error)
      if code == .success {
        print(SinterCommand.fullMessage(for: error))
        exit(0)
      }
      Terminal.error(SinterCommand.fullMessage(for: error))
      exit(code == .validationFailure ? 2 : 1)
    }
  }
}

/// What goes to the user besides results.
enum Terminal {
  /// Progress is shown to people, not to pipes.
  static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 }

  static func error(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

  static func progress(_ text: String) {
    if isInteractive { error(text) }
  }

  static func bytes(_ count: Int) -> String {
    switch count {
    case ..<10_000: "\(count) B"
    case ..<10_000_000: String(format: "%.1f kB", Double(count) / 1e3)
    default: String(format: "%.1f MB", Double(count) / 1e6)
    }
  }
}
