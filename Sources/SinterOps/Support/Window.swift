import SinterCore
import SinterIR
import SinterKernel

/// The attributes that Conv and the pools share: a window that moves over the spatial axes.
public struct Window: Sendable {
  public enum AutoPad: String, CaseIterable, Sendable {
    case notSet = "NOTSET"
    case sameUpper = "SAME_UPPER"
    case sameLower = "SAME_LOWER"
    case valid = "VALID"
  }

  public var autoPad = AutoPad.notSet
  public var kernel: [Int] = []
  public var strides: [Int] = []
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

  /// - Parameters:
  ///   - spatial: the sizes of the input's spatial axes.
  ///   - kernelShape: the window's sizes where an operand gives them.
  ///   - ceil: whether a last window that lies partly outside counts.
  func geometry(_ spatial: [Dim], kernelShape: [Int]? = nil, ceil: Bool = false) throws -> Geometry {
    let rank = spatial.count
    let kernel = self.kernel.isEmpty ? (kernelShape ?? []) : self.kernel
    let strides = self.strides.isEmpty ? [Int](repeating: 1, count: rank) : self.strides
    let dilations = self.dilations.isEmpty ? [Int](repeating: 1, count: rank) : self.dilations
    let pads = self.pads.isEmpty ? [Int](repeating: 0, count: 2 * rank) : self.pads
    try check(kernel, "kernel_shape", count: rank, atLeast: 1)
    try check(strides, "strides", count: rank, atLeast: 1)
    try check(dilations, "dilations", count: rank, atLeast: 1)
    try check(pads, "pads", count: 2 * rank, atLeast: nil)
    if let kernelShape, kernelShape != kernel {
      throw DiagnosticError(.user, "window.kernel", "kernel_shape is \(kernel), but the weights have \(kernelShape)")
    }
    var geometry = Geometry(
      kernel: kernel, strides: strides, dilations: dilations, padsBegin: [], padsEnd: [], output: [])
    for axis in 0..<rank {
      let reach = Dim(dilations[axis] * (kernel[axis] - 1) + 1)
      let stride = Dim(strides[axis])
      let size = spatial[axis]
      var begin = Dim(pads[axis])
      var end = Dim(pads[axis + rank])
      switch autoPad {
      case .notSet:
        let free = size + begin + end - reach
        var count = (ceil ? free.ceilDivided(by: stride) : free / stride) + 1
        if ceil {
          // A window that starts in the padding behind the input does not count.
          let last = (count - 1) * stride
          let limit = size + begin
          if let difference = (last - limit).value {
            if difference >= 0 { count = count - 1 }
          } else if strides[axis] > 1 {
            count = Dim.min(count, (limit - 1) / stride + 1)
          }
        }
        geometry.output.append(count)
      case .valid:
        begin = 0
        end = 0
        geometry.output.append((ceil ? (size - reach).ceilDivided(by: stride) : (size - reach) / stride) + 1)
      case .sameUpper, .sameLower:
        let count = size.ceilDivided(by: stride)
        let total = Dim.max((count - 1) * stride + reach - size, 0)
        let half = total / 2
        begin = autoPad == .sameUpper ? half : total - half
        end = total - begin
        geometry.output.append(count)
      }
      geometry.padsBegin.append(begin)
      geometry.padsEnd.append(end)
      if let count = geometry.output[axis].value, count < 0 || (count == 0 && size.value != 0) {
        throw DiagnosticError(
          .user, "window.size",
          "a window that reaches over \(reach) does not fit into \(size) with padding \(begin) and \(end)")
      }
    }
    return geometry
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
