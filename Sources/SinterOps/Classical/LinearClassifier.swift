import SinterCore
import SinterIR

/// The class with the greatest linear function of the features, and all scores, transformed. With one function for two classes the second is
/// taken where it is above 0.
public struct LinearClassifier: Composite {
  public static let name = "LinearClassifier"
  public static let summary = "The class with the greatest linear function of the features, and the scores."

  /// The factor of each feature, all those of the first function before those of the second.
  public var coefficients: [Double] = []
  /// What is added to each function; empty: nothing.
  public var intercepts: [Double] = []
  /// The classes' labels where these are integers, one for each; empty where they are texts.
  public var labelNumbers: [Int] = []
  /// The classes' labels where these are texts, one for each; empty where they are integers.
  public var labelTexts: [String] = []
  /// ONNX has it, and no runtime looks at it.
  public var isMulticlass = false
  var transform = PostTransform.none

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.floats("coefficients", &coefficients, default: [])
    list.floats("intercepts", &intercepts, default: [])
    list.ints("classlabels_ints", &labelNumbers, default: [])
    list.strings("classlabels_strings", &labelTexts, default: [])
    list.bool("multi_class", &isMulticlass, default: false)
    list.choice("post_transform", &transform, default: .none)
  }

  public static var onnx: [OnnxRule] { [.direct(LinearClassifier.self, domain: .ml)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    _ = try inputs.numbers(0, of: Self.name)
    let x = try builder.cast(try builder.rows(try inputs.value(0), of: Self.name), to: .f32)
    let labels = ClassLabels(numbers: labelNumbers, texts: labelTexts)
    // One function for each intercept; without those, for each class.
    let rows = intercepts.isEmpty ? max(labels.count, 1) : intercepts.count
    let scores = try builder.linear(x, coefficients, intercepts, rows: rows, Self.name)
    guard rows == 1 else {
      guard labels.count == rows else {
        throw DiagnosticError(
          .user, "linear.labels", "there are \(labels.count) labels for \(rows) classes", hint: "export the model again"
        )
      }
      let label = try builder.labels(labels, ofGreatest: scores)
      return [label, try builder.transformed(scores, by: transform)]
    }
    let label = try builder.labels(labels.orDefaults([0, 1]), ofScore: scores, above: 0)
    if labels.count != 2 { return [label, try builder.transformed(scores, by: transform)] }
    // What the first class gets is not ONNX's to say: without a transform runtimes give 1 less the score.
    if transform == .none {
      let rest = try builder.add1(Binary(.subtract), [try builder.scalar(1, .f32), scores])
      return [label, try builder.add1(Concat(axis: 1), [rest, scores])]
    }
    return [label, try builder.transformed(try builder.bothScores(scores), by: transform)]
  }

  public static var examples: [OperatorExample] {
    var three = LinearClassifier()
    three.coefficients = [0.5, -1, 2, 1, 1, -1, -0.5, 0, -2]
    three.intercepts = [0.1, 0, 0.2]
    three.labelNumbers = [7, -1, 3]
    three.transform = .softmax
    var two = LinearClassifier()
    two.coefficients = [0.5, -1, 2]
    two.intercepts = [0.1]
    two.labelNumbers = [4, 5]
    two.transform = .logistic
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 3]), -1...1)
    return [three, two].map { OperatorExample($0, [x], outputs: 2, sizes: [Symbol("n"): 6]) }
  }
}

extension GraphBuilder {
  /// The scores of two classes of which one score tells: its negative and itself.
  mutating func bothScores(_ score: ValueID) throws -> ValueID {
    try add1(Concat(axis: 1), [try add1(Unary(.negate), [score]), score])
  }
}
