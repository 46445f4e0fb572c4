import SinterIR

extension Expect: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] { [nil, try node.gradient()] }
}
