import SinterCore

/// An attribute of an operator as a value: what text forms, comparison and hashing work on.
public enum AttributeValue: Sendable {
  case int(Int)
  case float(Double)
  case bool(Bool)
  case string(String)
  case ints([Int])
  case floats([Double])
  case strings([String])
  case element(ElementType)
  case dims([Dim])
  case tensor(HostTensor)
  case choice(String)
}

extension AttributeValue: Hashable {
  /// Numbers and texts are equal when their bits are, so that NaN equals itself; tensors are equal when their contents are.
  public static func == (a: AttributeValue, b: AttributeValue) -> Bool {
    switch (a, b) {
    case (.int(let x), .int(let y)): x == y
    case (.float(let x), .float(let y)): x.bitPattern == y.bitPattern
    case (.bool(let x), .bool(let y)): x == y
    case (.string(let x), .string(let y)), (.choice(let x), .choice(let y)): x.hasSameBytes(as: y)
    case (.ints(let x), .ints(let y)): x == y
    case (.floats(let x), .floats(let y)): x.map(\.bitPattern) == y.map(\.bitPattern)
    case (.strings(let x), .strings(let y)): x.elementsEqual(y) { $0.hasSameBytes(as: $1) }
    case (.element(let x), .element(let y)): x == y
    case (.dims(let x), .dims(let y)): x == y
    case (.tensor(let x), .tensor(let y)): x.hasSameContents(as: y)
    case (.int, _), (.float, _), (.bool, _), (.string, _), (.ints, _), (.floats, _), (.strings, _), (.element, _),
      (.dims, _), (.tensor, _), (.choice, _):
      false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .int(let value): hasher.combine(value)
    case .float(let value): hasher.combine(value.bitPattern)
    case .bool(let value): hasher.combine(value)
    case .string(let value), .choice(let value): hasher.combine(value)
    case .ints(let values): hasher.combine(values)
    case .floats(let values): hasher.combine(values.map(\.bitPattern))
    case .strings(let values): hasher.combine(values)
    case .element(let value): hasher.combine(value)
    case .dims(let values): hasher.combine(values)
    case .tensor(let value):
      hasher.combine(value.element)
      hasher.combine(value.shape)
    }
  }
}

extension HostTensor {
  /// The hash as text forms name a constant by it: sixteen hexadecimal digits.
  public var hashName: String { TensorText.hex(contentHash, digits: 16) }
}

/// Takes down the attributes of an operator that are not at their default.
struct AttributeCollector: AttributeList {
  var values: [(name: String, value: AttributeValue)] = []

  mutating func int(_ name: String, _ value: inout Int, default: Int) {
    if value != `default` { values.append((name, .int(value))) }
  }
  mutating func float(_ name: String, _ value: inout Double, default: Double) {
    if value.bitPattern != `default`.bitPattern { values.append((name, .float(value))) }
  }
  mutating func bool(_ name: String, _ value: inout Bool, default: Bool) {
    if value != `default` { values.append((name, .bool(value))) }
  }
  mutating func string(_ name: String, _ value: inout String, default: String) {
    if value != `default` { values.append((name, .string(value))) }
  }
  mutating func ints(_ name: String, _ value: inout [Int], default: [Int]) {
    if value != `default` { values.append((name, .ints(value))) }
  }
  mutating func floats(_ name: String, _ value: inout [Double], default: [Double]) {
    if value != `default` { values.append((name, .floats(value))) }
  }
  mutating func strings(_ name: String, _ value: inout [String], default: [String]) {
    if value != `default` { values.append((name, .strings(value))) }
  }
  mutating func elementType(_ name: String, _ value: inout ElementType) { values.append((name, .element(value))) }
  mutating func dims(_ name: String, _ value: inout [Dim]) { values.append((name, .dims(value))) }
  mutating func tensor(_ name: String, _ value: inout HostTensor?) {
    if let value { values.append((name, .tensor(value))) }
  }
  mutating func optionalInt(_ name: String, _ value: inout Int?) {
    if let value { values.append((name, .int(value))) }
  }
  mutating func optionalFloat(_ name: String, _ value: inout Double?) {
    if let value { values.append((name, .float(value))) }
  }
  mutating func optionalInts(_ name: String, _ value: inout [Int]?) {
    if let value { values.append((name, .ints(value))) }
  }
  mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ name: String, _ value: inout Choice, default: Choice
  ) {
    if value.rawValue != `default`.rawValue { values.append((name, .choice(value.rawValue))) }
  }
}

/// Sets the attributes of an operator from values by name; those without a value get their default.
struct AttributeSetter: AttributeList {
  private var values: [String: AttributeValue]
  private(set) var problems: [String] = []

  init(_ values: [String: AttributeValue]) { self.values = values }

  /// Names that the operator did not ask for.
  var leftOver: [String] { values.keys.sorted() }

  private mutating func take(_ name: String) -> AttributeValue? { values.removeValue(forKey: name) }

  private mutating func wrong(_ name: String, _ expected: String) {
    problems.append("attribute \(name) must be \(expected)")
  }

  mutating func int(_ name: String, _ value: inout Int, default: Int) {
    switch take(name) {
    case .int(let given)?: value = given
    case nil: value = `default`
    case .some: wrong(name, "an integer")
    }
  }
  mutating func float(_ name: String, _ value: inout Double, default: Double) {
    switch take(name) {
    case .float(let given)?: value = given
    case .int(let given)?: value = Double(given)
    case nil: value = `default`
    case .some: wrong(name, "a number")
    }
  }
  mutating func bool(_ name: String, _ value: inout Bool, default: Bool) {
    switch take(name) {
    case .bool(let given)?: value = given
    case nil: value = `default`
    case .some: wrong(name, "true or false")
    }
  }
  mutating func string(_ name: String, _ value: inout String, default: String) {
    switch take(name) {
    case .string(let given)?: value = given
    case nil: value = `default`
    case .some: wrong(name, "a text")
    }
  }
  mutating func ints(_ name: String, _ value: inout [Int], default: [Int]) {
    switch take(name) {
    case .ints(let given)?: value = given
    case .floats(let given)? where given.isEmpty: value = []
    case nil: value = `default`
    case .some: wrong(name, "a list of integers")
    }
  }
  mutating func floats(_ name: String, _ value: inout [Double], default: [Double]) {
    switch take(name) {
    case .floats(let given)?: value = given
    case .ints(let given)?: value = given.map { Double($0) }
    case nil: value = `default`
    case .some: wrong(name, "a list of numbers")
    }
  }
  mutating func strings(_ name: String, _ value: inout [String], default: [String]) {
    switch take(name) {
    case .strings(let given)?: value = given
    case .ints(let given)? where given.isEmpty: value = []
    case nil: value = `default`
    case .some: wrong(name, "a list of texts")
    }
  }
  mutating func elementType(_ name: String, _ value: inout ElementType) {
    switch take(name) {
    case .element(let given)?: value = given
    case nil: break
    case .some: wrong(name, "an element type")
    }
  }
  mutating func dims(_ name: String, _ value: inout [Dim]) {
    switch take(name) {
    case .dims(let given)?: value = given
    case .ints(let given)?: value = given.map { Dim($0) }
    case nil: break
    case .some: wrong(name, "a list of sizes")
    }
  }
  mutating func tensor(_ name: String, _ value: inout HostTensor?) {
    switch take(name) {
    case .tensor(let given)?: value = given
    case nil: value = nil
    case .some: wrong(name, "a tensor")
    }
  }
  mutating func optionalInt(_ name: String, _ value: inout Int?) {
    switch take(name) {
    case .int(let given)?: value = given
    case nil: value = nil
    case .some: wrong(name, "an integer")
    }
  }
  mutating func optionalFloat(_ name: String, _ value: inout Double?) {
    switch take(name) {
    case .float(let given)?: value = given
    case .int(let given)?: value = Double(given)
    case nil: value = nil
    case .some: wrong(name, "a number")
    }
  }
  mutating func optionalInts(_ name: String, _ value: inout [Int]?) {
    switch take(name) {
    case .ints(let given)?: value = given
    case nil: value = nil
    case .some: wrong(name, "a list of integers")
    }
  }
  mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ name: String, _ value: inout Choice, default: Choice
  ) {
    switch take(name) {
    case .choice(let given)?, .string(let given)?:
      if let known = Choice(rawValue: given) {
        value = known
      } else {
        wrong(name, "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", ") + ", but is \(given)")
      }
    case nil: value = `default`
    case .some: wrong(name, "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", "))
    }
  }
}

extension Operator {
  /// The attributes that are not at their default, in the operator's order.
  public var attributeValues: [(name: String, value: AttributeValue)] {
    var copy = self
    var collector = AttributeCollector()
    copy.attributes(&collector)
    return collector.values
  }

  /// The operator with attributes given by name. Throws for names it does not have and for values of the wrong kind.
  public init(attributeValues: [String: AttributeValue]) throws {
    self.init()
    var setter = AttributeSetter(attributeValues)
    attributes(&setter)
    var problems = setter.problems
    for name in setter.leftOver { problems.append("there is no attribute \(name)") }
    if !problems.isEmpty {
      throw DiagnosticError(problems.map { Diagnostic(.user, "operator.attribute", "\(Self.name): \($0)") })
    }
  }

  /// The same operator with the same attributes.
  public func isEqual(to other: any Operator) -> Bool {
    guard Swift.type(of: other) == Self.self else { return false }
    let mine = attributeValues
    let theirs = other.attributeValues
    return mine.count == theirs.count && zip(mine, theirs).allSatisfy { $0.name == $1.name && $0.value == $1.value }
  }
}
