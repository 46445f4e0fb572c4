import SinterCore
import SinterIR

/// Other numbers in place of one that stands for what is missing, which may be NaN: one for all features, or one for each.
public struct Imputer: Composite {
  public static let name = "Imputer"
  public static let summary = "Numbers in place of what stands for missing ones."

  /// What stands in for missing floats: one number, or one for each feature. Inputs of floats need it.
  public var floats: [Double] = []
  /// The float that stands for what is missing; may be NaN.
  public var missingFloat = 0.0
  /// What stands in for missing integers: one number, or one for each feature. Inputs of integers need it.
  public var integers: [Int] = []
  /// The integer that stands for what is missing.
  public var missingInteger = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.floats("imputed_value_floats", &floats, default: [])
    list.float("replaced_value_float", &missingFloat, default: 0)
    list.ints("imputed_value_int64s", &integers, default: [])
    list.int("replaced_value_int64", &missingInteger, default: 0)
  }

  public static var onnx: [OnnxRule] { [.direct(Imputer.self, domain: .ml)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let type = try inputs.numbers(0, of: Self.name)
    let x = try inputs.value(0)
    let values = type.element.isFloat ? floats.count : integers.count
    guard values > 0 else {
      throw DiagnosticError(
        .user, "imputer.values",
        "there are no values for \(type): \(type.element.isFloat ? "imputed_value_floats" : "imputed_value_int64s") is empty",
        hint: "export the model again")
    }
    let isMissing: ValueID
    let replacements: ValueID
    if type.element.isFloat {
      isMissing =
        missingFloat.isNaN
        ? try builder.add1(IsNaN(), [x])
        : try builder.add1(Compare(.equal), [x, try builder.scalar(missingFloat, type.element)])
      replacements = try builder.perFeature(floats, of: type, Self.name, type.element)
    } else {
      let missing = HostTensor(type.element, [], integers: [Int64(missingInteger)])
      isMissing = try builder.add1(Compare(.equal), [x, builder.constant(missing)])
      _ = try builder.perFeature(integers.map { Double($0) }, of: type, Self.name, type.element)
      replacements = builder.constant(
        HostTensor(type.element, [integers.count], integers: integers.map { Int64($0) }))
    }
    return [try builder.add1(Where(), [isMissing, replacements, x])]
  }

  public static var examples: [OperatorExample] {
    var each = Imputer()
    each.floats = [1.5, -2]
    each.missingFloat = .nan
    var all = Imputer()
    all.integers = [9]
    all.missingInteger = -1
    var zeros = Imputer()
    zeros.floats = [7]
    return [
      OperatorExample(each, [.given(.f32([2, 2], [.nan, 1, 0, .nan]))]),
      OperatorExample(all, [.given(.i64([3], [-1, 0, 4]))]),
      OperatorExample(zeros, [.random(TensorType(.f64, ["n", 2]), -1...1)], sizes: [Symbol("n"): 2]),
    ]
  }
}
