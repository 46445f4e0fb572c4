import SinterCore
import SinterForms

/// Where a number stands among some that are known when a model is compiled: a search by halves, without branches.
struct SortedSearch {
  private let sorted: Operand
  private let count, keyCount: Int

  /// - Parameter keys: at least one, in ascending order.
  init(_ keys: [Int], into lowering: inout Lowering) {
    // The last key again up to a power of two, so that halves stay inside.
    var padded = keys
    while padded.count & (padded.count - 1) != 0 { padded.append(padded[padded.count - 1]) }
    sorted = lowering.constant(.i64([padded.count], padded))
    (count, keyCount) = (padded.count, keys.count)
  }

  /// The place of an i64, and whether it is among the keys.
  func place(_ builder: BodyBuilder, of key: Expr) -> (place: Expr, isFound: Expr) {
    var place = builder.constant(0, .i64)
    var step = count / 2
    while step > 0 {
      let next = place + builder.constant(step, .i64)
      place = builder.select(builder.load(sorted.id, [next]) <= key, next, place)
      step /= 2
    }
    let isFound = builder.load(sorted.id, [place]) .== key
    // Behind the last key stands that key again.
    return (count == keyCount ? place : place.minimum(builder.constant(keyCount - 1, .i64)), isFound)
  }
}
