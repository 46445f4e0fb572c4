import Glibc
import SinterCore

/// How far values lie from those that they should be: sums of squares.
package struct ErrorSums: Sendable {
  package private(set) var signal = 0.0
  package private(set) var noise = 0.0

  package init() {}

  mutating func add(signal: Double, noise: Double) {
    self.signal += signal
    self.noise += noise
  }

  /// Adds what a tensor differs from a reference. Infinities that are in both are equal; else nothing is further off.
  package mutating func add(_ tensor: HostTensor, reference: HostTensor) {
    let (values, references) = (tensor.doubles ?? [], reference.doubles ?? [])
    guard values.count == references.count else {
      noise = .infinity
      return
    }
    for (value, reference) in zip(values, references) {
      if value == reference || value.isNaN && reference.isNaN {
        if reference.isFinite { signal += reference * reference }
        continue
      }
      guard value.isFinite, reference.isFinite else {
        noise = .infinity
        continue
      }
      signal += reference * reference
      noise += (value - reference) * (value - reference)
    }
  }

  /// The root mean square of the differences beside that of the reference.
  package var loss: Double {
    if noise == 0 { return 0 }
    return signal == 0 ? .infinity : (noise / signal).squareRoot()
  }

  /// The same as a ratio of signal to noise, in decibels; nil where there is no noise, or nothing else.
  package var decibels: Double? { noise > 0 && signal > 0 && noise.isFinite ? 10 * log10(signal / noise) : nil }
}
