import Foundation
import Sinter

/// The exclusive or, which no single layer can tell: a perceptron gets two or three of the four cases right, two layers all of them.
///
///     swift run -c release xor [STEPS]
@main
struct Xor {
  struct Perceptron: UnaryLayer {
    var fc = Linear(2, 1)
    func forward(_ x: Tensor) -> Tensor { fc(x).sigmoid() }
  }
  struct Small: UnaryLayer {
    var fc1 = Linear(2, 2), fc2 = Linear(2, 1)
    func forward(_ x: Tensor) -> Tensor { fc2(fc1(x).sigmoid()).sigmoid() }
  }
  struct Deep: UnaryLayer {
    var fc1 = Linear(2, 10), fc2 = Linear(10, 10), fc3 = Linear(10, 10), fc4 = Linear(10, 1)
    func forward(_ x: Tensor) -> Tensor {
      fc4(fc3(fc2(fc1(x).sigmoid()).sigmoid()).sigmoid()).sigmoid()
    }
  }

  static func main() {
    guard let steps = Int(CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "10001"), steps > 0 else {
      print("usage: xor [STEPS]")
      exit(2)
    }
    do {
      try train(Perceptron(), "2-1", steps, expected: "0.5")
      try train(Small(), "2-2-1", steps, expected: "1.0")
      try train(Deep(), "2-10-10-10-1", steps, expected: "1.0")
    } catch {
      print(error)
      exit(1)
    }
  }

  static func train(_ net: some UnaryLayer, _ name: String, _ steps: Int, expected: String) throws {
    let data = try TensorDataset(.f32([4, 2], [0, 0, 0, 1, 1, 0, 1, 1]), .f32([4, 1], [0, 1, 1, 0]))
    let step = try trainingStep(
      net, .f32(4, 2), .f32(4, 1), optimizer: SGD(learningRate: 1), loss: { binaryCrossEntropy($0, $1) },
      metrics: ["accuracy": { (($0 > 0.5).cast(to: .f32) - $1).abs().mean() * -1 + 1 }]
    ).compile()
    var state = step.initialState(seed: 5)
    print("training \(name)")
    fflush(nil)
    let display = isatty(STDERR_FILENO) != 0 ? ProgressDisplay.standard : .none
    let history = try step.fit(&state, DataLoader(data, batch: 4), epochs: steps, display: display)
    if history.isInterrupted {
      print("stopped after \(state.epochs) complete steps of \(name)")
      exit(0)
    }
    guard let last = history.epochs.last?.training, let loss = last["loss"], let accuracy = last["accuracy"] else {
      return
    }
    let figures = String(format: "loss %.4f, accuracy %.2f", loss, accuracy)
    print("| `xor` | \(name), \(steps) steps | \(figures) | \(expected) |")
  }
}
