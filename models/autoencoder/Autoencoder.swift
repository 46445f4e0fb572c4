import ExampleSupport
import Sinter
import SinterVision

/// Trains networks that give back what they get, through a narrow place: dense, by convolutions, and from pictures under noise.
///
///     swift run -c release autoencoder [dense|conv|denoise] [FOLDER] [EPOCHS] [SAMPLES] [OUTPUT]
///
/// FOLDER holds the IDX files of MNIST or the like. OUTPUT gets a grid of pictures: what the network was given, and below what it made of it.
@main
struct Autoencoder {
  static let noise = 0.5

  static func main() {
    Example.main("autoencoder [dense|conv|denoise] [FOLDER] [EPOCHS] [SAMPLES] [OUTPUT]", most: 5) { example in
      let kind = example.choice(0, ["dense", "conv", "denoise"])
      if kind == "dense" {
        try run(DenseAutoencoder(), kind, example)
      } else {
        try run(ConvAutoencoder(), kind, example)
      }
    }
  }

  static func run(_ net: some UnaryLayer, _ kind: String, _ example: Example) throws {
    let folder = example.text(1, Pictures.standardFolder), epochs = example.number(2, 5)
    let training = try Pictures(folder, training: true, count: example.number(3, 60_000, atLeast: 100))
    let test = try Pictures(folder, training: false, count: 1000)

    let step = try trainingStep(net, [.f32(100, 1, 28, 28)], optimizer: Adam(learningRate: 2e-3)) { pictures in
      // Noise is drawn inside of the step, other noise in every one.
      let given = kind == "denoise" ? pictures[0] + pictures[0].randnLike() * noise : pictures[0]
      return (mseLoss(net(given), pictures[0]), [])
    }.compile()
    var generator = Generator(seed: 1)
    let clean = Tensor(test.images)
    let given =
      kind == "denoise" ? try (clean + generator.randn(test.count, 1, 28, 28) * noise).numbers() : test.images
    let measure = try evaluation(net, .f32("n", 1, 28, 28), .f32("n", 1, 28, 28), loss: { mseLoss($0, $1) })

    var state = step.initialState(seed: 123)
    let before = try measure(state.parameters, TensorDataset(given, test.images))["loss"] ?? .nan
    try step.fit(
      &state, TensorDataset(training.images), epochs: epochs, batch: 100, seed: 123,
      schedule: .cosine(epochs: epochs), display: .standard)
    let after = try measure(state.parameters, TensorDataset(given, test.images))["loss"] ?? .nan

    if let output = try Example.folder(example.optional(4)) {
      let model = try trace(net, .f32("n", 1, 28, 28)).bound(to: state.parameters).load()
      let shown = Tensor(given).narrow(0, from: 0, count: 10)
      let made = Tensor(try model.run(shown.numbers())[0])
      let rows = (kind == "denoise" ? [clean.narrow(0, from: 0, count: 10)] : []) + [shown, made]
      try ImageFile.writePNG(
        ImageGrid.image(cat(rows).numbers(), columns: 10, range: 0...1), to: "\(output)/autoencoder-\(kind).png")
    }
    try example.check(
      after < before / 2, "the error of the held-out pictures did not fall by half: \(before) → \(after)")
    example.row(
      "\(kind), \(net.parameterCount) numbers, \(epochs) epochs of \(training.count) pictures", "MSE %.4f → %.4f",
      before, after, expected: ["dense": "below 0.03", "conv": "below 0.01", "denoise": "below 0.02"][kind] ?? "")
  }
}
