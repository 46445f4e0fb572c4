import ExampleSupport
import Sinter

/// Trains a network on half of the classes, gives it a last layer of its own for the other half, and trains that alone.
///
///     swift run -c release transfer [FOLDER] [EPOCHS] [SAMPLES]
///
/// FOLDER holds the IDX files of MNIST or the like; SAMPLES is how many pictures of the second half there are to learn from.
@main
struct Transfer {
  struct Net: UnaryLayer {
    var features = Sequential(
      Conv2d(1, 16, kernel: 3, padding: 1), BatchNorm2d(16), ReLU(), MaxPool2d(2),
      Conv2d(16, 32, kernel: 3, padding: 1), BatchNorm2d(32), ReLU(), MaxPool2d(2), Flatten())
    var fc = Linear(32 * 7 * 7, 5)

    func forward(_ x: Tensor) -> Tensor { fc(features(x)) }
  }

  static func main() {
    Example.main("transfer [FOLDER] [EPOCHS] [SAMPLES]", most: 3) { example in
      let folder = example.text(0, Pictures.standardFolder), epochs = example.number(1, 5)
      let count = example.number(2, 100, atLeast: 20)
      let (training, test) = (try Pictures(folder, training: true), try Pictures(folder, training: false))
      let (low, high) = (try half(training, 0..<5), try half(training, 5..<10))
      let few = high.split(at: count).first, held = try half(test, 5..<10)

      var net = Net()
      let first = try self.step(net)
      var before = first.compiled.initialState(seed: 1)
      try first.compiled.fit(&before, low, epochs: epochs, batch: 20, seed: 1, display: .standard)

      // Another last layer: the parameters of the old one are left behind.
      net.fc = Linear(32 * 7 * 7, 5)
      var learned = before.parameters
      for name in learned.names where name.hasPrefix("fc.") { learned[name] = nil }
      func right(_ step: CompiledStep, from parameters: ParameterStore?) throws -> Double {
        var state = step.initialState(seed: 2)
        if let parameters { state.parameters = parameters }
        try step.fit(&state, few, epochs: 10, batch: 20, seed: 1)
        let measure = try evaluation(
          net, .f32("n", 1, 28, 28), .i64("n"), loss: crossEntropy, metrics: ["accuracy": accuracy])
        return try measure(state.parameters, held)["accuracy"] ?? .nan
      }
      let head = try self.step(net, trainable: { $0.hasPrefix("fc.") }), all = try self.step(net)
      let (frozen, tuned) = (try right(head.compiled, from: learned), try right(all.compiled, from: learned))
      let scratch = try right(all.compiled, from: nil)
      try example.check(
        head.nodes < all.nodes, "the step of the last layer has \(head.nodes) nodes, that of all \(all.nodes)")
      try example.check(frozen > 0.4, "\(frozen) of the held-out pictures are right")
      example.row(
        "\(few.count) pictures of five new classes, 10 epochs; \(head.nodes) nodes in the step of the last layer,"
          + " \(all.nodes) in that of all",
        "test accuracy %.3f with the features frozen, %.3f with all trained on, %.3f from nothing",
        frozen, tuned, scratch, expected: "")
    }
  }

  static func step(
    _ net: Net, trainable: (String) -> Bool = { _ in true }
  ) throws -> (compiled: CompiledStep, nodes: Int) {
    let step = try trainingStep(
      net, .f32(20, 1, 28, 28), .i64(20), optimizer: SGD(learningRate: 0.01, momentum: 0.9), loss: crossEntropy,
      trainable: trainable)
    return (try step.compile(), step.graph.order.count)
  }

  /// The pictures of some classes, with labels from 0.
  static func half(_ pictures: Pictures, _ classes: Range<Int>) throws -> TensorDataset {
    let labels = pictures.labels.array(of: Int64.self)
    let places = labels.indices.filter { classes.contains(Int(labels[$0])) }
    let part = try pictures.labelled.batch(places, seed: 0, epoch: 0)
    return try TensorDataset(part[0], (Tensor(part[1]) - Double(classes.lowerBound)).long().numbers())
  }
}
