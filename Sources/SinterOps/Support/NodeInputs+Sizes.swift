import SinterCore
import SinterIR

extension NodeInputs {
  /// The sizes in an integer input, known up to symbols. None is less than `least`: that is stated where it is not certain.
  func sizes(
    _ index: Int, _ name: String, atLeast least: Int = 0, requiring obligations: inout Obligations
  ) throws -> [Dim] {
    let sizes = try knownSizes(index, name)
    for (place, size) in sizes.enumerated() {
      try obligations.atLeast(
        size, Dim(least), sizes.count == 1 ? name : "entry \(place) of \(name) \(Broadcast.list(sizes))")
    }
    return sizes
  }

  /// The one size in an integer input, a scalar or a list of one. It is not less than `least`.
  func size(
    _ index: Int, _ name: String, atLeast least: Int = 0, requiring obligations: inout Obligations
  ) throws -> Dim {
    let type = try tensor(index)
    let sizes = try sizes(index, name, atLeast: least, requiring: &obligations)
    guard sizes.count == 1, type.rank <= 1 else {
      throw DiagnosticError(.user, "operator.input", "\(name) must be one number, but input \(index) is \(type)")
    }
    return sizes[0]
  }

  /// Sizes of a result of which only data determine some: `known` tells the others.
  func freshShape(rank: Int, result: Int = 0, known: (Int) -> Dim? = { _ in nil }) -> [Dim] {
    (0..<rank).map { axis in known(axis) ?? freshSize(result: result, axis: axis) }
  }
}

extension TensorType {
  /// Whether there is an element for certain.
  var isNeverEmpty: Bool { shape.allSatisfy { ($0.bounds().lower ?? 0) > 0 } }
}

extension Obligations {
  /// A tensor holds one number: each of its axes has one element.
  mutating func scalar(_ type: TensorType, maximumRank: Int = 1, _ name: String) throws {
    guard type.rank <= maximumRank else {
      throw DiagnosticError(.user, "operator.input", "\(name) must be one number, but is \(type)")
    }
    for size in type.shape { try equal(size, 1, "number of elements of \(name) and 1") }
  }
}
