import SinterCore
import SinterIR

/// 1 where an element is above a threshold, else 0, in the input's type.
public struct Binarizer: Composite {
  public static let name = "Binarizer"
  public static let summary = "1 where an element is above a threshold, else 0."

  /// The number that an element has to exceed to give 1.
  public var threshold = 0.0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("threshold", &threshold, default: 0)
  }

  public static var onnx: [OnnxRule] { [.direct(Binarizer.self, domain: .ml)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let element = try inputs.numbers(0, of: Self.name).element
    // A whole number is above a threshold if it is above the whole number below it.
    let limit = element.isFloat ? threshold : threshold.rounded(.down)
    let isAbove = try builder.add1(Compare(.greater), [try inputs.value(0), try builder.scalar(limit, element)])
    return [try builder.add1(Cast(to: element), [isAbove])]
  }

  public static var examples: [OperatorExample] {
    var op = Binarizer()
    op.threshold = -0.5
    return [
      OperatorExample(op, [.random(TensorType(.f32, ["n", 4]), -1...1)], sizes: [Symbol("n"): 3]),
      OperatorExample(op, [.given(.i64([4], [-2, -1, 0, 1]))]),
    ]
  }
}
