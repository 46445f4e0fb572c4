import SinterCore
import SinterForms
import SinterIR
import SinterLLVM
import SinterModel

/// What runs a graph when results are compared.
package enum GraphEngine: Sendable {
  /// What the graph means: its loop forms, one by one. Slow.
  case interpreted
  /// What fusion makes of these, one by one.
  case fused
  /// A library for a processor that this machine can stand in for.
  case compiled(Target)

  package var name: String {
    switch self {
    case .interpreted: "interpreted"
    case .fused: "fused"
    case .compiled(let target): "compiled for \(target.name)"
    }
  }

  /// The outputs of a graph as it is, without passes.
  ///
  /// - Parameter inputs: a tensor per port.
  package func run(_ graph: Graph, _ inputs: [HostTensor]) throws -> [HostTensor] {
    switch self {
    case .interpreted: return try GraphEvaluator.run(graph, inputs)
    case .fused:
      var compiler = Compiler()
      return try FormInterpreter(try compiler.fuse(compiler.lower(graph))).run(inputs)
    case .compiled(let target):
      var compiler = Compiler(for: target)
      var plain = graph
      // Ports are tensors here, one by one, and nothing is kept from run to run.
      (plain.inputStructures, plain.outputStructures, plain.states) = ([], [], [])
      let program = try compiler.schedule(compiler.fuse(compiler.lower(plain)))
      var options = LibraryOptions()
      options.writesHeaders = false
      return try TemporaryLibrary.with { path in
        _ = try compiler.backEnd.emit(program, to: path, options: options)
        return try CompiledLibrary(path).session(threads: 1).run(inputs)
      }
    }
  }
}

extension Graph {
  /// The graph with other values as outputs.
  package func giving(_ values: [ValueID]) -> Graph {
    var graph = self
    graph.outputs = values.enumerated().map { Port(name: "value \($0)", value: $1) }
    (graph.outputStructures, graph.states) = ([], [])
    graph.removeDeadNodes()
    return graph
  }

  /// Results of nodes that have a name and are tensors, in order.
  package var namedResults: [(name: String, value: ValueID)] {
    order.flatMap { id in
      nodes[id].outputs.compactMap { output in
        let value = values[output]
        return value.name.isEmpty || value.type.tensor == nil ? nil : (value.name, output)
      }
    }
  }
}
