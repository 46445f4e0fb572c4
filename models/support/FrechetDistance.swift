import Sinter

/// How far pictures are from given ones in what a classifier of the given ones sees: Fréchet's distance of two normal distributions with the means and
/// covariances of features.
public struct FeatureDistance {
  /// Two convolutions, each with a pool, and a linear layer.
  private struct Classifier: UnaryLayer {
    var conv1 = Conv2d(1, 32, kernel: 3, padding: 1)
    var conv2 = Conv2d(32, 64, kernel: 3, padding: 1)
    var pool = MaxPool2d(2)
    var fc = Linear(7 * 7 * 64, 10)

    func maps(_ x: Tensor) -> Tensor { pool(conv2(pool(conv1(x).relu())).relu()) }
    func forward(_ x: Tensor) -> Tensor { fc(maps(x).flatten(from: 1)) }
  }

  private let features: LoadedModel
  private let expected: Distribution

  /// Trains the classifier for some epochs; features are the means of its last 64 maps.
  public init(_ pictures: Pictures, epochs: Int = 2) throws {
    let net = Classifier()
    let step = try trainingStep(
      net, .f32("n", 1, 28, 28), .i64("n"), optimizer: Adam(learningRate: 1e-3), loss: crossEntropy
    ).compile()
    var state = step.initialState(seed: 1)
    try step.fit(&state, pictures.labelled, epochs: epochs, batch: 100)
    features = try trace(net, [.f32("n", 1, 28, 28)]) { net.maps($0[0]).mean(2, 3) }
      .bound(to: state.parameters, strict: false).load()
    expected = Distribution(try features.run(pictures.images)[0])
  }

  /// Of pictures [n, 1, 28, 28] in 0 … 1.
  public func callAsFunction(_ pictures: HostTensor) throws -> Double {
    expected.frechetDistance(to: Distribution(try features.run(pictures)[0]))
  }
}

/// The mean and the covariance of rows of numbers.
public struct Distribution {
  private let mean: [Double]
  /// Row by row.
  private let covariance: [Double]

  /// Of rows f32 [n, width].
  public init(_ rows: HostTensor) {
    let (count, width) = (rows.shape[0], rows.shape[1])
    let values = rows.array(of: Float.self)
    var mean = [Double](repeating: 0, count: width), covariance = [Double](repeating: 0, count: width * width)
    for row in 0..<count { for i in 0..<width { mean[i] += Double(values[row * width + i]) / Double(count) } }
    for row in 0..<count {
      let own = (0..<width).map { Double(values[row * width + $0]) - mean[$0] }
      for i in 0..<width {
        for j in 0..<width { covariance[i * width + j] += own[i] * own[j] / Double(max(1, count - 1)) }
      }
    }
    (self.mean, self.covariance) = (mean, covariance)
  }

  /// |μ − ν|² + tr(A + B − 2·(A·B)^½) of means μ, ν and covariances A, B.
  public func frechetDistance(to other: Distribution) -> Double {
    let width = mean.count
    let apart = zip(mean, other.mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let traces = (0..<width).reduce(0) { $0 + covariance[$1 * width + $1] + other.covariance[$1 * width + $1] }
    // (A·B)^½ has the trace of (R·B·R)^½, where R = A^½, which is symmetric.
    let root = Self.root(covariance, width)
    let joint = Self.product(Self.product(root, other.covariance, width), root, width)
    let roots = Self.eigen(joint, width).values.reduce(0) { $0 + max(0, $1).squareRoot() }
    return apart + traces - 2 * roots
  }

  private static func product(_ a: [Double], _ b: [Double], _ width: Int) -> [Double] {
    var result = [Double](repeating: 0, count: width * width)
    for i in 0..<width {
      for k in 0..<width { for j in 0..<width { result[i * width + j] += a[i * width + k] * b[k * width + j] } }
    }
    return result
  }

  private static func root(_ a: [Double], _ width: Int) -> [Double] {
    let (values, vectors) = eigen(a, width)
    var result = [Double](repeating: 0, count: width * width)
    for k in 0..<width {
      let root = max(0, values[k]).squareRoot()
      for i in 0..<width {
        for j in 0..<width { result[i * width + j] += root * vectors[i * width + k] * vectors[j * width + k] }
      }
    }
    return result
  }

  /// Eigenvalues and eigenvectors, as columns, of a symmetric matrix: Jacobi's rotations.
  private static func eigen(_ matrix: [Double], _ width: Int) -> (values: [Double], vectors: [Double]) {
    var (a, v) = (matrix, [Double](repeating: 0, count: width * width))
    for i in 0..<width { v[i * width + i] = 1 }
    let size = matrix.reduce(0) { $0 + $1 * $1 }
    for _ in 0..<50 {
      var rest = 0.0
      for p in 0..<width {
        for q in (p + 1)..<max(width, p + 1) where a[p * width + q] != 0 {
          rest += a[p * width + q] * a[p * width + q]
          let ratio = (a[q * width + q] - a[p * width + p]) / (2 * a[p * width + q])
          let t = (ratio < 0 ? -1 : 1) / (abs(ratio) + (ratio * ratio + 1).squareRoot())
          let c = 1 / (t * t + 1).squareRoot(), s = c * t
          for k in 0..<width {
            let (x, y) = (a[k * width + p], a[k * width + q])
            (a[k * width + p], a[k * width + q]) = (c * x - s * y, s * x + c * y)
          }
          for k in 0..<width {
            let (x, y) = (a[p * width + k], a[q * width + k])
            (a[p * width + k], a[q * width + k]) = (c * x - s * y, s * x + c * y)
          }
          for k in 0..<width {
            let (x, y) = (v[k * width + p], v[k * width + q])
            (v[k * width + p], v[k * width + q]) = (c * x - s * y, s * x + c * y)
          }
        }
      }
      if rest <= size * 1e-24 { break }
    }
    return ((0..<width).map { a[$0 * width + $0] }, v)
  }
}
