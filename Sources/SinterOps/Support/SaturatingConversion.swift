extension FixedWidthInteger {
  /// The integer nearest to zero that `value` rounds to, or the least or greatest one where it lies outside; 0 for NaN.
  init(saturating value: Double) {
    if value.isNaN {
      self = 0
    } else if value >= Double(Self.max) {
      self = .max
    } else if value <= Double(Self.min) {
      self = .min
    } else {
      self = Self(value)
    }
  }
}
