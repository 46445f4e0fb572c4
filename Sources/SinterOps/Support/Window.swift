import SinterCore
import SinterForms
import SinterIR

/// The attributes that Conv and the pools share: a window that moves over the spatial axes.
public struct Window: Sendable {
  /// How padding follows from sizes, where it is not given: ONNX's `auto_pad`.
  public enum AutoPad: String, CaseIterable, Sendable {
    case notSet = "NOTSET"
    case sameUpper = "SAME_UPPER"
    case sameLower = "SAME_LOWER"
    case valid = "VALID"
  }

  /// Whether padding is given, or follows from sizes.
  public var autoPad = AutoPad.notSet
  /// The size along each spatial axis; empty: that of the weights.
  public var kernel: [Int] = []
  /// The distance between windows along each axis; empty: 1.
  public var strides: [Int] = []
  /// The distance between elements of a window along each axis; empty: 1.
  public var dilations: [Int] = []
  /// All begins, then all ends.
  public var pads: [Int] = []

  public init() {}

  mutating func attributes(_ list: inout some AttributeList) {
    list.choice("auto_pad", &autoPad, default: .notSet)
    list.ints("dilations", &dilations, default: [])
    list.ints("kernel_shape", &kernel, default: [])
    list.ints("pads", &pads, default: [])
    list.ints("strides", &strides, default: [])
  }

  /// Where a window lies along each spatial axis of an input.
  struct Geometry {
    var kernel: [Int], strides: [Int], dilations: [Int]
    var padsBegin: [Dim], padsEnd: [Dim]
    var output: [Dim]
  }

  /// The window's sizes, which are those of weights behind their first two axes. Where these are open, the attribute says what they must be.
  func kernel(of weights: TensorType, _ obligations: inout Obligations) throws -> [Int] {
    let sizes = weights.shape.dropFirst(2)
    guard kernel.isEmpty || kernel.count == sizes.count else {
      throw DiagnosticError(.user, "window.kernel", "kernel_shape is \(kernel), but the weights are \(weights)")
    }
    return try sizes.enumerated().map { axis, size in
      let known =
        kernel.isEmpty
        ? size
        : try obligations.equal(size, Dim(kernel[axis]), "kernel_shape \(kernel) and sizes of the weights \(weights)")
      guard let number = known.value, (1...Self.limit).contains(number) else {
        if !known.isConstant {
          throw DiagnosticError(
            .limit, "conv.kernel", "the kernel's size must be known ahead of time, but the weights are \(weights)",
            hint: "give kernel_shape")
        }
        throw DiagnosticError(.user, "window.kernel", "a kernel must have elements, but the weights are \(weights)")
      }
      return number
    }
  }

  /// How windows are counted.
  enum Counting: Equatable {
    /// A convolution's: all lie inside of the padded input, and there is at least one.
    case inside
    /// A pool's: one may reach behind the end by less than a step where it is the only one, or with `ceil` where it is the last one.
    case pool(ceil: Bool)
  }

  /// - Parameters:
  ///   - spatial: the sizes of the input's spatial axes.
  ///   - kernelShape: the window's sizes where an operand gives them.
  func geometry(
    _ spatial: [Dim], kernelShape: [Int]? = nil, _ counting: Counting, _ obligations: inout Obligations
  ) throws -> Geometry {
    let rank = spatial.count
    let kernel = kernelShape ?? self.kernel
    let strides = self.strides.isEmpty ? [Int](repeating: 1, count: rank) : self.strides
    let dilations = self.dilations.isEmpty ? [Int](repeating: 1, count: rank) : self.dilations
    let pads = self.pads.isEmpty ? [Int](repeating: 0, count: 2 * rank) : self.pads
    try check(kernel, "kernel_shape", count: rank, atLeast: 1)
    try check(strides, "strides", count: rank, atLeast: 1)
    try check(dilations, "dilations", count: rank, atLeast: 1)
    try check(pads, "pads", count: 2 * rank, atLeast: nil)
    var geometry = Geometry(
      kernel: kernel, strides: strides, dilations: dilations, padsBegin: [], padsEnd: [], output: [])
    for axis in 0..<rank {
      let reach = Dim(dilations[axis] * (kernel[axis] - 1) + 1)
      let stride = Dim(strides[axis])
      let size = spatial[axis]
      var begin = Dim(pads[axis])
      var end = Dim(pads[axis + rank])
      switch autoPad {
      case .notSet, .valid:
        if autoPad == .valid { (begin, end) = (0, 0) }
        let padded = size + begin + end
        // Less than two steps short of a window: no window, but no mistake either.
        try obligations.atLeast(
          padded, counting == .inside ? reach : reach - stride * 2 + 1,
          "padded size of spatial axis \(axis) of \(Broadcast.list(spatial))")
        geometry.output.append(
          Self.count(free: padded - reach, limit: size + begin, stride: strides[axis], counting, obligations.ranges))
      case .sameUpper, .sameLower:
        if counting == .inside {
          try obligations.atLeast(size, 1, "size of spatial axis \(axis) of \(Broadcast.list(spatial))")
        }
        let count = size.ceilDivided(by: stride)
        let total = Dim.max((count - 1) * stride + reach - size, 0)
        let half = total / 2
        begin = autoPad == .sameUpper ? half : total - half
        end = total - begin
        geometry.output.append(count)
      }
      geometry.padsBegin.append(begin)
      geometry.padsEnd.append(end)
    }
    return geometry
  }

  /// How many windows there are.
  ///
  /// - Parameters:
  ///   - free: how far the last window's end may lie behind the first one's, less than two steps below zero.
  ///   - limit: the last place at which a window may begin, plus one.
  private static func count(
    free: Dim, limit: Dim, stride: Int, _ counting: Counting, _ ranges: [Symbol: ClosedRange<Int>]
  ) -> Dim {
    let step = Dim(stride)
    switch counting {
    case .inside: return free / step + 1
    case .pool(ceil: true):
      let count = free.ceilDivided(by: step) + 1
      // A window that starts in the padding behind the input does not count.
      if let difference = ((count - 1) * step - limit).value { return difference >= 0 ? count - 1 : count }
      return stride > 1 ? Dim.min(count, (limit - 1) / step + 1) : count
    case .pool(ceil: false):
      if stride == 1 || free.isNonNegative(ranges) { return free / step + 1 }
      // Division toward zero, as onnxruntime has it.
      if let least = free.bounds(ranges).lower, least > -stride { return Dim.max(free, 0) / step + 1 }
      return Dim.max(free / step + 1, Dim.min((free + step).clampedToZero, 1))
    }
  }

  private func check(_ values: [Int], _ name: String, count: Int, atLeast minimum: Int?) throws {
    guard values.count == count else {
      throw DiagnosticError(
        .user, "window.\(name)", "\(name) must have \(count) entries for this input, but is \(values)")
    }
    let range = (minimum ?? -Self.limit)...Self.limit
    if let bad = values.first(where: { !range.contains($0) }) {
      throw DiagnosticError(
        .user, "window.\(name)", "\(name) must be from \(range.lowerBound) to \(range.upperBound), but holds \(bad)")
    }
  }

  /// The greatest number that counts places of a window; products of two stay countable.
  static let limit = Int(Int32.max)
}

/// Where the channels of an image-like tensor are.
struct ImageLayout {
  var channelsLast: Bool

  func channelAxis(rank: Int) -> Int { channelsLast ? rank - 1 : 1 }

  /// An input of a pool has channels and spatial axes, none of them empty, unless there are no examples.
  func requireElements(_ x: TensorType, _ obligations: inout Obligations) throws {
    guard x.rank >= 3 else {
      throw DiagnosticError(.user, "pool.rank", "the input must have a batch, a channel and spatial axes, but is \(x)")
    }
    // n examples of m elements are at least n.
    try obligations.atLeast(
      x.count, x.shape[0], "number of elements of \(x), of which only the first axis may be empty,")
  }
  func spatial(_ shape: [Dim]) -> [Dim] {
    channelsLast ? Array(shape[1..<(shape.count - 1)]) : Array(shape.dropFirst(2))
  }
  func shape(_ batch: Dim, _ channels: Dim, _ spatial: [Dim]) -> [Dim] {
    channelsLast ? [batch] + spatial + [channels] : [batch, channels] + spatial
  }
  func index(_ batch: Expr, _ channel: Expr, _ spatial: [Expr]) -> [Expr] {
    channelsLast ? [batch] + spatial + [channel] : [batch, channel] + spatial
  }
  /// The batch, channel and spatial parts of an index.
  func parts(_ index: [Expr]) -> (batch: Expr, channel: Expr, spatial: [Expr]) {
    channelsLast
      ? (index[0], index[index.count - 1], Array(index[1..<(index.count - 1)]))
      : (index[0], index[1], Array(index.dropFirst(2)))
  }
}
