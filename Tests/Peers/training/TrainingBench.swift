import Foundation
import Sinter
import SinterModels

/// Times one step of training; `bench_training.py` runs it beside PyTorch and JAX.
///
///     training-bench CASE FOLDER THREADS SECONDS
///     training-bench --library CASE FOLDER
///
/// Leaves the initial parameters and a batch in FOLDER as safetensors files, and prints as JSON: seconds until the step was compiled, and until the
/// first one was done (initial values and their file between the two), the first twenty losses, and milliseconds of each timed step. With
/// `--library` it takes no step: beside these files it leaves the step as a library that keeps its state, CASE.so, and as CASE.onnx, which
/// `sinter profile` reads.
@main
struct TrainingBench {
  struct Report: Encodable {
    var compileSeconds: Double
    var firstSeconds: Double
    var losses: [Double]
    var milliseconds: [Double]
  }

  struct Case {
    var step: TrainingStep
    var x: HostTensor, y: HostTensor
  }

  static func main() {
    let arguments = CommandLine.arguments
    if arguments.count == 4, arguments[1] == "--library" {
      do {
        let (name, folder) = (arguments[2], arguments[3])
        let item = try make(name)
        let state = try item.step.compile().initialState(seed: 1)
        try save(item, state, name, folder)
        let model = try item.step.keepingState(state)
        try model.compile(to: "\(folder)/\(name).so")
        try model.export("\(folder)/\(name).onnx")
      } catch {
        print(error)
        exit(1)
      }
      return
    }
    guard arguments.count == 5, let threads = Int(arguments[3]), let seconds = Double(arguments[4]) else {
      print("usage: training-bench CASE FOLDER THREADS SECONDS")
      exit(2)
    }
    do {
      let report = try run(arguments[1], folder: arguments[2], threads: threads, seconds: seconds)
      print(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
    } catch {
      print(error)
      exit(1)
    }
  }

  static func run(_ name: String, folder: String, threads: Int, seconds: Double) throws -> Report {
    let clock = ContinuousClock()
    let begin = clock.now
    let item = try make(name)
    let run = try item.step.compile(threads: threads)
    let compileSeconds = (clock.now - begin) / .seconds(1)
    var state = run.initialState(seed: 1)
    try save(item, state, name, folder)
    var losses = [try run(&state, item.x, item.y)["loss"] ?? .nan]
    let firstSeconds = (clock.now - begin) / .seconds(1)
    for _ in 1..<20 { losses.append(try run(&state, item.x, item.y)["loss"] ?? .nan) }
    var times: [Double] = []
    let start = clock.now
    while clock.now - start < .seconds(seconds) || times.count < 5 {
      let before = clock.now
      try run(&state, item.x, item.y)
      times.append((clock.now - before) / .milliseconds(1))
    }
    return Report(
      compileSeconds: compileSeconds, firstSeconds: firstSeconds, losses: losses, milliseconds: times)
  }

  static func save(_ item: Case, _ state: TrainingState, _ name: String, _ folder: String) throws {
    try state.parameters.save("\(folder)/\(name).safetensors")
    var batch = ParameterStore()
    (batch["x"], batch["y"]) = (item.x, item.y)
    try batch.save("\(folder)/\(name)-batch.safetensors")
  }

  static func make(_ name: String) throws -> Case {
    switch name {
    case "mlp50", "mlp100", "mlp500":
      return try images(MLP(), Int(name.dropFirst(3)) ?? 50, [784], SGD(learningRate: 0.01))
    case "cnn": return try images(SmallCNN(), 100, [3, 32, 32], SGD(learningRate: 0.01))
    case "cnn6": return try images(DeepCNN(), 100, [3, 32, 32], Adam(learningRate: 1e-3))
    case "resnet18":
      return try images(ResNet.resnet18(classes: 10), 32, [3, 64, 64], SGD(learningRate: 0.01, momentum: 0.9))
    case "lstm": return try images(RowLSTM(), 64, [28, 28], Adam(learningRate: 1e-3))
    case "sentiment":
      let step = try trainingStep(
        Sentiment(), .i64(50, 200), .f32(50), optimizer: Adam(learningRate: 1e-3),
        loss: { binaryCrossEntropyWithLogits($0, $1) }, clipNorm: 5)
      let labels = (0..<50).map { Float($0 % 2) }
      return Case(step: step, x: .i64([50, 200], tokens(50 * 200, below: 10000)), y: .f32([50], labels))
    case "gpt12", "gpt12r", "gpt1":
      let batch = name == "gpt1" ? 1 : 12
      let step = try trainingStep(
        GPT(recomputes: name == "gpt12r"), .i64(Dim(batch), 64), .i64(Dim(batch), 64),
        optimizer: AdamW(learningRate: 1e-3, weightDecay: 0.1),
        loss: { crossEntropy($0.reshape([Dim(batch * 64), 65]), $1.reshape([Dim(batch * 64)])) })
      let text = tokens(batch * 65, below: 65)
      let rows = (0..<batch).map { Array(text[($0 * 65)..<($0 * 65 + 65)]) }
      return Case(
        step: step, x: .i64([batch, 64], rows.flatMap { $0.dropLast() }),
        y: .i64([batch, 64], rows.flatMap { $0.dropFirst() }))
    case "vit": return try images(ViT(), 64, [1, 28, 28], Adam(learningRate: 1e-3))
    default:
      throw DiagnosticError(.user, "bench.case", "there is no case \(name)")
    }
  }

  /// A classifier of ten classes of images of noise.
  static func images(
    _ net: some UnaryLayer, _ batch: Int, _ shape: [Int], _ optimizer: some Optimizer
  ) throws -> Case {
    let sizes = [batch] + shape
    var input = InputSpec.f32(name: "input")
    input.type.shape = sizes.map { Dim($0) }
    let step = try trainingStep(net, input, .i64(Dim(batch)), optimizer: optimizer, loss: { crossEntropy($0, $1) })
    let count = sizes.reduce(1, *)
    let pixels = tokens(count, below: 2000).map { Float($0) / 1000 - 1 }
    return Case(step: step, x: .f32(sizes, pixels), y: .i64([batch], tokens(batch, below: 10)))
  }

  static func tokens(_ count: Int, below bound: UInt64) -> [Int] {
    var state: UInt64 = 42
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % bound)
    }
  }
}
