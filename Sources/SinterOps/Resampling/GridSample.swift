import SinterCore
import SinterForms
import SinterIR

/// An image sampled at places that a grid names, in coordinates from -1 to 1, the last axis' first: x [n, c, spatial…] and the grid [n,
/// places…, d] give [n, c, places…].
public struct GridSample: Primitive {
  public static let name = "GridSample"
  public static let summary = "An image sampled at the places that a grid names."

  /// How a result follows from the elements around its place.
  public enum Mode: String, CaseIterable, Sendable { case linear, nearest, cubic }
  /// What lies beyond the image: zeros, its nearest element, or the image mirrored at its border.
  public enum Padding: String, CaseIterable, Sendable { case zeros, border, reflection }

  /// Whether -1 and 1 are the centers of the outermost elements, else their outer edges.
  public var alignsCorners = false
  public var mode = Mode.linear
  /// What lies beyond the image.
  public var padding = Padding.zeros

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("align_corners", &alignsCorners, default: false)
    list.choice("mode", &mode, default: .linear)
    list.choice("padding_mode", &padding, default: .zeros)
  }

  public static var onnx: [OnnxRule] {
    [.direct(GridSample.self, since: 20), ofImages(since: 16), ofImages(domain: .microsoft)]
  }

  /// The rule where modes have the names of images.
  private static func ofImages(domain: String = "", since: Int = 1) -> OnnxRule {
    OnnxRule("GridSample", domain: domain, since: since) { node, builder in
      var renamed = node
      let names = ["bilinear": "linear", "bicubic": "cubic"]
      if let mode = node.string("mode") { renamed.attributes["mode"] = .string(names[mode] ?? mode) }
      var op = GridSample()
      var reader = OnnxAttributeReader(renamed)
      op.attributes(&reader)
      try reader.finish()
      return try builder.add(op, node.inputs)
    }
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 20) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, grid) = (try inputs.tensor(0), try inputs.tensor(1))
    guard x.rank >= 3, grid.rank == x.rank else {
      throw DiagnosticError(
        .user, "gridsample.shape", "the grid must be [n, places…, \(x.rank - 2)] for \(x), but is \(grid)")
    }
    try obligations.equal(
      grid.shape[grid.rank - 1], Dim(x.rank - 2),
      "size of the last axis of the grid, which is \(grid), and \(x.rank - 2) for \(x)")
    for axis in 2..<x.rank { try obligations.atLeast(x.shape[axis], 1, "size of axis \(axis) of \(x)") }
    let batch = try obligations.equal(
      x.shape[0], grid.shape[0], "sizes of axis 0 of \(x) and of the grid, which is \(grid),")
    return [Fact(x.element, [batch, x.shape[1]] + grid.shape[1..<(grid.rank - 1)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, grid) = (try node.input(0), try node.input(1))
    let spatial = x.rank - 2
    return [
      try lowering.element(try node.output().shape) { builder, index in
        let coordinates = (0..<spatial).map { axis in
          let which = builder.constant(spatial - 1 - axis, .i64)
          let place = builder.load(grid.id, [index[0]] + index[2...] + [which]).cast(to: .f32)
          return coordinate(place, size: builder.size(x.shape[axis + 2]).cast(to: .f32))
        }
        let taps = zip(coordinates, x.shape[2...]).map { self.taps($0, size: $1) }
        return sum(builder, x, Array(index[..<2]), taps[...]).cast(to: x.element)
      }
    ]
  }

  private func sum(_ builder: BodyBuilder, _ x: Operand, _ index: [Expr], _ taps: ArraySlice<[Tap]>) -> Expr {
    guard let own = taps.first else { return builder.load(x.id, index).cast(to: x.element.computeType) }
    let terms = own.map { tap in
      let value = sum(builder, x, index + [tap.place], taps.dropFirst())
      guard let isInside = tap.isInside else { return tap.weight.map { value * $0.cast(to: value.type) } ?? value }
      let kept = builder.select(isInside, value, builder.constant(0, value.type))
      return tap.weight.map { kept * $0.cast(to: value.type) } ?? kept
    }
    return terms.dropFirst().reduce(terms[0]) { $0 + $1 }
  }

  /// One element along an axis that counts for a sample.
  private struct Tap {
    /// Always within the axis.
    var place: Expr
    var weight: Expr?
    /// Where it is false the element counts as zero.
    var isInside: Expr?
  }

  /// A place from -1 to 1 in elements, moved into the axis as padding has it.
  private func coordinate(_ place: Expr, size: Expr) -> Expr {
    let builder = place.builder
    var x = alignsCorners ? (place + 1) * 0.5 * (size - 1) : ((place + 1) * size - 1) * 0.5
    if mode == .nearest { x = x.unary(.round) }
    switch padding {
    case .zeros: return x
    case .border:
      // Each of cubic's taps is held inside by itself; from three elements beyond a border on, all of them are the border's.
      let margin = mode == .cubic ? 3.0 : 0
      return x.clamped(builder.constant(-margin, .f32), size - 1 + margin)
    case .reflection: return reflected(x, size)
    }
  }

  /// A coordinate mirrored at the borders of the axis until it lies within.
  private func reflected(_ x: Expr, _ size: Expr) -> Expr {
    let builder = x.builder
    let low = builder.constant(alignsCorners ? 0 : -0.5, .f32)
    let width = (alignsCorners ? size - 1 : size).maximum(builder.constant(1e-6, .f32))
    let phase = (x - low).modulo(width * 2)
    return low + builder.select(phase <= width, phase, width * 2 - phase)
  }

  private func taps(_ x: Expr, size: Dim) -> [Tap] {
    let builder = x.builder
    func tap(_ place: Expr, _ weight: Expr?) -> Tap {
      let (zero, last) = (builder.constant(0, .i64), builder.size(size - 1))
      switch padding {
      case .zeros:
        return Tap(
          place: place.clamped(zero, last), weight: weight, isInside: place >= zero && place < builder.size(size))
      case .border: return Tap(place: place.clamped(zero, last), weight: weight)
      case .reflection:
        let extent = builder.size(size).cast(to: .f32)
        let mirrored = reflected(place.cast(to: .f32), extent).cast(to: .i64)
        return Tap(place: mirrored.clamped(zero, last), weight: weight)
      }
    }
    let base = x.unary(.floor)
    let first = base.cast(to: .i64)
    let t = x - base
    switch mode {
    case .nearest: return [tap(x.unary(.round).cast(to: .i64), nil)]
    case .linear: return [tap(first, 1 - t), tap(first + builder.constant(1, .i64), t)]
    case .cubic:
      let a = -0.75
      func near(_ d: Expr) -> Expr { ((d * (a + 2)) - (a + 3)) * d * d + 1 }
      func far(_ d: Expr) -> Expr { ((d * a - 5 * a) * d + 8 * a) * d - 4 * a }
      let weights = [far(t + 1), near(t), near(1 - t), far(2 - t)]
      return weights.enumerated().map { number, weight in tap(first + builder.constant(number - 1, .i64), weight) }
    }
  }

  public static var examples: [OperatorExample] {
    Mode.allCases.flatMap { mode in
      Padding.allCases.map { padding in
        var op = GridSample()
        op.mode = mode
        op.padding = padding
        op.alignsCorners = padding == .border
        return OperatorExample(
          op,
          [.random(TensorType(.f32, ["n", 2, 4, 5]), -1...1), .random(TensorType(.f32, ["n", 3, 2, 2]), -1.4...1.4)],
          sizes: [Symbol("n"): 2])
      }
    } + [
      OperatorExample(
        GridSample(),
        [
          .random(TensorType(.f32, ["n", "c", "h", "w"]), -1...1),
          .random(TensorType(.f32, ["m", "p", "q", "d"]), -1.4...1.4),
        ],
        sizes: Dictionary(
          uniqueKeysWithValues: [("n", 2), ("c", 2), ("h", 4), ("w", 1), ("m", 2), ("p", 3), ("q", 2), ("d", 2)].map {
            (Symbol($0.0), $0.1)
          }))
    ]
  }
}

extension GridSample: Composite {
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.require(by: Self.name) { _ = try infer(inputs, requiring: &$0) }
    let tape = GradientTape(builder)
    defer { builder = tape.builder }
    let (x, given) = (GradientTensor(try inputs.value(0), tape), GradientTensor(try inputs.value(1), tape))
    let rank = try x.rank
    let spatial = rank - 2
    let grid = try given.flattened(from: 1, to: spatial).cast(to: try given.element == .f64 ? .f64 : .f32)
    let parts = try grid.split(into: spatial, along: 2).map { try $0.squeezed([2]) }
    let places = try SampledPlaces(x)
    let taps = try (0..<spatial).map { axis in
      let size = try places.size(axis).cast(to: try grid.element)
      return try self.taps(coordinate(parts[spatial - 1 - axis], size: size), size: size, axis, places)
    }
    let samples = try places.sum(taps).transposed([0, 2, 1])
    let sizes = try [x.size(0), x.size(1)] + (0..<spatial).map { try given.size($0 + 1) }
    return [try samples.reshaped(to: sizes).id]
  }

  private func coordinate(_ place: GradientTensor, size: GradientTensor) throws -> GradientTensor {
    var x = try alignsCorners ? (place + 1) * 0.5 * (size - 1) : ((place + 1) * size - 1) * 0.5
    if mode == .nearest { x = try x.unary(.round) }
    switch padding {
    case .zeros: return x
    case .border:
      let margin = mode == .cubic ? 3.0 : 0
      let above = try x.tape.add(Variadic(.maximum), [x, x.number(-margin)])[0]
      return try x.tape.add(Variadic(.minimum), [above, size - 1 + margin])[0]
    case .reflection: return try reflected(x, size)
    }
  }

  private func reflected(_ x: GradientTensor, _ size: GradientTensor) throws -> GradientTensor {
    let low = alignsCorners ? 0.0 : -0.5
    let width = try x.tape.add(Variadic(.maximum), [alignsCorners ? size - 1 : size, size.number(1e-6)])[0]
    let twice = try width * 2
    let phase = try (x - low).applying(Binary(.modulo), twice)
    return try phase.compare(.lessOrEqual, width).applying(Where(), phase, twice - phase) + low
  }

  private func taps(
    _ x: GradientTensor, size: GradientTensor, _ axis: Int, _ places: SampledPlaces
  ) throws -> [SampledPlaces.Tap] {
    func tap(_ place: GradientTensor, _ weight: GradientTensor?) throws -> SampledPlaces.Tap {
      switch padding {
      case .zeros: return try places.tap(place, weight, axis)
      case .border: return .init(place: try places.held(place, axis), weight: weight)
      case .reflection:
        let mirrored = try reflected(place.cast(to: try x.element), size).cast(to: .i64)
        return .init(place: try places.held(mirrored, axis), weight: weight)
      }
    }
    let base = try x.unary(.floor)
    let first = try base.cast(to: .i64)
    let t = try x - base
    switch mode {
    case .nearest: return [try tap(x.unary(.round).cast(to: .i64), nil)]
    case .linear: return [try tap(first, 1 - t), try tap(first + first.integers([1]), t)]
    case .cubic:
      let a = -0.75
      func near(_ d: GradientTensor) throws -> GradientTensor { try ((d * (a + 2)) - (a + 3)) * d * d + 1 }
      func far(_ d: GradientTensor) throws -> GradientTensor { try ((d * a - 5 * a) * d + 8 * a) * d - 4 * a }
      let weights = [try far(t + 1), try near(t), try near(1 - t), try far(2 - t)]
      return try weights.enumerated().map { try tap(first + first.integers([$0 - 1]), $1) }
    }
  }
}
