import Foundation
import SinterGradient
import SinterIR

/// What stands behind a tensor with numbers: the numbers, or how they are computed, once somebody asks for them.
///
/// What was asked for becomes a graph, of which the given tensors are inputs, and is compiled. Graphs that are equal but for the numbers are
/// compiled once. Values are immutable but for the numbers found and the gradient. Where the numbers are known and no gradient will go through them,
/// how they were computed is forgotten, so that a loop does not keep all of its steps.
package final class ImmediateValue {
  enum Source {
    case given(HostTensor)
    case computed(ImmediateOperation, result: Int)
    case mistake(DiagnosticError)
  }

  private(set) var source: Source
  let type: TensorType
  /// Whether its numbers are part of the graphs that use it, as those of shapes are.
  let isConstant: Bool
  let requiresGradient: Bool
  /// Whether a gradient may go through it: it, or something that it is computed from, asks for one.
  let hasGradient: Bool
  private(set) var computed: HostTensor? {
    didSet { if let computed, !hasGradient { source = .given(computed) } }
  }
  var gradient: HostTensor?

  init(_ source: Source, type: TensorType, isConstant: Bool = false, requiresGradient: Bool = false) {
    self.source = source
    self.type = type
    self.isConstant = isConstant
    self.requiresGradient = requiresGradient
    if case .computed(let operation, _) = source {
      hasGradient = requiresGradient || operation.hasGradient
    } else {
      hasGradient = requiresGradient
    }
  }

  /// The numbers, computed now where they are not known yet.
  func numbers() throws -> HostTensor {
    switch source {
    case .given(let host): return host
    case .mistake(let error): throw error
    case .computed:
      if let computed { return computed }
      var recorder = Recorder(stopsAtComputed: true)
      let value = try recorder.value(self)
      recorder.builder.output(value, named: "result")
      let result = try recorder.run()[0]
      computed = result
      return result
    }
  }

  /// What it is computed by, which it lets go of. For a value that nobody will ask again.
  fileprivate func forget() -> ImmediateOperation? {
    guard case .computed(let operation, _) = source else { return nil }
    source = .given(Self.nothing)
    return operation
  }

  private static var nothing: HostTensor { .f32([0], []) }

  /// Adds to the gradients of all tensors that ask for one.
  func backward() throws {
    var recorder = Recorder(stopsAtComputed: false)
    let value = try recorder.value(self)
    let leaves = recorder.leaves.filter { $0.value.requiresGradient }
    guard !leaves.isEmpty else {
      throw DiagnosticError(
        .user, "backward.leaves", "nothing that this was computed from asks for a gradient",
        hint: "make a tensor with requiresGradient: true")
    }
    let gradients = try recorder.builder.gradients(of: value, withRespectTo: leaves.map(\.id))
    recorder.builder.output(value, named: "result")
    for (position, gradient) in gradients.enumerated() {
      recorder.builder.output(gradient, named: "gradient\(position)")
    }
    let results = try recorder.run()
    computed = results[0]
    for (leaf, gradient) in zip(leaves, results.dropFirst()) {
      let value = leaf.value
      guard let before = value.gradient?.doubles, let more = gradient.doubles else {
        value.gradient = gradient
        continue
      }
      value.gradient = HostTensor(gradient.element, gradient.shape, doubles: zip(before, more).map { $0 + $1 })
    }
  }

  /// The results of an operator, whose types are known at once.
  static func apply(_ op: some Operator, _ inputs: [Tensor?], outputs: Int, in trace: Trace) -> [Tensor] {
    let values = inputs.map { $0?.immediate }
    func results(_ make: (Int) -> ImmediateValue) -> [Tensor] {
      (0..<outputs).map { result in
        let value = make(result)
        return Tensor(id: nil, type: value.type, trace: trace, immediate: value)
      }
    }
    for value in values {
      if case .mistake(let error) = value?.source {
        return results { _ in ImmediateValue(.mistake(error), type: value?.type ?? TensorType(.f32, [])) }
      }
    }
    do {
      // Sizes that data determine are found first.
      let settled = try values.map { value -> ImmediateValue? in
        guard let value, value.type.shape.contains(where: { !$0.isConstant }) else { return value }
        let numbers = try value.numbers()
        return ImmediateValue(value.source, type: numbers.type)
      }
      var builder = GraphBuilder(name: "immediate")
      let ids = settled.enumerated().map { position, value -> ValueID? in
        guard let value else { return nil }
        if value.isConstant, case .given(let host) = value.source { return builder.constant(host) }
        return builder.input(Fact(.tensor(value.type)), named: "x\(position)")
      }
      let made = try builder.add(op, ids, outputs: outputs)
      let types = try made.map { try builder.type($0) }
      let operation = ImmediateOperation(op, values, outputs: outputs)
      return results { ImmediateValue(.computed(operation, result: $0), type: types[$0]) }
    } catch {
      let problem = (error as? DiagnosticError) ?? DiagnosticError(.bug, "immediate", "\(error)")
      return results { _ in
        ImmediateValue(.mistake(problem), type: values.compactMap(\.self).first?.type ?? TensorType(.f32, []))
      }
    }
  }
}

/// One application of an operator to tensors with numbers.
final class ImmediateOperation {
  let op: any Operator
  private(set) var inputs: [ImmediateValue?]
  let outputs: Int
  let hasGradient: Bool

  init(_ op: any Operator, _ inputs: [ImmediateValue?], outputs: Int) {
    self.op = op
    self.inputs = inputs
    self.outputs = outputs
    hasGradient = inputs.contains { $0?.hasGradient ?? false }
  }

  /// Takes what goes with it apart in a loop: left to itself, each operation would be released inside of the next one's release, which a deep
  /// history has no stack for.
  deinit {
    var pending = inputs.compactMap { $0 }
    inputs = []
    while var value = pending.popLast() {
      guard isKnownUniquelyReferenced(&value), var operation = value.forget(), isKnownUniquelyReferenced(&operation)
      else { continue }
      pending += operation.inputs.compactMap { $0 }
      operation.inputs = []
    }
  }

  /// The same in a trace.
  func apply(in trace: Trace, to inputs: [Tensor?]) -> [Tensor] {
    func apply(_ op: some Operator) -> [Tensor] { trace.apply(op, inputs, outputs: outputs) }
    return apply(op)
  }
}

/// Makes the graph of values, and runs it.
private struct Recorder {
  var builder = GraphBuilder(name: "immediate")
  /// The inputs of the graph, in order.
  private(set) var leaves: [(value: ImmediateValue, id: ValueID, numbers: HostTensor)] = []
  private var values: [ObjectIdentifier: ValueID] = [:]
  private var operations: [ObjectIdentifier: [ValueID]] = [:]
  /// Whether what was computed once is an input.
  let stopsAtComputed: Bool

  init(stopsAtComputed: Bool) { self.stopsAtComputed = stopsAtComputed }

  /// A value in the graph. Walks without recursion: what a loop computes step by step may be deep.
  mutating func value(_ wanted: ImmediateValue) throws -> ValueID {
    var stack = [wanted]
    while let value = stack.last {
      let key = ObjectIdentifier(value)
      if values[key] != nil {
        stack.removeLast()
        continue
      }
      switch value.source {
      case .mistake(let error): throw error
      case .given(let host):
        if value.isConstant { values[key] = builder.constant(host) } else { addLeaf(value, host) }
      case .computed(let operation, let result):
        if stopsAtComputed, let host = value.computed {
          addLeaf(value, host)
          continue
        }
        let place = ObjectIdentifier(operation)
        if let known = operations[place] {
          values[key] = known[result]
          continue
        }
        let missing = operation.inputs.compactMap { $0 }.filter { values[ObjectIdentifier($0)] == nil }
        if missing.isEmpty {
          let ids = operation.inputs.map { input in input.flatMap { values[ObjectIdentifier($0)] } }
          operations[place] = try add(operation.op, ids, outputs: operation.outputs)
        } else {
          stack += missing
        }
      }
    }
    guard let id = values[ObjectIdentifier(wanted)] else {
      throw DiagnosticError(.bug, "immediate.value", "a value was not recorded")
    }
    return id
  }

  private mutating func add(_ op: some Operator, _ inputs: [ValueID?], outputs: Int) throws -> [ValueID] {
    try builder.add(op, inputs, outputs: outputs)
  }

  private mutating func addLeaf(_ value: ImmediateValue, _ host: HostTensor) {
    let id = builder.input(Fact(.tensor(host.type)), named: "x\(leaves.count)")
    leaves.append((value, id, host))
    values[ObjectIdentifier(value)] = id
  }

  func run() throws -> [HostTensor] {
    var graph = builder.graph
    graph.removeDeadNodes()
    return try ImmediateRuns.outputs(of: graph, leaves.map(\.numbers))
  }
}
