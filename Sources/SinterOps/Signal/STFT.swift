import SinterCore
import SinterForms
import SinterIR

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
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 17) }

  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(1), SizeInput(3)] }

  /// The length of a frame, the step, and the result's shape.
  private func plan(_ inputs: NodeInputs, _ obligations: inout Obligations) throws -> (
    frame: Dim, step: Dim, result: [Dim]
  ) {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat }
    guard x.rank == 3 else {
      throw DiagnosticError(.user, "stft.signal", "the signal must be [batch, length, parts], but is \(x)")
    }
    try obligations.isComplexOrReal(x.shape[2], of: x)
    let step = try inputs.size(1, "frame_step", atLeast: 1, requiring: &obligations)
    var known = inputs.has(3) ? try inputs.size(3, "frame_length", atLeast: 1, requiring: &obligations) : nil
    if inputs.has(2) {
      let window = try inputs.tensor(2)
      guard window.rank == 1 else {
        throw DiagnosticError(.user, "stft.window", "the window must have one axis, but is \(window)")
      }
      known =
        try known.map { try obligations.equal($0, window.shape[0], "frame_length and the window's length") }
        ?? window.shape[0]
    }
    guard let frame = known else {
      throw DiagnosticError(
        .user, "stft.frame", "a window or frame_length must tell a frame's length, but both are absent")
    }
    try obligations.atLeast(frame, 1, "length of a frame")
    try obligations.atLeast(x.shape[1], frame, "length of the signal, which is \(x),")
    let bins = isOnesided ? frame / 2 + 1 : frame
    return (frame, step, [x.shape[0], (x.shape[1] - frame) / step + 1, bins, 2])
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    [Fact(try inputs.tensor(0).element, try plan(inputs, &obligations).result)]
  }

  /// Sums and angles are in f64: they cancel.
  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let window = node.has(2) ? try node.input(2) : nil
    var settled = Obligations()
    let (frame, step, result) = try plan(node.facts, &settled)
    let parts = x.shape[2]
    let sum = try lowering.reduce(.sum, result, over: [frame]) { builder, index, inner in
      let n = builder.size(frame)
      let place = index[1] * builder.size(step) + inner[0]
      let angle = (index[2] * inner[0]).modulo(n).cast(to: .f64) * (-2 * Double.pi) / n.cast(to: .f64)
      func part(_ which: Int) -> Expr {
        let at = [index[0], place, builder.constant(which, .i64)]
        let isThere = which == 0 || parts == 2 ? builder.bool(true) : builder.size(parts) > 1
        let value = builder.load(x.id, at, where: isThere).cast(to: .f64)
        return window.map { value * builder.load($0.id, [inner[0]]).cast(to: .f64) } ?? value
      }
      let (cosine, sine) = (angle.unary(.cos), angle.unary(.sin))
      var (real, imaginary) = (part(0) * cosine, part(0) * sine)
      if parts != 1 { (real, imaginary) = (real - part(1) * sine, imaginary + part(1) * cosine) }
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
        sizes: [Symbol("n"): 2]),
      OperatorExample(
        STFT(),
        [
          .random(TensorType(.f32, ["n", "t", 2]), -1...1), .given(.i64([], [3])),
          .random(TensorType(.f32, ["w"]), 0...1),
          .given(.i64([], [5])),
        ], sizes: [Symbol("n"): 2, Symbol("t"): 13, Symbol("w"): 5]),
    ]
  }
}

extension STFT: Composite {
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.require(by: Self.name) { _ = try plan(inputs, &$0) }
    let tape = GradientTape(builder)
    defer { builder = tape.builder }
    func input(_ index: Int) throws -> GradientTensor { GradientTensor(try inputs.value(index), tape) }
    let x = try input(0)
    func number(_ index: Int) throws -> GradientTensor {
      try input(index).cast(to: .i64).applying(Reshape(), x.integers([1]))
    }
    let (step, frame) = (try number(1), try inputs.has(2) ? input(2).size(0) : number(3))
    let count = try (x.size(1) - frame).applying(Binary(.divide), step) + x.integers([1])
    func places(_ count: GradientTensor) throws -> GradientTensor {
      try tape.constant(.i64([], [0])).applying(Range(), count.squeezed([0]), tape.constant(.i64([], [1])))
    }
    // Where each frame's elements lie: [frames, elements].
    let rows = try (places(count) * step).unsqueezed([1]) + places(frame).unsqueezed([0])
    var frames = try x.applying(Gather(axis: 1), rows)
    if inputs.has(2) { frames = try frames * input(2).unsqueezed([1]) }
    var transform = DFT()
    transform.isOnesided = isOnesided
    return [try frames.applying(transform).id]
  }
}
