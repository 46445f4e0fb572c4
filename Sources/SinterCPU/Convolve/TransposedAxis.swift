import SinterCore
import SinterForms
import SinterKernelIR

/// One spatial axis of a transposed convolution, taken apart into phases.
///
/// A place o of the result meets the element i of the input at tap k where o + pad = i · stride + k · dilation. Places o = y · stride + δ
/// with the same δ (a phase, 0 ..< stride) meet the same taps, so that each phase is a convolution with stride 1 over y by some of the
/// taps: those with k · dilation ≡ δ + pad modulo the stride, in falling order, `tapStep` elements of the input apart. The first of them
/// meets the element y + (δ + pad) / stride + `first`.
struct TransposedAxis {
  /// What the phases share whose residue r = (δ + pad) mod stride is the same.
  struct Residue {
    var taps: [Int]
    var first: Int
  }

  var stride: Int
  var pad: Dim
  /// Places of the result in all, and in the longest phase.
  var extent: Dim
  var places: Dim
  /// Phases that have a place.
  var phases: Int
  var residues: [Residue]
  var tapStep: Int
  /// Whether all phases have equally many places.
  var isEven: Bool
  /// Zeros to put before the input; its size is then at least `needed`.
  var before: Dim
  var needed: Dim

  init(input: Dim, result: Dim, window: Int, stride given: Int, dilation: Int, pad: Dim) {
    // Where the input has one element, the stride means nothing: such that each phase has one tap at most.
    let stride = input == 1 ? Swift.max(given, window * dilation) : given
    self.stride = stride
    self.pad = pad
    extent = result
    let places = result.ceilDivided(by: Dim(stride))
    self.places = places
    let phases = Swift.max(1, Swift.min(stride, result.value ?? stride))
    self.phases = phases
    let residues = (0..<stride).map { residue in
      let taps = (0..<window).reversed().filter { (residue - $0 * dilation) % stride == 0 }
      return Residue(taps: taps, first: taps.first.map { (residue - $0 * dilation) / stride } ?? 0)
    }
    self.residues = residues
    var factor = (dilation, stride)
    while factor.1 > 0 { factor = (factor.1, factor.0 % factor.1) }
    let tapStep = dilation / factor.0
    self.tapStep = tapStep
    let simplifier = IndexSimplifier()
    isEven = places == 1 || simplifier.simplified(result % Dim(stride)) == 0

    // The elements that phases meet, beyond y.
    func span(_ residue: Residue) -> (Int, Int)? {
      residue.taps.isEmpty ? nil : (residue.first, residue.first + (residue.taps.count - 1) * tapStep)
    }
    var (low, high): (Dim, Dim)
    if let pad = pad.value {
      let spans = (0..<phases).compactMap { phase -> (Int, Int)? in
        let at = Dim.floorDivide(phase + pad, stride)
        return span(residues[phase + pad - at * stride]).map { ($0.0 + at, $0.1 + at) }
      }
      (low, high) = (Dim(spans.map(\.0).min() ?? 0), Dim(spans.map(\.1).max() ?? 0))
    } else {
      let spans = residues.compactMap(span)
      low = pad / Dim(stride) + Dim(spans.map(\.0).min() ?? 0)
      high = (pad + Dim(stride - 1)) / Dim(stride) + Dim(spans.map(\.1).max() ?? 0)
    }
    let before = simplifier.simplified(Dim.max(0, Dim(0) - low))
    self.before = before
    needed = simplifier.simplified(before + high + places)
  }

  /// Whether the input serves as it lies.
  func isInside(_ input: Dim) -> Bool {
    let simplifier = IndexSimplifier()
    return before == 0 && simplifier.isNonNegative(simplifier.simplified(input - needed))
  }

  /// The number of taps, where all phases have equally many.
  var commonTaps: Int? {
    let counts = Set(residues.map(\.taps.count))
    return counts.count == 1 ? counts.first : nil
  }
}

extension [TransposedAxis] {
  /// For each axis and each residue, in a table of one axis: the number of taps, the first element met, and the taps of the residues before.
  var table: HostTensor {
    let entries = flatMap { axis in
      var before = 0
      return axis.residues.flatMap { residue in
        defer { before += residue.taps.count }
        return [residue.taps.count, residue.first, before]
      }
    }
    return .i64([entries.count], entries)
  }

  /// The taps of each combination of residues, as offsets in the window (row-major), residues of the last axis changing fastest.
  func parts(window: [Int]) -> [[Int]] {
    var parts = [[0]]
    for (axis, size) in zip(self, window) {
      parts = parts.flatMap { taps in
        axis.residues.map { residue in taps.flatMap { tap in residue.taps.map { tap * size + $0 } } }
      }
    }
    return parts
  }
}
