import ArgumentParser
import Foundation
import Sinter
import SinterCore

/// `sinter serve`: hands over to `sinter-serve`, a command of its own since it brings a server for HTTP, which nothing else here needs.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve compiled libraries over HTTP and gRPC; runs sinter-serve, whose --help lists the options.",
    discussion: "Example: sinter serve models --port 8000")

  @Argument(parsing: .captureForPassthrough, help: "What sinter-serve takes.")
  var arguments: [String] = []

  private static let missing = "there is no sinter-serve on the PATH or beside sinter"
  private static let remedy = "build it: swift build -c release --traits ServeHTTP --product sinter-serve"

  func run() throws {
    guard let command = Self.command() else {
      if arguments.contains(where: { ["-h", "--help", "-help"].contains($0) }) {
        StandardOutput.print(SinterCommand.helpMessage(for: Self.self))
        return StandardOutput.print("The options are those of sinter-serve, but \(Self.missing); \(Self.remedy)")
      }
      throw DiagnosticError(.user, "serve.command", Self.missing, hint: Self.remedy)
    }
    // This process becomes the server, so that signals reach it.
    var words = ([command] + arguments).map { strdup($0) } + [nil]
    execv(command, &words)
    throw SystemError.diagnostic("serve.command", "\(command) cannot be run", code: errno, path: command)
  }

  private static func command() -> String? {
    let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let beside = own.map { URL(filePath: $0).deletingLastPathComponent().path }
    let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":").map(String.init) ?? []
    return (folders + [beside].compactMap { $0 }).map { $0 + "/sinter-serve" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }
}
