import SinterCore
import SinterIR

/// What becomes of scores at the end of a classical model.
enum PostTransform: String, CaseIterable, Sendable {
  case none = "NONE", softmax = "SOFTMAX", logistic = "LOGISTIC", softmaxZero = "SOFTMAX_ZERO", probit = "PROBIT"

  /// ONNX's number of it, where an attribute holds numbers.
  init?(number: Int) {
    guard PostTransform.allCases.indices.contains(number) else { return nil }
    self = PostTransform.allCases[number]
  }
}

extension GraphBuilder {
  /// Scores, a row of them for each sample, transformed.
  mutating func transformed(_ scores: ValueID, by transform: PostTransform) throws -> ValueID {
    switch transform {
    case .none: scores
    case .softmax: try add1(Softmax(.soft, axis: -1), [scores])
    case .logistic: try add1(Unary(.sigmoid), [scores])
    case .softmaxZero: try softmaxZero(scores)
    case .probit: try probit(scores)
    }
  }

  /// Softmax among the scores that are not zero; those that are count as nothing in the sum, and stay zero.
  private mutating func softmaxZero(_ scores: ValueID) throws -> ValueID {
    let type = try type(scores).element
    let size = try add1(Unary(.abs), [scores])
    let counts = try add1(Compare(.greater), [size, try scalar(1e-7, type)])
    let greatest = try add1(Reduce(.maximum), [scores, integers([-1])])
    let powers = try add1(Unary(.exp), [try add1(Binary(.subtract), [scores, greatest])])
    let least = try add1(Unary(.exp), [try add1(Unary(.negate), [greatest])])
    let zero = try scalar(0, type)
    let sum = try add1(Reduce(.sum), [try add1(Where(), [counts, powers, zero]), integers([-1])])
    // Scores this near to zero are scaled as exp scales zero.
    let small = try add1(Binary(.multiply), [scores, least])
    return try add1(Binary(.divide), [try add1(Where(), [counts, powers, small]), sum])
  }

  /// The quantile of the normal distribution, by Winitzki's approximation of the inverse of erf, which ONNX's runtimes share.
  private mutating func probit(_ scores: ValueID) throws -> ValueID {
    let type = try type(scores).element
    func number(_ value: Double, _ builder: inout GraphBuilder) throws -> ValueID { try builder.scalar(value, type) }
    let one = try number(1, &self)
    let x = try add1(Binary(.subtract), [try add1(Binary(.multiply), [scores, try number(2, &self)]), one])
    let product = try add1(
      Binary(.multiply), [try add1(Binary(.subtract), [one, x]), try add1(Binary(.add), [one, x])])
    let log = try add1(Unary(.log), [product])
    let half = try add1(Binary(.multiply), [log, try number(0.5, &self)])
    let v = try add1(Binary(.add), [half, try number(2 / (3.14159 * 0.147), &self)])
    let v2 = try add1(Binary(.multiply), [log, try number(1 / 0.147, &self)])
    let root = try add1(
      Unary(.sqrt), [try add1(Binary(.subtract), [try add1(Binary(.multiply), [v, v]), v2])])
    let size = try add1(Unary(.sqrt), [try add1(Binary(.subtract), [root, v])])
    let isNegative = try add1(Compare(.less), [x, try number(0, &self)])
    let signed = try add1(Where(), [isNegative, try add1(Unary(.negate), [size]), size])
    return try add1(Binary(.multiply), [signed, try number(1.41421356, &self)])
  }
}
