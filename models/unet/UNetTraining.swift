import ExampleSupport
import Sinter
import SinterVision

/// Trains a U-Net to find ellipses in made-up pictures.
///
///     swift run -c release unet [SAMPLES] [EPOCHS] [OUTPUT]
///
/// OUTPUT gets a grid: pictures, their masks, and what the network found.
@main
struct UNetTraining {
  static func main() {
    Example.main("unet [SAMPLES] [EPOCHS] [OUTPUT]", most: 3) { example in
      let count = example.number(0, 500, atLeast: 16), epochs = example.number(1, 8), size = Dim(Blobs.size)
      let training = try whole(Blobs(count: count, seed: 1)), test = try whole(Blobs(count: 100, seed: 2))
      let net = UNet()
      let loss = { (scores: Tensor, mask: Tensor) in
        diceLoss(scores.sigmoid(), mask) + binaryCrossEntropyWithLogits(scores, mask)
      }
      let step = try trainingStep(
        net, .f32(16, 1, size, size), .f32(16, 1, size, size), optimizer: Adam(learningRate: 3e-3), loss: loss,
        metrics: ["iou": intersectionOverUnion]
      ).compile()
      // Any height and width: whether they halve twice is found when the library runs.
      let measure = try evaluation(
        net, .f32("n", 1, "h", "w"), .f32("n", 1, "h", "w"), loss: loss,
        metrics: ["iou": intersectionOverUnion])
      var state = step.initialState(seed: 1)
      let history = try step.fit(
        &state, training, epochs: epochs, batch: 16, seed: 1, display: .standard,
        validate: { try measure($0.parameters, test) })
      let found = history.epochs.last?.validation["iou"] ?? .nan

      if let output = try Example.folder(example.optional(2)) {
        let model = try trace(net, .f32("n", 1, size, size)).bound(to: state.parameters).load()
        let shown = try test.batch(Array(0..<10), seed: 0, epoch: 0)
        let scores = Tensor(try model.run(shown[0])[0])
        let rows = [Tensor(shown[0]), Tensor(shown[1]), (scores > 0).float()]
        try ImageFile.writePNG(
          ImageGrid.image(cat(rows).numbers(), columns: 10, range: -0.5...1), to: "\(output)/unet.png")
      }
      try example.check(found > 0.3, "intersection over union is \(found)")
      example.row(
        "depth 3, \(net.parameterCount) numbers, \(epochs) epochs of \(count) pictures", "IoU %.3f", found,
        expected: "at least 0.85")
    }
  }

  /// All samples of a data set, made once.
  static func whole(_ data: Blobs) throws -> TensorDataset {
    let all = try data.batch(Array(0..<data.count), seed: 0, epoch: 0)
    return try TensorDataset(all[0], all[1])
  }
}
