import SinterCore
import SinterForms
import SinterIR

/// Texts cut into pieces. Results: the pieces along a new last axis, as long as the most pieces of any text, empty texts behind the others; and how
/// many pieces each text has.
///
/// Without a delimiter, white space is what cuts, that at both ends is dropped, and a text of nothing else has no piece; what is left behind the
/// last cut that is allowed keeps its white space. With one, each of its places cuts, so that the empty text is one piece, itself.
public struct StringSplit: Primitive {
  public static let name = "StringSplit"
  public static let summary = "Texts cut into pieces at a delimiter or at white space."

  /// Empty: white space.
  public var delimiter = ""
  /// Negative or absent: any number of cuts.
  public var mostCuts: Int?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.string("delimiter", &delimiter, default: "")
    list.optionalInt("maxsplit", &mostCuts)
  }

  public static var onnx: [OnnxRule] { [.direct(StringSplit.self, since: 20)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 20) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.text(0, of: Self.name)
    return [Fact(.string, x.shape + [inputs.freshSize(result: 0, axis: x.rank)]), Fact(.i64, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let parameters = [Int64(lowering.number(of: delimiter)), Int64(max(mostCuts ?? -1, -1))]
    let counts = lowering.call(.count_pieces, [x], parameters, gives: TensorType(.i64, x.shape))
    let type = try node.output()
    if let symbol = type.shape[x.rank].symbol {
      let most = try lowering.reduce(.maximum, [], over: x.shape) { builder, _, index in
        builder.load(counts.id, index)
      }
      let width = try lowering.element([]) { builder, _ in
        builder.load(most.id, []).maximum(builder.constant(0, .i64))
      }
      lowering.define(symbol, as: width, "number of pieces")
    }
    return [lowering.call(.pieces, [x], parameters, gives: type), counts]
  }

  public static var examples: [OperatorExample] {
    let texts = HostTensor(strings: ["a,b,,c", "", ",", "  x y ", " \u{2003}é\n1\u{85}", "aa,,a"], shape: [2, 3])
    var comma = StringSplit()
    comma.delimiter = ","
    var once = comma
    once.mostCuts = 1
    var words = StringSplit()
    words.mostCuts = 1
    var twin = StringSplit()
    twin.delimiter = ",,"
    return [comma, once, twin, words, StringSplit()].map { OperatorExample($0, [.given(texts)], outputs: 2) }
      + [OperatorExample(comma, [.given(HostTensor(strings: [], shape: [0, 2]))], outputs: 2)]
  }
}
