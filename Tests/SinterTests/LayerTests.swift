import Sinter
import Testing

/// Layers against what PyTorch 2.13 computes from the same parameters and input: element i of parameter p is ((7i + p) mod 11 - 5) / 10, of the
/// input (7i mod 11 - 5) times the case's scale.
@Suite struct LayerTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var layer: @Sendable () -> any UnaryLayer
    var input: InputSpec
    var shape: [Int]
    var scale: Float
    var expected: [Float]
    var testDescription: String { name }
  }

  struct Attention: UnaryLayer {
    var layer = MultiheadAttention(8, heads: 2)
    func forward(_ x: Tensor) -> Tensor { layer(x, x, x) }
  }

  static func ramp(_ shape: [Int], scale: Float, offset: Int = 0) -> HostTensor {
    .f32(shape, (0..<shape.reduce(1, *)).map { Float(($0 * 7 + offset) % 11 - 5) * scale })
  }

  @Test(arguments: cases) func equalsPyTorch(_ c: Case) throws {
    func run(_ layer: some UnaryLayer) throws {
      let traced = try trace(layer, c.input)
      var store = ParameterStore()
      // The order of use is not PyTorch's order of declaration for every layer.
      let order = [
        "weight", "bias", "layer.in_proj_weight", "layer.in_proj_bias", "layer.out_proj.weight", "layer.out_proj.bias",
      ]
      let sorted = traced.parameters.sorted {
        (order.firstIndex(of: $0.name) ?? 9) < (order.firstIndex(of: $1.name) ?? 9)
      }
      for (position, entry) in sorted.enumerated() {
        store[entry.name] = Self.ramp(entry.parameter.shape, scale: 0.1, offset: position)
      }
      try withScratchFolder { folder in
        let library = try traced.bound(to: store).compile(to: "\(folder)/liblayer.so")
        let result = try library.run(Self.ramp(c.shape, scale: c.scale))[0]
        #expect(difference(result.array(of: Float.self), c.expected) < 1e-5)
      }
    }
    try run(c.layer())
  }

  static let cases: [Case] = [
    Case(
      name: "attention", layer: { Attention() }, input: .f32(1, 3, 8), shape: [1, 3, 8], scale: 0.2,
      expected: [
        0.282485, 0.993382, 0.874269, -0.098021, -0.705707, -1.09481, -0.75469, -0.194103, 0.278715, 0.995031,
        0.876955, -0.066155, -0.730137, -1.113822, -0.804238, -0.212745, 0.357635, 1.047514, 0.899535, 0.055569,
        -0.762614, -1.172736, -0.902072, -0.200377,
      ]),
    Case(
      name: "convolution", layer: { Conv2d(2, 3, kernel: 3, stride: 2, padding: 1) }, input: .f32("n", 2, 5, 5),
      shape: [1, 2, 5, 5], scale: 0.2,
      expected: [
        -0.56, 0.38, -0.26, -0.12, -1.0, -0.32, -0.0, -0.64, -0.2, 0.66, -0.06, 0.82, 0.34, 0.42, 0.04, -0.14, 1.5,
        0.18, -0.32, 0.6, -0.08, 1.02, -0.8, -0.7, -0.5, -1.2, 0.34,
      ]),
    Case(
      name: "transposed convolution",
      layer: { ConvTranspose2d(2, 3, kernel: 3, stride: 2, padding: 1, outputPadding: 1) }, input: .f32("n", 2, 2, 2),
      shape: [1, 2, 2, 2], scale: 0.2,
      expected: [
        -0.44, 0.32, -0.54, -0.46, -0.12, 0.0, -0.32, -0.64, -0.2, 0.14, -0.3, -0.7, -0.24, 0.0, -0.4, -0.8, 0.5,
        -0.44, 0.22, 0.74, 0.7, -0.08, 0.14, 0.26, 0.38, -0.02, 0.1, 0.8, 0.34, -0.16, 0.0, 0.7, 0.34, -0.32,
        -0.12, -0.26, -0.68, 0.06, -0.06, 0.06, -0.14, 0.04, -0.6, 0.1, -0.62, -0.1, 0.4, 0.0,
      ]),
    Case(
      name: "layer norm", layer: { LayerNorm(6) }, input: .f32("n", 6), shape: [2, 6], scale: 0.2,
      expected: [
        0.296518, 0.439304, -0.000497, 0.296021, 0.239801, 0.038806, -1.080977, 0.330266, 0.11186, 0.029649,
        0.184867, 0.208586,
      ]),
    Case(
      name: "group norm", layer: { GroupNorm(2, 4) }, input: .f32("n", 4, 2, 2), shape: [1, 4, 2, 2], scale: 0.2,
      expected: [
        0.412505, -0.670835, -0.051784, -1.135123, 0.346429, 0.098808, 0.532144, 0.284524, 0.137931, -0.29188,
        -0.046274, 0.199333, -0.173804, -0.78782, 0.286708, -0.327308,
      ]),
    Case(
      name: "GELU", layer: { GELU() }, input: .f32("n", 5), shape: [2, 5], scale: 0.4,
      expected: [
        -0.0455, 0.630516, -0.169484, 1.9545, 0.262169, -0.138084, 1.512321, 0.0, -0.087679, 1.061916,
      ]),
    Case(
      name: "log softmax", layer: { LogSoftmax() }, input: .f32("n", 5), shape: [2, 5], scale: 0.4,
      expected: [
        -4.458827, -1.658827, -3.258826, -0.458827, -2.058827, -3.479955, -0.679955, -2.279955, -3.879955,
        -1.079955,
      ]),
    Case(
      name: "average pool", layer: { AvgPool2d(3, stride: 2, padding: 1) }, input: .f32("n", 1, 5, 5),
      shape: [1, 1, 5, 5], scale: 0.2,
      expected: [
        -0.044444, 0.111111, 0.111111, -0.155556, -0.088889, -0.044444, -0.0, -0.066667, -0.088889,
      ]),
  ]
}
