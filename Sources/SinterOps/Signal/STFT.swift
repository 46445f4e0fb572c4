import SinterCore
import SinterIR
import SinterKernel

/// The Fourier transforms of windows that move along a signal. Inputs: the signal [batch, length, 1 or 2], the step, the window, the
/// length of a frame. The result is [batch, frames, frequencies, 2].
public struct STFT: Primitive {
  public static let name = "STFT"
  public static let summary = "Fourier transforms of windows that move along a signal."

  /// Whether only the first half of each spectrum is given.
  public var isOnesided = true

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("onesided", &isOnesided, default: true)
  }
  public static var onnx: [OnnxRule] { [.direct(STFT.self, since: 17)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 17) }

  private func plan(_ inputs: NodeInputs) throws -> (frame: Dim, result: [Dim]) {
    let x = try inputs.tensor(0)
    guard x.rank == 3 else {
      throw DiagnosticError(.user, "stft.rank", "the signal must be [batch, length, parts], but is \(x)")
    }
    var known = inputs.contents(3)?.first
    if known == nil, inputs.has(2) { known = try inputs.tensor(2).shape.first }
    if known == nil, let declared = inputs.declaredShape(), declared.count == 4 {
      // The longest frame with so many frequencies; what is beyond the frame's end does not count.
      return (isOnesided ? declared[2] * 2 - 1 : declared[2], declared)
    }
    guard let frame = known else {
      throw DiagnosticError(
        .limit, "stft.frame", "the frame's length must be known ahead of time, by a constant or by a window")
    }
    let bins = isOnesided ? frame / 2 + 1 : frame
    guard let step = inputs.contents(1)?.first else {
      if let declared = inputs.declaredShape(), declared.count == 4 { return (frame, declared) }
      return (frame, try inputs.knownSizes(1, "frame_step"))
    }
    return (frame, [x.shape[0], (x.shape[1] - frame) / step + 1, bins, 2])
  }

  /// Whether the frame's length is known only at run time.
  private func frameIsOpen(_ inputs: NodeInputs) -> Bool { inputs.contents(3) == nil && !inputs.has(2) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    [Fact(try inputs.tensor(0).element, try plan(inputs).result)]
  }

  /// Sums and angles are in f64: they cancel.
  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, step) = (try node.input(0), try node.input(1))
    let window = node.has(2) ? try node.input(2) : nil
    let (frame, result) = try plan(node.facts)
    let isComplex = x.shape[2] == 2
    let length = frameIsOpen(node.facts) ? try node.input(3) : nil
    let sum = try lowering.reduce(.sum, result, over: [frame]) { builder, index, inner in
      func scalar(_ operand: Operand) -> Expr {
        builder.load(operand.id, operand.shape.map { _ in builder.constant(0, .i64) }).cast(to: .i64)
      }
      let n = length.map(scalar) ?? builder.size(frame)
      let place = index[1] * scalar(step) + inner[0]
      let inside = (inner[0] < n) && (place < builder.size(x.shape[1]))
      let angle = (index[2] * inner[0]).modulo(n).cast(to: .f64) * (-2 * Double.pi) / n.cast(to: .f64)
      func part(_ which: Int) -> Expr {
        let at = [index[0], place, builder.constant(which, .i64)]
        let value = builder.load(x.id, at, where: inside).cast(to: .f64)
        return window.map { value * builder.load($0.id, [inner[0]]).cast(to: .f64) } ?? value
      }
      let (cosine, sine) = (angle.unary(.cos), angle.unary(.sin))
      var (real, imaginary) = (part(0) * cosine, part(0) * sine)
      if isComplex { (real, imaginary) = (real - part(1) * sine, imaginary + part(1) * cosine) }
      return builder.select(index[3] .== builder.constant(0, .i64), real, imaginary)
    }
    return [try lowering.cast(sum, to: x.element)]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        STFT(),
        [
          .random(TensorType(.f32, ["n", 20, 1]), -1...1), .constant(.i64([], [4])),
          .random(TensorType(.f32, [8]), 0...1),
        ],
        sizes: [Symbol("n"): 2])
    ]
  }
}
