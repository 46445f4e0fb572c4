import SinterGradient
import SinterIR
import SinterOps

/// One run of a model on symbols instead of numbers, which records the operations as a graph.
///
/// Operations on tensors of a trace never throw: what is wrong is noted, with the layer and the line, and the trace goes on, so that `trace` can
/// report all mistakes at once.
public final class Trace {
  /// Whether layers behave as in training (dropout drops, batch norm uses the batch) or as in use.
  public enum Mode: Sendable { case train, evaluate }

  public let mode: Mode
  /// Whether tensors have numbers, so that nothing is recorded.
  let isImmediate: Bool
  package var builder: GraphBuilder
  package var problems: [Diagnostic] = []
  /// The model's layers and parameters; of tensors with numbers that of the layer that is called.
  package var model: LayerIndex
  /// What parameters are now. With each the parameter itself is held, so that no other one can take its place in memory.
  private var values: [ObjectIdentifier: (parameter: Parameter, value: TracedValue)] = [:]
  /// Parameters as they were before layers gave them other values.
  private var originals: [ObjectIdentifier: TracedValue] = [:]
  package private(set) var parameters: [(name: String, parameter: Parameter)] = []
  private var assigned: Set<ObjectIdentifier> = []
  private var layers: [Origin] = []
  /// Tensors with numbers that are part of the graph, and what became of them.
  private var adopted: [ObjectIdentifier: (value: ImmediateValue, result: TracedValue)] = [:]

  package init(name: String, mode: Mode, model: LayerIndex, isImmediate: Bool = false) {
    self.mode = mode
    self.model = model
    self.isImmediate = isImmediate
    builder = GraphBuilder(name: name)
  }

  // MARK: Values

  package func input(_ type: TensorType, named name: String) -> Tensor {
    Tensor(id: builder.input(Fact(.tensor(type)), named: name), type: type, trace: self)
  }

  /// A parameter as a tensor of this trace; its first use adds an input of the graph.
  public func tensor(_ parameter: Parameter) -> Tensor {
    let key = ObjectIdentifier(parameter)
    if let known = values[key] { return known.value.tensor(in: self) }
    let type = TensorType(parameter.element, parameter.shape.map { Dim(max(0, $0)) })
    if let problem = parameter.problem { return note("parameter", problem, type) }
    if isImmediate {
      let name = model.name(of: parameter) ?? "parameter\(values.count)"
      let tensor = Tensor.immediate(parameter.initialValue(named: name, seed: 0), in: self)
      values[key] = (parameter, TracedValue(tensor))
      return tensor
    }
    guard let name = model.name(of: parameter) else {
      let standIn = note(
        "parameter",
        "a parameter of type \(type) is read that the model does not hold, so that it has no name and no values", type,
        hint: "make its layer a stored property of the model instead of making it in forward")
      values[key] = (parameter, TracedValue(standIn))
      return standIn
    }
    let tensor = input(type, named: name)
    values[key] = (parameter, TracedValue(tensor))
    originals[key] = TracedValue(tensor)
    parameters.append((name, parameter))
    return tensor
  }

  /// Gives a parameter another value from here on: what a training step hands to the next one. Layers do so with running statistics.
  public func assign(_ value: Tensor, to parameter: Parameter) {
    let (old, value) = (tensor(parameter), adopt(value))
    guard value.isMistake || value.trace === self || isImmediate && value.immediate != nil else {
      _ = fail("assign", "a parameter cannot become a tensor of another trace, \(value.type)", like: old)
      return
    }
    guard value.isMistake || old.isMistake || value.element == old.element && value.shape == old.shape else {
      _ = fail("assign", "a parameter of type \(old.type) cannot become \(value.type)", like: old)
      return
    }
    let key = ObjectIdentifier(parameter)
    values[key] = (parameter, TracedValue(value))
    assigned.insert(key)
  }

  /// What a parameter was at the start, before layers gave it other values.
  package func original(_ parameter: Parameter) -> Tensor {
    originals[ObjectIdentifier(parameter)]?.tensor(in: self) ?? tensor(parameter)
  }

  /// The parameters that were assigned, with their last values.
  package var assignments: [(name: String, parameter: Parameter, value: Tensor)] {
    parameters.compactMap { name, parameter in
      let key = ObjectIdentifier(parameter)
      return assigned.contains(key) ? values[key].map { (name, parameter, $0.value.tensor(in: self)) } : nil
    }
  }

  /// The gradients of a value with respect to others, zeros where it does not depend on them; `seed` is the value's own gradient, ones by
  /// default. With respect to tensors with numbers there are none, nor to those of another trace: that is a mistake.
  public func gradients(of target: Tensor, withRespectTo tensors: [Tensor], seed: Tensor? = nil) -> [Tensor] {
    let standIns = tensors.map { Tensor(id: nil, type: $0.type, trace: self) }
    if isImmediate {
      return tensors.map {
        fail("gradient", "tensors with numbers have gradients by backward(), not by gradients(of:)", like: $0)
      }
    }
    var isForeign = false
    for tensor in tensors where tensor.immediate != nil {
      isForeign = true
      _ = note(
        "gradient",
        "a gradient is taken with respect to a tensor with numbers, \(tensor.type), which is a constant here",
        tensor.type, hint: "make it an input of the trace or a parameter of the model")
    }
    for tensor in tensors + [target] + (seed.map { [$0] } ?? [])
    where tensor.immediate == nil && !tensor.isMistake && tensor.trace !== self {
      isForeign = true
      _ = note("gradient", "a gradient is asked for with a tensor of another trace, \(tensor.type)", tensor.type)
    }
    if isForeign { return standIns }
    let (target, seed) = (adopt(target), seed.map(adopt))
    guard let id = target.id, !tensors.contains(where: { $0.id == nil }), seed == nil || seed?.id != nil else {
      return standIns
    }
    do {
      let ids = try builder.gradients(
        of: id, withRespectTo: tensors.compactMap(\.id), seed: seed?.id, recomputing: &recomputed)
      return try ids.map { Tensor(id: $0, type: try builder.type($0), trace: self) }
    } catch let error as DiagnosticError {
      problems += error.diagnostics
    } catch {
      problems.append(Diagnostic(.bug, "trace", "\(error)"))
    }
    return standIns
  }

  /// Nodes whose results are computed again for gradients.
  private var recomputed = RecomputedSegments()

  /// Has all that `body` records computed again where gradients read it.
  package func recomputing<R>(_ body: () -> R) -> R {
    let before = builder.graph.nodes.count
    let result = body()
    if !isImmediate { recomputed.add(builder.graph.nodes.indices.dropFirst(before)) }
    return result
  }

  /// The name of the input that holds a seed and the number of a step, where a trace draws random numbers.
  package static let keyName = "random_key"
  private var key: TracedValue?
  private var streams = 0

  /// Uniform random numbers in 0 ..< 1 in a tensor's shape, other ones in every step. They follow from the seed of a run, the number of the step
  /// and the order of such calls in the model alone: the first call adds an input for the former two.
  public func uniform(like tensor: Tensor) -> Tensor {
    if let recording = tensor.recordingTrace, recording !== self { return recording.uniform(like: tensor) }
    let key =
      key?.tensor(in: self)
      ?? (isImmediate ? constant(.i64([2], [0, 0])) : input(TensorType(.i64, [2]), named: Self.keyName))
    self.key = TracedValue(key)
    defer { streams += 1 }
    return apply(KeyedUniform(stream: streams), [tensor, key])[0]
  }

  /// A tensor whose elements are known while tracing; it becomes a constant of the graph.
  public func constant(_ tensor: HostTensor) -> Tensor {
    if let problem = tensor.problem { return note("constant", problem, TensorType(tensor.element, [])) }
    if isImmediate { return Tensor.immediate(tensor, in: self, isConstant: true) }
    return Tensor(id: builder.constant(tensor), type: tensor.type, trace: self)
  }

  /// A number in the type of another tensor.
  package func scalar(_ value: Double, like other: Tensor) -> Tensor {
    let element = other.type.element
    if element == .string || element == .c64 || element == .c128 {
      return fail("number", "no constant of type \(element) can be made from \(value)", like: other)
    }
    return constant(HostTensor(element, [], doubles: [value]))
  }

  // MARK: Operations

  /// Applies an operator: how tensors' methods are made, and how a user's own operator is called. On a mistake the results are stand-ins.
  public func apply(_ op: some Operator, _ inputs: [Tensor?], outputs: Int = 1) -> [Tensor] {
    let present = inputs.compactMap { $0 }
    let standIn = Tensor(id: nil, type: present.first?.type ?? TensorType(.f32, []), trace: self)
    if let recording = present.lazy.compactMap(\.recordingTrace).first, isImmediate {
      return recording.apply(op, inputs, outputs: outputs)
    }
    if present.contains(where: \.isMistake) { return [Tensor](repeating: standIn, count: max(1, outputs)) }
    guard outputs > 0 else {
      return [fail("results", "\(type(of: op).name) must have at least one result", like: standIn)]
    }
    if isImmediate { return ImmediateValue.apply(op, inputs, outputs: outputs, in: self) }
    if let stranger = present.first(where: { $0.trace !== self && !$0.trace.isImmediate }) {
      return [Tensor](
        repeating: fail("trace", "a tensor of another trace is used: \(stranger.type)", like: standIn), count: outputs)
    }
    let own = inputs.map { $0.map(adopt) }
    if own.contains(where: { $0?.isMistake ?? false }) { return [Tensor](repeating: standIn, count: outputs) }
    builder.origin = [layers.last ?? Origin()]
    do {
      let ids = try builder.add(op, own.map { $0?.id }, outputs: outputs)
      return try ids.map { Tensor(id: $0, type: try builder.type($0), trace: self) }
    } catch let error as DiagnosticError {
      problems += error.diagnostics
    } catch {
      problems.append(Diagnostic(.bug, "trace", "\(error)"))
    }
    return [Tensor](repeating: standIn, count: outputs)
  }

  /// A tensor with numbers as part of this trace: constants, and what was computed of them.
  package func adopt(_ tensor: Tensor) -> Tensor {
    guard !isImmediate, let value = tensor.immediate else { return tensor }
    return adopt(value)
  }

  /// Walks without recursion: what a loop computed step by step may be deep.
  private func adopt(_ wanted: ImmediateValue) -> Tensor {
    func known(_ value: ImmediateValue) -> Tensor? { adopted[ObjectIdentifier(value)]?.result.tensor(in: self) }
    var stack = [wanted]
    while let value = stack.last {
      if known(value) != nil {
        stack.removeLast()
        continue
      }
      let tensor: Tensor
      switch value.source {
      case .given(let host): tensor = constant(host)
      case .computed(let operation, let result):
        let missing = operation.inputs.compactMap { $0 }.filter { known($0) == nil }
        guard missing.isEmpty else {
          stack += missing
          continue
        }
        let results = operation.apply(in: self, to: operation.inputs.map { $0.flatMap(known) })
        tensor = results[min(result, results.count - 1)]
      case .mistake(let error):
        problems += error.diagnostics
        tensor = Tensor(id: nil, type: value.type, trace: self)
      }
      adopted[ObjectIdentifier(value)] = (value, TracedValue(tensor))
    }
    return known(wanted) ?? Tensor(id: nil, type: wanted.type, trace: self)
  }

  /// Notes a mistake; the result stands in for what could not be computed. What is given a stand-in is silent: its mistake is noted already.
  public func fail(_ id: String, _ message: String, like tensor: Tensor, hint: String? = nil) -> Tensor {
    if let recording = tensor.recordingTrace, recording !== self, isImmediate {
      return recording.fail(id, message, like: tensor, hint: hint)
    }
    return tensor.isMistake ? tensor : note(id, message, tensor.type, hint: hint)
  }

  /// Notes a mistake; the result is a stand-in of a type.
  package func note(_ id: String, _ message: String, _ type: TensorType, hint: String? = nil) -> Tensor {
    let problem = Diagnostic(
      .user, "trace.\(id)", message, at: [(layers.last ?? Origin()).description].filter { !$0.isEmpty }, hint: hint)
    if isImmediate { return Tensor.mistake(DiagnosticError([problem]), type, in: self) }
    problems.append(problem)
    return Tensor(id: nil, type: type, trace: self)
  }

  // MARK: Layers

  /// Runs a layer's `forward` with its path and the caller's line as the origin of what it does. Layers that Sinter itself calls have no line:
  /// theirs is that of the layer around them.
  public func enter<R>(_ layer: Any, file: StaticString, line: UInt, _ body: () -> R) -> R {
    if isImmediate, layers.isEmpty { model = LayerIndex(of: layer) }
    let path = layer is Void ? "" : model.path(of: layer) ?? layers.last?.path ?? ""
    let source = line == 0 ? layers.last?.source ?? "" : "\(file):\(line)"
    layers.append(Origin(path: path, source: source))
    defer { layers.removeLast() }
    observer?(path, layer, nil)
    let result = body()
    observer?(path, layer, result)
    return result
  }

  /// Called before and after each layer, with nil and with what it gave.
  var observer: ((_ path: String, _ layer: Any, _ result: Any?) -> Void)?
}

/// A tensor but for its trace: what the trace itself keeps of it. One that kept tensors would keep itself for ever.
private struct TracedValue {
  let id: ValueID?
  let immediate: ImmediateValue?
  let type: TensorType

  init(_ tensor: Tensor) { (id, immediate, type) = (tensor.id, tensor.immediate, tensor.type) }

  func tensor(in trace: Trace) -> Tensor { Tensor(id: id, type: type, trace: trace, immediate: immediate) }
}

extension Tensor {
  /// The trace that records what is done with this tensor; nil for one with numbers.
  var recordingTrace: Trace? { trace.isImmediate ? nil : trace }
}
