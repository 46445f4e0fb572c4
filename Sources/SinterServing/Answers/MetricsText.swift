/// The numbers of a server in the text format of Prometheus.
package enum MetricsText {
  package static func of(_ service: InferenceService) -> String {
    var text = ""
    let versions = service.table.all.map { ($0, $0.counters.numbers, $0.queueCounts) }
    func family(_ name: String, _ kind: String, _ help: String) {
      text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }
    family("sinter_ready", "gauge", "1 while the server takes requests.")
    text += "sinter_ready \(service.isReady ? 1 : 0)\n"
    family("sinter_stray_requests_total", "counter", "Requests refused before a model was found for them, by status.")
    for (status, count) in service.strayCounts.sorted(by: { $0.key < $1.key }) {
      text += "sinter_stray_requests_total{status=\"\(status)\"} \(count)\n"
    }
    family("sinter_requests_total", "counter", "Requests to a model version, by what became of them.")
    for (version, numbers, _) in versions {
      for outcome in Counters.Outcome.allCases {
        text +=
          "sinter_requests_total{\(labels(version)),outcome=\"\(outcome.rawValue)\"} \(numbers.outcomes[outcome] ?? 0)\n"
      }
    }
    family("sinter_requests_waiting", "gauge", "Requests that wait for their turn.")
    for (version, _, counts) in versions { text += "sinter_requests_waiting{\(labels(version))} \(counts.waiting)\n" }
    family("sinter_requests_running", "gauge", "Requests that run.")
    for (version, _, counts) in versions { text += "sinter_requests_running{\(labels(version))} \(counts.running)\n" }
    let histograms: [(String, String, KeyPath<Counters.Numbers, Histogram>)] = [
      ("sinter_request_seconds", "From the arrival of a request to its answer.", \.request),
      ("sinter_queue_seconds", "From the arrival of a request to the beginning of its run.", \.queue),
      ("sinter_compute_seconds", "How long runs took, each of one request or a batch.", \.compute),
      ("sinter_batch_requests", "How many requests ran together.", \.batch),
    ]
    for (name, help, path) in histograms {
      family(name, "histogram", help)
      for (version, numbers, _) in versions { text += histogram(name, labels(version), numbers[keyPath: path]) }
    }
    return text
  }

  private static func histogram(_ name: String, _ labels: String, _ histogram: Histogram) -> String {
    var (text, total) = ("", 0)
    for (bound, count) in zip(histogram.bounds, histogram.counts) {
      total += count
      text += "\(name)_bucket{\(labels),le=\"\(bound)\"} \(total)\n"
    }
    text += "\(name)_bucket{\(labels),le=\"+Inf\"} \(histogram.count)\n"
    return text + "\(name)_sum{\(labels)} \(histogram.sum)\n\(name)_count{\(labels)} \(histogram.count)\n"
  }

  private static func labels(_ version: ServedVersion) -> String {
    "model=\"\(escaped(version.signature.name))\",version=\"\(escaped(version.version))\""
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }
}
