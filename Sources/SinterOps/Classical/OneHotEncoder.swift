import SinterCore
import SinterForms
import SinterIR

/// For each element a row that is 1 at the place of the category that it is, else 0. Floats are cut to whole numbers.
public struct OneHotEncoder: Primitive {
  public static let name = "OneHotEncoder"
  public static let summary = "A row for each element that is 1 at its category."

  /// The categories of an input of numbers, in the order of places; empty where `texts` are given.
  public var numbers: [Int] = []
  /// The categories of an input of texts, in the order of places; empty where `numbers` are given.
  public var texts: [String] = []
  /// Whether an element of no category gives zeros; else it is an error.
  public var allowsOthers = true

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.ints("cats_int64s", &numbers, default: [])
    list.strings("cats_strings", &texts, default: [])
    list.bool("zeros", &allowsOthers, default: true)
  }

  public static var onnx: [OnnxRule] { [.direct(OneHotEncoder.self, domain: .ml)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, domain: .ml) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let isText = x.element == .string
    if !isText { _ = try inputs.numbers(0, of: Self.name) }
    guard !(isText ? texts.isEmpty : numbers.isEmpty) else {
      throw DiagnosticError(
        .user, "onehot.categories",
        "there are no categories for \(x): \(isText ? "cats_strings" : "cats_int64s") is empty")
    }
    return [Fact(.f32, x.shape + [Dim(isText ? texts.count : numbers.count)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    if x.element == .string { return [try texts(x, node, &lowering)] }
    let categories = lowering.constant(.i64([numbers.count], numbers))
    // Of equal categories the last one counts.
    let last = Dictionary(numbers.enumerated().map { ($1, $0) }) { $1 }
    let counts = numbers.enumerated().map { last[$1] == $0 }
    let isCounted = counts.contains(false) ? lowering.constant(HostTensor(.bool, [numbers.count], values: counts)) : nil
    func isCategory(_ builder: BodyBuilder, _ index: [Expr], _ category: Expr) -> Expr {
      let own = builder.load(x.id, index).cast(to: .i64)
      let isEqual = own .== builder.load(categories.id, [category])
      return isCounted.map { isEqual && builder.load($0.id, [category]) } ?? isEqual
    }
    var known: Operand?
    if !allowsOthers {
      known = try lowering.reduce(.or, x.shape, over: [Dim(numbers.count)]) { isCategory($0, $1, $2[0]) }
    }
    let error = known == nil ? 0 : lowering.error("OneHotEncoder: an element is none of the categories")
    return [
      try lowering.element(try node.output().shape) { builder, index in
        let own = Array(index.dropLast())
        let value = builder.select(
          isCategory(builder, own, index[own.count]), builder.constant(1.0, .f32), builder.constant(0.0, .f32))
        guard let known else { return value }
        let unknown = builder.select(
          builder.load(known.id, own), builder.constant(0, .i64), builder.constant(1, .i64))
        return value + unknown.checked(below: builder.constant(1, .i64), error: error).cast(to: .f32)
      }
    ]
  }

  /// The category of each text is looked up once.
  private func texts(_ x: Operand, _ node: LoweringNode, _ lowering: inout Lowering) throws -> Operand {
    // Of equal categories the last one counts: the first from behind.
    let lookup = TextLookup(keys: texts.reversed(), into: &lowering) { places in
      .i64([places.count], places.map { $0 < texts.count ? texts.count - 1 - $0 : texts.count })
    }
    let error = allowsOthers ? 0 : lowering.error("OneHotEncoder: an element is none of the categories")
    let category = try lowering.element(x.shape) { builder, index in
      let category = lookup.value(builder, of: builder.load(x.id, index))
      return allowsOthers ? category : category.checked(below: builder.constant(texts.count, .i64), error: error)
    }
    return try lowering.element(try node.output().shape) { builder, index in
      let isOwn = builder.load(category.id, Array(index.dropLast())) .== index[index.count - 1]
      return builder.select(isOwn, builder.constant(1.0, .f32), builder.constant(0.0, .f32))
    }
  }

  public static var examples: [OperatorExample] {
    var words = OneHotEncoder()
    words.texts = ["cat", "dog", "", "cat"]
    var op = OneHotEncoder()
    op.numbers = [3, -1, 0]
    var strict = op
    strict.allowsOthers = false
    return [
      OperatorExample(words, [.given(HostTensor(strings: ["dog", "cat", "cow", ""], shape: [2, 2]))]),
      OperatorExample(op, [.random(TensorType(.f32, ["n", 2]), -3...4)], sizes: [Symbol("n"): 4]),
      OperatorExample(op, [.given(.i64([4], [0, 1, -1, 3]))]),
      OperatorExample(strict, [.given(HostTensor(.i32, [3], values: [Int32(0), -1, 3]))]),
    ]
  }
}

extension OneHotEncoder: PiecewiseConstant {}
