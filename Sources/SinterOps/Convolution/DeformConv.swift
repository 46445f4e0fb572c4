import SinterCore
import SinterIR
import SinterKernel

/// A convolution over two spatial axes whose window's elements are each moved by an offset of their own, read by linear interpolation. Inputs:
/// x, weights [m, c / group, h, w], offsets [n, offset groups · h · w · 2, oh, ow], bias, a factor for each element of the window.
public struct DeformConv: Primitive {
  public static let name = "DeformConv"
  public static let summary = "Convolution with a moved window: each of its elements has an offset."

  public var dilations: [Int] = []
  public var group = 1
  public var kernel: [Int] = []
  public var offsetGroup = 1
  public var pads: [Int] = []
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
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 19) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, w, offsets) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    try requireElement(x) { $0.isFloat }
    guard x.rank == 4, w.rank == 4, offsets.rank == 4 else {
      throw DiagnosticError(
        .limit, "deformconv.rank", "two spatial axes are supported, but the inputs are \(x), \(w) and \(offsets)")
    }
    guard let channels = x.shape[1].value, let own = w.shape[1].value, let results = w.shape[0].value, group > 0,
      channels == own * group, results % group == 0, offsetGroup > 0, channels % offsetGroup == 0,
      w.shape[2].isConstant, w.shape[3].isConstant
    else {
      throw DiagnosticError(
        .user, "deformconv.channels", "weights \(w) with \(group) groups and \(offsetGroup) offset groups do not fit \(x)")
    }
    return [Fact(x.element, [x.shape[0], w.shape[0], offsets.shape[2], offsets.shape[3]])]
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
      /// The two neighbours along an axis, with their weights; those outside weigh nothing.
      func taps(_ axis: Int) -> [(place: Expr, weight: Expr)] {
        let base = places[axis].unary(.floor)
        let t = places[axis] - base
        let last = builder.size(x.shape[axis + 2] - 1)
        return [(0, 1 - t), (1, t)].map { step, weight in
          let at = base.cast(to: .i64) + number(step)
          let held = at.clamped(number(0), last)
          return (held, builder.select(at .== held, weight, builder.constant(0, compute)))
        }
      }
      var sum = builder.constant(0, compute)
      for row in taps(0) {
        for column in taps(1) {
          let value = builder.load(x.id, [index[0], index[1], row.place, column.place]).cast(to: compute)
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
        [random(["n", 4, 4, 4]), random([6, 2, 2, 2]), random(["n", 16, 5, 3]), random([6]), random(["n", 8, 5, 3])],
        sizes: [Symbol("n"): 2])
    ]
  }
}
