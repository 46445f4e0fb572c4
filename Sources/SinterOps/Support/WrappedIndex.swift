import SinterCore
import SinterForms
import SinterIR

/// Indices that a tensor holds, where negative ones count from the end: how they become indices that a load may use.
struct WrappedIndex {
  private let isCertain: Bool
  private let mayBeNegative: Bool
  private let error: Int

  /// - Parameters:
  ///   - input: which input of the node holds the indices.
  ///   - countsFromEnd: negative indices do; else they lie outside.
  ///   - sizes: the sizes that they index, one for all, or one for each place of the last axis.
  /// - Throws: where an index is known to lie outside.
  init(
    _ node: LoweringNode, input: Int, sizes: [Dim], countsFromEnd: Bool = true, name: String,
    into lowering: inout Lowering
  ) throws {
    let numbers = node.facts.constant(input)?.integers ?? node.facts.integers(input)
    // Where the result has no elements, nothing is read.
    let isRead = try node.output().count.value != 0
    for (at, number) in (numbers ?? []).enumerated() where !sizes.isEmpty && isRead {
      guard let size = sizes[at % sizes.count].value, number < (countsFromEnd ? -size : 0) || number >= size else {
        continue
      }
      throw DiagnosticError(
        .user, "operator.index", "\(name): index \(number) lies outside of an axis of \(size) elements")
    }
    let limit = sizes.compactMap(\.value).min()
    if let numbers, let limit, sizes.allSatisfy(\.isConstant),
      numbers.allSatisfy({ $0 >= (countsFromEnd ? -limit : 0) && $0 < limit })
    {
      isCertain = true
      mayBeNegative = numbers.contains { $0 < 0 }
      error = 0
    } else {
      isCertain = false
      mayBeNegative = countsFromEnd
      error = lowering.error("\(name): index \(countsFromEnd ? "%2" : "%0") lies outside of an axis of %1 elements")
    }
  }

  /// The index of an element of an axis, checked at run time where it is not known to be right.
  func place(_ index: Expr, size: Dim) -> Expr {
    let builder = index.builder
    let wide = index.cast(to: .i64)
    let place = mayBeNegative ? builder.select(wide < 0, wide + builder.size(size), wide) : wide
    return isCertain ? place : place.checked(below: builder.size(size), error: error)
  }
}
