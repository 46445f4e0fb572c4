import ExampleSupport
import Sinter
import SinterVision

/// Trains a variational autoencoder, and makes pictures with its second half alone.
///
///     swift run -c release vae [FOLDER] [EPOCHS] [SAMPLES] [OUTPUT]
///
/// FOLDER holds the IDX files of MNIST or the like. OUTPUT gets the sampler as a library with a header, pictures that it makes, and reconstructions.
@main
struct VAETraining {
  static func main() {
    Example.main("vae [FOLDER] [EPOCHS] [SAMPLES] [OUTPUT]", most: 4, train)
  }

  static func train(_ example: Example) throws {
    let folder = example.text(0, Pictures.standardFolder), epochs = example.number(1, 5)
    let training = try Pictures(folder, training: true, count: example.number(2, 60_000, atLeast: 128))
    let test = try Pictures(folder, training: false, count: 1000)
    let net = VAE()

    let step = try trainingStep(net, [.f32(128, 1, 28, 28)], optimizer: Adam(learningRate: 1e-3)) { pictures in
      let bound = net.bound(pictures[0]) { $0.randnLike() }
      return (bound.total, [("pixels", bound.pixels), ("divergence", bound.divergence)])
    }.compile()
    var state = step.initialState(seed: 123)
    try step.fit(
      &state, TensorDataset(training.images), epochs: epochs, batch: 128, seed: 123, display: .standard)

    // In use there is no random key: noise is an input.
    var generator = Generator(seed: 1)
    let noise = try generator.randn(test.count, 20).numbers()
    let measured = try trace(net, [.f32("n", 1, 28, 28), .f32("n", 20)], outputs: ["total", "pixels", "divergence"]) {
      inputs in
      let bound = net.bound(inputs[0]) { _ in inputs[1] }
      return [bound.total, bound.pixels, bound.divergence]
    }.bound(to: state.parameters).load().run(test.images, noise).compactMap { $0.doubles?.first }

    if let output = try Example.folder(example.optional(3)) { try makePictures(net, state, test, noise, output) }
    try example.check(
      measured[2] > 1 && measured[0] < 500,
      "the bound is \(measured[0]) nats, of which \(measured[2]) tell points apart")
    example.row(
      "\(epochs) epochs of \(training.count) pictures", "%.1f nats: pixels %.1f, divergence %.1f",
      measured[0], measured[1], measured[2], expected: "below 110 after 5 epochs of MNIST")
  }

  static func makePictures(
    _ net: VAE, _ state: TrainingState, _ test: Pictures, _ noise: HostTensor, _ output: String
  ) throws {
    // The sampler reads the decoder's parameters alone; those of the encoder are left out.
    let sampler = try trace(VAE.Sampler(decoder: net.decoder), .f32("n", 20, name: "point"), name: "sampler")
      .bound(to: state.parameters, strict: false).compile(to: "\(output)/libsampler.so", header: true)
    let points = try Tensor(noise).narrow(0, from: 0, count: 64).numbers()
    try ImageFile.writePNG(
      ImageGrid.image(sampler.run(points)[0], columns: 8, range: 0...1), to: "\(output)/vae-samples.png")

    let reconstruct = try trace(net, [.f32("n", 1, 28, 28)]) { inputs in
      net.decoder(net.encoder(inputs[0].flatten(from: 1)).0).sigmoid().unflatten(1, [1, 28, 28])
    }.bound(to: state.parameters, strict: false).load()
    let given = Tensor(try test.first(10))
    let made = Tensor(try reconstruct.run(given.numbers())[0])
    try ImageFile.writePNG(
      ImageGrid.image(cat([given, made]).numbers(), columns: 10, range: 0...1), to: "\(output)/vae-reconstructions.png")
  }
}
