import SinterCore
import SinterIR

/// x · coefficientsᵀ + intercepts, a row of targets for each row of features, transformed.
public struct LinearRegressor: Composite {
  public static let name = "LinearRegressor"
  public static let summary = "A linear function of features for each target."

  /// The number of targets, each of which has a linear function; at least 1.
  public var targetCount = 1
  /// All features' for one target after another's.
  public var coefficients: [Double] = []
  /// What is added to each target; empty: nothing.
  public var intercepts: [Double] = []
  var transform = PostTransform.none

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("targets", &targetCount, default: 1)
    list.floats("coefficients", &coefficients, default: [])
    list.floats("intercepts", &intercepts, default: [])
    list.choice("post_transform", &transform, default: .none)
  }

  public static var onnx: [OnnxRule] { [.direct(LinearRegressor.self, domain: .ml)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    _ = try inputs.numbers(0, of: Self.name)
    let x = try builder.cast(try builder.rows(try inputs.value(0), of: Self.name), to: .f32)
    let scores = try builder.linear(x, coefficients, intercepts, rows: targetCount, Self.name)
    return [try builder.transformed(scores, by: transform)]
  }

  public static var examples: [OperatorExample] {
    var one = LinearRegressor()
    one.coefficients = [0.5, -1, 2]
    one.intercepts = [0.25]
    var two = LinearRegressor()
    two.targetCount = 2
    two.coefficients = [0.5, -1, 2, 1, 1, -1]
    two.intercepts = [0, 1]
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 3]), -1...1)
    return [
      OperatorExample(one, [x], sizes: [Symbol("n"): 4]),
      OperatorExample(one, [.random(TensorType(.i32, [3]), -9...9)]),
    ]
      + PostTransform.allCases.map { transform in
        var op = two
        op.transform = transform
        // The quantiles are those of probabilities.
        if transform == .probit { op.coefficients = [0.1, 0.1, 0.1, -0.1, 0.2, 0.1] }
        if transform == .probit { op.intercepts = [0.5, 0.5] }
        return OperatorExample(op, [x], sizes: [Symbol("n"): 4])
      }
  }
}

extension GraphBuilder {
  /// x · cᵀ + b for f32 rows x, where c has `rows` rows and b is a number for all of them, one for each, or nothing.
  mutating func linear(
    _ x: ValueID, _ coefficients: [Double], _ intercepts: [Double], rows: Int, _ name: String
  ) throws -> ValueID {
    let type = try type(x)
    guard rows > 0, coefficients.count % rows == 0, [0, 1, rows].contains(intercepts.count) else {
      throw DiagnosticError(
        .user, "linear.coefficients",
        "\(coefficients.count) coefficients and \(intercepts.count) intercepts are not as many for each of \(rows) rows",
        hint: "export the model again")
    }
    let width = coefficients.count / rows
    try require(by: name) {
      try $0.equal(type.shape[1], Dim(width), "number of features of \(type) and of coefficients of a row")
    }
    // The products take the transposed matrix.
    let transposed = (0..<coefficients.count).map { coefficients[$0 % rows * width + $0 / rows] }
    let weights = constant(HostTensor(.f32, [width, rows], doubles: transposed))
    let product = try add1(MatMul(), [x, weights])
    if intercepts.isEmpty { return product }
    return try add1(Binary(.add), [product, numbers(intercepts, .f32)])
  }
}
