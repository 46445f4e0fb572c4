import SinterCore
import SinterIR

/// The gradients of a convolution [n, c, spatial…] × [m, c / group, kernel…] → [n, m, spatial…], each as a convolution.
struct ConvolutionGradient {
  private let window: Window.Geometry
  private let group: Int
  private let input: [Dim]

  init(_ conv: Conv, x: TensorType, w: TensorType) throws {
    var settled = Obligations()
    window = try conv.geometry(x, w, &settled)
    group = conv.group
    input = Array(x.shape.dropFirst(2))
  }

  private var rank: Int { input.count }

  private func reach(_ axis: Int) -> Int { window.dilations[axis] * (window.kernel[axis] - 1) + 1 }

  private func begin(_ axis: Int) throws -> Int {
    if let number = window.padsBegin[axis].value { return number }
    throw DiagnosticError(
      .limit, "gradient.dynamic",
      "padding of axis \(axis) is \(window.padsBegin[axis]), but must be known ahead of time to be differentiated",
      hint: "give pads as numbers")
  }

  /// - Parameter g: the gradient of the result.
  func ofInput(_ g: GradientTensor, _ w: GradientTensor, like x: GradientTensor) throws -> GradientTensor {
    if let plain = try asConvolution(g, w, like: x) { return plain }
    var transposed = ConvTranspose()
    transposed.group = group
    (transposed.window.strides, transposed.window.dilations) = (window.strides, window.dilations)
    let begins = try (0..<rank).map { try begin($0) }
    // Elements behind the last window had no part in the result; with open sizes they are added after.
    let rests = (0..<rank).map { axis in
      input[axis] + window.padsBegin[axis] - Dim(reach(axis)) - (window.output[axis] - 1) * Dim(window.strides[axis])
    }
    var ends = [Int](repeating: 0, count: rank)
    var extra = [Int](repeating: 0, count: rank)
    var open: [Int] = []
    for axis in 0..<rank {
      guard let rest = rests[axis].value else {
        open.append(axis)
        continue
      }
      if rest < 0 {
        ends[axis] = -rest
      } else if rest < Swift.max(window.strides[axis], window.dilations[axis]) {
        extra[axis] = rest
      } else {
        open.append(axis)
      }
    }
    transposed.window.pads = begins + ends
    if extra.contains(where: { $0 != 0 }) { transposed.outputPadding = extra }
    var result = try g.applying(transposed, w)
    for axis in open {
      let size = try x.size(2 + axis)
      let missing = try (size - result.size(2 + axis)).applying(Variadic(.maximum), x.integers([0]))
      let pads = try result.tape.add(Concat(axis: 0), [x.integers([0]), missing])[0]
      result = try result.applying(Pad(), pads, nil, x.integers([2 + axis]))
      result = try result.applying(Slice(), x.integers([0]), size, x.integers([2 + axis]))
    }
    return try result.reshaped(like: x)
  }

  /// With steps of one, the plain convolution by the weights read backward; nil otherwise.
  private func asConvolution(
    _ g: GradientTensor, _ w: GradientTensor, like x: GradientTensor
  ) throws -> GradientTensor? {
    guard group == 1, window.strides.allSatisfy({ $0 == 1 }) else { return nil }
    var conv = Conv()
    conv.window.dilations = window.dilations
    let pads = try (0..<rank).map { axis in
      let begin = try begin(axis)
      return (reach(axis) - 1 - begin, (input[axis] - window.output[axis] + Dim(begin)).value)
    }
    let ends = pads.compactMap(\.1)
    guard ends.count == rank else { return nil }
    conv.window.pads = pads.map(\.0) + ends
    let axes = Array(2..<(2 + rank))
    let last = [Int](repeating: -1, count: rank)
    let past = [Int](repeating: Int(Int32.min), count: rank)
    let backward =
      window.kernel.allSatisfy { $0 == 1 }
      ? w : try w.applying(Slice(), x.integers(last), x.integers(past), x.integers(axes), x.integers(last))
    return try g.applying(conv, try backward.transposed([1, 0] + axes)).reshaped(like: x)
  }

  func ofWeights(_ x: GradientTensor, _ g: GradientTensor, like w: GradientTensor) throws -> GradientTensor {
    var conv = Conv()
    conv.group = group
    (conv.window.strides, conv.window.dilations) = (window.dilations, window.strides)
    // As many windows as the kernel has elements: what is left behind the last is cut.
    let begins = try (0..<rank).map { try begin($0) }
    var ends = [Int](repeating: 0, count: rank)
    for axis in 0..<rank {
      if !window.output[axis].isConstant || !input[axis].isConstant { return try ofOpenWeights(x, g, like: w) }
      let needed =
        Dim(window.dilations[axis] * (window.kernel[axis] - 1)) + (window.output[axis] - 1) * Dim(window.strides[axis])
        + 1
      guard let end = (needed - input[axis] - window.padsBegin[axis]).value else {
        return try ofOpenWeights(x, g, like: w)
      }
      ends[axis] = end
    }
    conv.window.pads = begins + ends
    let spatial = Array(2..<(2 + rank))
    var images = x
    if group == 1 {
      images = try x.transposed([1, 0] + spatial)
    } else {
      // [n, group, c / group, …] → [c / group, group · n, …]
      let parts = try x.applying(Reshape(), Self.shape(x, [.axis(0), .number(group), .number(-1)], spatial))
      let moved = try parts.transposed([2, 1, 0] + spatial.map { $0 + 1 })
      images = try moved.applying(Reshape(), Self.shape(moved, [.axis(0), .number(-1)], spatial.map { $0 + 1 }))
    }
    let result = try images.applying(conv, try g.transposed([1, 0] + spatial))
    return try result.transposed([1, 0] + spatial).reshaped(like: w)
  }

  /// The same for images of open sizes, which no window can be as large as: what each of the window's elements meets is laid out as a column,
  /// and all columns are multiplied by the gradient at once.
  private func ofOpenWeights(_ x: GradientTensor, _ g: GradientTensor, like w: GradientTensor) throws -> GradientTensor
  {
    let places = (0..<rank).map { 2 + $0 }
    func number(_ value: Int) -> GradientTensor { x.integers([value]) }
    // Behind the last element as many zeros as the last window reaches over.
    var padded = x
    for axis in 0..<rank {
      let count = try g.size(2 + axis)
      let needed = try (count - number(1)) * number(window.strides[axis]) + number(reach(axis))
      let begin = number(try begin(axis))
      let missing = try (needed - x.size(2 + axis) - begin).applying(Variadic(.maximum), number(0))
      padded = try padded.applying(
        Pad(), x.tape.add(Concat(axis: 0), [begin, missing])[0], nil, x.integers([2 + axis]))
    }
    let steps = x.integers(window.strides)
    let counts = try x.tape.add(Concat(axis: 0), places.map { try g.size($0) })[0]
    let span = try (counts - x.integers([Int](repeating: 1, count: rank))) * steps
    var columns: [GradientTensor] = []
    for tap in 0..<window.kernel.reduce(1, *) {
      var (rest, starts) = (tap, [Int](repeating: 0, count: rank))
      for axis in (0..<rank).reversed() {
        starts[axis] = rest % window.kernel[axis] * window.dilations[axis]
        rest /= window.kernel[axis]
      }
      let first = x.integers(starts)
      let past = try span + x.integers(starts.map { $0 + 1 })
      let met = try padded.applying(Slice(), first, past, x.integers(places), steps)
      // Sizes that are equal in any case are called alike.
      columns.append(try met.reshaped(to: [x.size(0), x.size(1)] + places.map { try g.size($0) }).unsqueezed([2]))
    }
    let all = try x.tape.add(Concat(axis: 2), columns)[0]
    let area = try places.dropFirst().reduce(g.size(2)) { try $0 * g.size($1) }
    // [n, group, c / group · window, places] and [n, group, m / group, places].
    let depth = try x.size(1).applying(Binary(.divide), number(group)) * number(columns.count)
    let rows = try g.reshaped(to: [g.size(0), number(group), g.size(1).applying(Binary(.divide), number(group)), area])
    let panels = try all.reshaped(to: [x.size(0), number(group), depth, area])
    let sums = try rows.tape.add(Einsum("bgmp,bgkp->gmk"), [rows, panels])[0]
    return try sums.reshaped(like: w)
  }

  private enum Size { case axis(Int), number(Int) }

  /// A shape of given sizes, and of some axes of a value behind them.
  private static func shape(_ value: GradientTensor, _ first: [Size], _ rest: [Int]) throws -> GradientTensor {
    let sizes = try (first + rest.map { .axis($0) }).map { size in
      switch size {
      case .axis(let axis): try value.size(axis)
      case .number(let number): value.integers([number])
      }
    }
    return try value.tape.add(Concat(axis: 0), sizes)[0]
  }
}
