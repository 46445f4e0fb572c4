import SinterCore
import SinterForms
import SinterIR

/// Scores with minus infinity for each token that would repeat a run of n tokens, if it came next: one that follows the last n - 1 tokens anywhere
/// before. Inputs: the tokens so far [batch, length], the scores of the next one [batch, tokens].
public struct NGramRepeatBlock: Primitive {
  public static let name = "NGramRepeatBlock"
  public static let summary = "Scores of next tokens, minus infinity where a run of n tokens would repeat."

  /// n, the length of a run that must not repeat; at least 1.
  public var size = 1

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.int("ngram_size", &size, default: 1) }
  public static var onnx: [OnnxRule] { [.direct(NGramRepeatBlock.self, domain: .microsoft)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (tokens, scores) = (try inputs.indices(0), try inputs.tensor(1))
    try requireElement(scores) { $0.isFloat }
    guard tokens.rank == 2, scores.rank == 2, (1...Window.limit).contains(size) else {
      throw DiagnosticError(
        .user, "ngram.shape",
        "tokens and scores must be [batch, …] and ngram_size positive, but are \(tokens), \(scores) and \(size)")
    }
    try obligations.equal(tokens.shape[0], scores.shape[0], "numbers of rows of tokens \(tokens) and scores \(scores)")
    return [Fact(.tensor(scores))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (tokens, scores) = (try node.input(0), try node.input(1))
    let (batch, length) = (tokens.shape[0], tokens.shape[1])
    let outside = lowering.error("NGramRepeatBlock: token %0 lies outside of %1 scores")
    let runs = Dim.max(length - Dim(size) + 1, 0)
    let domain = [batch, runs]
    // Whether the first tokens of a run are the last ones of all.
    let matches = try lowering.reduce(.minimum, domain, over: [Dim(size - 1)]) { builder, index, inner in
      let own = builder.load(tokens.id, [index[0], index[1] + inner[0]])
      let last = builder.load(tokens.id, [index[0], builder.size(length - Dim(size) + 1) + inner[0]])
      return (own .== last).cast(to: .i64)
    }
    return [
      try lowering.scatter(
        scores.type, domain: domain, combine: .minimum,
        base: { builder, index in builder.load(scores.id, index) },
        update: { builder, index in
          let repeats = builder.load(matches.id, index) > builder.constant(0, .i64)
          let next = builder.load(tokens.id, [index[0], index[1] + builder.constant(size - 1, .i64)]).cast(to: .i64)
          let limit = builder.size(scores.shape[1])
          let place = builder.select(repeats, next, builder.constant(0, .i64))
          let checked = place.checked(below: builder.select(repeats, limit, builder.constant(1, .i64)), error: outside)
          return (
            [index[0], builder.select(repeats, checked, builder.constant(-1, .i64))],
            builder.constant(-.infinity, scores.element)
          )
        })
    ]
  }

  public static var examples: [OperatorExample] {
    [1, 2, 3].map { size in
      var op = NGramRepeatBlock()
      op.size = size
      return OperatorExample(
        op,
        [
          .random(TensorType(.i64, ["b", "t"]), 0...2.9), .random(TensorType(.f32, ["b", 4]), -1...1),
        ], sizes: [Symbol("b"): 2, Symbol("t"): 7])
    }
  }
}
