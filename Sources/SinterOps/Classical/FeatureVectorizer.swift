import SinterCore
import SinterForms
import SinterIR

/// The features of several inputs side by side as f32, each input cut, or filled with zeros, to a given number of them. One axis is one row.
public struct FeatureVectorizer: Primitive {
  public static let name = "FeatureVectorizer"
  public static let summary = "The features of several inputs side by side."

  /// How many features each input has in the result.
  public var widths: [Int] = []

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.ints("inputdimensions", &widths, default: [])
  }

  public static var onnx: [OnnxRule] { [.direct(FeatureVectorizer.self, domain: .ml)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, domain: .ml) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    guard widths.count == inputs.count, !widths.isEmpty, widths.allSatisfy({ $0 >= 0 }) else {
      throw DiagnosticError(
        .user, "vectorizer.widths",
        "inputdimensions must have a number for each of \(inputs.count) inputs, but is \(widths)",
        hint: "export the model again")
    }
    var rows: Dim?
    for index in widths.indices {
      let type = try inputs.numbers(index, of: Self.name)
      guard type.rank > 0 else {
        throw DiagnosticError(.user, "ml.rank", "\(Self.name) takes rows of features, but input \(index) is \(type)")
      }
      let own = type.rank == 1 ? 1 : type.shape[0]
      rows = try rows.map { try obligations.equal($0, own, "numbers of rows of inputs 0 and \(index)") } ?? own
    }
    return [Fact(.f32, [rows ?? 0, Dim(widths.reduce(0, +))])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let type = try node.output()
    let parts = try widths.indices.map { index in
      let x = try node.input(index)
      let features = x.rank == 1 ? x.shape[0] : x.shape.dropFirst().reduce(1, *)
      return try lowering.reshape(x, to: [type.shape[0], features])
    }
    return [
      try lowering.element(type.shape) { builder, index in
        var value = builder.constant(0.0, .f32)
        var start = 0
        for (part, width) in zip(parts, widths) {
          let own = index[1] - builder.constant(start, .i64)
          let isOwn =
            own >= builder.constant(0, .i64) && own < builder.size(Dim.min(part.shape[1], Dim(width)))
          let element = builder.load(part.id, [index[0], own], where: isOwn).cast(to: .f32)
          value = builder.select(isOwn, element, value)
          start += width
        }
        return value
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var op = FeatureVectorizer()
    op.widths = [2, 3, 1]
    var row = FeatureVectorizer()
    row.widths = [3]
    return [
      OperatorExample(
        op,
        [
          .random(TensorType(.f32, ["n", 2]), -1...1), .random(TensorType(.i64, ["n", 2]), -9...9),
          .random(TensorType(.f64, ["n", "m", 2]), -1...1),
        ], sizes: [Symbol("n"): 3, Symbol("m"): 2]),
      OperatorExample(row, [.random(TensorType(.i32, ["m"]), -9...9)], sizes: [Symbol("m"): 2]),
    ]
  }
}

extension FeatureVectorizer: Composite {
  /// Each input as rows of its own width, one beside the other. Gradients go through it.
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.require(by: Self.name) { _ = try infer(inputs, requiring: &$0) }
    let tape = GradientTape(builder)
    defer { builder = tape.builder }
    let parts = try widths.indices.map { index in
      let x = try GradientTensor(try inputs.value(index), tape).cast(to: .f32)
      let rows = try x.rank == 1 ? x.unsqueezed([0]) : x.rank == 2 ? x : x.flattened(from: 1, to: x.rank - 1)
      return try rows.resized(1, to: x.integers([widths[index]]))
    }
    return [try (parts.count == 1 ? parts[0] : tape.add(Concat(axis: 1), parts)[0]).id]
  }
}
