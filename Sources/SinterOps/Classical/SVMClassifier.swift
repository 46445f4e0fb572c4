import SinterCore
import SinterIR

/// Classes by support vector machines.
///
/// With support vectors, each pair of classes has a decision function of the kernels with both classes' vectors, and a vote for one of them; the
/// class with the most votes is taken, and the scores are the decisions, or, with `prob_a` and `prob_b`, the classes' probabilities. Without
/// support vectors each class has a linear function. Of two classes the first one's decision is above 0 where it is taken; the scores are its
/// negative and itself.
public struct SVMClassifier: Composite {
  public static let name = "SVMClassifier"
  public static let summary = "The class that support vector machines take, and its scores."

  var kernel = SVMKernel.linear
  /// Gamma, the constant term and the degree of the kernel, three numbers whatever its kind; empty: zeros.
  public var kernelParameters: [Double] = []
  /// The vectors of the first class, then those of the second and so on, each a number for every feature.
  public var supportVectors: [Double] = []
  /// How many of the support vectors belong to each class; empty or zeros where classes have linear functions.
  public var vectorsPerClass: [Int] = []
  /// One row for each class but one, with a number for each support vector; see `pairs`.
  public var coefficients: [Double] = []
  /// What is added to the decision of each pair of classes, the first class's pairs first. Without support vectors
  /// only the first counts, for all classes.
  public var rho: [Double] = []
  /// The slope of each pair's logistic function from decisions to probabilities; empty: the scores are decisions.
  public var probabilityA: [Double] = []
  /// The shift of each pair's logistic function; as many as `probabilityA` has.
  public var probabilityB: [Double] = []
  /// The classes' labels where these are integers, one for each; empty where they are texts.
  public var labelNumbers: [Int] = []
  /// The classes' labels where these are texts, one for each; empty where they are integers.
  public var labelTexts: [String] = []
  var transform = PostTransform.none

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kernel_type", &kernel, default: .linear)
    list.floats("kernel_params", &kernelParameters, default: [])
    list.floats("support_vectors", &supportVectors, default: [])
    list.ints("vectors_per_class", &vectorsPerClass, default: [])
    list.floats("coefficients", &coefficients, default: [])
    list.floats("rho", &rho, default: [])
    list.floats("prob_a", &probabilityA, default: [])
    list.floats("prob_b", &probabilityB, default: [])
    list.ints("classlabels_ints", &labelNumbers, default: [])
    list.strings("classlabels_strings", &labelTexts, default: [])
    list.choice("post_transform", &transform, default: .none)
  }

  public static var onnx: [OnnxRule] { [.direct(SVMClassifier.self, domain: .ml)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, domain: .ml) }

  private var labels: ClassLabels { ClassLabels(numbers: labelNumbers, texts: labelTexts) }

  /// Pairs of classes in the order of their decisions.
  private var pairs: [(first: Int, second: Int)] {
    (0..<labels.count).flatMap { i in (i + 1..<max(labels.count, i + 1)).map { (i, $0) } }
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    _ = try inputs.numbers(0, of: Self.name)
    let x = try builder.cast(try builder.rows(try inputs.value(0), of: Self.name), to: .f32)
    let vectorCount = vectorsPerClass.reduce(0, +)
    guard labels.count > 0, vectorsPerClass.allSatisfy({ $0 >= 0 }) else {
      throw wrong("there are no labels, or numbers of vectors are below zero: \(vectorsPerClass)")
    }
    if vectorCount == 0 {
      let scores = try builder.linear(x, coefficients, Array(rho.prefix(1)), rows: labels.count, Self.name)
      let label = try builder.labels(labels, ofGreatest: scores)
      return [label, try builder.transformed(scores, by: transform)]
    }
    let decisions = try decisions(x, vectorCount, &builder)
    let label = try builder.labels(labels, ofGreatest: try votes(decisions, &builder))
    if !probabilityA.isEmpty {
      let scores = try probabilities(decisions, &builder)
      return [label, try builder.transformed(scores, by: transform)]
    }
    if labels.count > 2 { return [label, try builder.transformed(decisions, by: transform)] }
    return [label, try builder.transformed(try builder.bothScores(decisions), by: transform)]
  }

  private func wrong(_ message: String) -> DiagnosticError {
    DiagnosticError(.user, "svm.attributes", message, hint: "export the model again")
  }

  /// A column for each pair of classes i < j: the kernels with i's vectors by row j - 1 of the coefficients, those with j's by row i.
  private func decisions(_ x: ValueID, _ vectorCount: Int, _ builder: inout GraphBuilder) throws -> ValueID {
    let pairs = pairs
    guard vectorsPerClass.count == labels.count, labels.count > 1,
      coefficients.count == (labels.count - 1) * vectorCount,
      rho.count >= pairs.count
    else {
      throw wrong(
        "\(labels.count) classes with \(vectorsPerClass) vectors have \(coefficients.count) coefficients and rho has "
          + "\(rho.count) entries")
    }
    let starts = vectorsPerClass.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    var weights = [Double](repeating: 0, count: pairs.count * vectorCount)
    for (row, pair) in pairs.enumerated() {
      for (own, other) in [(pair.first, pair.second - 1), (pair.second, pair.first)] {
        for vector in starts[own]..<starts[own + 1] {
          weights[row * vectorCount + vector] = coefficients[other * vectorCount + vector]
        }
      }
    }
    let kernels = try builder.kernel(kernel, kernelParameters, x, supportVectors, count: vectorCount, Self.name)
    return try builder.linear(kernels, weights, Array(rho.prefix(pairs.count)), rows: pairs.count, Self.name)
  }

  /// How many pairs each class wins: the first of a pair where the decision is above 0.
  private func votes(_ decisions: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
    let isFirst = try builder.add1(Compare(.greater), [decisions, try builder.scalar(0, .f32)])
    var weights = [Double](repeating: 0, count: pairs.count * labels.count)
    var others = [Double](repeating: 0, count: labels.count)
    for (column, pair) in pairs.enumerated() {
      weights[pair.first * pairs.count + column] = 1
      weights[pair.second * pairs.count + column] = -1
      others[pair.second] += 1
    }
    return try builder.linear(
      try builder.add1(Cast(to: .f32), [isFirst]), weights, others, rows: labels.count, Self.name)
  }

  /// The classes' probabilities from those of pairs.
  private func probabilities(_ decisions: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
    let count = pairs.count
    guard probabilityA.count >= count, probabilityB.count >= count else {
      throw wrong(
        "prob_a and prob_b must have \(count) entries, but have \(probabilityA.count) and \(probabilityB.count)")
    }
    let a = builder.numbers(Array(probabilityA.prefix(count)), .f32)
    let b = builder.numbers(Array(probabilityB.prefix(count)), .f32)
    let line = try builder.add1(Binary(.add), [try builder.add1(Binary(.multiply), [decisions, a]), b])
    let first = try builder.add1(Unary(.sigmoid), [try builder.add1(Unary(.negate), [line])])
    let low = try builder.add1(Variadic(.maximum), [first, try builder.scalar(1e-7, .f32)])
    let kept = try builder.add1(Variadic(.minimum), [low, try builder.scalar(1 - 1e-7, .f32)])
    return try builder.add1(PairwiseCoupling(classCount: labels.count), [kept])
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 2]), -1...1)
    var three = SVMClassifier()
    three.kernel = .rbf
    three.kernelParameters = [0.5, 0, 3]
    three.supportVectors = [0.1, -0.5, 1, 1, -1, 0.25, 0.5, 0.5]
    three.vectorsPerClass = [1, 2, 1]
    three.coefficients = [1, -0.5, -0.5, 0.75, 0.25, 1, -1, -0.6]
    three.rho = [0.1, -0.1, 0.05]
    three.labelNumbers = [5, 6, 8]
    var sure = three
    sure.probabilityA = [-1.5, -2, -1]
    sure.probabilityB = [0.1, 0, -0.2]
    var two = SVMClassifier()
    two.kernel = .poly
    two.kernelParameters = [0.5, 1, 2]
    two.supportVectors = [0.1, -0.5, 1, 1, -1, 0.25]
    two.vectorsPerClass = [1, 2]
    two.coefficients = [1, -0.5, -0.5]
    two.rho = [0.2]
    two.labelNumbers = [0, 1]
    var linear = SVMClassifier()
    linear.coefficients = [1, -0.5, -0.5, 1, 0.3, 0.3]
    linear.rho = [0.2]
    linear.labelNumbers = [0, 1, 2]
    linear.transform = .softmax
    return [three, sure, two, linear].map { OperatorExample($0, [x], outputs: 2, sizes: [Symbol("n"): 7]) }
  }
}
