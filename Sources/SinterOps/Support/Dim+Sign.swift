import SinterCore

extension Dim {
  /// Whether this is at least zero for certain.
  var isNonnegative: Bool { (bounds().lower ?? -1) >= 0 }

  /// Whether this is below zero for certain.
  var isNegative: Bool { (bounds().upper ?? 0) < 0 }

  /// This, or zero where it is less.
  var clampedToZero: Dim {
    if isNonnegative { return self }
    if let upper = bounds().upper, upper <= 0 { return 0 }
    return Dim.max(self, 0)
  }
}
