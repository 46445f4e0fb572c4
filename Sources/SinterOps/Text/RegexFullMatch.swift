import SinterCore
import SinterForms
import SinterIR

/// Whether a pattern, in RE2's syntax, matches each text as a whole. The pattern becomes a table when the model is compiled; a text takes as long
/// as it has bytes.
public struct RegexFullMatch: Primitive {
  public static let name = "RegexFullMatch"
  public static let summary = "Whether a regular expression matches each text as a whole."

  /// The pattern, in RE2's syntax without what automata cannot do.
  public var pattern = ""

  public init() {}
  /// Whether texts match a pattern.
  public init(_ pattern: String) { self.pattern = pattern }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.string("pattern", &pattern, default: "")
  }

  public static var onnx: [OnnxRule] { [.direct(RegexFullMatch.self, since: 20)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 20) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.text(0, of: Self.name)
    _ = try PatternParser.parse(pattern)
    return [Fact(.bool, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let automaton = try PatternAutomaton(try PatternParser.parse(pattern))
    let matches = lowering.call(.match, [x] + automaton.tables(into: &lowering), gives: TensorType(.i64, x.shape))
    return [
      try lowering.element(x.shape) { builder, index in
        builder.load(matches.id, index) .!= builder.constant(0, .i64)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let texts = HostTensor(strings: ["www.a.com", "é1", "", "a\nb", "K\u{212a}k", "me@site.org"], shape: [3, 2])
    return [
      #"www\.[\w.-]+\.\bcom\b"#, #"(?i)k*"#, #"(?s)\pL.*"#, #"(?m)^a$\n^b$"#,
      #"[^\x{e0}-\x{ff}]{0,3}?|\w+@(site|home)\.(com|org)"#,
    ].map { OperatorExample(RegexFullMatch($0), [.given(texts)]) }
  }
}
