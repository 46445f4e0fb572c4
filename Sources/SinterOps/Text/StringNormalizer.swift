import SinterCore
import SinterForms
import SinterIR

/// A list of texts without those that are stop words, in small letters or capitals. Where nothing is left, one empty text is. Letters are those of
/// Unicode's full mappings; no language has its own.
public struct StringNormalizer: Primitive {
  public static let name = "StringNormalizer"
  public static let summary = "A list of texts without stop words, in small letters or capitals."

  /// What letters become: as they are, small, or capitals.
  public enum CaseChange: String, CaseIterable, Sendable { case none = "NONE", lower = "LOWER", upper = "UPPER" }

  /// What letters become.
  public var change = CaseChange.none
  /// Whether stop words count only where their letters are just these.
  public var isCaseSensitive = false
  /// The texts that are dropped.
  public var stopWords: [String] = []
  /// Kept for export; letters do not depend on it.
  public var locale = ""

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("case_change_action", &change, default: .none)
    list.bool("is_case_sensitive", &isCaseSensitive, default: false)
    list.strings("stopwords", &stopWords, default: [])
    list.string("locale", &locale, default: "")
  }

  public static var onnx: [OnnxRule] { [.direct(StringNormalizer.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 10) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.text(0, of: Self.name)
    guard x.rank == 1 || x.rank == 2 else {
      throw DiagnosticError(
        .user, "normalizer.rank", "StringNormalizer takes a list of texts, or one row of them, not \(x)",
        hint: "insert a Reshape")
    }
    if x.rank == 2 { try obligations.equal(x.shape[0], 1, "number of rows of \(x) and 1") }
    let axis = x.rank - 1
    let count = stopWords.isEmpty ? Dim.max(x.shape[axis], 1) : inputs.freshSize(result: 0, axis: axis)
    return [Fact(.string, x.rank == 1 ? [count] : [1, count])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let (extent, shape) = (x.shape[x.rank - 1], try node.output().shape)
    let changed = change == .none ? x : lowering.call(.change_case, [x], [change == .lower ? 0 : 1], gives: x.type)
    func element(_ builder: BodyBuilder, _ operand: Operand, _ place: Expr, where isThere: Expr) -> Expr {
      let index = x.rank == 1 ? [place] : [builder.constant(0, .i64), place]
      return builder.load(operand.id, index, where: isThere, otherwise: .int(0))
    }
    if stopWords.isEmpty {
      if let size = extent.value, size > 0 { return [changed] }
      return [
        try lowering.element(shape) { builder, index in
          element(builder, changed, index[x.rank - 1], where: index[x.rank - 1] < builder.size(extent))
        }
      ]
    }
    let compared =
      isCaseSensitive ? x : change == .lower ? changed : lowering.call(.change_case, [x], [0], gives: x.type)
    let words = isCaseSensitive ? stopWords : stopWords.map { $0.lowercased() }
    let lookup = TextLookup(keys: words, into: &lowering) { places in
      .i64([places.count], places.map { $0 < words.count ? 0 : 1 })
    }
    let stays = try lowering.element([extent]) { builder, index in
      lookup.value(builder, of: element(builder, compared, index[0], where: builder.bool(true)))
    }
    let count = try lowering.reduce(.sum, [], over: [extent]) { builder, _, index in builder.load(stays.id, index) }
    if let symbol = shape[x.rank - 1].symbol {
      let size = try lowering.element([]) { builder, _ in builder.load(count.id, []).maximum(builder.constant(1, .i64))
      }
      lowering.define(symbol, as: size, "number of texts that are no stop words")
    }
    let places = try lowering.scan(.sum, [extent], axis: 0, exclusive: true, reversed: false) { builder, index in
      builder.load(stays.id, index)
    }
    let chosen = try lowering.scatter(
      TensorType(.i64, [shape[x.rank - 1]]), domain: [extent], combine: nil,
      base: { builder, _ in builder.constant(0, .i64) },
      update: { builder, index in
        let isChosen = builder.load(stays.id, index) .!= builder.constant(0, .i64)
        return ([builder.select(isChosen, builder.load(places.id, index), builder.constant(-1, .i64))], index[0])
      })
    return [
      try lowering.element(shape) { builder, index in
        let isAny = builder.load(count.id, []) > builder.constant(0, .i64)
        return element(builder, changed, builder.load(chosen.id, [index[x.rank - 1]]), where: isAny)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let texts = HostTensor(strings: ["Monday", "straße", "monday", "", "ÉCOLE", "ŉ"], shape: [6])
    func example(
      _ change: CaseChange, _ words: [String] = [], _ given: HostTensor? = nil, isCaseSensitive: Bool = true
    ) -> OperatorExample {
      var op = StringNormalizer()
      op.change = change
      op.stopWords = words
      op.isCaseSensitive = isCaseSensitive
      return OperatorExample(op, [.given(given ?? texts)])
    }
    return [
      example(.none), example(.upper), example(.lower), example(.upper, ["Monday"]),
      example(.upper, ["MONDAY", "école"], isCaseSensitive: false),
      example(.lower, ["Monday"], texts.reshaped([1, 6]), isCaseSensitive: false),
      example(.none, ["a", ""], HostTensor(strings: ["a", "", "a"], shape: [3])),
      example(.none, ["a"], HostTensor(strings: ["a"], shape: [1, 1])),
      example(.none, ["a"], HostTensor(strings: [], shape: [0])),
      example(.none, [], HostTensor(strings: [], shape: [0])),
    ]
  }
}
