import SinterCore
import SinterIR

/// The classes of a classifier as its first result names them.
enum ClassLabels {
  case numbers([Int])
  case texts([String])

  /// From the attributes that hold them; the one with entries counts.
  init(numbers: [Int], texts: [String]) { self = texts.isEmpty ? .numbers(numbers) : .texts(texts) }

  var count: Int {
    switch self {
    case .numbers(let labels): labels.count
    case .texts(let labels): labels.count
    }
  }

  /// The labels, or those that ONNX gives where there are none for two classes.
  func orDefaults(_ numbers: [Int]) -> ClassLabels {
    switch self {
    case .numbers(let labels): labels.count == numbers.count ? self : .numbers(numbers)
    case .texts(let labels): labels.count == numbers.count ? self : .texts(numbers.map(String.init))
    }
  }

  var tensor: HostTensor {
    switch self {
    case .numbers(let labels): .i64([labels.count], labels)
    case .texts(let labels): HostTensor(strings: labels, shape: [labels.count])
    }
  }
}

extension GraphBuilder {
  /// The labels of classes by number.
  mutating func labels(_ labels: ClassLabels, at classes: ValueID) throws -> ValueID {
    try add1(Gather(axis: 0), [constant(labels.tensor), classes])
  }

  /// The labels of the greatest score of each row, the first of equal ones.
  mutating func labels(_ labels: ClassLabels, ofGreatest scores: ValueID) throws -> ValueID {
    var greatest = ArgReduce(.maximum)
    greatest.axis = 1
    greatest.keepsAxes = false
    return try self.labels(labels, at: try add1(greatest, [scores]))
  }

  /// The second label where the only score of a row is above a limit, else the first.
  mutating func labels(_ labels: ClassLabels, ofScore score: ValueID, above limit: Double) throws -> ValueID {
    let isSecond = try add1(Compare(.greater), [score, try scalar(limit, try type(score).element)])
    let number = try add1(Cast(to: .i64), [isSecond])
    return try self.labels(labels, at: try add1(Squeeze(), [number, integers([1])]))
  }
}
