import Foundation
import Sinter
import SinterVision
import Testing

/// What does not fit is told before anything is computed with it: shapes of targets, states of other steps, tensors with too few elements.
@Suite struct MisuseTests {
  // MARK: Tensors whose elements are not those of their shape

  private static let short = HostTensor.f32([3, 8, 8], [Float](repeating: 1, count: 10))

  @Test func tensorsWithTooFewElementsAreNoData() throws {
    #expect(Self.short.doubles == nil)
    #expect(HostTensor(.i32, [100], values: [1] as [Int32]).int64s == nil)
    let labels = HostTensor.i64([3], [0, 1, 2])
    #expect(
      message { try TensorDataset(Self.short, labels) }.contains("has 192 elements of type f32, but there are 10"))
    let transforms: [any Transform] = [
      CenterCrop(4), RandomCrop(4), RandomHorizontalFlip(1), RandomErasing(1), RandomResizedCrop(4), Resize(4),
      Normalize(mean: [0], deviation: [1]),
    ]
    for transform in transforms { #expect(message { try transform(Self.short) }.contains("there are 10")) }
    let image = HostTensor(.u8, [8, 8], values: [1, 2] as [UInt8])
    #expect(message { try ToTensor()(image) }.contains("there are 2"))
    try withScratchFolder { folder in
      #expect(message { try ImageFile.writePNG(image, to: "\(folder)/a.png") }.contains("there are 2"))
      #expect(message { try NpyFile.write(Self.short, to: "\(folder)/a.npy") }.contains("there are 10"))
      var store = ParameterStore()
      store["weight"] = Self.short
      #expect(message { try store.save("\(folder)/a.safetensors") }.contains("weight"))
    }
  }

  @Test func absurdSizesAreTold() {
    #expect(HostTensor(.f32, [.max, 4], values: [Float]()).count == .max)
    for make: () -> Tensor in [
      { zeros(1 << 21, 1 << 21) }, { linspace(0, 1, 1 << 45) }, { arange(0, .max) }, { arange(0, 1e11, step: 0.1) },
      { tensor([1.0]).narrow(0, from: .max, count: .max) }, { ones(1, 3, 4, 4).relu().narrow(0, from: 0, count: .max) },
      { AdaptiveMaxPool2d(Int.max)(ones(1, 1, 4, 4)) }, { AdaptiveAvgPool2d(Int.max)(ones(1, 1, 4, 4)) },
      { MaxPool2d(Int.max, dilation: 2)(ones(1, 1, 4, 4)) },
      { AvgPool3d(Int.max, divisorOverride: 3)(ones(1, 1, 4, 4, 4)) },
      { LPPool2d(2, Int.max)(ones(1, 1, 4, 4)) }, { LocalResponseNorm(.max)(ones(1, 3, 4)) },
      { Linear(1 << 40, 1 << 40)(ones(1, 4)) },
      { Linear(4, 1 << 45)(ones(1, 4)) }, { GRUCell(3, .max / 2)(ones(1, 3)) },
    ] {
      #expect(!message { try make().numbers() }.isEmpty)
    }
    #expect(!message { try LSTM(3, .max / 2)(ones(2, 1, 3)).0.numbers() }.isEmpty)
    var generator = Generator(seed: 1)
    #expect(throws: Never.self) { try generator.randint(Int.min..<Int.max, [2]).numbers() }
    #expect(message { try generator.randperm(1 << 45).numbers() }.contains("more than this machine has"))
    let image = HostTensor.f32([1, 2, 2], [1, 2, 3, 4])
    for transform: any Transform in [
      CenterCrop(1 << 40), RandomCrop(2, padding: 1 << 62), RandomCrop(1 << 20, padding: 1 << 20), Resize(1 << 40),
    ] {
      #expect((try? transform(image).shape) ?? [1, 2, 2] == [1, 2, 2])
    }
    #expect(message { try CenterCrop(1 << 40)(image) }.contains("pixels"))
  }

  // MARK: Mistakes before something that gives several tensors

  private struct Parts: UnaryLayer {
    var wide = Linear(5, 12)
    var cut: @Sendable (Tensor) -> [Tensor]
    func forward(_ x: Tensor) -> Tensor {
      let parts = cut(wide(x))
      return parts[0] + parts[1] * parts[2]
    }
  }

  @Test func mistakesHaveAsManyPartsAsAreAskedFor() {
    let cuts: [@Sendable (Tensor) -> [Tensor]] = [
      { $0.chunk(3, axis: -1) }, { $0.split(4, axis: -1) }, { $0.unbind(-1) },
      { $0.split(sizes: [4, 4, 4], axis: -1) },
    ]
    for cut in cuts {
      #expect(message { try trace(Parts(cut: cut), .f32(2, 4)) }.contains("layer wide"))
      #expect(message { try Parts(cut: cut)(zeros(2, 4)).numbers() }.contains("4"))
    }
    #expect(message { try GRUCell(3, 2)(zeros(1, 4)).numbers() }.contains("4"))
    #expect(message { try LSTMCell(3, 4)(zeros(1, 3), (zeros(2, 5), zeros(2, 4))).0.numbers() }.contains("5"))
  }

  @Test func windowsFitIntoTheirImages() throws {
    for pool in [MaxPool2d(7), MaxPool2d(3, dilation: 3)] {
      #expect(message { try trace(pool, .f32(1, 1, 5, 5)) }.contains("over 7 elements along spatial axis 0"))
    }
    #expect(message { try trace(AvgPool2d(7, padding: 0), .f32("n", 1, 5, 5)) }.contains("over 7 elements"))
    #expect(try AvgPool2d(7, padding: 1)(ones(1, 1, 5, 5)).numbers().doubles?.count == 1)
  }

  @Test func embeddingsHaveNoRowsBeforeTheFirst() throws {
    let layer = Embedding(5, 3)
    #expect(try layer(tensor([0, 4])).numbers().shape == [2, 3])
    #expect(
      message { try layer(tensor([2, -1])).numbers() }.contains("index -1 lies outside of an axis of 5 elements"))
  }

  // MARK: Losses

  @Test func targetsHaveTheShapeOfPredictions() throws {
    let losses: [(Tensor, Tensor) -> Tensor] = [
      { mseLoss($0, $1) }, { l1Loss($0, $1) }, { huberLoss($0, $1) }, { binaryCrossEntropy($0, $1) },
      { binaryCrossEntropyWithLogits($0, $1) },
    ]
    for loss in losses {
      let told = message { try loss(full([3, 1], 0.5), ones(3)).item() }
      #expect(told.contains("f32[3, 1]") && told.contains("f32[3]"))
      #expect(try loss(full([3, 1], 0.5), ones(3, 1)).item().isFinite)
    }
    #expect(try mseLoss(full([3], 2), tensor(1.0)).item() == 1)
  }

  /// The gradient of the binary cross entropy of scores is σ(x) − t, also where a score is 0.
  @Test func scoresOfZeroHaveTheirGradient() throws {
    let scores = tensor([0.0, 0.0, 2.0], requiresGradient: true)
    try binaryCrossEntropyWithLogits(scores, tensor([1.0, 0.0, 1.0]), reduction: .sum).backward()
    let gradient = try #require(try scores.grad?.numbers().doubles)
    for (a, b) in zip(gradient, [-0.5, 0.5, -0.1192029]) { #expect(abs(a - b) < 1e-6) }
  }

  @Test func measuresHaveNamesOfTheirOwnAndAreNumbers() {
    func step(_ metrics: KeyValuePairs<String, (Tensor, Tensor) -> Tensor>) -> String {
      let both = [
        message {
          try trainingStep(
            FitTests.Net(), .f32(8, 4), .i64(8), optimizer: SGD(), loss: crossEntropy, metrics: metrics)
        },
        message {
          try evaluation(FitTests.Net(), .f32("n", 4), .i64("n"), loss: crossEntropy, metrics: metrics)
        },
      ]
      #expect(both.allSatisfy { !$0.isEmpty })
      return both.joined(separator: " and ")
    }
    for (told, text) in [
      (step(["loss": accuracy]), "two measures are called 'loss'"),
      (step(["right": accuracy, "right": accuracy]), "two measures are called 'right'"),
      (step(["all": { scores, _ in scores }]), "the metric 'all' must be one number"),
    ] {
      #expect(told.components(separatedBy: text).count == 3, "\(told)")
    }
  }

  @Test func optimizersTellNumbersThatMakeNoSense() {
    func told(_ optimizer: some Optimizer) -> String {
      message {
        try trainingStep(FitTests.Net(), .f32(8, 4), .i64(8), optimizer: optimizer, loss: crossEntropy)
      }
    }
    let adam = told(Adam(learningRate: -1, betas: (1.5, 2)))
    #expect(adam.contains("learningRate must be at least 0") && adam.contains("but one is 2.0"))
    #expect(told(SGD(nesterov: true)).contains("nesterov asks for a momentum"))
    #expect(told(Adadelta(rho: 1.5)).contains("rho"))
  }

  // MARK: States

  @Test func parametersThatDoNotFitAStateAreTold() throws {
    let step = try FitTests.step(), data = try FitTests.data(16)
    let batch = data.tensors
    var state = step.initialState(seed: 1)
    var other = state.parameters
    other["fc1.weight"] = .f32([5, 4], [Float](repeating: 0, count: 20))
    other["module.fc2.bias"] = .f32([3], [0, 0, 0])
    state.parameters = other
    let told = message { try step(&state, batch[0], batch[1]) }
    #expect(told.contains("fc1.weight is f32[5, 4], expected f32[8, 4]") && told.contains("module.fc2.bias"))
    // Parameters that fit take their place, and the others stay.
    var part = ParameterStore()
    part["fc2.bias"] = .f32([3], [1, 2, 3])
    state.parameters = part
    #expect(state["fc2.bias"]?.doubles == [1, 2, 3])
    #expect(try step(&state, batch[0], batch[1])["loss"]?.isFinite == true)
  }

  private struct Pair: UnaryLayer {
    var a = Linear(4, 4), b = Linear(4, 4)
    var isSwapped: Bool
    func forward(_ x: Tensor) -> Tensor { isSwapped ? a(b(x)) : b(a(x)) }
  }

  @Test func statesOfOtherStepsAreTakenByName() throws {
    func step(_ isSwapped: Bool, _ optimizer: some Optimizer) throws -> CompiledStep {
      try trainingStep(Pair(isSwapped: isSwapped), .f32(2, 4), .f32(2, 4), optimizer: optimizer, loss: mseLoss)
        .compile()
    }
    let (one, other) = (try step(false, SGD(learningRate: 0)), try step(true, SGD(learningRate: 0)))
    let x = HostTensor.f32([2, 4], (0..<8).map { Float($0) / 4 - 1 }),
      y = HostTensor.f32([2, 4], [Float](repeating: 1, count: 8))
    var state = one.initialState(seed: 7)
    var named = other.initialState(seed: 8)
    named.parameters = state.parameters
    let expected = try other(&named, x, y)
    #expect(try other(&state, x, y) == expected)
    var adam = try step(false, Adam()).initialState(seed: 7)
    #expect(message { try one(&adam, x, y) }.contains("the state has a.weight.exp_avg, which is not of this step"))
  }

  // MARK: Printing

  @Test func complexNumbersAndTextsArePrinted() {
    #expect("\(zeros(2, element: .c64))" == "tensor([0.0000+0.0000j, 0.0000+0.0000j])")
    #expect("\(Tensor(HostTensor(strings: ["a", "bc"], shape: [2])))" == "tensor(['a', 'bc'])")
  }
}
