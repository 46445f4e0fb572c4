import SinterCore
import SinterForms
import SinterIR

/// A convolution of bytes, signed or not, in 32-bit sums that wrap around. What lies outside the image is a number of the image's type, where
/// given; zero points are what `ConvInteger` adds. Inputs: x, w, the number outside (0).
public struct ByteConv: Primitive {
  public static let name = "ByteConv"
  public static let summary =
    "A convolution of bytes in 32-bit integers, without zero points; any number outside the image."

  /// The convolution's window and groups.
  public var conv = Conv()

  public init() {}
  /// The convolution of bytes by the window and groups of another.
  public init(_ conv: Conv) { self.conv = conv }

  public mutating func attributes(_ list: inout some AttributeList) { conv.attributes(&list) }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    conv.channelsLast || inputs.has(2) ? nil : NodeSpecification(of: self, as: "ConvInteger", since: 10)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, w) = (try inputs.tensor(0), try inputs.tensor(1))
    for type in [x, w] { try requireElement(type) { $0 == .u8 || $0 == .i8 } }
    if inputs.has(2) {
      let outside = try inputs.tensor(2)
      guard outside.element == x.element, outside.rank <= 1 else {
        throw DiagnosticError(
          .user, "conv.outside", "what lies outside \(x) must be one number of its type, but is \(outside)")
      }
      if outside.rank == 1 {
        try obligations.equal(outside.shape[0], 1, "number of elements of what lies outside and 1")
      }
    }
    let geometry = try conv.geometry(x, w, &obligations)
    return [Fact(.i32, ImageLayout(channelsLast: conv.channelsLast).shape(x.shape[0], w.shape[0], geometry.output))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, w) = (try node.input(0), try node.input(1))
    var settled = Obligations()
    let geometry = try conv.geometry(x.type, w.type, &settled)
    let result = try node.output()
    var image = x
    var padsBegin = geometry.padsBegin
    if node.has(2), !(geometry.padsBegin + geometry.padsEnd).allSatisfy({ $0 == 0 }) {
      image = try padded(x, with: try node.input(2), geometry, into: &lowering)
      padsBegin = padsBegin.map { _ in 0 }
    }
    return [
      lowering.convolve(
        image, w, result: result.shape, window: geometry.kernel, strides: geometry.strides,
        dilations: geometry.dilations,
        padsBegin: padsBegin, groups: conv.group, channelsLast: conv.channelsLast, accumulate: .i32)
    ]
  }

  /// The image as far as windows reach, with a number where it is not.
  private func padded(
    _ x: Operand, with outside: Operand, _ geometry: Window.Geometry, into lowering: inout Lowering
  ) throws -> Operand {
    let layout = ImageLayout(channelsLast: conv.channelsLast)
    let sizes = layout.spatial(x.shape)
    let reached = geometry.kernel.indices.map { axis in
      (geometry.output[axis] - 1) * Dim(geometry.strides[axis])
        + Dim(geometry.dilations[axis] * (geometry.kernel[axis] - 1) + 1)
    }
    let channels = x.shape[layout.channelAxis(rank: x.shape.count)]
    return try lowering.element(layout.shape(x.shape[0], channels, reached)) { builder, index in
      let (batch, channel, spatial) = layout.parts(index)
      var isInside = builder.bool(true)
      let places = spatial.enumerated().map { axis, place -> Expr in
        let at = place - builder.size(geometry.padsBegin[axis])
        isInside = isInside && (at >= builder.constant(0, .i64)) && (at < builder.size(sizes[axis]))
        return at
      }
      let other = builder.load(outside.id, outside.shape.map { _ in builder.constant(0, .i64) })
      return builder.select(isInside, builder.load(x.id, layout.index(batch, channel, places), where: isInside), other)
    }
  }

  public static var examples: [OperatorExample] {
    func op(_ change: (inout Conv) -> Void) -> ByteConv {
      var conv = Conv()
      change(&conv)
      return ByteConv(conv)
    }
    func bytes(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.u8, shape), 0...255) }
    func weights(_ shape: [Int]) -> OperatorExample.Input {
      .constant(HostTensor(.i8, shape, values: (0..<shape.reduce(1, *)).map { Int8(truncatingIfNeeded: $0 * 91 + 3) }))
    }
    let outside = OperatorExample.Input.constant(HostTensor(.u8, [], values: [UInt8(113)]))
    let sizes = [Symbol("n"): 2, Symbol("h"): 5]
    return [
      OperatorExample(op { $0.window.pads = [1, 1, 1, 1] }, [bytes([1, 2, 7, 9]), weights([2, 2, 2, 2]), outside]),
      OperatorExample(
        op {
          $0.channelsLast = true
          $0.window.pads = [0, 1, 2, 1]
          $0.window.strides = [2, 1]
        }, [bytes(["n", "h", 6, 3]), weights([5, 3, 1, 1]), outside], sizes: sizes),
      OperatorExample(op { $0.channelsLast = true }, [bytes(["n", 6, "h", 2]), weights([7, 2, 1, 1])], sizes: sizes),
      OperatorExample(
        op {
          $0.channelsLast = true
          $0.group = 2
          $0.window.autoPad = .sameUpper
          $0.window.dilations = [2, 2]
        }, [bytes([2, "h", 5, 4]), weights([2, 2, 2, 2]), outside], sizes: sizes),
      OperatorExample(
        op {
          $0.channelsLast = true
          $0.group = 3
          $0.window.pads = [1, 1, 1, 1]
        }, [bytes(["n", "h", 9, 3]), weights([3, 1, 2, 2]), outside], sizes: sizes),
    ]
  }
}
