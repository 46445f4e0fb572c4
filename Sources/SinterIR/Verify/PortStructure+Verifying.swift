import SinterCore

extension PortStructure {
  /// What is wrong with structures of ports that have these types; nil stands for a port that is no tensor.
  static func problems(_ structures: [PortStructure], _ types: [TensorType?]) -> [String] {
    var problems: [String] = []
    var next = 0
    for structure in structures {
      let leaves = structure.value.leaves
      guard let first = leaves.first, first >= next, leaves == Array(first..<(first + leaves.count)),
        first + leaves.count <= types.count
      else {
        problems.append("\(structure.name) is made of \(leaves), of which \(next)..<\(types.count) are left")
        continue
      }
      next = first + leaves.count
      if let wrong = mismatch(structure.value.map { types[$0] }) { problems.append("\(structure.name): \(wrong)") }
      if case .ragged(_, let shapes, let rank) = structure.present {
        let columns = types[shapes]?.shape.last?.value
        if rank != structure.elementSizes?.count || rank != nil && columns != nil && columns != rank {
          problems.append(
            "\(structure.name) has elements of \(rank.map(String.init) ?? "any number of") axes, sizes for "
              + "\(structure.elementSizes?.count ?? 0) of them, and shapes of \(columns.map(String.init) ?? "some") columns"
          )
        }
      }
    }
    return problems
  }

  private static func mismatch(_ value: Structured<TensorType?>) -> String? {
    func unlike(_ type: TensorType?, _ rank: Int, _ element: ElementType? = nil) -> Bool {
      type?.rank != rank || element != nil && type?.element != element
    }
    switch value {
    case .tensor(let type): return type == nil ? "its value is no tensor" : nil
    case .list(let types, of: let element):
      return types.contains { $0?.element != element } ? "not all of its elements are \(element)" : nil
    case .ragged(let elements, let shapes, rank: _):
      if unlike(elements, 1) { return "its elements do not lie along one axis" }
      return unlike(shapes, 2, .i64) ? "its shapes are no i64 matrix" : nil
    case .optional(let present, let value):
      if case .optional = value { return "an optional holds an optional" }
      return unlike(present, 0, .bool) ? "whether it is there is no truth value" : mismatch(value)
    case .map(let keys, let values):
      return unlike(keys, 1) || unlike(values, 1) ? "its keys or its values do not lie along one axis" : nil
    case .maps(let keys, let values):
      return unlike(keys, 1) || unlike(values, 2)
        ? "its keys do not lie along one axis, or its values are no matrix" : nil
    }
  }
}
