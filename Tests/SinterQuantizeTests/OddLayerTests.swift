import SinterCore
import SinterIR
import SinterOps
import SinterQuantize
import TestSupport
import Testing

/// Layers in forms that models seldom have, each in a model of its own.
@Suite struct OddLayerTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    /// How many layers and how many quantized values there are.
    var layers: Int, pairs: Int
    var shape: [Int]
    var input: [Dim]
    var body: @Sendable (inout GraphBuilder, ValueID) throws -> [ValueID]
    var testDescription: String { name }
  }

  static func weights(_ builder: inout GraphBuilder, _ shape: [Int], seed: UInt64, named name: String = "") -> ValueID {
    builder.constant(.random(shape, seed: seed), named: name)
  }

  static func conv(_ builder: inout GraphBuilder, _ x: ValueID, _ shape: [Int], group: Int = 1) throws -> ValueID {
    var op = Conv()
    op.group = group
    return try builder.add1(op, [x, weights(&builder, shape, seed: 40)])
  }

  static let cases: [Case] = [
    Case(name: "constant on the left", layers: 1, pairs: 1, shape: [3, 6, 2], input: ["n", 6, 2]) { builder, x in
      [try builder.add1(MatMul(), [weights(&builder, [4, 6], seed: 1), x])]
    },
    Case(name: "vector times matrix", layers: 1, pairs: 1, shape: [6], input: [6]) { builder, x in
      [try builder.add1(MatMul(), [x, weights(&builder, [6, 5], seed: 2)])]
    },
    Case(name: "batch of matrices", layers: 1, pairs: 1, shape: [2, 3, 6], input: [2, "m", 6]) { builder, x in
      [try builder.add1(MatMul(), [x, weights(&builder, [2, 6, 5], seed: 3)])]
    },
    Case(name: "matrix times vector", layers: 0, pairs: 0, shape: [3, 6], input: ["n", 6]) { builder, x in
      [try builder.add1(MatMul(), [x, weights(&builder, [6], seed: 4)])]
    },
    Case(name: "scaled and transposed Gemm", layers: 1, pairs: 1, shape: [6, 3], input: [6, "m"]) { builder, x in
      var op = Gemm()
      (op.alpha, op.beta, op.transA, op.transB) = (0.5, 2, true, true)
      return [try builder.add1(op, [x, weights(&builder, [5, 6], seed: 5), weights(&builder, [5], seed: 6)])]
    },
    Case(name: "Gemm with one number for a bias", layers: 1, pairs: 1, shape: [3, 6], input: ["n", 6]) { builder, x in
      [try builder.add1(Gemm(), [x, weights(&builder, [6, 5], seed: 7), weights(&builder, [1], seed: 8)])]
    },
    Case(name: "Gemm with a constant on the left", layers: 1, pairs: 1, shape: [6, 3], input: [6, "m"]) { builder, x in
      [try builder.add1(Gemm(), [weights(&builder, [5, 6], seed: 9), x, weights(&builder, [5, 1], seed: 10)])]
    },
    Case(
      name: "groups, and a result that is an output and used", layers: 2, pairs: 2, shape: [2, 4, 5, 5],
      input: ["n", 4, "h", 5]
    ) {
      builder, x in
      let y = try conv(&builder, x, [6, 2, 3, 3], group: 2)
      return [y, try conv(&builder, y, [3, 6, 2, 2])]
    },
    Case(name: "one axis, and a channel for each group", layers: 2, pairs: 2, shape: [2, 4, 9], input: ["n", 4, "l"]) {
      builder, x in
      let y = try conv(&builder, x, [4, 1, 3], group: 4)
      return [try conv(&builder, try builder.add1(Unary(.relu), [y]), [1, 4, 3])]
    },
    Case(name: "shared weights and inputs", layers: 3, pairs: 2, shape: [3, 6], input: ["n", 6]) { builder, x in
      let w = weights(&builder, [6, 6], seed: 11, named: "shared")
      let y = try builder.add1(MatMul(), [x, w])
      let z = try builder.add1(
        Binary(.add), [y, try builder.add1(MatMul(), [x, weights(&builder, [6, 6], seed: 12)])])
      return [try builder.add1(MatMul(), [z, w])]
    },
    Case(name: "weights that are computed from constants", layers: 1, pairs: 1, shape: [3, 6], input: ["n", 6]) {
      builder, x in
      var transpose = Transpose()
      transpose.perm = [1, 0]
      return [try builder.add1(MatMul(), [x, try builder.add1(transpose, [weights(&builder, [5, 6], seed: 13)])])]
    },
    Case(name: "nothing but zeros", layers: 1, pairs: 1, shape: [3, 6], input: ["n", 6]) { builder, x in
      let zeros = try builder.add1(Binary(.multiply), [x, builder.constant(.f32([], [0]))])
      let products = try builder.add1(
        Gemm(), [zeros, weights(&builder, [6, 5], seed: 14), weights(&builder, [5], seed: 15)])
      return [products]
    },
  ]

  @Test(arguments: cases) func theWrittenFileDoesWhatTheReportTells(_ c: Case) throws {
    var builder = GraphBuilder(name: "odd")
    let x = builder.input(Fact(.f32, c.input), named: "x")
    for (index, value) in try c.body(&builder, x).enumerated() { builder.output(value, named: "y\(index)") }
    let model = builder.graph
    let samples = GivenSamples(runs: (0..<4).map { [.random(c.shape, seed: 60 + $0)] })
    let quantizer = ByteQuantizer(QuantizationOptions(), runner: SampleModel.interpreter)
    if c.layers == 0 {
      #expect(quantizer.problems(of: model).map(\.id) == ["quantize.layers"])
      return
    }
    let (graph, report) = try quantizer.quantize(model, samples: samples)
    #expect(report.layers.count { $0.outcome == .quantized } == c.layers)
    #expect(graph.order.count { graph.nodes[$0].op is QuantizeLinear } == c.pairs)
    let again = try ByteQuantizerTests.reread(graph)
    for (index, output) in report.outputs.enumerated() {
      var sums = ErrorSums()
      for inputs in samples.runs {
        sums.add(try GraphEvaluator.run(again, inputs)[index], reference: try GraphEvaluator.run(model, inputs)[index])
      }
      #expect(sums.loss < (c.name == "nothing but zeros" ? 1e-4 : 0.03), "\(output.name)")
      #expect(abs(sums.loss - output.error.loss) <= 0.02 * sums.loss + 1e-7, "\(sums.loss) and \(output.error.loss)")
    }
  }

  @Test func whatOnlyChoosesElementsSharesTheScale() throws {
    var builder = GraphBuilder(name: "pool")
    let x = builder.input(Fact(.f32, ["n", 2, 6, 6]), named: "x")
    var pool = MaxPool()
    (pool.window.kernel, pool.window.strides) = ([2, 2], [2, 2])
    let y = try Self.conv(&builder, x, [4, 2, 3, 3])
    let pooled = try builder.add1(Flatten(), [try builder.add1(pool, [y])])
    builder.output(try builder.add1(MatMul(), [pooled, Self.weights(&builder, [16, 3], seed: 20)]), named: "y")
    let samples = GivenSamples(runs: (0..<4).map { [.random([2, 2, 6, 6], seed: 80 + $0)] })
    var options = QuantizationOptions()
    options.method = .percentile(95)
    let graph = try ByteQuantizer(options, runner: SampleModel.interpreter).quantize(builder.graph, samples: samples)
      .graph
    let numbers = try graph.order.filter { graph.nodes[$0].op is QuantizeLinear }.map { id in
      try (1...2).map { try ByteQuantizerTests.constant(graph, graph.nodes[id], $0).doubles }
    }
    #expect(numbers.count == 3 && numbers[1] == numbers[2] && numbers[0] != numbers[1])
  }
}
