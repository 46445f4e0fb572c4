import SinterIR
import SinterOps

/// Adam by the greatest gradient instead of the mean square, as PyTorch's `torch.optim.Adamax` (Kingma and Ba, 2015).
public struct Adamax: Optimizer {
  /// The learning rate of a step that is given no other.
  public var learningRate: Double
  /// How much of the running means of gradients and of their squares each step keeps.
  public var betas: (Double, Double)
  /// What is added to divisors so that none is zero, and how strongly parameters are drawn to zero.
  public var epsilon: Double, weightDecay: Double
  /// Whether steps go up the gradient instead of down.
  public var maximize: Bool

  /// PyTorch's defaults.
  public init(
    learningRate: Double = 2e-3, betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8,
    weightDecay: Double = 0, maximize: Bool = false
  ) {
    self.learningRate = learningRate
    self.betas = betas
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.maximize = maximize
  }

  public var slots: [String] { ["exp_avg", "exp_inf"] }

  public func prepare(_ context: OptimizerContext) -> [Tensor] {
    [context.learningRate / (1 - context.step.trace.scalar(betas.0, like: context.step).pow(context.step))]
  }

  public func update(
    _ parameter: Tensor, gradient: Tensor, slots: [Tensor], shared: [Tensor], _ context: OptimizerContext
  ) -> (parameter: Tensor, slots: [Tensor]) {
    let gradient = weightDecay == 0 ? gradient : gradient + parameter * weightDecay
    let average = slots[0] * betas.0 + gradient * (1 - betas.0)
    let greatest = (slots[1] * betas.1).maximum(gradient.abs() + epsilon)
    return (parameter - shared[0] * average / greatest, [average, greatest])
  }
}

/// Adam whose steps are held back while it has seen little, as PyTorch's `torch.optim.RAdam` (Liu et al., 2020).
public struct RAdam: Optimizer {
  /// The learning rate of a step that is given no other.
  public var learningRate: Double
  /// How much of the running means of gradients and of their squares each step keeps.
  public var betas: (Double, Double)
  /// What is added to divisors so that none is zero, and how strongly parameters are drawn to zero.
  public var epsilon: Double, weightDecay: Double
  /// Whether steps go up the gradient instead of down.
  public var maximize: Bool

  /// PyTorch's defaults.
  public init(
    learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8,
    weightDecay: Double = 0, maximize: Bool = false
  ) {
    self.learningRate = learningRate
    self.betas = betas
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.maximize = maximize
  }

  public var slots: [String] { ["exp_avg", "exp_avg_sq"] }

  /// The rate over the first moment's correction; the root of the second's; the rectification, and whether it is known yet.
  public func prepare(_ context: OptimizerContext) -> [Tensor] {
    // The rectification is a difference of large numbers.
    let step = context.step.cast(to: .f64)
    func power(_ beta: Double) -> Tensor { step.trace.scalar(beta, like: step).pow(step) }
    let second = 1 - power(betas.1)
    let most = 2 / (1 - betas.1) - 1
    let length = most - step * 2 * power(betas.1) / second
    let known = (length - 4) * (length - 2) * (most / ((most - 4) * (most - 2))) / length
    return [
      context.learningRate.cast(to: .f64) / (1 - power(betas.0)), second.sqrt(), known.relu().sqrt(),
      (length > 5).cast(to: .f64),
    ].map { $0.cast(to: context.step.element) }
  }

  public func update(
    _ parameter: Tensor, gradient: Tensor, slots: [Tensor], shared: [Tensor], _ context: OptimizerContext
  ) -> (parameter: Tensor, slots: [Tensor]) {
    let gradient = weightDecay == 0 ? gradient : gradient + parameter * weightDecay
    let first = slots[0] * betas.0 + gradient * (1 - betas.0)
    let second = slots[1] * betas.1 + gradient * gradient * (1 - betas.1)
    let plain = shared[0] * first
    let rectified = plain * shared[1] * shared[2] / (second.sqrt() + epsilon)
    return (parameter - (shared[3] > 0).where(rectified, plain), [first, second])
  }
}

/// Steps that follow the signs of gradients alone and grow while these stay, as PyTorch's `torch.optim.Rprop` (Riedmiller and Braun, 1993).
public struct Rprop: Optimizer {
  /// The learning rate of a step that is given no other.
  public var learningRate: Double
  /// What a step is multiplied by where the sign changed, and where it stayed.
  public var factors: (Double, Double)
  /// The least and the greatest step.
  public var stepSizes: (Double, Double)
  /// Whether steps go up the gradient instead of down.
  public var maximize: Bool

  /// PyTorch's defaults; the first step of each element is `learningRate`.
  public init(
    learningRate: Double = 1e-2, factors: (Double, Double) = (0.5, 1.2), stepSizes: (Double, Double) = (1e-6, 50),
    maximize: Bool = false
  ) {
    self.learningRate = learningRate
    self.factors = factors
    self.stepSizes = stepSizes
    self.maximize = maximize
  }

  public var slots: [String] { ["prev", "step_size"] }

  public func update(
    _ parameter: Tensor, gradient: Tensor, slots: [Tensor], shared: [Tensor], _ context: OptimizerContext
  ) -> (parameter: Tensor, slots: [Tensor]) {
    let product = gradient * slots[0]
    // Slots are zero before the first step.
    let size = (context.step <= 1).where(context.learningRate, slots[1])
    let one = parameter.trace.scalar(1, like: parameter)
    let factor = (product > 0).where(one * factors.1, (product < 0).where(one * factors.0, one))
    let next = (size * factor).clamp(min: stepSizes.0, max: stepSizes.1)
    let kept = (product < 0).where(parameter.trace.scalar(0, like: parameter), gradient)
    return (parameter - kept.sign() * next, [kept, next])
  }
}

extension Adamax {
  public var problems: [String] {
    problems(notNegative: ["epsilon": epsilon, "weightDecay": weightDecay], shares: [betas.0, betas.1])
  }
}

extension RAdam {
  public var problems: [String] {
    problems(notNegative: ["epsilon": epsilon, "weightDecay": weightDecay], shares: [betas.0, betas.1])
  }
}
