import Foundation
import Sinter
import SinterRecords
import SinterVision

/// Two convolutions with batch norm, and two linear layers: 421,834 numbers.
struct FashionNet: UnaryLayer {
  var conv1 = Conv2d(1, 32, kernel: 3, padding: 1), norm1 = BatchNorm2d(32)
  var conv2 = Conv2d(32, 64, kernel: 3, padding: 1), norm2 = BatchNorm2d(64)
  var pool = MaxPool2d(2), drop = Dropout(0.25)
  var fc1 = Linear(7 * 7 * 64, 128), fc2 = Linear(128, 10)

  func forward(_ x: Tensor) -> Tensor {
    var h = pool(norm1(conv1(x)).relu())
    h = pool(norm2(conv2(h)).relu())
    return fc2(drop(fc1(h.flatten(from: 1)).relu()))
  }
}

/// Trains a classifier of Fashion-MNIST, and leaves its parameters, its curves and TensorBoard's events in a folder.
///
///     swift run -c release fashion [FOLDER] [EPOCHS] [SAMPLES] [OUTPUT]
///
/// FOLDER holds the four IDX files, packed by gzip or not; by default that of the Debian package dataset-fashion-mnist.
@main
struct Fashion {
  static func main() {
    let arguments = CommandLine.arguments
    func argument(_ place: Int, _ standard: String) -> String { arguments.count > place ? arguments[place] : standard }
    guard arguments.count <= 5, let epochs = Int(argument(2, "5")), let samples = Int(argument(3, "60000")), epochs > 0,
      samples >= 100
    else {
      print("usage: fashion [FOLDER] [EPOCHS] [SAMPLES] [OUTPUT]")
      exit(2)
    }
    do {
      try train(
        argument(1, "/usr/share/datasets/fashion-mnist"), epochs, samples,
        output: arguments.count > 4 ? arguments[4] : nil)
    } catch {
      print(error)
      exit(1)
    }
  }

  static func train(_ folder: String, _ epochs: Int, _ samples: Int, output: String?) throws {
    let all = try images(folder, "train")
    let training = try Subset(all, Array(0..<min(samples, all.count))).transformed(
      ToTensor(), Normalize(mean: [0.286], deviation: [0.353]), RandomHorizontalFlip())
    let test = try images(folder, "t10k").transformed(ToTensor(), Normalize(mean: [0.286], deviation: [0.353]))

    let net = FashionNet(), image = InputSpec.f32("n", 1, 28, 28), label = InputSpec.i64("n")
    let step = try trainingStep(
      net, .f32(100, 1, 28, 28), .i64(100), optimizer: Adam(learningRate: 1e-3), loss: crossEntropy,
      metrics: ["accuracy": accuracy]
    ).compile()
    let measure = try evaluation(net, image, label, loss: crossEntropy, metrics: ["accuracy": accuracy])
    var state = step.initialState(seed: 123)
    let events = try output.map { try EventWriter(folder: $0) }
    let history = try step.fit(
      &state, training, epochs: epochs, batch: 100, seed: 123, schedule: .cosine(epochs: epochs),
      display: .standard, validate: { try measure($0.parameters, test, batch: 500, workers: 1) },
      report: { try events?.record($0) })
    if let output {
      try state.parametersForPyTorch.save("\(output)/fashion.safetensors")
      for name in ["loss", "accuracy"] { try LearningCurve(history, of: name).save("\(output)/\(name).svg") }
      try ImageFile.writePNG(
        try ImageGrid.image(images(folder, "t10k").batch(Array(0..<64), seed: 0, epoch: 0)[0]),
        to: "\(output)/images.png")
    }
    guard let last = history.epochs.last, let right = last.validation["accuracy"] else { return }
    let figures = String(format: "test accuracy %.4f, %.1f s an epoch", right, last.seconds)
    print(
      "| `fashion` | CNN, \(epochs) epochs of \(training.count) images | \(figures) | at least 0.91 in 5 epochs of 60000 |"
    )
  }

  /// Images of bytes with one channel, and labels.
  static func images(_ folder: String, _ name: String) throws -> TensorDataset {
    func read(_ part: String) throws -> HostTensor {
      let path = "\(folder)/\(name)-\(part)"
      return try IdxFile.read(FileManager.default.fileExists(atPath: path) ? path : path + ".gz")
    }
    let (images, labels) = (try read("images-idx3-ubyte"), try read("labels-idx1-ubyte"))
    return try TensorDataset(
      images.reshaped([images.shape[0], 1, 28, 28]), .i64(labels.shape, labels.array(of: UInt8.self).map { Int($0) }))
  }
}
