import SinterCore
import SinterIR
import SinterOps

/// An order of axes, as `Transpose` has it: axis j of the result is axis `order[j]` of the input.
struct Permutation: Hashable {
  var order: [Int]

  init(_ order: [Int]) { self.order = order }

  /// [n, c, spatial…] to [n, spatial…, c].
  static func toChannelsLast(rank: Int) -> Permutation { Permutation([0] + Array(2..<rank) + [1]) }
  /// [n, spatial…, c] to [n, c, spatial…].
  static func toChannelsFirst(rank: Int) -> Permutation { Permutation([0, rank - 1] + Array(1..<(rank - 1))) }

  var rank: Int { order.count }
  var isIdentity: Bool { order == Array(order.indices) }

  var inverse: Permutation {
    var result = order
    for (j, axis) in order.enumerated() { result[axis] = j }
    return Permutation(result)
  }

  /// First this one, then another.
  func followed(by other: Permutation) -> Permutation { Permutation(other.order.map { order[$0] }) }

  func apply<T>(_ values: [T]) -> [T] { order.map { values[$0] } }

  /// Whether a transpose of a tensor of this shape leaves the elements where they are: only axes of size 1 move.
  func movesNothing(in shape: [Dim]) -> Bool {
    let moved = order.filter { shape[$0] != 1 }
    return moved == moved.sorted()
  }
}

extension RewriteSite {
  /// The transpose that computes a value.
  func transpose(_ value: ValueID?) -> (input: ValueID, permutation: Permutation)? {
    guard let (op, _, inputs) = producer(of: value, as: Transpose.self), let x = inputs[0], let rank = type(x)?.rank,
      let order = try? op.order(rank: rank)
    else { return nil }
    return (x, Permutation(order))
  }

  /// The input of the transpose that computes a value, where that one brings channels from last to second place.
  func channelsLast(behind value: ValueID?) -> ValueID? {
    guard let (x, permutation) = transpose(value), permutation.rank >= 3,
      permutation == .toChannelsFirst(rank: permutation.rank)
    else { return nil }
    return x
  }

  func transposed(_ value: ValueID, _ permutation: Permutation) throws -> ValueID {
    try add1(Transpose(permutation.order), [value])
  }

  /// A value under other sizes; nil where they cannot be told to `Reshape`: at most one may be open besides those that stay in place.
  func reshaped(_ value: ValueID, to shape: [Dim]) throws -> ValueID? {
    guard let own = type(value)?.shape else { return nil }
    if own == shape { return value }
    var entries: [Int] = []
    var (open, openSize, rest) = (0, Dim(1), Dim(1))
    for (axis, size) in shape.enumerated() {
      if let number = size.value {
        guard number > 0 else { return nil }
        entries.append(number)
        rest = rest * size
      } else if axis < own.count, own[axis] == size {
        entries.append(0)
        rest = rest * size
      } else {
        entries.append(-1)
        open += 1
        openSize = size
      }
    }
    guard open <= 1 else { return nil }
    if open == 1, own.reduce(Dim(1), *).exactQuotient(by: rest) != openSize {
      // That the numbers of elements are equal tells the open size only where the others leave any elements.
      guard let least = rest.bounds(graph.taughtRanges).lower, least >= 1 else { return nil }
    }
    // What stays in place may have no elements.
    return try add1(
      Reshape(mayBeEmpty: open > 0 && entries.contains(0)), [value, constant(.i64([entries.count], entries))])
  }
}
