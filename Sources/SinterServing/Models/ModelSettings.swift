package import SinterCore

/// How a model is served: the server's options, and what the model's own `serve.json` says instead.
package struct ModelSettings: Hashable, Sendable {
  /// Requests, or batches of them, that run at once; each on a thread and in a session of its own.
  package var instances = 1
  /// Threads of each session; 0 for all.
  package var threads = 0
  /// Rows of requests that run as one; 1 for none.
  package var maximumBatch = 1
  /// Milliseconds for which the first of a batch waits for others.
  package var maximumDelay = 0.0
  /// Requests that wait; more are refused.
  package var queue = 256
  /// Milliseconds after which a request that says nothing else is given up.
  package var timeout = 30_000.0
  /// Of requests that name no version, how many each gets, beside one another; empty where the highest gets all.
  package var split: [String: Int] = [:]

  package init() {}

  /// These settings with those of a text such as `{"max_batch": 16, "split": {"1": 9, "2": 1}}`.
  package func reading(_ text: TensorBytes) throws(Refusal) -> ModelSettings {
    var settings = self
    var problem: Refusal?
    text.withBytes { bytes in
      do throws(Refusal) {
        var cursor = JSONCursor(bytes)
        try cursor.object { name, cursor throws(Refusal) in
          switch name {
          case "instances": settings.instances = try cursor.integer()
          case "threads": settings.threads = try cursor.integer()
          case "max_batch": settings.maximumBatch = try cursor.integer()
          case "max_delay_ms": settings.maximumDelay = try cursor.number().double
          case "queue": settings.queue = try cursor.integer()
          case "timeout_ms": settings.timeout = try cursor.number().double
          case "split":
            settings.split = [:]
            try cursor.object { version, cursor throws(Refusal) in settings.split[version] = try cursor.integer() }
          default: throw .badRequest("there is no setting '\(name)'")
          }
        }
        try cursor.expectEnd()
      } catch {
        problem = error
      }
    }
    if let problem { throw problem }
    if let wrong = settings.problem() { throw .badRequest(wrong) }
    return settings
  }

  /// These settings but for what says nothing of how a single version is run.
  var withoutSplit: ModelSettings {
    var settings = self
    settings.split = [:]
    return settings
  }

  /// Where settings stand, by which they are named in what is wrong with them.
  package enum Source: Sendable { case file, options }

  /// What is wrong with them, in words and units of where they stand.
  package func problem(in source: Source = .file) -> String? {
    func name(_ file: String, _ option: String) -> String { source == .file ? file : option }
    for (name, value, range) in [
      (name("instances", "--instances"), instances, 1...1024), (name("threads", "--threads"), threads, 0...1024),
      (name("max_batch", "--max-batch"), maximumBatch, 1...1_000_000), (name("queue", "--queue"), queue, 1...1_000_000),
    ] where !range.contains(value) {
      return "\(name) is \(value), expected \(range.lowerBound) to \(range.upperBound)"
    }
    if !(0...60_000).contains(maximumDelay) {
      return "\(name("max_delay_ms", "--max-delay")) is \(maximumDelay), expected 0 to 60000"
    }
    if !(1...86_400_000).contains(timeout) {
      return source == .file
        ? "timeout_ms is \(timeout), expected 1 to 86400000"
        : "--timeout is \(timeout / 1000), expected 0.001 to 86400"
    }
    if let (version, weight) = split.first(where: { !(0...1_000_000).contains($0.value) }) {
      return "split gives \(weight) to version \(version), expected 0 to 1000000"
    }
    if !split.isEmpty, split.values.allSatisfy({ $0 == 0 }) { return "split gives nothing to any version" }
    return nil
  }
}
