internal import Synchronization

/// How often values fell into ranges, for Prometheus.
package struct Histogram: Sendable {
  package let bounds: [Double]
  /// One for each bound, and one for what is beyond the last.
  package private(set) var counts: [Int]
  package private(set) var sum = 0.0

  package init(_ bounds: [Double]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
  }

  package var count: Int { counts.reduce(0, +) }

  package mutating func add(_ value: Double) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
    sum += value
  }

  static let seconds = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  ]
  static let rows = [1.0, 2, 4, 8, 16, 32, 64, 128, 256]
}

/// What happened to the requests of one model version.
package final class Counters: Sendable {
  package enum Outcome: String, CaseIterable, Sendable { case answered, refused, failed, overloaded, expired }

  package struct Numbers: Sendable {
    package var outcomes: [Outcome: Int] = [:]
    /// From the arrival to the answer.
    package var request = Histogram(Histogram.seconds)
    /// From the arrival to the beginning of the run.
    package var queue = Histogram(Histogram.seconds)
    /// The runs themselves.
    package var compute = Histogram(Histogram.seconds)
    /// Requests a run.
    package var batch = Histogram(Histogram.rows)
  }

  private let state = Mutex(Numbers())

  package init() {}

  package var numbers: Numbers { state.withLock { $0 } }

  func finished(_ outcome: Outcome, seconds: Double) {
    state.withLock { numbers in
      numbers.outcomes[outcome, default: 0] += 1
      numbers.request.add(seconds)
    }
  }

  func ran(waits: [Double], compute: Double) {
    state.withLock { numbers in
      for wait in waits { numbers.queue.add(wait) }
      numbers.compute.add(compute)
      numbers.batch.add(Double(waits.count))
    }
  }
}

extension Counters.Outcome {
  init(_ refusal: Refusal) {
    switch refusal.kind {
    case .overloaded, .stopping: self = .overloaded
    case .expired: self = .expired
    case .failed: self = .failed
    case .badRequest, .notFound, .methodNotAllowed, .slowClient, .tooLarge, .unsupportedMedia, .unprocessable:
      self = .refused
    }
  }
}
