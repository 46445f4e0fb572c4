import ExampleSupport
import Foundation
import Sinter

/// Predicts the next value of a series from the last seven by an LSTM: a year's wave, a week's wave and a trend, under noise.
///
///     swift run -c release series [STEPS]
@main
struct Series {
  static let window = 7

  struct Net: UnaryLayer {
    var lstm = LSTM(1, 10, batchFirst: true), fc = Linear(10, 1)
    /// Windows [n, 7, 1] to next values [n, 1].
    func forward(_ x: Tensor) -> Tensor { fc(lstm(x).0.select(1, -1)) }
  }

  static func main() {
    Example.main("series [STEPS]", most: 1) { example in
      let steps = example.number(0, 500)
      let values = made(days: 730)
      // The first seven tenths are trained on; scales are theirs.
      let border = values.count * 7 / 10
      let low = values[..<border].min() ?? 0, high = values[..<border].max() ?? 1
      let scaled = values.map { Float(($0 - low) / (high - low)) }
      let training = try windows(scaled[..<border]), test = try windows(scaled[border...])

      let net = Net(), size = Dim(training.count)
      let step = try trainingStep(
        net, .f32(size, Dim(window), 1), .f32(size, 1), optimizer: Adam(learningRate: 1e-2), loss: mseLoss
      ).compile()
      let measure = try evaluation(net, .f32("n", Dim(window), 1), .f32("n", 1), loss: mseLoss)
      var state = step.initialState(seed: 1)
      let seconds = try Example.seconds {
        try step.fit(&state, DataLoader(training, batch: training.count), epochs: steps)
      }
      let error = try measure(state.parameters, test)["loss"] ?? .nan
      let pairs = zip(scaled[border...], scaled[(border + 1)...])
      let asBefore = pairs.dropFirst(window - 1).map { Double(pow($1 - $0, 2)) }
      let simple = asBefore.reduce(0, +) / Double(asBefore.count)
      try example.check(error < 0.05, "the mean square error is \(error)")
      example.row(
        "LSTM of width 10 on windows of 7, \(steps) steps",
        "MSE %.4f on later days; %.4f by the value before; %.2f ms a step", error, simple,
        1000 * seconds / Double(steps), expected: "below 0.01, and below that by the value before")
    }
  }

  /// A value a day.
  static func made(days: Int) -> [Double] {
    var random = SampleRandom(seed: 7)
    return (0..<days).map { day in
      let year = sin(2 * .pi * Double(day) / 365), week = sin(2 * .pi * Double(day) / 7)
      return 20 + 0.005 * Double(day) + 8 * year + 3 * week + random.uniform(-0.8, 0.8)
    }
  }

  /// Every seven values in a row, each with the one that follows.
  static func windows(_ values: ArraySlice<Float>) throws -> TensorDataset {
    let values = Array(values), count = values.count - window
    return try TensorDataset(
      .f32([count, window, 1], (0..<count).flatMap { values[$0..<($0 + window)] }),
      .f32([count, 1], Array(values[window...])))
  }
}
