import Foundation
import Sinter
import Testing

/// Steps of training beside those of PyTorch, whose numbers `Tests/Peers/training_fixtures.py` has stored.
@Suite struct TrainingStepTests {
  struct Net: UnaryLayer {
    var conv = Conv2d(1, 4, kernel: 3, padding: 1, bias: false)
    var norm = BatchNorm2d(4), pool = MaxPool2d(2)
    var fc1 = Linear(4 * 4 * 4, 8), fc2 = Linear(8, 3)

    func forward(_ x: Tensor) -> Tensor {
      let h = pool(norm(conv(x)).relu())
      return fc2(fc1(h.flatten(from: 1)).tanh())
    }
  }

  static let optimizers: [(name: String, optimizer: any Optimizer)] = [
    ("sgd", SGD(learningRate: 0.1)),
    ("sgd_momentum", SGD(learningRate: 0.05, momentum: 0.9, dampening: 0.1, weightDecay: 0.01)),
    ("sgd_nesterov", SGD(learningRate: 0.05, momentum: 0.9, weightDecay: 0.01, nesterov: true)),
    ("adam", Adam(learningRate: 0.01)),
    ("adam_decay", Adam(learningRate: 0.01, weightDecay: 0.05, amsgrad: true)),
    ("adamw", AdamW(learningRate: 0.01, weightDecay: 0.05)),
    ("rmsprop", RMSprop(learningRate: 0.01, epsilon: 1e-4)),
    ("rmsprop_centered", RMSprop(learningRate: 0.01, weightDecay: 0.01, momentum: 0.5, centered: true)),
    ("adagrad", Adagrad(learningRate: 0.05, learningRateDecay: 0.01)),
    ("adadelta", Adadelta(learningRate: 1, weightDecay: 0.01)),
    ("sgd_clipped", SGD(learningRate: 0.1)),
  ]

  static func fixture() throws -> ParameterStore {
    let path = URL(filePath: #filePath).deletingLastPathComponent().path + "/Fixtures/training.safetensors"
    return try ParameterStore(reading: path)
  }

  @Test(arguments: optimizers.map(\.name))
  func twentyStepsEqualPyTorch(_ name: String) throws {
    let fixture = try Self.fixture()
    let optimizer = try #require(Self.optimizers.first { $0.name == name }).optimizer
    let step = try Self.step(optimizer, clipNorm: name == "sgd_clipped" ? 0.5 : nil).compile()
    var state = step.initialState()
    var start = ParameterStore()
    for key in state.parameters.names { start[key] = try #require(fixture["initial.\(key)"]) }
    state.parameters = start
    let images = try #require(fixture["images"]), labels = try #require(fixture["labels"])
    let losses = try #require(fixture["\(name).losses"]?.doubles)
    for (index, expected) in losses.enumerated() {
      let measured = try step(&state, images.row(index), labels.row(index))
      let loss = try #require(measured["loss"])
      #expect(abs(loss - expected) <= 1e-5 * max(1, abs(expected)), "step \(index): \(loss), PyTorch has \(expected)")
    }
    #expect(state.steps == losses.count)
    for key in state.parameters.names {
      let given = try #require(state.parameters[key]?.doubles),
        expected = try #require(fixture["\(name).\(key)"]?.doubles)
      let worst = zip(given, expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(given.count == expected.count && worst <= 2e-5 * max(1, expected.map(abs).max() ?? 0), "\(key): \(worst)")
    }
  }

  @Test func aSavedRunGoesOnBitByBit() throws {
    let fixture = try Self.fixture()
    let images = try #require(fixture["images"]), labels = try #require(fixture["labels"])
    let step = try Self.step(Adam(learningRate: 0.01), clipNorm: nil).compile()
    let path = FileManager.default.temporaryDirectory.path + "/checkpoint-\(UUID().uuidString).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var whole = step.initialState(seed: 5)
    for index in 0..<3 { try step(&whole, images.row(index), labels.row(index)) }
    try whole.save(path)
    var resumed = try step.state(reading: path)
    for index in 3..<6 {
      let expected = try step(&whole, images.row(index), labels.row(index))
      let given = try step(&resumed, images.row(index), labels.row(index))
      #expect(given == expected)
    }
    #expect(resumed.steps == 6)
    // Another optimizer remembers other things: all that differs is told.
    let other = try Self.step(SGD(momentum: 0.9), clipNorm: nil).compile()
    let error = #expect(throws: DiagnosticError.self) { try other.state(reading: path) }
    let told = error?.diagnostics.map(\.message) ?? []
    #expect(told.contains { $0.contains("fc1.weight.momentum_buffer is missing") })
    #expect(told.contains { $0.contains("fc1.weight.exp_avg belongs to no parameter") })
  }

  @Test func frozenParametersGetNoGradient() throws {
    let all = try Self.step(SGD(), clipNorm: nil)
    let head = try trainingStep(
      Net(), .f32("n", 1, 8, 8), .i64("n"), optimizer: SGD(), loss: crossEntropy, trainable: { $0.hasPrefix("fc2") })
    #expect(head.graph.order.count < all.graph.order.count)
    #expect(
      head.state.filter(\.changes).map(\.name) == ["norm.running_mean", "norm.running_var", "fc2.weight", "fc2.bias"])
    let nothing = #expect(throws: DiagnosticError.self) {
      try trainingStep(
        Net(), .f32("n", 1, 8, 8), .i64("n"), optimizer: SGD(), loss: crossEntropy, trainable: { _ in false })
    }
    #expect(nothing?.diagnostics.first?.message.contains("no parameter") == true)
  }

  @Test func aLossOfSeveralNumbersIsAnError() {
    let error = #expect(throws: DiagnosticError.self) {
      try trainingStep(Net(), .f32("n", 1, 8, 8), .i64("n"), optimizer: SGD(), loss: { scores, _ in scores })
    }
    #expect(error?.diagnostics.contains { $0.message.contains("the loss must be one number") } == true)
  }

  struct Dropping: UnaryLayer {
    var fc = Linear(64, 32), drop = Dropout(0.25), out = Linear(32, 3)
    func forward(_ x: Tensor) -> Tensor { out(drop(fc(x.flatten(from: 1)))) }
  }

  /// Dropout drops other elements in every step, the same ones for the same seed and any number of threads, and none in use.
  @Test func dropoutFollowsFromTheSeed() throws {
    let traced = try trainingStep(
      Dropping(), .f32("n", 1, 8, 8), .i64("n"), optimizer: SGD(learningRate: 0), loss: crossEntropy)
    #expect(traced.isRandom)
    let fixture = try Self.fixture()
    let x = try #require(fixture["images"]).row(0), y = try #require(fixture["labels"]).row(0)
    func losses(seed: UInt64, threads: Int) throws -> [Double] {
      let step = try traced.compile(threads: threads)
      var state = step.initialState(seed: seed)
      // The same weights for all seeds: only what is dropped differs.
      state.parameters = try traced.compile().initialState(seed: 1).parameters
      return try (0..<4).map { _ in try #require(try step(&state, x, y)["loss"]) }
    }
    let first = try losses(seed: 7, threads: 1)
    #expect(Set(first).count == 4)
    #expect(try losses(seed: 7, threads: 2) == first)
    #expect(try losses(seed: 8, threads: 1) != first)
    let use = try trace(Dropping(), .f32("n", 1, 8, 8)).graph
    #expect(use.inputs.allSatisfy { $0.name != "random_key" })
  }

  @Test func secondDerivativesFollow() throws {
    // y = Σ x³: y' = 3x², y'' = 6x.
    let traced = try trace((), [.f32(3)]) { inputs in
      let y = (inputs[0] * inputs[0] * inputs[0]).sum()
      let first = y.gradients(withRespectTo: inputs[0])[0]
      return [first, first.gradients(withRespectTo: inputs[0])[0]]
    }
    let library = FileManager.default.temporaryDirectory.path + "/second-\(UUID().uuidString).so"
    defer { try? FileManager.default.removeItem(atPath: library) }
    let results = try traced.initialized().compile(to: library).run(.f32([3], [1, -2, 0.5]))
    #expect(results[0].array(of: Float.self) == [3, 12, 0.75])
    #expect(results[1].array(of: Float.self) == [6, -12, 3])
  }

  private static func step(_ optimizer: some Optimizer, clipNorm: Double?) throws -> TrainingStep {
    try trainingStep(
      Net(), .f32("n", 1, 8, 8), .i64("n"), optimizer: optimizer, loss: crossEntropy, metrics: ["accuracy": accuracy],
      clipNorm: clipNorm)
  }
}

extension HostTensor {
  /// One of the tensors along the first axis.
  fileprivate func row(_ index: Int) -> HostTensor {
    let size = Array(shape.dropFirst()), width = element.byteCount(size.reduce(1, *))
    return HostTensor(
      element, size,
      bytes: TensorBytes(count: width) { target in
        bytes.withBytes {
          target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[(index * width)..<((index + 1) * width)]))
        }
      })
  }
}
