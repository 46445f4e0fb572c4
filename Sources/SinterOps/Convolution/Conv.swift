import SinterCore
import SinterIR
import SinterKernel

/// A convolution as neural networks mean it: each result is the sum of a window's elements times the weights, over all channels of
/// its group. Input [n, c, spatial…], weights [m, c / group, kernel…], bias [m].
public struct Conv: Primitive {
  public static let name = "Conv"
  public static let summary = "Convolution over any number of spatial axes, with stride, dilation, padding and groups."

  public var window = Window()
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
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { channelsLast ? nil : OnnxForm(of: self) }

  func geometry(_ x: TensorType, _ w: TensorType) throws -> Window.Geometry {
    guard x.rank >= 3, w.rank == x.rank else {
      throw DiagnosticError(
        .user, "conv.rank", "input and weights must have the same number of axes, at least 3, but are \(x) and \(w)")
    }
    let kernel = w.shape.dropFirst(2).compactMap(\.value)
    guard kernel.count == w.rank - 2 else {
      throw DiagnosticError(
        .limit, "conv.kernel", "the kernel's size must be known ahead of time, but the weights are \(w)")
    }
    let channels = x.shape[ImageLayout(channelsLast: channelsLast).channelAxis(rank: x.rank)]
    guard (1...Window.limit).contains(group) else {
      throw DiagnosticError(.user, "conv.group", "group must be from 1 to \(Window.limit), but is \(group)")
    }
    let needed = w.shape[1] * Dim(group)
    if channels.isConstant, needed.isConstant, channels != needed {
      throw DiagnosticError(
        .user, "conv.channels", "weights \(w) with \(group) groups need \(needed) channels, but the input is \(x)")
    }
    if let m = w.shape[0].value, m % group != 0 {
      throw DiagnosticError(.user, "conv.group", "\(m) result channels do not divide into \(group) groups")
    }
    return try window.geometry(ImageLayout(channelsLast: channelsLast).spatial(x.shape), kernelShape: kernel)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, w) = (try inputs.tensor(0), try inputs.tensor(1))
    let layout = ImageLayout(channelsLast: channelsLast)
    let geometry = try geometry(x, w)
    let shape = layout.shape(x.shape[0], w.shape[0], geometry.output)
    if inputs.has(2) {
      let bias = try inputs.tensor(2)
      guard bias.rank == 1, bias.shape[0] == w.shape[0] || !bias.shape[0].isConstant else {
        throw DiagnosticError(.user, "conv.bias", "the bias must be [\(w.shape[0])], but is \(bias)")
      }
    }
    return [Fact(x.element, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, w) = (try node.input(0), try node.input(1))
    let geometry = try geometry(x.type, w.type)
    let result = try node.output()
    let layout = ImageLayout(channelsLast: channelsLast)
    let compute = x.element.computeType
    var value = lowering.convolve(
      x, w, result: result.shape, kernel: geometry.kernel, strides: geometry.strides, dilations: geometry.dilations,
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
    ]
  }
}
