import SinterCore
import SinterIR
import SinterOps
import SinterQuantize
import TestSupport

/// Samples that are there already.
struct GivenSamples: SampleSource {
  var runs: [[HostTensor]]
  var count: Int { runs.count }
  func inputs(_ index: Int) -> [HostTensor] { runs[index] }
}

/// Small models with random weights, and inputs for them.
enum SampleModel: String, CaseIterable, Sendable {
  /// Convolutions with batch normalization, a clip, a residual sum and a pool, and a product behind them.
  case cnn
  /// Two products with biases, one of them spelled as MatMul and Add.
  case mlp

  /// Interprets graphs.
  static func interpreter(_ graph: Graph) -> PreparedGraph { { try GraphEvaluator.run(graph, $0) } }

  func graph() throws -> Graph {
    var seed: UInt64 = 100
    func random(_ shape: [Int], scale: Float = 0.5) -> HostTensor {
      seed += 1
      return .f32(shape, HostTensor.random(shape, seed: seed).array(of: Float.self).map { $0 * scale })
    }
    var builder = GraphBuilder(name: rawValue)
    func node(_ name: String) { builder.origin = [Origin(node: name)] }
    switch self {
    case .cnn:
      let x = builder.input(Fact(.f32, ["n", 2, 8, 8]), named: "image")
      func conv(_ name: String, _ x: ValueID, _ shape: [Int]) throws -> ValueID {
        node(name)
        var op = Conv()
        op.window.pads = [1, 1, 1, 1]
        return try builder.add1(
          op,
          [
            x, builder.constant(random(shape), named: "\(name).w"),
            builder.constant(random([shape[0]]), named: "\(name).b"),
          ])
      }
      let first = try conv("conv1", x, [6, 2, 3, 3])
      node("norm")
      let normalized = try builder.add1(
        BatchNormalization(),
        [first]
          + [(0.5, 1.0), (0.3, 0), (0.2, 0), (0.4, 1.0)].map { scale, middle in
            builder.constant(.f32([6], random([6], scale: scale).array(of: Float.self).map { $0 + middle }))
          })
      node("relu")
      let active = try builder.add1(Unary(.relu), [normalized])
      let second = try conv("conv2", active, [6, 6, 3, 3])
      node("sum")
      let sum = try builder.add1(Binary(.add), [second, active])
      let third = try conv("conv3", sum, [4, 6, 3, 3])
      node("clip")
      let clipped = try builder.add1(
        Clip(), [third, builder.constant(.f32([], [0])), builder.constant(.f32([], [6]))])
      node("flatten")
      let flat = try builder.add1(Flatten(), [clipped])
      node("head")
      let result = try builder.add1(
        Gemm(),
        [
          flat, builder.constant(random([256, 5], scale: 0.1), named: "head.w"),
          builder.constant(random([5]), named: "head.b"),
        ])
      builder.output(result, named: "scores")
    case .mlp:
      let x = builder.input(Fact(.f32, ["n", 20]), named: "x")
      node("fc1")
      var product = try builder.add1(MatMul(), [x, builder.constant(random([20, 33]), named: "fc1.w")])
      node("add1")
      product = try builder.add1(Binary(.add), [product, builder.constant(random([33]), named: "fc1.b")])
      node("relu1")
      product = try builder.add1(Unary(.relu), [product])
      node("fc2")
      var gemm = Gemm()
      gemm.transB = true
      product = try builder.add1(
        gemm,
        [product, builder.constant(random([7, 33]), named: "fc2.w"), builder.constant(random([7]), named: "fc2.b")])
      node("tanh")
      product = try builder.add1(Unary(.tanh), [product])
      node("fc3")
      product = try builder.add1(MatMul(), [product, builder.constant(random([7, 3]), named: "fc3.w")])
      builder.output(product, named: "y")
    }
    return builder.graph
  }

  var layerNames: [String] { self == .cnn ? ["conv1", "conv2", "conv3", "head"] : ["fc1", "fc2", "fc3"] }

  func inputs(_ count: Int, seed: UInt64) -> [HostTensor] {
    [.random(self == .cnn ? [count, 2, 8, 8] : [count, 20], seed: seed)]
  }

  var samples: GivenSamples { GivenSamples(runs: (0..<6).map { inputs(2, seed: 10 + UInt64($0)) }) }
}
