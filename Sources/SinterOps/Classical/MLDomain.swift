import SinterCore
import SinterIR

extension String {
  /// ONNX's domain of classical machine learning.
  static let ml = "ai.onnx.ml"
}

extension GraphBuilder {
  /// A list of numbers as a tensor of one axis.
  mutating func numbers(_ values: [Double], _ type: ElementType) -> ValueID {
    constant(HostTensor(type, [values.count], doubles: values))
  }

  /// A value of numbers converted to another type; itself where it has that type.
  mutating func cast(_ value: ValueID, to element: ElementType) throws -> ValueID {
    try type(value).element == element ? value : try add1(Cast(to: element), [value])
  }

  /// The input of an operator of this domain as rows of features: one axis is one row.
  mutating func rows(_ value: ValueID, of name: String) throws -> ValueID {
    let given = try type(value)
    guard given.rank == 1 || given.rank == 2 else {
      throw DiagnosticError(
        .user, "ml.rank", "\(name) takes rows of features, two axes, or one row, but its input is \(given)",
        hint: "insert a Reshape")
    }
    return given.rank == 2 ? value : try add1(Unsqueeze(), [value, integers([0])])
  }

  /// A column of a matrix, as a matrix of one column.
  mutating func column(_ number: Int, of matrix: ValueID) throws -> ValueID {
    try add1(Gather(axis: 1), [matrix, integers([number])])
  }
}

extension NodeInputs {
  /// The type of the input, which must hold numbers of one of ONNX's types for this domain.
  func numbers(_ index: Int, of name: String) throws -> TensorType {
    let type = try tensor(index)
    guard type.element.isFloat || type.element.isInteger else {
      throw DiagnosticError(
        type.element == .string ? .limit : .user, "ml.type",
        "\(name) computes on numbers, but input \(index) is \(type)")
    }
    return type
  }
}
