import SinterCore
import SinterIR

/// How near two rows of features are.
enum SVMKernel: String, CaseIterable, Sendable {
  case linear = "LINEAR", poly = "POLY", rbf = "RBF", sigmoid = "SIGMOID"
}

extension GraphBuilder {
  /// The kernel of each row with each support vector.
  ///
  /// - Parameter parameters: γ, a constant term and a degree, or nothing for zeros.
  mutating func kernel(
    _ kernel: SVMKernel, _ parameters: [Double], _ x: ValueID, _ vectors: [Double], count: Int, _ name: String
  ) throws -> ValueID {
    guard parameters.isEmpty || parameters.count == 3, count > 0, vectors.count % count == 0 else {
      throw DiagnosticError(
        .user, "svm.parameters",
        "kernel_params must be three numbers, and support_vectors as many for each of \(count), but they are "
          + "\(parameters.count) and \(vectors.count)", hint: "export the model again")
    }
    let (gamma, term, degree) = parameters.isEmpty ? (0, 0, 0) : (parameters[0], parameters[1], parameters[2])
    if kernel != .rbf {
      let product = try linear(x, vectors, [], rows: count, name)
      if kernel == .linear { return product }
      let scaled = try add1(Binary(.multiply), [product, try scalar(gamma, .f32)])
      let shifted = try add1(Binary(.add), [scaled, try scalar(term, .f32)])
      if kernel == .sigmoid { return try add1(Unary(.tanh), [shifted]) }
      return try add1(Binary(.power), [shifted, try scalar(degree, .f32)])
    }
    // exp(−γ · |x − v|²), the squares summed as they are, since their expansion would cancel.
    let width = vectors.count / count
    let type = try type(x)
    try require(by: name) {
      try $0.equal(type.shape[1], Dim(width), "number of features of \(type) and of a support vector")
    }
    let rows = try add1(Unsqueeze(), [x, integers([1])])
    let all = constant(HostTensor(.f32, [count, width], doubles: vectors))
    let difference = try add1(Binary(.subtract), [rows, all])
    var distance = Reduce(.sumSquare)
    distance.keepsAxes = false
    let squares = try add1(distance, [difference, integers([2])])
    return try add1(Unary(.exp), [try add1(Binary(.multiply), [squares, try scalar(-gamma, .f32)])])
  }
}
