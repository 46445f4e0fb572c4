import Sinter

/// A convolution whose weights start as He has it for rectifiers, by the fan of its results: what torchvision's networks start from.
func startedConv(
  _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0, groups: Int = 1, bias: Bool = false
) -> Conv2d {
  var conv = Conv2d(
    inputs, outputs, kernel: kernel, stride: stride, padding: padding, groups: groups, bias: bias)
  conv.weight = conv.weight.initialized(.kaimingNormal(.relu, fan: .output))
  conv.bias = conv.bias?.initialized(.zeros)
  return conv
}

/// A linear layer whose weights start normal with a deviation of 0.01, and whose bias starts as zeros.
func startedLinear(_ inputs: Int, _ outputs: Int) -> Linear {
  var linear = Linear(inputs, outputs)
  linear.weight = linear.weight.initialized(.normal(mean: 0, deviation: 0.01))
  linear.bias = linear.bias?.initialized(.zeros)
  return linear
}
