import SinterCore
import SinterForms
import SinterIR

/// The tokens of each text along a new last axis, as long as the most tokens of any text: what a pattern matches, or what separators leave. At
/// each place the longest match counts. ONNX Runtime's operator, which converters write for scikit-learn's vectorizers of text.
public struct Tokenizer: Primitive {
  public static let name = "Tokenizer"
  public static let summary = "The tokens of texts, found by a pattern or between separators."

  /// Of a token; empty where separators are given.
  public var pattern = ""
  /// What lies between tokens, each a pattern; empty where a pattern for tokens is given.
  public var separators: [String] = []
  /// What stands behind the last token of a text that has fewer than others.
  public var padding = ""
  /// Whether the tokens of each text are put between two characters, start and end of text. Where no text has a token, there are none.
  public var marks = false
  /// Code points that a token has at least.
  public var shortest = 1

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.string("tokenexp", &pattern, default: "")
    list.strings("separators", &separators, default: [])
    list.string("pad_value", &padding, default: "")
    list.bool("mark", &marks, default: false)
    list.int("mincharnum", &shortest, default: 1)
  }

  public static var onnx: [OnnxRule] { [.direct(Tokenizer.self, domain: "com.microsoft")] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    var form = NodeSpecification(of: self, domain: "com.microsoft")
    // ONNX Runtime has no defaults for these.
    let needed: [(name: String, value: OnnxAttribute)] = [
      ("pad_value", .string(padding)), ("mark", .int(marks ? 1 : 0)), ("mincharnum", .int(shortest)),
    ]
    form.attributes += needed.filter { item in !form.attributes.contains { $0.name == item.name } }
    return form
  }

  /// What is looked for, and whether that is what separates tokens.
  private func searched() throws -> (pattern: Pattern, separates: Bool) {
    guard pattern.isEmpty != separators.isEmpty else {
      throw DiagnosticError(
        .user, "tokenizer.pattern",
        "a tokenizer has a pattern or separators, but this one has \(pattern.isEmpty ? "none" : "both")")
    }
    guard shortest >= 1 else {
      throw DiagnosticError(.user, "tokenizer.length", "mincharnum must be at least 1, but is \(shortest)")
    }
    if separators == [""] || pattern == "." { return (.set(.all), false) }
    if separators.isEmpty { return (try PatternParser.parse(pattern), false) }
    let parts = try separators.map { try PatternParser.parse($0) }
    // One after another cuts what the ones before it left. Where each is one character, all at once do the same.
    guard parts.count == 1 || parts.allSatisfy({ if case .set = $0 { true } else { false } }) else {
      throw DiagnosticError(
        .limit, "tokenizer.separators", "several separators must be one character each, but are \(separators)",
        hint: "give one pattern of all of them")
    }
    return (parts.count == 1 ? parts[0] : .alternatives(parts), true)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.text(0, of: Self.name)
    _ = try searched()
    return [Fact(.string, x.shape + [inputs.freshSize(result: 0, axis: x.rank)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let (pattern, separates) = try searched()
    let automaton = try PatternAutomaton(pattern)
    let tables = automaton.tables(into: &lowering)
    let parameters =
      automaton.starts.map { Int64($0) } + [Int64(automaton.dead ?? -1), separates ? 1 : 0, Int64(shortest)]
    let counts = lowering.call(.count_tokens, [x] + tables, parameters, gives: TensorType(.i64, x.shape))
    let most = try lowering.reduce(.maximum, [], over: x.shape) { builder, _, index in builder.load(counts.id, index) }
    let type = try node.output()
    func width(_ symbol: Symbol, adding marks: Int, _ lowering: inout Lowering) throws {
      let size = try lowering.element([]) { builder, _ in
        let (count, none) = (builder.load(most.id, []), builder.constant(0, .i64))
        return builder.select(count > none, count + builder.constant(marks, .i64), none)
      }
      lowering.define(symbol, as: size, "number of tokens")
    }
    let pad = Int64(lowering.number(of: padding))
    guard let symbol = type.shape[x.rank].symbol else {
      throw DiagnosticError(.bug, "tokenizer.size", "the number of tokens is \(type.shape[x.rank])")
    }
    guard marks else {
      try width(symbol, adding: 0, &lowering)
      return [lowering.call(.tokens, [x] + tables, parameters + [pad], gives: type)]
    }
    let own = lowering.freshSize()
    try width(own, adding: 0, &lowering)
    try width(symbol, adding: 2, &lowering)
    let tokens = lowering.call(
      .tokens, [x] + tables, parameters + [pad], gives: TensorType(.string, x.shape + [Dim(own)]))
    let (start, end) = (lowering.number(of: "\u{2}"), lowering.number(of: "\u{3}"))
    return [
      try lowering.element(type.shape) { builder, index in
        let (text, place) = (Array(index.dropLast()), index[x.rank])
        let before = place - builder.constant(1, .i64)
        let count = builder.load(counts.id, text)
        let isToken = before >= builder.constant(0, .i64) && before < count
        let token = builder.load(tokens.id, text + [before], where: isToken, otherwise: .int(pad))
        let marked = builder.select(before .== count, builder.constant(end, .i64).cast(to: .string), token)
        return builder.select(
          place .== builder.constant(0, .i64), builder.constant(start, .i64).cast(to: .string), marked)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let texts = HostTensor(strings: ["ab cd é", "", "x,y_z", "  Ab\n1"], shape: [2, 2])
    func example(
      _ pattern: String, _ separators: [String] = [], _ given: HostTensor? = nil, marks: Bool = false, shortest: Int = 1
    ) -> OperatorExample {
      var op = Tokenizer()
      (op.pattern, op.separators, op.marks, op.shortest) = (pattern, separators, marks, shortest)
      op.padding = "#"
      return OperatorExample(op, [.given(given ?? texts)])
    }
    return [
      example("[a-z]+"), example("."), example("", [""]), example(#"\b\w\w+\b|^x"#), example("[a-z]+", marks: true),
      example("[a-zé]+", shortest: 2), example("", [" ", ","]), example("", ["[ ,]+"], marks: true, shortest: 2),
      example("q", marks: true), example("a", [], HostTensor(strings: [], shape: [0])),
    ]
  }
}
