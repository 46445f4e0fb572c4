import Sinter
import SinterIR
import SinterModel
import SinterVisual

/// What the launches of a run take: the medians over several runs.
struct RunProfile {
  /// One launch of a run. Times are in seconds.
  struct Launch {
    var kernel: String
    var origins: [Origin]
    var begin: Double
    var seconds: Double
    var flops: Int?
    var bytes: Int?
  }

  /// Launches of equal kernels.
  struct Row {
    var kernel: String
    var calls = 0
    var seconds = 0.0
    /// Of the launches where they are known, and what those took.
    var flops = 0, bytes = 0
    var flopSeconds = 0.0, byteSeconds = 0.0
    /// Each once, in the order of their first launch.
    var origins: [Origin] = []

    var flopsPerSecond: Double? { flopSeconds > 0 ? Double(flops) / flopSeconds : nil }
    var bytesPerSecond: Double? { byteSeconds > 0 ? Double(bytes) / byteSeconds : nil }

    var layer: String { origins.commonLayers.joined(separator: ".") }
  }

  var name: String
  var target: String
  var runs: Int
  /// A whole run, what is outside of kernels included.
  var seconds: Double
  /// Each launch of a run, in order, with its median time.
  var launches: [Launch]
  /// The same launches in the run that took the median time, as they were.
  var typical: [Launch]

  /// Runs twice to warm up, then `runs` times.
  init(of session: Session, on inputs: [HostValue], runs: Int) throws {
    let repeated = try session.repeating(values: inputs)
    try repeated.run()
    let clock = ContinuousClock()
    var all: [(seconds: Double, launches: [KernelLaunch])] = []
    for _ in 0..<runs {
      let time = try clock.measure { try repeated.run() }
      all.append((time.seconds, try session.launches()))
    }
    all.sort { $0.seconds < $1.seconds }
    let median = all[all.count / 2]
    name = session.library.name
    target = session.library.target
    self.runs = runs
    seconds = median.seconds
    typical = median.launches.map(Launch.init)
    launches = typical
    for index in launches.indices {
      // The same sizes give the same launches, unless data decide how many iterations a loop has.
      launches[index].seconds =
        all.compactMap { run in
          run.launches.indices.contains(index) ? run.launches[index].seconds : nil
        }.median
    }
  }

  /// In kernels.
  var kernelSeconds: Double { launches.reduce(0) { $0 + $1.seconds } }

  /// Equal kernels together, the dearest first.
  var rows: [Row] {
    var rows: [String: Row] = [:]
    for launch in launches {
      var row = rows[launch.kernel] ?? Row(kernel: launch.kernel)
      row.calls += 1
      row.seconds += launch.seconds
      if let flops = launch.flops {
        row.flops += flops
        row.flopSeconds += launch.seconds
      }
      if let bytes = launch.bytes {
        row.bytes += bytes
        row.byteSeconds += launch.seconds
      }
      for origin in launch.origins where !row.origins.contains(origin) { row.origins.append(origin) }
      rows[launch.kernel] = row
    }
    return rows.values.sorted { ($1.seconds, $0.kernel) < ($0.seconds, $1.kernel) }
  }
}

extension RunProfile.Launch {
  fileprivate init(_ launch: KernelLaunch) {
    kernel = launch.kernel
    origins = launch.origins.map { Origin(parsing: $0) }
    begin = launch.begin
    seconds = launch.seconds
    flops = launch.flops
    bytes = launch.bytes
  }
}

extension [Double] {
  /// The value in the middle; of an even number the upper one. Zero where there is none.
  var median: Double { isEmpty ? 0 : sorted()[count / 2] }
}

extension Duration {
  var seconds: Double {
    let (whole, attoseconds) = components
    return Double(whole) + Double(attoseconds) * 1e-18
  }
}
