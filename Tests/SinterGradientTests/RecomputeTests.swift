import Sinter
import SinterCore
import SinterIR
import SinterOps
import Testing

/// Layers whose values are computed again for the backward pass instead of being kept.
@Suite struct RecomputeTests {
  /// A stack of blocks, recomputed or not, between two linear layers over the last axis.
  struct Stack<Block: UnaryLayer>: UnaryLayer {
    var blocks: [Block]
    let recomputes: Bool

    func forward(_ x: Tensor) -> Tensor {
      blocks.reduce(x) { recomputes ? recompute($1, $0) : $1($0) }
    }
  }

  struct Dense: UnaryLayer {
    var norm = LayerNorm(16), fc1 = Linear(16, 64), fc2 = Linear(64, 16), drop = Dropout(0.25)
    func forward(_ x: Tensor) -> Tensor { x + fc2(drop(fc1(norm(x)).gelu())) }
  }

  struct Convolutional: UnaryLayer {
    var conv1 = Conv2d(4, 8, kernel: 3, padding: 1), norm = BatchNorm2d(8)
    var conv2 = Conv2d(8, 4, kernel: 3, padding: 1)
    func forward(_ x: Tensor) -> Tensor { conv2(norm(conv1(x)).relu()).tanh() }
  }

  struct Attending: UnaryLayer {
    var norm = LayerNorm(16), attention = MultiheadAttention(16, heads: 2, batchFirst: true)
    func forward(_ x: Tensor) -> Tensor {
      let h = norm(x)
      return x + attention(h, h, h, isCausal: true)
    }
  }

  struct Recurrent: UnaryLayer {
    var lstm = LSTM(16, 16, batchFirst: true)
    func forward(_ x: Tensor) -> Tensor { lstm(x).0 }
  }

  /// The step with and without: the same parameters, the same bits after three steps, and less memory.
  ///
  /// - Parameter tolerance: what numbers may differ by, where the forward pass may be computed in another way.
  private func compare<Block: UnaryLayer>(
    _ blocks: [Block], _ shape: [Int], _ optimizer: some Optimizer = Adam(learningRate: 1e-2), tolerance: Double = 0,
    comment: String
  ) throws {
    var input = InputSpec.f32()
    input.type.shape = shape.map { Dim($0) }
    let count = shape.reduce(1, *)
    let values = HostTensor.f32(shape, (0..<count).map { Float(($0 * 7919) % 1000) / 500 - 1 })
    func run(_ recomputes: Bool) throws -> (state: TrainingState, arena: Int, nodes: Int) {
      let net = Stack(blocks: blocks, recomputes: recomputes)
      let step = try trainingStep(net, [input], optimizer: optimizer) { inputs in
        ((net(inputs[0]) - 0.5).square().mean(), [])
      }
      var compiler = Compiler()
      let arena = try #require(compiler.kernels(of: step.graph).arenaBytes)
      let compiled = try step.compile()
      var state = compiled.initialState(seed: 1)
      for _ in 0..<3 { try compiled(&state, values) }
      return (state, arena, step.graph.order.count)
    }
    let (plain, again) = (try run(false), try run(true))
    for name in plain.state.parameters.names {
      let (a, b) = (try #require(plain.state[name]), try #require(again.state[name]))
      let difference = zip(a.doubles ?? [], b.doubles ?? []).reduce(0) { max($0, abs($1.0 - $1.1)) }
      let isSame = tolerance == 0 ? a.hasSameContents(as: b) : difference <= tolerance
      #expect(isSame, "\(comment): \(name) differs by \(difference)")
    }
    #expect(again.nodes > plain.nodes, "\(comment)")
    #expect(again.arena < plain.arena * 4 / 5, "\(comment): \(plain.arena) → \(again.arena)")
  }

  @Test func denseLayersWithDropout() throws {
    try compare((0..<6).map { _ in Dense() }, [64, 16], comment: "dense")
  }

  @Test func convolutionsWithBatchNorm() throws {
    try compare((0..<5).map { _ in Convolutional() }, [4, 4, 12, 12], comment: "convolutional")
  }

  @Test func attention() throws {
    // Without weights to be kept, the forward pass fuses attention.
    try compare(
      (0..<5).map { _ in Attending() }, [2, 24, 16], SGD(learningRate: 0.1), tolerance: 1e-6, comment: "attending")
  }

  @Test func recurrences() throws {
    try compare((0..<4).map { _ in Recurrent() }, [4, 12, 16], comment: "recurrent")
  }

  @Test("running statistics are updated once")
  func statistics() throws {
    let net = Stack(blocks: [Convolutional()], recomputes: true)
    let step = try trainingStep(net, [.f32(2, 4, 6, 6)], optimizer: SGD()) { (net($0[0]).mean(), []) }.compile()
    var state = step.initialState(seed: 1)
    let values = HostTensor.f32([2, 4, 6, 6], (0..<288).map { Float($0 % 17) / 8 })
    try step(&state, values)
    var other = Stack(blocks: net.blocks, recomputes: false)
    other.blocks = net.blocks
    let plain = try trainingStep(other, [.f32(2, 4, 6, 6)], optimizer: SGD()) { (other($0[0]).mean(), []) }.compile()
    var expected = plain.initialState(seed: 1)
    try plain(&expected, values)
    let name = "blocks.0.norm.running_mean"
    #expect(try #require(state[name]).hasSameContents(as: #require(expected[name])))
  }

  /// The derivative of a gradient's square, through segments, one inside of another.
  @Test func secondDerivatives() throws {
    func gradients(_ recomputes: Bool) throws -> [Double] {
      let model = Dense()
      func function(_ x: Tensor) -> Tensor { model.fc2(model.fc1(x).tanh()) }
      let traced = try lossGradients(model, [.f32(3, 16)], trainable: { $0.hasPrefix("fc") }) { inputs in
        let x = inputs[0]
        let y = recomputes ? recompute(x) { x in recompute(x.sin()) { function($0) } } : function(x.sin())
        return y.square().sum().gradients(withRespectTo: x)[0].square().sum()
      }
      let closure = try traced.compile()
      let x = HostTensor.f32([3, 16], (0..<48).map { Float(($0 * 31) % 47) / 20 - 1 })
      let (loss, found) = try closure(closure.initialParameters(seed: 4), x)
      return [loss] + found.names.flatMap { found[$0]?.doubles ?? [] }
    }
    let (a, b) = (try gradients(false), try gradients(true))
    #expect(a.count == b.count && a.count > 1000)
    for (x, y) in zip(a, b) { #expect(abs(x - y) <= 1e-5 * max(1, abs(x))) }
  }

  @Test("what would draw other numbers is refused by name")
  func randomness() throws {
    let model = Dense()
    let error = #expect(throws: DiagnosticError.self) {
      try lossGradients(model, [.f32(3, 16)], trainable: { $0.hasPrefix("fc") }) { inputs in
        recompute(inputs[0]) { x in
          let h = model.fc2(model.fc1(x))
          let drawn = x.trace.apply(RandomDraw(), [x.trace.constant(.i64([2], [3, 16]))])[0]
          return (h * drawn).sum()
        }
      }
    }
    #expect(error?.diagnostics.first?.id == "gradient.recomputed")
  }
}
