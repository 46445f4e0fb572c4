import SinterCore
import SinterForms
import SinterIR

/// start, start + delta, … to before limit.
public struct Range: Primitive {
  public static let name = "Range"
  public static let summary = "Numbers from a start to before a limit."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(Range.self, since: 11)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let type = try inputs.tensor(0)
    try requireElement(type, { $0.isFloat || $0.isInteger }, name: "start")
    for (index, name) in ["start", "limit", "delta"].enumerated() {
      _ = try obligations.equal(try inputs.tensor(index).count, 1, "elements of \(name) and their number")
    }
    for (index, name) in [(1, "limit"), (2, "delta")] {
      let other = try inputs.tensor(index)
      guard other.element == type.element else {
        throw DiagnosticError(.user, "range.type", "start is \(type), but \(name) is \(other)")
      }
    }
    if let numbers = try numbers(inputs) {
      let (start, limit, delta) = (numbers[0], numbers[1], numbers[2])
      guard delta != 0 else { throw DiagnosticError(.user, "range.delta", "delta must not be 0") }
      let count = ((limit - start) / delta).rounded(.up)
      guard count < 0x1p40 else {
        throw DiagnosticError(
          .user, "range.count", "a range from \(start) to \(limit) in steps of \(delta) has no countable length")
      }
      return [Fact(type.element, [Dim(max(0, Int(saturating: count)))])]
    }
    if let start = inputs.contents(0)?.first, let limit = inputs.contents(1)?.first,
      let delta = inputs.integers(2)?.first,
      delta != 0
    {
      let span = delta > 0 ? limit - start : start - limit
      return [Fact(type.element, [span.ceilDivided(by: Dim(abs(delta))).clampedToZero])]
    }
    return [Fact(type.element, [inputs.freshSize(result: 0, axis: 0)])]
  }

  private func numbers(_ inputs: NodeInputs) throws -> [Double]? {
    let values = (0..<3).compactMap { index in
      inputs.constant(index)?.uniformNumber ?? inputs.integers(index)?.first.map { Double($0) }
    }
    return values.count == 3 ? values : nil
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (start, delta) = (try node.input(0), try node.input(2))
    let type = try node.output()
    if let symbol = type.shape[0].symbol, symbol.isFromData, !lowering.knows(symbol) {
      let limit = try node.input(1)
      let count = try lowering.element([]) { builder, _ in
        func number(_ operand: Operand) -> Expr {
          builder.load(operand.id, operand.shape.map { _ in builder.constant(0, .i64) })
            .cast(to: type.element.computeType).cast(to: .f64)
        }
        let steps = ((number(limit) - number(start)) / number(delta)).unary(.ceil)
        let isCountable = (number(delta) .!= builder.constant(0, .f64)) && (steps < 0x1p40)
        return builder.select(
          isCountable, steps.maximum(builder.constant(0, .f64)).cast(to: .i64), builder.constant(-1, .i64))
      }
      lowering.define(symbol, as: count, "length of a range whose step is 0, or that never ends,")
    }
    return [
      try lowering.element(type.shape) { builder, index in
        func scalar(_ operand: Operand) -> Expr {
          builder.load(operand.id, operand.shape.map { _ in builder.constant(0, .i64) }).cast(
            to: type.element.computeType)
        }
        return (scalar(start) + index[0].cast(to: type.element.computeType) * scalar(delta)).cast(to: type.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(Range(), [.constant(.f32([], [1])), .constant(.f32([], [9])), .constant(.f32([], [2.5]))]),
      OperatorExample(Range(), [.constant(.i64([], [10])), .constant(.i64([], [4])), .constant(.i64([], [-2]))]),
      OperatorExample(Range(), [.given(.i64([], [1])), .given(.i64([], [9])), .given(.i64([], [3]))]),
      OperatorExample(Range(), [.given(.f32([], [1])), .given(.f32([], [-2])), .given(.f32([], [-0.4]))]),
      OperatorExample(
        Range(),
        [
          .random(TensorType(.f32, []), 0...0.4), .constant(.f32([], [3])), .random(TensorType(.f32, [1]), 0.9...0.95),
        ]),
    ]
  }
}

extension Range: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let g = try node.gradient()
    let places = try g.positions(along: 0).cast(to: try g.element)
    return [
      try g.sum([0]).reshaped(like: try node.input(0)), nil,
      try (g * places).sum([0]).reshaped(like: try node.input(2)),
    ]
  }
}
