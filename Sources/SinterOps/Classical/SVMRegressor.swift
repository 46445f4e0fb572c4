import SinterCore
import SinterIR

/// A weighted sum of kernels with support vectors, or, without those, a linear function of the features.
public struct SVMRegressor: Composite {
  public static let name = "SVMRegressor"
  public static let summary = "A weighted sum of kernels with support vectors."

  var kernel = SVMKernel.linear
  /// Gamma, the constant term and the degree of the kernel, three numbers whatever its kind; empty: zeros.
  public var kernelParameters: [Double] = []
  /// The number of support vectors; 0: the result is a linear function of the features.
  public var supportCount = 0
  /// One support vector after another, each a number for every feature.
  public var supportVectors: [Double] = []
  /// The weight of each support vector, or of each feature where there are no vectors.
  public var coefficients: [Double] = []
  /// What is added to the sum; only the first number counts.
  public var rho: [Double] = []
  /// Whether the result is 1 where the sum is above 0, else -1.
  public var isOneClass = false
  var transform = PostTransform.none

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kernel_type", &kernel, default: .linear)
    list.floats("kernel_params", &kernelParameters, default: [])
    list.int("n_supports", &supportCount, default: 0)
    list.floats("support_vectors", &supportVectors, default: [])
    list.floats("coefficients", &coefficients, default: [])
    list.floats("rho", &rho, default: [])
    list.bool("one_class", &isOneClass, default: false)
    list.choice("post_transform", &transform, default: .none)
  }

  public static var onnx: [OnnxRule] { [.direct(SVMRegressor.self, domain: .ml)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    _ = try inputs.numbers(0, of: Self.name)
    var x = try builder.cast(try builder.rows(try inputs.value(0), of: Self.name), to: .f32)
    if supportCount > 0 {
      x = try builder.kernel(kernel, kernelParameters, x, supportVectors, count: supportCount, Self.name)
    }
    var sum = try builder.linear(x, coefficients, Array(rho.prefix(1)), rows: 1, Self.name)
    if isOneClass {
      let isInside = try builder.add1(Compare(.greater), [sum, try builder.scalar(0, .f32)])
      sum = try builder.add1(Where(), [isInside, try builder.scalar(1, .f32), try builder.scalar(-1, .f32)])
    }
    return [try builder.transformed(sum, by: transform)]
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 2]), -1...1)
    return SVMKernel.allCases.map { kernel in
      var op = SVMRegressor()
      op.kernel = kernel
      op.kernelParameters = [0.5, 1, 3]
      op.supportCount = 3
      op.supportVectors = [0.1, -0.5, 1, 1, -1, 0.25]
      op.coefficients = [1, -0.5, 0.75]
      op.rho = [0.1]
      op.isOneClass = kernel == .poly
      return OperatorExample(op, [x], sizes: [Symbol("n"): 5])
    }
      + [
        {
          var op = SVMRegressor()
          op.coefficients = [1, -0.5]
          op.rho = [0.1]
          return OperatorExample(op, [.random(TensorType(.i64, [2]), -5...5)])
        }()
      ]
  }
}
