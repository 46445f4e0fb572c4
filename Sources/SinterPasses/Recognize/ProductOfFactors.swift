import SinterCore
import SinterIR
import SinterOps

/// A value as a number times other values, however the products were associated.
///
/// Only products that serve nothing else are taken apart.
struct ProductOfFactors {
  var coefficient = 1.0
  var factors: [ValueID] = []

  init(of value: ValueID, in site: RewriteSite) {
    var work = [(value, isRoot: true)]
    while let (value, isRoot) = work.popLast() {
      if let number = site.number(value) {
        coefficient *= number
      } else if !isRoot && !site.isUsedOnce(value) {
        factors.append(value)
      } else if let (a, b) = site.operands(of: value, .multiply) {
        work += [(b, false), (a, false)]
      } else if let (a, b) = site.operands(of: value, .divide), let number = site.number(b) {
        coefficient /= number
        work.append((a, false))
      } else {
        factors.append(value)
      }
    }
  }

  /// Whether the coefficient is a number up to the rounding of literals in exported models.
  func isScaled(by expected: Double) -> Bool { abs(coefficient - expected) <= 1e-4 * abs(expected) }

  /// The product without one factor that is the given value; nil where none is.
  func removing(_ value: ValueID) -> ProductOfFactors? {
    guard let at = factors.firstIndex(of: value) else { return nil }
    var copy = self
    copy.factors.remove(at: at)
    return copy
  }

  /// The single factor, where there is just one and the coefficient is the given number.
  func single(scaledBy expected: Double) -> ValueID? {
    factors.count == 1 && isScaled(by: expected) ? factors[0] : nil
  }
}
