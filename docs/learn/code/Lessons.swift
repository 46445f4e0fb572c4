import Foundation
import Sinter

/// The programs of the lessons in `docs/learn`: `lessons 3` runs that of the third in the current folder.
///
/// What stands between `// region: NAME` and `// endregion` is what the pages show.
@main
enum Lessons {
  static let all: [@Sendable () throws -> Void] = [
    computationGraph, tracing, fusion, machineCode, onnxFiles, quantization, ownOperator, ownPass,
  ]

  static func main() {
    let arguments = CommandLine.arguments
    // As `sinter opt --plugin` calls it, in the eighth lesson.
    if ["passes", "run"].contains(arguments.dropFirst().first) { runAsPlugin() }
    guard arguments.count == 2, let number = Int(arguments[1]), all.indices.contains(number - 1) else {
      print("usage: lessons NUMBER, with a number from 1 to \(all.count)")
      exit(2)
    }
    do {
      try all[number - 1]()
    } catch {
      print(error)
      exit(1)
    }
  }
}
