import SinterCore
import SinterForms
import SinterIR

/// The adjoint of a convolution in its input: each element of the input adds the weights, times itself, to a window of the result.
/// Input [n, c, spatial…], weights [c, m / group, kernel…], bias [m].
public struct ConvTranspose: Primitive {
  public static let name = "ConvTranspose"
  public static let summary = "Transposed convolution, the adjoint of Conv in its input."

  /// The window, its strides, dilations and padding, which is cut off the result.
  public var window = Window()
  /// Parts that the channels are split into, each of which has weights of its own.
  public var group = 1
  /// What is added to the result's size at the end of each axis; empty: 0.
  public var outputPadding: [Int] = []
  /// The result's spatial sizes, from which padding follows; empty: padding is as given.
  public var outputShape: [Int] = []
  /// Whether channels are the last axis, else the second.
  public var channelsLast = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    window.attributes(&list)
    list.int("group", &group, default: 1)
    list.ints("output_padding", &outputPadding, default: [])
    list.ints("output_shape", &outputShape, default: [])
    list.bool("channels_last", &channelsLast, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(ConvTranspose.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    channelsLast ? nil : NodeSpecification(of: withExplicitPads(inputs))
  }

  /// The same with pads in place of `auto_pad`, of which readers disagree how it and `output_padding` go together.
  private func withExplicitPads(_ inputs: NodeInputs) -> ConvTranspose {
    guard window.autoPad == .sameUpper || window.autoPad == .sameLower, outputShape.isEmpty else { return self }
    var settled = Obligations()
    guard let x = try? inputs.tensor(0), let w = try? inputs.tensor(1), let own = try? geometry(x, w, &settled) else {
      return self
    }
    var explicit = self
    explicit.window.autoPad = .notSet
    var begins: [Int] = []
    var ends: [Int] = []
    var extra = outputPadding.isEmpty ? [Int](repeating: 0, count: own.kernel.count) : outputPadding
    for axis in own.kernel.indices {
      // How much longer than size · stride the result is without pads, which does not depend on the size.
      let surplus = extra[axis] + own.dilations[axis] * (own.kernel[axis] - 1) + 1 - own.strides[axis]
      guard let begin = own.padsBegin[axis].value else { return self }
      begins.append(begin)
      ends.append(Swift.max(surplus, 0) - begin)
      extra[axis] -= Swift.min(surplus, 0)
    }
    explicit.window.pads = begins + ends
    explicit.outputPadding = extra.contains { $0 != 0 } ? extra : []
    return explicit
  }

  private struct Geometry {
    var kernel: [Int], strides: [Int], dilations: [Int]
    var padsBegin: [Dim]
    var output: [Dim]
  }

  private func geometry(_ x: TensorType, _ w: TensorType, _ obligations: inout Obligations) throws -> Geometry {
    guard x.rank >= 3, w.rank == x.rank else {
      throw DiagnosticError(
        .user, "conv.rank", "input and weights must have the same number of axes, at least 3, but are \(x) and \(w)")
    }
    let rank = x.rank - 2
    let kernel = try window.kernel(of: w, &obligations)
    guard (1...Window.limit).contains(group) else {
      throw DiagnosticError(.user, "conv.group", "group must be from 1 to \(Window.limit), but is \(group)")
    }
    let spatial = ImageLayout(channelsLast: channelsLast).spatial(x.shape)
    func list(_ values: [Int], _ count: Int, or value: Int, _ name: String, atLeast minimum: Int = 0) throws -> [Int] {
      if values.isEmpty { return [Int](repeating: value, count: count) }
      guard values.allSatisfy({ (minimum...Window.limit).contains($0) }) else {
        throw DiagnosticError(
          .user, "window.\(name)", "\(name) must be from \(minimum) to \(Window.limit), but is \(values)")
      }
      guard values.count == count else {
        throw DiagnosticError(.user, "window.\(name)", "\(name) must have \(count) entries, but is \(values)")
      }
      return values
    }
    var result = Geometry(
      kernel: kernel, strides: try list(window.strides, rank, or: 1, "strides", atLeast: 1),
      dilations: try list(window.dilations, rank, or: 1, "dilations", atLeast: 1), padsBegin: [], output: [])
    let pads = try list(window.pads, 2 * rank, or: 0, "pads", atLeast: -Window.limit)
    let extra = try list(outputPadding, rank, or: 0, "output_padding")
    for axis in 0..<rank where extra[axis] >= Swift.max(result.strides[axis], result.dilations[axis]) {
      throw DiagnosticError(
        .user, "window.output_padding",
        "output_padding must be less than strides \(result.strides) or dilations \(result.dilations), but is \(extra)")
    }
    // Some exporters list the batch and the channels too.
    _ = try list(outputShape, outputShape.count, or: 0, "output_shape")
    let wanted = outputShape.count == rank + 2 ? Array(outputShape.dropFirst(2)) : outputShape
    guard wanted.isEmpty || wanted.count == rank else {
      throw DiagnosticError(
        .user, "window.output_shape", "output_shape must have \(rank) entries, but is \(outputShape)")
    }
    for axis in 0..<rank {
      let reach = Dim(result.dilations[axis] * (kernel[axis] - 1) + 1)
      let full = Dim(result.strides[axis]) * (spatial[axis] - 1) + Dim(extra[axis]) + reach
      var begin = Dim(pads[axis])
      var size = full - begin - Dim(pads[axis + rank])
      let same = window.autoPad == .sameUpper || window.autoPad == .sameLower
      let subject = "of spatial axis \(axis) of \(Broadcast.list(spatial))"
      if !wanted.isEmpty || extra[axis] > 0 { try obligations.atLeast(spatial[axis], 1, "size \(subject)") }
      if !wanted.isEmpty {
        // Elements behind the last window by a step or more would belong to a longer input.
        try obligations.atLeast(
          full, Dim(wanted[axis] - result.strides[axis] + 1),
          "size of the result \(subject), which is to be \(wanted[axis]),")
      }
      if !wanted.isEmpty || same {
        size = wanted.isEmpty ? spatial[axis] * Dim(result.strides[axis]) : Dim(wanted[axis])
        let total = Dim.max(full - size, 0)
        begin = window.autoPad == .sameUpper ? total / 2 : total - total / 2
      }
      try obligations.atLeast(size, 1, "size of the result \(subject)")
      result.padsBegin.append(begin)
      result.output.append(size)
    }
    return result
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, w) = (try inputs.tensor(0), try inputs.tensor(1))
    let geometry = try geometry(x, w, &obligations)
    let layout = ImageLayout(channelsLast: channelsLast)
    let channels = try obligations.equal(
      x.shape[layout.channelAxis(rank: x.rank)], w.shape[0], "channels of the input \(x) and of the weights \(w)")
    try obligations.divisible(channels, by: Dim(group), "number of channels, which are in \(group) groups,")
    let results = w.shape[1] * Dim(group)
    if inputs.has(2) { _ = try Conv.check(bias: try inputs.tensor(2), results, &obligations) }
    return [Fact(x.element, layout.shape(x.shape[0], results, geometry.output))]
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
      padsBegin: geometry.padsBegin, groups: group, channelsLast: channelsLast, isTransposed: true, accumulate: compute)
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
    func conv(_ change: (inout ConvTranspose) -> Void) -> ConvTranspose {
      var op = ConvTranspose()
      change(&op)
      return op
    }
    return [
      OperatorExample(ConvTranspose(), [random([1, 3, 4, 5]), random([3, 2, 3, 3]), random([2])]),
      OperatorExample(
        conv {
          $0.window.strides = [2, 2]
          $0.window.pads = [1, 1, 1, 1]
          $0.outputPadding = [1, 0]
          $0.group = 2
        }, [random([2, 4, "h", 5]), random([4, 3, 4, 4])], sizes: [Symbol("h"): 3]),
      OperatorExample(
        conv { $0.group = 2 }, [random(["n", "c", "w"]), random(["k", "m", 3]), random(["b"])],
        sizes: [Symbol("n"): 2, Symbol("c"): 4, Symbol("w"): 3, Symbol("k"): 4, Symbol("m"): 2, Symbol("b"): 4]),
    ]
  }
}

extension ConvTranspose: Differentiable {
  /// The operator is a convolution's gradient: its gradient in the input is that convolution, and in the weights that convolution's, with
  /// what goes in and what comes out exchanged.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    guard !channelsLast else { throw DiagnosticError(.limit, "gradient.layout", "channels must be axis 1") }
    let (x, w, g) = (try node.input(0), try node.input(1), try node.gradient())
    var settled = Obligations()
    let geometry = try geometry(try x.type, try w.type, &settled)
    let rank = geometry.kernel.count
    var conv = Conv()
    conv.group = group
    (conv.window.strides, conv.window.dilations) = (geometry.strides, geometry.dilations)
    let spatial = try x.shape.dropFirst(2)
    let pads = try (0..<rank).map { axis -> (Int, Int) in
      // Such that windows end where the forward's last did.
      let reach = Dim(geometry.dilations[axis] * (geometry.kernel[axis] - 1) + 1)
      let full = Dim(geometry.strides[axis]) * (spatial[2 + axis] - 1) + reach
      let end = full - geometry.padsBegin[axis] - geometry.output[axis]
      guard let begin = geometry.padsBegin[axis].value, let end = end.value else {
        throw DiagnosticError(.limit, "gradient.dynamic", "padding must be known ahead of time to be differentiated")
      }
      return (begin, end)
    }
    conv.window.pads = pads.map(\.0) + pads.map(\.1)
    var results: [GradientTensor?] = [node.wants(0) ? try g.applying(conv, w) : nil, nil]
    if node.wants(1) {
      results[1] = try ConvolutionGradient(conv, x: try g.type, w: try w.type).ofWeights(g, x, like: w)
    }
    if node.has(2) {
      let axes = (0..<(try g.rank)).filter { $0 != 1 }
      results.append(node.wants(2) ? try g.sum(axes, keepsAxes: false) : nil)
    }
    return results
  }
}
