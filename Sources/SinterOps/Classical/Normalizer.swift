import SinterCore
import SinterIR

/// Features over the greatest of their row, the sum of their magnitudes, or the root of that of their squares, as f32. Rows whose divisor is 0
/// stay.
public struct Normalizer: Composite {
  public static let name = "Normalizer"
  public static let summary = "Rows over their greatest element or their norm."

  /// What a row is divided by: its greatest element, the sum of its magnitudes, or the root of its sum of squares.
  public enum Norm: String, CaseIterable, Sendable { case maximum = "MAX", l1 = "L1", l2 = "L2" }

  /// What rows are divided by.
  public var norm = Norm.maximum

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.choice("norm", &norm, default: .maximum) }

  public static var onnx: [OnnxRule] { [.direct(Normalizer.self, domain: .ml)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let type = try inputs.numbers(0, of: Self.name)
    guard type.rank > 0 else {
      throw DiagnosticError(.user, "normalizer.rank", "the input must have an axis of features, but is \(type)")
    }
    let x = try builder.cast(try inputs.value(0), to: .f32)
    let kind: Reduce.Kind =
      switch norm {
      case .maximum: .maximum
      case .l1: .l1
      case .l2: .l2
      }
    let features = x
    let divisor = try builder.add1(Reduce(kind), [features, builder.integers([-1])])
    let isZero = try builder.add1(Compare(.equal), [divisor, try builder.scalar(0, .f32)])
    let safe = try builder.add1(Where(), [isZero, try builder.scalar(1, .f32), divisor])
    return [try builder.add1(Binary(.divide), [x, safe])]
  }

  public static var examples: [OperatorExample] {
    Norm.allCases.flatMap { norm in
      var op = Normalizer()
      op.norm = norm
      return [
        OperatorExample(op, [.random(TensorType(.f32, ["n", 4]), -1...1)], sizes: [Symbol("n"): 3]),
        OperatorExample(op, [.given(.i64([2, 2], [0, 0, -3, 4]))]),
      ]
    }
  }
}
