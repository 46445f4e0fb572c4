import Foundation
import Sinter

/// Trains the classifier of digits, and writes what comes of it: a library to classify with and one to train with, ONNX files of both, drawings
/// and the parameters.
///
///     digits-demo DATA FOLDER [EPOCHS]
@main
struct DigitsDemo {
  static func main() {
    let arguments = CommandLine.arguments
    guard (3...4).contains(arguments.count), let epochs = Int(arguments.count > 3 ? arguments[3] : "60"), epochs > 0
    else {
      print("usage: digits-demo DATA FOLDER [EPOCHS]")
      exit(2)
    }
    do {
      try run(data: arguments[1], folder: arguments[2], epochs: epochs)
    } catch {
      print(error)
      exit(1)
    }
  }

  static func run(data: String, folder: String, epochs: Int) throws {
    let net = DigitNet()
    let step = try trainingStep(
      net, [.f32("N", 1, 8, 8, name: "image"), .i64("N", name: "label")],
      optimizer: AdamW(learningRate: 3e-3, weightDecay: 1e-2), name: "digits_step"
    ) { tensors in
      let scores = net(varied(tensors[0]))
      return (crossEntropy(scores, tensors[1]), [("accuracy", accuracy(scores, tensors[1]))])
    }
    let run = try step.compile()
    let start = run.initialState(seed: 123)
    var state = start
    let clock = ContinuousClock()
    let begin = clock.now
    let history = try run.fit(
      &state, samples(data, "train"), epochs: epochs, batch: 64, seed: 123,
      schedule: .oneCycle(greatest: 3e-3, steps: epochs), display: .standard)
    let seconds = ((clock.now - begin) / .milliseconds(100)).rounded() / 10
    let measure = try evaluation(
      net, .f32("N", 1, 8, 8), .i64("N"), loss: crossEntropy, metrics: ["accuracy": accuracy])
    let measured = try measure(state.parameters, samples(data, "heldout"))
    print(
      "  trained in \(seconds) s: loss \(rounded(history.epochs.last?.training["loss"])), "
        + "\(rounded(measured["accuracy"].map { 100 * $0 })) % of the held-out digits right")

    try state.parameters.save("\(folder)/digits.safetensors")
    let model = try trace(net, .f32("N", 1, 8, 8, name: "image"), name: "digits").bound(to: state.parameters)
    try model.compile(to: "\(folder)/libdigits.so", header: true)
    try model.export("\(folder)/digits.onnx")
    try model.saveDOT("\(folder)/digits.dot")
    try model.optimized().saveDOT("\(folder)/digits-optimized.dot")

    // A library that trains: it begins as untrained as this program did.
    let trainer = try step.keepingState(start)
    try trainer.compile(to: "\(folder)/libdigits_step.so", header: true)
    try trainer.export("\(folder)/digits_step.onnx")
    try trainer.saveDOT("\(folder)/digits_step.dot")
  }

  /// The same digits turned by up to 12 degrees, stretched by up to 10 % and shifted by up to half a pixel, each differently.
  static func varied(_ images: Tensor) -> Tensor {
    let one = images.sum(1, 2, 3).reshape([images.size(0), 1, 1])
    func random(_ most: Double) -> Tensor { (one.randLike() - 0.5) * (2 * most) }
    let (angle, scale) = (random(12 * .pi / 180), random(0.1) + 1)
    let (x, y) = (random(0.125), random(0.125))
    let places = (0..<8).map { (Float($0) + 0.5) / 4 - 1 }
    let column = images.trace.constant(.f32([1, 1, 8], places))
    let row = images.trace.constant(.f32([1, 8, 1], places))
    let (across, along) = (angle.cos() * scale, angle.sin() * scale)
    return images.gridSample(
      stack([across * column - along * row + x, along * column + across * row + y], axis: -1))
  }

  /// Pixels of 0 to 16 as 0 ... 1, and labels.
  static func samples(_ folder: String, _ name: String) throws -> TensorDataset {
    let images = try IdxFile.read("\(folder)/\(name)-images-idx3-ubyte")
    let labels = try IdxFile.read("\(folder)/\(name)-labels-idx1-ubyte")
    return try TensorDataset(
      .f32([images.shape[0], 1, 8, 8], images.array(of: UInt8.self).map { Float($0) / 16 }),
      .i64(labels.shape, labels.array(of: UInt8.self).map { Int($0) }))
  }

  static func rounded(_ value: Double?) -> Double { ((value ?? .nan) * 10000).rounded() / 10000 }
}
