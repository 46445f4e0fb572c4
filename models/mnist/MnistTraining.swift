import ExampleSupport
import Sinter

/// 784-128-10 with ReLU: 101,770 numbers.
struct MnistMLP: UnaryLayer {
  var flatten = Flatten()
  var fc1 = Linear(784, 128), fc2 = Linear(128, 10)

  func forward(_ x: Tensor) -> Tensor { fc2(fc1(flatten(x)).relu()) }
}

/// Two convolutions, each with a pool, and a linear layer.
struct MnistCNN: UnaryLayer {
  var conv1 = Conv2d(1, 32, kernel: 3, padding: 1)
  var conv2 = Conv2d(32, 64, kernel: 3, padding: 1)
  var pool = MaxPool2d(2)
  var fc = Linear(7 * 7 * 64, 10)

  func forward(_ x: Tensor) -> Tensor {
    let h = pool(conv2(pool(conv1(x).relu())).relu())
    return fc(h.flatten(from: 1))
  }
}

/// Trains a classifier of MNIST's digits, or of Fashion-MNIST's clothes, and compiles it for use.
///
///     swift run -c release mnist FOLDER [mlp|mlp500|cnn] [EPOCHS] [SAMPLES] [OUTPUT]
///
/// FOLDER holds the four IDX files, packed by gzip or not: train-images-idx3-ubyte and so on. `mlp500` is the MLP with batches of 500 instead of 50.
@main
struct MnistTraining {
  static func main() {
    Example.main("mnist FOLDER [mlp|mlp500|cnn] [EPOCHS] [SAMPLES] [OUTPUT]", most: 5) { example in
      switch example.choice(1, ["mlp", "mlp500", "cnn"]) {
      case "mlp": try train(MnistMLP(), SGD(learningRate: 0.01), batch: 50, example)
      case "mlp500": try train(MnistMLP(), SGD(learningRate: 0.01), batch: 500, example)
      default: try train(MnistCNN(), Adam(learningRate: 1e-3), batch: 100, example)
      }
    }
  }

  static func train(_ net: some UnaryLayer, _ optimizer: some Optimizer, batch: Int, _ example: Example) throws {
    let kind = example.text(1, "mlp")
    let (folder, epochs) = (example.text(0, Pictures.standardFolder), example.number(2, 1))
    let count = example.number(3, 60_000, atLeast: batch)
    let (train, test) = (try digits(folder, training: true, count), try digits(folder, training: false))
    var compiled: CompiledStep?
    let compiling = try Example.seconds {
      compiled = try trainingStep(
        net, .f32(Dim(batch), 1, 28, 28), .i64(Dim(batch)), optimizer: optimizer, loss: crossEntropy,
        metrics: ["accuracy": accuracy]
      ).compile()
    }
    guard let step = compiled else { return }
    Example.tell("compiled the step in %.2f s", compiling)
    var state = step.initialState(seed: 123)
    let history = try step.fit(&state, train, epochs: epochs, batch: batch, seed: 123, display: .standard)

    let graph = try trace(net, .f32("n", 1, 28, 28, name: "image"), name: "mnist").bound(to: state.parameters)
    let model = try example.optional(4).map { try graph.compile(to: $0, header: true) } ?? graph.load()
    var right = 0.0
    let batches = try DataLoader(test, batch: 1000).batches()
    while let samples = try batches.next() {
      let scores = Tensor(try model.run(samples[0])[0])
      right += try (scores.argmax(1) .== Tensor(samples[1])).float().sum().item()
    }
    let seconds = history.epochs.reduce(0) { $0 + $1.seconds } / Double(max(1, history.epochs.count))
    let share = right / Double(test.count)
    try example.check(share > 0.2, "\(share) of the held-out pictures are right, hardly more than by chance")
    example.row(
      "\(kind), batch \(batch), \(epochs) epochs of \(train.count) pictures",
      "test accuracy %.4f, %.1f s an epoch", share, seconds,
      expected: [
        "mlp": "0.897 after 1 epoch of MNIST", "mlp500": "0.755, 0.880, 0.912 after 1, 5, 20 epochs of MNIST",
        "cnn": "at least 0.975 and 0.985 after 1 and 5 epochs of MNIST",
      ][kind] ?? "")
  }

  /// Images as f32 in −1 … 1, labels as i64.
  static func digits(_ folder: String, training: Bool, _ count: Int? = nil) throws -> TensorDataset {
    let pictures = try Pictures(folder, training: training, count: count)
    return try TensorDataset((Tensor(pictures.images) * 2 - 1).numbers(), pictures.labels)
  }
}
