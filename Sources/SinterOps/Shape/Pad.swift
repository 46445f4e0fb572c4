import SinterCore
import SinterForms
import SinterIR

/// Elements added before and after each axis, or removed where `pads` is negative. Inputs: data, pads (all begins, then all ends), the
/// constant (0), axes (all).
public struct Pad: Primitive {
  public static let name = "Pad"
  public static let summary = "Borders added: constant, the edge, mirrored, or wrapped around."

  /// What the borders hold: a number, the input mirrored without its outermost element, its outermost element, or the
  /// input from its other end.
  public enum Mode: String, CaseIterable, Sendable { case constant, reflect, edge, wrap }

  public var mode = Mode.constant

  public init() {}
  /// Borders of a kind.
  public init(_ mode: Mode) { self.mode = mode }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("mode", &mode, default: .constant)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(Pad.self, since: 11),
      OnnxRule("Pad", domain: .microsoft) { node, builder in
        // The pads may be the one row of a matrix.
        var op = Pad()
        var reader = OnnxAttributeReader(node)
        op.attributes(&reader)
        try reader.finish()
        var inputs = node.inputs
        if let pads = node.input(1), try builder.type(pads).rank == 2 {
          inputs[1] = try builder.add1(Squeeze(), [pads, builder.integers([0])])
        }
        return try builder.add(op, inputs)
      },
      OnnxRule("Pad", since: 1) { node, builder in
        var op = Pad()
        var reader = OnnxAttributeReader(node)
        op.attributes(&reader)
        try reader.finish()
        let pads = builder.integers(node.ints("pads") ?? node.ints("paddings") ?? [])
        var inputs = [node.input(0), pads]
        if let x = node.input(0), let value = node.float("value"), value != 0 {
          inputs.append(try builder.scalar(value, try builder.type(x).element))
        }
        return try builder.add(op, inputs)
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, since: mode == .wrap ? 19 : inputs.has(3) ? 18 : 11)
  }

  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(1, isSigned: true)] }

  /// Begin and end of each axis; nil where the axes are known only at run time.
  private func pads(_ inputs: NodeInputs) throws -> [(begin: Dim, end: Dim)]? {
    let x = try inputs.tensor(0)
    if inputs.has(3), inputs.integers(3) == nil { return nil }
    let pads = try inputs.knownSizes(1, "pads")
    let axes = try (inputs.optionalIntegers(3, "axes") ?? Array(0..<x.rank)).map {
      try normalizedAxis($0, rank: x.rank, name: "axes")
    }
    guard pads.count == 2 * axes.count else {
      throw DiagnosticError(.user, "pad.count", "pads must have \(2 * axes.count) entries for \(x), but is \(pads)")
    }
    var result = x.shape.map { _ in (begin: Dim(0), end: Dim(0)) }
    for (k, axis) in axes.enumerated() { result[axis] = (pads[k], pads[k + axes.count]) }
    return result
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    if inputs.has(2) {
      let value = try inputs.tensor(2)
      guard value.element == x.element else {
        throw DiagnosticError(.user, "operator.type", "the constant must be one \(x.element), but is \(value)")
      }
      try obligations.scalar(value, "the constant")
    }
    if let pads = try pads(inputs) {
      let shape = zip(x.shape, pads).map { $0 + $1.begin + $1.end }
      for (axis, size) in shape.enumerated() {
        let (begin, end) = pads[axis]
        try obligations.atLeast(size, 0, "size of axis \(axis) of \(x), padded by \(begin) and \(end),")
        try requireSource(
          x.shape[axis], begin, end, "what pads of \(begin) and \(end) leave of axis \(axis) of \(x)", &obligations)
      }
      return [Fact(x.element, shape)]
    }
    let (pads, axes) = (try inputs.knownSizes(1, "pads"), try inputs.countOfAxes(3, rank: x.rank))
    guard pads.count == 2 * axes else {
      throw DiagnosticError(.user, "pad.count", "pads must have \(2 * axes) entries for as many axes, but is \(pads)")
    }
    // Which axis has which pads is not known: each must do for all.
    for k in 0..<axes where mode != .constant {
      for size in x.shape {
        let (begin, end) = (pads[k], pads[k + axes])
        try requireSource(size, begin, end, "what pads of \(begin) and \(end) leave of any axis of \(x)", &obligations)
      }
    }
    return [Fact(x.element, inputs.freshShape(rank: x.rank))]
  }

  /// Other modes than `constant` copy what negative pads leave: that must be enough.
  private func requireSource(
    _ size: Dim, _ begin: Dim, _ end: Dim, _ subject: @autoclosure () -> String, _ obligations: inout Obligations
  ) throws {
    let left = size - (-begin).clampedToZero - (-end).clampedToZero
    let (before, after) = (begin.clampedToZero, end.clampedToZero)
    if before == 0 && after == 0 { return }
    switch mode {
    case .constant: break
    case .edge, .wrap: try obligations.atLeast(left, Dim.min(before + after, 1), subject())
    case .reflect:
      // The border itself is not repeated.
      for pad in [before, after] where pad != 0 { try obligations.atLeast(left, pad + Dim.min(pad, 1), subject()) }
    }
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    let pads = try pads(node.facts)
    let open = node.has(3) && pads == nil ? NamedAxes(try node.input(3), rank: x.rank) : nil
    let given = try node.facts.knownSizes(1, "pads")
    if let open {
      try lowering.defineSizes(shape, of: "the result, whose axes or pads are not right,") { builder, axis in
        let (begin, end) = openPads(builder, open, given, axis)
        return builder.select(
          open.areRight(builder, mayRepeat: false), builder.size(x.shape[axis]) + begin + end,
          builder.constant(-1, .i64))
      }
    }
    let zero: Scalar = x.element.isFloat ? .float(0) : .int(0)
    let known = node.has(2) ? node.facts.constant(2)?.uniformScalar : zero
    return [
      try lowering.element(shape) { builder, index in
        let amounts = x.shape.indices.map { axis in
          pads.map { (begin: builder.size($0[axis].begin), end: builder.size($0[axis].end)) }
            ?? open.map { openPads(builder, $0, given, axis) }
            ?? (begin: builder.constant(0, .i64), end: builder.constant(0, .i64))
        }
        let places = zip(index, amounts).map { $0 - $1.begin }
        if mode != .constant {
          return builder.load(
            x.id,
            places.indices.map { axis in
              if let own = pads?[axis], own.begin == 0, own.end == 0 { return index[axis] }
              return source(builder, places[axis], x.shape[axis], amounts[axis], pads?[axis])
            })
        }
        var inside = builder.bool(true)
        for axis in places.indices where pads.map({ $0[axis].begin != 0 || $0[axis].end != 0 }) ?? true {
          let isBehindBegin = places[axis] >= builder.constant(0, .i64)
          inside = inside && (isBehindBegin && (places[axis] < builder.size(x.shape[axis])))
        }
        if let known {
          return builder.load(x.id, places, where: inside, otherwise: known)
        }
        let value = try node.input(2)
        let outside = builder.load(value.id, value.shape.map { _ in builder.constant(0, .i64) })
        return builder.select(inside, builder.load(x.id, places, where: inside), outside)
      }
    ]
  }

  /// The element that stands at a place of the input that lies outside, or that a negative pad removes.
  private func source(
    _ builder: BodyBuilder, _ place: Expr, _ size: Dim, _ pads: (begin: Expr, end: Expr),
    _ known: (begin: Dim, end: Dim)?
  ) -> Expr {
    let (zero, one) = (builder.constant(0, .i64), builder.constant(1, .i64))
    // What is left of the axis begins here.
    let first = known.map { builder.size((-$0.begin).clampedToZero) } ?? (-pads.begin).maximum(zero)
    let cut = known.map { builder.size((-$0.end).clampedToZero) } ?? (-pads.end).maximum(zero)
    let extent = builder.size(size) - first - cut
    let own = place - first
    switch mode {
    case .constant: return place
    case .edge: return first + own.clamped(zero, extent - one)
    case .wrap: return first + own.modulo(extent)
    case .reflect:
      let forth = own.maximum(-own)
      return first + forth.minimum((extent - one) * 2 - forth)
    }
  }

  /// The pads of an axis where the axes are read at run time.
  private func openPads(
    _ builder: BodyBuilder, _ axes: NamedAxes, _ pads: [Dim], _ axis: Int
  ) -> (begin: Expr, end: Expr) {
    var result = (begin: builder.constant(0, .i64), end: builder.constant(0, .i64))
    for k in 0..<axes.count {
      let isHere = axes.isAxis(builder, k, axis)
      result.begin = builder.select(isHere, builder.size(pads[k]), result.begin)
      result.end = builder.select(isHere, builder.size(pads[k + axes.count]), result.end)
    }
    return result
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 4]), -1...1)
    let sizes = [Symbol("n"): 3]
    let open = OperatorExample.Input.random(TensorType(.f32, ["n", "m"]), -1...1)
    let openSizes = [Symbol("n"): 3, Symbol("m"): 2]
    return Mode.allCases.map {
      OperatorExample(Pad($0), [x, .constant(.i64([4], [1, 2, 0, 1]))], sizes: sizes)
    } + [
      OperatorExample(
        Pad(), [x, .constant(.i64([2], [1, -1])), .given(.f32([], [3])), .constant(.i64([1], [-1]))], sizes: sizes),
      OperatorExample(Pad(), [x, .constant(.i64([4], [0, -1, 2, -1])), .constant(.f32([], [7]))], sizes: sizes),
      OperatorExample(
        Pad(), [.given(.i64([2], [1, .min])), .constant(.i64([2], [1, 1])), .constant(.i64([], [.max]))]),
      OperatorExample(Pad(.wrap), [x, .constant(.i64([4], [-1, 2, 3, -1]))], sizes: sizes),
      OperatorExample(Pad(.reflect), [x, .constant(.i64([4], [1, -1, -1, 2]))], sizes: sizes),
      OperatorExample(Pad(.edge), [open, .given(.i64([4], [1, -1, 0, 2]))], sizes: openSizes),
      OperatorExample(Pad(), [open, .given(.i64([4], [1, -1, 0, 2])), .given(.f32([], [3]))], sizes: openSizes),
      OperatorExample(Pad(), [open, .given(.i64([2], [1, -1])), .absent, .given(.i64([1], [-2]))], sizes: openSizes),
      OperatorExample(
        Pad(), [open, .given(.i64([4], [1, -1, 0, 2])), .random(TensorType(.f32, []), -1...1)], sizes: openSizes),
      OperatorExample(
        Pad(.reflect), [open, .given(.i64([2], [1, 1])), .absent, .given(.i64([1], [-1]))], sizes: openSizes),
    ]
  }
}

extension Pad: Differentiable {
  /// Each element of the padded tensor goes back to where it was copied from, those of the border to the constant.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    mode == .constant ? try constantGradients(node) : [try copiedGradient(node)]
  }

  /// What was added is removed, and zeros stand where something was removed.
  private func constantGradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    let axes = node.has(3) ? try node.input(3) : nil
    let known = try pads(node.facts)?.map { (begin: $0.begin.value ?? -1, end: $0.end.value ?? -1) }
    var result = g
    if let known, known.allSatisfy({ $0.begin >= 0 && $0.end >= 0 }) {
      for (axis, pad) in known.enumerated() where pad.begin != 0 || pad.end != 0 {
        let first = x.integers([pad.begin])
        result = try result.applying(Slice(), first, x.size(axis) + first, x.integers([axis]))
      }
    } else {
      result = try g.applying(Pad(), -node.input(1), nil, axes).reshaped(like: x)
    }
    guard node.wants(2) else { return [result] }
    let border = try g - result.applying(Pad(), node.input(1), nil, axes).reshaped(like: g)
    return [result, nil, try border.sum(Array(0..<g.rank), keepsAxes: false).reshaped(like: node.input(2))]
  }

  /// Axis by axis: the places along it, padded the same way, tell where elements came from.
  private func copiedGradient(_ node: GradientNode) throws -> GradientTensor {
    let (x, known) = (try node.input(0), try pads(node.facts))
    var result = try node.gradient()
    for axis in try 0..<x.rank {
      if let known, known[axis].begin == 0, known[axis].end == 0 { continue }
      let places = try x.positions(along: axis).applying(self, try amounts(axis, node))
      result = try result.scattered(to: places, along: axis, size: x.size(axis))
    }
    return result
  }

  /// The two pads of an axis; i64 of two elements.
  private func amounts(_ axis: Int, _ node: GradientNode) throws -> GradientTensor {
    let (x, pads) = (try node.input(0), try node.input(1))
    if let known = try self.pads(node.facts)?[axis], let begin = known.begin.value, let end = known.end.value {
      return x.integers([begin, end])
    }
    let rank = try x.rank
    let axes = node.has(3) ? try node.input(3).cast(to: .i64) : x.integers(Array(0..<rank))
    let isHere = try axes.compare(.equal, axes.integers([axis]))
      .applying(Binary(.or), axes.compare(.equal, axes.integers([axis - rank])))
    return try pads.applying(Reshape(), x.integers([2, -1])).kept(where: isHere).sum([1], keepsAxes: false)
  }
}
