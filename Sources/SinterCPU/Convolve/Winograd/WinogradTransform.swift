import SinterForms
import SinterKernelIR

/// The three matrices of a fast correlation F(m, r): `m` results of a filter of `r` taps, from m + r − 1 products.
///
/// With an input d of m + r − 1 elements and a filter g, the results are `output · ((filter · g) ⊙ (input · d))`. In two dimensions each
/// matrix is applied along either axis. The matrices follow from Toom and Cook's interpolation at the given points and at infinity, transposed
/// (S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016).
struct WinogradTransform: Hashable {
  /// Results along an axis.
  let results: Int
  /// Taps of the filter.
  let taps: Int
  /// [results + taps − 1] × [results + taps − 1].
  let input: [[Double]]
  /// [results + taps − 1] × [taps].
  let filter: [[Double]]
  /// [results] × [results + taps − 1].
  let output: [[Double]]

  /// Elements of the input, and products, along an axis.
  var size: Int { results + taps - 1 }

  /// - Parameter points: results + taps − 2 different numbers. Pairs of opposite numbers make the transforms cheap; numbers near one, exact
  ///   in binary, keep their rounding errors small.
  init(results: Int, taps: Int, points: [Double]) {
    self.results = results
    self.taps = taps
    /// The coefficients of Π (x − a), the constant one first.
    func polynomial(_ roots: [Double]) -> [Double] {
      roots.reduce([1]) { product, root in
        var next = [0] + product
        for (power, coefficient) in product.enumerated() { next[power] -= root * coefficient }
        return next
      }
    }
    func powers(_ x: Double, _ count: Int) -> [Double] {
      (0..<count).reduce(into: []) { powers, _ in powers.append(powers.last.map { $0 * x } ?? 1) }
    }
    let others = points.indices.map { own in points.indices.filter { $0 != own }.map { points[$0] } }
    input = others.map { polynomial($0) + [0] } + [polynomial(points)]
    filter =
      zip(points, others).map { point, others in
        let norm = others.reduce(1) { $0 * (point - $1) }
        return powers(point, taps).map { $0 / norm }
      } + [[Double](repeating: 0, count: taps - 1) + [1]]
    output = (0..<results).map { row in points.map { powers($0, results)[row] } + [row == results - 1 ? 1 : 0] }
  }

  /// Products fall to 1/2.25 of the direct way's.
  static let f2 = WinogradTransform(results: 2, taps: 3, points: [0, 1, -1])
  /// Products fall to a quarter. The points ±3/4 and ±3/2 err three to four times less than ±1 and ±2, at the same cost.
  static let f4 = WinogradTransform(results: 4, taps: 3, points: [0, 0.75, -0.75, 1.5, -1.5])

  /// For filters of so many taps; those with the fewest products last. Errors, along both axes or, where a patch has more than six elements, along one,
  /// stay within twice that of `f4`.
  static func all(taps: Int) -> [WinogradTransform] {
    switch taps {
    case 2: ofTwoTaps
    case 3: [f2, f4, WinogradTransform(results: 6, taps: 3, points: sevenPoints)]
    case 4: [WinogradTransform(results: 3, taps: 4, points: [0, 0.75, -0.75, 1.5, -1.5])]
    case 5:
      [
        WinogradTransform(results: 2, taps: 5, points: [0, 0.75, -0.75, 1.5, -1.5]),
        WinogradTransform(results: 4, taps: 5, points: sevenPoints),
      ]
    case 7:
      [
        WinogradTransform(results: 2, taps: 7, points: sevenPoints),
        WinogradTransform(results: 4, taps: 7, points: [0, 0.5, -0.5, 0.75, -0.75, 1.25, -1.25, 1.75, -1.75]),
      ]
    default: []
    }
  }

  private static let sevenPoints = [0, 0.5, -0.5, 1, -1, 2, -2]

  /// For the phases of transposed convolutions, which often have two taps: products fall to 1/1.8, 1/2.25 and 1/2.56 of the direct way's.
  /// All err less than `f4`.
  private static let ofTwoTaps = [
    WinogradTransform(results: 2, taps: 2, points: [0, 1]),
    WinogradTransform(results: 3, taps: 2, points: [0, 1, -1]),
    WinogradTransform(results: 4, taps: 2, points: [1, -1, 0.5, -0.5]),
  ]
}
