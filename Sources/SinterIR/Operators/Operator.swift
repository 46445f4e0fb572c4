import SinterCore
import SinterForms

/// An operation of a graph. Its stored properties are its attributes.
///
/// One operator, or one family of nearly equal ones, lives in one file with everything that is particular to it; a line in a table of
/// operators makes it known. An operator is `Primitive` (it lowers to loop forms), `Composite` (it expands to other operators), or both,
/// where its own lowering is faster than what its expansion gives; a generic test then holds one against the other.
public protocol Operator: Sendable {
  /// The name in text forms. ONNX's name where ONNX has such an operator.
  static var name: String { get }

  /// One sentence for the operator table in the documentation.
  static var summary: String { get }

  /// The operator with default attributes.
  init()

  /// Lists the attributes once, for reading and for writing: text, ONNX, labels, equality and hashing follow from it.
  mutating func attributes(_ list: inout some AttributeList)

  /// The facts of the results, and what they rely on: relations between sizes that cannot be decided ahead of time are stated as
  /// obligations, which a compiled library checks. Throws `DiagnosticError` for inputs that do not fit, telling the expected and the given
  /// value; the caller adds the node.
  func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact]

  /// The inputs whose elements say sizes: where shapes and constants do not determine them, a `ReadSizes` makes symbols of them before
  /// inference is asked.
  func sizeInputs(_ inputs: NodeInputs) -> [SizeInput]

  /// How ONNX nodes become this operator, with every opset version that differs.
  static var onnx: [OnnxRule] { get }

  /// This operator as an ONNX node; nil where ONNX has no such operator and the expansion is exported instead.
  func onnxNode(_ inputs: NodeInputs) -> NodeSpecification?

  /// Whether equal inputs always give equal results. Operators that draw random numbers afresh say no: they are neither merged nor computed
  /// ahead of time.
  var isDeterministic: Bool { get }

  /// Small cases that the generic tests run: inferred type = computed type, text and ONNX round trips, compiled = interpreted.
  static var examples: [OperatorExample] { get }
}

/// An operator that lowers to loop forms.
public protocol Primitive: Operator {
  /// Adds forms that compute the results. `node.outputs` holds the inferred facts.
  func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand]
}

/// An operator whose meaning is told in terms of others.
public protocol Composite: Operator {
  /// Adds the operators that compute the results. An absent input is nil.
  func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID]
}

extension Operator {
  public mutating func attributes(_ list: inout some AttributeList) {}
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [] }
  public static var onnx: [OnnxRule] { [] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { nil }
  public var isDeterministic: Bool { true }
}

/// Marks operators whose one result holds, at each place, a function of the inputs' elements at that place, broadcast as NumPy does. Layout
/// passes move axes through them.
public protocol Elementwise: Operator {}

extension Composite {
  /// The types that the expansion has.
  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let graph = try expansion(inputs, ranges: obligations.ranges).graph
    let known = Set(inputs.facts.flatMap { $0?.dataSymbols ?? [] })
    func isKnown(_ symbol: Symbol) -> Bool { !symbol.isFromData || known.contains(symbol) }
    // What speaks of sizes that only the inside knows is checked there.
    try obligations.require(graph.obligations.filter { $0.symbols.allSatisfy(isKnown) })
    return graph.outputs.enumerated().map { result, port in
      var fact = graph.values[port.value].fact
      if fact.dataSymbols.isSubset(of: known) { return fact }
      fact.contents = nil
      if case .tensor(var type) = fact.type {
        for axis in type.shape.indices where !type.shape[axis].symbols.allSatisfy(isKnown) {
          type.shape[axis] = inputs.freshSize(result: result, axis: axis)
        }
        fact.type = .tensor(type)
      }
      return fact
    }
  }
}

/// The inputs of one node, as `infer`, `expand` and export see them.
public struct NodeInputs: Sendable {
  /// Nil where an optional input is absent. Trailing absent inputs may be missing.
  public var ids: [ValueID?]
  /// What is known of each input; nil where an optional one is absent.
  public var facts: [Fact?]
  /// The contents of inputs that are constants; nil for others.
  public var constants: [HostTensor?]
  /// The number of results that the node has (or is asked for).
  public var outputCount: Int
  /// Closed subgraphs of control flow.
  public var bodies: [Graph] = []
  /// What the results are declared to be, where a file or an earlier inference says so. Operators whose result's sizes depend on the elements
  /// of an input take them from here when those elements are not known ahead of time.
  public var declared: [Fact?] = []
  /// A number that no size from data of the graph has in its name yet.
  public var freshNumber = 0

  /// The inputs of a node; the three lists are of the same length.
  public init(ids: [ValueID?], facts: [Fact?], constants: [HostTensor?], outputCount: Int, freshNumber: Int = 0) {
    self.ids = ids
    self.facts = facts
    self.constants = constants
    self.outputCount = outputCount
    self.freshNumber = freshNumber
  }

  /// The number of inputs, absent ones in between among them.
  public var count: Int { facts.count }

  /// A size of a result that only data determine. A node that has one already keeps it.
  public func freshSize(result: Int, axis: Int) -> Dim {
    if result < declared.count, let shape = declared[result]?.type.tensor?.shape, axis < shape.count,
      let symbol = shape[axis].symbol, symbol.isFromData, !isKnown(symbol)
    {
      return shape[axis]
    }
    return Dim(Symbol("$n\(freshNumber).\(result).\(axis)"))
  }

  /// A size that an element of the first result tells, where the node computes such; the same again for a node that has them already.
  public func freshSize(_ place: Int) -> Dim {
    let known = Set((declared.first.flatMap { $0?.contents } ?? []).flatMap(\.symbols)).filter {
      $0.isFromData && !isKnown($0)
    }
    let number = known.first.flatMap { $0.dataNumber } ?? freshNumber
    return Dim(Symbol("$n\(number).e\(place)"))
  }

  /// Whether an input speaks of a size, so that this node does not define it.
  private func isKnown(_ symbol: Symbol) -> Bool { facts.contains { $0?.dataSymbols.contains(symbol) ?? false } }

  /// Whether an input is there.
  public func has(_ index: Int) -> Bool { index < facts.count && facts[index] != nil }

  /// An input's value, where it is there.
  public func id(_ index: Int) -> ValueID? { index < ids.count ? ids[index] : nil }

  /// An input's contents, where it is a constant.
  public func constant(_ index: Int) -> HostTensor? { index < constants.count ? constants[index] : nil }

  /// The tensor type of an input that must be there.
  public func tensor(_ index: Int) throws -> TensorType {
    guard index < facts.count, let fact = facts[index] else {
      throw DiagnosticError(.user, "operator.input", "input \(index) is missing", hint: "connect it")
    }
    guard let type = fact.type.tensor else {
      throw DiagnosticError(.user, "operator.input", "input \(index) must be a tensor, but is \(fact.type)")
    }
    return type
  }

  /// The value of an input that must be there.
  public func value(_ index: Int) throws -> ValueID {
    guard let id = id(index) else {
      throw DiagnosticError(.user, "operator.input", "input \(index) is missing", hint: "connect it")
    }
    return id
  }

  /// The elements of a small integer input (axes, pads, a shape) as sizes, where shapes and constants determine them.
  public func contents(_ index: Int) -> [Dim]? {
    guard index < facts.count, let fact = facts[index] else { return nil }
    return fact.contents ?? constant(index)?.integers?.map { Dim($0) }
  }

  /// The same as numbers.
  public func integers(_ index: Int) -> [Int]? {
    guard let contents = contents(index) else { return nil }
    let values = contents.compactMap(\.value)
    return values.count == contents.count ? values : nil
  }
}

/// A node during lowering.
public struct LoweringNode {
  /// The inputs; nil where an optional one is absent.
  public var inputs: [Operand?]
  /// What inference sees of the inputs.
  public var facts: NodeInputs
  /// What inference found of the results.
  public var outputs: [Fact]

  /// A node with its lowered inputs and what inference found.
  public init(inputs: [Operand?], facts: NodeInputs, outputs: [Fact]) {
    self.inputs = inputs
    self.facts = facts
    self.outputs = outputs
  }

  /// Whether an input is there.
  public func has(_ index: Int) -> Bool { index < inputs.count && inputs[index] != nil }

  /// An input that must be there.
  public func input(_ index: Int) throws -> Operand {
    guard index < inputs.count, let operand = inputs[index] else {
      throw DiagnosticError(.bug, "lower.input", "input \(index) is missing")
    }
    return operand
  }

  /// The type of a result.
  public func output(_ index: Int = 0) throws -> TensorType {
    guard index < outputs.count, let type = outputs[index].type.tensor else {
      throw DiagnosticError(.bug, "lower.output", "result \(index) is no tensor")
    }
    return type
  }
}

/// A case for the generic tests: an operator, and inputs made from a seed.
public struct OperatorExample: Sendable {
  /// An input of an example: given elements, random ones or none.
  public enum Input: Sendable {
    /// Uniform in a range; integers are rounded down.
    case random(TensorType, ClosedRange<Double>)
    /// Given, but not known ahead of time.
    case given(HostTensor)
    /// Known ahead of time.
    case constant(HostTensor)
    case absent
  }
  /// The operator with the attributes of the example.
  public var op: any Operator
  /// The inputs.
  public var inputs: [Input]
  /// The number of results that are asked for.
  public var outputCount: Int
  /// Values of the symbols in the inputs' types.
  public var sizes: [Symbol: Int]
  /// What compiled and interpreted results may differ by, relative to the largest magnitude.
  public var tolerance: Double

  /// An example, whose symbols get the values of `sizes`.
  public init(
    _ op: any Operator, _ inputs: [Input], outputs: Int = 1, sizes: [Symbol: Int] = [:], tolerance: Double = 1e-5
  ) {
    self.op = op
    self.inputs = inputs
    outputCount = outputs
    self.sizes = sizes
    self.tolerance = tolerance
  }
}

extension HostTensor {
  /// An integer or boolean tensor with the given elements, cut to the type's width; nil for other types.
  public init?(_ element: ElementType, _ shape: [Int], integers: [Int]) {
    switch element {
    case .i64: self.init(element, shape, values: integers.map { Int64($0) })
    case .i32: self.init(element, shape, values: integers.map { Int32(truncatingIfNeeded: $0) })
    case .i16: self.init(element, shape, values: integers.map { Int16(truncatingIfNeeded: $0) })
    case .i8: self.init(element, shape, values: integers.map { Int8(truncatingIfNeeded: $0) })
    case .u8: self.init(element, shape, values: integers.map { UInt8(truncatingIfNeeded: $0) })
    case .bool: self.init(element, shape, values: integers.map { UInt8($0 == 0 ? 0 : 1) })
    case .u16: self.init(element, shape, values: integers.map { UInt16(truncatingIfNeeded: $0) })
    case .u32: self.init(element, shape, values: integers.map { UInt32(truncatingIfNeeded: $0) })
    case .u64: self.init(element, shape, values: integers.map { UInt64(truncatingIfNeeded: $0) })
    case .f32, .f64, .f16, .bf16, .string, .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1,
      .i4, .u4, .i2, .u2:
      return nil
    }
  }

  /// The elements of an integer or boolean tensor as numbers; nil for other types.
  public var integers: [Int]? {
    switch element {
    case .i64: array(of: Int64.self).map { Int($0) }
    case .i32: array(of: Int32.self).map { Int($0) }
    case .i16: array(of: Int16.self).map { Int($0) }
    case .i8: array(of: Int8.self).map { Int($0) }
    case .u8, .bool: array(of: UInt8.self).map { Int($0) }
    case .u16: array(of: UInt16.self).map { Int($0) }
    case .u32: array(of: UInt32.self).map { Int($0) }
    case .u64: array(of: UInt64.self).map { Int(truncatingIfNeeded: $0) }
    case .f32, .f64, .f16, .bf16, .string, .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1,
      .i4, .u4, .i2, .u2:
      nil
    }
  }
}
