import Foundation

extension Parameter {
  /// The first values; zeros where the parameter is impossible, which a trace of its model tells.
  package func initialValue(named name: String, seed: UInt64) -> HostTensor {
    let sizes = problem == nil ? shape : [0]
    var random = CounterRandom(seed: seed, name: name)
    if case .values(let tensor) = initializer, problem == nil { return tensor.reshaped(shape) }
    return HostTensor(element, sizes, doubles: problem == nil ? initializer.numbers(shape, &random) : [])
  }
}

extension Initializer {
  /// The numbers of a tensor of a shape that is possible.
  func numbers(_ shape: [Int], _ random: inout CounterRandom) -> [Double] {
    let count = shape.reduce(1, *)
    func draw(_ next: (inout CounterRandom) -> Double) -> [Double] { (0..<count).map { _ in next(&random) } }
    switch self {
    case .zeros: return [Double](repeating: 0, count: count)
    case .ones: return [Double](repeating: 1, count: count)
    case .constant(let value): return [Double](repeating: value, count: count)
    case .uniform(let bound): return draw { (2 * $0.uniform() - 1) * bound }
    case .uniformRange(let low, let high): return draw { low + (high - low) * $0.uniform() }
    case .normal(let mean, let deviation): return draw { mean + deviation * $0.normal() }
    case .truncatedNormal(let mean, let deviation, let low, let high):
      return draw { random in
        // Bounds that hardly any value meets are taken instead of waiting for one.
        for _ in 0..<1000 {
          let value = mean + deviation * random.normal()
          if value >= low, value <= high { return value }
        }
        return Swift.min(Swift.max(mean, low), high)
      }
    case .orthogonal(let gain): return Self.orthogonal(shape, gain, &random)
    case .identity:
      let columns = shape.dropFirst().reduce(1, *)
      return (0..<count).map { columns > 0 && $0 / columns == $0 % columns ? 1 : 0 }
    case .scaled(let gain, let fan, let isNormal):
      let window = shape.dropFirst(2).reduce(1, *)
      let (inputs, outputs) = (
        Double(window * (shape.count > 1 ? shape[1] : shape.first ?? 1)), Double(window * (shape.first ?? 1))
      )
      let measure =
        switch fan {
        case .input: inputs
        case .output: outputs
        case .mean: (inputs + outputs) / 2
        }
      let deviation = gain / Swift.max(1, measure).squareRoot()
      return isNormal
        ? draw { deviation * $0.normal() } : draw { deviation * 3.0.squareRoot() * (2 * $0.uniform() - 1) }
    case .values(let tensor): return tensor.doubles ?? []
    case .zeroRow(let row, let base):
      var numbers = base.numbers(shape, &random)
      let columns = shape.dropFirst().reduce(1, *)
      if let rows = shape.first, (0..<rows).contains(row) {
        for column in 0..<columns { numbers[row * columns + column] = 0 }
      }
      return numbers
    }
  }

  /// Gram and Schmidt on normal numbers, twice for the sake of rounding.
  private static func orthogonal(_ shape: [Int], _ gain: Double, _ random: inout CounterRandom) -> [Double] {
    let rows = shape.first ?? 1, columns = shape.dropFirst().reduce(1, *)
    let (count, length) = (Swift.min(rows, columns), Swift.max(rows, columns))
    var basis: [[Double]] = []
    for _ in 0..<count {
      var vector = (0..<length).map { _ in random.normal() }
      for _ in 0..<2 {
        for other in basis {
          let product = zip(vector, other).reduce(0) { $0 + $1.0 * $1.1 }
          for place in vector.indices { vector[place] -= product * other[place] }
        }
      }
      let norm = Swift.max(vector.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-300)
      basis.append(vector.map { $0 / norm })
    }
    var numbers = [Double](repeating: 0, count: rows * columns)
    for row in 0..<rows {
      for column in 0..<columns {
        numbers[row * columns + column] = gain * (rows <= columns ? basis[row][column] : basis[column][row])
      }
    }
    return numbers
  }
}
