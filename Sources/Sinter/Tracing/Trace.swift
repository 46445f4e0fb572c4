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
  var builder: GraphBuilder
  private(set) var problems: [Diagnostic] = []
  /// Names of the parameters that the model holds.
  private let names: [ObjectIdentifier: String]
  private var values: [ObjectIdentifier: Tensor] = [:]
  private(set) var parameters: [(name: String, parameter: Parameter)] = []
  private var assigned: Set<ObjectIdentifier> = []
  private var layers: [Origin] = []

  init(name: String, mode: Mode, names: [ObjectIdentifier: String]) {
    self.mode = mode
    self.names = names
    builder = GraphBuilder(name: name)
  }

  // MARK: Values

  func input(_ type: TensorType, named name: String) -> Tensor {
    Tensor(id: builder.input(Fact(.tensor(type)), named: name), type: type, trace: self)
  }

  /// A parameter as a tensor of this trace; its first use adds an input of the graph.
  public func tensor(_ parameter: Parameter) -> Tensor {
    let key = ObjectIdentifier(parameter)
    if let known = values[key] { return known }
    let name = names[key] ?? "parameter\(parameters.count)"
    let tensor = input(TensorType(parameter.element, parameter.shape.map { Dim($0) }), named: name)
    values[key] = tensor
    parameters.append((name, parameter))
    return tensor
  }

  /// Gives a parameter another value from here on: what a training step hands to the next one. Layers do so with running statistics.
  public func assign(_ value: Tensor, to parameter: Parameter) {
    let old = tensor(parameter)
    guard value.id == nil || value.element == old.element && value.shape == old.shape else {
      _ = fail("assign", "a parameter of type \(old.type) cannot become \(value.type)", like: old)
      return
    }
    let key = ObjectIdentifier(parameter)
    values[key] = value
    assigned.insert(key)
  }

  /// The parameters that were assigned, with their last values.
  var assignments: [(name: String, parameter: Parameter, value: Tensor)] {
    parameters.compactMap { name, parameter in
      let key = ObjectIdentifier(parameter)
      return assigned.contains(key) ? values[key].map { (name, parameter, $0) } : nil
    }
  }

  /// The gradients of a value with respect to others, zeros where it does not depend on them; `seed` is the value's own gradient, ones by
  /// default.
  public func gradients(of target: Tensor, withRespectTo tensors: [Tensor], seed: Tensor? = nil) -> [Tensor] {
    let standIns = tensors.map { Tensor(id: nil, type: $0.type, trace: self) }
    guard let id = target.id, !tensors.contains(where: { $0.id == nil }), seed == nil || seed?.id != nil else {
      return standIns
    }
    do {
      let ids = try builder.gradients(of: id, withRespectTo: tensors.compactMap(\.id), seed: seed?.id)
      return try ids.map { Tensor(id: $0, type: try builder.type($0), trace: self) }
    } catch let error as DiagnosticError {
      problems += error.diagnostics
    } catch {
      problems.append(Diagnostic(.bug, "trace", "\(error)"))
    }
    return standIns
  }

  /// The name of the input that holds a seed and the number of a step, where a trace draws random numbers.
  static let keyName = "random_key"
  private var key: Tensor?
  private var streams = 0

  /// Uniform random numbers in 0 ..< 1 in a tensor's shape, other ones in every step. They follow from the seed of a run, the number of the step
  /// and the order of such calls in the model alone: the first call adds an input for the former two.
  public func uniform(like tensor: Tensor) -> Tensor {
    let key = key ?? input(TensorType(.i64, [2]), named: Self.keyName)
    self.key = key
    defer { streams += 1 }
    return apply(KeyedUniform(stream: streams), [tensor, key])[0]
  }

  public func constant(_ tensor: HostTensor) -> Tensor {
    Tensor(id: builder.constant(tensor), type: tensor.type, trace: self)
  }

  /// A number in the type of another tensor.
  func scalar(_ value: Double, like other: Tensor) -> Tensor {
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
    if present.contains(where: { $0.id == nil }) { return [Tensor](repeating: standIn, count: outputs) }
    if let stranger = present.first(where: { $0.trace !== self }) {
      return [Tensor](
        repeating: fail("trace", "a tensor of another trace is used: \(stranger.type)", like: standIn), count: outputs)
    }
    builder.origin = [layers.last ?? Origin()]
    do {
      let ids = try builder.add(op, inputs.map { $0?.id }, outputs: outputs)
      return try ids.map { Tensor(id: $0, type: try builder.type($0), trace: self) }
    } catch let error as DiagnosticError {
      problems += error.diagnostics
    } catch {
      problems.append(Diagnostic(.bug, "trace", "\(error)"))
    }
    return [Tensor](repeating: standIn, count: outputs)
  }

  /// Notes a mistake; the result stands in for what could not be computed.
  func fail(_ id: String, _ message: String, like tensor: Tensor) -> Tensor {
    problems.append(
      Diagnostic(.user, "trace.\(id)", message, at: [(layers.last ?? Origin()).description].filter { !$0.isEmpty }))
    return Tensor(id: nil, type: tensor.type, trace: self)
  }

  // MARK: Layers

  /// Runs a layer's `forward` with its path and the caller's line as the origin of what it does.
  func enter<R>(_ layer: Any, file: StaticString, line: UInt, _ body: () -> R) -> R {
    let path = LayerWalk.path(of: layer, names: names) ?? layers.last?.path ?? ""
    layers.append(Origin(path: path, source: "\(file):\(line)"))
    defer { layers.removeLast() }
    return body()
  }
}
