import Sinter
import SinterIR
import SinterVisual

/// All figures of a profile, as `sinter profile --json` writes them and `sinter view --profile` reads them.
struct ProfileReport: Codable {
  struct Peaks: Codable {
    var threads: Int
    var gflops: Double
    var gigabytesPerSecond: Double
  }
  struct Kernel: Codable {
    var kernel: String
    var calls: Int
    var milliseconds: Double
    var share: Double
    var gflops: Double?
    var gigabytesPerSecond: Double?
    var layer: String
    var nodes: [String]
  }
  struct Launch: Codable {
    var kernel: String
    var milliseconds: Double
    var flops: Int?
    var bytes: Int?
    var nodes: [String]
  }
  var model: String
  var target: String
  var runs: Int
  var milliseconds: Double
  var kernelMilliseconds: Double
  var peaks: Peaks?
  var kernels: [Kernel]
  var launches: [Launch]

  init(_ profile: RunProfile, _ measured: MachinePeaks?) {
    let total = max(profile.kernelSeconds, .leastNormalMagnitude)
    model = profile.name
    target = profile.target
    runs = profile.runs
    milliseconds = profile.seconds * 1e3
    kernelMilliseconds = profile.kernelSeconds * 1e3
    peaks = measured.map {
      .init(threads: $0.threads, gflops: $0.flopsPerSecond / 1e9, gigabytesPerSecond: $0.bytesPerSecond / 1e9)
    }
    kernels = profile.rows.map { row in
      .init(
        kernel: row.kernel, calls: row.calls, milliseconds: row.seconds * 1e3, share: row.seconds / total,
        gflops: row.flopsPerSecond.map { $0 / 1e9 }, gigabytesPerSecond: row.bytesPerSecond.map { $0 / 1e9 },
        layer: row.layer, nodes: row.origins.map(\.label))
    }
    launches = profile.launches.map { launch in
      .init(
        kernel: launch.kernel, milliseconds: launch.seconds * 1e3, flops: launch.flops, bytes: launch.bytes,
        nodes: launch.origins.map(\.label))
    }
  }
}
