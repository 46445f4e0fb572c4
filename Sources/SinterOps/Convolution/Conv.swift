import SinterCore
import SinterForms
import SinterIR

/// A convolution as neural networks mean it: each result is the sum of a window's elements times the weights, over all channels of
/// its group. Input [n, c, spatial…], weights [m, c / group, kernel…], bias [m].
public struct Conv: Primitive {
  public static let name = "Conv"
  public static let summary = "Convolution over any number of spatial axes, with stride, dilation, padding and groups."

  /// The window, its strides, dilations and padding.
  public var window = Window()
  /// Parts that the channels are split into, each of which is convolved with weights of its own.
  public var group = 1
  /// Input and result are [n, spatial…, c]. Set by the layout pass; ONNX has no such form.
  public var channelsLast = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    window.attributes(&list)
    list.int("group", &group, default: 1)
    list.bool("channels_last", &channelsLast, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(Conv.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { channelsLast ? nil : NodeSpecification(of: self) }

  func geometry(_ x: TensorType, _ w: TensorType, _ obligations: inout Obligations) throws -> Window.Geometry {
    guard x.rank >= 3, w.rank == x.rank else {
      throw DiagnosticError(
        .user, "conv.rank", "input and weights must have the same number of axes, at least 3, but are \(x) and \(w)")
    }
    let kernel = try window.kernel(of: w, &obligations)
    let channels = x.shape[ImageLayout(channelsLast: channelsLast).channelAxis(rank: x.rank)]
    guard (1...Window.limit).contains(group) else {
      throw DiagnosticError(.user, "conv.group", "group must be from 1 to \(Window.limit), but is \(group)")
    }
    try obligations.equal(
      channels, w.shape[1] * Dim(group), "channels of the input \(x) and of the weights \(w), in \(group) groups,")
    try obligations.divisible(w.shape[0], by: Dim(group), "number of result channels, which are in \(group) groups,")
    return try window.geometry(
      ImageLayout(channelsLast: channelsLast).spatial(x.shape), kernelShape: kernel, .inside, &obligations)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, w) = (try inputs.tensor(0), try inputs.tensor(1))
    let layout = ImageLayout(channelsLast: channelsLast)
    let geometry = try geometry(x, w, &obligations)
    var results = w.shape[0]
    if inputs.has(2) { results = try Self.check(bias: try inputs.tensor(2), results, &obligations) }
    return [Fact(x.element, layout.shape(x.shape[0], results, geometry.output))]
  }

  /// The number of result channels, which a bias has as well.
  static func check(bias: TensorType, _ channels: Dim, _ obligations: inout Obligations) throws -> Dim {
    guard bias.rank == 1 else {
      throw DiagnosticError(.user, "conv.bias", "the bias must be [\(channels)], but is \(bias)")
    }
    return try obligations.equal(channels, bias.shape[0], "numbers of result channels and of elements of the bias")
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, w) = (try node.input(0), try node.input(1))
    var settled = Obligations()
    let geometry = try geometry(x.type, w.type, &settled)
    let result = try node.output()
    let layout = ImageLayout(channelsLast: channelsLast)
    let compute = x.element.computeType
    var value = lowering.convolve(
      x, w, result: result.shape, window: geometry.kernel, strides: geometry.strides, dilations: geometry.dilations,
      padsBegin: geometry.padsBegin, groups: group, channelsLast: channelsLast, accumulate: compute)
    if node.has(2) {
      let bias = try node.input(2)
      let sum = value
      value = try lowering.element(result.shape) { builder, index in
        builder.load(sum.id, index) + builder.load(bias.id, [layout.parts(index).channel]).cast(to: compute)
      }
    }
    return [try lowering.cast(value, to: x.element)]
  }

  public static var examples: [OperatorExample] {
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    func conv(_ change: (inout Conv) -> Void) -> Conv {
      var op = Conv()
      change(&op)
      return op
    }
    return [
      OperatorExample(
        conv { $0.window.pads = [1, 1, 1, 1] }, [random([1, 3, 7, 9]), random([5, 3, 3, 3]), random([5])]),
      OperatorExample(
        conv {
          $0.window.strides = [2, 2]
          $0.group = 2
        }, [random([2, 4, 9, 8]), random([6, 2, 3, 2])]),
      OperatorExample(
        conv {
          $0.group = 4
          $0.window.autoPad = .sameUpper
          $0.window.dilations = [2, 2]
        }, [random(["n", 4, "h", 8]), random([4, 1, 3, 3])], sizes: [Symbol("n"): 2, Symbol("h"): 6]),
      OperatorExample(
        conv { $0.channelsLast = true }, [random([1, 6, 6, 16]), random([32, 16, 1, 1]), random([32])]),
      OperatorExample(conv { $0.window.pads = [2, 0] }, [random([2, 3, 11]), random([4, 3, 4])]),
      OperatorExample(
        conv { $0.group = 2 }, [random(["n", "c", "h", "w"]), random(["m", "k", 2, 3]), random(["b"])],
        sizes: [
          Symbol("n"): 2, Symbol("c"): 4, Symbol("h"): 3, Symbol("w"): 5, Symbol("m"): 6, Symbol("k"): 2,
          Symbol("b"): 6,
        ]),
    ]
  }
}

extension Conv: Differentiable {
  /// In the input a transposed convolution with the same weights; in the weights a convolution of the input by the gradient, whose steps and
  /// dilations have changed places.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    guard !channelsLast else { throw DiagnosticError(.limit, "gradient.layout", "channels must be axis 1") }
    let (x, w, g) = (try node.input(0), try node.input(1), try node.gradient())
    let window = try ConvolutionGradient(self, x: try x.type, w: try w.type)
    var results: [GradientTensor?] = [
      node.wants(0) ? try window.ofInput(g, w, like: x) : nil,
      node.wants(1) ? try window.ofWeights(x, g, like: w) : nil,
    ]
    if node.has(2) {
      let axes = (0..<(try g.rank)).filter { $0 != 1 }
      results.append(node.wants(2) ? try g.sum(axes, keepsAxes: false) : nil)
    }
    return results
  }
}
