import Foundation
import Sinter
import SinterModel

/// What one library took in a process that did nothing else. Times are in seconds.
struct Measurement: Codable {
  /// To load the library; to open a session; the first run.
  var load, open, firstRun: Double
  /// The runs after warming up, from the shortest to the longest.
  var runs: [Double]
  /// Resident bytes: before the library was loaded, and at most from then on.
  var bytesBefore, bytesAtMost: Int

  /// More runs than this tell nothing new.
  private static let mostRuns = 1_000_000

  init(
    library path: String, threads: Int, warmUp: Double, seconds: Double,
    inputs: ([SinterModel.Port]) throws -> [HostValue]
  ) throws {
    let clock = ContinuousClock()
    let ports = try CompiledLibrary(path).inputs
    let values = try inputs(ports)
    Self.forgetPeak()
    bytesBefore = Self.resident("VmRSS")
    let start = clock.now
    let library = try CompiledLibrary(path)
    let loaded = clock.now
    let session = try library.session(threads: threads)
    let opened = clock.now
    let repeated = try session.repeating(values: values)
    let first = clock.now
    load = (loaded - start).seconds
    open = (opened - loaded).seconds
    firstRun = (first - opened).seconds
    runs = []
    var now = first
    while (now - first).seconds < warmUp {
      try repeated.run()
      now = clock.now
    }
    bytesAtMost = Self.resident("VmHWM")
    let begin = now
    repeat {
      let before = now
      try repeated.run()
      now = clock.now
      runs.append((now - before).seconds)
    } while (now - begin).seconds < seconds && runs.count < Self.mostRuns
    runs.sort()
  }

  /// Has the peak begin anew, where the system can: making the inputs may have taken more than the library does.
  private static func forgetPeak() {
    if let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") { try? file.write(contentsOf: Data("5".utf8)) }
  }

  /// A figure of this process's memory, as Linux tells it.
  private static func resident(_ field: String) -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(field + ":") }
    let kilobytes = line.flatMap { Int($0.filter(\.isNumber)) }
    return (kilobytes ?? 0) * 1024
  }

  /// The time that this part of all runs did not exceed.
  func percentile(_ part: Double) -> Double {
    runs.isEmpty ? 0 : runs[min(runs.count - 1, max(0, Int((part * Double(runs.count)).rounded(.up)) - 1))]
  }

  var mean: Double { runs.reduce(0, +) / Double(max(runs.count, 1)) }
}
