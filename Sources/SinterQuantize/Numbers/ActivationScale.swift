import SinterCore

/// The scale and the zero point of a quantized activation. Zero is a value that it tells exactly.
package struct ActivationScale: Hashable, Sendable {
  package var scale: Float
  package var zeroPoint: Int
  package var element: ElementType

  /// For a range, which is widened to hold zero: u8 with a zero point, or i8 without where it is symmetric.
  package init(_ range: ClosedRange<Double>, symmetric: Bool) {
    let (low, high) = (min(range.lowerBound, 0), max(range.upperBound, 0))
    let step = Float(symmetric ? max(-low, high) / 127 : (high - low) / 255)
    // A step that is no normal number tells nothing but zeros. Any other serves them; that of 0 ... 1 does not make the scale of a bias coarse.
    scale = step >= .leastNormalMagnitude ? step : 1 / (symmetric ? 127 : 255)
    element = symmetric ? .i8 : .u8
    zeroPoint = symmetric ? 0 : max(0, min(255, Int((-low / Double(scale)).rounded(.toNearestOrEven))))
  }

  private var limits: ClosedRange<Double> { element == .i8 ? -128...127 : 0...255 }

  /// The nearest value that can be told, or the outermost.
  func rounded(_ value: Double) -> Double {
    let quotient = (value / Double(scale)).rounded(.toNearestOrEven) + Double(zeroPoint)
    return (max(limits.lowerBound, min(limits.upperBound, quotient)) - Double(zeroPoint)) * Double(scale)
  }

  var scaleTensor: HostTensor { .f32([], [scale]) }
  var zeroTensor: HostTensor { HostTensor(element, [], integers: [Int64(zeroPoint)]) }
}
