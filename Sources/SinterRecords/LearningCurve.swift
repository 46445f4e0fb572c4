import Foundation
import Sinter

/// A drawing of what was measured over the epochs, as SVG.
///
///     try LearningCurve(history, of: "loss").save("loss.svg")
public struct LearningCurve: Sendable {
  /// A line of the drawing.
  public struct Line: Sendable {
    /// What the legend calls it.
    public var name: String
    /// Its points, from left to right.
    public var points: [(x: Double, y: Double)]

    /// A line through points from left to right.
    public init(_ name: String, _ points: [(x: Double, y: Double)]) {
      self.name = name
      self.points = points
    }
  }

  /// What stands above.
  public var title: String
  /// The lines.
  public var lines: [Line]
  /// The size of the drawing, in pixels.
  public var width = 640.0, height = 400.0

  /// A drawing of lines with a title above.
  public init(title: String, lines: [Line]) {
    self.title = title
    self.lines = lines
  }

  /// The training's and, where there is one, the validation's numbers of one name.
  public init(_ history: TrainingHistory, of measure: String = "loss") {
    func line(_ name: String, _ values: (TrainingHistory.Epoch) -> [String: Double]) -> Line? {
      let points = history.epochs.compactMap { epoch in values(epoch)[measure].map { (Double(epoch.number), $0) } }
      return points.isEmpty ? nil : Line(name, points)
    }
    self.init(
      title: measure, lines: [line("training") { $0.training }, line("validation") { $0.validation }].compactMap { $0 })
  }

  /// Writes the drawing. What was there is replaced only when all went well.
  public func save(_ path: String) throws { try AtomicFile.write(svg, to: path) }

  private static let colors = ["#1971c2", "#e8590c", "#2f9e44", "#9c36b5", "#e03131", "#0c8599"]
  private static let margin = (left: 64.0, right: 16.0, top: 36.0, bottom: 40.0)

  /// The drawing. Points that are no numbers are left out, and so are lines through them.
  public var svg: String {
    let points = lines.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
    let xs = Axis(points.map(\.x)), ys = Axis(points.map(\.y))
    let m = Self.margin
    func x(_ value: Double) -> Double { m.left + xs.part(value) * (width - m.left - m.right) }
    func y(_ value: Double) -> Double { height - m.bottom - ys.part(value) * (height - m.top - m.bottom) }
    var out = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Self.short(width)) \(Self.short(height))\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
      "<text x=\"\(Self.short(width / 2))\" y=\"20\" text-anchor=\"middle\" font-size=\"14\">\(Self.escaped(title))</text>",
    ]
    for tick in ys.ticks {
      let at = Self.short(y(tick))
      out.append("<path d=\"M\(m.left) \(at)H\(Self.short(width - m.right))\" stroke=\"#dee2e6\"/>")
      out.append(
        "<text x=\"\(m.left - 6)\" y=\"\(at)\" text-anchor=\"end\" dominant-baseline=\"middle\">\(Axis.text(tick))</text>"
      )
    }
    for tick in xs.ticks {
      let at = Self.short(x(tick)), bottom = Self.short(height - m.bottom)
      out.append("<path d=\"M\(at) \(bottom)v4\" stroke=\"#495057\"/>")
      out.append(
        "<text x=\"\(at)\" y=\"\(Self.short(height - m.bottom + 18))\" text-anchor=\"middle\">\(Axis.text(tick))</text>"
      )
    }
    for (index, line) in lines.enumerated() {
      let color = Self.colors[index % Self.colors.count]
      // A line ends where a number is missing, and begins anew behind it.
      var path = "", isDrawing = false
      for point in line.points {
        guard point.x.isFinite, point.y.isFinite else {
          isDrawing = false
          continue
        }
        path += "\(isDrawing ? "L" : "M")\(Self.short(x(point.x))) \(Self.short(y(point.y)))"
        isDrawing = true
        out.append(
          "<circle cx=\"\(Self.short(x(point.x)))\" cy=\"\(Self.short(y(point.y)))\" r=\"2\" fill=\"\(color)\"/>")
      }
      out.append("<path d=\"\(path)\" fill=\"none\" stroke=\"\(color)\" stroke-width=\"1.5\"/>")
      let at = m.top + 14 + 16 * Double(index)
      out.append(
        "<path d=\"M\(Self.short(width - 130)) \(Self.short(at))h18\" stroke=\"\(color)\" stroke-width=\"2\"/>")
      out.append(
        "<text x=\"\(Self.short(width - 106))\" y=\"\(Self.short(at))\" dominant-baseline=\"middle\">\(Self.escaped(line.name))</text>"
      )
    }
    return (out + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private static func short(_ value: Double) -> String { String(format: "%.6g", (value * 10).rounded() / 10) }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }
}

/// A scale with round numbers on it.
private struct Axis {
  let low: Double, high: Double
  let ticks: [Double]

  init(_ values: [Double]) {
    var (least, greatest) = (values.min() ?? 0, values.max() ?? 1)
    if least == greatest {
      (least, greatest) = (least - max(abs(least) / 2, 0.5), greatest + max(abs(greatest) / 2, 0.5))
    }
    // Five steps or so, of 1, 2 or 5 times a power of ten.
    let rough = (greatest / 5 - least / 5)
    let power = pow(10, floor(log10(rough)))
    let step = [1.0, 2, 5, 10].first { $0 * power >= rough }.map { $0 * power } ?? rough
    let first = floor(least / step), last = ceil(greatest / step)
    (low, high) = (first * step, last * step)
    ticks = last - first < 20 ? (0...Int(last - first)).map { (first + Double($0)) * step } : [least, greatest]
  }

  func part(_ value: Double) -> Double { high > low ? (value - low) / (high - low) : 0.5 }

  static func text(_ value: Double) -> String { String(format: "%.4g", abs(value) < 1e-300 ? 0 : value) }
}
