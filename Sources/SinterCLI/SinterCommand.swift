import ArgumentParser
import Sinter

@main
struct SinterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sinter", abstract: "Compile models ahead of time into libraries that need nothing but libc.",
    version: SinterVersion.current, subcommands: [CompileCommand.self])
}
