import SinterCore
import SinterForms
import SinterIR

/// An operator that runs graphs of its own. What a graph captures from around it comes as its last inputs, and as the last inputs of
/// the node, graph after graph.
public protocol ControlFlow: Operator {}

extension NodeInputs {
  /// The graph of this number, which must be there.
  func body(_ index: Int, _ name: String) throws -> Graph {
    guard index < bodies.count else {
      throw DiagnosticError(.user, "control.body", "the graph \(name) is missing")
    }
    return bodies[index]
  }
}

extension OnnxNode {
  /// A graph among the attributes, which must be there.
  func body(_ name: String) throws -> OnnxBody {
    guard let body = bodies[name] else {
      throw DiagnosticError(.user, "control.body", "attribute \(name) must be a graph, but is missing")
    }
    return body
  }
}

extension Graph {
  /// The facts of the outputs, without their elements: those may change from iteration to iteration.
  var outputTypes: [Fact] { outputs.map { Fact(values[$0.value].fact.type) } }

  /// The type of an output.
  func tensorOutput(_ index: Int) throws -> TensorType {
    guard let type = values[outputs[index].value].fact.type.tensor else {
      throw DiagnosticError(
        .limit, "control.type",
        "graphs of control flow pass tensors, but \(name) gives \(values[outputs[index].value].fact.type)")
    }
    return type
  }
}

extension GraphBuilder {
  /// The body of a loop, built for the forms of what it carries. Sizes that an iteration leaves otherwise than it finds them become symbols, which
  /// every iteration knows anew.
  ///
  /// - Parameters:
  ///   - before: the facts of the body's inputs before those that carry values.
  ///   - results: the place of the first carried value among the body's results.
  mutating func bodyCarrying(
    _ carried: [ValueForm], of body: OnnxBody, before: [Fact], results: Int
  ) throws -> Graph {
    var forms = carried
    var hasOpened = false
    let captures = body.captures.map { fact($0) }
    while true {
      let built: OnnxBody.Built
      do {
        built = try body.buildValues(before.map { .tensor($0) } + forms.map { $0.map { Fact(.tensor($0)) } }, captures)
      } catch {
        // A sequence that is too short at first need not be so where the body takes from it.
        let open = forms.map { $0.opened { freshSize() } }
        guard open != forms, !hasOpened else { throw error }
        (forms, hasOpened) = (open, true)
        continue
      }
      if let index = built.results.dropFirst(results + carried.count).firstIndex(where: { $0.tensor == nil }) {
        throw DiagnosticError(
          .user, "control.kind",
          "result \(index) of the graph is collected from iteration to iteration, so it must be a tensor, but is \(built.results[index].kindName)",
          hint: "carry the sequence and insert into it")
      }
      let wanted = built.results.indices.map { index in
        index >= results && index < results + forms.count ? forms[index - results] : nil
      }
      let graph = try built.giving(wanted, "result").graph
      var types = forms.flatMap(\.leaves)
      var isSettled = true
      for index in types.indices where results + index < graph.outputs.count {
        guard let now = graph.type(of: graph.inputs[before.count + index].value).tensor else { continue }
        let next = try graph.tensorOutput(results + index)
        guard next.element == now.element, next.rank == now.rank else { continue }
        for axis in next.shape.indices
        where next.shape[axis] != now.shape[axis] && !types[index].shape[axis].variesByIteration {
          types[index].shape[axis] = freshSize()
          isSettled = false
        }
      }
      if isSettled { return graph }
      var place = 0
      forms = forms.map { $0.taking(types, at: &place) }
    }
  }

  /// Adds the nodes of a graph, its inputs being values of this one; gives its outputs.
  package mutating func splice(_ given: Graph, _ inputs: [ValueID]) throws -> [ValueID] {
    // The same body may be added several times, and each time its sizes from data are others.
    let graph = try given.numberingOwnSizes(from: self.graph.nextDataNumber)
    var map = Dictionary(zip(graph.inputs.map(\.value), inputs), uniquingKeysWith: { first, _ in first })
    func missing(_ value: ValueID) -> DiagnosticError {
      DiagnosticError(.bug, "control.splice", "\(value) of graph \(graph.name) has no definition")
    }
    func value(_ id: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
      if let known = map[id] { return known }
      guard let tensor = graph.constant(id) else { throw missing(id) }
      let copy = builder.constant(tensor, named: graph.values[id].name)
      map[id] = copy
      return copy
    }
    let outer = origin
    defer {
      origin = outer
      declared = []
    }
    for id in graph.order {
      let node = graph.nodes[id]
      origin = node.origin.isEmpty ? outer : node.origin
      declared = node.outputs.map { graph.values[$0].fact }
      let operands = try node.inputs.map { input in try input.map { try value($0, &self) } }
      let results = try add(node.op, operands, outputs: node.outputs.count, bodies: node.bodies)
      for (old, new) in zip(node.outputs, results) { map[old] = new }
    }
    return try graph.outputs.map { try value($0.value, &self) }
  }
}

extension Lowering {
  /// A value of its own with the same elements.
  mutating func copied(_ operand: Operand) throws -> Operand {
    try element(operand.shape) { builder, index in builder.load(operand.id, index) }
  }

  /// A scalar condition's value in a body.
  static func condition(_ builder: BodyBuilder, _ operand: Operand) -> Expr {
    builder.load(operand.id, operand.shape.map { _ in builder.constant(0, .i64) })
  }
}

extension Dim {
  /// Whether this is a size that every iteration of a loop knows anew.
  package var variesByIteration: Bool { symbol?.name.hasSuffix(".iteration") ?? false }
}

/// What a loop carries, and how its sizes change.
struct CarriedSizes {
  /// The body with names of its own for sizes that change.
  var body: Graph
  var changes = RepetitionChanges()
  /// Of carried values as an iteration sees them.
  var types: [TensorType]

  /// - Parameters:
  ///   - inputs, results: the places of the first carried value among the body's inputs and results.
  ///   - finals: the types of the values behind the last iteration.
  init(
    _ body: Graph, initial: [Operand], inputs: Int, results: Int, finals: [TensorType], into lowering: inout Lowering
  ) throws {
    var names: [Symbol: Symbol] = [:]
    for index in initial.indices {
      for size in body.type(of: body.inputs[inputs + index].value).tensor?.shape ?? [] where size.variesByIteration {
        if let symbol = size.symbol, names[symbol] == nil { names[symbol] = lowering.freshSize() }
      }
    }
    self.body = try body.renaming(names)
    types = []
    for index in initial.indices {
      guard var type = self.body.type(of: self.body.inputs[inputs + index].value).tensor else {
        throw DiagnosticError(.bug, "control.carried", "carried value \(index) is no tensor")
      }
      for axis in type.shape.indices {
        guard let symbol = type.shape[axis].symbol, names.values.contains(symbol) else {
          // Sizes that stay are called what they are called outside.
          type.shape[axis] = initial[index].shape[axis]
          continue
        }
        let final = finals[index].shape[axis].symbol ?? lowering.freshSize()
        changes.sizes.append(
          .init(
            current: symbol, final: final, initial: initial[index].shape[axis],
            next: try self.body.tensorOutput(results + index).shape[axis]))
      }
      types.append(type)
    }
  }

  /// Takes up what an iteration leaves: sizes that the lowered body has named otherwise.
  mutating func note(_ next: [Operand], _ changes: inout RepetitionChanges) {
    for (index, type) in types.enumerated() {
      for (axis, size) in type.shape.enumerated() {
        if let place = changes.sizes.firstIndex(where: { Dim($0.current) == size }) {
          changes.sizes[place].next = next[index].shape[axis]
        }
      }
    }
  }
}
