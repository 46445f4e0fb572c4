import SinterCore
import SinterForms
import SinterIR

/// The gradient of a pool in its input: for each element of the input, the sum of what the windows hand to it that cover it. A maximum hands all
/// to the first element that is the greatest.
///
/// Inputs: the gradient of the pool's result, the pool's input, and for the maximum the pool's result.
public struct PoolGradient: Primitive {
  public static let name = "PoolGradient"
  public static let summary = "The gradient of MaxPool, of AveragePool or of a sum over windows in its input."

  /// The pool that is differentiated; `sum` is a pool that adds up its windows.
  public enum Kind: String, CaseIterable, Sendable { case maximum, average, sum }

  /// The pool that is differentiated.
  public var kind = Kind.maximum
  /// The pool's window.
  public var window = Window()
  /// Whether the pool counts windows that begin inside and end behind the padded input.
  public var ceilMode = false
  /// Of a mean: whether padding counts as elements.
  public var countIncludePad = false
  /// Whether channels are the last axis, else the second.
  public var channelsLast = false

  public init() {}
  /// The gradient of a pool with these attributes, channels second.
  public init(_ kind: Kind, _ window: Window, ceilMode: Bool, countIncludePad: Bool = false) {
    self.kind = kind
    self.window = window
    self.ceilMode = ceilMode
    self.countIncludePad = countIncludePad
  }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .maximum)
    window.attributes(&list)
    list.bool("ceil_mode", &ceilMode, default: false)
    list.bool("count_include_pad", &countIncludePad, default: false)
    list.bool("channels_last", &channelsLast, default: false)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (g, x) = (try inputs.tensor(0), try inputs.tensor(1))
    try requireElement(g) { $0.isFloat }
    let pool = try PoolGeometry(x, window, ceil: ceilMode, channelsLast: channelsLast, &obligations)
    for (index, name) in [(0, "the gradient"), (2, "the pool's result")] where index == 0 || kind == .maximum {
      let given = try inputs.tensor(index)
      guard given.rank == x.rank, given.element == x.element else {
        throw DiagnosticError(
          .user, "operator.type", "\(name) must be as the pool's result of \(x), but is \(given)")
      }
      _ = try obligations.equal(
        given.shape, pool.result, "sizes of \(name), which is \(given), and of the pool's result")
    }
    return [Fact(g.element, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (g, x) = (try node.input(0), try node.input(1))
    let pool = try PoolGeometry(x.type, window, ceil: ceilMode, channelsLast: channelsLast, result: g.type)
    let compute = g.element.computeType
    // Windows that may cover an element, along each axis.
    let counts = pool.spatial.indices.map {
      (pool.reach($0) + pool.window.strides[$0] - 1) / pool.window.strides[$0]
    }
    let claim = kind == .maximum ? try claim(pool, x, try node.input(2), &lowering) : nil
    let countIncludePad = countIncludePad
    let sum = try lowering.reduce(.sum, x.shape, over: counts.map { Dim($0) }) { builder, index, inner in
      func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
      let (batch, channel, place) = pool.layout.parts(index)
      var covers = builder.bool(true)
      var taps: [Expr] = []
      let at = pool.spatial.indices.map { axis in
        let (stride, dilation) = (pool.window.strides[axis], pool.window.dilations[axis])
        let padded = place[axis] + builder.size(pool.window.padsBegin[axis])
        let at = padded.floorDivided(by: number(stride)) - inner[axis]
        covers = covers && (at >= number(0)) && (at < builder.size(pool.window.output[axis]))
        let step = padded - at * number(stride)
        if pool.reach(axis) % stride != 0 { covers = covers && (step < number(pool.reach(axis))) }
        if dilation > 1 { covers = covers && (step.modulo(number(dilation)) .== number(0)) }
        taps.append(step.floorDivided(by: number(dilation)))
        return at
      }
      let from = pool.layout.index(batch, channel, at)
      let value = builder.load(g.id, from, where: covers).cast(to: compute)
      if let claim {
        let mine = claim(builder, from, taps, covers)
        return builder.select(covers && mine, value, builder.constant(0, compute))
      }
      if kind == .sum { return value.cast(to: compute) }
      return value / pool.elementCount(builder, from, includingPadding: countIncludePad).cast(to: compute)
    }
    return [try lowering.cast(sum, to: g.element)]
  }

  private typealias Claim = (_ builder: BodyBuilder, _ window: [Expr], _ taps: [Expr], _ covers: Expr) -> Expr

  /// Windows of more elements are searched once, by a reduction of their own.
  private static let comparedTaps = 9

  /// Whether the element at given taps of a window is the first that is the greatest of it.
  private func claim(
    _ pool: PoolGeometry, _ x: Operand, _ y: Operand, _ lowering: inout Lowering
  ) throws -> Claim {
    let kernel = pool.window.kernel
    let count = kernel.reduce(1, *)
    func position(_ builder: BodyBuilder, _ taps: [Expr]) -> Expr {
      zip(taps, kernel).reduce(builder.constant(0, .i64)) { $0 * builder.constant($1.1, .i64) + $1.0 }
    }
    guard count <= Self.comparedTaps else {
      let lowest = Combine.maximum.identity(of: x.element.computeType)
      let first = try lowering.reduce(.firstMaximumIndex, pool.result, over: pool.inner) { builder, index, tap in
        let (at, inside) = pool.place(builder, index, tap)
        return builder.load(x.id, at, where: inside, otherwise: lowest).cast(to: x.element.computeType)
      }
      return { builder, window, taps, covers in
        builder.load(first.id, window, where: covers) .== position(builder, taps)
      }
    }
    return { builder, window, taps, covers in
      let greatest = builder.load(y.id, window, where: covers)
      let own = position(builder, taps)
      var claimed = builder.bool(false)
      var isGreatest = builder.bool(false)
      for tap in 0..<count {
        var rest = tap
        var place = [Expr](repeating: own, count: kernel.count)
        for axis in kernel.indices.reversed() {
          place[axis] = builder.constant(rest % kernel[axis], .i64)
          rest /= kernel[axis]
        }
        let (at, inside) = pool.place(builder, window, place)
        let number = builder.constant(tap, .i64)
        let equal = builder.load(x.id, at, where: covers && inside) .== greatest
        isGreatest = isGreatest || ((own .== number) && equal)
        claimed = claimed || ((number < own) && inside && equal)
      }
      return isGreatest && builder.select(claimed, builder.bool(false), builder.bool(true))
    }
  }

  public static var examples: [OperatorExample] {
    var window = Window()
    (window.kernel, window.strides, window.pads) = ([3, 2], [2, 1], [1, 0, 1, 1])
    var wide = Window()
    (wide.kernel, wide.strides, wide.dilations) = ([2, 3], [2, 2], [1, 2])
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    func maximum(_ window: Window, _ x: HostTensor, _ g: [Int]) -> OperatorExample {
      var pool = MaxPool()
      pool.window = window
      return OperatorExample(
        PoolGradient(.maximum, window, ceilMode: false),
        [random(g.map { Dim($0) }), .given(x), .given(pool.result(of: x, g))])
    }
    var plain = Window()
    (plain.kernel, plain.strides) = ([2, 2], [2, 2])
    var (tall, large) = (Window(), Window())
    (tall.kernel, tall.strides) = ([3, 2], [2, 1])
    (large.kernel, large.strides) = ([4, 4], [1, 2])
    // Integers have equal elements in many windows.
    func numbers(_ shape: [Int]) -> HostTensor {
      HostTensor.f32(shape, (0..<shape.reduce(1, *)).map { Float($0 * 7 % 5) })
    }
    return [
      OperatorExample(PoolGradient(.average, window, ceilMode: false), [random([2, 3, 3, 5]), random([2, 3, 6, 5])]),
      OperatorExample(PoolGradient(.sum, window, ceilMode: false), [random([2, 3, 3, 5]), random([2, 3, 6, 5])]),
      OperatorExample(
        PoolGradient(.average, wide, ceilMode: false), [random(["n", 3, 3, 3]), random(["n", 3, 6, 9])],
        sizes: [Symbol("n"): 2]),
      maximum(plain, numbers([1, 2, 4, 6]), [1, 2, 2, 3]), maximum(tall, numbers([2, 1, 7, 5]), [2, 1, 3, 4]),
      maximum(large, numbers([1, 1, 8, 8]), [1, 1, 5, 3]),
    ]
  }
}

/// The same in operators that ONNX has: where a maximum came from is asked anew, and a mean's windows are those of a transposed convolution.
extension PoolGradient: Composite {
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    if channelsLast {
      throw DiagnosticError(
        .limit, "operator.layout", "the gradient of a pool whose channels are last has no form in ONNX")
    }
    let (g, x) = (try inputs.value(0), try inputs.value(1))
    let sum = kind == .maximum ? try scattered(g, x, &builder) : try spread(g, x, &builder)
    return [try builder.add1(Reshape(allowZero: true), [sum, try builder.add1(Shape(), [x])])]
  }

  private func scattered(_ g: ValueID, _ x: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
    var (pool, scatter, zeros) = (MaxPool(), ScatterElements(), ConstantOfShape())
    (pool.window, pool.ceilMode) = (window, ceilMode)
    scatter.reduction = .add
    zeros.value = try HostTensor(scalar: 0, try builder.type(g).element).reshaped([1])
    let line = builder.integers([-1])
    let positions = try builder.add1(Reshape(), [try builder.add(pool, [x], outputs: 2)[1], line])
    let count = try builder.add1(Reshape(), [try builder.add1(Size(), [x]), line])
    return try builder.add1(
      scatter, [try builder.add1(zeros, [count]), positions, try builder.add1(Reshape(), [g, line])])
  }

  private func spread(_ g: ValueID, _ x: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
    var settled = Obligations()
    let (type, element) = (try builder.type(x), try builder.type(g).element)
    let pool = try PoolGeometry(type, window, ceil: ceilMode, channelsLast: false, &settled)
    let sizes = pool.spatial.indices.compactMap { axis -> (input: Int, output: Int, before: Int, after: Int)? in
      guard let input = pool.spatial[axis].value, let output = pool.window.output[axis].value,
        let before = pool.window.padsBegin[axis].value, let after = pool.window.padsEnd[axis].value
      else { return nil }
      return (input, output, before, after)
    }
    guard sizes.count == pool.spatial.count else {
      throw DiagnosticError(
        .limit, "operator.sizes", "the gradient of a pool over windows of \(type) has no form in ONNX",
        hint: "give images of a fixed height and width")
    }
    // How many elements a mean divides by, along each axis and then in all.
    var counts: [Float] = [1]
    for (axis, size) in sizes.enumerated() {
      let low = countIncludePad ? -size.before : 0
      let high = countIncludePad ? size.input + size.after : size.input
      let along = (0..<size.output).map { place in
        let begin = place * pool.window.strides[axis] - size.before
        let taps = (0..<pool.window.kernel[axis]).count { tap in
          (low..<high).contains(begin + tap * pool.window.dilations[axis])
        }
        return Float(Swift.max(taps, 1))
      }
      counts = counts.flatMap { count in along.map { count * $0 } }
    }
    var share = g
    if kind == .average {
      let divisor = builder.constant(.f32([1, 1] + sizes.map(\.output), counts))
      share = try builder.add1(Binary(.divide), [g, try builder.add1(Cast(to: element), [divisor])])
    }
    let images = try builder.add1(Reshape(), [share, builder.integers([-1, 1] + sizes.map(\.output))])
    var transposed = ConvTranspose()
    (transposed.window.strides, transposed.window.dilations) = (pool.window.strides, pool.window.dilations)
    let kernel = pool.window.kernel
    let weights = builder.constant(
      .f32([1, 1] + kernel, [Float](repeating: 1, count: kernel.reduce(1, *))))
    let sum = try builder.add1(transposed, [images, try builder.add1(Cast(to: element), [weights])])
    // Negative pads cut.
    let ends = sizes.enumerated().map { axis, size in
      size.before + size.input - (size.output - 1) * pool.window.strides[axis] - pool.reach(axis)
    }
    return try builder.add1(Pad(), [sum, builder.integers([0, 0] + sizes.map { -$0.before } + [0, 0] + ends)])
  }
}

extension PoolGradient: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let cotangent = try node.gradient()
    switch kind {
    case .average:
      var pool = AveragePool()
      (pool.window, pool.ceilMode, pool.countIncludePad) = (window, ceilMode, countIncludePad)
      return [try cotangent.applying(pool), nil]
    case .sum:
      guard !ceilMode else {
        throw DiagnosticError(
          .limit, "gradient.operator", "sums over windows whose number is rounded up have no second derivative")
      }
      // Padding counts, so that all windows have as many elements.
      var pool = AveragePool()
      (pool.window, pool.countIncludePad) = (window, true)
      return [try cotangent.applying(pool) * Double(window.kernel.reduce(1, *)), nil]
    case .maximum:
      let (x, y) = (try node.input(1), try node.input(2))
      var pool = MaxPool()
      (pool.window, pool.ceilMode) = (window, ceilMode)
      let positions = try node.tape.add(pool, [x], outputs: 2)[1]
      let picked = try cotangent.flat().applying(Gather(axis: 0), positions.flat())
      return [try picked.reshaped(like: y), nil, nil]
    }
  }
}

extension MaxPool {
  /// The result for an example's input, in plain loops over two spatial axes without padding.
  fileprivate func result(of x: HostTensor, _ shape: [Int]) -> HostTensor {
    let values = x.array(of: Float.self)
    let (height, width) = (x.shape[2], x.shape[3])
    var result: [Float] = []
    for image in 0..<(shape[0] * shape[1]) {
      for row in 0..<shape[2] {
        for column in 0..<shape[3] {
          var greatest = -Float.infinity
          for tap in 0..<(window.kernel[0] * window.kernel[1]) {
            let (y, x) = (
              row * window.strides[0] + tap / window.kernel[1], column * window.strides[1] + tap % window.kernel[1]
            )
            greatest = Swift.max(greatest, values[(image * height + y) * width + x])
          }
          result.append(greatest)
        }
      }
    }
    return .f32(shape, result)
  }
}
