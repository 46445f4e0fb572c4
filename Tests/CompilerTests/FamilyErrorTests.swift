import Sinter
import SinterCore
import SinterForms
import SinterIR
import SinterLLVM
import SinterOps
import TestSupport
import Testing

/// How far each family of kernels is from the same computation in f64, relative to the largest result. The limits are those that
/// docs/performance.md states.
@Suite struct FamilyErrorTests {
  struct Family: Sendable, CustomTestStringConvertible {
    var name: String
    var limit: Double
    /// What the names of the family's kernels begin with.
    var kernel: String
    var inputs: [[Int]]
    /// Inputs beyond the first are computed as well, and are no weights.
    var isComputed = false
    var make: @Sendable (inout GraphBuilder, [ValueID]) throws -> ValueID
    var testDescription: String { name }
  }

  static let families: [Family] = [
    Family(name: "product", limit: 2e-6, kernel: "contract", inputs: [[128, 768], [768, 256]]) { builder, x in
      try builder.add1(MatMul(), x)
    },
    Family(name: "single row", limit: 3e-6, kernel: "contract", inputs: [[1, 3072], [3072, 768]]) { builder, x in
      try builder.add1(MatMul(), x)
    },
    Family(name: "convolution", limit: 1e-6, kernel: "convolve", inputs: [[1, 64, 14, 14], [128, 64, 1, 1]]) {
      builder, x in
      try builder.add1(try conv(["strides": .ints([1, 1])]), x)
    },
    Family(name: "Winograd", limit: 1e-5, kernel: "winograd", inputs: [[1, 128, 28, 28], [128, 128, 3, 3]]) {
      builder, x in
      try builder.add1(try conv(["pads": .ints([1, 1, 1, 1])]), x)
    },
    Family(
      name: "Winograd, computed weights", limit: 1e-5, kernel: "winograd_filters",
      inputs: [[1, 128, 28, 28], [128, 128, 3, 3]], isComputed: true
    ) { builder, x in
      try builder.add1(try conv(["pads": .ints([1, 1, 1, 1])]), x)
    },
    Family(
      name: "Winograd, 5×5 taps", limit: 1e-5, kernel: "winograd_f32_2x2_5x5",
      inputs: [[1, 128, 28, 28], [128, 128, 5, 5]]
    ) { builder, x in
      try builder.add1(try conv(["pads": .ints([2, 2, 2, 2])]), x)
    },
    Family(
      name: "Winograd, 1×7 taps", limit: 1e-5, kernel: "winograd_f32_1x4_1x7",
      inputs: [[1, 128, 24, 24], [128, 128, 1, 7]]
    ) { builder, x in
      try builder.add1(try conv(["pads": .ints([0, 3, 0, 3])]), x)
    },
    Family(
      name: "Winograd, 3 taps of a sequence", limit: 1e-5, kernel: "winograd_f32_6_3",
      inputs: [[1, 128, 600], [128, 128, 3]]
    ) { builder, x in
      try builder.add1(try conv(["pads": .ints([1, 1])]), x)
    },
    Family(name: "depthwise", limit: 1e-6, kernel: "depthwise", inputs: [[1, 96, 28, 28], [96, 1, 5, 5]]) {
      builder, x in
      try builder.add1(try conv(["pads": .ints([2, 2, 2, 2]), "group": .int(96)]), x)
    },
    Family(name: "softmax", limit: 1e-6, kernel: "rows", inputs: [[64, 1000]]) { builder, x in
      try builder.add1(Softmax(.soft, axis: -1), x)
    },
    Family(name: "layer norm", limit: 2e-6, kernel: "rows", inputs: [[64, 768], [768], [768]]) { builder, x in
      try builder.add1(LayerNormalization(), x)
    },
    Family(
      name: "attention", limit: 2e-6, kernel: "attend", inputs: [[1, 8, 100, 64], [1, 8, 100, 64], [1, 8, 100, 64]],
      isComputed: true
    ) { builder, x in
      try builder.add1(Attention(), x)
    },
    Family(name: "long sum", limit: 1e-6, kernel: "reduce", inputs: [[8, 100_000]]) { builder, x in
      try builder.add1(Reduce(.sum, keepsAxes: false), [x[0], builder.constant(.i64([1], [1]))])
    },
    Family(name: "average pool", limit: 1e-6, kernel: "reduce", inputs: [[1, 64, 28, 28]]) { builder, x in
      try builder.add1(GlobalPool(), x)
    },
  ]

  private static func conv(_ attributes: [String: AttributeValue]) throws -> Conv {
    try Conv(attributeValues: attributes)
  }

  /// The first input comes in; the others are constants, as weights are, where they are not computed.
  private static func graph(_ family: Family, _ tensors: [HostTensor]) throws -> Graph {
    var builder = GraphBuilder(name: "family")
    let values = tensors.enumerated().map { index, tensor in
      index == 0 || family.isComputed
        ? builder.input(Fact(tensor.element, tensor.shape.map { Dim($0) }), named: "x\(index)")
        : builder.constant(tensor)
    }
    builder.output(try family.make(&builder, values), named: "y")
    return builder.graph
  }

  @Test(arguments: families) func errsNoMoreThanStated(_ family: Family) throws {
    var generator = SeededGenerator(seed: 3)
    let single = family.inputs.map { HostTensor.random(.f32, $0, &generator) }
    let double = single.map { HostTensor(.f64, $0.shape, doubles: $0.doubles ?? []) }
    let isConstant = { (index: Int) in index > 0 && !family.isComputed }
    let expected = try GraphEvaluator.run(
      Self.graph(family, double), double.enumerated().filter { !isConstant($0.offset) }.map(\.element))[0]
    var compiler = Compiler()
    let kernels = try compiler.kernels(of: Self.graph(family, single))
    #expect(
      kernels.kernels.elements.contains { $0.name.hasPrefix(family.kernel) }, "\(kernels.kernels.elements.map(\.name))")
    let given = try KernelRunner(kernels).run(single.enumerated().filter { !isConstant($0.offset) }.map(\.element))[0]
    let (x, y) = (try #require(expected.doubles), try #require(given.doubles))
    let scale = x.reduce(0) { Swift.max($0, $1.magnitude) }
    let error = pairs(y, x).reduce(0) { Swift.max($0, ($1.0 - $1.1).magnitude) } / scale
    #expect(error <= family.limit, "the error is \(error)")
  }
}
