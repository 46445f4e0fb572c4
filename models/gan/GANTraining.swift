import ExampleSupport
import Sinter
import SinterVision

/// Trains a generator of pictures against a discriminator, by two compiled steps in turns that share all parameters.
///
///     swift run -c release gan [dense|conv] [FOLDER] [EPOCHS] [SAMPLES] [OUTPUT]
///
/// FOLDER holds the IDX files of MNIST or the like. OUTPUT gets pictures that the generator made after each epoch.
@main
struct GANTraining {
  static func main() {
    Example.main("gan [dense|conv] [FOLDER] [EPOCHS] [SAMPLES] [OUTPUT]", most: 5) { example in
      let kind = example.choice(0, ["dense", "conv"])
      try train(kind == "dense" ? .dense : .convolutional, kind, example)
    }
  }

  static func train(_ gan: GAN, _ kind: String, _ example: Example) throws {
    let folder = example.text(1, Pictures.standardFolder), epochs = example.number(2, 20)
    let pictures = try Pictures(folder, training: true, count: example.number(3, 60_000, atLeast: 100))
    // The generator ends in tanh.
    let images = try (Tensor(pictures.images) * 2 - 1).numbers()
    let steps = try alternating(gan, batch: 100)
    var state = steps.initialState(seed: 1, initializer: kind == "conv" ? GAN.start : { _, _ in nil })

    let sampler = try trace(gan.generator, [.f32("n", Dim(GAN.noise))]) { gan.generator($0[0]) }
    var generator = Generator(seed: 2)
    let points = try generator.randn(500, GAN.noise).numbers()
    let output = try Example.folder(example.optional(4))
    func made() throws -> HostTensor {
      try sampler.bound(to: state.parameters.part("generator"), strict: false).load().run(points)[0]
    }
    let quality = try FeatureDistance(pictures)
    let before = try distance(made(), images)
    var distances: [Double] = []
    let loader = DataLoader(
      try TensorDataset(images), batch: 100, order: .shuffled(seed: 1), dropLast: true)
    for epoch in 0..<epochs {
      let batches = try loader.batches(epoch: epoch)
      var losses = (discriminator: 0.0, generator: 0.0)
      while let samples = try batches.next() {
        losses.discriminator += try steps("discriminator", &state, samples[0])["loss"] ?? .nan
        losses.generator += try steps("generator", &state, samples[0])["loss"] ?? .nan
      }
      let pictures = try made()
      distances.append(try distance(pictures, images))
      Example.tell(
        "epoch %.0f: loss of the discriminator %.3f, of the generator %.3f; distance %.2f, in features %.3f",
        Double(epoch + 1), losses.discriminator / Double(loader.count), losses.generator / Double(loader.count),
        distances[epoch], try quality((Tensor(pictures) * 0.5 + 0.5).numbers()))
      if let output {
        let shown = try Tensor(pictures).narrow(0, from: 0, count: 64).numbers()
        try ImageFile.writePNG(
          ImageGrid.image(shown, columns: 8, range: -1...1), to: "\(output)/gan-\(kind)-\(epoch + 1).png")
      }
    }
    let best = distances.min() ?? .nan
    try example.check(best < before * 0.9, "pictures did not come nearer to the given ones: \(before) → \(best)")
    example.row(
      "\(kind), \(epochs) epochs of \(pictures.count) pictures, \(parameterCount(of: gan)) numbers",
      "distance of means and deviations %.2f → %.2f", before, distances.last ?? .nan,
      expected: kind == "conv" ? "below a tenth" : "below a half")
  }

  /// The two steps: each reads both networks and changes one. Pictures tell the generator's step how many to make.
  static func alternating(_ gan: GAN, batch: Int) throws -> AlternatingSteps {
    let input = InputSpec.f32(Dim(batch), 1, 28, 28)
    let optimizer = Adam(learningRate: 2e-4, betas: (0.5, 0.999))
    func made(for pictures: Tensor) -> Tensor {
      gan.generator(pictures.flatten(from: 1).narrow(1, from: 0, count: GAN.noise).randnLike())
    }
    func loss(_ scores: Tensor, are target: Double) -> Tensor {
      binaryCrossEntropyWithLogits(scores, scores.fullLike(target))
    }
    let discriminator = try trainingStep(
      gan, [input], optimizer: optimizer, trainable: { $0.hasPrefix("discriminator.") }, name: "discriminator_step"
    ) { pictures in
      // What the generator made is given as it is: nothing goes back into it.
      let fakes = made(for: pictures[0]).detach()
      return (loss(gan.discriminator(pictures[0]), are: 1) + loss(gan.discriminator(fakes), are: 0), [])
    }
    let generator = try trainingStep(
      gan, [input], optimizer: optimizer, trainable: { $0.hasPrefix("generator.") }, name: "generator_step"
    ) { pictures in (loss(gan.discriminator(made(for: pictures[0])), are: 1), []) }
    return try AlternatingSteps(["discriminator": discriminator.compile(), "generator": generator.compile()])
  }

  /// How far two sets of pictures are apart: the squared differences of each pixel's mean and of its deviation, summed: Fréchet's distance of two normal
  /// distributions whose pixels are independent.
  static func distance(_ a: HostTensor, _ b: HostTensor) throws -> Double {
    let (a, b) = (Tensor(a), Tensor(b))
    let mean = a.mean(0) - b.mean(0), deviation = a.std(0) - b.std(0)
    return try (mean.square().sum() + deviation.square().sum()).item()
  }
}
