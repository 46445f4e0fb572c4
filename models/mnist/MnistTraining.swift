import Foundation
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
///     swift run -c release mnist FOLDER [mlp|cnn] [EPOCHS] [OUTPUT]
///
/// FOLDER holds the four IDX files, unpacked: train-images-idx3-ubyte and so on.
@main
struct MnistTraining {
  static func main() {
    let arguments = CommandLine.arguments
    guard (2...5).contains(arguments.count), let epochs = Int(arguments.count > 3 ? arguments[3] : "1"), epochs > 0
    else {
      print("usage: mnist FOLDER [mlp|cnn] [EPOCHS] [OUTPUT]")
      exit(2)
    }
    do {
      let net = arguments.count > 2 ? arguments[2] : "mlp"
      let output = arguments.count > 4 ? arguments[4] : nil
      switch net {
      case "mlp": try train(MnistMLP(), SGD(learningRate: 0.01), batch: 50, arguments[1], epochs, output)
      case "cnn": try train(MnistCNN(), Adam(learningRate: 1e-3), batch: 100, arguments[1], epochs, output)
      default:
        print("there is no network \(net): take mlp or cnn")
        exit(2)
      }
    } catch {
      print(error)
      exit(1)
    }
  }

  static func train(
    _ net: some UnaryLayer, _ optimizer: some Optimizer, batch: Int, _ folder: String, _ epochs: Int, _ output: String?
  ) throws {
    let (train, test) = (try digits(folder, "train"), try digits(folder, "t10k"))
    let clock = ContinuousClock()
    let begin = clock.now
    let step = try trainingStep(
      net, .f32(Dim(batch), 1, 28, 28), .i64(Dim(batch)), optimizer: optimizer, loss: crossEntropy,
      metrics: ["accuracy": accuracy]
    ).compile()
    print("compiled the step in \(seconds(clock.now - begin)) s")
    var state = step.initialState(seed: 123)
    try step.fit(
      &state, train, epochs: epochs, batch: batch, seed: 123,
      report: { epoch in
        print(
          "epoch \(epoch.number): loss \(rounded(epoch.training["loss"] ?? .nan)),"
            + " training accuracy \(rounded(epoch.training["accuracy"] ?? .nan)), \(rounded(epoch.seconds)) s")
      })
    let path =
      output ?? FileManager.default.temporaryDirectory.path
      + "/libmnist-\(ProcessInfo.processInfo.processIdentifier).so"
    let graph = try trace(net, .f32("n", 1, 28, 28, name: "image"), name: "mnist").bound(to: state.parameters)
    let model = try graph.compile(to: path)
    defer { if output == nil { try? FileManager.default.removeItem(atPath: path) } }
    var right = 0
    let batches = try DataLoader(test, batch: 1000).batches()
    while let samples = try batches.next() {
      let scores = try model.run(samples[0])[0].array(of: Float.self)
      let labels = samples[1].array(of: Int64.self)
      for (index, label) in labels.enumerated() {
        let row = scores[(index * 10)..<(index * 10 + 10)]
        if let best = row.indices.max(by: { row[$0] < row[$1] }), best - row.startIndex == Int(label) { right += 1 }
      }
    }
    print("test accuracy \(rounded(Double(right) / Double(test.count)))\(output.map { ", compiled to \($0)" } ?? "")")
  }

  /// Images as f32 in −1 … 1, labels as i64.
  static func digits(_ folder: String, _ name: String) throws -> TensorDataset {
    let images = try IdxFile.read("\(folder)/\(name)-images-idx3-ubyte")
    let labels = try IdxFile.read("\(folder)/\(name)-labels-idx1-ubyte")
    let pixels = images.array(of: UInt8.self).map { Float($0) / 127.5 - 1 }
    return try TensorDataset(
      HostTensor.f32([images.shape[0], 1, 28, 28], pixels),
      HostTensor.i64(labels.shape, labels.array(of: UInt8.self).map { Int($0) }))
  }

  static func rounded(_ value: Double) -> Double { (value * 10000).rounded() / 10000 }
  static func seconds(_ duration: Duration) -> Double { (duration / .milliseconds(1)).rounded() / 1000 }
}
