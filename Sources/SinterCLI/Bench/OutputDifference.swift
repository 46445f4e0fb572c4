import Foundation
import Sinter

/// How far one output of a model is from that of another on the same inputs.
struct OutputDifference: Codable, Equatable {
  var output: String
  /// The largest difference of two elements, the mean of all, and the largest one relative to the largest magnitude of the other's output. NaN and
  /// infinity differ from all but themselves, by infinity.
  var largest, mean, relative: Double

  init(_ output: String, of own: [Double], from other: [Double]) {
    self.output = output
    var (largest, sum, magnitude) = (0.0, 0.0, 0.0)
    for (a, b) in zip(own, other) {
      let isSame = a == b || a.isNaN && b.isNaN
      let difference = isSame ? 0 : (a - b).isFinite ? abs(a - b) : .infinity
      largest = max(largest, difference)
      sum += difference
      if b.isFinite { magnitude = max(magnitude, abs(b)) }
    }
    self.largest = largest
    mean = sum / Double(max(own.count, 1))
    relative = largest == 0 ? 0 : largest / magnitude
  }

  /// Of all outputs by name. Throws where the other model has no such output, or one of another shape, or one that holds no numbers.
  static func all(
    of own: [(name: String, value: HostValue)], from other: [(name: String, value: HostValue)]
  ) throws -> [OutputDifference] {
    let others = Dictionary(other.map { ($0.name, $0.value) }) { first, _ in first }
    return try own.map { name, value in
      guard let reference = others[name] else {
        throw DiagnosticError(
          .user, "bench.against", "the other model has no output \"\(name)\"",
          hint: "its outputs are " + other.map(\.name).joined(separator: ", "))
      }
      guard case .tensor(let a) = value, case .tensor(let b) = reference, let x = a.doubles, let y = b.doubles else {
        throw DiagnosticError(.user, "bench.against", "output \"\(name)\" is no tensor of numbers in both models")
      }
      guard a.shape == b.shape else {
        throw DiagnosticError(
          .user, "bench.against", "output \"\(name)\" has shape \(a.shape), and \(b.shape) in the other model")
      }
      return OutputDifference(name, of: x, from: y)
    }
  }

  var text: String {
    String(
      format: "  %@: differs by %.3g at most, %.3g in the mean, %.3g of the largest magnitude", output, largest, mean,
      relative)
  }
}
