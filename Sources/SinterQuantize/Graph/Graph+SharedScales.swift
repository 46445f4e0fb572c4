import SinterIR
import SinterOps

extension Graph {
  /// The quantized result whose elements, and no others, a value holds: the two then share a scale, so that quantizing the value loses
  /// nothing more, and runtimes do what lies between on integers. Nil where there is none.
  func source(of value: ValueID, in results: Set<ValueID>) -> ValueID? {
    var value = value
    while !results.contains(value) {
      guard let id = producer(of: value), nodes[id].outputs.first == value, nodes[id].op.choosesElements,
        let input = nodes[id].inputs.first, let input
      else { return nil }
      value = input
    }
    return value
  }
}

extension Operator {
  /// Whether the first result holds elements of the first input, and nothing else.
  fileprivate var choosesElements: Bool {
    self is MaxPool || self is Flatten || self is Reshape || self is Transpose || self is Squeeze || self is Unsqueeze
      || self is Identity
  }
}
