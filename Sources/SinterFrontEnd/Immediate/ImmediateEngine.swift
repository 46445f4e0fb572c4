import SinterIR

/// What computes tensors with numbers, where a module of the program brings it.
///
/// This module may not import the compiler, so that programs that only define and trace networks are built without LLVM. A module that has one conforms
/// `ImmediateRuns` to this protocol, and in every program with that module in it tensors are computed by compiled libraries.
package protocol ImmediateEngine {
  /// The outputs of a graph, all of whose inputs are given, in order.
  static func run(_ graph: Graph, _ inputs: [HostTensor]) throws -> [HostTensor]
}

/// Runs of the graphs that stand behind tensors with numbers.
package enum ImmediateRuns {
  /// The outputs of a graph: by the engine of this program, or where it has none by the interpreter, which is exact and slow.
  static func outputs(of graph: Graph, _ inputs: [HostTensor]) throws -> [HostTensor] {
    if let engine { return try engine.run(graph, inputs) }
    return try GraphEvaluator.run(graph, inputs)
  }

  /// Looked for among all conformances that the program has.
  private static var engine: (any ImmediateEngine.Type)? {
    (ImmediateRuns.self as Any.Type) as? any ImmediateEngine.Type
  }
}
