import Foundation

/// The figures of one combination, for people and for programs.
struct BenchResult: Encodable {
  var model: String
  var sizes: [String]
  var threads: Int
  var measurement: Measurement
  /// From the outputs of another model, where one was given.
  var differences: [OutputDifference]?

  /// Rows of the histogram, the last for what took longer than most.
  private static let rows = 8
  private static let width = 40

  var text: String {
    let name = [model] + sizes + [threads == 0 ? "all threads" : threads == 1 ? "1 thread" : "\(threads) threads"]
    let latencies = [
      ("min", measurement.percentile(0)), ("median", measurement.percentile(0.5)), ("mean", measurement.mean),
      ("p90", measurement.percentile(0.9)), ("p99", measurement.percentile(0.99)), ("max", measurement.percentile(1)),
    ]
    let lines = [
      name.joined(separator: ", "),
      "  latency               "
        + latencies.map { "\($0.0) \(Self.number($0.1))" }.joined(separator: "  ")
        + " ms; \(measurement.runs.count) runs",
      "  throughput            \(String(format: "%.4g", 1 / max(measurement.mean, .leastNormalMagnitude))) runs a second",
      "  open to first result  \(Self.number(measurement.open + measurement.firstRun)) ms, after "
        + "\(Self.number(measurement.load)) ms to load",
      "  resident memory       \(Terminal.bytes(measurement.bytesAtMost)) at most, "
        + "\(Terminal.bytes(measurement.bytesBefore)) of them before the library was loaded",
    ]
    return (lines + (differences ?? []).map(\.text) + histogram).joined(separator: "\n")
  }

  /// Milliseconds with four digits.
  private static func number(_ seconds: Double) -> String {
    let value = seconds * 1e3
    let decimals = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : value >= 1 ? 3 : 5
    return String(format: "%.\(decimals)f", value)
  }

  /// How many runs took how long: equal steps up to where nearly all runs lie, then the rest.
  private var histogram: [String] {
    let (low, high) = (measurement.percentile(0), measurement.percentile(0.95))
    guard high > low else { return [] }
    let step = (high - low) / Double(Self.rows - 1)
    var counts = [Int](repeating: 0, count: Self.rows)
    for time in measurement.runs { counts[min(Self.rows - 1, Int((time - low) / step))] += 1 }
    let most = counts.max() ?? 1
    let labels = (0..<Self.rows).map { row in
      Self.number(low + Double(row) * step) + " – "
        + Self.number(row == Self.rows - 1 ? measurement.percentile(1) : low + Double(row + 1) * step)
    }
    let widest = labels.map(\.count).max() ?? 0
    return zip(labels, counts).map { label, count in
      let bar = String(repeating: "█", count: (count * Self.width + most - 1) / most)
      return "    " + String(repeating: " ", count: widest - label.count) + label + " ms  \(bar) \(count)"
    }
  }

  private enum Keys: String, CodingKey {
    case model, sizes, threads, runs, milliseconds, runsPerSecond, openToFirstResult, load, bytesAtMost, bytesBefore
    case differences
  }

  /// Times in milliseconds.
  func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Keys.self)
    try values.encode(model, forKey: .model)
    try values.encode(sizes, forKey: .sizes)
    try values.encode(threads, forKey: .threads)
    try values.encode(measurement.runs.count, forKey: .runs)
    let latencies = [
      "min": measurement.percentile(0), "median": measurement.percentile(0.5), "mean": measurement.mean,
      "p90": measurement.percentile(0.9), "p99": measurement.percentile(0.99), "max": measurement.percentile(1),
    ]
    try values.encode(latencies.mapValues { $0 * 1e3 }, forKey: .milliseconds)
    try values.encode(1 / max(measurement.mean, .leastNormalMagnitude), forKey: .runsPerSecond)
    try values.encode((measurement.open + measurement.firstRun) * 1e3, forKey: .openToFirstResult)
    try values.encode(measurement.load * 1e3, forKey: .load)
    try values.encode(measurement.bytesAtMost, forKey: .bytesAtMost)
    try values.encode(measurement.bytesBefore, forKey: .bytesBefore)
    try values.encodeIfPresent(differences, forKey: .differences)
  }
}
