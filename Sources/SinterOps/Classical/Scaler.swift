import SinterCore
import SinterIR

/// (x − offset) · scale as f32, each number for a feature or for all of them.
public struct Scaler: Composite {
  public static let name = "Scaler"
  public static let summary = "Features less an offset, times a scale."

  /// What is taken off: one number for all features, or one for each.
  public var offset: [Double] = []
  /// What the difference is multiplied by: one number for all features, or one for each.
  public var scale: [Double] = []

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.floats("offset", &offset, default: [])
    list.floats("scale", &scale, default: [])
  }

  public static var onnx: [OnnxRule] { [.direct(Scaler.self, domain: .ml)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let x = try inputs.numbers(0, of: Self.name)
    let element = x.element == .f64 ? ElementType.f64 : .f32
    var value = try builder.cast(try inputs.value(0), to: element)
    for (kind, numbers) in [(Binary.Kind.subtract, offset), (.multiply, scale)] where !numbers.isEmpty {
      value = try builder.add1(Binary(kind), [value, try builder.perFeature(numbers, of: x, Self.name, element)])
    }
    return [try builder.cast(value, to: .f32)]
  }

  public static var examples: [OperatorExample] {
    var each = Scaler()
    each.offset = [0.5, -1, 2]
    each.scale = [2, 0.25, -1]
    var all = Scaler()
    all.offset = [0.5]
    all.scale = [3]
    return [
      OperatorExample(each, [.random(TensorType(.f32, ["n", 3]), -1...1)], sizes: [Symbol("n"): 4]),
      OperatorExample(all, [.random(TensorType(.i64, ["n", "m"]), -9...9)], sizes: [Symbol("n"): 2, Symbol("m"): 3]),
      OperatorExample(each, [.random(TensorType(.f64, ["m"]), -1...1)], sizes: [Symbol("m"): 3]),
      OperatorExample(Scaler(), [.random(TensorType(.i32, [2]), -9...9)]),
    ]
  }
}

extension GraphBuilder {
  /// Numbers for the features of the last axis: one for all, or one each, which the axis then must have as many of.
  mutating func perFeature(
    _ numbers: [Double], of x: TensorType, _ name: String, _ element: ElementType
  ) throws -> ValueID {
    if numbers.count != 1, let width = x.shape.last {
      try require(by: name) {
        try $0.equal(width, Dim(numbers.count), "number of features of \(x) and of numbers for them")
      }
    }
    return self.numbers(numbers, element)
  }
}
