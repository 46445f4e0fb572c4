import SinterCore
import SinterForms
import SinterIR

/// A convolution over two spatial axes whose window's elements are each moved by an offset of their own, read by linear interpolation. Inputs:
/// x, weights [m, c / group, h, w], offsets [n, offset groups · h · w · 2, oh, ow], bias, a factor for each element of the window.
public struct DeformConv: Primitive {
  public static let name = "DeformConv"
  public static let summary = "Convolution with a moved window: each of its elements has an offset."

  /// The distance between elements of the window along both axes; empty: 1.
  public var dilations: [Int] = []
  /// Parts that the channels are split into, each of which is convolved with weights of its own.
  public var group = 1
  /// Height and width of the window; empty: the weights'.
  public var kernel: [Int] = []
  /// Parts that the channels are split into, each of which has offsets of its own.
  public var offsetGroup = 1
  /// Zeros around the image, both begins, then both ends; empty: 0.
  public var pads: [Int] = []
  /// The distance between windows along both axes; empty: 1.
  public var strides: [Int] = []

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.ints("dilations", &dilations, default: [])
    list.int("group", &group, default: 1)
    list.ints("kernel_shape", &kernel, default: [])
    list.int("offset_group", &offsetGroup, default: 1)
    list.ints("pads", &pads, default: [])
    list.ints("strides", &strides, default: [])
  }

  public static var onnx: [OnnxRule] { [.direct(DeformConv.self, since: 19)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 19) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, w, offsets) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    try requireElement(x) { $0.isFloat }
    guard x.rank == 4, w.rank == 4, offsets.rank == 4 else {
      throw DiagnosticError(
        .limit, "deformconv.rank", "two spatial axes are supported, but the inputs are \(x), \(w) and \(offsets)")
    }
    guard (1...Window.limit).contains(group), (1...Window.limit).contains(offsetGroup) else {
      throw DiagnosticError(
        .user, "deformconv.group",
        "group and offset_group must be from 1 to \(Window.limit), but are \(group) and \(offsetGroup)")
    }
    let sizes = try (0..<2).map { axis in
      kernel.count == 2
        ? try obligations.equal(
          w.shape[axis + 2], Dim(kernel[axis]), "kernel_shape \(kernel) and sizes of the weights \(w)")
        : w.shape[axis + 2]
    }
    guard let height = sizes[0].value, let width = sizes[1].value else {
      throw DiagnosticError(
        .limit, "deformconv.kernel", "the kernel's size must be known ahead of time, but the weights are \(w)",
        hint: "give kernel_shape")
    }
    let channels = try obligations.equal(
      x.shape[1], w.shape[1] * Dim(group), "channels of the input \(x) and of the weights \(w), in \(group) groups,")
    try obligations.divisible(
      channels, by: Dim(offsetGroup), "number of channels, which are in \(offsetGroup) offset groups,")
    try obligations.divisible(w.shape[0], by: Dim(group), "number of result channels, which are in \(group) groups,")
    var result = [x.shape[0], w.shape[0]] + (try places(x, [height, width], &obligations))
    let taps = Dim(offsetGroup * height * width)
    /// What has a number of channels, an entry for each place of the result in each.
    func check(_ index: Int, _ name: String, channels: Dim) throws {
      let type = try inputs.tensor(index)
      guard type.rank == 4 else {
        throw DiagnosticError(.user, "deformconv.shape", "\(name) must have 4 axes, but is \(type)")
      }
      result[0] = try obligations.equal(
        result[0], type.shape[0], "batch sizes of the input \(x) and of \(name) \(type)")
      try obligations.equal(type.shape[1], channels, "channels of \(name) \(type) and what the window has")
      for axis in 2..<4 {
        result[axis] = try obligations.equal(
          result[axis], type.shape[axis], "sizes of the result and of \(name) \(type) along axis \(axis)")
      }
    }
    try check(2, "offsets", channels: taps * 2)
    if inputs.has(3) { result[1] = try Conv.check(bias: try inputs.tensor(3), result[1], &obligations) }
    if inputs.has(4) { try check(4, "the mask", channels: taps) }
    return [Fact(x.element, result)]
  }

  /// The sizes of the result's spatial axes.
  private func places(_ x: TensorType, _ kernel: [Int], _ obligations: inout Obligations) throws -> [Dim] {
    let given = [
      (strides, 2, 1, "strides"), (dilations, 2, 1, "dilations"), (pads, 4, 0, "pads"),
      (self.kernel, 2, 1, "kernel_shape"),
    ]
    for (values, count, least, name) in given where !values.isEmpty {
      guard values.count == count, values.allSatisfy({ (least...Window.limit).contains($0) }) else {
        throw DiagnosticError(
          .user, "deformconv.\(name)",
          "\(name) must be \(count) numbers from \(least) to \(Window.limit), but is \(values)")
      }
    }
    guard self.kernel.isEmpty || self.kernel == kernel else {
      throw DiagnosticError(
        .user, "deformconv.kernel", "kernel_shape is \(self.kernel), but the weights have \(kernel)")
    }
    return try (0..<2).map { axis in
      let stride = strides.isEmpty ? 1 : strides[axis]
      let reach = (dilations.isEmpty ? 1 : dilations[axis]) * (kernel[axis] - 1) + 1
      let padded = x.shape[axis + 2] + (pads.isEmpty ? 0 : Dim(pads[axis] + pads[axis + 2]))
      try obligations.atLeast(padded, Dim(reach - stride), "padded size of axis \(axis + 2) of \(x)")
      return (padded - Dim(reach)) / Dim(stride) + 1
    }
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, w, offsets) = (try node.input(0), try node.input(1), try node.input(2))
    let bias = node.has(3) ? try node.input(3) : nil
    let mask = node.has(4) ? try node.input(4) : nil
    let result = try node.output().shape
    let compute = x.element.computeType
    let window = [w.shape[2], w.shape[3]]
    let strides = self.strides.count == 2 ? self.strides : [1, 1]
    let dilations = self.dilations.count == 2 ? self.dilations : [1, 1]
    let pads = self.pads.count == 4 ? self.pads : [0, 0, 0, 0]
    let channelsOfOffset = x.shape[1] / Dim(offsetGroup)

    // Elements of x as the moved window meets them: [n, c, window…, places…].
    let sampled = try lowering.element([x.shape[0], x.shape[1]] + window + result[2...]) { builder, index in
      func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
      let owner = index[1].floorDivided(by: builder.size(channelsOfOffset))
      let element = (owner * builder.size(window[0]) + index[2]) * builder.size(window[1]) + index[3]
      let places = (0..<2).map { axis in
        let fixed =
          index[axis + 4] * number(strides[axis]) + index[axis + 2] * number(dilations[axis]) - number(pads[axis])
        let moved = builder.load(offsets.id, [index[0], element * number(2) + number(axis), index[4], index[5]])
        return fixed.cast(to: compute) + moved.cast(to: compute)
      }
      /// The two neighbours along an axis, whether they lie inside, and their weights.
      func taps(_ axis: Int) -> [(place: Expr, isInside: Expr, weight: Expr)] {
        let base = places[axis].unary(.floor)
        let t = places[axis] - base
        return [(0, 1 - t), (1, t)].map { step, weight in
          let at = base.cast(to: .i64) + number(step)
          return (at, at >= number(0) && at < builder.size(x.shape[axis + 2]), weight)
        }
      }
      var sum = builder.constant(0, compute)
      for row in taps(0) {
        for column in taps(1) {
          let at = [index[0], index[1], row.place, column.place]
          let value = builder.load(x.id, at, where: row.isInside && column.isInside).cast(to: compute)
          sum = sum + value * (row.weight * column.weight)
        }
      }
      return mask.map { sum * builder.load($0.id, [index[0], element, index[4], index[5]]).cast(to: compute) } ?? sum
    }
    let groups = Dim(group)
    let (own, perGroup) = (w.shape[1], w.shape[0] / groups)
    let products = try lowering.contract(
      batch: [x.shape[0], groups], m: [perGroup], n: Array(result[2...]), k: [own] + window, accumulate: compute,
      lhs: { builder, batch, m, k in builder.load(w.id, [batch[1] * builder.size(perGroup) + m[0]] + k) },
      rhs: { builder, batch, n, k in
        builder.load(sampled.id, [batch[0], batch[1] * builder.size(own) + k[0], k[1], k[2]] + n)
      })
    return [
      try lowering.element(result) { builder, index in
        let size = builder.size(perGroup)
        let at = [index[0], index[1].floorDivided(by: size), index[1].modulo(size), index[2], index[3]]
        let value = builder.load(products.id, at)
        return (bias.map { value + builder.load($0.id, [index[1]]).cast(to: compute) } ?? value).cast(to: x.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    var op = DeformConv()
    op.group = 2
    op.offsetGroup = 2
    op.pads = [1, 0, 1, 0]
    return [
      OperatorExample(
        op,
        [
          random(["n", 4, 4, 4]), random([6, 2, 2, 2]), random(["n", 16, 5, 3]), random([6]), random(["n", 8, 5, 3]),
        ],
        sizes: [Symbol("n"): 2]),
      OperatorExample(
        DeformConv(), [random(["n", "c", "h", "w"]), random(["m", "k", 2, 2]), random(["b", "o", "p", "q"])],
        sizes: [
          Symbol("n"): 2, Symbol("c"): 3, Symbol("h"): 3, Symbol("w"): 4, Symbol("m"): 2, Symbol("k"): 3,
          Symbol("b"): 2,
          Symbol("o"): 8, Symbol("p"): 2, Symbol("q"): 3,
        ]),
    ]
  }
}

extension DeformConv: Composite {
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.require(by: Self.name) { _ = try infer(inputs, requiring: &$0) }
    let tape = GradientTape(builder)
    defer { builder = tape.builder }
    func input(_ index: Int) throws -> GradientTensor { GradientTensor(try inputs.value(index), tape) }
    let (x, w, offsets) = (try input(0), try input(1), try input(2))
    guard let height = try w.shape[2].value, let width = try w.shape[3].value else {
      throw DiagnosticError(.bug, "deformconv.kernel", "the window of \(try w.type) is not known")
    }
    let taps = height * width
    let (rows, columns) = (try offsets.size(2), try offsets.size(3))
    func number(_ value: Int) -> GradientTensor { x.integers([value]) }
    let (n, area) = (try x.size(0), try rows * columns)
    // Groups of offsets are examples of their own: offsets are [n · groups, window, 2, places].
    let examples = try n * number(offsetGroup)
    let own = try offsets.reshaped(to: [examples, number(taps), number(2), area])
    let axes = try own.split(into: 2, along: 2).map { try $0.squeezed([2]) }
    let images = try x.reshaped(
      to: [examples, x.size(1).applying(Binary(.divide), number(offsetGroup)), x.size(2), x.size(3)])
    let places = try SampledPlaces(images)
    let (strides, pads) = (
      self.strides.count == 2 ? self.strides : [1, 1], self.pads.count == 4 ? self.pads : [0, 0, 0, 0]
    )
    let dilations = self.dilations.count == 2 ? self.dilations : [1, 1]
    let sampled = try (0..<2).map { axis -> [SampledPlaces.Tap] in
      // Where the window's element lies without its offset: [window, places].
      let along = try offsets.positions(along: axis + 2) * number(strides[axis])
      let whole = try (along.unsqueezed([1 - axis]) + (offsets.size(3 - axis).zeroList()).unsqueezed([axis]))
        .reshaped(to: [number(1), area])
      let steps = (0..<taps).map { (axis == 0 ? $0 / width : $0 % width) * dilations[axis] - pads[axis] }
      let fixed = try whole + x.tape.constant(.i64([taps, 1], steps))
      let at = try (axes[axis] + fixed.cast(to: try x.element).unsqueezed([0]))
        .reshaped(to: [examples, number(taps) * area])
      let base = try at.unary(.floor)
      let (first, t) = (try base.cast(to: .i64), try at - base)
      return [try places.tap(first, 1 - t, axis), try places.tap(first + number(1), t, axis)]
    }
    // [n · groups, window, places, c].
    var columnsOf = try places.sum(sampled).reshaped(to: [examples, number(taps), area, images.size(1)])
    if inputs.has(4) { columnsOf = try columnsOf * input(4).reshaped(to: [examples, number(taps), area, number(1)]) }
    let depth = try w.size(1) * number(taps)
    let panels = try columnsOf.transposed([0, 3, 1, 2]).reshaped(to: [n, number(group), depth, area])
    let weights = try w.reshaped(
      to: [number(group), w.size(0).applying(Binary(.divide), number(group)), depth])
    var result = try weights.applying(MatMul(), panels).reshaped(to: [n, w.size(0), rows, columns])
    if inputs.has(3) { result = try result + input(3).unsqueezed([1, 2]) }
    return [result.id]
  }
}

extension GradientTensor {
  /// As many zeros as this value, a size, says; i64.
  fileprivate func zeroList() throws -> GradientTensor {
    var zeros = ConstantOfShape()
    zeros.value = .i64([1], [0])
    return try applying(zeros)
  }
}
