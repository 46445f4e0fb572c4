import ArgumentParser
import Foundation
import Sinter
import SinterCore
import SinterLLVM

@main
enum Main {
  static func main() {
    StandardStreams.occupy()
    Interruption.prepare()
    FatalErrors.endProcessWithMessage()
    var name: String?
    do {
      let arguments = Array(CommandLine.arguments.dropFirst())
      if let type = SinterCommand.configuration.subcommands.first(where: {
        $0.configuration.commandName == arguments.first
      }) {
        name = type.configuration.commandName
        try RepeatedOptions.check(Array(arguments.dropFirst()), of: type)
      }
      var command = try SinterCommand.parseAsRoot(arguments)
      name = type(of: command).configuration.commandName
      try command.run()
      try StandardOutput.flush()
    } catch let error as DiagnosticError {
      fail(error)
    } catch let status as ExitCode {
      // A result that is told already, such as that two models differ, and no error.
      do throws(DiagnosticError) { try StandardOutput.flush() } catch { fail(error) }
      exit(status.rawValue)
    } catch let error as ValidationError where name != nil {
      // What only running the command told of its arguments; the parser knows no longer which command it was.
      fail(usage: "\(error.message)\n  See 'sinter \(name ?? "") --help' for more information.", status: 2)
    } catch {
      let code = SinterCommand.exitCode(for: error)
      if code == .success {
        StandardOutput.print(SinterCommand.fullMessage(for: error))
        do throws(DiagnosticError) { try StandardOutput.flush() } catch { fail(error) }
        exit(0)
      }
      if let failure = SystemFailure.diagnostic(error) { fail(DiagnosticError([failure])) }
      let message = SinterCommand.fullMessage(for: error)
      fail(
        usage: message.hasPrefix("Error: ") ? String(message.dropFirst("Error: ".count)) : message,
        status: code == .validationFailure ? 2 : 1)
    }
  }

  private static func fail(_ error: DiagnosticError) -> Never {
    // As of any program in a pipeline whose reader has what it wanted.
    if error.diagnostics.allSatisfy({ $0.id == SystemError.brokenPipe }) { Interruption.endByBrokenPipe() }
    let diagnostics = error.diagnostics.map(StandardInput.named)
    if Flags.fromEnvironment().jsonErrors {
      Terminal.error(JSONText.of(diagnostics.map(JSONProblem.init)) ?? "[]")
    } else {
      for diagnostic in diagnostics { Terminal.error(diagnostic) }
    }
    exit(1)
  }

  /// Of what is wrong with the arguments the first line says what, and the others how they are.
  private static func fail(usage text: String, status: Int32) -> Never {
    let lines = text.split(separator: "\n", maxSplits: 1)
    let problem = Diagnostic(.user, "command.usage", lines.first.map(String.init) ?? text)
    if Flags.fromEnvironment().jsonErrors {
      Terminal.error(JSONText.of([JSONProblem(problem)]) ?? "[]")
    } else {
      Terminal.error(problem)
      if lines.count > 1 { Terminal.error(String(lines[1])) }
    }
    exit(status)
  }
}
