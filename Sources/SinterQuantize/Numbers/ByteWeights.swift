import SinterCore

/// Weights as i8 without zero points: one scale, or one for each place along an axis.
package struct ByteWeights: Sendable {
  package let shape: [Int]
  /// The axis that scales lie along; nil for one scale.
  package let axis: Int?
  package let scales: [Float]
  package let values: [Int8]

  /// - Parameter atLeast: what scales must not be less than, one for each place along the axis; the greatest counts where there is one scale.
  package init(_ weights: HostTensor, axis: Int?, atLeast: [Float]? = nil) {
    let numbers = weights.array(of: Float.self)
    shape = weights.shape
    self.axis = axis
    let channels = axis.map { weights.shape[$0] } ?? 1
    let inner = axis.map { weights.shape[($0 + 1)...].reduce(1, *) } ?? 1
    func channel(_ index: Int) -> Int { axis == nil ? 0 : index / inner % channels }
    var largest = [Float](repeating: 0, count: channels)
    for (index, number) in numbers.enumerated() { largest[channel(index)] = max(largest[channel(index)], abs(number)) }
    var scales = largest.map { $0 / 127 }
    for place in scales.indices {
      if let atLeast { scales[place] = max(scales[place], axis == nil ? atLeast.max() ?? 0 : atLeast[place]) }
      // Nothing but zeros: any scale will do, and the least one hides no bias.
      if scales[place] < .leastNormalMagnitude { scales[place] = 1 }
    }
    self.scales = scales
    values = numbers.enumerated().map { index, number in
      let quotient = (number / scales[channel(index)]).rounded(.toNearestOrEven)
      return Int8(max(-127, min(127, quotient)))
    }
  }

  package var tensor: HostTensor { HostTensor(.i8, shape, values: values) }
  package var scaleTensor: HostTensor { .f32(axis == nil ? [] : [scales.count], scales) }
  package var zeroTensor: HostTensor {
    HostTensor(.i8, axis == nil ? [] : [scales.count], values: [Int8](repeating: 0, count: scales.count))
  }

  /// What the bytes stand for.
  package var dequantized: HostTensor {
    let channels = scales.count
    let inner = axis.map { shape[($0 + 1)...].reduce(1, *) } ?? 1
    return .f32(
      shape,
      values.enumerated().map { index, value in Float(value) * scales[axis == nil ? 0 : index / inner % channels] })
  }
}

/// A bias as i32, whose scale is the product of the input's and of the weights'.
package struct WideBias: Sendable {
  package let scales: [Float]
  package let values: [Int32]

  package init(_ bias: [Float], input: Float, weights: [Float]) {
    let scales = bias.indices.map { max(input * weights[weights.count == 1 ? 0 : $0], .leastNormalMagnitude) }
    values = zip(bias, scales).map { number, scale in
      let quotient = (Double(number) / Double(scale)).rounded(.toNearestOrEven)
      return Int32(max(Double(Int32.min), min(Double(Int32.max), quotient)))
    }
    self.scales = weights.count == 1 ? Array(scales.prefix(1)) : scales
  }

  /// The least scales of weights with which the bias fits its integers, with room for the sum that it is added to.
  package static func leastScales(for bias: [Float], input: Float) -> [Float] {
    bias.map { number in
      let least = Float(Double(abs(number)) / Double(input) / Self.largest)
      return least >= .leastNormalMagnitude ? least : 0
    }
  }

  /// Half of what an integer holds: the other half is for the sum.
  private static let largest = 0x1p30

  package var tensor: HostTensor { HostTensor(.i32, [values.count], values: values) }
  package var scaleTensor: HostTensor { .f32(scales.count == 1 && values.count != 1 ? [] : [scales.count], scales) }
  package var dequantized: HostTensor {
    .f32([values.count], values.enumerated().map { Float($1) * scales[scales.count == 1 ? 0 : $0] })
  }
}
