extension Dim {
  /// What a size becomes when it is resampled by a factor: the product, rounded to 32 bits as runtimes compute it, and rounded down. So seven
  /// elements by 9/7, which is a little less in 32 bits, are nine. From 2²³ on, where 32 bits hold no fractions, it is the product itself.
  ///
  /// - Parameter factor: finite and at least zero.
  public static func scaled(_ size: Dim, by factor: Float) -> Dim {
    if factor == 0 { return 0 }
    guard factor > 0, factor.isFinite, !size.isOverflow else { return .overflow }
    return scaled(size, bits: Dim(Int(factor.bitPattern)))
  }

  /// - Parameter bits: those of the factor.
  static func scaled(_ size: Dim, bits: Dim) -> Dim {
    guard let pattern = bits.value, let factor = factor(pattern), !size.isOverflow else { return .overflow }
    if let number = size.value { return scaled(number, bits: pattern).map { Dim($0) } ?? .overflow }
    // Halves of integers are exact below 2²³, so that this is a quotient like any other.
    let doubled = factor * 2
    if doubled == doubled.rounded(), doubled < 0x1p30 { return size * Dim(Int(doubled)) / 2 }
    return Dim(atom: .scaled(size, bits))
  }

  /// The same for a number; nil where the result is no 64-bit integer.
  static func scaled(_ size: Int, bits: Int) -> Int? {
    guard let factor = factor(bits) else { return nil }
    let product = Double(size) * Double(factor)
    guard product.magnitude < 0x1p62 else { return nil }
    return Int((product.magnitude < 0x1p23 ? Double(Float(product)) : product).rounded(.down))
  }

  /// The factor that some bits are.
  package static func factor(_ bits: Int) -> Float? {
    guard let pattern = UInt32(exactly: bits) else { return nil }
    let factor = Float(bitPattern: pattern)
    return factor > 0 && factor.isFinite ? factor : nil
  }
}

extension DimBounds {
  /// What numbers within these become when they are scaled, which keeps their order.
  func scaled(bits: DimBounds) -> DimBounds {
    guard let pattern = bits.lower else { return DimBounds(nil, nil) }
    return DimBounds(
      lower.flatMap { Dim.scaled($0, bits: pattern) }, upper.flatMap { Dim.scaled($0, bits: pattern) })
  }
}
