import SinterCore
import SinterIR
import SinterOps

extension GraphBuilder {
  /// Adds the nodes that compute the gradients of a value with respect to others, by reverse-mode differentiation.
  ///
  /// What is added are ordinary nodes, so gradients can be differentiated again. Composite operators without a rule of their own are
  /// replaced by their expansions, whose results keep their names. Graphs inside of `Scan` and `Loop` get results more: what their backward
  /// pass needs of each iteration. A library of the graph flushes subnormal numbers to zero (`Graph.flushesSubnormals`).
  ///
  /// - Parameters:
  ///   - target: what is differentiated; a float.
  ///   - seed: the gradient of what is computed from the target, of its shape; ones where nil, which for a value of one element gives the
  ///     plain gradient, and for others that of their sum.
  /// - Returns: for each of `values` its gradient, of its shape; zeros where the target does not depend on it.
  /// - Throws: all operators that have no gradient, each with its node.
  public mutating func gradients(
    of target: ValueID, withRespectTo values: [ValueID], seed: ValueID? = nil
  ) throws -> [ValueID] {
    var nothing = RecomputedSegments()
    return try gradients(of: target, withRespectTo: values, seed: seed, recomputing: &nothing)
  }

  /// The same, where what some nodes compute is computed again by the backward pass.
  ///
  /// - Parameter segments: these nodes; those that come of their expansions are added.
  package mutating func gradients(
    of target: ValueID, withRespectTo values: [ValueID], seed: ValueID? = nil,
    recomputing segments: inout RecomputedSegments
  ) throws -> [ValueID] {
    let type = try type(target)
    guard type.element.isFloat else {
      throw DiagnosticError(.user, "gradient.type", "only floats have gradients, but what is differentiated is \(type)")
    }
    for value in values {
      let type = try self.type(value)
      guard type.element.isFloat else {
        throw DiagnosticError(
          .user, "gradient.type",
          "only floats have gradients, but one with respect to \(value) is asked for, which is \(type)")
      }
    }
    setFlushesSubnormals()
    let path = try expandedPath(from: values, to: [target], recomputing: &segments)
    let tape = GradientTape(self)
    defer { self = tape.builder }
    let start = GradientTensor(target, tape)
    let given: GradientTensor
    if let seed {
      given = GradientTensor(seed, tape)
      guard try given.element == start.element, try given.rank == start.rank else {
        throw DiagnosticError(
          .user, "gradient.seed", "the seed must be of the type \(try start.type), but is \(try given.type)")
      }
    } else {
      given = try start.number(1).expanded(like: start)
    }
    var reverse = ReverseMode(tape: tape, path: path)
    reverse.recomputation = Recomputation(segments, keeping: values, path: path)
    let gradients = try reverse.run([(target, given)], values)
    return try zip(values, gradients).map { try ($1 ?? GradientTensor($0, tape).zeros()).id }
  }
}
