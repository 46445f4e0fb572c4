import Foundation
import Sinter

/// A profile as people read it.
struct ProfileTable {
  private let profile: RunProfile
  private let peaks: MachinePeaks?

  init(_ profile: RunProfile, _ peaks: MachinePeaks?) {
    self.profile = profile
    self.peaks = peaks
  }

  var text: String {
    var lines = [
      "\(profile.name): \(milliseconds(profile.seconds)) ms per run, \(milliseconds(profile.kernelSeconds)) ms in "
        + "\(profile.launches.count) launches; medians of \(profile.runs) runs"
    ]
    if let peaks {
      lines.append(
        "this machine on \(peaks.threads) \(peaks.threads == 1 ? "thread" : "threads"): "
          + String(
            format: "%.0f GFLOP/s of f32, %.1f GB/s read", peaks.flopsPerSecond / 1e9, peaks.bytesPerSecond / 1e9))
    }
    lines = lines.map { Terminal.wrapped($0, indent: 2) }
    lines.append("")
    lines += table
    return lines.joined(separator: "\n")
  }

  private func milliseconds(_ seconds: Double) -> String {
    String(format: seconds < 1e-4 ? "%.5f" : seconds < 0.1 ? "%.3f" : "%.1f", seconds * 1e3)
  }

  private var table: [String] {
    let heads = ["calls", "ms", "share", "GFLOP/s", "of peak", "GB/s", "of peak", "kernel", "layer", "nodes"]
    let total = max(profile.kernelSeconds, .leastNormalMagnitude)
    let cells = profile.rows.map { row in
      [
        "\(row.calls)", milliseconds(row.seconds), percent(row.seconds / total),
        rate(row.flopsPerSecond), share(row.flopsPerSecond, peaks?.flopsPerSecond),
        rate(row.bytesPerSecond), share(row.bytesPerSecond, peaks?.bytesPerSecond),
        row.kernel, row.layer, nodes(row),
      ]
    }
    let widths = heads.indices.map { column in ([heads] + cells).map { $0[column].count }.max() ?? 0 }
    return ([heads] + cells).map { line in
      var text = ""
      for (column, cell) in line.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        let isNumber = column < 7
        text += (column == 0 ? "" : "  ") + (isNumber ? padding + cell : cell + padding)
      }
      while text.last == " " { text.removeLast() }
      return Terminal.fitting(text)
    }
  }

  private func percent(_ part: Double) -> String { String(format: "%.1f %%", part * 100) }
  private func rate(_ perSecond: Double?) -> String { perSecond.map { String(format: "%.1f", $0 / 1e9) } ?? "" }

  private func share(_ perSecond: Double?, _ peak: Double?) -> String {
    guard let perSecond, let peak, peak > 0 else { return "" }
    return String(format: "%.0f %%", perSecond / peak * 100)
  }

  private func nodes(_ row: RunProfile.Row) -> String {
    let shown = row.origins.prefix(3).map(\.label).joined(separator: ", ")
    return row.origins.count > 3 ? "\(shown) and \(row.origins.count - 3) more" : shown
  }
}
