import SinterCore
import SinterIR

/// What aggressive decoding does between two runs of a decoder: it takes over predicted tokens as long as they are those of the source, and one more,
/// and looks for the place in the source at which the last tokens stand.
///
/// Inputs: the source's tokens, those so far, the place in the source at which predictions begin, and the predictions, one more than the source has
/// from there on (absent: none are taken over). Results: the tokens so far with those taken over, and the place behind the only run of the source
/// that is equal to the last n tokens, for the least n from `min_ngram_size` to `max_ngram_size` for which there is just one; -1 where n
/// tokens stand nowhere, or no n is left.
public struct BifurcationDetector: Composite {
  public static let name = "BifurcationDetector"
  public static let summary = "Predicted tokens taken over, and where the source goes on as they end."

  /// The most tokens that are looked for; at least `least`.
  public var greatest = 3
  /// The least tokens that are looked for; at least 1.
  public var least = 1

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("max_ngram_size", &greatest, default: 3)
    list.int("min_ngram_size", &least, default: 1)
  }
  public static var onnx: [OnnxRule] { [.direct(BifurcationDetector.self, domain: .microsoft)] }

  /// Each size of a run is looked for apart.
  private static let limit = 64

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    for index in [0, 1, 3] where inputs.has(index) {
      let type = try inputs.tensor(index)
      guard type.rank == 1, type.element == .i64 else {
        throw DiagnosticError(
          .user, "bifurcation.tokens", "tokens must be a list of i64, but input \(index) is \(type)")
      }
    }
    guard least > 0, greatest >= least, greatest - least < Self.limit else {
      throw DiagnosticError(
        .user, "bifurcation.size",
        "the sizes of runs must be positive, at most \(Self.limit) of them, but are \(least) to \(greatest)")
    }
    let (source, start) = (try inputs.value(0), try inputs.tensor(2))
    try builder.require(by: Self.name) { try $0.scalar(start, "the place at which predictions begin") }
    var tokens = try inputs.value(1)
    if let predicted = inputs.id(3) {
      tokens = try joined(tokens, predicted, source, start: try inputs.value(2), into: &builder)
    }
    return [tokens, try place(of: tokens, in: source, into: &builder)]
  }

  /// The tokens so far and those predictions that the source has as well, with the first one that it has not.
  private func joined(
    _ tokens: ValueID, _ predicted: ValueID, _ source: ValueID, start: ValueID, into builder: inout GraphBuilder
  ) throws -> ValueID {
    let (type, one) = (try builder.type(predicted), builder.integers([1]))
    try builder.require(by: Self.name) { try $0.atLeast(type.shape[0], 1, "number of predicted tokens") }
    let count = try builder.add1(Binary(.subtract), [try builder.size(of: predicted, along: 0), one])
    let steps = try builder.places(below: count)
    let begin = try builder.add1(Reshape(), [start, one])
    let own = try builder.add1(Gather(), [source, try builder.add1(Binary(.add), [steps, begin])])
    let equal = try builder.add1(Compare(.equal), [own, try builder.add1(Gather(), [predicted, steps])])
    let differs = try builder.add1(Cast(to: .i32), [try builder.add1(Unary(.not), [equal])])
    let last = builder.constant(HostTensor(.i32, [1], values: [Int32(1)]))
    var first = ArgReduce()
    (first.axis, first.keepsAxes) = (0, true)
    let matching = try builder.add1(first, [try builder.add1(Concat(axis: 0), [differs, last])])
    let end = try builder.add1(Binary(.add), [matching, one])
    let zero = builder.integers([0])
    return try builder.add1(Concat(axis: 0), [tokens, try builder.add1(Slice(), [predicted, zero, end, zero])])
  }

  /// Where the source goes on behind the last tokens.
  private func place(of tokens: ValueID, in source: ValueID, into builder: inout GraphBuilder) throws -> ValueID {
    let (zero, one) = (try builder.scalar(0, .i64), try builder.scalar(1, .i64))
    let total = try builder.add1(Squeeze(), [try builder.size(of: tokens, along: 0), builder.integers([0])])
    let length = try builder.size(of: source, along: 0)
    var result = try builder.scalar(-1, .i64)
    var isOpen = builder.constant(HostTensor(.bool, [], values: [true]))
    for size in least...greatest {
      let runs = try builder.add1(
        Variadic(.maximum),
        [try builder.add1(Binary(.subtract), [length, builder.integers([size - 1])]), builder.integers([0])])
      let places = try builder.places(below: runs)
      let begin = try builder.add1(Binary(.subtract), [total, try builder.scalar(Double(size), .i64)])
      let isLongEnough = try builder.add1(Compare(.greaterOrEqual), [begin, zero])
      var isEqual: ValueID?
      for step in 0..<size {
        let offset = try builder.scalar(Double(step), .i64)
        let at = try builder.add1(
          Variadic(.maximum), [try builder.add1(Binary(.add), [begin, offset]), zero])
        // Where there are fewer tokens, an empty list is read in no place.
        let last = try builder.add1(
          Slice(),
          [
            tokens, try list(at, &builder), try list(try builder.add1(Binary(.add), [at, one]), &builder),
            builder.integers([0]),
          ])
        let token = try builder.add1(Reduce(.sum, keepsAxes: false), [last])
        let own = try builder.add1(Gather(), [source, try builder.add1(Binary(.add), [places, offset])])
        let same = try builder.add1(Compare(.equal), [own, token])
        isEqual = try isEqual.map { try builder.add1(Binary(.and), [$0, same]) } ?? same
      }
      guard let isEqual else { continue }
      let flags = try builder.add1(Cast(to: .i64), [isEqual])
      let count = try builder.add1(Reduce(.sum, keepsAxes: false), [flags])
      // Of one run, its place.
      let place = try builder.add1(
        Reduce(.sum, keepsAxes: false), [try builder.add1(Binary(.multiply), [flags, places])])
      let isOne = try builder.add1(Compare(.equal), [count, one])
      let isFound = try builder.add1(
        Binary(.and), [isOpen, try builder.add1(Binary(.and), [isLongEnough, isOne])])
      let behind = try builder.add1(Binary(.add), [place, try builder.scalar(Double(size), .i64)])
      result = try builder.add1(Where(), [isFound, behind, result])
      let isAmbiguous = try builder.add1(Compare(.greater), [count, one])
      isOpen = try builder.add1(
        Binary(.and), [isOpen, try builder.add1(Binary(.and), [isLongEnough, isAmbiguous])])
    }
    return result
  }

  private func list(_ scalar: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
    try builder.add1(Reshape(), [scalar, builder.integers([1])])
  }

  public static var examples: [OperatorExample] {
    func tokens(_ values: [Int]) -> OperatorExample.Input { .given(.i64([values.count], values)) }
    return [
      OperatorExample(
        BifurcationDetector(),
        [tokens([4, 2, 7, 2, 9, 1]), tokens([0, 5]), .given(.i64([], [1])), tokens([2, 7, 2, 3, 3, 8])], outputs: 2),
      OperatorExample(
        BifurcationDetector(),
        [
          .random(TensorType(.i64, ["s"]), 0...2.9), .random(TensorType(.i64, ["t"]), 0...2.9), .given(.i64([], [0])),
        ], outputs: 2, sizes: [Symbol("s"): 5, Symbol("t"): 4]),
    ]
  }
}
