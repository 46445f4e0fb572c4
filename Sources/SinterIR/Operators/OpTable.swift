import SinterCore

/// The operators that a graph may use, by name. A value: users add their own with `adding`.
public struct OpTable: Sendable {
  private var types: [String: any Operator.Type] = [:]
  /// Import rules by domain and ONNX name, the newest version first.
  private var rules: [String: [OnnxRule]] = [:]
  /// How nodes are read that are no operator of their own, sorted by name.
  public private(set) var elaborated: [OnnxRule] = []
  /// The forms of nodes of ONNX's own domain by name, the newest version first.
  private var signatures: [String: [OnnxSignature]] = [:]
  /// Names that are known and not read, by domain and name.
  private var refusals: [String: OnnxRefusal] = [:]

  public init() {}

  /// - Parameters:
  ///   - rules: how nodes are read that are no operator of their own: those of sequences and optionals.
  ///   - signatures: the forms of nodes by name, `domain::` before it but for ONNX's own. Nodes of names that are not here may have any.
  ///   - refusals: why nodes are not read, likewise; `*` stands for all names of a domain.
  public init(
    _ types: [any Operator.Type], rules: [OnnxRule] = [], signatures: [String: [OnnxSignature]] = [:],
    refusals: [String: OnnxRefusal] = [:]
  ) {
    self.refusals = refusals
    for type in types { add(type) }
    for rule in rules { add(rule) }
    elaborated = rules.sorted { ($0.opType, $0.since) < ($1.opType, $1.since) }
    self.signatures = signatures.mapValues { versions in versions.sorted { $0.since > $1.since } }
  }

  /// Makes an operator known.
  public mutating func add(_ type: any Operator.Type) {
    types[type.name] = type
    for rule in type.onnx { add(rule) }
  }

  private mutating func add(_ rule: OnnxRule) {
    let key = Self.key(rule.domain, rule.opType)
    rules[key, default: []].append(rule)
    rules[key]?.sort { $0.since > $1.since }
  }

  /// The table with one more operator.
  public func adding(_ type: any Operator.Type) -> OpTable {
    var copy = self
    copy.add(type)
    return copy
  }

  /// With rules more for nodes that are no operator of their own.
  public func adding(_ rules: [OnnxRule]) -> OpTable {
    var copy = self
    for rule in rules { copy.add(rule) }
    copy.elaborated = (elaborated + rules).sorted { ($0.opType, $0.since) < ($1.opType, $1.since) }
    return copy
  }

  /// The operator of a name in text forms; nil where there is none.
  public subscript(name: String) -> (any Operator.Type)? { types[name] }

  /// All operators, sorted by name.
  public var all: [any Operator.Type] { types.keys.sorted().compactMap { types[$0] } }

  /// How a node of this name is read in a model that declares this opset; nil where it is unknown there.
  public func rule(domain: String, opType: String, opset: Int) -> OnnxRule? {
    rules[Self.key(domain, opType)]?.first { $0.since <= opset }
  }

  /// The form that nodes of this name have in a model that declares this opset, where it is known.
  public func signature(domain: String, opType: String, opset: Int) -> OnnxSignature? {
    signatures[Self.key(domain, opType)]?.first { $0.since <= opset }
  }

  /// Whether any opset has a node of this name.
  public func knows(domain: String, opType: String) -> Bool { rules[Self.key(domain, opType)] != nil }

  /// Why nodes of this name are not read, where that is known.
  public func refusal(domain: String, opType: String) -> OnnxRefusal? {
    refusals[Self.key(domain, opType)] ?? refusals[Self.key(domain, "*")]
  }

  private static func key(_ domain: String, _ opType: String) -> String {
    (domain == "ai.onnx" || domain.isEmpty ? "" : domain + "::") + opType
  }
}
