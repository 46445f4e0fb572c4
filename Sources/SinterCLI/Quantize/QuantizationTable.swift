import Foundation
import SinterQuantize

/// What quantization did to a model, for people.
struct QuantizationTable {
  let report: QuantizationReport

  init(_ report: QuantizationReport) { self.report = report }

  var text: String {
    let layers = report.layers
    let width = max(5, layers.map(\.name.count).max() ?? 0)
    let hasAlone = layers.contains { $0.lossAlone != nil }
    var lines = [
      "   signal/noise  " + (hasAlone ? "loss alone  " : "") + Self.padded("layer", width) + "  operator"
    ]
    for layer in layers {
      let note = layer.outcome == .quantized ? "" : "  f32: \(layer.outcome.rawValue)"
      let alone = hasAlone ? Self.left(layer.lossAlone.map { Self.number($0) } ?? "", 10) + "  " : ""
      lines.append(
        Self.left(Self.decibels(layer.error), 15) + "  " + alone + Self.padded(layer.name, width) + "  " + layer.opType
          + note)
    }
    for output in report.outputs {
      lines.append(
        Self.left(Self.decibels(output.error), 15)
          + "  output \(output.name): differs by \(Self.number(output.error.loss)) of its root mean square")
    }
    lines.append(summary)
    return lines.joined(separator: "\n")
  }

  private var summary: String {
    let quantized = report.layers.count { $0.outcome == .quantized }
    let left = report.leftForLoss.map(\.name)
    var text = "\(quantized) of \(report.layers.count) layers quantized"
    if !left.isEmpty {
      text += ", \(left.count) left in f32 to keep outputs close enough: " + left.joined(separator: ", ")
    }
    if report.calibrationRuns > 0 {
      text += "; ranges from \(Self.runs(report.calibrationRuns)), errors from \(Self.runs(report.checkedRuns))"
    }
    return text
  }

  private static func runs(_ count: Int) -> String { count == 1 ? "1 run" : "\(count) runs" }

  private static func decibels(_ error: ErrorSums?) -> String {
    guard let error else { return "" }
    return error.decibels.map { String(format: "%.1f dB", $0) } ?? (error.noise == 0 ? "exact" : "no signal")
  }

  private static func number(_ value: Double) -> String { String(format: "%.4g", value) }
  private static func left(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}

/// The same for programs. What is infinite or was not measured is null.
enum QuantizationReportFile {
  private struct Report: Encodable {
    struct Layer: Encodable {
      var name: String
      var op: String
      var outcome: String
      var signalToNoise: Double?
      var lossAlone: Double?
    }
    struct Output: Encodable {
      var name: String
      var signalToNoise: Double?
      var loss: Double?
    }
    var layers: [Layer]
    var outputs: [Output]
    var loss: Double?
    var quantized: Int
    var calibrationRuns: Int
    var checkedRuns: Int
  }

  static func json(_ report: QuantizationReport) throws -> String {
    func finite(_ value: Double?) -> Double? { value.flatMap { $0.isFinite ? $0 : nil } }
    let content = Report(
      layers: report.layers.map {
        .init(
          name: $0.name, op: $0.opType, outcome: $0.outcome.rawValue, signalToNoise: $0.error?.decibels,
          lossAlone: finite($0.lossAlone))
      },
      outputs: report.outputs.map {
        .init(name: $0.name, signalToNoise: $0.error.decibels, loss: finite($0.error.loss))
      },
      loss: finite(report.loss), quantized: report.layers.count { $0.outcome == .quantized },
      calibrationRuns: report.calibrationRuns, checkedRuns: report.checkedRuns)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(content), as: UTF8.self)
  }
}
