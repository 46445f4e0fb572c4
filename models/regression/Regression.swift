import Foundation
import Sinter
import SinterTables

/// Regression by one layer: prices of houses, two species of iris, three species. All parameters start from one, so that every figure can be
/// compared.
///
///     swift run -c release regression models/regression/data [PART]
///
/// PART, a number such as 0.1, makes all runs but the first check shorter.
@main
struct Regression {
  /// One layer whose parameters are ones at first.
  struct Ones: UnaryLayer {
    var linear: Linear
    init(_ inputs: Int, _ outputs: Int) {
      linear = Linear(inputs, outputs)
      linear.weight = Parameter([outputs, inputs], initializer: .ones)
      linear.bias = Parameter([outputs], initializer: .ones)
    }
    func forward(_ x: Tensor) -> Tensor { linear(x) }
  }

  static func main() {
    let arguments = CommandLine.arguments
    guard (2...3).contains(arguments.count), let part = Double(arguments.count > 2 ? arguments[2] : "1"), part > 0,
      part <= 1
    else {
      print("usage: regression FOLDER [PART]")
      exit(2)
    }
    do {
      let boston = arguments[1] + "/boston.csv"
      if FileManager.default.fileExists(atPath: boston) {
        try prices(Table(reading: boston), part)
      } else {
        print("\(boston) is missing: prepare_data.py makes it")
      }
      try species(Table(reading: arguments[1] + "/iris.csv"), part)
    } catch {
      print(error)
      exit(1)
    }
  }

  static func halfSquares(_ y: Tensor, _ target: Tensor) -> Tensor { mseLoss(y, target) / 2 }

  static func prices(_ table: Table, _ part: Double) throws {
    let y = try table.numbers(["price"])
    func losses(_ columns: [String], rate: Double, steps: Int) throws -> [Double] {
      let x = try table.numbers(columns)
      let step = try trainingStep(
        Ones(columns.count, 1), .f32(Dim(x.shape[0]), Dim(columns.count)), .f32(Dim(x.shape[0]), 1),
        optimizer: SGD(learningRate: rate), loss: halfSquares
      ).compile()
      var state = step.initialState()
      // An epoch is one step: all houses at once. A loss that is no number ends the run with an error.
      let loader = DataLoader(try TensorDataset(x, y), batch: x.shape[0])
      return try step.fit(&state, loader, epochs: steps).epochs.compactMap { $0.training["loss"] }
    }
    let one = try losses(["rm"], rate: 0.01, steps: max(1, Int(49_001 * part)))
    row("price by rooms, \(one.count) steps at 0.01", "loss %.5f → %.5f", "154.22493 → 21.80033", one[0], one.last!)
    do {
      _ = try losses(["rm", "lstat"], rate: 0.01, steps: 1000)
    } catch let error as DiagnosticError where error.diagnostics.first?.id == "fit.loss" {
      print(error)
      row("price by rooms and status at 0.01", "reported as no number", "nan")
    }
    let two = try losses(["rm", "lstat"], rate: 0.001, steps: max(1, Int(1901 * part)))
    row("the same, \(two.count) steps at 0.001", "loss %.5f → %.5f", "112.06398 → 15.28023", two[0], two.last!)
  }

  static func species(_ table: Table, _ part: Double) throws {
    let all = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    func run(
      _ columns: [String], parts: String, outputs: Int, loss: (Tensor, Tensor) -> Tensor,
      metric: @escaping (Tensor, Tensor) -> Tensor
    ) throws -> [String: Double] {
      let x = try table.numbers(columns)
      let label = try table.numbers(["species"], as: outputs == 1 ? .f32 : .i64)
      let places = try table.texts(parts)
      func samples(_ part: String) throws -> [HostTensor] {
        let subset = try Subset(
          try TensorDataset(x, outputs == 1 ? label : label.reshaped([label.count])),
          places.indices.filter { places[$0] == part })
        return try subset.batch(Array(0..<subset.count), seed: 0, epoch: 0)
      }
      let (train, test) = (try samples("train"), try samples("test"))
      let (input, target) = (InputSpec.f32("n", Dim(columns.count)), outputs == 1 ? InputSpec.f32("n", 1) : .i64("n"))
      let model = Ones(columns.count, outputs)
      let step = try trainingStep(model, input, target, optimizer: SGD(learningRate: 0.01), loss: loss).compile()
      let measure = try evaluation(model, input, target, loss: loss, metrics: ["accuracy": metric])
      var state = step.initialState()
      for _ in 0..<max(1, Int(9991 * part)) { try step(&state, train[0], train[1]) }
      return try measure(state.parameters, try TensorDataset(test[0], test[1]))
    }
    func isRight(_ x: Tensor, _ target: Tensor) -> Tensor {
      ((x > 0).cast(to: .f32) - target).abs().mean() * -1 + 1
    }
    let two = try run(
      Array(all[..<2]), parts: "part_of_two", outputs: 1, loss: { binaryCrossEntropyWithLogits($0, $1) },
      metric: isRight)
    let sigmoid = try run(
      Array(all[..<2]), parts: "part_of_two", outputs: 1, loss: { binaryCrossEntropy($0.sigmoid(), $1) },
      metric: isRight)
    let three = try run(all, parts: "part_of_three", outputs: 3, loss: crossEntropy, metric: accuracy)
    let pattern = "loss %.5f, accuracy %.5f"
    row("two species of iris, logits", pattern, "0.15395, 0.96667", two["loss"]!, two["accuracy"]!)
    row("the same by a sigmoid", pattern, "0.15395, 0.96667", sigmoid["loss"]!, sigmoid["accuracy"]!)
    row("three species", pattern, "0.13724, 0.96000", three["loss"]!, three["accuracy"]!)
  }

  static func row(_ name: String, _ format: String, _ expected: String, _ values: Double...) {
    print("| `regression` | \(name) | \(String(format: format, arguments: values)) | \(expected) |")
  }
}
