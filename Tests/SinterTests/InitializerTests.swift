import Foundation
import Sinter
import Testing

/// First values of parameters: what they are spread like, and that they follow from the seed.
@Suite struct InitializerTests {
  static func values(_ initializer: Initializer, _ shape: [Int], seed: UInt64 = 1) -> [Double] {
    let parameter = Parameter(shape, initializer: initializer)
    return ParameterStore(initializing: [(name: "w", parameter: parameter)], seed: seed)["w"]?.doubles ?? []
  }

  /// Deviations by the formulas of Glorot, He and PyTorch's documentation.
  static let spreads: [(Initializer, [Int], Double)] = [
    (.xavierUniform(), [200, 300], (2.0 / 500).squareRoot()),
    (.xavierNormal(gain: 2), [200, 300], 2 * (2.0 / 500).squareRoot()),
    (.kaimingNormal(.relu), [200, 300], (2.0 / 300).squareRoot()),
    (.kaimingNormal(.relu, fan: .output), [64, 32, 3, 3], (2.0 / (64 * 9)).squareRoot()),
    (.kaimingUniform(.leakyRelu(slope: 5.0.squareRoot())), [64, 32, 3, 3], (1.0 / 3 / (32 * 9)).squareRoot()),
    (.normal(mean: 0, deviation: 0.02), [300, 200], 0.02), (.uniform(-0.5, 0.5), [300, 200], (1.0 / 12).squareRoot()),
  ]

  @Test func spreadsAreAsTheFormulasHaveThem() {
    for (initializer, shape, deviation) in Self.spreads {
      let values = Self.values(initializer, shape)
      let mean = values.reduce(0, +) / Double(values.count)
      let found = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
      #expect(abs(found / deviation - 1) < 0.03 && abs(mean) < 0.05 * deviation, "\(initializer): \(found), \(mean)")
    }
  }

  @Test func truncatedValuesLieWithin() {
    let values = Self.values(.truncatedNormal(mean: 0, deviation: 1, from: -1, to: 0.5), [10_000])
    #expect(values.allSatisfy { (-1...0.5).contains($0) })
    #expect(Set(values).count > 9000)
  }

  @Test func orthogonalRowsAre() {
    for shape in [[5, 8], [8, 5], [4, 2, 3]] {
      let values = Self.values(.orthogonal(gain: 2), shape)
      let (rows, columns) = (shape[0], shape.dropFirst().reduce(1, *))
      let isWide = rows <= columns
      for a in 0..<Swift.min(rows, columns) {
        for b in 0..<Swift.min(rows, columns) {
          let product = (0..<Swift.max(rows, columns)).reduce(0.0) { sum, k in
            sum
              + (isWide
                ? values[a * columns + k] * values[b * columns + k] : values[k * columns + a] * values[k * columns + b])
          }
          #expect(abs(product - (a == b ? 4 : 0)) < 1e-5, "\(shape) \(a) \(b)")
        }
      }
    }
  }

  @Test func seedAndNameDecide() {
    #expect(Self.values(.xavierNormal(), [3, 3]) == Self.values(.xavierNormal(), [3, 3]))
    #expect(Self.values(.xavierNormal(), [3, 3]) != Self.values(.xavierNormal(), [3, 3], seed: 2))
    #expect(Self.values(.zeroRow(1, of: .ones), [3, 2]) == [1, 1, 0, 0, 1, 1])
    #expect(Self.values(.identity, [2, 3]) == [1, 0, 0, 0, 1, 0])
  }

  /// PyTorch's defaults: the bounds of uniform values, and what is constant.
  @Test func layersStartAsPyTorchs() {
    func bound(_ layer: some Layer, _ name: String) -> Double {
      let store = ParameterStore(initializing: layer, seed: 3)
      return store[name]?.doubles?.map(abs).max() ?? 0
    }
    for (found, expected) in [
      (bound(Linear(400, 300), "weight"), 0.05), (bound(Linear(400, 300), "bias"), 0.05),
      (bound(Conv2d(16, 64, kernel: [3, 3], groups: 4), "weight"), 1.0 / 6),
      (bound(LSTM(8, 100), "weight_ih_l0"), 0.1), (bound(GRU(8, 100), "bias_hh_l0"), 0.1),
      (bound(MultiheadAttention(96, heads: 4), "in_proj_weight"), (6.0 / 384).squareRoot()),
    ] {
      #expect(found <= expected && found > 0.95 * expected, "\(found), \(expected)")
    }
    #expect(bound(MultiheadAttention(8, heads: 4), "out_proj.bias") == 0)
    let net = BatchNorm2d(3)
    let store = ParameterStore(initializing: net)
    #expect(store["weight"]?.doubles == [1, 1, 1] && store["running_mean"]?.doubles == [0, 0, 0])
    let table = ParameterStore(initializing: Embedding(4, 2, paddingIndex: 1))["weight"]?.doubles ?? []
    #expect(table[2] == 0 && table[3] == 0 && table[0] != 0)
  }
}
