import Foundation
import Sinter

/// Trains five networks for images of CIFAR-10's sizes, on made-up images or on CIFAR-10 itself.
///
///     swift run -c release cifar [v1,v2,v3,v4,v5] [SAMPLES] [EPOCHS] [FOLDER]
///
/// FOLDER holds CIFAR-10's binary files; without it images are made: each class a direction of stripes and a color, under noise.
@main
struct Cifar {
  static func main() {
    let arguments = CommandLine.arguments
    func argument(_ place: Int, _ standard: String) -> String { arguments.count > place ? arguments[place] : standard }
    let names = argument(1, "v1,v2,v3,v4,v5").split(separator: ",").map(String.init)
    guard arguments.count <= 5, let samples = Int(argument(2, "2000")), let epochs = Int(argument(3, "3")),
      samples >= 100,
      epochs > 0, names.allSatisfy({ name in networks().contains { $0.name == name } })
    else {
      print("usage: cifar [v1,v2,v3,v4,v5] [SAMPLES] [EPOCHS] [FOLDER]")
      exit(2)
    }
    do {
      let folder = arguments.count > 4 ? arguments[4] : nil
      let normal = Normalize(mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5])
      let all = try folder.map { try images($0, train: true) } ?? made(samples, seed: 1)
      let training = try Subset(all, Array(0..<min(samples, all.count)))
      let test = try (folder.map { try images($0, train: false) } ?? made(500, seed: 2)).transformed(ToTensor(), normal)
      for (name, net, adds) in networks() where names.contains(name) {
        // From v4 on images are changed at random; stripes have a direction, so that they are not flipped.
        let changed: any Dataset =
          name < "v4"
          ? training.transformed(ToTensor(), normal)
          : folder == nil
            ? training.transformed(ToTensor(), normal, RandomCrop(32, padding: 2))
            : training.transformed(ToTensor(), normal, RandomHorizontalFlip(), RandomErasing())
        try train(net, name, adds, changed, test, epochs)
      }
    } catch {
      print(error)
      exit(1)
    }
  }

  static func train(
    _ net: some UnaryLayer, _ name: String, _ adds: String, _ training: any Dataset, _ test: some Dataset, _ epochs: Int
  ) throws {
    // v1 and v2 learn by plain descent on real images in fifty epochs; Adam serves all of them in a few.
    let step = try trainingStep(
      net, .f32(100, 3, 32, 32), .i64(100), optimizer: Adam(learningRate: 1e-3), loss: crossEntropy,
      metrics: ["accuracy": accuracy]
    ).compile()
    let measure = try evaluation(
      net, .f32("n", 3, 32, 32), .i64("n"), loss: crossEntropy, metrics: ["accuracy": accuracy])
    var state = step.initialState(seed: 123)
    let count = step.step.state.filter { $0.slot == nil && $0.parameter.role == .trainable }.reduce(0) {
      $0 + $1.parameter.count
    }
    let loader = DataLoader(training, batch: 100, order: .shuffled(seed: 123), dropLast: true, seed: 123, workers: 1)
    let history = try step.fit(
      &state, loader, epochs: epochs, display: .standard, validate: { try measure($0.parameters, test) })
    guard let last = history.epochs.last, let right = last.validation["accuracy"] else { return }
    let figures = String(
      format: "test accuracy %.3f, %.0f ms a step", right, 1000 * last.seconds / Double(loader.count))
    print(
      "| `cifar` | \(name), \(adds), \(count) numbers, \(epochs) epochs of \(training.count) images | \(figures) | |")
  }

  static func images(_ folder: String, train: Bool) throws -> TensorDataset {
    let file = try CifarFile.read(folder: folder, train: train)
    return try TensorDataset(file.images, file.labels)
  }

  /// Images whose class is one of five directions of stripes and one of two colors.
  static func made(_ count: Int, seed: UInt64) throws -> TensorDataset {
    var random = SampleRandom(seed: seed)
    var pixels = [UInt8](repeating: 0, count: count * 3072)
    let labels = (0..<count).map { _ in random.integer(below: 10) }
    for (image, label) in labels.enumerated() {
      let angle = Double(label % 5) * .pi / 5, phase = random.uniform(0, 6)
      let (across, down) = (cos(angle) * 0.8, sin(angle) * 0.8)
      for row in 0..<32 {
        for column in 0..<32 {
          let stripe = 128 + 60 * sin(across * Double(column) + down * Double(row) + phase)
          for channel in 0..<3 {
            let tint = channel == (label < 5 ? 0 : 2) ? 25.0 : 0
            let value = stripe + tint + random.uniform(-70, 70)
            pixels[image * 3072 + channel * 1024 + row * 32 + column] = UInt8(min(255, max(0, value)))
          }
        }
      }
    }
    return try TensorDataset(HostTensor(.u8, [count, 3, 32, 32], values: pixels), .i64([count], labels))
  }
}
