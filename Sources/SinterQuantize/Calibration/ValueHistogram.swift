import SinterCore

/// What values a tensor took, over any number of runs, in memory that does not grow with them.
///
/// Either side of zero has the same number of bins. Their width is a power of two, the least with which the values seen so far find room:
/// when a larger one comes, neighbours are joined. The histogram of many parts is therefore the same as that of all at once, in any order.
package struct ValueHistogram: Sendable {
  private static let binBits = 12
  /// Bins on each side of zero.
  package static let binCount = 1 << binBits

  /// The width of a bin; zero as long as nothing but zeros was seen.
  package private(set) var width = 0.0
  /// How many values lie at k·width ..< (k + 1)·width, for each k.
  package private(set) var positive = [Int](repeating: 0, count: binCount)
  /// The same for their negatives.
  package private(set) var negative = [Int](repeating: 0, count: binCount)
  /// Values that are exactly zero, which are in no bin: each range can tell them.
  package private(set) var zeros = 0
  /// All values that are finite.
  package private(set) var count = 0
  /// Infinities and those that are no numbers.
  package private(set) var strange = 0
  package private(set) var minimum = 0.0
  package private(set) var maximum = 0.0

  package init() {}

  /// Counts the elements of a tensor of type f32.
  package mutating func add(_ tensor: HostTensor) {
    // What comes from files need not be aligned.
    let floats = tensor.array(of: Float.self)
    floats.withUnsafeBufferPointer { add($0) }
  }

  package mutating func add(_ values: UnsafeBufferPointer<Float>) {
    var (low, high) = (Float.infinity, -Float.infinity)
    for value in values where value.isFinite {
      low = min(low, value)
      high = max(high, value)
    }
    guard low <= high else {
      strange += values.count
      return
    }
    minimum = count == 0 ? Double(low) : min(minimum, Double(low))
    maximum = count == 0 ? Double(high) : max(maximum, Double(high))
    makeRoom(for: Double(max(abs(low), abs(high))))
    let scale = width > 0 ? 1 / width : 0
    var (zeros, strange) = (0, 0)
    positive.withUnsafeMutableBufferPointer { positive in
      negative.withUnsafeMutableBufferPointer { negative in
        for value in values {
          if value == 0 {
            zeros += 1
          } else if !value.isFinite {
            strange += 1
          } else if value > 0 {
            positive[Int(Double(value) * scale)] += 1
          } else {
            negative[Int(-Double(value) * scale)] += 1
          }
        }
      }
    }
    self.zeros += zeros
    self.strange += strange
    count += values.count - strange
  }

  /// Widens the bins until the magnitude lies in one.
  private mutating func makeRoom(for magnitude: Double) {
    guard magnitude > 0, magnitude >= width * Double(Self.binCount) else { return }
    let needed = Double(sign: .plus, exponent: Int(magnitude.exponent) + 1 - Self.binBits, significand: 1)
    if width > 0 {
      let shift = Int(needed.exponent - width.exponent)
      positive = Self.joined(positive, shift)
      negative = Self.joined(negative, shift)
    }
    width = needed
  }

  private static func joined(_ bins: [Int], _ shift: Int) -> [Int] {
    var result = [Int](repeating: 0, count: bins.count)
    for (index, count) in bins.enumerated() where count > 0 {
      result[shift < Int.bitWidth ? index >> shift : 0] += count
    }
    return result
  }
}

extension ValueHistogram {
  /// Bins that hold something, with the middle of each; zeros apart.
  var masses: [(value: Double, count: Int)] {
    var result: [(Double, Int)] = []
    for (index, count) in negative.enumerated().reversed() where count > 0 {
      result.append((-(Double(index) + 0.5) * width, count))
    }
    for (index, count) in positive.enumerated() where count > 0 {
      result.append(((Double(index) + 0.5) * width, count))
    }
    return result
  }

  /// The counts of both sides by magnitude.
  var magnitudes: [Int] { zip(positive, negative).map(+) }
}
