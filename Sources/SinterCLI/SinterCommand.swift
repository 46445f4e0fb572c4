import ArgumentParser
import Sinter

/// The command line. Exit status: 0 when all went well, 1 for a model or file that is wrong, 2 for wrong usage.
struct SinterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sinter", abstract: "Compile models ahead of time into libraries that need nothing but libc.",
    version: SinterVersion.current,
    subcommands: [
      CompileCommand.self, RunCommand.self, ProfileCommand.self, BenchCommand.self, InspectCommand.self,
      CheckCommand.self, QuantizeCommand.self, TuneMachineCommand.self,
      GraphCommand.self, ViewCommand.self, ExportCommand.self, OptCommand.self,
      DiffCommand.self, ReduceCommand.self, ServeCommand.self, MeasureCommand.self,
    ])
}
