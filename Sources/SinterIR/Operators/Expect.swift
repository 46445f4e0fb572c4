import SinterCore
import SinterForms

/// A value, on condition that a truth value is what it is expected to be; otherwise the run ends with an error.
///
/// It stands where one branch of a condition cannot be built, such as one that hands an operator too many axes: the model works only as long
/// as the other one is taken. Inputs: the truth value, the value.
public struct Expect: Primitive {
  public static let name = "Expect"
  public static let summary = "A value, on condition that a truth value is as expected."

  /// What the truth value must be.
  public var expected = true
  /// What is told otherwise.
  public var reason = ""

  public init() {}
  /// Ends the run with the reason where the truth value is another.
  public init(_ expected: Bool, reason: String) {
    self.expected = expected
    self.reason = reason
  }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("expected", &expected, default: true)
    list.string("reason", &reason, default: "")
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification("Identity", inputs: [.operand(1)])
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let condition = try inputs.tensor(0)
    guard condition.element == .bool else {
      throw DiagnosticError(.user, "operator.type", "input 0 must be a truth value, but is \(condition)")
    }
    try obligations.equal(condition.count, 1, "elements of the condition \(condition) and their number")
    guard inputs.count > 1, let fact = inputs.facts[1] else {
      throw DiagnosticError(.user, "operator.input", "input 1 is missing", hint: "connect it")
    }
    return [fact]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (condition, value) = (try node.input(0), try node.input(1))
    let isExpected = expected
    // A size that would be negative ends a run.
    let outcome = try lowering.element([]) { builder, _ in
      let given = builder.load(condition.id, condition.shape.map { _ in builder.constant(0, .i64) })
      let (yes, no) = (builder.constant(0, .i64), builder.constant(-1, .i64))
      return isExpected ? builder.select(given, yes, no) : builder.select(given, no, yes)
    }
    let check = lowering.freshSize()
    lowering.define(check, as: outcome, failing: reason.isEmpty ? "a condition is not as expected" : reason)
    return [value]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        Expect(true, reason: "no"),
        [.given(HostTensor(.bool, [], values: [true])), .random(TensorType(.f32, ["n", 2]), -1...1)],
        sizes: [Symbol("n"): 3])
    ]
  }
}
