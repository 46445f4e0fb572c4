import SinterCore
import SinterIR

/// An operator that knows its gradient.
///
/// An operator without a rule of its own that is `Composite` is differentiated through its expansion. A user's operator that conforms
/// brings its own rule; it is then taken instead of what its expansion would give.
public protocol Differentiable: Operator {
  /// The gradients of the inputs, one per input and of its shape; nil where none flows.
  ///
  /// A rule builds with the operators that there are, so that what it makes can be differentiated again. It is asked only where some result
  /// has a gradient, and need not compute what `node.wants` says no to.
  func gradients(_ node: GradientNode) throws -> [GradientTensor?]
}

/// An operator whose results are floats that small changes of its inputs do not change: its gradients are zero.
///
/// Operators whose results are integers or truth values need no such mark: nothing flows through those.
public protocol PiecewiseConstant: Differentiable {}

extension PiecewiseConstant {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] { node.inputs.map { _ in nil } }
}

/// A node of the forward graph as its rule sees it.
public struct GradientNode {
  /// What the node reads; nil where an optional input is absent.
  public let inputs: [GradientTensor?]
  /// What the node computed, which a rule may use again instead of computing it anew.
  public let outputs: [GradientTensor]
  /// Of the results; nil where nothing depends on one. At least one is there.
  public let outputGradients: [GradientTensor?]
  /// What the operator's `infer` sees: constants, contents, bodies.
  public let facts: NodeInputs
  /// Where nodes are added.
  public let tape: GradientTape
  private let wanted: [Bool]

  package init(
    inputs: [GradientTensor?], outputs: [GradientTensor], outputGradients: [GradientTensor?], facts: NodeInputs,
    tape: GradientTape, wanted: [Bool]
  ) {
    self.inputs = inputs
    self.outputs = outputs
    self.outputGradients = outputGradients
    self.facts = facts
    self.tape = tape
    self.wanted = wanted
  }

  /// Whether the gradient of an input is asked for.
  public func wants(_ index: Int) -> Bool { index < wanted.count && wanted[index] }

  /// Whether an input is there. Optional ones may be absent.
  public func has(_ index: Int) -> Bool { index < inputs.count && inputs[index] != nil }

  /// An input that must be there.
  public func input(_ index: Int) throws -> GradientTensor {
    guard index < inputs.count, let input = inputs[index] else {
      throw DiagnosticError(.user, "operator.input", "input \(index) is missing", hint: "connect it")
    }
    return input
  }

  /// The first result.
  public var output: GradientTensor { outputs[0] }

  /// The gradient of the first result; zeros where only others have one.
  public func gradient() throws -> GradientTensor { try gradient(of: 0) }

  /// The gradient of a result, zeros where it has none.
  public func gradient(of result: Int) throws -> GradientTensor {
    if result < outputGradients.count, let gradient = outputGradients[result] { return gradient }
    guard result < outputs.count else {
      throw DiagnosticError(.bug, "gradient.result", "there is no result \(result)")
    }
    return try outputs[result].zeros()
  }

  /// The elements of a small integer input as numbers, which a rule needs ahead of time.
  func integers(_ index: Int, _ name: String) throws -> [Int] {
    if let numbers = facts.integers(index) { return numbers }
    throw DiagnosticError(
      .limit, "gradient.dynamic", "\(name) (input \(index)) must be known ahead of time to be differentiated")
  }
}

/// The graph to which gradients are added.
public final class GradientTape {
  /// The graph with all that was added so far.
  public var builder: GraphBuilder

  package init(_ builder: GraphBuilder) { self.builder = builder }

  /// Adds a node and gives its results.
  public func add(_ op: some Operator, _ inputs: [GradientTensor?], outputs: Int = 1) throws -> [GradientTensor] {
    try builder.add(op, inputs.map { $0?.id }, outputs: outputs).map { GradientTensor($0, self) }
  }

  /// A constant of the graph with these elements.
  public func constant(_ tensor: HostTensor) -> GradientTensor { GradientTensor(builder.constant(tensor), self) }
}
