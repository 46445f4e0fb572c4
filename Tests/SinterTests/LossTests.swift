import Foundation
import Sinter
import Testing

/// Losses, optimizers and schedules beside what PyTorch computes, which `Tests/Peers/loss_fixtures.py` has stored.
@Suite struct LossTests {
  typealias Loss = @Sendable ([Tensor]) -> Tensor

  static let fixture = Result {
    try ParameterStore(
      reading: URL(filePath: #filePath).deletingLastPathComponent().path + "/Fixtures/losses.safetensors")
  }

  static let losses: [String: Loss] = {
    var all: [String: Loss] = [
      "cross_entropy.images": { crossEntropy($0[0], $0[1], labelSmoothing: 0.1) },
      "cross_entropy.one": { crossEntropy($0[0], $0[1]) },
      "cross_entropy.far": { crossEntropy($0[0], $0[1]) },
      "nll_loss": { nllLoss($0[0], $0[1]) },
      "multi_margin_loss": { multiMarginLoss($0[0], $0[1], p: 2, margin: 0.7, weight: $0[2]) },
      "mse_loss": { mseLoss($0[0], $0[1]) },
      "l1_loss": { l1Loss($0[0], $0[1], reduction: .sum) },
      "smooth_l1_loss": { smoothL1Loss($0[0], $0[1], beta: 0.5) },
      "huber_loss": { huberLoss($0[0], $0[1], reduction: .none, delta: 0.7) },
      "soft_margin_loss": { softMarginLoss($0[0], $0[1]) },
      "poisson_nll_loss": { poissonNLLLoss($0[0], $0[1]) },
      "gaussian_nll_loss": { gaussianNLLLoss($0[0], $0[1], variance: $0[2]) },
      "binary_cross_entropy": { binaryCrossEntropy($0[0], $0[1], weight: $0[2]) },
      "bce_with_logits": { binaryCrossEntropyWithLogits($0[0], $0[1], weight: $0[2], positiveWeight: $0[3]) },
      "bce_with_logits.plain": { binaryCrossEntropyWithLogits($0[0], $0[1]) },
      "kl_div.log": { klDivergence($0[0], $0[1], reduction: .sum, isLogarithm: true) },
      "cosine_embedding_loss": { cosineEmbeddingLoss($0[0], $0[1], $0[2], margin: 0.2) },
      "triplet_margin_loss": { tripletMarginLoss($0[0], $0[1], $0[2], margin: 1.5) },
      "triplet_margin_loss.swap": { tripletMarginLoss($0[0], $0[1], $0[2], p: 1, swap: true, reduction: .none) },
      "margin_ranking_loss": { marginRankingLoss($0[0], $0[1], $0[2], margin: 0.3) },
      "hinge_embedding_loss": { hingeEmbeddingLoss($0[0], $0[1]) },
    ]
    for (name, reduction) in [("none", LossReduction.none), ("sum", .sum), ("mean", .mean)] {
      all["cross_entropy.\(name)"] = { crossEntropy($0[0], $0[1], ignoreIndex: -100, reduction: reduction) }
      all["cross_entropy.smooth.\(name)"] = {
        crossEntropy($0[0], $0[1], weight: $0[2], reduction: reduction, labelSmoothing: 0.1)
      }
      all["cross_entropy.weight.\(name)"] = {
        crossEntropy($0[0], $0[1], weight: $0[2], ignoreIndex: 1, reduction: reduction)
      }
      all["cross_entropy.shares.\(name)"] = {
        crossEntropy($0[0], $0[1], weight: $0[2], reduction: reduction, labelSmoothing: 0.2)
      }
      all["kl_div.\(name == "mean" ? "batchmean" : name)"] = { klDivergence($0[0], $0[1], reduction: reduction) }
    }
    return all
  }()

  @Test func lossesAreThoseOfPyTorch() throws {
    let stored = try Self.fixture.get().names.filter { $0.hasPrefix("loss/") }.map { $0.split(separator: "/")[1] }
    #expect(Set(stored.map(String.init)) == Set(Self.losses.keys))
  }

  @Test(arguments: losses.keys.sorted()) func lossEqualsPyTorch(_ name: String) throws {
    let store = try Self.fixture.get()
    let loss = try #require(Self.losses[name])
    let inputs = LayerTests.list("loss/\(name)/in", in: store)
    let expected = [try #require(store["loss/\(name)/out"]), try #require(store["loss/\(name)/grad"])]
    let model = try trace((), inputs.map(LayerTests.spec)) { tensors -> [Tensor] in
      let result = loss(tensors)
      let shape = result.shape.compactMap(\.value)
      let weights = (0..<shape.reduce(1, *)).map { cos(Double($0)) }
      let sum = (result * tensors[0].trace.constant(HostTensor(.f32, shape, doubles: weights))).sum()
      return [result] + sum.gradients(withRespectTo: tensors[0])
    }
    try withScratchFolder { folder in
      let given = try model.initialized().compile(to: "\(folder)/libloss.so").run(list: inputs)
      for (place, (given, expected)) in zip(given, expected).enumerated() {
        #expect(given.shape == expected.shape)
        let worst =
          zip(given.doubles ?? [], expected.doubles ?? []).map {
            abs($0 - $1) / Swift.max(1, abs($1))
          }.max() ?? .infinity
        #expect(
          worst < 1e-5,
          "\(place == 0 ? "value" : "gradient") differs by \(worst): \(given.doubles ?? []), \(expected.doubles ?? [])")
      }
    }
  }

  static let optimizers: [String: any Optimizer] = [
    "sgd_maximize": SGD(learningRate: 0.01, momentum: 0.5, maximize: true),
    "adam_maximize": Adam(learningRate: 0.01, maximize: true),
    "adamax": Adamax(learningRate: 0.02, weightDecay: 0.01), "radam": RAdam(learningRate: 0.02, weightDecay: 0.01),
    "rprop": Rprop(learningRate: 0.01), "adagrad_initial": Adagrad(learningRate: 0.05, initialAccumulator: 0.3),
    "sgd_all": SGD(learningRate: 0.02, momentum: 0.9, weightDecay: 0.02, nesterov: true),
  ]

  @Test(arguments: optimizers.keys.sorted()) func twentyStepsEqualPyTorch(_ name: String) throws {
    func run(_ optimizer: some Optimizer) throws {
      let store = try Self.fixture.get()
      let step = try trainingStep(
        Linear(3, 2), .f32(8, 3), .f32(8, 2), optimizer: optimizer, loss: mseLoss
      ).compile()
      var state = step.initialState()
      var start = ParameterStore()
      for key in ["weight", "bias"] { start[key] = store["optimizer/initial/\(key)"] }
      state.parameters = start
      let x = try #require(store["optimizer/x"]), y = try #require(store["optimizer/y"])
      for _ in 0..<20 { try step(&state, x, y) }
      for key in ["weight", "bias"] {
        let given = state.parameters[key]?.doubles ?? [], expected = store["optimizer/\(name)/\(key)"]?.doubles ?? []
        let worst = zip(given, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(
          given.count == expected.count && worst < 2e-5 * Swift.max(1, expected.map(abs).max() ?? 0),
          "\(key) differs by \(worst)")
      }
    }
    let optimizer: any Optimizer = try #require(Self.optimizers[name])
    try run(optimizer)
  }

  /// x · Wᵀ + b in f64.
  struct Dense: UnaryLayer {
    let weight: Parameter, bias: Parameter
    init(_ inputs: Int, _ outputs: Int) {
      weight = Parameter([outputs, inputs], element: .f64)
      bias = Parameter([outputs], element: .f64)
    }
    func forward(_ x: Tensor) -> Tensor { x.matmul(x.trace.tensor(weight).transpose(0, 1)) + x.trace.tensor(bias) }
  }

  struct Curved: UnaryLayer {
    var layers = Sequential(Dense(3, 4), Tanh(), Dense(4, 2))
    func forward(_ x: Tensor) -> Tensor { layers(x) }
  }

  /// In f64: a line search makes a rounding error ten to fifty times as large in each next step, and each processor adds in its own order.
  @Test(arguments: ["plain", "wolfe"]) func lbfgsFallsAsPyTorchs(_ name: String) throws {
    let store = try Self.fixture.get()
    func stored(_ name: String) throws -> HostTensor {
      let tensor = try #require(store[name])
      return HostTensor(.f64, tensor.shape, doubles: try #require(tensor.doubles))
    }
    var ports: [InputSpec] = [.f32(8, 3), .f32(8, 2)]
    for index in ports.indices { ports[index].type.element = .f64 }
    let closure = try lossGradients(Curved(), ports[0], ports[1], loss: mseLoss).compile()
    var parameters = closure.initialParameters()
    for key in parameters.names {
      parameters[key] = try stored("lbfgs/\(name)/initial/\(key.dropFirst("layers.".count))")
    }
    var optimizer =
      name == "plain"
      ? LBFGS(learningRate: 0.5, iterations: 6) : LBFGS(iterations: 8, history: 5, lineSearch: .strongWolfe)
    let x = try stored("optimizer/x"), y = try stored("optimizer/y")
    let expected = try #require(store["lbfgs/\(name)/losses"]?.doubles)
    for (index, expected) in expected.enumerated() {
      let given = try optimizer.step(&parameters) { try closure($0, x, y) }
      #expect(abs(given - expected) < 1e-9 * expected, "step \(index): \(given), PyTorch has \(expected)")
    }
  }

  static let schedules: [String: LearningRateSchedule] = [
    "step": .step(epochs: 4, factor: 0.5), "multistep": .steps(at: [3, 7], factor: 0.2),
    "exponential": .exponential(factor: 0.9), "cosine": .cosine(epochs: 30, least: 0.01), "linear": .linear(epochs: 6),
    "constant": .constantFactor(epochs: 6), "polynomial": .polynomial(epochs: 12, power: 2),
    "restarts": .warmRestarts(epochs: 4, factor: 2, least: 0.001), "restarts_equal": .warmRestarts(epochs: 7),
    "onecycle": .oneCycle(greatest: 0.5, steps: 30),
    "onecycle_linear": .oneCycle(greatest: 0.5, steps: 30, warmup: 0.4, isLinear: true),
    "cyclic": .cyclic(greatest: 0.4, up: 4, down: 7), "lambda": .lambda { pow(0.95, Double($0)) },
    "sequence": .sequence([.constantFactor(epochs: 30, factor: 0.1), .exponential(factor: 0.9)], at: [5]),
  ]

  @Test(arguments: schedules.keys.sorted()) func ratesEqualPyTorchs(_ name: String) throws {
    let schedule = try #require(Self.schedules[name])
    let expected = try #require(try Self.fixture.get()["schedule/\(name)"]?.doubles)
    for (epoch, expected) in expected.enumerated() {
      let given = schedule.rate(0.1, epoch: epoch)
      #expect(abs(given - expected) < 1e-12 + 1e-9 * expected, "epoch \(epoch): \(given), PyTorch has \(expected)")
    }
  }

  @Test(arguments: ["plain", "cooldown", "max"]) func plateausEqualPyTorchs(_ name: String) throws {
    let store = try Self.fixture.get()
    var plateau =
      switch name {
      case "plain": ReduceOnPlateau(learningRate: 0.1, patience: 2)
      case "cooldown":
        ReduceOnPlateau(
          learningRate: 0.1, factor: 0.5, patience: 1, threshold: 0.05, isRelative: false, cooldown: 2, least: 0.01)
      default: ReduceOnPlateau(learningRate: 0.1, patience: 3, rises: true)
      }
    let measures = try #require(store["plateau/measures"]?.doubles)
    let expected = try #require(store["plateau/\(name)"]?.doubles)
    for (epoch, (measure, expected)) in zip(measures, expected).enumerated() {
      #expect(abs(plateau.step(measure) - expected) < 1e-12, "epoch \(epoch)")
    }
  }

  struct Partly: UnaryLayer {
    var used = Linear(3, 3)
    var shared: Linear
    var idle = Linear(3, 2)
    init() { shared = used }
    func forward(_ x: Tensor) -> Tensor { shared(used(x)) }
  }

  @Test func whatIsNotReadIsToldAndSaved() throws {
    let error = #expect(throws: DiagnosticError.self) {
      try trainingStep(Partly(), .f32(2, 3), .f32(2, 3), optimizer: SGD(), loss: mseLoss)
    }
    #expect(error?.diagnostics.map(\.id) == ["trace.unread", "trace.unread"])
    #expect(error?.diagnostics.first?.message.contains("idle.weight") == true)
    let step = try trainingStep(
      Partly(), .f32(2, 3), .f32(2, 3), optimizer: SGD(), loss: mseLoss, trainable: { !$0.hasPrefix("idle") }
    ).compile()
    var state = step.initialState(seed: 3) { name, _ in name.hasSuffix("bias") ? .constant(0.5) : nil }
    #expect(state.parameters["used.bias"]?.doubles == [0.5, 0.5, 0.5])
    let before = try #require(state.parameters["idle.weight"]?.doubles)
    try step(&state, .f32([2, 3], [1, 2, 3, 4, 5, 6]), .f32([2, 3], [1, 0, 0, 0, 0, 1]))
    #expect(
      Set(state.parameters.names) == [
        "used.weight", "used.bias", "shared.weight", "shared.bias", "idle.weight", "idle.bias",
      ])
    #expect(state.parameters["idle.weight"]?.doubles == before)
    #expect(state.parameters["shared.weight"]?.doubles == state.parameters["used.weight"]?.doubles)
  }
}
