import SinterIR
import SinterOps

/// Tensors with numbers: `tensor([1, 2, 3])`, `zeros(2, 3)` and what is computed of them outside of a trace. Functions and layers are those of
/// models. Nothing is computed before its numbers are asked for, by `print`, `numbers()`, `item()` or `backward()`.
///
/// In a trace such a tensor is a constant.
extension Tensor {
  static func immediate(
    _ host: HostTensor, in trace: Trace? = nil, isConstant: Bool = false, requiresGradient: Bool = false
  ) -> Tensor {
    let trace = trace ?? Trace(name: "immediate", mode: .evaluate, model: LayerIndex(of: ()), isImmediate: true)
    if let problem = host.problem {
      return mistake(
        DiagnosticError(.user, "tensor.shape", problem), TensorType(host.element, []), in: trace)
    }
    let value = ImmediateValue(
      .given(host), type: host.type, isConstant: isConstant, requiresGradient: requiresGradient)
    return Tensor(id: nil, type: host.type, trace: trace, immediate: value)
  }

  static func mistake(_ error: DiagnosticError, _ type: TensorType, in trace: Trace) -> Tensor {
    Tensor(id: nil, type: type, trace: trace, immediate: ImmediateValue(.mistake(error), type: type))
  }

  /// A tensor with the numbers of another kind of array.
  public init(_ host: HostTensor, requiresGradient: Bool = false) {
    self = .immediate(host, requiresGradient: requiresGradient)
  }

  private func value(_ what: String) throws -> ImmediateValue {
    guard let immediate else {
      throw DiagnosticError(
        .user, "tensor.symbol", "\(what) of a tensor in a trace, \(type): it has no numbers while a model is traced",
        hint: "give it as a result of the trace")
    }
    return immediate
  }

  /// The elements, computed now. Throws what is wrong with what led to them.
  public func numbers() throws -> HostTensor { try value("numbers").numbers() }

  /// The one element as a number.
  public func item() throws -> Double {
    let host = try numbers()
    guard host.count == 1, let number = host.doubles?.first else {
      throw DiagnosticError(.user, "tensor.item", "item() is for tensors of one element, but this is \(host.type)")
    }
    return number
  }

  // MARK: Gradients

  /// Whether `backward()` finds a gradient for it.
  public var requiresGradient: Bool { immediate?.requiresGradient ?? false }

  /// The same numbers as a tensor of its own, for which `backward()` finds a gradient: PyTorch's `requires_grad_()`.
  public func requiringGradient() throws -> Tensor { Tensor(try numbers(), requiresGradient: true) }

  /// Adds the gradients of this number, or of the sum of these numbers, to `grad` of every tensor that it was computed from and that was made with
  /// `requiresGradient: true`.
  public func backward() throws { try value("backward()").backward() }

  /// What `backward()` has found, added up over its calls; nil before the first.
  public var grad: Tensor? { immediate?.gradient.map { Tensor($0) } }

  /// Forgets the gradient.
  public func zeroGrad() { immediate?.gradient = nil }

  /// Takes the numbers of another tensor, without a gradient yet: how a parameter moves, `w.assign(w - 0.1 * w.grad!)`. What was computed of the
  /// old numbers keeps them.
  public mutating func assign(_ other: Tensor) throws {
    self = Tensor(try other.numbers(), requiresGradient: requiresGradient)
  }
}

extension Tensor: CustomStringConvertible {
  /// As PyTorch prints it; of a tensor in a trace its type, of a mistake its message.
  public var description: String { printed(PrintOptions.shared) }

  /// The same with options of its own.
  public func printed(_ options: PrintOptions) -> String {
    guard let immediate else { return id == nil ? "a mistake, \(type)" : "\(type) in a trace" }
    do {
      let host = try immediate.numbers()
      return TensorPrinter(host, options).text(suffix: immediate.requiresGradient ? ", requires_grad=True" : "")
    } catch { return "\(error)" }
  }
}

// MARK: Evaluating

/// Computes a few operations at once: `let y = try evaluate { tensor([1, 2]) * 2 }`.
public func evaluate(_ body: () throws -> Tensor) throws -> HostTensor { try body().numbers() }

/// The same for several results.
public func evaluate(_ body: () throws -> [Tensor]) throws -> [HostTensor] { try body().map { try $0.numbers() } }
