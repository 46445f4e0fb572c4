import SinterCore
import SinterIR

extension OnnxRule {
  /// A map as one row of a matrix with a column for each word of a vocabulary: the value that the map has for it, zero where it has none.
  static let dictVectorizer = OnnxRule(values: "DictVectorizer", domain: .ml) { node, builder in
    let (keys, values) = try node.map(0)
    let vocabulary = ClassLabels(
      numbers: node.ints("int64_vocabulary") ?? [], texts: node.strings("string_vocabulary") ?? [])
    let (type, key) = (try builder.type(values), try builder.type(keys).element)
    guard key == vocabulary.tensor.element else {
      throw DiagnosticError(
        .user, "ml.type", "the vocabulary is \(vocabulary.tensor.element), but the keys are \(key)")
    }
    guard type.element.isFloat || type.element.isInteger else {
      throw DiagnosticError(
        .limit, "ml.type", "the values must be numbers, but are \(type)", hint: "convert them outside of the model")
    }
    let words = try builder.add1(Unsqueeze(), [builder.constant(vocabulary.tensor), builder.integers([1])])
    let isSame = try builder.add1(Compare(.equal), [words, keys])
    let zero = try builder.scalar(0, type.element)
    let found = try builder.add1(Where(), [isSame, values, zero])
    let column = try builder.add1(Reduce(.sum, keepsAxes: false), [found, builder.integers([1])])
    return [.tensor(try builder.add1(Unsqueeze(), [column, builder.integers([0])]))]
  }
}
