import SinterCore

/// What the elements of a tensor of numbers look like as a whole. NaN and infinities are counted and belong to nothing else.
package struct WeightStatistics: Sendable {
  package private(set) var minimum = 0.0
  package private(set) var maximum = 0.0
  package private(set) var mean = 0.0
  /// The square root of the mean square distance from the mean, over all elements.
  package private(set) var deviation = 0.0
  package private(set) var finite = 0
  package private(set) var zeros = 0
  package private(set) var notFinite = 0
  /// Counts of elements in ranges of equal width from the least to the greatest.
  package private(set) var histogram: [Int] = []

  package static let bins = 32
  private static let chunk = 1 << 16

  /// Nil for text, complex numbers, and tensors without elements.
  package init?(of tensor: HostTensor) {
    guard tensor.element != .string, tensor.element.kind != .complex, tensor.count > 0 else { return nil }
    var (least, greatest) = (Double.infinity, -Double.infinity)
    var sum = 0.0
    Self.forEachChunk(of: tensor) { values in
      var part = 0.0
      for value in values {
        guard value.isFinite else {
          notFinite += 1
          continue
        }
        if value < least { least = value }
        if value > greatest { greatest = value }
        if value == 0 { zeros += 1 }
        part += value
        finite += 1
      }
      sum += part
    }
    guard finite > 0 else { return }
    (minimum, maximum, mean) = (least, greatest, sum / Double(finite))
    let (low, center) = (least, mean)
    let scale = greatest > least ? Double(Self.bins) / (greatest - least) : 0
    // Of numbers so far apart that their distance overflows there is no picture.
    let isDrawn = scale.isFinite && scale > 0
    var counts = [Int](repeating: 0, count: Self.bins)
    var squares = 0.0
    Self.forEachChunk(of: tensor) { values in
      var part = 0.0
      for value in values where value.isFinite {
        part += (value - center) * (value - center)
        if isDrawn { counts[min(Int((value - low) * scale), Self.bins - 1)] += 1 }
      }
      squares += part
    }
    deviation = (squares / Double(finite)).squareRoot()
    histogram = isDrawn ? counts : []
  }

  /// Hands over the elements, some at a time.
  private static func forEachChunk(of tensor: HostTensor, _ body: ([Double]) -> Void) {
    let bits = tensor.element.bits
    tensor.bytes.withBytes { raw in
      guard let base = raw.baseAddress else { return }
      var begin = 0
      while begin < tensor.count {
        let count = min(chunk, tensor.count - begin)
        // A chunk is a whole number of bytes of whatever type.
        let bytes = TensorBytes(
          at: base + begin * bits / 8, count: tensor.element.byteCount(count), owner: tensor.bytes)
        body(HostTensor(tensor.element, [count], bytes: bytes).doubles ?? [])
        begin += count
      }
    }
  }
}
