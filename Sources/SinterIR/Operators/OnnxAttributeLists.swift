import SinterCore

/// Sets an operator's attributes from those of an ONNX node, by name.
public struct OnnxAttributeReader: AttributeList {
  private let node: OnnxNode
  private var problems: [String] = []

  /// Reads the attributes of a node.
  public init(_ node: OnnxNode) { self.node = node }

  /// Throws where an attribute has the wrong type or an unknown choice.
  public func finish() throws {
    if problems.isEmpty { return }
    throw DiagnosticError(problems.map { Diagnostic(.user, "onnx.attribute", $0) })
  }

  private mutating func wrong(_ name: String, _ expected: String, _ given: OnnxAttribute) {
    problems.append("attribute \(name) must be \(expected), but is \(given)")
  }

  public mutating func int(_ name: String, _ value: inout Int, default: Int) {
    switch node.attributes[name] {
    case .int(let given): value = given
    case .some(let other): wrong(name, "an integer", other)
    case nil: value = `default`
    }
  }

  public mutating func float(_ name: String, _ value: inout Double, default: Double) {
    switch node.attributes[name] {
    case .float(let given): value = given
    case .int(let given): value = Double(given)
    case .some(let other): wrong(name, "a number", other)
    case nil: value = `default`
    }
  }

  public mutating func bool(_ name: String, _ value: inout Bool, default: Bool) {
    switch node.attributes[name] {
    case .int(let given): value = given != 0
    case .some(let other): wrong(name, "0 or 1", other)
    case nil: value = `default`
    }
  }

  public mutating func string(_ name: String, _ value: inout String, default: String) {
    switch node.attributes[name] {
    case .string(let given): value = given
    case .some(let other): wrong(name, "text", other)
    case nil: value = `default`
    }
  }

  public mutating func ints(_ name: String, _ value: inout [Int], default: [Int]) {
    switch node.attributes[name] {
    case .ints(let given): value = given
    case .floats(let given) where given.isEmpty: value = []
    case .some(let other): wrong(name, "a list of integers", other)
    case nil: value = `default`
    }
  }

  public mutating func floats(_ name: String, _ value: inout [Double], default: [Double]) {
    switch node.attributes[name] {
    case .floats(let given): value = given
    case .ints(let given): value = given.map { Double($0) }
    case .some(let other): wrong(name, "a list of numbers", other)
    case nil: value = `default`
    }
  }

  public mutating func strings(_ name: String, _ value: inout [String], default: [String]) {
    switch node.attributes[name] {
    case .strings(let given): value = given
    case .some(let other): wrong(name, "a list of texts", other)
    case nil: value = `default`
    }
  }

  public mutating func elementType(_ name: String, _ value: inout ElementType) {
    switch node.attributes[name] {
    case .elementType(let given): value = given
    case .int(let number):
      if let type = ElementType(onnx: number) { value = type } else { wrong(name, "an element type", .int(number)) }
    case .some(let other): wrong(name, "an element type", other)
    case nil: break
    }
  }

  public mutating func dims(_ name: String, _ value: inout [Dim]) {
    if case .ints(let given)? = node.attributes[name] { value = given.map { Dim($0) } }
  }

  public mutating func tensor(_ name: String, _ value: inout HostTensor?) {
    switch node.attributes[name] {
    case .tensor(let given): value = given
    case .some(let other): wrong(name, "a tensor", other)
    case nil: break
    }
  }

  public mutating func optionalInt(_ name: String, _ value: inout Int?) {
    guard node.attributes[name] != nil else { return }
    var given = 0
    int(name, &given, default: 0)
    value = given
  }

  public mutating func optionalFloat(_ name: String, _ value: inout Double?) {
    guard node.attributes[name] != nil else { return }
    var given = 0.0
    float(name, &given, default: 0)
    value = given
  }

  public mutating func optionalInts(_ name: String, _ value: inout [Int]?) {
    guard node.attributes[name] != nil else { return }
    var given: [Int] = []
    ints(name, &given, default: [])
    value = given
  }

  public mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ name: String, _ value: inout Choice, default: Choice
  ) {
    switch node.attributes[name] {
    case .string(let given):
      if let known = Choice(rawValue: given) {
        value = known
      } else {
        let all = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        problems.append("attribute \(name) must be one of \(all), but is \"\(given)\"")
      }
    case .some(let other): wrong(name, "text", other)
    case nil: value = `default`
    }
  }
}

/// Collects an operator's attributes for an ONNX node; those at their default are left out.
public struct OnnxAttributeWriter: AttributeList {
  public private(set) var attributes: [(name: String, value: OnnxAttribute)] = []

  public init() {}

  public mutating func int(_ name: String, _ value: inout Int, default: Int) {
    if value != `default` { attributes.append((name, .int(value))) }
  }
  public mutating func float(_ name: String, _ value: inout Double, default: Double) {
    if value != `default` { attributes.append((name, .float(value))) }
  }
  public mutating func bool(_ name: String, _ value: inout Bool, default: Bool) {
    if value != `default` { attributes.append((name, .int(value ? 1 : 0))) }
  }
  public mutating func string(_ name: String, _ value: inout String, default: String) {
    if value != `default` { attributes.append((name, .string(value))) }
  }
  public mutating func ints(_ name: String, _ value: inout [Int], default: [Int]) {
    if value != `default` { attributes.append((name, .ints(value))) }
  }
  public mutating func floats(_ name: String, _ value: inout [Double], default: [Double]) {
    if value != `default` { attributes.append((name, .floats(value))) }
  }
  public mutating func strings(_ name: String, _ value: inout [String], default: [String]) {
    if value != `default` { attributes.append((name, .strings(value))) }
  }
  public mutating func elementType(_ name: String, _ value: inout ElementType) {
    attributes.append((name, .elementType(value)))
  }
  public mutating func dims(_ name: String, _ value: inout [Dim]) {
    attributes.append((name, .ints(value.map { $0.value ?? -1 })))
  }
  public mutating func tensor(_ name: String, _ value: inout HostTensor?) {
    if let value { attributes.append((name, .tensor(value))) }
  }
  public mutating func optionalInt(_ name: String, _ value: inout Int?) {
    if let value { attributes.append((name, .int(value))) }
  }
  public mutating func optionalFloat(_ name: String, _ value: inout Double?) {
    if let value { attributes.append((name, .float(value))) }
  }
  public mutating func optionalInts(_ name: String, _ value: inout [Int]?) {
    if let value { attributes.append((name, .ints(value))) }
  }
  public mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ name: String, _ value: inout Choice, default: Choice
  ) {
    if value.rawValue != `default`.rawValue { attributes.append((name, .string(value.rawValue))) }
  }
}

extension ElementType {
  /// ONNX's number of this type (TensorProto.DataType).
  public var onnx: Int {
    switch self {
    case .f32: 1
    case .u8: 2
    case .i8: 3
    case .u16: 4
    case .i16: 5
    case .i32: 6
    case .i64: 7
    case .string: 8
    case .bool: 9
    case .f16: 10
    case .f64: 11
    case .u32: 12
    case .u64: 13
    case .c64: 14
    case .c128: 15
    case .bf16: 16
    case .f8e4m3fn: 17
    case .f8e4m3fnuz: 18
    case .f8e5m2: 19
    case .f8e5m2fnuz: 20
    case .u4: 21
    case .i4: 22
    case .f4e2m1: 23
    case .f8e8m0: 24
    case .u2: 25
    case .i2: 26
    }
  }

  /// The element type of ONNX's number (`TensorProto.DataType`); nil for numbers that stand for none.
  public init?(onnx number: Int) {
    guard let match = Self.allCases.first(where: { $0.onnx == number }) else { return nil }
    self = match
  }
}
