import SinterCore

/// The operators that a graph may use, by name. A value: users add their own with `adding`.
public struct OpTable: Sendable {
  private var types: [String: any Operator.Type] = [:]
  /// Import rules by domain and ONNX name, the newest version first.
  private var rules: [String: [OnnxRule]] = [:]

  public init() {}

  public init(_ types: [any Operator.Type]) {
    for type in types { add(type) }
  }

  public mutating func add(_ type: any Operator.Type) {
    types[type.name] = type
    for rule in type.onnx {
      let key = Self.key(rule.domain, rule.opType)
      rules[key, default: []].append(rule)
      rules[key]?.sort { $0.since > $1.since }
    }
  }

  public func adding(_ type: any Operator.Type) -> OpTable {
    var copy = self
    copy.add(type)
    return copy
  }

  public subscript(name: String) -> (any Operator.Type)? { types[name] }

  /// All operators, sorted by name.
  public var all: [any Operator.Type] { types.keys.sorted().compactMap { types[$0] } }

  /// How a node of this name is read in a model that declares this opset; nil where it is unknown there.
  public func rule(domain: String, opType: String, opset: Int) -> OnnxRule? {
    rules[Self.key(domain, opType)]?.first { $0.since <= opset }
  }

  /// Whether any opset has a node of this name.
  public func knows(domain: String, opType: String) -> Bool { rules[Self.key(domain, opType)] != nil }

  private static func key(_ domain: String, _ opType: String) -> String {
    (domain == "ai.onnx" || domain.isEmpty ? "" : domain + "::") + opType
  }
}
