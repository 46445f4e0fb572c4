import SinterCore
import SinterIR

/// A convolution, with what is added to it and an activation of the sum. Inputs: the images, the weights, a bias, and what is added, of the
/// result's shape; the last two may be absent.
public struct FusedConv: Composite {
  public static let name = "FusedConv"
  public static let summary = "A convolution with a residual sum and an activation."

  /// The convolution.
  public var conv = Conv()
  var activation = FusedActivation.Kind.none
  /// The activation's numbers, such as alpha, in ONNX's order; as many as it has.
  public var parameters: [Double] = []

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("activation", &activation, default: .none)
    list.floats("activation_params", &parameters, default: [])
    conv.attributes(&list)
  }
  public static var onnx: [OnnxRule] { [.direct(FusedConv.self, domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    var result = try builder.add1(conv, [try inputs.value(0), try inputs.value(1), inputs.id(2)])
    if let added = inputs.id(3) {
      let (own, type) = (try builder.type(result), try inputs.tensor(3))
      try builder.require(by: Self.name) {
        _ = try $0.equal(type.shape, own.shape, "sizes of \(type), which is added, and of the result \(own)")
      }
      result = try builder.add1(Binary(.add), [result, added])
    }
    return [try FusedActivation(activation, parameters).apply(result, into: &builder)]
  }

  public static var examples: [OperatorExample] {
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    var residual = FusedConv()
    (residual.activation, residual.conv.window.pads) = (.relu, [1, 1, 1, 1])
    var clipped = FusedConv()
    (clipped.activation, clipped.parameters, clipped.conv.group) = (.clip, [-0.1, 0.2], 2)
    var hard = FusedConv()
    hard.activation = .hardSwish
    let weights = floats([4, 4, 3, 3])
    return [
      OperatorExample(
        residual, [floats(["n", 4, "h", 5]), weights, floats([4]), floats(["n", 4, "h", 5])],
        sizes: [Symbol("n"): 2, Symbol("h"): 4]),
      OperatorExample(clipped, [floats([1, 4, 5, 6]), floats([6, 2, 2, 2])]),
      OperatorExample(hard, [floats([1, 4, 5, 6]), weights, .absent, floats([1, 4, 3, 4])]),
    ]
  }
}
