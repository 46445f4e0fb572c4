import ArgumentParser
import Sinter

@main
struct SinterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "sinter")
}
