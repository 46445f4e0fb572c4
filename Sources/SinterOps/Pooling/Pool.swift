import SinterCore
import SinterForms
import SinterIR

/// The greatest element of each window, and on request its position in the whole input.
public struct MaxPool: Primitive {
  public static let name = "MaxPool"
  public static let summary = "Maximum over windows of the spatial axes."

  /// The window, its strides, dilations and padding, which is never the maximum.
  public var window = Window()
  /// Whether windows count that begin inside and end behind the padded input.
  public var ceilMode = false
  /// Whether the spatial part of positions counts down columns first (1) or along rows (0).
  public var storageOrder = 0
  /// Whether channels are the last axis, else the second. Set by the layout pass; ONNX has no such form.
  public var channelsLast = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    window.attributes(&list)
    list.bool("ceil_mode", &ceilMode, default: false)
    list.int("storage_order", &storageOrder, default: 0)
    list.bool("channels_last", &channelsLast, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(MaxPool.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    channelsLast ? nil : NodeSpecification(of: self, since: ceilMode ? PoolGeometry.ceilOpset : 12)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let shape = try PoolGeometry(x, window, ceil: ceilMode, channelsLast: channelsLast, &obligations).result
    return [Fact(x.element, shape), Fact(.i64, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let pool = try PoolGeometry(x.type, window, ceil: ceilMode, channelsLast: channelsLast, result: try node.output())
    let lowest = Combine.maximum.identity(of: x.element.computeType)
    let maximum = try lowering.reduce(.maximum, pool.result, over: pool.inner) { builder, index, tap in
      let (at, inside) = pool.place(builder, index, tap)
      return builder.load(x.id, at, where: inside, otherwise: lowest).cast(to: x.element.computeType)
    }
    var results = [try lowering.cast(maximum, to: x.element)]
    if node.facts.outputCount > 1 {
      let tap = try lowering.reduce(.firstMaximumIndex, pool.result, over: pool.inner) { builder, index, tap in
        let (at, inside) = pool.place(builder, index, tap)
        return builder.load(x.id, at, where: inside, otherwise: lowest).cast(to: x.element.computeType)
      }
      let columnMajor = storageOrder == 1
      results.append(
        try lowering.element(pool.result) { builder, index in
          var rest = builder.load(tap.id, index)
          var taps: [Expr] = []
          for size in pool.inner.reversed() {
            taps.insert(rest.modulo(builder.size(size)), at: 0)
            rest = rest.floorDivided(by: builder.size(size))
          }
          let (at, _) = pool.place(builder, index, taps)
          let (batch, channel, spatial) = pool.layout.parts(at)
          let sizes = pool.layout.spatial(x.shape)
          var position = batch * builder.size(x.shape[pool.layout.channelAxis(rank: x.rank)]) + channel
          position = position * builder.size(sizes.reduce(1, *))
          var stride = Dim(1)
          for axis in columnMajor ? Array(sizes.indices) : sizes.indices.reversed() {
            position = position + spatial[axis] * builder.size(stride)
            stride = stride * sizes[axis]
          }
          return position
        })
    }
    return results
  }

  public static var examples: [OperatorExample] {
    func pool(_ change: (inout MaxPool) -> Void) -> MaxPool {
      var op = MaxPool()
      change(&op)
      return op
    }
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    return [
      OperatorExample(
        pool {
          $0.window.kernel = [2, 2]; $0.window.strides = [2, 2]
        }, [random([1, 3, 7, 8])], outputs: 2),
      OperatorExample(
        pool {
          $0.window.kernel = [3, 3]
          $0.window.strides = [2, 2]
          $0.window.pads = [1, 1, 1, 1]
          $0.ceilMode = true
        }, [random(["n", 3, "h", 8])], sizes: [Symbol("n"): 2, Symbol("h"): 6]),
      OperatorExample(
        pool {
          $0.window.kernel = [2, 2]
          $0.channelsLast = true
        }, [random([1, 5, 6, 16])]),
    ]
  }
}

/// The mean of each window.
public struct AveragePool: Primitive {
  public static let name = "AveragePool"
  public static let summary = "Mean over windows of the spatial axes."

  /// The window, its strides, dilations and padding.
  public var window = Window()
  /// Whether windows count that begin inside and end behind the padded input.
  public var ceilMode = false
  /// Whether padding counts as elements.
  public var countIncludePad = false
  /// Whether channels are the last axis, else the second. Set by the layout pass; ONNX has no such form.
  public var channelsLast = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    window.attributes(&list)
    list.bool("ceil_mode", &ceilMode, default: false)
    list.bool("count_include_pad", &countIncludePad, default: false)
    list.bool("channels_last", &channelsLast, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(AveragePool.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    channelsLast ? nil : NodeSpecification(of: self, since: ceilMode ? PoolGeometry.ceilOpset : 19)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    return [
      Fact(x.element, try PoolGeometry(x, window, ceil: ceilMode, channelsLast: channelsLast, &obligations).result)
    ]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let pool = try PoolGeometry(x.type, window, ceil: ceilMode, channelsLast: channelsLast, result: try node.output())
    let compute = x.element.computeType
    let sum = try lowering.reduce(.sum, pool.result, over: pool.inner) { builder, index, tap in
      let (at, inside) = pool.place(builder, index, tap)
      return builder.load(x.id, at, where: inside).cast(to: compute)
    }
    let mean = try lowering.element(pool.result) { builder, index in
      builder.load(sum.id, index)
        / pool.elementCount(builder, index, includingPadding: countIncludePad).cast(to: compute)
    }
    return [try lowering.cast(mean, to: x.element)]
  }

  public static var examples: [OperatorExample] {
    func pool(_ change: (inout AveragePool) -> Void) -> AveragePool {
      var op = AveragePool()
      change(&op)
      return op
    }
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    return [
      OperatorExample(pool { $0.window.kernel = [2, 2] }, [random([1, 3, 7, 8])]),
      OperatorExample(
        pool {
          $0.window.kernel = [3, 3]
          $0.window.pads = [1, 1, 1, 1]
          $0.window.strides = [2, 2]
        }, [random(["n", 3, "h", 8])], sizes: [Symbol("n"): 2, Symbol("h"): 6]),
    ]
  }
}

/// The p-norm of each window.
public struct LpPool: Primitive {
  public static let name = "LpPool"
  public static let summary = "p-norm over windows of the spatial axes."

  /// The window, its strides, dilations and padding, which counts as zeros.
  public var window = Window()
  /// Whether windows count that begin inside and end behind the padded input.
  public var ceilMode = false
  /// The exponent of the norm, at least 1.
  public var p = 2

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    window.attributes(&list)
    list.bool("ceil_mode", &ceilMode, default: false)
    list.int("p", &p, default: 2)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(LpPool.self, since: 2),
      OnnxRule(values: "LpPool") { node, builder in
        try OnnxRule.direct(LpPool.self).build(node.withWholeNorm(), &builder)
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, since: ceilMode ? PoolGeometry.ceilOpset : 18)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    return [Fact(x.element, try PoolGeometry(x, window, ceil: ceilMode, channelsLast: false, &obligations).result)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let pool = try PoolGeometry(x.type, window, ceil: ceilMode, channelsLast: false, result: try node.output())
    let compute = x.element.computeType
    let exponent = Double(p)
    let sum = try lowering.reduce(.sum, pool.result, over: pool.inner) { builder, index, tap in
      let (at, inside) = pool.place(builder, index, tap)
      let value = builder.load(x.id, at, where: inside).cast(to: compute).unary(.abs)
      return value.power(builder.constant(exponent, compute))
    }
    let norm = try lowering.element(pool.result) { builder, index in
      builder.load(sum.id, index).power(builder.constant(1 / exponent, compute))
    }
    return [try lowering.cast(norm, to: x.element)]
  }

  public static var examples: [OperatorExample] {
    var op = LpPool()
    op.window.kernel = [2, 3]
    op.window.strides = [2, 1]
    op.p = 3
    return [OperatorExample(op, [.random(TensorType(.f32, [1, 2, 6, 5]), -1...1)])]
  }
}

extension OnnxNode {
  /// The same node with an integer for `p`, which the first versions of LpPool and GlobalLpPool give as a float.
  func withWholeNorm() throws -> OnnxNode {
    guard let given = float("p") else { return self }
    guard given >= 1, given <= Double(Int32.max), given == given.rounded() else {
      throw DiagnosticError(
        .limit, "pool.norm", "p must be a whole number from 1 on, but is \(given)", hint: "export with opset 2 or later"
      )
    }
    var node = self
    node.attributes["p"] = .int(Int(given))
    return node
  }
}

/// What the pools share: which elements a window covers.
struct PoolGeometry {
  /// From this opset on ONNX counts windows as runtimes do where their number is rounded up: one that begins behind the input is none.
  static let ceilOpset = 22

  let layout: ImageLayout
  private(set) var window: Window.Geometry
  let spatial: [Dim]
  private(set) var result: [Dim]
  var inner: [Dim] { window.kernel.map { Dim($0) } }

  init(_ x: TensorType, _ window: Window, ceil: Bool, channelsLast: Bool, _ obligations: inout Obligations) throws {
    layout = ImageLayout(channelsLast: channelsLast)
    try layout.requireElements(x, &obligations)
    spatial = layout.spatial(x.shape)
    self.window = try window.geometry(spatial, .pool(ceil: ceil), &obligations)
    result = layout.shape(x.shape[0], x.shape[layout.channelAxis(rank: x.rank)], self.window.output)
  }

  /// The same for a result that is inferred already.
  init(_ x: TensorType, _ window: Window, ceil: Bool, channelsLast: Bool, result: TensorType) throws {
    var settled = Obligations()
    try self.init(x, window, ceil: ceil, channelsLast: channelsLast, &settled)
    self.result = result.shape
    self.window.output = layout.spatial(result.shape)
  }

  /// The input's index for a place of the window, and whether it lies inside.
  func place(_ builder: BodyBuilder, _ index: [Expr], _ tap: [Expr]) -> ([Expr], Expr) {
    let (batch, channel, place) = layout.parts(index)
    var inside = builder.bool(true)
    let at = spatial.indices.map { axis in
      let at =
        place[axis] * builder.constant(window.strides[axis], .i64)
        + tap[axis] * builder.constant(window.dilations[axis], .i64) - builder.size(window.padsBegin[axis])
      // Without padding and rounding up, windows never reach outside.
      if window.padsBegin[axis] != 0 { inside = inside && (at >= builder.constant(0, .i64)) }
      if !staysInside(axis) { inside = inside && (at < builder.size(spatial[axis])) }
      return at
    }
    return (layout.index(batch, channel, at), inside)
  }

  private func staysInside(_ axis: Int) -> Bool {
    let reach = Dim(window.dilations[axis] * (window.kernel[axis] - 1) + 1)
    let last = (window.output[axis] - 1) * Dim(window.strides[axis]) + reach - window.padsBegin[axis]
    if let over = (last - spatial[axis]).value { return over <= 0 }
    // floor((s - r) / t) * t + r is at most s.
    let free = spatial[axis] - reach
    return window.padsBegin[axis] == 0 && window.padsEnd[axis] == 0
      && window.output[axis] == free / Dim(window.strides[axis]) + 1
  }

  /// From the first element of a window to behind its last, along an axis.
  func reach(_ axis: Int) -> Int { window.dilations[axis] * (window.kernel[axis] - 1) + 1 }

  /// How many elements a mean divides by; i64.
  func elementCount(_ builder: BodyBuilder, _ index: [Expr], includingPadding: Bool) -> Expr {
    let (_, _, place) = layout.parts(index)
    var count = builder.constant(1, .i64)
    for axis in spatial.indices {
      let dilation = builder.constant(window.dilations[axis], .i64)
      let taps = builder.constant(window.kernel[axis], .i64)
      let begin = place[axis] * builder.constant(window.strides[axis], .i64) - builder.size(window.padsBegin[axis])
      let low = includingPadding ? -builder.size(window.padsBegin[axis]) : builder.constant(0, .i64)
      let high = includingPadding ? builder.size(spatial[axis] + window.padsEnd[axis]) : builder.size(spatial[axis])
      if staysInside(axis) && (includingPadding || window.padsBegin[axis] == 0) {
        count = count * taps
        continue
      }
      // Taps t with low <= begin + t * dilation < high.
      let one = builder.constant(1, .i64)
      let first = (low - begin + dilation - one).floorDivided(by: dilation).maximum(builder.constant(0, .i64))
      let past = (high - begin + dilation - one).floorDivided(by: dilation).minimum(taps)
      count = count * (past - first).maximum(one)
    }
    return count
  }
}

// MARK: - Gradients

extension MaxPool: Differentiable {
  /// Of equal elements of a window, the first has the gradient.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let x = try node.input(0)
    var op = PoolGradient(.maximum, window, ceilMode: ceilMode)
    op.channelsLast = channelsLast
    return [try node.gradient().applying(op, x, node.output)]
  }
}

extension AveragePool: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    var op = PoolGradient(.average, window, ceilMode: ceilMode, countIncludePad: countIncludePad)
    op.channelsLast = channelsLast
    return [try node.gradient().applying(op, try node.input(0))]
  }
}

extension LpPool: Differentiable {
  /// sign(x) · |x|^(p - 1) · Σ g · y^(1 - p) over the windows that cover an element; 0 where a norm is 0.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, y, g) = (try node.input(0), node.output, try node.gradient())
    let share = try (g * y.power(y.number(1 - Double(p)))).dropped(where: y.compare(.equal, 0))
    let sum = try share.applying(PoolGradient(.sum, window, ceilMode: ceilMode), x)
    if p == 1 { return [try sum * x.unary(.sign)] }
    return [try sum * x.unary(.sign) * x.unary(.abs).power(x.number(Double(p) - 1))]
  }
}
