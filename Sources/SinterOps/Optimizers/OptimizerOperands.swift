import SinterCore
import SinterIR

/// What ONNX's optimizers take: a learning rate, the number of updates so far, then for any number of tensors their values, their gradients and
/// what is remembered of them, kind by kind.
struct OptimizerOperands {
  let tape: GradientTape
  private let rate: GradientTensor
  private let count: GradientTensor
  /// For each tensor its operands: value, gradient, and the rest.
  let tensors: [[GradientTensor]]

  /// - Parameters:
  ///   - kinds: operands of each tensor.
  ///   - op: the operator's name.
  init(_ inputs: NodeInputs, kinds: Int, by op: String, _ builder: inout GraphBuilder) throws {
    let rest = inputs.count - 2
    guard rest > 0, rest % kinds == 0 else {
      throw DiagnosticError(
        .user, "optimizer.count",
        "a rate, a count and \(kinds) operands for each tensor are expected, but there are \(inputs.count) inputs")
    }
    for (index, name) in [(0, "the learning rate"), (1, "the number of updates")] {
      let type = try inputs.tensor(index)
      guard type.rank == 0 || type.count.value == 1, index == 0 ? type.element.isFloat : type.element == .i64 else {
        throw DiagnosticError(.user, "optimizer.type", "\(name) must be one number, but is \(type)")
      }
    }
    let number = rest / kinds
    for tensor in 0..<number {
      let first = try inputs.tensor(2 + tensor)
      for kind in 1..<kinds {
        let other = try inputs.tensor(2 + kind * number + tensor)
        guard other.element == first.element, other.rank == first.rank else {
          throw DiagnosticError(
            .user, "optimizer.shape",
            "operands of one tensor must have its type, \(first), but one is \(other)")
        }
        try builder.require(by: op) {
          _ = try $0.equal(other.shape, first.shape, "sizes of operands \(other) and \(first) of one tensor")
        }
      }
    }
    let tape = GradientTape(builder)
    self.tape = tape
    rate = GradientTensor(try inputs.value(0), tape)
    count = GradientTensor(try inputs.value(1), tape)
    tensors = try (0..<number).map { tensor in
      try (0..<kinds).map { GradientTensor(try inputs.value(2 + $0 * number + tensor), tape) }
    }
  }

  /// The learning rate and the number of updates, as numbers of a tensor's type.
  func rate(like x: GradientTensor) throws -> GradientTensor { try scalar(rate, like: x) }
  func count(like x: GradientTensor) throws -> GradientTensor { try scalar(count, like: x) }

  private func scalar(_ value: GradientTensor, like x: GradientTensor) throws -> GradientTensor {
    let number = try value.cast(to: try x.element)
    return try number.rank == 0 ? number : number.applying(Reshape(), tape.constant(.i64([0], [])))
  }

  /// Whether there was an update before this one.
  var isLater: GradientTensor {
    get throws { try count.cast(to: .f32).compare(.greater, 0) }
  }

  /// The results of all tensors, kind by kind.
  static func ordered(_ results: [[GradientTensor]]) -> [ValueID] {
    guard let kinds = results.first?.count else { return [] }
    return (0..<kinds).flatMap { kind in results.map { $0[kind].id } }
  }
}

/// ONNX's domain of optimizers and gradients.
let trainingDomain = "ai.onnx.preview.training"
