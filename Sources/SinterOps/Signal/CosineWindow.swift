import SinterCore
import SinterForms
import SinterIR

/// A window of cosines of the length that the input gives.
public struct CosineWindow: Primitive {
  public static let name = "CosineWindow"
  public static let summary = "Hann, Hamming and Blackman windows."

  /// Which window, and so which factors its cosines have.
  public enum Kind: String, CaseIterable, Sendable {
    case hann, hamming, blackman

    var onnxName: String {
      switch self {
      case .hann: "HannWindow"
      case .hamming: "HammingWindow"
      case .blackman: "BlackmanWindow"
      }
    }

    /// The factors of cos(0), -cos(t) and cos(2t).
    var coefficients: (Double, Double, Double) {
      switch self {
      case .hann: (0.5, 0.5, 0)
      case .hamming: (25.0 / 46, 21.0 / 46, 0)
      case .blackman: (0.42, 0.5, 0.08)
      }
    }
  }

  /// Which window it is.
  public var kind = Kind.hann
  /// The element type of the result.
  public var outputType = ElementType.f32
  /// Whether the window's end would be its next begin, else it is symmetric.
  public var isPeriodic = true

  public init() {}
  /// A periodic window in f32.
  public init(_ kind: Kind) { self.kind = kind }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .hann)
    list.elementType("output_datatype", &outputType)
    list.bool("periodic", &isPeriodic, default: true)
  }

  public static var onnx: [OnnxRule] {
    Kind.allCases.map { kind in .direct(CosineWindow.self, as: kind.onnxName, since: 17) { op, _ in op.kind = kind } }
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    var attributes: [(name: String, value: OnnxAttribute)] = [("output_datatype", .elementType(outputType))]
    if !isPeriodic { attributes.append(("periodic", .int(0))) }
    return NodeSpecification(kind.onnxName, since: 17, attributes: attributes)
  }

  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(0)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    [Fact(outputType, [try inputs.size(0, "size", requiring: &obligations)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let shape = try node.output().shape
    let compute = outputType == .f64 ? ElementType.f64 : .f32
    return [
      try lowering.element(shape) { builder, index in
        let period = builder.size(shape[0] - (isPeriodic ? 0 : 1)).cast(to: compute)
        let turn = index[0].cast(to: compute) * (2 * Double.pi) / period
        let (a, b, c) = kind.coefficients
        var value = a - turn.unary(.cos) * b
        if c != 0 { value = value + (turn * 2).unary(.cos) * c }
        return value.cast(to: outputType)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    Kind.allCases.map { kind in
      var op = CosineWindow(kind)
      op.isPeriodic = kind != .hann
      return OperatorExample(op, [.constant(.i64([], [8]))])
    } + [OperatorExample(CosineWindow(), [.given(.i64([], [5]))])]
  }
}
