import SinterCore
import SinterForms
import SinterIR

/// The weights that turn a spectrum into bins of the mel scale, triangles over frequencies: [half the transform's length and one, bins].
///
/// Inputs: the number of bins, the transform's length, the sample rate, the lowest and the highest frequency in hertz. The bins' corners are
/// places of the spectrum, at equal distances in mel, 2595 · log10(1 + hertz / 700), of which there are two more than bins, all below the highest
/// frequency.
public struct MelWeightMatrix: Primitive {
  public static let name = "MelWeightMatrix"
  public static let summary = "Triangles that turn a spectrum into bins of the mel scale."

  /// The element type of the result, a float or an integer.
  public var type = ElementType.f32

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.elementType("output_datatype", &type) }
  public static var onnx: [OnnxRule] { [.direct(MelWeightMatrix.self, since: 17)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 17) }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(0), SizeInput(1)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    guard type.isFloat || type.isInteger else {
      throw DiagnosticError(.user, "mel.type", "weights must be numbers, but are to be \(type)")
    }
    for (index, name) in ["num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz"]
      .enumerated()
    {
      try obligations.scalar(try inputs.tensor(index), name)
    }
    let bins = try inputs.size(0, "num_mel_bins", requiring: &obligations)
    let length = try inputs.size(1, "dft_length", requiring: &obligations)
    return [Fact(type, [length / 2 + 1, bins])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let shape = try node.output().shape
    let operands = try (0..<5).map { try node.input($0) }
    let bins = shape[1]
    // The corners as places of the spectrum.
    let corners = try lowering.element([bins + 2]) { builder, index in
      func number(_ which: Int) -> Expr {
        let operand = operands[which]
        return builder.load(operand.id, operand.shape.map { _ in builder.constant(0, .i64) }).cast(to: .f64)
      }
      let perDecade = 2595 / 2.302585092994045684
      func mel(_ hertz: Expr) -> Expr { (hertz / 700 + 1).unary(.log) * perDecade }
      let low = mel(number(3))
      let step = (mel(number(4)) - low) / builder.size(bins + 2).cast(to: .f64)
      let hertz = (((low + index[0].cast(to: .f64) * step) / perDecade).unary(.exp) - 1) * 700
      return ((number(1) + 1) * hertz / number(2)).unary(.floor)
    }
    return [
      try lowering.element(shape) { builder, index in
        func corner(_ which: Int) -> Expr { builder.load(corners.id, [index[1] + builder.constant(which, .i64)]) }
        let (low, center, high) = (corner(0), corner(1), corner(2))
        let place = index[0].cast(to: .f64)
        let (zero, one) = (builder.constant(0, .f64), builder.constant(1, .f64))
        let rise = (place - low) / (center - low).maximum(one)
        let fall = (high - place) / (high - center).maximum(one)
        let side = builder.select(place < center, rise, fall)
        let isInside = place >= low && place < high
        let value = builder.select(place .== center, one, builder.select(isInside, side, zero))
        return value.cast(to: type)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    func integer(_ value: Int) -> HostTensor { .i64([], [value]) }
    let edges: [OperatorExample.Input] = [.given(.f32([], [0])), .given(.f32([], [4096]))]
    return [
      OperatorExample(
        MelWeightMatrix(), [.constant(integer(8)), .constant(integer(16)), .constant(integer(8192))] + edges),
      OperatorExample(MelWeightMatrix(), [.given(integer(5)), .given(integer(40)), .given(integer(8192))] + edges),
    ]
  }
}
