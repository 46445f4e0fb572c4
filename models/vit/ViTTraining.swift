import ExampleSupport
import Sinter

/// Trains a small vision transformer on MNIST or the like.
///
///     swift run -c release vit [FOLDER] [EPOCHS] [SAMPLES] [OUTPUT]
///
/// FOLDER holds the IDX files. OUTPUT, a file name that ends in .onnx, gets the trained network.
@main
struct ViTTraining {
  static func main() {
    Example.main("vit [FOLDER] [EPOCHS] [SAMPLES] [OUTPUT]", most: 4) { example in
      let folder = example.text(0, Pictures.standardFolder), epochs = example.number(1, 3)
      let training = try Pictures(folder, training: true, count: example.number(2, 60_000, atLeast: 32))
      let test = try Pictures(folder, training: false)
      let net = ViT()
      let step = try trainingStep(
        net, .f32(32, 1, 28, 28), .i64(32), optimizer: Adam(learningRate: 1e-3), loss: crossEntropy,
        metrics: ["accuracy": accuracy], clipNorm: 1
      ).compile()
      let measure = try evaluation(
        net, .f32("n", 1, 28, 28), .i64("n"), loss: crossEntropy, metrics: ["accuracy": accuracy])
      var state = step.initialState(seed: 1)
      let held = try test.labelled
      let history = try step.fit(
        &state, training.labelled, epochs: epochs, batch: 32, seed: 1, schedule: .cosine(epochs: epochs, least: 1e-4),
        display: .standard, validate: { try measure($0.parameters, held) })
      let right = history.epochs.last?.validation["accuracy"] ?? .nan
      if let output = example.optional(3) {
        try trace(net, .f32("n", 1, 28, 28, name: "image"), name: "vit").bound(to: state.parameters).optimized()
          .export(output)
      }
      try example.check(right > 0.2, "\(right) of the held-out pictures are right, hardly more than by chance")
      example.row(
        "\(net.parameterCount) numbers, \(epochs) epochs of \(training.count) pictures", "test accuracy %.4f", right,
        expected: "about 0.96 after 3 epochs of MNIST")
    }
  }
}
