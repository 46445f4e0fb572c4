import SinterCore
import SinterIR

extension OnnxRule {
  /// A map with integer keys as one row of a matrix: its values in the order of the keys (DENSE), or each in the column that its key names, zeros
  /// elsewhere (SPARSE, with `max_map` columns).
  static let castMap = OnnxRule(values: "CastMap", domain: .ml) { node, builder in
    let (keys, values) = try node.map(0)
    guard try builder.type(keys).element == .i64 else {
      throw DiagnosticError(
        .user, "ml.type", "the keys must be i64, but are \(try builder.type(keys).element)", hint: "use DictVectorizer")
    }
    let element: ElementType
    switch node.string("cast_to") ?? "TO_FLOAT" {
    case "TO_FLOAT": element = .f32
    case "TO_INT64": element = .i64
    case let other:
      throw DiagnosticError(
        .limit, "ml.type", "cast_to is \(other); TO_FLOAT and TO_INT64 are supported", hint: "cast outside of the model"
      )
    }
    let type = try builder.type(values)
    guard type.element.isFloat || type.element.isInteger else {
      throw DiagnosticError(
        .limit, "ml.type", "the values must be numbers, but are \(type)", hint: "convert them outside of the model")
    }
    let numbers = try builder.cast(values, to: element)
    let row: ValueID
    switch node.string("map_form") ?? "DENSE" {
    case "DENSE":
      var order = TopK()
      order.isLargest = false
      let count = try builder.sizes(of: keys)
      row = try builder.add1(
        Gather(axis: 0), [numbers, try builder.add(order, [keys, count], outputs: 2)[1]])
    case "SPARSE":
      let zeros = builder.constant(
        HostTensor(
          element, [max(node.int("max_map") ?? 1, 0)],
          integers: [Int64](repeating: 0, count: max(node.int("max_map") ?? 1, 0))))
      row = try builder.add1(ScatterElements(), [zeros, keys, numbers])
    case let other:
      throw DiagnosticError(.user, "onnx.attribute", "map_form must be DENSE or SPARSE, but is \(other)")
    }
    return [.tensor(try builder.add1(Unsqueeze(), [row, builder.integers([0])]))]
  }
}

extension OnnxNode {
  /// Keys and values of an input that must be a map.
  func map(_ index: Int) throws -> (keys: ValueID, values: ValueID) {
    guard case .map(let keys, let values)? = value(index) else {
      throw DiagnosticError(
        .user, "onnx.kind", "input \(index) must be a map, but is \(value(index).map(\.kindName) ?? "missing")",
        hint: "connect a map")
    }
    return (keys, values)
  }
}
