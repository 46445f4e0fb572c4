import SinterIR
import SinterOps

/// How a training step changes parameters by their gradients. An optimizer is a value: it says what is computed, once, while a step is traced;
/// what it remembers (momentum, moments) is state of the step.
public protocol Optimizer: Sendable {
  /// The learning rate that a run starts with; each call of a step may take another.
  var learningRate: Double { get }

  /// Whether the loss is to grow: then gradients are taken with the other sign.
  var maximize: Bool { get }

  /// What is wrong with its numbers; a step is not traced with such an optimizer.
  var problems: [String] { get }

  /// The names of what is remembered for each parameter, of the parameter's shape, zero at first.
  var slots: [String] { get }

  /// Called once per step before the parameters, for what they share.
  func prepare(_ context: OptimizerContext) -> [Tensor]

  /// The new value of a parameter, and what is to be remembered, in the order of `slots`.
  ///
  /// - Parameter shared: what `prepare` gave.
  func update(
    _ parameter: Tensor, gradient: Tensor, slots: [Tensor], shared: [Tensor], _ context: OptimizerContext
  ) -> (parameter: Tensor, slots: [Tensor])
}

/// What an optimizer may use besides parameters and gradients; f32 without axes.
public struct OptimizerContext {
  /// The learning rate, an input of the step.
  public let learningRate: Tensor
  /// The number of this step, 1 for the first.
  public let step: Tensor
}

extension Optimizer {
  /// Minimizes, unless an optimizer says otherwise.
  public var maximize: Bool { false }

  public var problems: [String] { [] }

  public func prepare(_ context: OptimizerContext) -> [Tensor] { [] }
}

/// Stochastic gradient descent as PyTorch's `torch.optim.SGD`.
public struct SGD: Optimizer {
  /// The learning rate of a step that is given no other.
  public var learningRate: Double
  /// Whether steps go up the gradient instead of down.
  public var maximize: Bool
  /// How much of the last step is kept, and how much of the gradient is left out of it.
  public var momentum: Double, dampening: Double
  /// How strongly parameters are drawn to zero.
  public var weightDecay: Double
  /// Whether the gradient is taken where momentum leads.
  public var nesterov: Bool

  /// PyTorch's defaults; momentum and weight decay are off.
  public init(
    learningRate: Double = 1e-3, momentum: Double = 0, dampening: Double = 0, weightDecay: Double = 0,
    nesterov: Bool = false, maximize: Bool = false
  ) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.dampening = dampening
    self.weightDecay = weightDecay
    self.nesterov = nesterov
    self.maximize = maximize
  }

  public var slots: [String] { momentum == 0 ? [] : ["momentum_buffer"] }

  public func update(
    _ parameter: Tensor, gradient: Tensor, slots: [Tensor], shared: [Tensor], _ context: OptimizerContext
  ) -> (parameter: Tensor, slots: [Tensor]) {
    var gradient = gradient.decayed(parameter, weightDecay)
    guard momentum != 0, let before = slots.first else {
      return (parameter - context.learningRate * gradient, [])
    }
    // The first buffer is the gradient itself, not damped.
    let isFirst = context.step.applying(Compare(.lessOrEqual), context.step.trace.scalar(1, like: context.step))
    let added = dampening == 0 ? gradient : isFirst.applying(Where(), gradient, gradient * (1 - dampening))
    let buffer = before * momentum + added
    gradient = nesterov ? gradient + buffer * momentum : buffer
    return (parameter - context.learningRate * gradient, [buffer])
  }
}

/// Adam as PyTorch's `torch.optim.Adam` (Kingma and Ba, 2015); AdamW where the weight decay is decoupled (Loshchilov and Hutter, 2019).
public struct Adam: Optimizer {
  /// The learning rate of a step that is given no other.
  public var learningRate: Double
  /// Whether steps go up the gradient instead of down.
  public var maximize: Bool
  /// How much of the running means of gradients and of their squares each step keeps.
  public var betas: (Double, Double)
  /// A small number that keeps a divisor from being zero.
  public var epsilon: Double
  /// How strongly parameters are drawn to zero.
  public var weightDecay: Double
  /// Whether weights shrink beside the gradient step instead of through the gradient.
  public var isDecoupled = false
  /// Whether the greatest mean of squares so far is used.
  public var amsgrad: Bool

  /// PyTorch's defaults.
  public init(
    learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8,
    weightDecay: Double = 0, amsgrad: Bool = false, maximize: Bool = false
  ) {
    self.learningRate = learningRate
    self.betas = betas
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.amsgrad = amsgrad
    self.maximize = maximize
  }

  public var slots: [String] { ["exp_avg", "exp_avg_sq"] + (amsgrad ? ["max_exp_avg_sq"] : []) }

  /// The corrections of both moments: 1 − βᵗ, of the second its square root.
  public func prepare(_ context: OptimizerContext) -> [Tensor] {
    func correction(_ beta: Double) -> Tensor {
      let trace = context.step.trace
      return 1 - trace.scalar(beta, like: context.step).pow(context.step)
    }
    return [context.learningRate / correction(betas.0), correction(betas.1).sqrt()]
  }

  public func update(
    _ parameter: Tensor, gradient: Tensor, slots: [Tensor], shared: [Tensor], _ context: OptimizerContext
  ) -> (parameter: Tensor, slots: [Tensor]) {
    let gradient = isDecoupled ? gradient : gradient.decayed(parameter, weightDecay)
    let first = slots[0] * betas.0 + gradient * (1 - betas.0)
    let second = slots[1] * betas.1 + gradient * gradient * (1 - betas.1)
    var remembered = [first, second]
    var scale = second
    if amsgrad {
      scale = slots[2].maximum(second)
      remembered.append(scale)
    }
    let kept = isDecoupled && weightDecay != 0 ? parameter * (1 - context.learningRate * weightDecay) : parameter
    return (kept - shared[0] * first / (scale.sqrt() / shared[1] + epsilon), remembered)
  }
}

/// Adam with decoupled weight decay, with PyTorch's default of 0.01.
public func AdamW(
  learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8,
  weightDecay: Double = 1e-2, amsgrad: Bool = false, maximize: Bool = false
) -> Adam {
  var adam = Adam(
    learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay, amsgrad: amsgrad,
    maximize: maximize)
  adam.isDecoupled = true
  return adam
}

/// RMSprop as PyTorch's `torch.optim.RMSprop`.
public struct RMSprop: Optimizer {
  /// The learning rate of a step that is given no other.
  public var learningRate: Double
  /// Whether steps go up the gradient instead of down.
  public var maximize: Bool
  /// How much of the mean square each step keeps, what is added to its root, how strongly parameters are drawn to zero, and how much of the last step
  /// is kept.
  public var alpha: Double, epsilon: Double, weightDecay: Double, momentum: Double
  /// Whether the mean of gradients is taken off their squares' mean.
  public var centered: Bool

  /// PyTorch's defaults; momentum and weight decay are off.
  public init(
    learningRate: Double = 1e-2, alpha: Double = 0.99, epsilon: Double = 1e-8, weightDecay: Double = 0,
    momentum: Double = 0, centered: Bool = false, maximize: Bool = false
  ) {
    self.learningRate = learningRate
    self.alpha = alpha
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.momentum = momentum
    self.centered = centered
    self.maximize = maximize
  }

  public var slots: [String] {
    ["square_avg"] + (centered ? ["grad_avg"] : []) + (momentum != 0 ? ["momentum_buffer"] : [])
  }

  public func update(
    _ parameter: Tensor, gradient: Tensor, slots: [Tensor], shared: [Tensor], _ context: OptimizerContext
  ) -> (parameter: Tensor, slots: [Tensor]) {
    let gradient = gradient.decayed(parameter, weightDecay)
    let square = slots[0] * alpha + gradient * gradient * (1 - alpha)
    var remembered = [square]
    var mean = square
    if centered {
      let average = slots[1] * alpha + gradient * (1 - alpha)
      remembered.append(average)
      mean = square - average * average
    }
    let change = gradient / (mean.sqrt() + epsilon)
    guard momentum != 0, let before = slots.last else {
      return (parameter - context.learningRate * change, remembered)
    }
    let buffer = before * momentum + change
    return (parameter - context.learningRate * buffer, remembered + [buffer])
  }
}

/// Adagrad as PyTorch's `torch.optim.Adagrad`.
public struct Adagrad: Optimizer {
  /// The learning rate of a step that is given no other.
  public var learningRate: Double
  /// Whether steps go up the gradient instead of down.
  public var maximize: Bool
  /// How fast the learning rate falls with the number of steps, how strongly parameters are drawn to zero, and what is added to divisors.
  public var learningRateDecay: Double, weightDecay: Double, epsilon: Double
  /// What the sums of squares start with.
  public var initialAccumulator: Double

  /// PyTorch's defaults.
  public init(
    learningRate: Double = 1e-2, learningRateDecay: Double = 0, weightDecay: Double = 0, epsilon: Double = 1e-10,
    initialAccumulator: Double = 0, maximize: Bool = false
  ) {
    self.learningRate = learningRate
    self.learningRateDecay = learningRateDecay
    self.weightDecay = weightDecay
    self.epsilon = epsilon
    self.initialAccumulator = initialAccumulator
    self.maximize = maximize
  }

  public var slots: [String] { ["sum"] }

  public func prepare(_ context: OptimizerContext) -> [Tensor] {
    [context.learningRate / ((context.step - 1) * learningRateDecay + 1)]
  }

  public func update(
    _ parameter: Tensor, gradient: Tensor, slots: [Tensor], shared: [Tensor], _ context: OptimizerContext
  ) -> (parameter: Tensor, slots: [Tensor]) {
    let gradient = gradient.decayed(parameter, weightDecay)
    var sum = slots[0] + gradient * gradient
    if initialAccumulator != 0 {
      // Slots are zero before the first step.
      sum = (context.step <= 1).where(sum + initialAccumulator, sum)
    }
    return (parameter - shared[0] * gradient / (sum.sqrt() + epsilon), [sum])
  }
}

/// Adadelta as PyTorch's `torch.optim.Adadelta` (Zeiler, 2012).
public struct Adadelta: Optimizer {
  /// The learning rate of a step that is given no other.
  public var learningRate: Double
  /// Whether steps go up the gradient instead of down.
  public var maximize: Bool
  /// How much of the mean squares each step keeps, what is added to them, and how strongly parameters are drawn to zero.
  public var rho: Double, epsilon: Double, weightDecay: Double

  /// PyTorch's defaults.
  public init(
    learningRate: Double = 1, rho: Double = 0.9, epsilon: Double = 1e-6, weightDecay: Double = 0, maximize: Bool = false
  ) {
    self.learningRate = learningRate
    self.rho = rho
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.maximize = maximize
  }

  public var slots: [String] { ["square_avg", "acc_delta"] }

  public func update(
    _ parameter: Tensor, gradient: Tensor, slots: [Tensor], shared: [Tensor], _ context: OptimizerContext
  ) -> (parameter: Tensor, slots: [Tensor]) {
    let gradient = gradient.decayed(parameter, weightDecay)
    let square = slots[0] * rho + gradient * gradient * (1 - rho)
    let change = (slots[1] + epsilon).sqrt() / (square + epsilon).sqrt() * gradient
    let changes = slots[1] * rho + change * change * (1 - rho)
    return (parameter - context.learningRate * change, [square, changes])
  }
}

extension Tensor {
  /// A gradient with that of weight decay, λ/2 · |p|².
  fileprivate func decayed(_ parameter: Tensor, _ weightDecay: Double) -> Tensor {
    weightDecay == 0 ? self : self + parameter * weightDecay
  }
}

// MARK: Numbers that make no sense

extension Optimizer {
  /// What is wrong with numbers that must not be negative, and with shares of the past, which are below 1.
  func problems(notNegative: KeyValuePairs<String, Double>, shares: [Double] = []) -> [String] {
    notNegative.filter { !($0.value >= 0 && $0.value.isFinite) }.map {
      "\($0.key) must be at least 0, but is \($0.value)"
    } + shares.filter { !($0 >= 0 && $0 < 1) }.map { "betas must be from 0 to below 1, but one is \($0)" }
  }
}

extension SGD {
  public var problems: [String] {
    problems(notNegative: ["momentum": momentum, "weightDecay": weightDecay])
      + (nesterov && (momentum <= 0 || dampening != 0) ? ["nesterov asks for a momentum, and for no dampening"] : [])
  }
}

extension Adam {
  public var problems: [String] {
    problems(notNegative: ["epsilon": epsilon, "weightDecay": weightDecay], shares: [betas.0, betas.1])
  }
}

extension RMSprop {
  public var problems: [String] {
    problems(notNegative: ["alpha": alpha, "epsilon": epsilon, "weightDecay": weightDecay, "momentum": momentum])
  }
}

extension Adagrad {
  public var problems: [String] {
    problems(notNegative: [
      "learningRateDecay": learningRateDecay, "weightDecay": weightDecay, "epsilon": epsilon,
      "initialAccumulator": initialAccumulator,
    ])
  }
}

extension Adadelta {
  public var problems: [String] {
    problems(notNegative: ["epsilon": epsilon, "weightDecay": weightDecay])
      + ((0...1).contains(rho) ? [] : ["rho must be from 0 to 1, but is \(rho)"])
  }
}
